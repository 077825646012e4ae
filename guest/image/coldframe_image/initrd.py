# SPDX-License-Identifier: Apache-2.0
"""The initrd: cpio archives in the kernel's newc form (Documentation/driver-api/early-userspace/buffer-format.rst)."""
import os
import stat


class Archive:
    def __init__(self, path):
        self._stream = open(path, "wb")
        self._inode = 0

    def _entry(self, name, mode, data=b"", device=(0, 0)):
        self._inode += 1
        encoded = name.encode() + b"\0"
        fields = (self._inode, mode, 0, 0, 1, 0, len(data), 0, 0, device[0], device[1], len(encoded), 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields)
        for block in (header + encoded, data):
            self._stream.write(block + b"\0" * (-len(block) % 4))

    def folder(self, name):
        self._entry(name, stat.S_IFDIR | 0o755)

    def device(self, name, major, minor):
        self._entry(name, stat.S_IFCHR | 0o600, device=(major, minor))

    def file(self, name, data, mode=0o644):
        self._entry(name, stat.S_IFREG | mode, data)

    def close(self):
        self._entry("TRAILER!!!", 0)
        self._stream.write(b"\0" * (-self._stream.tell() % 512))
        self._stream.close()


def write_modules(path, boot):
    """The part that does not depend on coldframe-guest."""
    archive = Archive(path)
    for name in ("dev", "proc", "sys", "run", "newroot", "modules"):
        archive.folder(name)
    archive.device("dev/console", 5, 1)
    archive.device("dev/null", 1, 3)
    archive.file("modules.list", (boot / "modules.list").read_bytes())
    for module in sorted(os.listdir(boot / "modules")):
        archive.file(f"modules/{module}", (boot / "modules" / module).read_bytes())
    archive.close()


def write_initrd(path, modules, guest):
    """Concatenated archives are one initrd to the kernel."""
    archive = Archive(path)
    archive.file("init", guest.read_bytes(), 0o755)
    archive.close()
    with open(path, "rb") as stream:
        program = stream.read()
    with open(path, "wb") as stream:
        stream.write(modules.read_bytes() + program)
