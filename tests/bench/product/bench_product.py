#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Times and sizes of the whole product, each beside its limit: bench_product.py BUILD. It fails only when something does not work."""
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "e2e"))
import desktop  # noqa: E402
import harness  # noqa: E402
import user_terminal  # noqa: E402


def resident(pid):
    """Resident memory in MB (proc(5), VmRSS)."""
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1000
    raise RuntimeError("no VmRSS")


def timed(action):
    began = time.monotonic()
    action()
    return time.monotonic() - began


def timed_window(t, screen):
    began = time.monotonic()
    window = screen.start("window", [str(t.root / "bin/coldframe")])
    seen = harness.wait_for(screen.window, 60, 0.005)
    seconds = time.monotonic() - began
    t.check("the window comes", seen)
    window.terminate()
    window.wait(20)
    return seconds


def proportional(pid):
    """Memory in MB that is this process's own or its share of what several map (proc(5), smaps_rollup, Pss)."""
    for line in open(f"/proc/{pid}/smaps_rollup"):
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1000
    raise RuntimeError("no Pss")


def used_bytes(folder):
    return sum(path.stat().st_blocks * 512 for path in pathlib.Path(folder).rglob("*") if path.is_file())


def to_prompt(t, name, prepare):
    """Seconds from the command to the first bytes of a shell's prompt."""
    began = time.monotonic()
    prepare()
    prompt = t.start_exec(name, ["bash", "-i"], tty=True, rows=24, columns=80)
    t.check(f"a prompt comes in {name}", harness.wait_for(lambda: b"$" in prompt.output, 60, 0.002), prompt.output)
    took = time.monotonic() - began
    prompt.send(harness.STDIN, b"exit\n")
    return took


def attached(t, name):
    """Seconds from the command to the first byte of a session's screen."""
    if not t.call("session.list", sandbox=name)["sessions"]:
        shell = t.start_exec(name, ["bash", "-i"], tty=True, rows=24, columns=80)
        harness.wait_for(lambda: b"$" in shell.output, 60)
        shell.socket.shutdown(2)
    shell = user_terminal.Shell(f"{t.root}/bin/coldframe attach {name}", {**t.environment, "TERM": "xterm-256color"}, "/")
    t.check(f"attach shows the session of {name}", harness.wait_for(lambda: b"$" in shell.output, 60, 0.002), shell.output)
    shell.end()
    return shell.first_byte


def by_hand(t):
    """Seconds until the same kernel and root disk, started with a plain QEMU, have their agent waiting for the host."""
    base = t.images / json.loads((t.images / "current.json").read_text())["base"]
    command = ["qemu-system-x86_64", "-M", "microvm,acpi=on,pit=on,pic=on,rtc=on", "-accel", "tcg", "-cpu", "max,cx16=off,erms=off,fsrm=off", "-m", "2048",
               "-bios", "qboot.rom",
               "-nodefaults", "-no-user-config", "-nographic", "-snapshot", "-kernel", str(base / "vmlinuz"), "-initrd",
               str(base / "initrd.img"), "-append", f"console=ttyS0 quiet loglevel=1 reboot=t panic=-1 tsc=reliable tsc_early_khz={tsc_khz()}",
               "-drive", f"if=none,id=d,format=qcow2,file={base}/base.qcow2", "-device", "virtio-blk-device,drive=d",
               "-device", "virtio-rng-device", "-serial", "stdio"]
    began = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=t.environment)
    timer = threading.Timer(60, process.kill)
    timer.start()
    seen = b""
    while b"waiting for the host" not in seen:
        part = process.stdout.read1(4096)
        if not part:
            break
        seen += part
    took = time.monotonic() - began
    timer.cancel()
    process.kill()
    process.wait()
    t.check("the guest boots in a QEMU started by hand", b"waiting for the host" in seen, seen[-500:])
    return took


def tsc_khz():
    """The rate of the time-stamp counter as the kernel shows it; near enough for a boot."""
    return next(int(float(line.split(":")[1]) * 1000) for line in open("/proc/cpuinfo") if line.startswith("cpu MHz"))


def story(t):
    rows = []

    def row(what, figure, limit, unit):
        rows.append((what, figure, limit, unit))

    def create(name, **more):
        t.call("sandbox.create", agent="shell", workspaces=[{"path": str(project), "readOnly": False}], name=name, start=True,
               consentEmulation=True, **more)

    def remove(name):
        t.call("sandbox.remove", sandbox=name, force=True)

    project = t.home / "project"
    t.host_file(project / "a.txt", "x")
    t.start_engine()
    t.apply_settings(warmStart=False)
    row("engine resident, idle", resident(t.engine.pid), 40, "MB")
    screen = desktop.Desktop(t)
    if not desktop.missing():
        screen.up()
        times = [timed_window(t, screen) for _ in range(5)]
        row("window visible, median of 5", statistics.median(times), 0.5, "s")
        screen.down()
    hand = by_hand(t)
    row("cold boot to a prompt", to_prompt(t, "one", lambda: create("one")), 12, "s")
    times = [timed(lambda: t.run("one", ["true"])) for _ in range(10)]
    row("exec of true, median of 10", statistics.median(times), 0.06, "s")
    times = [attached(t, "one") for _ in range(10)]
    row("re-attach to first byte, median of 10", statistics.median(times), 0.15, "s")
    row("engine resident, one sandbox", resident(t.engine.pid), 40, "MB")
    proxies = t.processes("coldframe-proxy")
    t.check("one proxy runs", len(proxies) == 1, proxies)
    row("proxy resident, idle", resident(proxies[0]), 15, "MB")
    row("stop", timed(lambda: t.call("sandbox.stop", sandbox="one")), 5, "s")
    row("start again to running", timed(lambda: t.call("sandbox.start", sandbox="one")), 12, "s")
    remove("one")

    t.apply_settings(warmStart=True)
    t.call("image.build", force=False)
    fresh, removed = [], []
    for number in range(10):
        fresh.append(to_prompt(t, "warm", lambda: create("warm")))
        if number < 9:
            removed.append(timed(lambda: remove("warm")))
    row("new sandbox to a prompt, median of 10", statistics.median(fresh), 1.5, "s")
    row("new sandbox to a prompt, longest of 10", max(fresh), 2.5, "s")
    row("removed, median of 9", statistics.median(removed), 0.5, "s")
    resets = [to_prompt(t, "warm", lambda: t.call("sandbox.reset", sandbox="warm")) for _ in range(5)]
    row("reset to a prompt, median of 5", statistics.median(resets), 1.5, "s")
    forks, pauses, resumes = [], [], []
    for number in range(3):
        forks.append(to_prompt(t, "warm-fork-1", lambda: t.call("sandbox.fork", sandbox="warm")))
        remove("warm-fork-1")
        shutil.rmtree(t.home / "project-fork-1")
        pauses.append(timed(lambda: t.call("sandbox.pause", sandbox="warm")))
        resumes.append(to_prompt(t, "warm", lambda: t.call("sandbox.resume", sandbox="warm")))
    row("fork of a running one to a prompt, median of 3", statistics.median(forks), 2, "s")
    row("pause, median of 3", statistics.median(pauses), 2, "s")
    row("resume to a prompt, median of 3", statistics.median(resumes), 2, "s")
    remove("warm")
    many = [f"many-{number}" for number in range(10)]
    row("ten sandboxes, one after another", timed(lambda: [create(name, memoryMiB=2048) for name in many]), 15, "s")
    one = t.call("sandbox.inspect", sandbox=many[0])
    row("disk of a fresh sandbox", used_bytes(pathlib.Path(one["disk"]["path"]).parent) / 1e6, 1, "MB")
    sizes = [proportional(t.qemu(t.call("sandbox.inspect", sandbox=name)["id"])[0]) for name in many]
    row("memory of an idle sandbox, mean of 10", statistics.mean(sizes), 200, "MB")
    ticks = [cpu_seconds(t.qemu(t.call("sandbox.inspect", sandbox=name)["id"])[0]) for name in many]
    time.sleep(5)
    after = [cpu_seconds(t.qemu(t.call("sandbox.inspect", sandbox=name)["id"])[0]) for name in many]
    row("CPU of ten idle sandboxes", (sum(after) - sum(ticks)) / 5 * 100, 20, "%")
    for name in many:
        remove(name)
    row("(a QEMU by hand, kernel to agent)", hand, 12, "s")
    print(f"{'what':46} {'ours':>9} {'limit':>9} {'ratio':>7}")
    for what, figure, limit, unit in rows:
        print(f"{what:46} {figure:8.2f} {unit:2}{limit:7.2f} {unit:2}{figure / limit:6.2f}")


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


harness.main(story)
