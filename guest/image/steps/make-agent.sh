#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes an agent's disk in $COLDFRAME_WORK: a root tree is read out of the base disk, npm inside it installs the
# agent below /opt/coldframe/agent, and that folder alone becomes the disk. Runs as root of a user namespace.
# Environment: COLDFRAME_WORK, COLDFRAME_BASE (base.qcow2), COLDFRAME_HOST_CA, COLDFRAME_PACKAGES (one a line).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$COLDFRAME_WORK
tree=$work/tree
agent=$tree/opt/coldframe/agent
export LC_ALL=C.UTF-8 PATH=$PATH:/usr/sbin:/sbin

echo "STEP root"
mkdir -p "$tree/usr" "$work/out"
qemu-img convert -f qcow2 -O raw -S 4k "$COLDFRAME_BASE" "$work/base.raw"
# What npm needs of the base, not all of it: reading a tree out by debugfs costs by the file.
requests=$work/requests
: > "$requests"
mkdir -p "$tree/usr/lib" "$tree/usr/local/lib" "$tree/etc" "$tree/tmp" "$tree/run" "$tree/root" "$tree/var/tmp" "$tree/opt/coldframe/agent"
for folder in /usr/bin /usr/lib64 /usr/lib/git-core /usr/lib/x86_64-linux-gnu /usr/local/bin /usr/local/lib/node_modules /etc; do
  printf 'rdump "%s" "%s"\n' "$folder" "$tree$(dirname "$folder")" >> "$requests"
done
debugfs -f "$requests" "$work/base.raw" > "$work/debugfs.log" 2>&1
rm -f "$work/base.raw"
for name in bin lib lib64; do ln -s "usr/$name" "$tree/$name"; done
[ -x "$tree/usr/local/bin/node" ] || { echo "FAILED The base disk has no Node; build the image again."; exit 1; }

echo "STEP npm"
cp "$COLDFRAME_HOST_CA" "$tree/run/host-ca.crt"
cp -L --remove-destination /etc/resolv.conf /etc/hosts "$tree/etc/"
mapfile -t packages <<< "$COLDFRAME_PACKAGES"
if ! "$here/in-tree.sh" "$tree" env -i PATH=/usr/local/bin:/usr/bin:/bin HOME=/root LANG=C.UTF-8 \
  ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} ${HTTPS_PROXY:+HTTPS_PROXY="$HTTPS_PROXY"} \
  NODE_EXTRA_CA_CERTS=/run/host-ca.crt SSL_CERT_FILE=/run/host-ca.crt npm_config_cafile=/run/host-ca.crt DISABLE_AUTOUPDATER=1 \
  npm install --global --prefix /opt/coldframe/agent --os=linux --cpu=x64 --libc=glibc \
  --no-fund --no-audit --no-update-notifier --loglevel=http "${packages[@]}"; then
  echo "FAILED npm could not install ${packages[*]}."
  exit 1
fi

echo "STEP prune"
modules=$agent/lib/node_modules
# Programs for other machines, which packages bring along, never run here.
find "$modules" -depth -type d -regextype posix-extended \
  \( -regex '.*[-_/](darwin|win32|windows|freebsd|openbsd|netbsd|android|sunos|aix)[-_](x64|arm64|x86|ia32|arm|amd64)[^/]*' \
  -o -regex '.*[-_/]linux[-_](arm64|arm|ia32|ppc64|riscv64|s390x|loong64)[^/]*' -o -regex '.*[-_/]linux-x64-musl' \
  -o -regex '.*/(arm64|x64)-(darwin|win32)' -o -regex '.*/arm64-linux' \) -exec rm -rf {} + 2>/dev/null || true
# One copy of what is there twice (postinstall scripts copy the native program beside its package).
find "$modules" -type f -size +1M -print0 | xargs -0 -r sha256sum | sort | awk '{
    path = substr($0, 67); if ($1 == last) print kept "\t" path; else { last = $1; kept = path } }' |
  while IFS=$'\t' read -r kept copy; do ln -f "$kept" "$copy"; done
name=$(sed 's/\(.\)@[^/]*$/\1/' <<< "${packages[0]}")
sed -n 's/^ *"version": *"\([^"]*\)".*/\1/p' "$modules/$name/package.json" | head -1 > "$work/version"
[ -s "$work/version" ] || { echo "FAILED ${packages[0]} was installed without a version."; exit 1; }
chmod -R go+rX "$agent"

echo "STEP disk"
used=$(du -s -B 1M "$agent" | cut -f 1)
files=$(find "$agent" | wc -l)
truncate -s "$((used + used / 8 + files / 512 + 32))M" "$work/agent.raw"
mkfs.ext4 -q -F -L COLDFRAME_AGENT -m 0 -O ^has_journal,^resize_inode -N "$((files + files / 10 + 64))" \
  -E lazy_itable_init=0 -d "$agent" "$work/agent.raw"
qemu-img convert -f raw -O qcow2 -c -o compression_type=zstd,cluster_size=65536 -W -m 4 "$work/agent.raw" "$work/out/agent.qcow2"
# Every agent's disk has the same size, for a sandbox restored from a template sees the size of the template's slot.
qemu-img resize -q -f qcow2 "$work/out/agent.qcow2" 16G
echo "STEP done"
