# SPDX-License-Identifier: Apache-2.0
"""terminal_driver with a program that talks to its terminal: what is printed, asked, typed, resized and recorded."""
import json
import pathlib
import subprocess
import sys
import tempfile

DRIVER = sys.argv[1]
PROGRAM = r'''
import os, re, signal, sys, termios, tty
def size():
    columns, rows = os.get_terminal_size(0)
    return f"{rows} rows of {columns}"
saved = termios.tcgetattr(0)
tty.setraw(0)
sys.stdout.write("\x1b[2;3H\x1b[6n"); sys.stdout.flush()
answer = b""
while not answer.endswith(b"R"):
    answer += os.read(0, 1)
termios.tcsetattr(0, termios.TCSANOW, saved)
signal.signal(signal.SIGWINCH, lambda *_: print("now", size(), flush=True))
print("cursor", re.sub(rb"[^0-9;]", b"", answer).decode(), os.environ["TERM"], size(), flush=True)
word = ""
while not word:
    try:
        word = input("word? ")
    except EOFError:
        break
print("got", word, flush=True)
sys.exit(3)
'''
SCRIPT = "wait word?\ndump asked\nresize 10 50\nwait now 10 rows of 50\ntype h\\u{E9}llo\\r\nwait got h\\u{E9}llo\nend\ndump answered\n"


def run(*arguments):
    return subprocess.run([DRIVER, *map(str, arguments)], capture_output=True, text=True, timeout=60)


def check(what, holds, seen):
    if not holds:
        sys.exit(f"{what}: {seen}")


with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    (folder / "program.py").write_text(PROGRAM)
    (folder / "script").write_text(SCRIPT)
    command = ["--size", "6x60", "--script", folder / "script", "--record", folder / "seen.cast", "--json", "--", sys.executable, folder / "program.py"]
    done = run(*command)
    check("the program's exit status", done.returncode == 3, done)
    asked, answered = map(json.loads, done.stdout.splitlines())
    check("the answer of the terminal", "cursor 2;3 xterm-256color 6 rows of 60" in asked["screen"][1], asked)
    check("the screen after the new size", answered["rows"] == 10 and any("got héllo" in row for row in answered["screen"]), answered)
    played = run("--play", folder / "seen.cast")
    check("the recording shows the same", played.stdout.splitlines() == answered["screen"], played.stdout)
    (folder / "script").write_text("deadline 1\nwait never said\n")
    failed = run(*command)
    check("a wait in vain", failed.returncode == 125 and "line 2 (wait never said)" in failed.stderr and "word?" in failed.stderr, failed)
    check("a program that is not there", run("--", folder / "none").returncode == 127, "")
