#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds the guest image anew in a folder of its own and prints where the time goes: bench_image.py BUILD-FOLDER

Nothing that is in use is touched. It fetches some hundred packages and takes minutes, so it is no part of ctest. The processor
time beside the clock's says what another machine, or a quieter moment, would make of it.
"""
import os, pathlib, pwd, resource, shutil, subprocess, sys, tempfile, time

TEST_USER = "coldframe-test"
LIMIT, LIMIT_UNCHANGED = 360, 10
RECIPE = pathlib.Path(__file__).resolve().parents[3] / "guest/image/build"


def build(guest, images, *more):
    """Seconds of each stage in order, by the clock and of the processors."""
    stages, text = {}, "Starting"
    last, used = time.monotonic(), 0.0

    def note(next_text):
        nonlocal text, last
        now = time.monotonic()
        stages[text] = stages.get(text, 0) + now - last
        text, last = next_text, now
    process = subprocess.Popen([str(RECIPE), "--guest", str(guest), "--images", str(images), *more], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, errors="replace")
    tail = []
    for line in process.stdout:
        tail = (tail + [line])[-20:]
        words = line.rstrip("\n").split(" ", 3)
        if words[0] == "PROGRESS" and len(words) == 4 and words[3] != text:
            note(words[3])
    note("")
    if process.wait() != 0:
        sys.exit("the image could not be built:\n" + "".join(tail))
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = usage.ru_utime + usage.ru_stime
    return stages, used


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    build_folder = pathlib.Path(sys.argv[1]).resolve()
    if os.geteuid() == 0:
        os.execvp("runuser", ["runuser", "-u", TEST_USER, "--", sys.executable, os.path.abspath(__file__), str(build_folder)])
    images = pathlib.Path(tempfile.mkdtemp(prefix="image-bench-", dir=pwd.getpwuid(os.getuid()).pw_dir))
    try:
        guest = build_folder / "bin/coldframe-guest"
        load = os.getloadavg()[0]
        stages, used = build(guest, images)
        for text, seconds in stages.items():
            if seconds >= 0.5:
                print(f"{text:45} {seconds:7.1f} s")
        total = sum(stages.values())
        print(f"{'image':45} {total:7.1f} s   limit {LIMIT} s   ratio {total / LIMIT:.2f}   processors {used:.0f} s   load before {load:.1f}")
        disk = next(images.glob("base-*/base.qcow2"))
        print(f"{'size of the base disk':45} {disk.stat().st_size / 1e6:7.0f} MB")
        unchanged = sum(build(guest, images)[0].values())
        print(f"{'image, when nothing changed':45} {unchanged:7.1f} s   limit {LIMIT_UNCHANGED} s   ratio {unchanged / LIMIT_UNCHANGED:.2f}")
    finally:
        shutil.rmtree(images, ignore_errors=True)


main()
