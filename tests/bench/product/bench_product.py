#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Times and sizes of the whole product, each beside its limit: bench_product.py BUILD. It fails only when something does not work."""
import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "e2e"))
import desktop  # noqa: E402
import harness  # noqa: E402


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


def story(t):
    rows = []

    def row(what, figure, limit, unit):
        rows.append((what, figure, limit, unit))

    project = t.home / "project"
    t.host_file(project / "a.txt", "x")
    t.start_engine()
    row("engine resident, idle", resident(t.engine.pid), 40, "MB")
    screen = desktop.Desktop(t)
    if not desktop.missing():
        screen.up()
        times = [timed_window(t, screen) for _ in range(5)]
        row("window visible, median of 5", statistics.median(times), 0.5, "s")
        screen.down()
    began = time.monotonic()
    t.create("one", project)
    prompt = t.start_exec("one", ["bash", "-i"], tty=True, rows=24, columns=80)
    t.check("a prompt comes", harness.wait_for(lambda: b"$" in prompt.output, 60, 0.005))
    row("cold boot to a prompt (emulated)", time.monotonic() - began, 12, "s")
    prompt.send(harness.STDIN, b"exit\n")
    times = [timed(lambda: t.run("one", ["true"])) for _ in range(10)]
    row("exec of true, median of 10", statistics.median(times), 0.06, "s")
    row("engine resident, one sandbox", resident(t.engine.pid), 40, "MB")
    proxies = t.processes("coldframe-proxy")
    t.check("one proxy runs", len(proxies) == 1, proxies)
    row("proxy resident, idle", resident(proxies[0]), 15, "MB")
    row("stop", timed(lambda: t.call("sandbox.stop", sandbox="one")), 5, "s")
    row("start again to running", timed(lambda: t.call("sandbox.start", sandbox="one")), 12, "s")
    row("remove a running one", timed(lambda: t.call("sandbox.remove", sandbox="one")), 0.5, "s")
    print(f"{'what':36} {'ours':>9} {'limit':>9} {'ratio':>7}")
    for what, figure, limit, unit in rows:
        print(f"{what:36} {figure:8.2f} {unit:2}{limit:7.2f} {unit:2}{figure / limit:6.2f}")


harness.main(story)
