#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# in-tree.sh TREE COMMAND…: runs a command with TREE as its root, with /dev and /proc, in a mount namespace of its own.
set -euo pipefail
tree=$1
shift
export tree
exec unshare --mount --propagation private bash -c '
  set -e
  mkdir -p "$tree/dev" "$tree/proc" "$tree/tmp"
  mount -t tmpfs -o mode=0755 dev "$tree/dev"
  for node in null zero full random urandom tty; do
    : > "$tree/dev/$node"
    mount --bind "/dev/$node" "$tree/dev/$node"
  done
  ln -s /proc/self/fd "$tree/dev/fd"
  mount -t proc proc "$tree/proc"
  exec chroot "$tree" "$@"' in-tree "$@"
