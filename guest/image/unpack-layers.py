# SPDX-License-Identifier: Apache-2.0
"""Runs inside a builder microVM, as root: makes the layers of an OCI image a root disk, and hands its content out.

    unpack-layers.py begin                                    an empty file system on a file
    unpack-layers.py layer none|gzip|zstd DIFF-ID MAX-BYTES   a layer from standard input (OCI image specification, layer.md)
    unpack-layers.py furnish                                  what a sandbox needs; standard input: lines NAME=VALUE; the answer is JSON
    unpack-layers.py send HEADER                              the disk as records (core/image/image_archive.h)

Exit codes: 3 for an image that a sandbox cannot use, 4 for one that is too large, 5 for a damaged one; the reason is on standard error.
"""
import glob
import gzip
import hashlib
import json
import os
import shutil
import stat
import struct
import subprocess
import sys
import tarfile

PLACE = os.environ.get("COLDFRAME_UNPACK_PLACE", "/coldframe-unpack")
DISK, ROOT, USED = PLACE + "/disk", PLACE + "/root", PLACE + "/used"
DISK_SIZE = "40G"  # that of the base image
MAX_ENTRIES = 1_000_000
RECORD = 1 << 18
TOOLS = "/usr/lib/coldframe"
LENT = TOOLS + "/lent"
PROGRAMS = ("/usr/sbin/nft", "/sbin/modprobe")  # the guest program calls the one, the kernel the other
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
PROFILE = """coldframe_path=$(sed -n 's/^PATH=//p' /etc/coldframe/environment 2>/dev/null | tail -n 1)
export PATH="/opt/coldframe/agent/bin:/home/agent/.local/bin:${coldframe_path:-/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin}"
unset coldframe_path
"""


def give_up(code, why):
    print(why, file=sys.stderr)
    sys.exit(code)


def begin():
    os.makedirs(ROOT)
    subprocess.run(["truncate", "-s", DISK_SIZE, DISK], check=True)
    # As the base's: inode tables are holes of the file, or each sandbox's kernel would write them into its own disk.
    subprocess.run(["mkfs.ext4", "-q", "-F", "-L", "COLDFRAME_ROOT", "-m", "0", "-i", "32768", "-E", "lazy_itable_init=0,lazy_journal_init=0",
                    "-J", "size=64", DISK], check=True)
    subprocess.run(["modprobe", "loop"], check=False)
    subprocess.run(["mount", "-o", "loop,nodev,nosuid,noatime", DISK, ROOT], check=True)


class Counted:
    """The layer without its compression: hashed, and never more than there is room for."""

    def __init__(self, source, most):
        self.source, self.left, self.digest = source, most, hashlib.sha256()

    def read(self, size):
        data = self.source.read(size)
        self.left -= len(data)
        if self.left < 0:
            give_up(4, "The image is larger than there is room for.")
        self.digest.update(data)
        return data


def gone(path):
    """Removes whatever is there."""
    try:
        if stat.S_ISDIR(os.lstat(path).st_mode):
            shutil.rmtree(path)
        else:
            os.unlink(path)
    except FileNotFoundError:
        pass


def whiteout(parent, name, fresh):
    if name != ".wh..wh..opq":
        if name[4:] not in ("", ".", ".."):
            gone(os.path.join(parent, name[4:]))
        return
    for child in os.listdir(parent) if os.path.isdir(parent) else []:
        path = os.path.join(parent, child)
        if path not in fresh:
            gone(path)


def remember(fresh, path):
    """The entry and all folders above it are this layer's: an opaque whiteout leaves them."""
    while path not in fresh and path != "/":
        fresh.add(path)
        path = os.path.dirname(path)


def put(archive, member, path):
    present = os.path.lexists(path)
    if present and not (member.isdir() and os.path.isdir(path) and not os.path.islink(path)):
        gone(path)
    if member.isdir():
        os.makedirs(path, exist_ok=True)
    elif member.isreg():
        with open(path, "xb") as out:
            shutil.copyfileobj(archive.extractfile(member), out, 1 << 20)
    elif member.issym():
        os.symlink(member.linkname, path)
    elif member.islnk():
        os.link(os.path.normpath("/" + member.linkname), path, follow_symlinks=False)
        return
    elif member.isfifo():
        os.mkfifo(path)
    else:
        return  # a device: a sandbox has those of its own kernel
    os.lchown(path, member.uid, member.gid)
    if not member.issym():
        os.chmod(path, member.mode & 0o7777)
        os.utime(path, (member.mtime, member.mtime))
    for key, value in member.pax_headers.items():
        if key.startswith("SCHILY.xattr."):
            try:
                os.setxattr(path, key[13:], value.encode("utf-8", "surrogateescape"), follow_symlinks=False)
            except OSError:
                pass  # one that this file system does not keep


def enter_root():
    """From here on no path, link or ".." of the image leads out of the new root."""
    os.chroot(ROOT)
    os.chdir("/")


def unpack(stream):
    """All of a layer into the root. As root of a throw-away machine, and still only beneath "/"."""
    fresh = set()
    archive = tarfile.open(fileobj=stream, mode="r|", encoding="utf-8", errors="surrogateescape")
    for count, member in enumerate(archive):
        if count > MAX_ENTRIES:
            give_up(4, "The image has too many files.")
        path = os.path.normpath("/" + member.name.lstrip("/"))
        parent, name = os.path.split(path)
        if path == "/":
            continue
        if name.startswith(".wh."):
            whiteout(parent, name, fresh)
            continue
        if not os.path.isdir(parent):
            if os.path.lexists(parent):
                gone(parent)
            os.makedirs(parent, exist_ok=True)
        archive.members = []  # it keeps all that it has seen
        put(archive, member, path)
        remember(fresh, path)


def layer(compression, diff_id, most):
    used = int(open(USED).read() or 0) if os.path.exists(USED) else 0
    used_file = os.open(USED, os.O_WRONLY | os.O_CREAT)
    source, unpacker = sys.stdin.buffer, None
    if compression == "gzip":
        source = gzip.GzipFile(fileobj=source)
    elif compression == "zstd":
        unpacker = subprocess.Popen(["zstd", "-dcq", "--long=27"], stdin=source, stdout=subprocess.PIPE)
        source = unpacker.stdout
    stream = Counted(source, most - used)
    enter_root()
    try:
        unpack(stream)
        while stream.read(1 << 20):
            pass
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, ValueError) as error:
        give_up(5, f"A layer is damaged: {error}")
    except OSError as error:
        give_up(4 if error.errno in (27, 28) else 5, f"A layer cannot be unpacked: {error}")
    if (unpacker and unpacker.wait() != 0) or stream.digest.hexdigest() != diff_id:
        give_up(5, "A layer is damaged, or another one than the image names.")
    os.write(used_file, str(most - stream.left).encode())


def ensure(path, text, mode=0o644):
    if not os.path.exists(path):
        gone(path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        replace(path, text, mode)


def replace(path, text, mode=0o644):
    gone(path)
    with open(path, "x", encoding="utf-8", errors="surrogateescape") as out:
        out.write(text)
    os.chmod(path, mode)


def furnish(environment, certificates, protocols):
    """What a sandbox needs of any root, written inside the new one. Returns what the image has."""
    enter_root()
    for folder in ("dev", "proc", "run", "sys", "tmp", "var/tmp", "var/lib", "home", "root", "opt/coldframe/agent", "etc/profile.d",
                   "etc/coldframe", "etc/ssl/certs", "usr/local/share/ca-certificates", "usr/sbin", "sbin", "usr/lib", "lib"):
        if not os.path.isdir("/" + folder):
            gone("/" + folder)
        os.makedirs("/" + folder, exist_ok=True)
    has_bash = os.path.exists("/bin/bash") or os.path.exists("/usr/bin/bash")
    agent = "agent:x:1000:1000::/home/agent:" + ("/bin/bash" if os.path.exists("/bin/bash") else "/bin/sh")
    ensure("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
    ensure("/etc/group", "root:x:0:\n")
    ensure("/etc/shadow", "root:*:19000:0:99999:7:::\n", 0o640)
    # Before others of the same id, so that the id has this name.
    lines = [line for line in open("/etc/passwd", encoding="utf-8", errors="surrogateescape").read().splitlines() if not line.startswith("agent:")]
    replace("/etc/passwd", "\n".join(lines[:1] + [agent] + lines[1:]) + "\n")
    replace("/etc/coldframe/environment", environment)
    replace("/etc/profile.d/zz-coldframe-image.sh", PROFILE)
    replace("/etc/resolv.conf", "nameserver 198.18.0.1\noptions ndots:1\n")
    replace("/etc/machine-id", "")
    # One bundle, in the place where the sandbox's own authority is added.
    for path in ("/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"):
        if os.path.isfile(path):
            if not os.path.isfile(BUNDLE):
                gone(BUNDLE)
                shutil.copyfile(path, BUNDLE)
            replace(path, "")
            os.unlink(path)
            os.symlink(BUNDLE, path)
    ensure(BUNDLE, certificates)
    ensure("/etc/protocols", protocols)  # nft asks it for names
    has_sudo = any(os.access(path, os.X_OK) for path in ("/usr/bin/sudo", "/bin/sudo"))
    if has_sudo:
        os.makedirs("/etc/sudoers.d", exist_ok=True)
        replace("/etc/sudoers.d/coldframe", "agent ALL=(ALL:ALL) NOPASSWD: ALL\n", 0o440)
    for path in PROGRAMS:
        if not os.access(path, os.X_OK):
            name = os.path.basename(path)
            replace(path, f'#!/bin/sh\nexec {LENT}/loader --library-path {LENT} {LENT}/{name} "$@"\n', 0o755)
    libc = "none"
    if os.path.exists("/lib64/ld-linux-x86-64.so.2"):
        libc = "glibc"
    elif os.path.exists("/lib/ld-musl-x86_64.so.1"):
        libc = "musl"
    try:
        shell = subprocess.call(["/bin/sh", "-c", "exit 0"], env={"PATH": "/usr/local/bin:/usr/bin:/bin"})
    except OSError:
        shell = -1
    if shell != 0:
        give_up(3, "The image has no shell that runs (/bin/sh), so it cannot be used for a sandbox. Take one with an operating system's tools in it.")
    return {"libc": libc, "bash": has_bash, "sudo": has_sudo, "docker": os.access("/usr/sbin/dockerd", os.X_OK),
            "git": any(os.access(path, os.X_OK) for path in ("/usr/bin/git", "/usr/local/bin/git"))}


def bring_tools():
    """The kernel's modules, and the programs of the sandbox itself with the libraries that they have here."""
    release = os.uname().release
    files = {}
    for program in PROGRAMS:
        files[f"{LENT}/{os.path.basename(program)}"] = os.path.realpath(program)
        for word in subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout.split():
            if word.startswith("/"):
                name = "loader" if os.path.basename(word).startswith("ld-") else os.path.basename(word)
                files[f"{LENT}/{name}"] = os.path.realpath(word)
    folders = {"/lib/modules/" + release: "/lib/modules/" + release}
    for name in glob.glob(TOOLS + "/modules-*.list"):
        files[name] = name
    # The target's folders may be links of the image's: they are made, and found, from inside.
    source = os.open("/", os.O_PATH)
    child = os.fork()
    if child == 0:
        enter_root()
        gone(TOOLS)
        os.makedirs(LENT)
        for target, path in files.items():
            copy_from(source, path, target)
        for target, path in folders.items():
            gone(target)
            tree(source, path, target)
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0:
        give_up(3, "The folders /usr/lib and /lib of the image cannot be used.")


def copy_from(root, path, target):
    with open(os.open(path.lstrip("/"), os.O_RDONLY, dir_fd=root), "rb") as file, open(target, "wb") as out:
        shutil.copyfileobj(file, out, 1 << 20)
        os.fchmod(out.fileno(), stat.S_IMODE(os.fstat(file.fileno()).st_mode))


def tree(root, path, target):
    os.makedirs(target, exist_ok=True)
    with os.scandir(os.open(path.lstrip("/"), os.O_RDONLY | os.O_DIRECTORY, dir_fd=root)) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                tree(root, f"{path}/{entry.name}", f"{target}/{entry.name}")
            elif entry.is_file(follow_symlinks=False):
                copy_from(root, f"{path}/{entry.name}", f"{target}/{entry.name}")


def certificates():
    """Debian's own list, without what this machine trusts beside it."""
    text = ""
    for path in sorted(glob.glob("/usr/share/ca-certificates/**/*.crt", recursive=True)):
        with open(path, encoding="utf-8") as file:
            text += file.read().rstrip("\n") + "\n"
    return text


def in_child(work):
    """Does the work in a child of this process, whose root may change; its exit code is ours."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except OSError as error:
            give_up(3, f"The image cannot be used for a sandbox: {error}")
        sys.stdout.flush()
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code != 0:
        sys.exit(code if code > 0 else 3)


def finish():
    environment, trusted = sys.stdin.read(), certificates()
    with open("/etc/protocols", encoding="utf-8") as file:
        protocols = file.read()
    in_child(lambda: print(json.dumps(furnish(environment, trusted, protocols))))
    bring_tools()


def send(header):
    subprocess.run(["fstrim", ROOT], check=False)
    subprocess.run(["umount", ROOT], check=True)
    digest, out = hashlib.sha256(header.encode()), sys.stdout.buffer
    with open(DISK, "rb") as disk:
        size, at = os.fstat(disk.fileno()).st_size, 0
        while at < size:
            try:
                at = os.lseek(disk.fileno(), at, os.SEEK_DATA)
            except OSError:
                break
            end = os.lseek(disk.fileno(), at, os.SEEK_HOLE)
            while at < end:
                data = os.pread(disk.fileno(), min(RECORD, end - at), at)
                if data.strip(b"\0"):
                    head = struct.pack(">QI", at, len(data))
                    digest.update(head + data)
                    out.write(head + data)
                at += len(data)
    out.write(struct.pack(">QI", (1 << 64) - 1, 64) + digest.hexdigest().encode())
    out.flush()


def main():
    todo = sys.argv[1]
    if todo == "begin":
        begin()
    elif todo == "layer":
        layer(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    elif todo == "furnish":
        finish()
    else:
        send(sys.argv[2])


if __name__ == "__main__":
    main()
