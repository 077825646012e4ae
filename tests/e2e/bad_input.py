# SPDX-License-Identifier: Apache-2.0
"""What cannot be done is refused in words, changes nothing, and leaves the next command working; odd paths simply work."""
import json, os, pathlib, shutil, subprocess
import harness
from command_line import FAILED, NOT_FOUND, REFUSED, UNAVAILABLE, USAGE, coldframe
from harness import wait_for
from surroundings import home_with, mounted, over, small_disk, without

CREATE = ("create", "--accept-emulation")


def tree(*folders):
    """Everything in the folders, with sizes and times; but for logs, locks, and what SQLite and libvirt keep beside."""
    found = {}
    for folder in folders:
        for path in sorted(pathlib.Path(os.fsdecode(folder)).rglob("*")):
            name = str(path)
            if any(part in name for part in ("/logs", "audit.sqlite", "/libvirt", "engine.log", "/.cache/", "/images", "engine.lock", "engine.sock")):
                continue
            status = path.lstat()
            found[name] = (status.st_mode, status.st_size, status.st_mtime_ns) if not path.is_dir() else status.st_mode
    return found


def refused(t, name, code, *words, needs=(), **more):
    """The command fails with this code, says these things, and has changed nothing."""
    before = tree(t.home, t.runtime)
    r = coldframe(t, *words, seconds=60, **more)
    after = tree(t.home, t.runtime)
    said = all(word in r.err for word in needs)
    one_sentence = r.err.startswith("coldframe: ") and len(r.err) < 1500 and "nlohmann" not in r.err and "terminate" not in r.err
    t.check(f"{name} is refused in words", r.status == code and said and one_sentence, r)
    t.check(f"{name} changes nothing", before == after, {k for k in before.keys() | after.keys() if before.get(k) != after.get(k)})
    return r


def folders(t):
    good = t.project
    refused(t, "an unknown agent", NOT_FOUND, *CREATE, "cluade", str(good), needs=("cluade", "claude"))
    refused(t, "a missing folder", NOT_FOUND, *CREATE, "shell", str(t.home / "nowhere"), needs=("nowhere", "exists"))
    t.host_file(t.home / "file.txt", "x")
    refused(t, "a file", USAGE, *CREATE, "shell", str(t.home / "file.txt"), needs=("file.txt", "not a folder"))
    closed = t.home / "closed"
    closed.mkdir(mode=0)
    refused(t, "an unreadable folder", REFUSED, *CREATE, "shell", str(closed), needs=("closed", "permissions"))
    closed.chmod(0o555)
    refused(t, "a folder that may not be written", REFUSED, *CREATE, "shell", str(closed), needs=("closed", ":ro"))
    t.host_file(t.home / "locked/inner/x", "x")
    (t.home / "locked").chmod(0)
    refused(t, "a folder behind a closed one", REFUSED, *CREATE, "shell", str(t.home / "locked/inner"), needs=("locked/inner",))
    (t.home / "locked").chmod(0o755)
    for folder in ("/", str(t.home), str(t.home.parent), "/home", "/etc", "/usr/share", "/proc", "/dev/shm", "/run", "/var", "/tmp", "/opt"):
        code = REFUSED
        refused(t, f"the folder {folder}", code, *CREATE, "shell", folder, needs=("Choose",))
    os.symlink("/etc", t.home / "innocent")
    refused(t, "a symlink to a system folder", REFUSED, *CREATE, "shell", str(t.home / "innocent"), needs=("/etc",))
    os.symlink("loop", t.home / "loop")
    refused(t, "a symlink to itself", NOT_FOUND, *CREATE, "shell", str(t.home / "loop"), needs=("loop",))
    (t.home / ".ssh").mkdir()
    refused(t, "the folder of ssh keys", REFUSED, *CREATE, "shell", str(t.home / ".ssh"), needs=("credentials",))
    refused(t, "Coldframe's own data", REFUSED, *CREATE, "shell", str(t.home / ".local/share"), needs=("Coldframe's own",))
    t.host_file(good / "inner/x", "x")
    refused(t, "a folder in another", USAGE, *CREATE, "shell", str(good), str(good / "inner"), needs=("inner", "outer"))
    refused(t, "a folder around another", USAGE, *CREATE, "shell", str(good / "inner"), str(good) + ":ro", needs=("inner", "outer"))
    refused(t, "a folder given twice", USAGE, *CREATE, "shell", str(good), str(good) + "/", needs=("twice",))
    done = subprocess.run(["sh", "-c", 'mkdir gone && cd gone && rmdir ../gone && exec "$0" create shell', str(t.root / "bin/coldframe")], cwd=t.home,
                          env=t.environment, capture_output=True, text=True, timeout=60)
    t.check("a folder deleted under the shell is refused in words", done.returncode == NOT_FOUND and "does not exist any more" in done.stderr, done)


def words(t):
    good = str(t.project)
    for label, name in (("empty", ""), ("with a slash", "a/b"), ("dots", ".."), ("like an option", "-x"), ("too long", "x" * 64),
                        ("with a space", "a b"), ("not ASCII", "naïve"), ("with a line break", "a\nb"), ("with an escape", "a\x1b[31m")):
        refused(t, f"a name {label}", USAGE, *CREATE, f"--name={name}", "shell", good, needs=("name",))
    for label, option in (("memory of no number", "--memory=lots"), ("too little memory", "--memory=64m"), ("memory beyond any machine", "--memory=9999999g"),
                          ("no CPU", "--cpus=0"), ("too many CPUs", "--cpus=100000"), ("an unknown policy", "--policy=perhaps"),
                          ("a host that is none", "--network-allow=https://a b/"), ("a broken address range", "--network-deny=10.0.0.0/99"),
                          ("an unknown option", "--nam=x")):
        refused(t, label, USAGE, *CREATE, option, "shell", good)
    refused(t, "512 m of memory less one", USAGE, *CREATE, "--memory=511m", "shell", good, needs=("512",))
    refused(t, "an agent argument that is not UTF-8", USAGE, *CREATE, "shell", good, "--", b"\xff\xfe", needs=("UTF-8",))
    for command in ("stop", "start", "reset", "rm", "inspect"):
        refused(t, f"{command} of an unknown sandbox", NOT_FOUND, command, "ghost", needs=("ghost", "coldframe ls"))
    refused(t, "exec in an unknown sandbox", NOT_FOUND, "exec", "ghost", "true", needs=("ghost",))
    refused(t, "exec of nothing", USAGE, "exec", "made", needs=("program",))
    refused(t, "an unknown command", USAGE, "crate", "shell", needs=("create",))
    refused(t, "an unknown setting", USAGE, "settings", "set", "colour=red", needs=("colour",))
    refused(t, "a setting of the wrong kind", USAGE, "settings", "set", "idleMinutes=soon", needs=("settings",))
    refused(t, "a missing CA file", USAGE, "settings", "set", 'upstreamCaFiles=["/nowhere.pem"]', needs=("/nowhere.pem",))
    refused(t, "a name that is taken", FAILED, *CREATE, "--no-start", "--name=made", "shell", good, needs=("made", "exists"))


def damaged_state(t):
    """Files of Coldframe's own that somebody broke: the engine says which, and goes on or stays away."""
    coldframe(t, "engine", "stop")
    t.engine.wait(20)
    settings = t.home / ".config/coldframe/settings.json"
    kept = settings.read_bytes()
    settings.write_bytes(b"{ not json")
    r = coldframe(t, "ls")
    t.check("damaged settings: the command names the file and the remedy", r.status == UNAVAILABLE and str(settings) in r.err and "move it away" in r.err
            and r.seconds < 10, r)
    settings.write_bytes(kept)
    made = json.loads(coldframe(t, "inspect", "made").out)[0]
    t.check("mended, the next command works", made.get("name") == "made", made)
    coldframe(t, "engine", "stop")
    wait_for(lambda: not t.processes("bin/coldframed"), 20)
    record = t.home / ".local/share/coldframe/sandboxes" / made["id"] / "state.json"
    kept = record.read_bytes()
    record.write_bytes(kept[:100])
    r = coldframe(t, "ls")
    t.check("a damaged record: the other sandboxes are there and the damaged one is named", r.status == 0 and made["id"] in r.err, r)
    t.check("a damaged record is left as it is", record.read_bytes() == kept[:100])
    coldframe(t, "engine", "stop")
    wait_for(lambda: not t.processes("bin/coldframed"), 20)
    record.write_bytes(kept)
    for label, environment, word in (("no runtime folder", {"XDG_RUNTIME_DIR": "/proc/no-such"}, "/proc/no-such"),
                                     ("a runtime folder with a long path", {"XDG_RUNTIME_DIR": str(t.home / ("r" * 120))}, "too long"),
                                     ("a home that may not be written", {"HOME": "/proc"}, "/proc")):
        r = coldframe(t, "ls", environment=environment)
        t.check(f"{label}: said at once, with the name", r.status != 0 and word in r.err and r.seconds < 10, r)


def missing_parts(t):
    """No libvirt, no QEMU, no room, no image: nothing is left of the sandbox that could not be made."""
    empty = t.home / "empty"
    empty.mkdir()
    data = t.home / ".local/share/coldframe"
    own_images = t.home / "own-images"
    build_folder(t, own_images)

    def with_engine(label, script, code, needs, action=None):
        t.start_engine(mounted(script))
        before = {s["name"] for s in listed(t)}
        r = coldframe(t, *CREATE, "--name=late", "shell", str(t.project), seconds=120)
        t.check(f"{label}: create says so and what to do", r.status == code and all(w in r.err for w in needs) and r.err.startswith("coldframe: "), r)
        t.check(f"{label}: nothing of it is left", {s["name"] for s in listed(t)} == before == {"made"} and r.seconds < 100, listed(t))
        if action:
            action()
        coldframe(t, "engine", "stop", "--force")
        t.engine.wait(30)
        end_libvirt(t)

    def check_diagnose(name, word):
        def check():
            r = coldframe(t, "diagnose")
            t.check(f"diagnose names {name}", r.status != 0 and word in r.out + r.err, r)
        return check
    end_libvirt(t)
    libvirt = pathlib.Path(shutil.which("libvirtd", path="/usr/sbin:/usr/bin"))
    with_engine("no libvirt daemon", without(libvirt), UNAVAILABLE, ("libvirt",), check_diagnose("libvirt", "libvirt"))
    qemu = shutil.which("qemu-system-x86_64")
    with_engine("no QEMU", without(qemu), UNAVAILABLE, ("QEMU",))
    with_engine("no qemu-img", without(shutil.which("qemu-img")), UNAVAILABLE, ("qemu-img",))
    with_engine("no image and no way to build one", over(data / "images", empty) + "\n" + over(shutil.which("mmdebstrap"), "/dev/null"),
                UNAVAILABLE, ("no guest image", "mmdebstrap"))
    with_engine("a damaged image that cannot be built again", over(data / "images", own_images) + "\n" + over(shutil.which("mmdebstrap"), "/dev/null"),
                UNAVAILABLE, ("vmlinuz", "damaged", "mmdebstrap"))
    with_engine("no room for a disk", small_disk(data / "sandboxes", 120), FAILED, ("space",))
    def start_made():
        r = coldframe(t, "start", "made", seconds=120)
        made = next(s for s in listed(t) if s["name"] == "made")
        t.check("no room at all: start says so", r.status == FAILED and "space" in r.err, r)
        left = [str(path) for path in (data / "sandboxes" / made["id"]).glob("*.new*")]
        t.check("no room at all: the list says why it did not start, and nothing half-made is left",
                made["state"] == "failed" and "space" in made["problem"] and not left, (made, left))
    with_engine("no room at all", small_disk(data / "sandboxes", 8) + f"\nhead -c 100000 /dev/zero > '{data}/sandboxes/filler' || true", FAILED, ("space",),
                start_made)
    r = coldframe(t, *CREATE, "--no-start", "--name=after", "shell", str(t.project))
    t.check("with everything back the next command works", r.status == 0 and {s["name"] for s in listed(t)} == {"made", "after"}, r)
    r = coldframe(t, "start", "made", seconds=200)
    t.check("and the sandbox that had no room starts", r.status == 0 and t.run("made", "cat a.txt", cwd=str(t.project)).out == "x", r)
    coldframe(t, "stop", "made", seconds=60)
    coldframe(t, "rm", "after")
    coldframe(t, "engine", "stop")
    wait_for(lambda: not t.processes("bin/coldframed"), 20)


def room_runs_out(t):
    """The computer's disk gets full while a sandbox writes to its own: it waits, is told of, and loses nothing."""
    sandboxes = t.home / ".local/share/coldframe/sandboxes"
    end_libvirt(t)
    t.start_engine(mounted(small_disk(sandboxes, 220 << 10)))
    r = coldframe(t, "start", "made", seconds=200)
    t.check("with a little room a sandbox starts (the control)", r.status == 0, r)
    made = lambda: next(s for s in listed(t) if s["name"] == "made")
    # Among the sandbox's own files: an engine that starts clears what belongs to none.
    libvirt = int((t.runtime / "libvirt/libvirtd.pid").read_text().split()[0])
    filler = pathlib.Path(f"/proc/{libvirt}/root{sandboxes}/{made()['id']}/filler")
    filler.write_bytes(bytes(100 << 20))
    waiting = lambda: [w for w in made()["warnings"] if "stands still" in w]
    t.check("and nothing is warned of", not waiting(), made())
    t.run("made", "setsid sh -c 'head -c 130000000 /dev/urandom | tee ~/big | sha256sum > ~/meant; sync; touch ~/done' > /dev/null 2>&1 &")
    t.check("what found no room stands still, and says so", wait_for(waiting, 120, 0.5), made())
    for code, *words in ((125, "exec", "made", "true"), (FAILED, "pause", "made"), (FAILED, "stop", "made")):
        r = coldframe(t, *words, seconds=60)
        t.check(f"{words[0]} of one that stands still: said at once, with the remedy", r.status == code and "no space" in r.err and "Free some" in r.err and r.seconds < 10, r)
    t.kill_and_wait(t.engine.pid)
    # A new engine, in the surroundings of the old one: those of libvirt.
    t.start_engine(["nsenter", "--user", "--mount", "--preserve-credentials", "--target", str(libvirt), "--"])
    t.check("the next engine finds it so", wait_for(waiting, 60, 0.5), made())
    filler.unlink()
    t.check("with room again it goes on by itself", wait_for(lambda: made()["state"] == "running" and not waiting(), 60, 0.5), made())
    t.run("made", "until test -e ~/done; do sleep 0.3; done; echo 3 | sudo tee /proc/sys/vm/drop_caches", seconds=120)
    r = t.run("made", "wc -c < ~/big; sha256sum < ~/big; cat ~/meant", seconds=120)
    words = r.out.splitlines()
    t.check("what it wrote meanwhile is whole", len(words) == 3 and words[0] == "130000000" and words[1] == words[2], r)
    coldframe(t, "stop", "--force", "made", seconds=60)
    coldframe(t, "engine", "stop")
    wait_for(lambda: not t.processes("bin/coldframed"), 20)
    end_libvirt(t)


def end_libvirt(t):
    """libvirt's daemon outlives the engine, and keeps the file system it saw."""
    pid_file = t.runtime / "libvirt/libvirtd.pid"
    if pid_file.exists():
        t.kill_and_wait(*[int(word) for word in pid_file.read_text().split()[:1]])


def listed(t):
    return json.loads(coldframe(t, "ls", "--json").out)["sandboxes"]


def build_folder(t, target):
    """The images, with one small part damaged; the large ones are the same files."""
    target.mkdir()
    current = json.loads((t.images / "current.json").read_text())
    folder = target / current["base"]
    folder.mkdir()
    shutil.copy(t.images / "current.json", target)
    for part in (t.images / current["base"]).iterdir():
        os.link(part, folder / part.name)
    damaged = folder / "vmlinuz"
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.unlink()
    damaged.write_bytes(content)


def odd_paths(t):
    """Every kind of path, all in one sandbox, both ways."""
    plain, agent_home, opt, srv = (t.root / "m" / name for name in ("tmp", "agent", "opt", "srv"))
    for folder in (plain, agent_home, opt, srv):
        folder.mkdir(parents=True)
    tail = f"cf-{os.getpid()}"
    odd = [(os.fsencode(opt) + b"/project", b"/opt/project"), (os.fsencode(srv) + b"/my project", b"/srv/my project"),
           (os.fsencode(agent_home) + b"/project", b"/home/agent/project"), (os.fsencode(plain) + b"/" + tail.encode(), b"/tmp/" + tail.encode())]
    for name in (b"it's \"quoted\" $HOME `id` \\", b"two\nlines", b"bytes-\xff\xfe", b"-dash", "ünï→".encode(), b"colon:ro"):
        path = os.fsencode(t.home) + b"/odd/" + name
        odd.append((path, path))
    for number, (real, _) in enumerate(odd):
        os.makedirs(real)
        with open(real + b"/in.txt", "w") as file:
            file.write(f"root {number}\n")
    # libvirt's own sockets would not fit below so long a home.
    home = t.home / "firstname.lastname@company.example"
    (home / ".local/share/coldframe").mkdir(parents=True)
    (home / ".local/share/coldframe/images").symlink_to(t.images)
    t.environment = {**t.environment, "HOME": str(home)}
    shutil.copytree(t.home / ".config/coldframe", home / ".config/coldframe")
    t.start_engine(mounted("\n".join([over("/tmp", plain), over("/opt", opt), over("/srv", srv), home_with(t.real_home, "agent", agent_home)])))
    t.apply_settings()
    r = coldframe(t, *CREATE, "--name=odd", "shell", *[seen for _, seen in odd], seconds=300)
    if not t.check("a sandbox with ten odd folders starts", r.status == 0, r):
        return
    script = ("import os, sys\n"
              "for number, word in enumerate(sys.argv[1:]):\n"
              "    path = bytes.fromhex(word)\n"
              "    print(number, open(path + b'/in.txt').read().strip() == 'root %d' % number)\n"
              "    open(path + b'/out.txt', 'w').write('from inside %d' % number)\n")
    r = coldframe(t, "exec", "odd", "python3", "-c", script, *[seen.hex() for _, seen in odd], seconds=60)
    for number, (real, seen) in enumerate(odd):
        t.check(f"the folder {seen!r} is inside with its files", f"{number} True" in r.out, r)
        back = wait_for(lambda f=real + b"/out.txt": os.path.exists(f) and open(f).read(), 20)
        t.check(f"what is written in {seen!r} comes back", back == f"from inside {number}", back)
    monitor = str(home / ".config/libvirt/qemu/lib/domain-1-coldframe-0123456789/monitor.sock")
    t.check("control: libvirt's usual place for sockets is too long here", len(monitor) > 107 and not (home / ".config/libvirt").exists(), monitor)
    r = coldframe(t, "exec", "-w", odd[6][1], "odd", "sh", "-c", "ls; pwd | wc -c", seconds=60)
    t.check("a folder with bytes that are no UTF-8 can be worked in", r.status == 0 and "in.txt" in r.out, r)
    r = coldframe(t, "ls")
    t.check("the list shows odd folders without control characters", r.status == 0 and "odd" in r.out and "\x1b" not in r.out, r)
    t.check("the guest's own home still is the agent's", "ok" in coldframe(t, "exec", "odd", "sh", "-c", "touch ~/x && test -O ~ && ls -d ~/project && echo ok").out)
    r = coldframe(t, "rm", "-f", "odd", seconds=120)
    t.check("it is removed and the folders stay", r.status == 0 and all(os.path.exists(real + b"/in.txt") for real, _ in odd), r)


def story(t):
    t.project = t.host_file(t.home / "project/a.txt", "x").parent
    t.boot_only()
    t.start_engine()
    t.apply_settings()
    r = coldframe(t, *CREATE, "--no-start", "--name=made", "shell", str(t.project))
    t.check("control: the same with good input succeeds", r.status == 0, r)
    folders(t)
    words(t)
    damaged_state(t)
    missing_parts(t)
    room_runs_out(t)
    odd_paths(t)


harness.main(story)
