# SPDX-License-Identifier: Apache-2.0
"""Sessions outlive whoever looks at them: a closed terminal window, a killed client, a killed engine."""
import json, os, re, subprocess
import harness
from harness import wait_for
from user_terminal import Shell

TICKS = "i=0; while sleep 0.3; do i=$((i+1)); echo tick-$i; done\n"


def ticks(shell):
    return [int(n) for n in re.findall(rb"tick-(\d+)(?=[\r\x1b])", shell.output)]


def unbroken(numbers):
    return bool(numbers) and numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def story(t):
    project = t.host_file(t.home / "projects/shop/a.txt", "x").parent
    t.boot_only()
    t.start_engine()
    t.apply_settings(warmStart=False)
    sandbox = t.create("work", project)
    clean = {"HOME": str(t.home), "PATH": f"{t.root}/bin:/usr/bin:/bin", "XDG_RUNTIME_DIR": str(t.runtime), "TERM": "xterm-256color"}
    opened = []

    def shell(command, **more):
        opened.append(Shell(command, clean, "/", **more))
        return opened[-1]

    def cli(*words):
        return subprocess.run([str(t.root / "bin/coldframe"), *words], env=clean, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)

    def sessions():
        return t.call("session.list", sandbox="work")["sessions"]

    def alone():
        return wait_for(lambda: [s["viewers"] for s in sessions() if s["state"] == "running"] == [0], 20)

    # A window that is closed.
    first = shell(sandbox["launchCommand"])
    t.check("the copied launch command starts the agent", wait_for(lambda: b"agent@" in first.output, 60), first.output)
    first.type("echo shell-$$-is; " + TICKS)
    t.check("a program runs in it", wait_for(lambda: len(ticks(first)) > 3, 30), first.output)
    mark = re.search(rb"shell-\d+-is", first.output.replace(b"shell-$$", b""))
    t.check("it is known by its number", mark, first.output)
    before = sessions()
    t.check("the session is listed as the agent's, with its viewer and its size",
            [(s["agent"], s["viewers"], s["rows"], s["columns"], s["state"]) for s in before] == [("shell", 1, 40, 120, "running")], before)
    os.close(first.master)
    t.check("the closed window's client ends", wait_for(lambda: first.process.poll() is not None, 20))
    t.check("its session goes on, with nobody there", alone(), sessions())

    second = shell("coldframe attach work")
    t.check("attach shows the same program's screen", wait_for(lambda: mark.group() in second.output and len(ticks(second)) > 6, 30), second.output)
    t.check("it went on meanwhile, with nothing lost or doubled", unbroken(ticks(second)) and ticks(second)[0] == 1, ticks(second))
    t.say(f"attach to first byte {second.first_byte * 1000:.0f} ms")

    # A client that is killed.
    second.process.kill()
    second.wait()
    t.check("a killed client leaves it running too", alone(), sessions())
    third = shell(sandbox["launchCommand"])
    t.check("the copied launch command attaches to the same session",
            wait_for(lambda: mark.group() in third.output and len(ticks(third)) > 8, 30) and unbroken(ticks(third)), third.output)
    t.check("and says so", b"Attached to the session of work that runs." in third.output, third.output[:300])
    t.check("no second one was started", [s["id"] for s in sessions()] == [before[0]["id"]], sessions())

    # Several at once.
    watcher = shell("coldframe attach --read-only work", rows=20, columns=60)
    t.check("another one looks on", wait_for(lambda: len(ticks(watcher)) > 3, 30), watcher.output)
    watcher.type("\x03")
    seen = len(ticks(watcher))
    t.check("but types nothing", wait_for(lambda: len(ticks(watcher)) > seen + 4, 30), watcher.output)
    now = sessions()[0]
    t.check("and changes no size", (now["viewers"], now["rows"], now["columns"]) == (2, 40, 120), now)
    third.type("\x03")
    third.type("clear; printf \"\\033[?1049h\\033[2J\\033[5;7Hfull-screen-$((40+2))\\033[?2004h\"; read x\n")
    t.check("both see what one types", wait_for(lambda: b"full-screen-42" in third.output and b"full-screen-42" in watcher.output, 30), watcher.output[-500:])
    watcher.type("\x10\x11")
    t.check("the detach keys leave it", watcher.wait() == 0 and b"Left the session" in watcher.output, watcher.output[-300:])
    third.type("\x10")
    third.type("\x11")
    t.check("for the other one too", third.wait() == 0 and b"coldframe attach work" in third.output, third.output[-300:])
    t.check("the session goes on", alone(), sessions())

    # An engine that is killed.
    t.check("the engine is killed", t.kill_and_wait(t.engine.pid))
    t.start_engine()
    t.check("the sandbox is taken over", wait_for(lambda: t.state("work") == "running", 60), t.state("work"))
    t.check("with its session", [s["id"] for s in sessions()] == [before[0]["id"]], sessions())
    fourth = shell("coldframe attach", rows=30, columns=100)
    t.check("attach finds it without a name and draws the full screen", wait_for(lambda: b"full-screen-42" in fourth.output, 30) and b"\x1b[?1049h" in fourth.output
            and b"\x1b[?2004h" in fourth.output, fourth.output)
    fourth.type("\r")
    fourth.type("stty size; cat /proc/$$/comm; echo shell-$$-is\n")
    t.check("it is the same shell, in the size of the new window", wait_for(lambda: b"30 100" in fourth.output and mark.group() in fourth.output.split(b"30 100")[-1], 30),
            fourth.output[-500:])

    # Its end, with nobody there.
    fourth.type("sleep 1; exit 7\n")
    wait_for(lambda: b"exit 7" in fourth.output, 10)
    os.close(fourth.master)
    t.check("it ends with nobody there, and its end is kept", wait_for(lambda: [(s["state"], s["exitCode"]) for s in sessions()] == [("ended", 7)], 30), sessions())
    listed = cli("sessions", "work")
    t.check("the list says so", "ended with 7" in listed.stdout and "shell" in listed.stdout, listed)
    fifth = shell("coldframe attach work " + before[0]["id"][:6])
    t.check("whoever attaches then sees the screen and gets the exit code", fifth.wait() == 7 and b"exit 7" in fifth.output, fifth.output[-300:])
    t.check("which was to be fetched once", sessions() == [], sessions())

    # Beside each other.
    one = shell("coldframe run work")
    wait_for(lambda: b"agent@" in one.output, 30)
    two = shell("coldframe run --new work")
    t.check("--new starts another one", wait_for(lambda: b"agent@" in two.output and len(sessions()) == 2, 30), sessions())
    beside = shell("coldframe exec -it work bash")
    t.check("a shell of exec is a session as well", wait_for(lambda: len(sessions()) == 3 and sessions()[2]["label"] == "bash" and not sessions()[2]["agent"], 30), sessions())
    ids = [s["id"] for s in json.loads(cli("sessions", "--json").stdout)["sessions"]]
    t.check("the list is JSON too", ids == [s["id"] for s in sessions()], ids)
    ended = cli("sessions", "work", "--end", ids[1])
    t.check("one is ended by name", ended.returncode == 0 and two.wait() >= 128 and [s["id"] for s in sessions()] == [ids[0], ids[2]], (ended, sessions()))
    t.check("the others go on", one.process.poll() is None and beside.process.poll() is None)

    # Wrong words.
    for words, code, said in ((("attach", "nowhere"), 3, "nowhere"), (("attach", "work", "zzzz"), 3, "zzzz"), (("attach", "work"), 2, "terminal"),
                              (("attach", "--detach-keys", "meta-x", "work"), 2, "meta-x"), (("sessions", "--end", "x"), 2, ""),
                              (("sessions", "work", "--end", "zzzz"), 3, "zzzz"), (("sessions", "nowhere"), 3, "nowhere")):
        done = cli(*words)
        t.check("a sentence and code %d for coldframe %s" % (code, " ".join(words)), done.returncode == code and said in done.stderr, done)
    t.call("sandbox.stop", sandbox="work")
    stopped = cli("attach", "work")
    t.check("a stopped sandbox has no sessions, and what to do is said", stopped.returncode == 4 and "coldframe run work" in stopped.stderr, stopped)
    t.check("the list is empty then", cli("sessions").stdout.count("\n") == 1, cli("sessions"))
    for left in opened:
        if left.process.poll() is None:
            left.end()


harness.main(story)
