# SPDX-License-Identifier: Apache-2.0
"""A sandbox's life: programs, the workspace, stop, reset, remove, and what happens when a process of the product dies."""
import os, stat, time
import harness
from harness import RESIZE, SIGNAL, STDIN, STDIN_END, wait_for
import struct

WITHIN = 2.0  # seconds a change may take to the other side


def programs(t):
    r = t.run("one", "pwd; id -un; echo problem >&2; exit 7")
    t.check("exec gives output, errors and the exit status", r.status == 7 and r.out.split("\n")[0] == str(t.project)
            and "problem" in r.err and "agent" in r.out, r)
    r = t.run("one", "cat; echo; wc -c < /dev/null", stdin=b"x" * 300000)
    t.check("exec takes input of 300000 bytes", r.out.count("x") == 300000 and r.status == 0, str(r)[-300:])
    r = t.run("one", ["/no/such/program"])
    t.check("a program that does not exist is a failure, not a hang", r.failure or r.status in (126, 127), r)
    r = t.run("one", "kill -TERM $$")
    t.check("the signal that ended a program is told", r.signal == 15 or r.status == 143, r)

    a = t.start_exec("one", ["bash", "--norc"], tty=True, rows=30, columns=90)
    a.send(STDIN, b"stty size\n")
    t.check("a terminal has the size asked for", wait_for(lambda: b"30 90" in a.output, 30), a.output)
    a.send(RESIZE, struct.pack(">HH", 41, 123))
    a.send(STDIN, b"stty size\n")
    t.check("a resize reaches the program", wait_for(lambda: b"41 123" in a.output, 20), a.output)
    a.send(STDIN, b"sleep 1000\n")
    wait_for(lambda: t.run("one", "pgrep -x sleep").status == 0, 20)
    a.send(STDIN, b"\x03")
    a.send(STDIN, b"echo after-$((40+2))\n")
    t.check("Ctrl-C ends the program in the foreground", wait_for(lambda: b"after-42" in a.output, 20), a.output)
    a.send(STDIN, b"exit 5\n")
    a.wait(20)
    t.check("the shell's own exit status comes back", a.status == 5, a.status)
    b = t.start_exec("one", "trap 'echo got-int; exit 9' INT; echo ready; while :; do sleep 0.2; done")
    wait_for(lambda: b"ready" in b.output, 20)
    b.send(SIGNAL, bytes([2]))
    b.wait(20)
    t.check("a signal frame reaches a program without a terminal", b.status == 9 and b"got-int" in b.output, (b.status, b.output))


    r = t.run("one", "df -B1G --output=size / | tail -1")
    t.check("a disk larger than the image's is used whole", r.out.strip() in ("58", "59", "60"), r)


def guest_sees(t, command, wanted):
    """Seconds until the guest shows the wanted words; one program that watches, so that emulation's starting time does not count."""
    a = t.start_exec("one", f"echo watching; for i in $(seq 150); do if {command}; then echo seen; exit 0; fi; sleep 0.1; done; exit 1")
    wait_for(lambda: b"watching" in a.output, 30)
    began = time.monotonic()
    wanted()
    seen = wait_for(lambda: b"seen" in a.output or a.done.is_set(), 20, 0.02)
    took = time.monotonic() - began
    return took if seen and b"seen" in a.output else 99


def workspace(t):
    p = t.project
    t.check("what lay in the folder is in the sandbox", t.run("one", "cat 'first file.txt'").out == "from before\n")
    took = guest_sees(t, "grep -q hello new/deep/a.txt 2>/dev/null && [ -x run.sh ] && [ \"$(readlink link)\" = run.sh ]", lambda: (
        t.host_file(p / "run.sh", "#!/bin/sh\n", 0o755), os.symlink("run.sh", p / "link"), t.host_file(p / "new/deep/a.txt", "hello\n")))
    t.check("a file, folders, a symlink and an exec bit go in within 2 s", took < WITHIN, f"{took:.1f} s")
    took = guest_sees(t, "[ ! -e run.sh ] && [ ! -e new ] && [ ! -L link ]", lambda: (
        os.remove(p / "run.sh"), os.remove(p / "link"), os.remove(p / "new/deep/a.txt"), os.rmdir(p / "new/deep"), os.rmdir(p / "new")))
    t.check("deletions go in within 2 s", took < WITHIN, f"{took:.1f} s")

    def out(command, seen):
        # The program says when it has made the change; from then on the time counts.
        r = t.start_exec("one", command + "; echo changed")
        wait_for(lambda: b"changed" in r.output or r.done.is_set(), 30, 0.02)
        began = time.monotonic()
        ok = wait_for(seen, 15, 0.02)
        return time.monotonic() - began if ok else 99
    took = out("mkdir -p out/deep && ln -s tool.sh out/link && printf '#!/bin/sh\\n' > out/tool.sh && chmod +x out/tool.sh && echo inside > out/deep/b.txt",
               lambda: (p / "out/deep/b.txt").exists() and (p / "out/deep/b.txt").read_text() == "inside\n" and (p / "out/link").is_symlink()
               and os.readlink(p / "out/link") == "tool.sh" and (p / "out/tool.sh").exists() and os.stat(p / "out/tool.sh").st_mode & stat.S_IXUSR)
    t.check("a file, folders, a symlink and an exec bit come out within 2 s", took < WITHIN, f"{took:.1f} s")
    took = out("rm -r out/deep out/link", lambda: not (p / "out/deep").exists() and not (p / "out/link").is_symlink())
    t.check("deletions come out within 2 s", took < WITHIN, f"{took:.1f} s")
    t.check("what was not deleted is still there", (p / "out/tool.sh").exists() and (p / "first file.txt").exists())


def stop_reset(t):
    t.run("one", "sudo touch /kept /home/agent/kept; echo late > late.txt")
    t.call("sandbox.stop", sandbox="one")
    t.check("stop ends the microVM", t.state("one") == "stopped" and not t.qemu(t.id))
    t.check("what was written just before the stop is on the host", (t.project / "late.txt").exists())
    t.host_file(t.project / "while-stopped.txt", "yes\n")
    t.call("sandbox.start", sandbox="one")
    r = t.run("one", "ls /kept /home/agent/kept && cat while-stopped.txt")
    t.check("a start after a stop keeps the sandbox's state and takes what changed meanwhile", r.status == 0 and "yes" in r.out, r)
    t.call("sandbox.reset", sandbox="one", force=True)
    r = t.run("one", "ls /kept /home/agent/kept 2>/dev/null; cat while-stopped.txt late.txt 'first file.txt'")
    t.check("reset loses the sandbox's state and keeps the workspace",
            r.out == "yes\nlate\nfrom before\n" and (t.project / "late.txt").exists(), r)


def deaths(t):
    pids = t.qemu(t.id)
    a = t.start_exec("one", "echo begun; sleep 3; echo survived > survived.txt")
    wait_for(lambda: b"begun" in a.output, 20)
    t.kill_and_wait(t.engine.pid)
    t.check("the microVM and the proxy outlive a killed engine", t.qemu(t.id) == pids and pids and t.processes("coldframe-proxy"))
    t.start_engine()
    adopted = wait_for(lambda: t.state("one") == "running", 60)
    t.check("hazard_07_a new engine takes the running microVM over", adopted and t.qemu(t.id) == pids, t.state("one"))
    r = t.run("one", "echo again")
    t.check("exec works in the microVM taken over", r.out == "again\n", r)
    t.host_file(t.project / "after-adoption.txt", "x")
    t.check("the workspace is in step again after the take-over", t.run(
        "one", "for i in $(seq 100); do [ -e after-adoption.txt ] && exit 0; sleep 0.2; done; exit 1").status == 0)

    proxies = t.processes("bin/coldframe-proxy")
    t.kill_and_wait(*proxies)
    fresh = wait_for(lambda: [p for p in t.processes("bin/coldframe-proxy") if p not in proxies], 30)
    t.check("hazard_07_a killed proxy is followed by a new one", fresh, (proxies, fresh))
    ok = wait_for(lambda: t.run("one", "curl -sS -m 20 https://server.example/").out == t.text, 40)
    t.check("the new proxy serves the sandbox with the same CA", ok, t.run("one", "curl -sv -m 20 https://server.example/ 2>&1"))

    before = t.qemu(t.id)
    t.kill_and_wait(*before)
    stopped = wait_for(lambda: t.state("one") == "stopped", 30)
    t.check("a killed microVM is seen as stopped", stopped, t.state("one"))
    t.host_file(t.project / "after-crash.txt", "x")
    t.call("sandbox.start", sandbox="one")
    r = t.run("one", "ls after-crash.txt 'first file.txt' late.txt")
    t.check("hazard_01_a start after a crash works and no file of the workspace is lost",
            r.status == 0 and (t.project / "late.txt").exists() and (t.project / "first file.txt").read_text() == "from before\n", r)


def remove(t):
    t.call("sandbox.remove", sandbox="one", force=True)
    t.check("a removed sandbox is forgotten", t.refused("sandbox.inspect", sandbox="one") and not t.call("sandbox.list")["sandboxes"])
    left = wait_for(lambda: [p for p in t.processes() if p != t.engine.pid] == [], 15)
    t.check("no process of the sandbox is left", left, [open(f"/proc/{p}/cmdline").read()[:200] for p in t.processes() if p != t.engine.pid])
    t.check("its disk is gone and the workspace is not", not (t.home / ".local/share/coldframe/sandboxes" / t.id).exists()
            and (t.project / "late.txt").exists())


def story(t):
    t.project = t.home / "my project"
    t.host_file(t.project / "first file.txt", "from before\n")
    server = t.serve_tls("server.example", harness.Handler)
    t.text = harness.Handler.text
    t.start_engine()
    t.apply_settings()
    t.check("a root of the whole home is refused", t.refused("sandbox.create", agent="shell", workspaces=[{"path": str(t.home), "readOnly": False}],
                                                             consentEmulation=True) != "")
    t.id = t.create("one", t.project, network={"allow": ["server.example"]}, diskGiB=60)["id"]
    for part in (programs, workspace, stop_reset, deaths, remove):
        part(t)


harness.main(story)
