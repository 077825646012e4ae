# SPDX-License-Identifier: Apache-2.0
"""A sandbox that wants too much: processes, memory, disk. It is held, says so inside and outside, and stays usable. One that nobody
uses is paused by itself, and comes back by itself."""
import pathlib, re, subprocess, time
import harness
from harness import wait_for
from user_terminal import Shell

MANY = """import os, signal
number = 0
try:
    while number < 150:
        if os.fork() == 0:
            signal.pause()
        number += 1
except OSError:
    pass
print(number, flush=True)
os.killpg(0, signal.SIGKILL)
"""
HOG = """import time
held = []
for part in range(%d // 50):
    held.append(bytearray(50 << 20))
    held[-1][::4096] = b'x' * len(held[-1][::4096])
print('held', flush=True)
time.sleep(%d)
"""


def story(t):
    project = t.host_file(t.home / "projects/shop/a.txt", "x").parent
    t.boot_only()
    t.start_engine()
    t.apply_settings(warmStart=False)
    box = t.create("box", project, memoryMiB=1024)
    clean = {"HOME": str(t.home), "PATH": f"{t.root}/bin:/usr/bin:/bin", "XDG_RUNTIME_DIR": str(t.runtime), "TERM": "xterm-256color"}

    def cli(*words):
        return subprocess.run([str(t.root / "bin/coldframe"), *words], env=clean, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)

    def inspect():
        return t.call("sandbox.inspect", sandbox="box")

    def warned(word):
        return wait_for(lambda: [w for w in inspect()["warnings"] if word in w], 40, 0.5)

    def limit(name):
        return next(one for one in inspect()["limits"] if one["name"] == name)

    # Where programs run.
    r = t.run("box", "cat /proc/self/cgroup; ulimit -n; cat /proc/1/cgroup; nproc")
    t.check("the user's programs run in a group of their own, the agent does not", r.out.split()[:3] == ["0::/coldframe/all/programs", "65536", "0::/"], r)
    shell = Shell("coldframe exec -it box bash", clean, "/")
    t.check("a terminal is open", wait_for(lambda: b"agent@" in shell.output, 40), shell.output)

    # Processes.
    t.call("sandbox.set", sandbox="box", processes=100, openFiles=2048)
    t.check("what holds a limit is said", wait_for(lambda: limit("processes")["value"] == "100" and "control group inside" in limit("processes")["heldBy"], 10), inspect()["limits"])
    r = t.run("box", "ulimit -n")
    t.check("open files are limited for what starts from now on", r.out.strip() == "2048", r)
    r = t.run("box", ["sudo", "sh", "-c", "echo $$ > /sys/fs/cgroup/cgroup.procs; exec python3 -c \"$1\"", "-", MANY])
    t.check("without the group 150 processes are started (the control)", r.out.strip() == "150", r)
    r = t.run("box", ["setsid", "--wait", "python3", "-c", MANY])
    t.check("in it there are not", r.out.strip().isdigit() and 40 < int(r.out) < 100, r)
    bomb = t.start_exec("box", ["bash", "-c", "b() { b | b & }; b"])
    t.check("a fork bomb comes up against the limit", warned("as many processes"), inspect()["warnings"])
    began = time.monotonic()
    r = t.run("box", "echo alive; ps -e --no-headers | wc -l; cat /proc/self/cgroup", seconds=60)
    t.say(f"exec beside the bomb {time.monotonic() - began:.1f} s")
    words = r.out.split()
    t.check("the agent lives and a program beside it may even start others", r.status == 0 and words[0] == "alive" and int(words[1]) > 60
            and words[2].startswith("0::/coldframe/rescue/"), r)
    second = t.start_exec("box", ["bash", "-c", "b() { b | b & }; b"])
    full = t.run("box", "cd /sys/fs/cgroup/coldframe/rescue; until grep -q -x 6[0-4] */pids.current; do sleep 0.2; done; echo alive", seconds=60)
    t.check("a bomb that is started there fills its own group and no other", full.out.strip() == "alive", full)
    t.check("the terminal says why nothing starts", wait_for(lambda: b"as many processes as it may have (100)" in shell.output, 20), shell.output[-400:])
    r = t.run("box", "sudo sh -c 'pids=$(cat /sys/fs/cgroup/coldframe/all/programs/cgroup.procs | wc -l); echo $pids; cd /sys/fs/cgroup/coldframe; own=$(cut -d: -f3 /proc/self/cgroup); "
                     "for group in all rescue/[0-9]; do [ $own = /coldframe/$group ] || echo 1 > $group/cgroup.kill; done'")
    t.check("the bomb can be ended from there", r.status == 0 and wait_for(lambda: t.run("box", "cat /proc/self/cgroup").out.strip().endswith("programs"), 30), r)
    bomb.wait(5)
    second.wait(5)
    t.call("sandbox.set", sandbox="box", processes=0, openFiles=0)
    shell.wait()
    shell = Shell("coldframe exec -it box bash", clean, "/")
    t.check("the sandbox works as before", wait_for(lambda: b"agent@" in shell.output, 40), shell.output)

    # Memory.
    [qemu] = t.qemu(box["id"])
    resident = lambda: int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{qemu}/status").read_text()).group(1)) >> 10
    before = resident()
    hog = t.start_exec("box", ["python3", "-c", HOG % (400, 600)])
    t.check("400 MiB are taken from the host when they are used", wait_for(lambda: hog.output and resident() > before + 300, 60), (before, resident()))
    high = resident()
    t.run("box", "pkill python3")
    t.check("and given back when they are free", wait_for(lambda: resident() < high - 280, 60), (before, high, resident()))
    t.say(f"resident: {before} MiB before, {high} with the hog, {resident()} after it")
    hog.wait(5)

    # Changes while it runs.
    total = lambda: int(re.search(r"MemTotal:\s+(\d+)", t.run("box", "cat /proc/meminfo").out).group(1)) >> 10
    whole = total()
    done = cli("set", "box", "--memory", "640m")
    t.check("less memory holds at once", done.returncode == 0 and wait_for(lambda: total() < whole - 300, 40, 1), (done, total(), whole))
    t.check("by the balloon, as is said", limit("memory")["value"] == "640 MiB" and "balloon" in limit("memory")["heldBy"], limit("memory"))
    group = lambda: int(t.run("box", "cat /sys/fs/cgroup/coldframe/memory.max").out)
    t.check("the programs' share follows", wait_for(lambda: group() < 640 << 20, 20, 1), group())
    r = t.run("box", ["python3", "-c", HOG % (3000, 1)], seconds=240)
    t.check("one that wants more than there is is ended by the kernel", r.signal == 9 and "held" not in r.out, r)
    t.check("it is told why", "The memory of this sandbox" in r.err, r)
    t.check("the engine says so too", warned("memory of box was full"), inspect()["warnings"])
    t.check("nothing else ended", t.run("box", "echo still; cat a.txt").out == "still\nx" and shell.process.poll() is None)
    done = cli("set", "box", "--memory", "2g", "--cpus", "2")
    t.check("what holds only from the next start on is said", "was started with 1024 MiB" in done.stderr and "coldframe stop box" in done.stderr, done)
    t.check("and what there is is given", wait_for(lambda: total() > whole - 20, 40, 1), total())
    if box["reducedIsolation"]:
        t.check("an emulated one says that it has one CPU", "one CPU" in done.stderr, done)
    shown = cli("set", "box")
    t.check("the limits are shown with what holds them", all(word in shown.stdout for word in ("HELD BY", "size of its microVM", "disk image", "when idle")), shown)
    for words, code in ((("set", "box", "--disk", "20"), 2), (("set", "box", "--processes", "3"), 2), (("set", "nowhere", "--cpus", "1"), 3), (("set", "box", "--memory", "1"), 2),
                        (("set", "box", "--when-idle", "explode"), 2), (("set", "box", "--service", "--no-service"), 2)):
        done = cli(*words)
        t.check("refused with a sentence: coldframe " + " ".join(words), done.returncode == code and "coldframe:" in done.stderr, done)

    # Disk.
    r = t.run("box", "fallocate -l $(($(df -B1 --output=avail / | tail -1) - (4 << 20))) ~/big && dd if=/dev/zero of=~/more bs=1M count=64 status=none")
    t.check("a disk that is full is said by the program", r.status != 0 and "No space left" in r.err, r)
    t.check("and why, by the sandbox", "The disk of this sandbox is full (" in r.err and "coldframe set" in r.err, r)
    t.check("on the terminal too", wait_for(lambda: b"The disk of this sandbox is full" in shell.output, 20), shell.output[-400:])
    t.check("outside it is a warning", warned("disk of box is full"), inspect()["warnings"])
    listed = cli("ls")
    t.check("which the list prints", "disk of box is full" in listed.stderr and "box" in listed.stdout, listed)
    r = t.run("box", "rm ~/big ~/more; echo again > ~/small; cat ~/small")
    t.check("it stays usable", r.out == "again\n", r)
    t.check("and the warning goes", wait_for(lambda: not [w for w in inspect()["warnings"] if "disk" in w], 40, 0.5), inspect()["warnings"])

    # Idle.
    t.call("sandbox.set", sandbox="box", whenIdle="pause", idleMinutes=0.1)
    shell.type("sleep 1000 & echo kept-$!\n")
    mark = wait_for(lambda: re.search(rb"kept-(\d+)", shell.output), 20)
    time.sleep(9)
    t.check("who is attached is not idle (the control)", t.state("box") == "running")
    t.call("sandbox.set", sandbox="box", service=True)
    shell.type("\x10\x11")
    shell.wait()
    time.sleep(10)
    t.check("a service is never paused", t.state("box") == "running")
    t.call("sandbox.set", sandbox="box", service=False)
    t.check("what nobody uses is paused", wait_for(lambda: t.state("box") == "paused", 60, 0.5), inspect()["state"])
    paused = inspect()
    t.check("it says why, and runs nothing", paused["pausedByItself"] and "nobody used it" in paused["notice"] and not t.qemu(box["id"]), paused["notice"])
    t.check("the list tells it from one that was paused by hand", "paused" in cli("ls").stdout and "idle" in cli("ls").stdout, cli("ls"))
    r = t.run("box", "ps -o comm= -p " + mark.group(1).decode())
    t.check("the next command brings it back, with what ran", r.out.strip() == "sleep" and t.state("box") == "running", r)
    t.check("it is paused again", wait_for(lambda: t.state("box") == "paused", 60, 0.5))
    back = Shell("coldframe attach box", clean, "/")
    t.check("opening its terminal brings it back too", wait_for(lambda: mark.group() in back.output, 40), back.output)
    back.end()

    # A larger disk, and Docker from the start on.
    t.call("sandbox.set", sandbox="box", whenIdle="nothing")
    size = lambda: int(t.run("box", "df -B1 --output=size / | tail -1").out)
    before = size()
    done = cli("set", "box", "--disk", str(inspect()["diskGiB"] + 8), "--docker")
    t.check("what comes with the next start is said", done.returncode == 0 and "The disk grows" in done.stderr and "Whether Docker is started with it changes" in done.stderr, done)
    daemon = lambda: t.run("box", "pgrep -x dockerd").out.strip()
    t.check("until then all is as it was (the control)", size() == before and not daemon(), (size(), before))
    done = cli("stop", "box"), cli("start", "box")
    t.check("the larger disk is there", all(d.returncode == 0 for d in done) and size() > before + (7 << 30), (done, size(), before))
    t.check("and Docker runs though nobody used it", wait_for(daemon, 60, 0.5))
    began = time.monotonic()
    r = t.run("box", "docker version --format '{{.Server.Version}}'", seconds=150)
    t.check("it answers", r.status == 0 and r.out.strip(), r)
    t.say(f"{time.monotonic() - began:.1f} s until it did")


harness.main(story)
