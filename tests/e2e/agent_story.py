# SPDX-License-Identifier: Apache-2.0
"""The real Claude Code in a sandbox: it does its work, the server sees the real key, and nothing inside ever held it."""
import json, mmap, os, pathlib, re, subprocess
import harness, messages_api
from harness import wait_for

KEY = b"sk-ant-api03-real-" + os.urandom(12).hex().encode()
FILE_TEXT = "def answer():\n    return 42\n"


class Anthropic(messages_api.MessagesApi):
    """Writes a file, runs the tests, says that it is done."""

    def reply(self, request, body, tools):
        results = body.count(b'"tool_result"')
        if "Bash" not in tools:
            return [("text", "Answering")], "end_turn"
        if results == 0:
            return [("Write", {"file_path": str(self.server.project / "answer.py"), "content": FILE_TEXT})], "tool_use"
        if results == 1:
            return [("Bash", {"command": "python3 run_tests.py", "description": "Run the tests"})], "tool_use"
        return [("text", "All tests pass.")], "end_turn"


def search_memory(pid, needles):
    """Which of the needles are in the memory of the process; None when it may not be read."""
    found = set()
    try:
        with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
            for line in maps:
                ends = re.match(r"([0-9a-f]+)-([0-9a-f]+) r", line)
                if not ends or "[v" in line:
                    continue
                start, end = (int(x, 16) for x in ends.groups())
                before = b""
                while start < end:
                    size = min(32 << 20, end - start)
                    try:
                        memory.seek(start)
                        data = memory.read(size)
                    except (OSError, ValueError, OverflowError):
                        break
                    if not data:
                        break
                    found |= {n for n in needles if n in data or n in before + data[:100]}
                    before, start = data[-100:], start + len(data)
        return found
    except PermissionError:
        return None


def search_files(folder, needles, skip=()):
    found = {}
    for path in pathlib.Path(folder).rglob("*"):
        if path.is_file() and not path.is_symlink() and path.stat().st_size and not any(part in str(path) for part in skip):
            with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                for needle in needles:
                    if data.find(needle) >= 0:
                        found.setdefault(needle, []).append(str(path))
    return found


def search(t):
    """The same search that finds a planted marker and the sentinel does not find the key."""
    sentinel = t.run("agent", "printf %s \"$ANTHROPIC_API_KEY\"").out.encode()
    t.check("the environment inside has a sentinel that looks like a key", sentinel.startswith(b"sk-ant-") and sentinel != KEY, sentinel)
    r = t.run("agent", "sudo cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | sort | uniq -c | grep -i -E 'key|token'; cat ~/.claude.json ~/.claude/*.json; "
                       "find ~ / -xdev -newer /etc/hostname -type f -size -4M 2>/dev/null -print0 | sudo xargs -0 grep -l -a 'sk-ant-api03-real-' 2>/dev/null")
    t.check("environments and files inside have the sentinel and not the key", sentinel in r.out.encode() and b"api03-real-" not in r.out.encode(), r)

    disk_marker, memory_marker = os.urandom(12).hex().encode(), os.urandom(12).hex().encode()
    # Written by a program that is given its halves, so that the marker is on the disk only as the file's content.
    t.run("agent", f"printf '%s%s' marker-{disk_marker.decode()[:12]} {disk_marker.decode()[12:]} | sudo tee /var/marker >/dev/null; sync")
    holder = t.start_exec("agent", ["python3", "-c", f"m='marker-'+'{memory_marker.decode()}'; print('held', flush=True); import time; time.sleep(120)"])
    wait_for(lambda: b"held" in holder.output, 30)
    memory_needle, disk_needle = b"marker-" + memory_marker, b"marker-" + disk_marker
    found = None
    for pid in t.qemu(t.id):
        found = search_memory(pid, [KEY, sentinel, memory_needle])
    if found is None:
        dump = t.root / "memory.dump"
        domain = "coldframe-" + t.id
        done = subprocess.run(["virsh", "-c", "qemu:///session", "dump", "--memory-only", "--live", domain, str(dump)], env=t.environment,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=180)
        found = {n for n in search_files(t.root, [KEY, sentinel, memory_needle]).keys()} if dump.exists() else set()
        dump.unlink(missing_ok=True)
        t.say("memory by virsh dump " + done.stderr.strip())
    t.check("memory control: marker and sentinel are found in the microVM's memory", {memory_needle, sentinel} <= found, found)
    t.check("the key is not in the microVM's memory", found and KEY not in found)

    t.call("sandbox.stop", sandbox="agent")
    folder = t.home / ".local/share/coldframe/sandboxes" / t.id
    on_disk = search_files(folder, [KEY, disk_needle, sentinel])
    t.check("disk control: marker and sentinel are found in the sandbox's disk", disk_needle in on_disk and sentinel in on_disk, on_disk)
    t.check("the key is in no file of the sandbox, disk and logs", on_disk and KEY not in on_disk, on_disk)
    t.host_file(t.logs / "marker.log", b"log-" + disk_needle)
    everywhere = search_files(t.root, [KEY, disk_needle], skip=("/bin/",))
    t.check("logs control: a marker planted among the logs is found", any("marker.log" in p for p in everywhere.get(disk_needle, [])), everywhere)
    t.check("the key is in no log, record or setting of the user", KEY not in everywhere, everywhere.get(KEY))


def story(t):
    t.project = t.host_file(t.home / "my app/run_tests.py", "import answer\nassert answer.answer() == 42\nopen('tests-passed', 'w').write('yes')\n"
                                                          "print('1 test passed')\n").parent
    server = t.serve_tls("api.anthropic.com", Anthropic)
    server.project, server.key = t.project, KEY
    t.start_engine()
    t.apply_settings()
    t.id = t.create("agent", t.project, agent="claude", network={"allow": ["api.anthropic.com"]})["id"]
    r = t.run("agent", "curl -sS -m 30 -o /dev/null -w '%{http_code}' -H \"x-api-key: $ANTHROPIC_API_KEY\" -d '{}' https://api.anthropic.com/v1/messages")
    t.check("control: without a key given the server refuses, so the sentinel opens nothing", "200" not in r.out, r)
    t.give_key("agent", "anthropic", KEY)
    launched = t.call("sandbox.launch", sandbox="agent", arguments=["-p", "Write answer.py and run the tests."], rows=24, columns=80, tty=False)
    a = t.client.attach(launched["token"])
    a.send(harness.STDIN_END)
    a.wait(400)
    t.check("the agent ends its work with status 0", a.status == 0 and b"All tests pass." in a.output, (a.status, a.failure, a.output, a.errors))
    t.check("the file it wrote is on the host", wait_for(lambda: (t.project / "answer.py").exists(), 10) and (t.project / "answer.py").read_text() == FILE_TEXT)
    t.check("it ran the project's tests by itself", wait_for(lambda: (t.project / "tests-passed").exists(), 10)
            and any(b"1 test passed" in s[3] for s in server.seen), [s[:2] for s in server.seen])
    keyed = [s for s in server.seen if s[2].get("x-api-key") == KEY.decode()]
    t.check("the server saw the real key on each of its requests", len(keyed) >= 3 and not any(b"api03-real" in s[3] for s in server.seen), len(keyed))
    entry = t.logged("agent", host="api.anthropic.com", keyInjected="anthropic")
    t.check("the log says which key was used and never the key", entry and KEY.decode() not in json.dumps(t.log("agent")), entry)
    search(t)


harness.main(story)
