# SPDX-License-Identifier: Apache-2.0
"""Images out of an OCI archive and of `docker save`, made of busybox here, and the same image exported and imported."""
import gzip, hashlib, io, json, os, signal, subprocess, tarfile, time
import harness
from images import coldframe, left_over, own_images

APPLETS = "sh ls cat id mkdir sed tail env wc stat sleep uname head grep echo rm true hostname touch sync test printf".split()


def add(archive, name, data=None, link="", mode=0o755, kind=None, owner=0):
    member = tarfile.TarInfo(name)
    member.mode, member.uid, member.gid, member.linkname = mode, owner, owner, link
    member.type = kind or (tarfile.SYMTYPE if link else tarfile.DIRTYPE if data is None else tarfile.REGTYPE)
    member.size = len(data) if member.type == tarfile.REGTYPE else 0
    archive.addfile(member, io.BytesIO(data) if member.size else None)


def packed(fill):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        fill(archive)
    return out.getvalue()


def first_layer(archive):
    with open("/usr/bin/busybox" if os.path.exists("/usr/bin/busybox") else "/bin/busybox", "rb") as file:
        add(archive, "bin/busybox", file.read())
    for applet in APPLETS:
        add(archive, f"bin/{applet}", link="busybox")
    add(archive, "etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nother:x:1001:1001::/:/bin/sh\n", mode=0o644)
    add(archive, "etc/group", b"root:x:0:\n", mode=0o644)
    add(archive, "srv/old", b"below\n", mode=0o644)
    add(archive, "srv/kept", b"kept\n", mode=0o640, owner=77)


def second_layer(archive):
    """The application, and what a hostile image would try."""
    add(archive, "srv/.wh.old", b"")
    add(archive, "opt/app/bin/greet", b"#!/bin/sh\necho good day\n")
    add(archive, "../../../../etc/climbed", b"up\n", mode=0o644)
    add(archive, "way", link="/etc")
    add(archive, "way/through", b"link\n", mode=0o644)
    add(archive, "null", kind=tarfile.CHRTYPE)


def configuration(layers, **more):
    return json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": ["sha256:" + sha(l) for l in layers]},
                       "config": {"Env": ["PATH=/opt/app/bin:/bin", "SHOP=open late"], "User": "nobody", "Cmd": ["greet"]}, **more}).encode()


def sha(data):
    return hashlib.sha256(data).hexdigest()


def docker_archive(path, layers, tag="registry.example:5000/team/app:1.2", **more):
    """As `docker save` of before OCI layouts."""
    config = configuration(layers, **more)
    with tarfile.open(path, "w") as archive:
        for number, content in enumerate(layers):
            add(archive, f"{number}/layer.tar", content)
        add(archive, sha(config) + ".json", config)
        add(archive, "manifest.json", json.dumps([{"Config": sha(config) + ".json", "RepoTags": [tag],
                                                   "Layers": [f"{n}/layer.tar" for n in range(len(layers))]}]).encode())
    return path


def oci_archive(path, layers, damage=False):
    """As skopeo's oci-archive: with gzip."""
    blobs = [gzip.compress(content, 1) for content in layers]
    config = configuration(layers)
    manifest = json.dumps({"schemaVersion": 2, "config": {"digest": "sha256:" + sha(config), "size": len(config)},
                           "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": "sha256:" + sha(b), "size": len(b)}
                                      for b in blobs]}).encode()
    index = json.dumps({"schemaVersion": 2, "manifests": [{"digest": "sha256:" + sha(manifest), "size": len(manifest)}]}).encode()
    with tarfile.open(path, "w") as archive:
        add(archive, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        add(archive, "index.json", index)
        for blob in [config, manifest, *blobs]:
            add(archive, "blobs/sha256/" + sha(blob), blob + b"x" if damage and blob is blobs[0] else blob)
    return path


def imported(t, layers):
    docker_archive(t.home / "app.tar", layers)
    began = time.monotonic()
    code, out, err = coldframe(t, "image", "import", "app.tar", "--accept-emulation")
    t.say(f"imported in {time.monotonic() - began:.1f} s")
    if not t.check("an image of docker save is imported under its tag's name", code == 0 and "The image app is ready" in out, (code, out, err,
                                                                                                             coldframe(t, "image", "log", "app"))):
        return False
    t.check("what it lacks is said", "GNU C library" in err and "no sudo" in err, err)
    t.check("the room is gone", t.call("sandbox.list")["sandboxes"] == [])
    image = t.call("image.inspect", image="app")
    t.check("it stands alone and is small", image["standsAlone"] and image["origin"] == "oci" and image["bytes"] < 64 << 20, image)
    t.check("an agent that it cannot run is refused", "GNU C library" in coldframe(t, "create", "--image", "app", "--accept-emulation", "claude", "shop")[2])
    return True


def transfers(t):
    began = time.monotonic()
    code, out, err = coldframe(t, "image", "export", "app", "app.image")
    file = t.home / "app.image"
    t.say(f"exported in {time.monotonic() - began:.1f} s, {file.stat().st_size >> 20 if file.exists() else 0} MiB")
    t.check("an image is exported", code == 0 and file.exists(), (code, out, err))
    t.check("an export replaces no file", coldframe(t, "image", "export", "app", "app.image")[0] != 0)
    began = time.monotonic()
    code, out, err = coldframe(t, "image", "import", "app.image", "--name", "again")
    t.say(f"imported in {time.monotonic() - began:.1f} s")
    t.check("and imported", code == 0, (code, out, err))
    with open(file, "r+b") as cut:
        cut.truncate(file.stat().st_size // 2)
    code, _, err = coldframe(t, "image", "import", "app.image", "--name", "half")
    t.check("a file that is cut off is refused", code != 0 and "damaged" in err, err)
    t.host_file(t.home / "foreign", b"QFI\xfb" + bytes(100000))
    code, _, err = coldframe(t, "image", "import", "foreign", "--name", "half")
    t.check("a foreign file is refused", code != 0 and "not an image" in err, err)
    t.check("nothing half made is left", not left_over(t) and t.refused("image.inspect", image="half") == "not_found", left_over(t))


def boots(t):
    """On the image that went through both ways."""
    t.host_file(t.home / "shop/price", "7\n")
    began = time.monotonic()
    code, out, err = coldframe(t, "create", "--image", "again", "--accept-emulation", "--name", "buyer", "shell", "shop")
    t.say(f"a sandbox on it after {time.monotonic() - began:.1f} s")
    if not t.check("hazard_14_a_sandbox_boots_on_the_imported_image", code == 0, (code, out, err)):
        return
    folder = t.home / "shop"
    r = t.run("buyer", ["sh", "-c", f"greet; echo $SHOP; id -un; id -u; cat {folder}/price; stat -c '%u %a' /srv/kept; ls /srv /null /dev/null 2>&1; cat /etc/climbed /etc/through"])
    lines = r.out.split("\n")
    t.check("programs and environment of the image are there, as the agent", lines[:3] == ["good day", "open late", "agent"]
            and lines[3] == str(os.getuid()), str(r))
    t.check("the workspace is too", "7" in lines[4:5], str(r))
    t.check("owners and modes are kept, whiteouts applied", "77 640" in lines and "kept" in lines and "old" not in lines, str(r))
    t.check("hazard_14_names_and_links_that_lead_out_end_inside", lines[-3:-1] == ["up", "link"], str(r))
    t.check("no device came along", "/dev/null" in lines and "/null" not in lines, str(r))
    shell = t.run("buyer", ["bash", "-c", "echo $0 $HOME; echo 8 >price"], cwd=str(folder))
    t.check("a call for bash gets the shell there is", shell.out == "sh /home/agent\n", str(shell))
    t.check("what it writes arrives", harness.wait_for(lambda: (folder / "price").read_text() == "8\n", 30), (folder / "price").read_text())
    root = t.run("buyer", ["id", "-u"], user="root")
    t.check("root is root", root.out == "0\n", str(root))
    # busybox's own clients crash when they are linked statically, so the rules are looked at instead.
    rules = t.run("buyer", ["/usr/sbin/nft", "list", "table", "inet", "coldframe"], user="root")
    t.check("its network is redirected by the nft that it was lent", "redirect to :15001" in rules.out and "reject" in rules.out, str(rules))
    t.call("sandbox.remove", sandbox="buyer", force=True)


def refused(t, layers):
    def attempt(name, wanted):
        code, out, err = coldframe(t, "image", "import", name, "--name", "bad", "--accept-emulation")
        return code != 0 and wanted in err, (code, out, err)
    t.check("another machine's image is refused", *attempt(docker_archive(t.home / "arm.tar", layers, architecture="arm64").name, "linux/amd64"))
    t.check("a layer that was altered is refused", *attempt(oci_archive(t.home / "altered.tar", layers, damage=True).name, "damaged"))
    whole = (t.home / "app.tar").read_bytes()
    t.host_file(t.home / "cut.tar", whole[:len(whole) // 2])
    t.check("an archive that is cut off is refused", *attempt("cut.tar", "damaged"))
    with tarfile.open(t.home / "some.tar", "w") as archive:
        add(archive, "readme", b"hello")
    t.check("an archive of something else is refused", *attempt("some.tar", "docker save"))
    scratch = [packed(lambda archive: add(archive, "app", b"\x7fELF nothing that runs"))]
    t.check("an image without a shell is refused", *attempt(oci_archive(t.home / "scratch.tar", scratch).name, "no shell"))
    t.check("nothing of them is left", not left_over(t) and t.refused("image.inspect", image="bad") == "not_found"
            and t.call("sandbox.list")["sandboxes"] == [], left_over(t))


def engine_dies(t):
    """In the middle of an import."""
    waiting = subprocess.Popen([str(t.root / "bin/coldframe"), "image", "import", "app.tar", "--name", "never", "--accept-emulation"],
                               env=t.environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=t.home)
    room = harness.wait_for(lambda: [s for s in t.call("sandbox.list")["sandboxes"] if s["state"] == "running"], 90)
    t.kill_and_wait(t.engine.pid)
    waiting.send_signal(signal.SIGTERM)
    waiting.wait(20)
    t.start_engine()
    gone = harness.wait_for(lambda: room and t.call("sandbox.list")["sandboxes"] == [] and not t.qemu(room[0]["id"]), 30)
    t.check("an engine that dies while it imports leaves no room to the next", gone, (room, t.call("sandbox.list")))
    t.check("and no image", not left_over(t) and t.refused("image.inspect", image="never") == "not_found", left_over(t))


def story(t):
    own_images(t)
    t.start_engine()
    t.apply_settings()
    t.host_file(t.home / "shop/readme", "a project\n")
    layers = [packed(first_layer), packed(second_layer)]
    if imported(t, layers):
        transfers(t)
        boots(t)
    refused(t, layers)
    engine_dies(t)


harness.main(story)
