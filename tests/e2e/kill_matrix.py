# SPDX-License-Identifier: Apache-2.0
"""kill -9 in the middle of everything: the next command gives a clear result, nothing half-made stays, and no work is lost."""
import json, os, pathlib, subprocess, threading, time
import harness
from command_line import coldframe
from harness import Client, wait_for

AT_REST = {"running", "stopped", "failed"}


def leaders(processes):
    """Those that are not a child of another of them: a dialler has one for proxy scripts, which ends with it."""
    def parent(process):
        try:
            return int(pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            return 0
    return [process for process in processes if parent(process) not in processes]


def victims(t, name):
    if name == "libvirtd":
        pid_file = t.runtime / "libvirt/libvirtd.pid"
        return [int(word) for word in pid_file.read_text().split()[:1]] if pid_file.exists() else []
    return {"engine": lambda: t.processes("bin/coldframed"), "proxy": lambda: t.processes("bin/coldframe-proxy"),
            "dialler": lambda: leaders(t.processes("bin/coldframe-dial")), "qemu": lambda: t.qemu("")}[name]()


def kill(t, name):
    return t.kill_and_wait(*victims(t, name))


def interrupted(t, method, when, victim, **params):
    """Calls the method and kills the victim at a stage of its progress, or as soon as when() is true. Returns what the
    caller learned: a result, the error's text, or "closed"; and whether anything was killed."""
    client, hit, over = Client(t.runtime / "coldframe/engine.sock"), threading.Event(), threading.Event()

    def strike():
        if not hit.is_set():
            hit.set()
            kill(t, victim)

    def watch():
        while not over.is_set() and not hit.is_set():
            if when():
                strike()
            time.sleep(0.005)
    if callable(when):
        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
    client.file.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "progress": True}}).encode() + b"\n")
    client.file.flush()
    outcome = "closed"
    client.socket.settimeout(300)
    try:
        while line := client.file.readline():
            answer = json.loads(line)
            if answer.get("method") == "progress" and answer["params"]["stage"] == when:
                strike()
            elif "error" in answer:
                outcome = answer["error"]["message"]
                break
            elif "result" in answer:
                outcome = answer["result"]
                break
    except OSError:
        pass
    over.set()
    client.close()
    return outcome, hit.is_set()


def sandboxes(t):
    r = coldframe(t, "ls", "--json", seconds=60)
    return json.loads(r.out)["sandboxes"] if r.status == 0 else None


def orphans(t):
    """What is there of no sandbox, or of one that does not run."""
    known = sandboxes(t)
    if known is None:
        return ["ls failed"]
    running = {s["id"] for s in known if s["state"] == "running"}
    left = [f"folder {p.name}" for p in (t.home / ".local/share/coldframe/sandboxes").iterdir() if p.name not in {s["id"] for s in known}]
    left += [f"file {p}" for p in (t.home / ".local/share/coldframe").rglob("*.new-*")]
    left += [f"microVM {pid}" for pid in t.qemu("") if not any(pid in t.qemu(identity) for identity in running)]
    for helper in ("proxy", "dialler"):
        count = len(victims(t, helper))
        left += [f"{helper}: {count} of {len(running)}"] if count != len(running) else []
    domains = subprocess.run(["virsh", "-c", "qemu:///session", "list", "--all", "--name"], env=t.environment, capture_output=True, text=True,
                             stdin=subprocess.DEVNULL, timeout=60).stdout.split()
    left += [f"domain {d}" for d in domains if d.removeprefix("coldframe-") not in running]
    for folder in (t.runtime / "coldframe/s").glob("*"):
        sockets = [p.name for p in folder.iterdir()]
        if sockets and not any(identity.startswith(folder.name) for identity in running):
            left.append(f"sockets {folder.name}: {sockets}")
    return left


def settled(t, name, outcome, ends=AT_REST):
    """After a kill: the next command answers, all comes to rest in one of the states, nothing is left over, files are whole."""
    what, hit = outcome
    began = time.monotonic()
    r = coldframe(t, "ls", seconds=60)
    t.check(f"{name}: it was hit, and the next command answers", hit and r.status == 0 and r.seconds < 30, (hit, r))
    def at_rest():
        known = sandboxes(t)
        return known is not None and all(s["state"] in AT_REST for s in known)
    rest = wait_for(at_rest, 240, 0.5)
    now = [s["state"] for s in sandboxes(t) or []]
    t.check(f"{name}: it comes to rest", rest and set(now) <= ends, (now, what))
    if isinstance(what, str) and what != "closed":
        t.check(f"{name}: the caller was told in a sentence", what[:1].isupper() and what.rstrip().endswith((".", "?")) and "Broken pipe" not in what, what)
    left = wait_for(lambda: not orphans(t), 30, 0.5)
    t.check(f"{name}: nothing half-made is left", left, orphans(t))
    t.check(f"{name}: the workspace is whole", all((t.project / f"{n}.txt").read_text() == f"file {n}\n" for n in range(20)))
    t.say(f"      {what if isinstance(what, str) else what.get('state', 'done')}; then {now or 'no sandbox'} after {time.monotonic() - began:.1f} s")
    t.client = t.connect(30)
    return now


def creating(t):
    new = {"agent": "shell", "workspaces": [{"path": str(t.project), "readOnly": False}], "name": "one", "start": True, "consentEmulation": True,
           "network": {"allow": ["server.example"]}}
    data = t.home / ".local/share/coldframe/sandboxes"
    scenes = [("engine", "its record appears", lambda: any(data.glob("*/state.json"))), ("engine", "its disk appears", lambda: any(data.glob("*/disk-*.qcow2"))),
              ("libvirtd", "the boot", "boot"), ("engine", "the boot", "boot"), ("qemu", "its microVM appears", lambda: t.qemu("")),
              ("libvirtd", "its microVM appears", lambda: t.qemu(""))]
    for victim, text, when in scenes:
        outcome = interrupted(t, "sandbox.create", when, victim, **new)
        now = settled(t, f"create, {victim} killed when {text}", outcome)
        t.check(f"create, {victim} killed when {text}: a sandbox runs or there is none", now in ([], ["running"]), now)
        if now:
            coldframe(t, "rm", "-f", "one", seconds=60)
    # Its console says something: libvirt's part of the start is over.
    outcome = interrupted(t, "sandbox.create", lambda: any(log.stat().st_size for log in data.glob("*/console.log")), "libvirtd", **new)
    now = settled(t, "create, libvirtd killed while it boots", outcome)
    t.check("create, libvirtd killed while it boots: it boots on", now == ["running"], (now, outcome))


def running(t):
    def served():
        return t.run("one", "curl -sS -m 20 https://server.example/", seconds=60).out == harness.Handler.text
    t.check("control: the sandbox's network works", served())
    for victim in ("dialler", "libvirtd"):
        outcome = ({"state": "running"}, bool(victims(t, victim)))
        kill(t, victim)
        t.check(f"running, {victim} killed: it is served again", wait_for(served, 60))
        settled(t, f"running, {victim} killed", outcome, {"running"})
    r = t.run("one", "echo new > made-inside.txt")
    t.check("running: work goes on and arrives", r.status == 0 and wait_for(lambda: (t.project / "made-inside.txt").exists(), 20), r)


def stopping(t):
    for victim, when, ends in (("libvirtd", "stop", {"stopped"}), ("qemu", "flush", {"stopped"}), ("engine", "stop", {"stopped", "running", "failed"})):
        if sandboxes(t)[0]["state"] != "running":
            t.call("sandbox.start", sandbox="one")
        t.run("one", f"echo late > late-{victim}.txt; sync")
        outcome = interrupted(t, "sandbox.stop", when, victim, sandbox="one")
        settled(t, f"stop, {victim} killed at {when}", outcome, ends)
        if victim != "qemu":
            t.check(f"stop, {victim} killed at {when}: what was written before is on the host", (t.project / f"late-{victim}.txt").exists())
    coldframe(t, "stop", "one")


def starting(t):
    for victim, when in (("proxy", "setup"), ("engine", "setup"), ("qemu", "workspace")):
        if sandboxes(t)[0]["state"] == "running":
            coldframe(t, "stop", "-f", "one")
        t.client = t.connect()
        outcome = interrupted(t, "sandbox.start", when, victim, sandbox="one")
        settled(t, f"start, {victim} killed at {when}", outcome)
    t.call("sandbox.start", sandbox="one")
    r = t.run("one", "cat late-libvirtd.txt made-inside.txt; touch /kept")
    t.check("after all that a start brings a whole sandbox", r.out == "late\nnew\n", r)


def resetting(t):
    record = next((t.home / ".local/share/coldframe/sandboxes").glob("*/state.json"))
    outcome = interrupted(t, "sandbox.reset", lambda: '"state": "resetting"' in record.read_text(), "engine", sandbox="one", force=True)
    now = settled(t, "reset, engine killed", outcome)
    t.check("reset, engine killed: the sandbox is still there", len(now) == 1, now)
    t.client.call("sandbox.reset", sandbox="one", force=True)
    r = t.run("one", "ls /kept; ls")
    t.check("reset again gives a fresh sandbox with the same work", "/kept" not in r.out.split("\n") and "late-libvirtd.txt" in r.out, r)


def removing(t):
    record = next((t.home / ".local/share/coldframe/sandboxes").glob("*/state.json"))

    def gone_or_removing():
        try:
            return '"state": "removing"' in record.read_text()
        except OSError:
            return True
    outcome = interrupted(t, "sandbox.remove", gone_or_removing, "engine", sandbox="one", force=True)
    now = settled(t, "rm, engine killed", outcome)
    if now:
        r = coldframe(t, "rm", "-f", "one", seconds=60)
        t.check("rm again removes it", r.status == 0 and sandboxes(t) == [], r)
    t.check("rm: nothing is left at the end", wait_for(lambda: not orphans(t), 20), orphans(t))
    t.check("rm: the work is there", (t.project / "late-libvirtd.txt").exists() and (t.project / "made-inside.txt").exists())


def story(t):
    t.project = t.home / "work"
    for n in range(20):
        t.host_file(t.project / f"{n}.txt", f"file {n}\n")
    t.serve_tls("server.example", harness.Handler)
    t.boot_only()
    t.start_engine()
    t.apply_settings()
    for part in (creating, running, stopping, starting, resetting, removing):
        part(t)


harness.main(story)
