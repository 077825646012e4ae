# SPDX-License-Identifier: Apache-2.0
"""Makes the seeds corpus-fuzz_terminal/case-* from the inputs of the conformance cases: make_corpus.py. Ten cases to a seed, a full
reset between them; a new size is the three bytes that the target takes for one. Inputs that repeat a text thousands of times are left out, and
those that switch clusters off (2027): a redraw puts such text together anew."""
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tools"))
import terminal_cases  # noqa: E402

PER_SEED, LONGEST = 10, 400


def bytes_of(case):
    out = bytes([0xFF, case.rows, min(case.columns, 255)])
    for word, rest in case.lines:
        if word == "in":
            out += terminal_cases.unescaped(rest)
        elif word == "resize":
            out += bytes([0xFF, *(min(int(part), 255) for part in rest.split("x"))])
    return out + b"\x1bc"


folder = HERE / "corpus-fuzz_terminal"
for old in folder.glob("case-*"):
    old.unlink()
by_subject = {}
for case in terminal_cases.load(HERE.parents[1] / "unit/terminal/conformance"):
    seed = bytes_of(case)
    if len(seed) <= LONGEST and b"2027" not in seed:
        by_subject.setdefault(case.subject, []).append(seed)
for subject, seeds in by_subject.items():
    for i in range(0, len(seeds), PER_SEED):
        (folder / f"case-{subject}-{i // PER_SEED}").write_bytes(b"".join(seeds[i:i + PER_SEED]))
print(f"{len(list(folder.iterdir()))} seeds, {sum(path.stat().st_size for path in folder.iterdir())} bytes")
