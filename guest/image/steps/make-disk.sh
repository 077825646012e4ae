#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes the root disk and the boot parts in $COLDFRAME_WORK. Runs as root of a user namespace of the caller's own
# (see coldframe_image/namespace.py), so the tree has its real owners and nothing needs a privilege.
# Environment: COLDFRAME_WORK, COLDFRAME_MIRROR, COLDFRAME_SECURITY_MIRROR, COLDFRAME_HOST_CA (bundle file),
# COLDFRAME_KEEP_CA (folder of extra certificates, or empty), COLDFRAME_DISK_SIZE.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
recipe=$(dirname "$here")
work=$COLDFRAME_WORK
tree=$work/tree
export TMPDIR=$work LC_ALL=C.UTF-8 PATH=$PATH:/usr/sbin:/sbin
export HOME=$work/home
mkdir -p "$HOME" "$work/boot"

sources=$work/sources.list
cat > "$sources" <<LIST
deb $COLDFRAME_MIRROR trixie main
deb $COLDFRAME_MIRROR trixie-updates main
deb $COLDFRAME_SECURITY_MIRROR trixie-security main
LIST

aptOptions=(--aptopt='Acquire::Languages "none"' --aptopt='Acquire::Retries "3"')
[ -r "$COLDFRAME_HOST_CA" ] && aptOptions+=(--aptopt="Acquire::https::CAInfo \"$COLDFRAME_HOST_CA\"")
for kind in http https; do
  proxy=$(apt-config dump "Acquire::$kind::Proxy" 2>/dev/null | sed -n 's/^[^"]*"\(.*\)";$/\1/p' | head -1 || true)
  [ -n "$proxy" ] && aptOptions+=(--aptopt="Acquire::$kind::Proxy \"$proxy\"")
done
bootstrap() { # tree, packages, further options
  local target=$1 packages=$2
  shift 2
  mmdebstrap --mode=root --variant=minbase --architectures=amd64 --include="$packages" --format=directory --verbose \
    "${aptOptions[@]}" --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/info/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' "$@" trixie "$target" "$sources"
}

# Debian's npm is a means only: in a tree of its own it fetches the current Node and npm, and its 340 packages are
# not left in the image.
makeNode() {
  bootstrap "$work/npm-tree" npm,ca-certificates
  cp "$COLDFRAME_HOST_CA" "$work/npm-tree/run/host-ca.crt"
  cp -L /etc/resolv.conf /etc/hosts "$work/npm-tree/etc/"
  "$here/in-tree.sh" "$work/npm-tree" env NODE_EXTRA_CA_CERTS=/run/host-ca.crt npm_config_cafile=/run/host-ca.crt HOME=/root \
    npm install --global --prefix /usr/local --no-fund --no-audit --no-update-notifier node@24 npm@11
  local modules=$work/npm-tree/usr/local/lib/node_modules
  mkdir -p "$work/node/bin" "$work/node/lib/node_modules"
  cp -L "$modules/node/bin/node" "$work/node/bin/node"
  strip --strip-debug "$work/node/bin/node" 2>/dev/null || true
  cp -a "$modules/npm" "$work/node/lib/node_modules/npm"
  # npmrc: settings of Debian's npm, which it hands on to the npm it installs and which that one does not know.
  rm -rf "$work/node/lib/node_modules/npm"/{docs,man,npmrc}
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$work/node/bin/npm"
  ln -s ../lib/node_modules/npm/bin/npx-cli.js "$work/node/bin/npx"
  rm -rf "$work/npm-tree"
}

echo "STEP node"
makeNode > "$work/node.log" 2>&1 &
nodeJob=$!
echo "STEP packages"
packages=$(grep -v '^#' "$recipe/packages.list" | paste -sd,)
if ! bootstrap "$tree" "$packages" --customize-hook="'$here/fetch-kernel.sh' \"\$1\"" 2>&1; then
  kill "$nodeJob" 2>/dev/null || true
  echo "FAILED The Debian packages could not be fetched or unpacked."
  exit 1
fi
echo "STEP node-wait"
if ! wait "$nodeJob"; then
  tail -n 40 "$work/node.log"
  echo "FAILED Node could not be fetched from the npm registry."
  exit 1
fi
echo "STEP customize"
cp -a --no-preserve=ownership "$work/node/." "$tree/usr/local/"
if [ -n "$COLDFRAME_KEEP_CA" ]; then
  mkdir -p "$tree/run/coldframe-host-ca"
  cp "$COLDFRAME_KEEP_CA"/*.crt "$tree/run/coldframe-host-ca/"
fi
cp "$here/customize.sh" "$tree/run/customize.sh"
"$here/in-tree.sh" "$tree" /bin/sh /run/customize.sh
"$here/modules.sh"
chroot "$tree" dpkg-query -W -f '${Package}\t${Version}\n' > "$work/boot/packages.tsv"
printf 'node\t%s\nnpm\t%s\n%s\t%s\n' "$(chroot "$tree" node --version)" \
  "$(sed -n 's/^ *"version": "\(.*\)",*$/\1/p' "$tree/usr/local/lib/node_modules/npm/package.json" | head -1)" \
  "$(cat "$work/kernel/package")" "$(cat "$work/kernel/version")" >> "$work/boot/packages.tsv"

echo "STEP disk"
# Inode tables are zeroed here (holes of a sparse file), or each sandbox's kernel would write them into its overlay.
truncate -s "$COLDFRAME_DISK_SIZE" "$work/base.raw"
mkfs.ext4 -q -F -L COLDFRAME_ROOT -m 0 -i 32768 -E lazy_itable_init=0,lazy_journal_init=0 -J size=64 -d "$tree" "$work/base.raw"
echo "STEP compress"
qemu-img convert -f raw -O qcow2 -c -o compression_type=zstd,cluster_size=65536 -W -m 4 "$work/base.raw" "$work/boot/base.qcow2"
rm -f "$work/base.raw"
echo "STEP done"
