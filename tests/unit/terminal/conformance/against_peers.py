# SPDX-License-Identifier: Apache-2.0
"""Shows the conformance cases to other terminals: against_peers.py xterm.js CACHE | against_peers.py xterm.

Prints where they see rows or cursor otherwise than the case says. It is an aid for who writes cases, and no test: the standard
decides, and each of these terminals leaves some of it out. `xterm` needs xterm and Xvfb (xvfb-run)."""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import termios
import time
import traceback
import tty

HERE = pathlib.Path(__file__).resolve().parent
TOOLS = HERE.parents[2] / "tools"
sys.path.insert(0, str(TOOLS))
import terminal_cases  # noqa: E402
import xterm_headless  # noqa: E402

SEEN = ("rows", "at", "reply")


def checks(case):
    """(steps so far, word, rest) for each line that can be compared."""
    steps = []
    for word, rest in case.lines:
        if word == "in":
            steps.append(["o", terminal_cases.unescaped(rest).decode("latin-1")])
        elif word == "resize":
            steps.append(["r", *map(int, rest.split("x"))])
        elif word in SEEN:
            yield list(steps), word, rest


def bearable(case):
    """Both peers count huge numbers out, one by one, for minutes."""
    return case.rows * case.columns <= 5000 and not any(re.search(r"[;\[]\d{5}|\\R\{\d{4}", rest) for _, rest in case.lines)


def shown(word, answer):
    if word == "rows":
        return terminal_cases.trimmed(answer["screen"])
    if word == "at":
        return f"{answer['cursor'][0] + 1},{answer['cursor'][1] + 1}"
    return answer["replies"].encode()


def expected(word, rest):
    if word == "rows":
        return terminal_cases.barred(rest)
    return rest.replace(" pending", "") if word == "at" else terminal_cases.unescaped(rest)


def compare(case, word, rest, answer):
    wanted, got = expected(word, rest), shown(word, answer)
    if wanted != got:
        print(f"{case.title} [{case.source}]\n    {word}: {wanted!r}\n    saw {got!r}")
    return wanted == got


def xterm_js(cache):
    modules, why = xterm_headless.folder(cache)
    if not modules:
        sys.exit(why)
    peer = subprocess.Popen(["node", TOOLS / "xterm_js.mjs", modules], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    agreed = differed = 0
    for case in terminal_cases.load(HERE):
        for steps, word, rest in checks(case):
            if not bearable(case):
                continue
            peer.stdin.write(json.dumps({"rows": case.rows, "columns": case.columns, "steps": [s if s[0] == "o" else ["r", max(1, s[1]), max(2, s[2])] for s in steps]}) + "\n")
            peer.stdin.flush()
            same = compare(case, word, rest, json.loads(peer.stdout.readline()))
            agreed, differed = agreed + same, differed + (not same)
    peer.stdin.close()
    print(f"{agreed} the same, {differed} not")


def xterm():
    by_size = {}
    for case in terminal_cases.load(HERE):
        if not any(word == "resize" for word, _ in case.lines) and not case.subject.startswith(("keyboard", "mouse")) and bearable(case):
            by_size.setdefault((case.rows, case.columns), []).append(case)
    agreed = differed = 0
    for (rows, columns), cases in by_size.items():
        jobs = [(case, steps, word, rest) for case in cases for steps, word, rest in checks(case)]
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "jobs").write_text(json.dumps([steps for _, steps, _, _ in jobs]))
            resources = ["printAttributes: 0", f"printerCommand: cat > {folder}/printing && mv {folder}/printing {folder}/page", "printerAutoClose: true", "decTerminalID: 420", "utf8: 1", "faceSize: 6"]
            subprocess.run(["xvfb-run", "-a", "-s", "-screen 0 1600x1200x24", "xterm", "-fa", "DejaVu Sans Mono", "-geometry", f"{columns}x{rows}",
                            *[part for r in resources for part in ("-xrm", "*" + r)], "-e", sys.executable, __file__, "inside", str(folder)],
                           stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120, env={**os.environ, "LC_ALL": "C.UTF-8"})
            if (folder / "wrong").exists():
                print((folder / "wrong").read_text())
            answers = [json.loads(line) for line in (folder / "answers").read_text().splitlines()]
        for (case, _, word, rest), answer in zip(jobs, answers):
            same = compare(case, word, rest, answer)
            agreed, differed = agreed + same, differed + (not same)
    print(f"{agreed} the same, {differed} not")


def inside(folder):
    """In xterm's window: each job after a reset; the screen by printing it to a file, the rest by asking."""
    folder = pathlib.Path(folder)
    tty.setraw(0)

    def asked(question, end):
        os.write(1, question)
        answer = b""
        while not re.search(end, answer):
            answer += os.read(0, 4096)
        return answer

    with open(folder / "answers", "w") as out:
        for steps in json.loads((folder / "jobs").read_text()):
            termios.tcflush(0, termios.TCIFLUSH)
            asked(b"\x18\x1b\\\x1b[?2027h\x1bc\x1b[!p\x1b[5n", rb"\x1b\[0n")
            replies = asked(b"".join(step[1].encode("latin-1") for step in steps) + b"\x18\x1b\\\x1b[6n", rb"\x1b\[\d+;\d+R$")
            row, column = map(int, re.search(rb"\x1b\[(\d+);(\d+)R$", replies).groups())
            (folder / "page").unlink(missing_ok=True)
            os.write(1, b"\x1b[?6l\x1b[?69l\x1b[?19h\x1b[i")
            end = time.monotonic() + 5
            while not (folder / "page").exists() and time.monotonic() < end:
                time.sleep(0.002)
            page = (folder / "page").read_bytes().decode(errors="replace") if (folder / "page").exists() else ""
            out.write(json.dumps({"screen": page.replace("\x0c", "").replace("\r", "").split("\n"), "cursor": [row - 1, column - 1],
                                  "replies": re.sub(rb"\x1b\[\d+;\d+R$", b"", replies).decode("latin-1")}) + "\n")
            out.flush()


if __name__ == "__main__":
    try:
        {"xterm.js": xterm_js, "xterm": xterm, "inside": inside}[sys.argv[1]](*sys.argv[2:])
    except Exception:
        if sys.argv[1] == "inside":  # its window is gone by the time that one could read it
            pathlib.Path(sys.argv[2], "wrong").write_text(traceback.format_exc())
        raise
