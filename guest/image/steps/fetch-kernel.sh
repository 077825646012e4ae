#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Hook of mmdebstrap, while the package lists are still there: the kernel is downloaded and unpacked beside the
# tree instead of installed, because its package would bring initramfs-tools.
set -euo pipefail
tree=$1
kernel=$COLDFRAME_WORK/kernel
mkdir -p "$kernel"
package=$(chroot "$tree" apt-cache depends linux-image-cloud-amd64 | sed -n 's/^ *Depends: \(linux-image-[^ ]*\)$/\1/p' | head -1)
[ -n "$package" ] || { echo "no kernel package found" >&2; exit 1; }
chroot "$tree" sh -c "cd /var/cache/apt/archives && apt-get -q -o APT::Sandbox::User=root download $package" >&2
dpkg-deb -x "$tree"/var/cache/apt/archives/linux-image-*.deb "$kernel"
chroot "$tree" apt-cache show "$package" | sed -n 's/^Version: //p' | head -1 > "$kernel/version"
printf '%s' "$package" > "$kernel/package"
rm -f "$tree"/var/cache/apt/archives/linux-image-*.deb
