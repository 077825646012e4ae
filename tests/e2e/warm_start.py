# SPDX-License-Identifier: Apache-2.0
"""Sandboxes that start from a saved template: independent of each other, of the template's life, and of its damage."""
import hashlib, json, os, pathlib, signal, subprocess, time
import harness
from harness import wait_for

RESTORES = int(os.environ.get("COLDFRAME_TEST_RESTORES", "20"))

# One line "name value" for each thing that must differ between two sandboxes, and for one that shows they are copies.
PROBE = r"""
echo urandom $(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
echo boot-id $(cat /proc/sys/kernel/random/boot_id)
echo uuid $(cat /proc/sys/kernel/random/uuid)
echo machine-id $(cat /etc/machine-id)
echo host-name $(hostname)
echo authority $(sha256sum < /usr/local/share/ca-certificates/coldframe.crt | cut -c1-32)
echo stack $(grep -F '[stack]' /proc/self/maps | cut -d' ' -f1)
echo python $(python3 -c 'import os,random; print(os.urandom(8).hex(), random.random())' | tr ' ' _)
echo copy $(sudo grep -F '[vdso]' /proc/1/maps | cut -d' ' -f1)
echo clock $(date +%s.%N)
echo processes $(ps -e --no-headers -o ppid,pid,comm | awk -v me=$$ '$1 != 0 && $1 != 2 && $2 != 2 && $2 != me && $3 !~ /^(ps|awk|tr|bash)$/ {print $3}' | tr '\n' ,)-
echo leftovers $(ls -A /tmp /var/tmp /home/agent/.bash_history /root/.bash_history 2>/dev/null | grep -vc -e : -e '^$')
"""


def own_images(t):
    """Images of this test alone, as hard links, so that what it does to templates is nobody else's trouble."""
    images = t.home / ".local/share/coldframe/images"
    shared = images.resolve()
    images.unlink()
    images.mkdir()
    current = json.loads((shared / "current.json").read_text())["base"]
    subprocess.run(["cp", "-al", str(shared / current), str(images)], check=True)
    subprocess.run(["cp", str(shared / "current.json"), str(images)], check=True)
    return images


def templates(images):
    return sorted(images.glob("template-*/manifest.json"))


def started_from(t, name):
    return t.call("sandbox.inspect", sandbox=name)["disk"]["template"]


def clones(t):
    seen, copies = {}, set()
    times = []
    for number in range(RESTORES):
        name = f"clone-{number}"
        began = time.monotonic()
        t.call("sandbox.create", agent="shell", workspaces=[], name=name, start=True, consentEmulation=True)
        times.append(time.monotonic() - began)
        if number == 0:
            t.check("a fresh sandbox starts from the template", started_from(t, name), t.call("sandbox.inspect", sandbox=name)["disk"])
        before = time.time()
        r = t.run(name, ["bash", "-c", PROBE])
        after = time.time()
        facts = dict(line.split(" ", 1) for line in r.out.splitlines() if " " in line)
        copies.add(facts.pop("copy", f"missing {number}"))
        clock = float(facts.pop("clock", "0"))
        if number == 0:
            t.check("the clock is right though the template is older", before - 2 <= clock <= after + 2, (before, clock, after))
            t.check("nothing runs but the agent", facts.pop("processes", "") == "-", r)
            t.check("nothing of the template's life lies about", facts.pop("leftovers", "") == "0", r)
        facts.pop("processes", None), facts.pop("leftovers", None)
        for key, value in facts.items():
            seen.setdefault(key, []).append(value)
        t.call("sandbox.remove", sandbox=name, force=True)
    t.say(f"{RESTORES} restores: median {sorted(times)[len(times) // 2]:.2f} s, longest {max(times):.2f} s")
    t.check("the restores are copies of one template (the control)", len(copies) == 1, copies)
    t.check("the probe saw what it looks for", len(seen) >= 8 and all(len(values) == RESTORES for values in seen.values()), seen.keys())
    for key, values in seen.items():
        t.check(f"hazard 17: no two restores share {key}", len(set(values)) == len(values) and "" not in values, values)


def smaller_than_its_template(t):
    t.create("small", t.project, memoryMiB=1024)
    t.check("a smaller sandbox starts from the template too", started_from(t, "small"))
    memory = lambda: int(t.run("small", "awk '/MemTotal/ {print $2}' /proc/meminfo").out) >> 10
    t.check("with a balloon in it", wait_for(lambda: 700 < memory() < 1040, 60, 1), memory())
    t.call("sandbox.remove", sandbox="small", force=True)


def keeps_its_disk(t):
    t.create("kept", t.project)
    t.run("kept", "echo mine > ~/note; sudo sh -c 'echo root > /etc/note'")
    t.call("sandbox.stop", sandbox="kept")
    t.call("sandbox.start", sandbox="kept")
    r = t.run("kept", "cat ~/note /etc/note")
    t.check("a stop keeps the disk of a restored sandbox", r.out == "mine\nroot\n", r)
    t.call("sandbox.reset", sandbox="kept")
    r = t.run("kept", "cat ~/note /etc/note; cat file")
    t.check("a reset loses it and keeps the workspace", "mine" not in r.out and "root" not in r.out and r.out.endswith("content\n"), r)
    t.check("a reset starts from the template too", started_from(t, "kept"))
    t.run("kept", "echo after > ~/note2; echo host > made-after-reset")
    t.call("sandbox.reset", sandbox="kept", undo=True)
    r = t.run("kept", "cat ~/note /etc/note; ls ~/note2; cat file made-after-reset")
    t.check("the disk from before the reset can be brought back", r.out.startswith("mine\nroot\n") and "note2" not in r.out, r)
    t.check("and the workspace stays what it became meanwhile", r.out.endswith("content\nhost\n"), r)
    t.call("sandbox.reset", sandbox="kept", undo=True)
    t.check("which can be undone in turn", t.run("kept", "cat ~/note2").out == "after\n")
    listed = t.call("engine.prune", dryRun=True)
    t.check("prune first lists the put-aside disk", ("disk", "kept") in [(i["kind"], i["name"]) for i in listed["items"]], listed)
    freed = t.call("engine.prune", only=[i["id"] for i in listed["items"]])
    t.check("prune gives the put-aside disk up", freed["disks"] == 1 and freed["bytes"] > 0
            and t.refused("sandbox.reset", sandbox="kept", undo=True) == "not_found", freed)
    t.check("and leaves the sandbox as it is", t.run("kept", "cat ~/note2").out == "after\n")


def engine_dies(t):
    began = time.monotonic()
    t.kill_and_wait(t.engine.pid)
    t.start_engine()
    ok = wait_for(lambda: t.state("kept") == "running", 30)
    t.check("the next engine takes a restored sandbox over", ok and t.run("kept", ["cat", "file"]).out == "content\n",
            f"{t.state('kept')} after {time.monotonic() - began:.1f} s")


def damaged(t, images):
    """Memory that is not whole: with a manifest that shows it, and with one that does not."""
    before = len(templates(images))
    manifest = next(m for m in templates(images) if m.parent.name == started_from(t, "kept"))
    t.call("sandbox.remove", sandbox="kept", force=True)
    memory = manifest.parent / "memory.save"
    whole = memory.stat().st_size
    memory.chmod(0o600)
    with open(memory, "r+b") as file:
        file.truncate(whole // 2)
    t.create("one", t.project)
    t.check("memory that the manifest does not fit is not used", not started_from(t, "one"))
    t.check("and the sandbox works", t.run("one", ["cat", "file"]).out == "content\n")
    t.call("sandbox.remove", sandbox="one", force=True)
    ok = wait_for(lambda: len(templates(images)) > before, 90, 0.5)
    t.check("a new template is made by itself", ok, templates(images))
    t.call("image.build", force=False)  # comes back when no template is in the making

    manifest = max(templates(images), key=lambda path: path.stat().st_mtime)
    memory = manifest.parent / "memory.save"
    memory.chmod(0o600)
    with open(memory, "r+b") as file:
        file.truncate(memory.stat().st_size // 2)
    document = json.loads(manifest.read_text())
    document["parts"]["memory.save"] = {"sha256": hashlib.sha256(memory.read_bytes()).hexdigest(), "size": memory.stat().st_size}
    manifest.chmod(0o600)
    manifest.write_text(json.dumps(document))
    t.create("two", t.project)
    t.check("a restore that fails is followed by a cold boot", not started_from(t, "two") and t.run("two", ["cat", "file"]).out == "content\n")
    t.check("the template that failed is not tried again", not memory.exists())
    t.check("nothing of the failed restore is left", len(t.qemu(t.call("sandbox.inspect", sandbox="two")["id"])) == 1)
    t.call("sandbox.remove", sandbox="two", force=True)


def killed_while_making(t, images):
    wait_for(lambda: list(images.glob(".template-*.work")), 30)
    making = wait_for(lambda: t.processes("guest=coldframe-template-"), 60)
    t.check("a template is in the making", making)
    t.kill_and_wait(t.engine.pid)
    t.start_engine()
    gone = wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in making), 30)
    t.check("the next engine ends what was half made", gone)
    ok = wait_for(lambda: len([m for m in templates(images) if (m.parent / "memory.save").exists()
                               and (m.parent / "memory.save").stat().st_size > 50 << 20]) == 1, 120, 0.5)
    t.check("and makes the template again", ok, templates(images))
    t.check("no work folder is left", wait_for(lambda: not list(images.glob(".template-*.work")), 10), list(images.iterdir()))


def large_files(t):
    """Large files go in by the seed disk: counted, right, nothing of it left, and nothing of it in another sandbox."""
    folder = t.home / "large"
    sums = {}

    def large(name, megabytes):
        content = os.urandom(megabytes << 20)
        # Whole from its first moment on: half a file that an engine brought in before it was killed would be a conflict.
        folder.mkdir(exist_ok=True)
        os.rename(t.host_file(t.home / "unfinished", content), folder / name)
        sums[name] = hashlib.sha256(content).hexdigest()

    def by_disk(name="first"):
        return t.call("sync.status", sandbox=name)["syncs"][0]["bytesBySeedDisk"]

    def seed(name="first"):
        return t.runtime / "coldframe/s" / t.call("sandbox.inspect", sandbox=name)["id"][:12] / "seed.raw"

    def held(path):
        """Bytes of content in a sparse file."""
        if not path.exists():
            return -1
        with open(path, "rb") as file:
            total = at = 0
            try:
                while True:
                    begin = os.lseek(file.fileno(), at, os.SEEK_DATA)
                    at = os.lseek(file.fileno(), begin, os.SEEK_HOLE)
                    total += at - begin
            except OSError:  # ENXIO: no more
                return total

    def arrived(name):
        r = t.run("first", f"for i in $(seq 500); do [ -e {name} ] && break; sleep 0.3; done; sha256sum {name}", seconds=240)
        return r.out.startswith(sums[name]) or t.say(f"{name}: {r} {r.out}")

    large("a.bin", 20)
    t.host_file(folder / "small", "small\n")
    t.host_file(folder / ".netrc", os.urandom(3 << 20))
    t.create("first", folder)
    t.check("a large file of the first copy went by the seed disk, and nothing else", by_disk() == 20 << 20, by_disk())
    t.check("it arrived whole, and the small one beside it", arrived("a.bin") and t.run("first", "cat small; ls -A").out.split() == ["small", "a.bin", "small"])
    t.check("nothing of it is left on the host", held(seed()) == 0, held(seed()))
    find = "for d in /sys/class/block/vd*; do [ \"$(cat $d/serial)\" = seed ] && echo /dev/${d##*/}; done"
    # As far as the first window reaches, and the first workspace uses no other.
    empty = f"d=$({find}); n=$((20 << 20)); sudo dd if=$d bs=1M count=20 iflag=direct status=none | cmp -n $n - /dev/zero && echo empty"
    t.check("and the guest finds nothing on it", t.run("first", empty).out == "empty\n", t.run("first", empty))
    r = t.run("first", f"sudo dd if=/dev/zero of=$({find}) bs=4096 count=1 2>&1")
    t.check("which it cannot write", r.status != 0, r)

    t.call("sandbox.create", agent="shell", workspaces=[], name="other", start=True, consentEmulation=True)
    qemu = t.qemu(t.call("sandbox.inspect", sandbox="first")["id"])
    path = seed()
    large("b.bin", 40)
    begun = wait_for(lambda: held(path) > 0, 20, 0.002)
    for pid in qemu:
        os.kill(pid, signal.SIGSTOP)
    t.check("content on its way is on the seed disk of its sandbox (the control)", begun and wait_for(lambda: held(path) > 8 << 20, 10), held(path))
    t.check("and never more than a window of it", held(path) <= 17 << 20, held(path))
    t.check("another sandbox's seed disk shows nothing of it", t.run("other", empty).out == "empty\n", t.run("other", empty))
    t.kill_and_wait(t.engine.pid)
    t.check("an engine that is killed leaves its window (the control)", held(path) > 8 << 20, held(path))
    for pid in qemu:
        os.kill(pid, signal.SIGCONT)
    t.start_engine()
    t.check("the next engine brings the file in", wait_for(lambda: t.state("first") == "running", 60) and arrived("b.bin"))
    t.check("and nothing of it is left", wait_for(lambda: held(path) == 0, 20) and by_disk() >= 40 << 20, (held(path), by_disk()))
    t.call("sandbox.remove", sandbox="other", force=True)

    t.call("sandbox.pause", sandbox="first")
    t.check("a paused sandbox has no seed disk", not path.exists())
    large("c.bin", 5)
    t.call("sandbox.resume", sandbox="first")
    t.check("a resumed one takes large files by a new one", arrived("c.bin") and by_disk() == 5 << 20, by_disk())
    t.apply_settings(seedDisk=False)
    for name in ("a.bin", "b.bin"):
        os.remove(folder / name)
        del sums[name]
    t.call("sandbox.reset", sandbox="first")
    t.check("with the seed disk switched off all goes by the stream", all(arrived(name) for name in sums) and by_disk() == 0, by_disk())
    t.apply_settings(seedDisk=True)
    path = seed()
    t.call("sandbox.remove", sandbox="first", force=True)
    t.check("and it goes with its sandbox", not path.exists())


def story(t):
    images = own_images(t)
    t.project = t.home / "project"
    t.host_file(t.project / "file", "content\n")
    t.start_engine()
    t.apply_settings()
    answer = t.call("image.build", force=False)
    t.check("building the image makes the template", answer["template"] and templates(images), answer)
    clones(t)
    smaller_than_its_template(t)
    keeps_its_disk(t)
    engine_dies(t)
    large_files(t)
    damaged(t, images)
    killed_while_making(t, images)
    t.apply_settings(warmStart=False)
    t.create("cold", t.project)
    t.check("with templates switched off a sandbox boots", not started_from(t, "cold"))


harness.main(story)
