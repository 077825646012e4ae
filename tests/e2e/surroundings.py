# SPDX-License-Identifier: Apache-2.0
"""Other surroundings for one process: its own view of the file system, in a user namespace, with the same user and no privileges."""


def mounted(script):
    """The prefix that runs a program after `script` has changed its mounts."""
    return ["unshare", "--user", "--map-current-user", "--keep-caps", "--mount", "--", "/bin/sh", "-ec",
            script + '\nexec setpriv --inh-caps=-all --ambient-caps=-all --bounding-set=-all "$@"', "sh"]


def over(folder, content):
    """A mount of `content` at `folder`, which exists."""
    return f"mount --rbind '{content}' '{folder}'"


def without(program):
    """The program is not there; all else of its folder is."""
    folder, name = str(program).rsplit("/", 1)
    return f"""mount -t tmpfs tmpfs /mnt
mkdir /mnt/real /mnt/seen
mount --rbind '{folder}' /mnt/real
ln -s -t /mnt/seen /mnt/real/*
rm '/mnt/seen/{name}'
mount --rbind /mnt/seen '{folder}'"""


def home_with(user_home, name, content):
    """/home with one more home in it."""
    return f"""mount -t tmpfs tmpfs /mnt
mkdir -p '/mnt{user_home}' '/mnt/home/{name}'
mount --rbind '{user_home}' '/mnt{user_home}'
mount --rbind '{content}' '/mnt/home/{name}'
mount --rbind /mnt/home /home"""


def small_disk(folder, kibibytes):
    """A file system of so many KiB at `folder`, with what lay there."""
    return f"""mount -t tmpfs tmpfs /mnt
cp -a '{folder}/.' /mnt/
mount -t tmpfs -o size={kibibytes}k tmpfs '{folder}'
cp -a /mnt/. '{folder}/'
umount /mnt"""
