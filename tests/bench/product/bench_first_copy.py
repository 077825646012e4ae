# SPDX-License-Identifier: Apache-2.0
"""The first copy of a workspace with few large files: by the seed disk, by the stream, and `cp` inside the sandbox, in one run.
COLDFRAME_TEST_MEGABYTES says how much (100), COLDFRAME_TEST_FILES in how many files (4)."""
import os, pathlib, shutil, statistics, sys, time
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "e2e"))
import harness

MEGABYTES = int(os.environ.get("COLDFRAME_TEST_MEGABYTES", "100"))
FILES = int(os.environ.get("COLDFRAME_TEST_FILES", "4"))


def created(t, folder, by_disk):
    """Seconds until a new sandbox on the folder is complete, and how many bytes went by its seed disk."""
    t.apply_settings(seedDisk=by_disk)
    began = time.monotonic()
    t.call("sandbox.create", agent="shell", workspaces=[{"path": str(folder), "readOnly": False}], name="one", start=True, consentEmulation=True)
    took = time.monotonic() - began
    return took, t.call("sync.status", sandbox="one")["syncs"][0]["bytesBySeedDisk"]


def story(t):
    small, large = t.home / "small", t.home / "large"
    t.host_file(small / "file", "x")
    for number in range(FILES):
        t.host_file(large / f"{number}.bin", os.urandom((MEGABYTES << 20) // FILES))
    total = FILES * ((MEGABYTES << 20) // FILES)
    t.start_engine()
    t.apply_settings()
    t.call("image.build", force=False)

    def remove():
        t.call("sandbox.remove", sandbox="one", force=True)

    empty = []
    for _ in range(3):
        empty.append(created(t, small, True)[0])
        remove()
    start = statistics.median(empty)
    by_stream, counted = created(t, large, False)
    t.check("with the seed disk switched off nothing goes by it", counted == 0, counted)
    remove()
    by_disk, counted = created(t, large, True)
    t.check("all goes by the seed disk", counted == total, (counted, total))
    inside = f"cd '{large}' && sync && mkdir ~/copy && s=$(date +%s%N) && cp *.bin ~/copy/ && e=$(date +%s%N) && echo $(((e - s) / 1000000)) && cmp 0.bin ~/copy/0.bin"
    r = t.run("one", inside, seconds=300)
    if t.check("cp inside", r.status == 0, r):
        cp = int(r.out) / 1000
        print(f"first copy of {MEGABYTES} MiB in {FILES} files, beyond the {start:.2f} s of a sandbox with one small file")
        for what, seconds in (("by the seed disk", by_disk - start), ("by the stream", by_stream - start), ("cp inside (the peer)", cp)):
            print(f"{what:24} {seconds:7.2f} s {MEGABYTES / max(seconds, 0.01):7.1f} MiB/s   ratio {seconds / cp:5.2f}")
    remove()
    shutil.rmtree(large)


harness.main(story)
