# SPDX-License-Identifier: Apache-2.0
"""Moments of a sandbox that are kept: named templates, going back to one, and forks of a running sandbox."""
import json, os, time
import harness
from command_line import coldframe
from harness import EngineError, wait_for


def inspect(t, name):
    return t.call("sandbox.inspect", sandbox=name)


def data(t):
    return t.home / ".local/share/coldframe"


def start_counter(t, name):
    t.run(name, "cp /bin/bash ~/counter; (setsid ~/counter -c 'n=0; while :; do n=$((n+1)); echo $n > /dev/shm/count; sleep 0.2; done' "
          "> /dev/null 2>&1 < /dev/null &)")
    return wait_for(lambda: pid_of(t, name), 20)


def pid_of(t, name):
    return t.run(name, "ps -C counter -o pid= | tr -d ' '").out.strip()


def saves(t):
    t.create("one", t.project)
    t.run("one", "echo installed | sudo tee /opt/tool > /dev/null; mkdir -p ~/.aws; echo '[default]' > ~/.aws/credentials; echo before > ~/note")
    pid = start_counter(t, "one")
    began = time.monotonic()
    r = coldframe(t, "save", "one", "ready", "--memory")
    t.say(f"saved with memory after {time.monotonic() - began:.2f} s")
    t.check("save by the command line names files that look like credentials", r.status == 0 and "/home/agent/.aws/credentials" in r.err + r.out, r)
    t.check("what runs in it goes on", t.state("one") == "running" and pid_of(t, "one") == pid and pid, (pid, pid_of(t, "one")))
    t.check("it works on with its workspace", t.run("one", "cat file; echo new > from-inside").out == "content\n"
            and wait_for(lambda: (t.project / "from-inside").exists(), 20))
    listed = json.loads(coldframe(t, "template", "ls", "--json").out)["templates"]
    t.check("it is listed", [x["name"] for x in listed] == ["ready"] and listed[0]["hasMemory"] and listed[0]["bytes"] > 0, listed)
    for words, status, said in ((("save", "one", "ready"), 1, "exists already"), (("save", "one", "../x"), 2, "cannot be used"), (("save", "none", "x"), 3, "no sandbox"),
                                (("rollback", "one", "none"), 3, "no template"), (("create", "--accept-emulation", "-t", "none", "shell", str(t.project)), 3, "no template"),
                                (("template", "rm", "none"), 3, "no template"), (("fork", "one", "-n", "17"), 2, "")):
        r = coldframe(t, *words)
        t.check(f"bad input: {' '.join(words[:3])}", r.status == status and said in r.err, r)
    return pid


def goes_back(t, pid):
    t.run("one", "echo after > ~/note; sudo rm /opt/tool; pkill counter")
    t.host_file(t.project / "made-after-the-save", "host\n")
    began = time.monotonic()
    r = coldframe(t, "rollback", "one", "ready")
    t.say(f"rolled back after {time.monotonic() - began:.2f} s")
    t.check("rollback brings disk and processes of that moment back", r.status == 0 and t.run("one", "cat ~/note /opt/tool").out == "before\ninstalled\n"
            and pid_of(t, "one") == pid, (r, pid_of(t, "one")))
    time.sleep(2)
    r = t.run("one", "cat made-after-the-save from-inside")
    t.check("the workspace is what it became meanwhile, here and there", r.out == "host\nnew\n" and (t.project / "from-inside").exists()
            and (t.project / "made-after-the-save").exists(), r)
    t.check("and it works on", t.run("one", "echo x > after-rollback").status == 0 and wait_for(lambda: (t.project / "after-rollback").exists(), 20))
    r = coldframe(t, "reset", "--undo", "-f", "one")
    t.check("the disk from before the rollback can be brought back", t.run("one", "cat ~/note; ls /opt/tool").out == "after\n", r)


def makes_new(t):
    other = t.home / "other"
    t.host_file(other / "file", "other\n")
    r = coldframe(t, "create", "--accept-emulation", "--name", "two", "-t", "ready", "shell", str(other))
    t.check("create --template", r.status == 0, r)
    r = t.run("two", "cat ~/note /opt/tool file; hostname; cat /etc/machine-id")
    t.check("it has the template's disk and its own workspace and name", r.out.startswith("before\ninstalled\nother\ntwo\n"), r)
    t.check("hazard 17: nothing of the other's identity", r.out.split()[-1] != t.run("one", "cat /etc/machine-id").out.strip() and pid_of(t, "two") == "")
    t.run("two", "echo mine > ~/note")
    coldframe(t, "reset", "-f", "two")
    t.check("a reset goes back to the template", t.run("two", "cat ~/note /opt/tool").out == "before\ninstalled\n")
    snapshot = json.loads(coldframe(t, "template", "ls", "--json").out)["templates"][0]["id"]
    folder = data(t) / "snapshots" / snapshot
    t.check("remove the template by name", coldframe(t, "template", "rm", "ready").status == 0
            and json.loads(coldframe(t, "template", "ls", "--json").out)["templates"] == [])
    t.check("hazard 2: its disk stays for those on it, its memory goes", (folder / "disk.qcow2").exists() and not (folder / "memory.save").exists())
    t.kill_and_wait(t.engine.pid)
    t.start_engine()
    coldframe(t, "stop", "two")
    coldframe(t, "start", "two")
    t.check("which go on after an engine restart", t.run("two", "cat /opt/tool").out == "installed\n")
    # The control and the guard: a layer that was changed is not used.
    disk = folder / "disk.qcow2"
    coldframe(t, "stop", "two")
    stamp = disk.stat()
    os.utime(disk)
    r = coldframe(t, "start", "two")
    t.check("hazard 2: a layer that was changed is refused with a sentence", r.status != 0 and "was changed" in r.err, r)
    os.utime(disk, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    t.check("and used when it is as it was (the control)", coldframe(t, "start", "two").status == 0)
    coldframe(t, "rm", "-f", "two")
    coldframe(t, "rm", "-f", "one")
    t.check("with the last sandbox on it the disk goes", wait_for(lambda: not folder.exists(), 10), list((data(t) / "snapshots").iterdir()))


def forks(t):
    t.create("one", t.project, network={"allow": ["server.example"]})
    t.run("one", "echo before > ~/note; head -c 8 /dev/urandom | od -An -tx1 > ~/drawn")
    pid = start_counter(t, "one")
    began = time.monotonic()
    r = coldframe(t, "fork", "one", "-n", "2", "--json")
    took = time.monotonic() - began
    made = [s["name"] for s in json.loads(r.out)["sandboxes"]] if r.status == 0 else []
    t.check("fork a running sandbox twice", made == ["one-fork-1", "one-fork-2"], r)
    t.say(f"two forks ran after {took:.2f} s")
    t.check("the forks run at once", all(t.state(name) == "running" for name in made), made)
    t.check("and their parent goes on", wait_for(lambda: t.state("one") == "running", 10), t.state("one"))
    t.check("with the same processes", [pid_of(t, name) for name in ["one", *made]] == [pid] * 3, [pid_of(t, name) for name in ["one", *made]])
    drawn = [t.run(name, "od -An -N16 -tx1 /dev/urandom; hostname; cat /etc/machine-id").out for name in ["one", *made]]
    t.check("hazard 17: they draw other randomness, and are called otherwise", len({line for out in drawn for line in out.split("\n") if line}) == 9
            and [out.split("\n")[1] for out in drawn] == ["one", *made], drawn)
    copies = [t.home / "work-fork-1", t.home / "work-fork-2"]
    t.check("each has a copy of the workspace on the host", all((c / "file").read_text() == "content\n" for c in copies))
    for name in made:
        t.run(name, f"pwd; echo {name} > made-in; echo {name} >> file")
    t.run("one", "echo one > made-in")
    t.check("each works on its own copy, at the path it knew", wait_for(lambda: [(p / "made-in").exists() and (p / "made-in").read_text()
            for p in (t.project, *copies)] == ["one\n", "one-fork-1\n", "one-fork-2\n"], 30) and t.run(made[0], "pwd").out == f"{t.project}\n",
            [(p / "made-in").exists() for p in (t.project, *copies)])
    t.check("and none sees the others' work", (t.project / "file").read_text() == "content\n"
            and wait_for(lambda: (copies[0] / "file").read_text() == "content\none-fork-1\n", 20))
    states = [inspect(t, name)["syncs"][0] for name in made]
    t.check("without conflicts", all(not s["conflicts"] for s in states), states)
    r = t.run(made[0], "curl -sS -m 20 https://server.example/")
    t.check("the network goes on in a fork, by the same rules", r.out == harness.Handler.text, r)
    t.run(made[0], "echo mine > ~/note")
    t.check("disks are their own", t.run(made[1], "cat ~/note").out == "before\n")
    r = coldframe(t, "fork", "one", "--share", "--name", "reader")
    t.check("a fork that shares the workspace read-only", r.status == 0 and t.run("reader", "cat file").out == "content\n", r)
    t.run("reader", "echo reader > made-by-reader")
    t.host_file(t.project / "late", "late\n")
    t.check("sees the host's changes", wait_for(lambda: t.run("reader", "cat late").out == "late\n", 20))
    t.check("and changes nothing there", not (t.project / "made-by-reader").exists())
    r = coldframe(t, "fork", "one", "--name", "reader")
    t.check("a fork under a name that is taken: a sentence", r.status == 1 and "already" in r.err, r)
    t.kill_and_wait(t.engine.pid)
    t.start_engine()
    ok = wait_for(lambda: t.state(made[1]) == "running", 30)
    t.check("the next engine takes forks over", ok and pid_of(t, made[1]) == pid)
    for name in [*made, "reader"]:
        coldframe(t, "rm", "-f", name)
    t.check("removing them leaves the copies", all((c / "made-in").exists() for c in copies))
    t.check("and the parent", t.run("one", "cat ~/note").out == "before\n")


def struck(t, what, method, condition, victim, **params):
    client = harness.Client(t.client.path)
    client.file.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": {"sandbox": "one", **params}}).encode() + b"\n")
    client.file.flush()
    hit = wait_for(condition, 30, 0.002)
    pids = victim()
    t.kill_and_wait(*pids)
    client.socket.settimeout(90)
    try:
        client.file.readline()
    except OSError:
        pass
    client.close()
    t.check(f"{what}: something was hit", hit and pids, (hit, pids))


def kills(t):
    t.run("one", "echo kept > ~/note; sync")
    snapshots = data(t) / "snapshots"
    identity = inspect(t, "one")["id"]
    before = set(snapshots.iterdir())
    # That the parent is alive is all that is promised: in which state depends on the moment.
    def whole(name):
        t.client = t.connect(30)
        wait_for(lambda: t.state("one") in ("running", "paused", "stopped", "failed"), 60)
        state = t.state("one")
        known = {s["id"] for s in t.call("sandbox.list")["sandboxes"]}
        folders = {p.name for p in (data(t) / "sandboxes").iterdir()}
        t.check(f"{name}: no half-made sandbox is left", known == folders and "one" in {s["name"] for s in t.call("sandbox.list")["sandboxes"]}, (known, folders))
        half = [p for p in snapshots.iterdir() if (p / "unfinished").exists()]
        t.check(f"{name}: no half-made template is left", not half, half)
        coldframe(t, "start", "one")
        t.check(f"{name}: the sandbox is whole", t.run("one", "cat ~/note; cat file").out == "kept\ncontent\n", t.state("one"))
        t.say(f"      {state}")
        for s in t.call("sandbox.list")["sandboxes"]:
            if s["name"] != "one":
                coldframe(t, "rm", "-f", s["name"])
    engine, qemu = lambda: t.processes("bin/coldframed"), lambda: t.qemu(identity)
    moments = (("its memory is saved", lambda: any(snapshots.glob("*/memory.save"))), ("its disk is frozen", lambda: any(p.stat().st_nlink > 1 for p in snapshots.glob("*/disk.qcow2"))),
               ("the fork's folder appears", lambda: len(list((data(t) / "sandboxes").iterdir())) > 1),
               ("the fork's microVM appears", lambda: len(t.qemu("")) > 1))
    for text, when in moments:
        struck(t, f"fork, engine killed when {text}", "sandbox.fork", when, engine, count=1, share=True)
        t.start_engine()
        whole(f"fork, engine killed when {text}")
    struck(t, "save, QEMU killed while it saves", "template.save", lambda: any(p.stat().st_size > 1 << 20 for p in snapshots.glob("*/memory.new")), qemu, name="half", memory=True)
    whole("save, QEMU killed while it saves")
    t.check("no template came of it", coldframe(t, "template", "ls", "-q").out == "")
    t.check("control: the same save undisturbed", coldframe(t, "save", "one", "half").status == 0 and coldframe(t, "template", "ls", "-q").out == "half\n")


def story(t):
    t.project = t.home / "work"
    t.host_file(t.project / "file", "content\n")
    t.serve_tls("server.example", harness.Handler)
    t.start_engine()
    t.apply_settings()
    pid = saves(t)
    goes_back(t, pid)
    makes_new(t)
    forks(t)
    kills(t)


harness.main(story)
