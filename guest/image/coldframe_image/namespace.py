# SPDX-License-Identifier: Apache-2.0
"""Commands as root of a user namespace: the caller is uid 0 there and owns a range of further uids."""
import ctypes
import os
import pwd
import shutil
import signal
import subprocess

from .report import BuildError

PREFIX = ["unshare", "--map-auto", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child"]


def check():
    """Raises a BuildError that names what is missing."""
    if os.geteuid() == 0:
        raise BuildError("The image is built by an ordinary user. Run this as the user whose sandboxes it is for.")
    for program, package in (("unshare", "util-linux"), ("newuidmap", "uidmap"), ("mmdebstrap", "mmdebstrap"),
                             ("qemu-img", "qemu-utils"), ("mkfs.ext4", "e2fsprogs")):
        if not shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin"):
            raise BuildError(f"The program {program} is missing. Install the package {package} and build again.")
    name = pwd.getpwuid(os.getuid()).pw_name
    with open("/etc/subuid", encoding="utf-8") as lines:
        if not any(line.split(":")[0] in (name, str(os.getuid())) for line in lines):
            raise BuildError(f"The user {name} has no range in /etc/subuid. As root: usermod --add-subuids 100000-165535 "
                             f"--add-subgids 100000-165535 {name}")
    if subprocess.run(PREFIX + ["true"], stdin=subprocess.DEVNULL, capture_output=True).returncode != 0:
        raise BuildError("This machine does not let an ordinary user make a user namespace. Allow it "
                         "(kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns) and build again.")


_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


def _die_with_parent():
    """A builder that is killed must not leave its namespace at work after its lock is gone."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def stream(command, environment, on_line):
    """Runs command in the namespace; on_line gets each output line; returns the exit code."""
    process = subprocess.Popen(PREFIX + command, env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                               preexec_fn=_die_with_parent)
    try:
        for line in process.stdout:
            on_line(line.rstrip("\n"))
        return process.wait()
    except BaseException:
        process.kill()
        process.wait()
        raise


def remove(path):
    """rm -rf of a tree that may hold files of the mapped uids."""
    if os.path.lexists(path):
        subprocess.run(PREFIX + ["rm", "-rf", "--one-file-system", "--", str(path)], stdin=subprocess.DEVNULL, check=False)
