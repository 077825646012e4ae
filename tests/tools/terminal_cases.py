# SPDX-License-Identifier: Apache-2.0
"""The conformance cases for Python: parsed, and their texts turned to bytes (tests/unit/terminal/conformance/README.md)."""
import pathlib
import re

SIMPLE = {"e": b"\x1b", "n": b"\n", "r": b"\r", "t": b"\t", "b": b"\b", "a": b"\a", "s": b" ", "\\": b"\\", "|": b"|"}


def braced(text, at):
    depth = 0
    for end in range(at, len(text)):
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        if depth == 0:
            return text[at + 1:end], end + 1
    raise ValueError(text[at:])


def unescaped(text):
    out, at = b"", 0
    while at < len(text):
        if text[at] != "\\":
            out += text[at].encode()
            at += 1
            continue
        what = text[at + 1]
        at += 2
        if what in SIMPLE:
            out += SIMPLE[what]
        elif what == "x":
            out += bytes([int(text[at:at + 2], 16)])
            at += 2
        elif what == "u":
            digits, at = braced(text, at)
            out += chr(int(digits, 16)).encode()
        elif what == "R":
            count, at = braced(text, at)
            unit, at = braced(text, at)
            out += unescaped(unit) * int(count)
        else:
            raise ValueError(text)
    return out


def barred(text):
    parts = re.split(r"(?<!\\)((?:\\\\)*)\|", text)
    rows = [parts[i] + (parts[i + 1] if i + 1 < len(parts) else "") for i in range(0, len(parts), 2)]
    return trimmed([unescaped(row).decode(errors="replace").rstrip(" ") for row in rows])


def trimmed(rows):
    rows = [row.rstrip(" ") for row in rows]
    while rows and not rows[-1]:
        rows.pop()
    return rows


class Case:
    def __init__(self, subject, name, source):
        self.subject, self.name, self.source = subject, name, source
        self.rows, self.columns, self.reports, self.lines = 4, 10, False, []

    @property
    def title(self):
        return f"{self.subject}: {self.name}"


def load(folder):
    cases = []
    for path in sorted(pathlib.Path(folder).glob("*.cases")):
        for line in path.read_text().split("\n"):
            if not line or line[0] == "#":
                continue
            if line[0] == "[":
                name, source = line[1:].rsplit("] ", 1)
                cases.append(Case(path.stem, name, source))
                continue
            word, _, rest = line.partition(" ")
            if word == "size":
                cases[-1].rows, cases[-1].columns = map(int, rest.split("x"))
            elif word == "reports":
                cases[-1].reports = True
            else:
                cases[-1].lines.append((word, rest))
    return cases
