# SPDX-License-Identifier: Apache-2.0
"""Hostile layers against the unpacking of an OCI image: test_unpack_layers.py RECIPE_FOLDER. Each case runs as root of a user namespace
of its own, as in a builder microVM; a control shows what the same layer does to a program that trusts it."""
import gzip
import hashlib
import io
import os
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import unittest

TOOL = pathlib.Path(sys.argv.pop(1)).resolve() / "unpack-layers.py"
ROOM = 64 << 20
NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]
# A program that trusts what it unpacks: it follows names and links wherever they lead.
TRUSTING = """
import os, sys, tarfile
os.chdir(sys.argv[1])
for member in tarfile.open(fileobj=sys.stdin.buffer, mode="r|"):
    if member.issym():
        os.symlink(member.linkname, member.name)
    elif member.islnk():
        os.link(member.linkname, member.name)
    elif member.isdir():
        os.makedirs(member.name, exist_ok=True)
    else:
        with open(member.name, "wb") as out:
            out.write(b"planted")
"""


def entry(name, data=None, kind=None, link="", mode=0o644):
    member = tarfile.TarInfo(name)
    member.mode, member.uid, member.gid = mode if data is not None else 0o755, 0, 0
    member.type = kind or (tarfile.REGTYPE if data is not None else tarfile.DIRTYPE)
    member.linkname, member.size = link, len(data or b"")
    if member.type == tarfile.CHRTYPE:
        member.devmajor, member.devminor = 1, 3
    return member, data


def layer(*entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for member, data in entries:
            archive.addfile(member, io.BytesIO(data) if data is not None else None)
    return out.getvalue()


class UnpackLayers(unittest.TestCase):
    def setUp(self):
        self._folder = tempfile.TemporaryDirectory()
        self.place = pathlib.Path(self._folder.name) / "place"
        self.root = self.place / "root"
        self.root.mkdir(parents=True)
        self.outside = pathlib.Path(self._folder.name) / "outside"
        self.outside.mkdir()
        self.kept = self.outside / "kept"
        self.kept.write_text("mine")

    def tearDown(self):
        self._folder.cleanup()

    def unpack(self, content, packed=None, compression="none", digest=None, most=ROOM):
        words = [sys.executable, str(TOOL), "layer", compression, digest or hashlib.sha256(content).hexdigest(), str(most)]
        done = subprocess.run(NAMESPACE + words, input=content if packed is None else packed, capture_output=True, timeout=60,
                              env={**os.environ, "COLDFRAME_UNPACK_PLACE": str(self.place), "PYTHONDONTWRITEBYTECODE": "1"})
        self.said = done.stderr.decode()
        return done.returncode

    def trusting(self, content):
        folder = pathlib.Path(self._folder.name) / "control"
        folder.mkdir()
        subprocess.run([sys.executable, "-c", TRUSTING, str(folder)], input=content, capture_output=True, timeout=60)

    def attack(self, *entries):
        """Nothing outside changes; and, the control, it does when the layer is trusted."""
        content = layer(*entries)
        code = self.unpack(content)
        self.assertEqual((sorted(p.name for p in self.outside.iterdir()), self.kept.read_text()), (["kept"], "mine"), self.said)
        self.trusting(content)
        self.assertTrue((self.outside / "planted").exists() or self.kept.read_text() != "mine", "the attack does nothing without the guard")
        return code

    def test_a_layer_is_unpacked(self):
        content = layer(entry("bin", None), entry("bin/sh", b"x" * 100000, mode=0o4755), entry("sh", b"", tarfile.SYMTYPE, "bin/sh"),
                        entry("bin/ash", b"", tarfile.LNKTYPE, "bin/sh"), entry("deep/er/file", b"1"))
        self.assertEqual(self.unpack(content), 0, self.said)
        self.assertEqual((self.root / "bin/sh").stat().st_mode & 0o7777, 0o4755)
        self.assertEqual(os.readlink(self.root / "sh"), "bin/sh")
        self.assertTrue(os.path.samefile(self.root / "bin/ash", self.root / "bin/sh"))
        self.assertEqual((self.root / "deep/er/file").read_bytes(), b"1")

    def test_compressed_layers_are_the_same(self):
        content = layer(entry("one", b"content"))
        self.assertEqual(self.unpack(content, gzip.compress(content), "gzip"), 0, self.said)
        self.assertEqual((self.root / "one").read_bytes(), b"content")

    def test_whiteouts_take_away_what_is_below(self):
        first = layer(entry("a", b"1"), entry("d", None), entry("d/x", b"1"), entry("d/y", b"1"), entry("e", None), entry("e/x", b"1"))
        second = layer(entry(".wh.a", b""), entry("d/.wh.x", b""), entry("e/new", b"2"), entry("e/.wh..wh..opq", b""))
        self.assertEqual((self.unpack(first), self.unpack(second)), (0, 0), self.said)
        found = sorted(str(p.relative_to(self.root)) for p in self.root.rglob("*"))
        self.assertEqual(found, ["d", "d/y", "e", "e/new"])

    def test_a_later_layer_replaces_a_link_not_what_it_leads_to(self):
        first = layer(entry("etc", None), entry("etc/real", b"old"), entry("link", b"", tarfile.SYMTYPE, "etc/real"))
        self.assertEqual((self.unpack(first), self.unpack(layer(entry("link", b"new")))), (0, 0), self.said)
        self.assertEqual(((self.root / "etc/real").read_bytes(), (self.root / "link").read_bytes()), (b"old", b"new"))

    def test_hazard_14_names_with_dots_stay_inside(self):
        self.assertEqual(self.attack(entry("../outside/planted", b"x")), 0, self.said)

    def test_hazard_14_absolute_names_stay_inside(self):
        self.assertEqual(self.attack(entry(str(self.outside / "planted"), b"x")), 0, self.said)
        self.assertTrue((self.root / str(self.outside / "planted").lstrip("/")).exists())

    def test_hazard_14_links_lead_nowhere_outside(self):
        self.attack(entry("way", b"", tarfile.SYMTYPE, str(self.outside)), entry("way/planted", b"x"))

    def test_hazard_14_links_with_dots_lead_nowhere_outside(self):
        self.attack(entry("way", b"", tarfile.SYMTYPE, "../outside"), entry("way/planted", b"x"))

    def test_hazard_14_hard_links_take_no_file_of_outside(self):
        self.attack(entry("mine", b"", tarfile.LNKTYPE, "../outside/kept"), entry("mine", b"x"))
        self.assertEqual(self.kept.stat().st_nlink, 2 if (pathlib.Path(self._folder.name) / "control/mine").exists() else 1)

    def test_hazard_14_whiteouts_remove_nothing_outside(self):
        for name in ("../outside/.wh.kept", "way/.wh.kept", ".wh...", "..wh...", "../.wh.outside"):
            self.unpack(layer(entry("way", b"", tarfile.SYMTYPE, str(self.outside)), entry(name, b"")))
            self.assertEqual(self.kept.read_text(), "mine", name)

    def test_devices_are_left_out(self):
        self.assertEqual(self.unpack(layer(entry("null", b"", tarfile.CHRTYPE), entry("after", b"1"))), 0, self.said)
        self.assertEqual(sorted(os.listdir(self.root)), ["after"])

    def test_a_layer_of_another_digest_is_refused(self):
        self.assertEqual(self.unpack(layer(entry("a", b"1")), digest="0" * 64), 5)
        self.assertIn("another one", self.said)

    def test_a_layer_that_is_cut_off_is_refused(self):
        content = layer(entry("a", b"1" * 100000))
        self.assertEqual(self.unpack(content, content[:50000]), 5, self.said)
        packed = gzip.compress(content)
        self.assertEqual(self.unpack(content, packed[:len(packed) // 2], "gzip"), 5, self.said)

    def test_a_layer_that_is_none_is_refused(self):
        self.assertEqual(self.unpack(b"no archive at all" * 100), 5, self.said)

    def test_a_bomb_ends_at_the_room_there_is(self):
        content = layer(entry("zeros", bytes(ROOM)))
        self.assertEqual(self.unpack(content, gzip.compress(content), "gzip", most=8 << 20), 4)
        self.assertIn("larger", self.said)
        self.assertLess(sum(p.stat().st_size for p in self.root.rglob("*")), 16 << 20)

    def test_the_room_is_that_of_all_layers_together(self):
        content = layer(entry("half", b"1" * (5 << 20)))
        self.assertEqual(self.unpack(content, most=8 << 20), 0, self.said)
        self.assertEqual(self.unpack(content, most=8 << 20), 4)


if __name__ == "__main__":
    if subprocess.run(NAMESPACE + ["true"], capture_output=True).returncode != 0:
        print("no user namespaces here")
        sys.exit(77)
    unittest.main()
