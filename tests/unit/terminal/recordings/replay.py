# SPDX-License-Identifier: Apache-2.0
"""Plays the recordings of real interfaces (make_recordings.py) and compares the last screen with the one beside it, on which xterm.js
agrees (the differential test plays them too): replay.py DRIVER [write]."""
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
failed = played = 0
for path in sorted(HERE.glob("*.cast")):
    seen = subprocess.run([sys.argv[1], "--play", str(path)], capture_output=True, text=True, timeout=60)
    beside = path.with_suffix(".screen")
    if sys.argv[2:] == ["write"]:
        beside.write_text(seen.stdout)
    played += 1
    if seen.returncode != 0 or seen.stdout != beside.read_text():
        failed += 1
        print(f"{path.stem} shows\n{seen.stdout}{seen.stderr}")
print(f"{played - failed} of {played} recordings show what they should")
sys.exit(1 if failed or not played else 0)
