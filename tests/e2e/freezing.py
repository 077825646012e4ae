# SPDX-License-Identifier: Apache-2.0
"""Sandboxes that are frozen: pause and resume, and what may go wrong in between."""
import json, os, signal, subprocess, time
import harness
from command_line import coldframe
from harness import EngineError, wait_for


def folder_of(t, name):
    return t.home / ".local/share/coldframe/sandboxes" / t.call("sandbox.inspect", sandbox=name)["id"]


def count(t, name):
    """What the program that counts has come to, in a file in memory only, and its process; (0, "gone") where there is none."""
    r = t.run(name, 'read -r n pid < <(tail -n 1 /dev/shm/count) && [ "$(cat /proc/$pid/comm)" = counter ] && echo $n $pid')
    words = r.out.split()
    return (int(words[0]), words[1]) if r.status == 0 and len(words) == 2 else (0, "gone")


def start_counter(t, name):
    # Lines are added, never cut off: a reader finds a whole one at any moment.
    t.run(name, "pkill -x counter; rm -f /dev/shm/count; cp -f /bin/bash ~/counter; "
          "(setsid ~/counter -c 'n=0; while :; do n=$((n+1)); echo $n $$ >> /dev/shm/count; sleep 0.2; done' > /dev/null 2>&1 < /dev/null &)")
    return wait_for(lambda: count(t, name)[0] > 2, 20) and count(t, name)


def pauses(t):
    t.create("one", t.project, network={"allow": ["server.example"]})
    before = start_counter(t, "one")
    t.run("one", "echo unsynced-but-written > ~/note; head -c 16 /dev/urandom | od -An -tx1 > /dev/shm/random; echo made > made-inside")
    identity = t.call("sandbox.inspect", sandbox="one")["id"]
    began = time.monotonic()
    r = coldframe(t, "pause", "one")
    t.check("pause by the command line", r.status == 0 and t.state("one") == "paused", r)
    t.say(f"paused after {time.monotonic() - began:.2f} s")
    t.check("its microVM and its proxy are gone", not t.qemu(identity) and not t.processes("bin/coldframe-proxy"), t.qemu(identity))
    t.check("its memory is kept, for its owner only", (folder_of(t, "one") / "memory.save").stat().st_mode & 0o077 == 0)
    t.check("what was made inside is on the host", (t.project / "made-inside").exists())
    t.check("pause of a paused sandbox changes nothing", coldframe(t, "pause", "one").status == 0 and t.state("one") == "paused")
    t.host_file(t.project / "made-meanwhile", "host\n")
    began = time.monotonic()
    r = coldframe(t, "resume", "one")
    t.say(f"resumed after {time.monotonic() - began:.2f} s")
    after = count(t, "one")
    t.check("resume brings the same processes back", r.status == 0 and after[1] == before[1] and after[0] >= before[0], (before, after, r))
    t.check("and they go on", wait_for(lambda: count(t, "one")[0] > after[0] + 2, 20))
    t.check("the memory is given up", not (folder_of(t, "one") / "memory.save").exists())
    r = t.run("one", "date +%s")
    t.check("the clock is right", abs(int(r.out) - time.time()) < 3, (r.out, time.time()))
    t.check("the workspace goes on in both directions", wait_for(lambda: t.run("one", "cat made-meanwhile").out == "host\n", 20)
            and t.run("one", "echo 2 > made-later").status == 0 and wait_for(lambda: (t.project / "made-later").exists(), 20))
    r = t.run("one", "curl -sS -m 20 https://server.example/")
    t.check("the network goes on", r.out == harness.Handler.text, r)
    t.check("a sandbox that is not paused cannot be resumed: stopped", coldframe(t, "stop", "one").status == 0
            and coldframe(t, "resume", "one").status == 2 and coldframe(t, "pause", "one").status == 2)
    t.call("sandbox.start", sandbox="one")


def two_lives(t):
    """Hazards 1 and 17: what a restored guest draws is its own, and its generation is a new one."""
    inspect = lambda: t.call("sandbox.inspect", sandbox="one")["vm"]["generation"]
    before = inspect()
    coldframe(t, "pause", "one")
    paused = folder_of(t, "one")
    subprocess.run(["cp", "-a", str(paused), str(paused.parent.parent / "copy")], check=True)
    coldframe(t, "start", "one")
    first = t.run("one", "od -An -N16 -tx1 /dev/urandom; cat /proc/sys/kernel/random/uuid").out
    t.check("hazard 1: each resume is a new generation", inspect() != before)
    t.kill_and_wait(*t.qemu(t.call("sandbox.inspect", sandbox="one")["id"]))
    wait_for(lambda: t.state("one") == "stopped", 20)
    t.kill_and_wait(t.engine.pid)
    # The same moment a second time: a backup of the folder that was put back.
    subprocess.run(["rm", "-rf", str(paused)], check=True)
    os.rename(paused.parent.parent / "copy", paused)
    t.start_engine()
    t.check("a folder that was put back with its times is paused again", t.state("one") == "paused", t.state("one"))
    coldframe(t, "start", "one")
    second = t.run("one", "od -An -N16 -tx1 /dev/urandom; cat /proc/sys/kernel/random/uuid").out
    t.check("hazard 17: two lives of one memory share no randomness", first != second and len(first.split()) == 17, (first, second))


def lost_memory(t):
    """Whatever is wrong with the memory, the disk comes back, and it is said."""
    def prepare():
        t.run("one", "echo on-disk > ~/note; sync")
        start_counter(t, "one")
        t.call("sandbox.pause", sandbox="one")
        return folder_of(t, "one")

    def expect(name, alive):
        r = coldframe(t, "start", "one")
        note = t.run("one", "cat ~/note").out
        t.check(f"{name}: it starts, and its disk is whole", r.status == 0 and note == "on-disk\n" and t.state("one") == "running", (r, note))
        t.check(f"{name}: its processes are {'there' if alive else 'gone'}", (count(t, "one")[1] != "gone") == alive)
        return r
    prepare()
    expect("control, nothing is wrong", True)

    memory = prepare() / "memory.save"
    with open(memory, "r+b") as file:
        file.truncate(memory.stat().st_size // 2)
    expect("half of the memory is missing", False)

    memory = prepare() / "memory.save"
    memory.write_bytes(b"LibvirtQemudSave" + bytes(4096))
    expect("the memory is of something else", False)

    (prepare() / "memory.save").unlink()
    r = expect("the memory is gone", False)
    t.check("and the user is told what is lost", "lost" in r.err or "lost" in r.out, r)

    folder = prepare()
    t.kill_and_wait(t.engine.pid)
    record = json.loads((folder / "state.json").read_text())
    record["machineKey"] = "0" * 64
    (folder / "state.json").write_text(json.dumps(record))
    t.start_engine()
    r = expect("QEMU was updated meanwhile", False)
    t.check("an update is named as the reason", "have changed" in r.err + r.out, r)

    folder = prepare()
    disk = next(folder.glob("disk-*.qcow2"))
    os.utime(disk)
    expect("hazard 2: the disk was touched meanwhile", False)

    prepare()
    t.check("stop gives the memory up", coldframe(t, "stop", "one").status == 0 and not list(folder.glob("memory.*")) and t.state("one") == "stopped")
    expect("after a stop", False)
    prepare()
    t.call("sandbox.reset", sandbox="one", force=True)
    t.check("a reset of a paused sandbox is a fresh one", t.run("one", "cat ~/note").out == "" and not list(folder.glob("memory.*")))


def kills(t):
    """The engine or QEMU dies in the middle: the next engine finds one whole state."""
    def outcome(name, want):
        wait_for(lambda: t.state("one") in ("running", "paused", "stopped", "failed"), 60)
        state = t.state("one")
        t.check(f"{name}: {' or '.join(want)}", state in want, state)
        folder = folder_of(t, "one")
        t.check(f"{name}: nothing half-made is left", not (folder / "memory.new").exists() and (state == "paused") == (folder / "memory.save").exists(),
                list(folder.iterdir()))
        coldframe(t, "start", "one")
        t.check(f"{name}: it starts, and its disk is whole", t.run("one", "cat ~/note").out == "on-disk\n", t.state("one"))
        t.say(f"      {state}")

    def struck(method, condition, victim):
        client = harness.Client(t.client.path)
        client.file.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": {"sandbox": "one"}}).encode() + b"\n")
        client.file.flush()
        hit = wait_for(condition, 30, 0.005)
        pids = victim()
        t.kill_and_wait(*pids)
        client.socket.settimeout(60)
        try:
            said = client.file.readline()
        except OSError:
            said = b""
        client.close()
        t.check(f"{method}: something was hit", hit and pids, (hit, pids))
        return said

    t.run("one", "echo on-disk > ~/note; sync")
    folder = folder_of(t, "one")
    identity = t.call("sandbox.inspect", sandbox="one")["id"]
    engine, qemu = lambda: t.processes("bin/coldframed"), lambda: t.qemu(identity)
    saving = lambda: (folder / "memory.new").exists() and (folder / "memory.new").stat().st_size > 1 << 20
    struck("sandbox.pause", saving, engine)
    t.start_engine()
    outcome("engine killed while it saves", ("stopped", "paused", "running"))
    said = struck("sandbox.pause", saving, qemu)
    t.check("QEMU killed while it saves: a sentence", b"error" in said and b"could not be paused" in said, said)
    outcome("QEMU killed while it saves", ("failed", "stopped"))
    t.call("sandbox.pause", sandbox="one")
    struck("sandbox.resume", lambda: t.qemu(identity), engine)
    t.start_engine()
    outcome("engine killed while it restores", ("stopped", "paused", "running"))
    t.call("sandbox.pause", sandbox="one")
    struck("sandbox.resume", lambda: t.qemu(identity), qemu)
    outcome("QEMU killed while it restores", ("running", "paused", "stopped", "failed"))


def host_slept(t):
    """The microVM does not run for a while, as when the computer sleeps."""
    pids = t.qemu(t.call("sandbox.inspect", sandbox="one")["id"])
    attachment = t.start_exec("one", "sleep 1; for i in 1 2 3; do echo line $i; sleep 1; done; date +%s")
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(6)
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    attachment.wait(40)
    last = attachment.output.split()[-1:]
    t.check("a program and its stream survive that QEMU stands still", attachment.status == 0 and b"line 3" in attachment.output, attachment.output)
    t.check("and the clock is right afterwards", last and abs(int(last[0]) - time.time()) < 3, (last, time.time()))


def story(t):
    t.project = t.home / "work"
    t.host_file(t.project / "file", "content\n")
    t.serve_tls("server.example", harness.Handler)
    t.start_engine()
    t.apply_settings()
    for part in (pauses, two_lives, lost_memory, kills, host_slept):
        part(t)


harness.main(story)
