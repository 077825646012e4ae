# SPDX-License-Identifier: Apache-2.0
"""The engine beside xterm.js: the same streams into both, the screens, the scrollback and the cursor compared.

differential.py DRIVER CACHE [RECORDINGS…]. Streams are made by grammar from a fixed seed (streams.py), and recorded ones are added.
A difference is narrowed down to the tokens that it needs, and must then be explained by an entry of explained.py; any other fails.
COLDFRAME_DIFFERENTIAL=N runs N generated streams (80), COLDFRAME_DIFFERENTIAL_SEED=S begins with another seed. Without Node or a
registry of npm it says so and is skipped (77)."""
import collections
import json
import os
import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
TOOLS = HERE.parents[2] / "tools"
sys.path[:0] = [str(TOOLS), str(HERE)]
import explained  # noqa: E402
import streams  # noqa: E402
import xterm_headless  # noqa: E402

NARROWING = 12  # seconds for one stream at most


class Peer:
    def __init__(self, *command):
        self.process = subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, line):
        self.process.stdin.write(line)
        self.process.stdin.flush()

    def answer(self):
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)


def seen(answer):
    """What is compared: rows without blanks at the end, and the place of the cursor. On the alternate screen xterm.js tells no scrollback."""
    rows = ([] if answer["alternateScreen"] else answer["history"]) + answer["screen"]
    return [row.rstrip() for row in rows], answer["cursor"], answer["alternateScreen"]


class Pair:
    def __init__(self, driver, modules):
        self.ours, self.theirs = Peer(driver, "--batch"), Peer("node", TOOLS / "xterm_js.mjs", modules)
        self.asked = 0

    def both(self, rows, columns, steps):
        line = json.dumps({"rows": rows, "columns": columns, "steps": steps}) + "\n"
        self.ours.ask(line)
        self.theirs.ask(line)
        self.asked += 1
        return seen(self.ours.answer()), seen(self.theirs.answer())

    def differ(self, rows, columns, steps):
        ours, theirs = self.both(rows, columns, steps)
        return ours != theirs

    def narrowed(self, rows, columns, steps):
        """As few steps as still make a difference: halves, quarters and so on are left out as long as that helps."""
        end = time.monotonic() + NARROWING
        size = max(1, len(steps) // 2)
        while time.monotonic() < end:
            at, fewer = 0, False
            while at < len(steps) and time.monotonic() < end:
                rest = steps[:at] + steps[at + size:]
                if rest and self.differ(rows, columns, rest):
                    steps, fewer = rest, True
                else:
                    at += size
            if size == 1 and not fewer:
                break
            size = max(1, size // 2)
        return self.shortened(rows, columns, steps, end)

    def shortened(self, rows, columns, steps, end):
        """Text is cut down too: a run of letters to its half, as long as the difference stays."""
        for i, step in enumerate(steps):
            while step[0] == "o" and len(step[1]) > 1 and "\x1b" not in step[1] and step[1].isascii() and time.monotonic() < end:
                shorter = ["o", step[1][:len(step[1]) // 2]]
                if not self.differ(rows, columns, steps[:i] + [shorter] + steps[i + 1:]):
                    break
                steps[i] = step = shorter
        return steps


def text_of(steps):
    return "".join(step[1] if step[0] == "o" else f"<resize {step[1]}x{step[2]}>" for step in steps)


def shown(rows):
    return "|".join(rows)


def recorded(path):
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    steps = []
    for _, kind, text in lines[1:]:
        if kind == "o":
            steps.append(["o", text.encode().decode("latin-1")])
        elif kind == "r":
            columns, rows = map(int, text.split("x"))
            steps.append(["r", rows, columns])
    return lines[0]["height"], lines[0]["width"], steps


def main(driver, cache, *folders):
    modules, why = xterm_headless.folder(cache)
    if not modules:
        print(f"left out: {why}")
        return 77
    pair = Pair(driver, modules)
    first = int(os.environ.get("COLDFRAME_DIFFERENTIAL_SEED", "1"))
    wanted = int(os.environ.get("COLDFRAME_DIFFERENTIAL", "80"))
    work = [(f"seed {seed}", *streams.stream(seed)) for seed in range(first, first + wanted)]
    work += [(path.stem, *recorded(path)) for folder in folders for path in sorted(pathlib.Path(folder).glob("*.cast"))]
    same, used, unexplained = 0, collections.Counter(), []
    for name, rows, columns, steps in work:
        if not pair.differ(rows, columns, steps):
            same += 1
            continue
        few = pair.narrowed(rows, columns, list(steps))
        why = explained.entry(text_of(few).encode("latin-1").decode(errors="replace"))
        if why:
            used[why] += 1
        else:
            unexplained.append((name, rows, columns, few))
    for name, rows, columns, few in unexplained:
        ours, theirs = pair.both(rows, columns, few)
        print(f"{name}, {rows}x{columns}: {text_of(few).encode('latin-1').decode(errors='replace')!r}")
        print(f"    ours   {shown(ours[0])!r} {ours[1:]}\n    theirs {shown(theirs[0])!r} {theirs[1:]}")
    pair.ours.close()
    pair.theirs.close()
    for why, count in used.most_common():
        print(f"{count} explained: {why}")
    print(f"{same} of {len(work)} streams the same, {sum(used.values())} explained, {len(unexplained)} not")
    return 1 if unexplained or not same else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
