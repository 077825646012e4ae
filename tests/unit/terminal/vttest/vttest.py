# SPDX-License-Identifier: Apache-2.0
"""vttest's menus driven by script: vttest.py DRIVER [write NAME…].

Each file of screens/ is a walk through a menu: after "== TYPED" the text is typed, with RETURN behind it, and the rows that follow are
the screen that is then waited for. The screens were checked against what vttest says on them (and, where that is attributes only, against
the cases of the conformance suite). `write` makes the files anew from WALKS, to be read before they are kept. Without vttest: skipped (77).
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
COMMAND = ["vttest", "-q", "24x80.80"]
WALKS = {
    "1-cursor": ["1"] + [""] * 5,
    "2-screen": ["2"] + [""] * 14,
    "3-character-sets": ["3", "8", ""],
    "6-reports": ["6", "1", "", "3", "", "4", "", "5", "", "6", "", "7", "", ""],
    "8-insert-delete": ["8"] + [""] * 6,
    "11-vt220-screen": ["11", "1", "2", "3", "", "4", ""],
    "11-vt420-cursor": ["11", "3", "2", "7", "", "8", "", "3", "4", "5", "9", "", "", "10", "", ""],
    "11-vt420-rectangles": ["11", "3", "6", "6", "", "7", "", "8", "", "9", "", "10", "", "11", ""],
    "11-iso6429-moving": ["11", "5", "1", "", "2", "", "3", "", "4", "", "5", "", "6", "", "7", ""],
    "11-iso6429-other": ["11", "7", "3", "", "4", "", "5", "", "6", ""],
}


def trimmed(rows):
    while rows and not rows[-1]:
        rows.pop()
    return rows


def drive(driver, script):
    with tempfile.NamedTemporaryFile("w", suffix=".script") as file:
        file.write("deadline 20\nwait Enter choice number\n" + script)
        file.flush()
        return subprocess.run([driver, "--size", "24x80", "--script", file.name, "--", *COMMAND], capture_output=True, text=True, timeout=300)


def write(driver, name):
    done = drive(driver, "".join(f"type {typed}\\r\nsettle 400\ndump {typed}\n" for typed in WALKS[name]))
    screens = []
    lines = done.stdout.split("\n")
    # A screen is 24 rows; one with a title has a line before it.
    rest, texts = lines, list(WALKS[name])
    for typed in texts:
        if typed:
            rest = rest[1:]
        screens.append((typed, trimmed([row.rstrip() for row in rest[:24]])))
        rest = rest[24:]
    (HERE / "screens").mkdir(exist_ok=True)
    (HERE / "screens" / f"{name}.txt").write_text("".join(f"== {typed}\n" + "".join(row + "\n" for row in rows) for typed, rows in screens))
    if done.stderr:
        print(done.stderr)


def walk(path):
    """(typed, rows) of each step."""
    steps = []
    for line in path.read_text().split("\n"):
        if line.startswith("== ") or line == "==":
            steps.append((line[3:], []))
        else:
            steps[-1][1].append(line)
    return [(typed, trimmed(rows)) for typed, rows in steps]


def check(driver, path):
    with tempfile.TemporaryDirectory() as folder:
        script, before = "", None
        for i, (typed, rows) in enumerate(walk(path)):
            screen = pathlib.Path(folder, f"{i}")
            screen.write_text("\n".join(rows) + "\n")
            # The same screen again cannot be waited for, and vttest throws away what is typed before it is ready.
            script += f"type {typed}\\r\n{'settle 700' if rows == before else ''}\nscreen {screen}\n"
            before = rows
        done = drive(driver, script)
    if done.returncode == 125:
        print(f"{path.stem}: {done.stderr}", flush=True)
    return done.returncode != 125


def main(driver, *arguments):
    if not shutil.which("vttest"):
        print("left out: vttest is not installed")
        return 77
    if arguments[:1] == ("write",):
        for name in arguments[1:] or WALKS:
            write(driver, name)
        return 0
    paths = sorted((HERE / "screens").glob("*.txt"))
    seen = [check(driver, path) or check(driver, path) for path in paths]
    print(f"{sum(seen)} of {len(seen)} menus as they should be, {sum(len(walk(path)) for path in paths)} screens")
    return 0 if seen and all(seen) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
