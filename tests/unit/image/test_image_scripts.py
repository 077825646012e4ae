# SPDX-License-Identifier: Apache-2.0
"""The build script's bookkeeping, with tiny parts in place of a root disk: test_image_scripts.py RECIPE_FOLDER."""
import fcntl
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import unittest
from importlib.machinery import SourceFileLoader

RECIPE = pathlib.Path(sys.argv.pop(1)).resolve()
sys.dont_write_bytecode = True
sys.path.insert(0, str(RECIPE))

from coldframe_image import initrd, store  # noqa: E402
from coldframe_image.report import BuildError  # noqa: E402


def load_build():
    loader = SourceFileLoader("image_build", str(RECIPE / "build"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("image_build", loader))
    loader.exec_module(module)
    return module


class ImageBuild(unittest.TestCase):
    def setUp(self):
        self._folder = tempfile.TemporaryDirectory()
        root = pathlib.Path(self._folder.name)
        self.images, self.guest = root / "images", root / "guest"
        self.guest.write_bytes(b"first program")
        self.build = load_build()
        self.disks = 0
        self.build.namespace.check = lambda: None
        self.build.namespace.remove = lambda path: subprocess.run(["rm", "-rf", str(path)], check=False)
        self.build.build_disk = self.fake_disk

    def tearDown(self):
        self._folder.cleanup()

    def fake_disk(self, work, _keep):
        self.disks += 1
        (work / "boot").mkdir()
        for name in self.build.DISK_FILES:
            (work / "boot" / name).write_text(f"{name} of disk {self.disks}")
        return {"packages": {"bash": "5"}, "kernelRelease": "6.12"}

    def run_build(self, *options):
        sys.argv = ["build", "--guest", str(self.guest), "--images", str(self.images), *options]
        self.assertEqual(self.build.main(), 0)
        return self.images / json.loads((self.images / "current.json").read_text())["base"]

    def test_the_manifest_names_every_part(self):
        folder = self.run_build()
        manifest = json.loads((folder / "manifest.json").read_text())
        self.assertEqual(sorted(manifest["parts"]), ["base.qcow2", "initrd.img", "modules.cpio", "vmlinuz"])
        for name, part in manifest["parts"].items():
            self.assertEqual(part["sha256"], store.sha256_file(folder / name))
        self.assertEqual(manifest["name"], folder.name)
        self.assertEqual(manifest["packages"], {"bash": "5"})

    def test_nothing_changed_builds_nothing(self):
        first = self.run_build()
        before = (first / "manifest.json").stat().st_mtime_ns
        self.assertEqual(self.run_build(), first)
        self.assertEqual((self.disks, (first / "manifest.json").stat().st_mtime_ns), (1, before))

    def test_hazard_02_another_guest_program_makes_a_new_folder_and_keeps_the_old(self):
        first = self.run_build()
        old = (first / "initrd.img").read_bytes()
        self.guest.write_bytes(b"second program")
        second = self.run_build()
        self.assertNotEqual(first, second)
        self.assertEqual(self.disks, 1)
        self.assertEqual((first / "initrd.img").read_bytes(), old)
        self.assertTrue(os.path.samefile(first / "base.qcow2", second / "base.qcow2"))
        self.assertIn(b"second program", (second / "initrd.img").read_bytes())

    def test_a_missing_part_is_built_again(self):
        folder = self.run_build()
        (folder / "initrd.img").unlink()
        self.assertEqual(self.run_build(), folder)
        self.assertTrue((folder / "initrd.img").is_file())
        self.assertEqual(self.disks, 1)

    def test_damage_of_the_same_size_is_found_by_check(self):
        folder = self.run_build()
        path = folder / "base.qcow2"
        content = path.read_bytes()
        path.chmod(0o644)
        path.write_bytes(content.replace(b"disk", b"DISK"))
        self.assertEqual(self.run_build(), folder)
        again = self.run_build("--check")
        self.assertNotEqual(again, folder)
        self.assertEqual(self.disks, 2)

    def test_refresh_makes_a_new_disk(self):
        self.assertNotEqual(self.run_build(), self.run_build("--refresh"))

    def test_an_interrupted_build_leaves_nothing_in_use(self):
        first = self.run_build()
        leftover = self.images / ".building-dead"
        leftover.mkdir()

        def interrupted(work, _keep):
            (work / "half").write_text("half")
            raise KeyboardInterrupt
        self.build.build_disk = interrupted
        with self.assertRaises(KeyboardInterrupt):
            self.run_build("--refresh")
        self.assertEqual(sorted(path.name for path in self.images.glob(".building-*")), [])
        self.assertEqual(json.loads((self.images / "current.json").read_text())["base"], first.name)

    def test_a_full_disk_is_an_error_and_leaves_nothing(self):
        def full(work, _keep):
            raise OSError(28, "No space left on device", str(work))
        self.build.build_disk = full
        with self.assertRaises(OSError):
            self.run_build()
        self.assertEqual([path.name for path in self.images.iterdir() if path.name != ".build.lock"], [])

    def test_too_little_space_is_seen_before_anything_is_fetched(self):
        self.build = load_build()
        self.build.namespace.check = lambda: None
        self.build.namespace.remove = lambda path: subprocess.run(["rm", "-rf", str(path)], check=False)
        self.build.host.free_bytes = lambda _folder: 1 << 30
        self.build.namespace.stream = lambda *_: self.fail("it began to build")
        with self.assertRaises(OSError):
            self.run_build()

    def test_a_second_builder_waits_and_finds_the_work_done(self):
        self.images.mkdir()
        script = ("import sys, pathlib; sys.path.insert(0, sys.argv[1]); from coldframe_image import store\n"
                  "with store.locked(pathlib.Path(sys.argv[2])):\n    print('IN', flush=True)\n")
        with open(self.images / ".build.lock", "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            other = subprocess.Popen([sys.executable, "-B", "-c", script, str(RECIPE), str(self.images)],
                                     stdout=subprocess.PIPE, text=True)
            lines, waited = [], threading.Event()

            def read():
                for line in other.stdout:
                    lines.append(line.strip())
                    waited.set()
            reader = threading.Thread(target=read)
            reader.start()
            self.assertTrue(waited.wait(20))
            self.assertIn("Waiting for another build", lines[0])
            self.assertNotIn("IN", lines)
        reader.join(20)
        other.stdout.close()
        self.assertEqual((other.wait(20), lines[-1]), (0, "IN"))

    def test_a_missing_guest_program_is_named(self):
        self.guest.unlink()
        with self.assertRaisesRegex(BuildError, "guest does not exist"):
            self.run_build()


class Initrd(unittest.TestCase):
    def test_it_is_a_newc_archive(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "x.cpio"
            archive = initrd.Archive(path)
            archive.folder("dev")
            archive.device("dev/console", 5, 1)
            archive.file("init", b"abc", 0o755)
            archive.close()
            data = path.read_bytes()
            self.assertTrue(data.startswith(b"070701"))
            self.assertEqual(len(data) % 512, 0)
            names, at = [], 0
            while True:
                size, length = int(data[at + 54:at + 62], 16), int(data[at + 94:at + 102], 16)
                name = data[at + 110:at + 110 + length - 1].decode()
                names.append(name)
                if name == "TRAILER!!!":
                    break
                at = (at + 110 + length + 3) // 4 * 4
                if name == "init":
                    self.assertEqual(data[at:at + size], b"abc")
                at = (at + size + 3) // 4 * 4
            self.assertEqual(names, ["dev", "dev/console", "init", "TRAILER!!!"])


if __name__ == "__main__":
    unittest.main(verbosity=1)
