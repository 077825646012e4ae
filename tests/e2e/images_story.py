# SPDX-License-Identifier: Apache-2.0
"""Images of the user's own: from a recipe, and what a sandbox made on them has."""
import json, os, struct, subprocess, time
import harness
from images import coldframe, left_over, own_images, template_of
from surroundings import mounted, small_disk

# The front of an export: magic, length and text of its header. What follows does not matter where there is no space for it.
HEADER = json.dumps({"schema": 1, "name": "some", "diskBytes": 64 << 20, "kernelRelease": "6", "createdAt": "", "origin": "", "packages": {}}).encode()

RECIPE = """{
  // a comment is allowed
  "name": "tools",
  "environment": {"SHOP": "open late", "PATH": "/opt/shop/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"},
  "files": [
    {"from": "files/greet", "to": "/opt/shop/bin/greet", "mode": "0755"},
    {"from": "files/notes", "to": "/home/agent/notes", "owner": "agent"}
  ],
  "run": [
    "test \\"$SHOP\\" = 'open late' && id -u >/opt/shop/built-by && echo a line of the build",
    {"command": "pwd >built-in && id -un >>built-in", "as": "agent"},
    "mkdir -p /var/lib/shop && head -c 3000000 /dev/urandom >/var/lib/shop/data && sha256sum /var/lib/shop/data"
  ]
}
"""


def write_recipe(t):
    folder = t.home / "shop"
    t.host_file(folder / "coldframe-image.json", RECIPE)
    t.host_file(folder / "files/greet", "#!/bin/sh\necho good day\n", 0o644)
    t.host_file(folder / "files/notes/one", "first\n", 0o600)
    os.symlink("one", folder / "files/notes/two")
    return folder


def recipes(t):
    folder = write_recipe(t)
    began = time.monotonic()
    code, out, err = coldframe(t, "image", "build", "shop", "--accept-emulation")
    t.say(f"built from a recipe in {time.monotonic() - began:.1f} s")
    if not t.check("an image is built from a recipe", code == 0 and "tools" in out, (code, out, err)):
        return
    t.check("the room it was built in is gone", t.call("sandbox.list")["sandboxes"] == [])
    again = time.monotonic()
    code, out, _ = coldframe(t, "image", "build", "shop")
    t.check("the same recipe is not built again", code == 0 and "nothing changed" in out and time.monotonic() - again < 20, out)
    log = coldframe(t, "image", "log", "tools")[1]
    t.check("the log is kept", "a line of the build" in log, log)
    created = time.monotonic()
    code, out, err = coldframe(t, "create", "--image", "tools", "--accept-emulation", "--name", "seller", "shell", str(folder))
    t.say(f"a sandbox on it after {time.monotonic() - created:.1f} s")
    t.check("a sandbox is made on it", code == 0, (code, out, err))
    r = t.run("seller", "greet; cat /opt/shop/built-by /home/agent/built-in ~/notes/two; echo $SHOP; stat -c '%U %a' ~/notes/one; "
              "wc -c </var/lib/shop/data")
    lines = r.out.split("\n")
    t.check("it has what the recipe put there", lines[:8] == ["good day", "0", "/home/agent", "agent", "first", "open late", "agent 600", "3000000"], str(r))
    inspected = t.call("sandbox.inspect", sandbox="seller")
    t.check("the sandbox says so", inspected["image"] == "tools" and inspected["disk"]["image"].startswith("own-"), inspected["disk"])
    own = t.run("seller", "openssl crl2pkcs7 -nocrl -certfile /etc/ssl/certs/ca-certificates.crt | "
                "openssl pkcs7 -print_certs -noout | grep -c -i '^subject.*coldframe'")
    t.check("hazard_17_the_room_leaves_no_authority_behind", own.out.split()[-1:] == ["1"], str(own))
    listed = {i["name"]: i for i in t.call("image.list")["images"]}
    t.check("the list shows it and who uses it", listed["tools"]["usedBy"] == ["the sandbox seller"] and listed["tools"]["bytes"] < 40 << 20, listed)
    packages = t.call("image.inspect", image="tools")["facts"]["packages"]
    t.check("its packages are known", "bash" in packages and len(packages) > 100, len(packages))
    both = coldframe(t, "create", "--image", "tools", "--template", "some", "--accept-emulation", "shell", str(folder))
    t.check("an image and a template at once are refused", both[0] != 0 and "either --template or --image" in both[2], both)
    code, _, err = coldframe(t, "image", "rm", "tools")
    t.check("an image in use stays", code != 0 and "seller" in err, err)
    ready = harness.wait_for(lambda: template_of(t, listed["tools"]["id"]), 300, 0.5)
    t.check("a template is made of the image", ready)
    began = time.monotonic()
    t.call("sandbox.reset", sandbox="seller", force=True)
    disk = t.call("sandbox.inspect", sandbox="seller")["disk"]
    t.say(f"a reset onto it in {time.monotonic() - began:.1f} s")
    t.check("and its sandboxes start from that", ready and disk["template"] == ready and disk["image"] == listed["tools"]["id"], disk)
    r = t.run("seller", "cat ~/notes/two; greet")
    t.check("after a reset it is on the image again", r.out == "first\ngood day\n", str(r))
    t.call("sandbox.remove", sandbox="seller", force=True)


def bad_recipes(t):
    folder = t.home / "bad"
    for name, text, wanted in (
            ("no JSON", "packages: [jq]", "not JSON"),
            ("an unknown field", '{"package": ["jq"]}', "package"),
            ("an option for a package", '{"packages": ["-o=x"]}', "packages"),
            ("a way out of the folder", '{"files": [{"from": "../shop/files/greet", "to": "/x"}]}', "beneath"),
            ("a file that is not there", '{"files": [{"from": "nothing", "to": "/x"}]}', "nothing"),
            ("a link out of the folder", '{"files": [{"from": "out/passwd", "to": "/x"}]}', "out/passwd"),
            ("an image that is not there", '{"from": "nobody"}', "nobody")):
        t.host_file(folder / "coldframe-image.json", text)
        if not (folder / "out").is_symlink():
            os.symlink("/etc", folder / "out")
        code, out, err = coldframe(t, "image", "build", "bad", "--accept-emulation")
        t.check(f"a recipe with {name} is refused", code != 0 and wanted in err, (code, out, err))
    t.host_file(folder / "coldframe-image.json", '{"run": ["echo before; echo the reason >&2; exit 7"]}')
    code, _, err = coldframe(t, "image", "build", "bad", "--accept-emulation")
    t.check("a command that fails is named with its last lines", code != 0 and "exit code 7" in err and "the reason" in err, err)
    t.check("a failed build leaves nothing", t.call("sandbox.list")["sandboxes"] == []
            and "bad" not in [i["name"] for i in t.call("image.list")["images"]])
    t.check("but its log", "the reason" in coldframe(t, "image", "log", "bad")[1])


def disk_is_full(t):
    """The storage of the images has 2 MiB, and the recipe makes 3."""
    t.host_file(t.home / "large/coldframe-image.json", '{"run": ["head -c 3000000 /dev/urandom >/srv/data"]}')
    store = t.home / ".local/share/coldframe/own-images"
    t.kill_and_wait(t.engine.pid)
    t.start_engine(mounted(small_disk(store, 2048)))
    code, _, err = coldframe(t, "image", "build", "large", "--accept-emulation")
    t.check("a build on a full disk says so", code != 0 and "space" in err and "own-images" in err, err)
    record = struct.pack(">QI", 0, 4096) + b"x" * 4096
    # A zstd frame (RFC 8878) with one raw block.
    frame = b"\x28\xb5\x2f\xfd\x00\x58" + struct.pack("<I", 1 | len(record) << 3)[:3] + record
    t.host_file(t.home / "some.image", b"COLDFRAME-IMAGE-1\n" + struct.pack(">I", len(HEADER)) + HEADER + frame)
    code, _, err = coldframe(t, "image", "import", "some.image")
    t.check("an import on a full disk says so", code != 0 and "space" in err and "own-images" in err, err)
    t.check("and nothing is left of either", t.call("sandbox.list")["sandboxes"] == []
            and [i["name"] for i in t.call("image.list")["images"]] == ["default"], t.call("image.list"))
    t.kill_and_wait(t.engine.pid)
    t.start_engine()


def engine_dies(t):
    """In the middle of a build."""
    t.host_file(t.home / "slow/coldframe-image.json", '{"run": ["echo begun; sleep 600"]}')
    waiting = subprocess.Popen([str(t.root / "bin/coldframe"), "image", "build", "slow", "--accept-emulation"], env=t.environment,
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=t.home)
    begun = harness.wait_for(lambda: "begun" in coldframe(t, "image", "log", "slow")[1], 90, 0.5)
    rooms = t.call("sandbox.list")["sandboxes"]
    t.kill_and_wait(t.engine.pid)
    waiting.terminate()
    waiting.wait(20)
    t.start_engine()
    gone = harness.wait_for(lambda: t.call("sandbox.list")["sandboxes"] == [] and not t.qemu(rooms[0]["id"]), 30)
    t.check("an engine that dies while it builds leaves no room to the next", begun and len(rooms) == 1 and gone, (begun, rooms))
    t.check("and no image", not left_over(t) and t.refused("image.inspect", image="slow") == "not_found", left_over(t))


def story(t):
    own_images(t)
    t.start_engine()
    t.apply_settings()
    recipes(t)
    bad_recipes(t)
    engine_dies(t)
    image = t.call("image.inspect", image="tools")["id"]
    t.call("image.remove", image="tools")
    t.check("its templates go with it", not template_of(t, image))
    t.check("a removed image is gone", t.refused("image.inspect", image="tools") == "not_found")
    left = [p.name for p in (t.home / ".local/share/coldframe/own-images").iterdir() if not p.name.startswith(".v")]
    t.check("and its files", left == ["names.json"], left)
    disk_is_full(t)


harness.main(story)
