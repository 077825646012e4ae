#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Puts the kernel's useful modules, uncompressed, into the tree and writes the load lists.
# Uncompressed, because xz is slow under emulation and init loads them without modprobe.
set -euo pipefail
tree=$COLDFRAME_WORK/tree
kernel=$COLDFRAME_WORK/kernel
boot=$COLDFRAME_WORK/boot
from=$(find "$kernel/usr/lib/modules" "$kernel/lib/modules" -mindepth 1 -maxdepth 1 -type d 2>/dev/null | head -1 || true)
[ -n "$from" ] || { echo "the kernel package has no modules"; exit 1; }
release=$(basename "$from")
to=$tree/usr/lib/modules/$release
mkdir -p "$to" "$boot/modules"
(cd "$from" && find kernel/net kernel/fs/overlayfs kernel/fs/fuse kernel/fs/erofs kernel/fs/squashfs kernel/fs/nls kernel/lib kernel/crypto \
   kernel/arch/x86/crypto kernel/drivers/virtio kernel/drivers/block kernel/drivers/net kernel/drivers/char/hw_random kernel/drivers/char/virtio_console* \
   kernel/drivers/crypto/virtio -name '*.ko*' 2>/dev/null || true) |
  grep -v -E '/(net/(ethernet|wireless|phy|hyperv|xen|usb|wwan)|(ceph|sunrpc|rds|tipc|sctp|dccp|bluetooth|9p|smc|mac80211|wireless)/|drivers/net/(vmxnet3|fjes|team))' > "$COLDFRAME_WORK/modules.kept" || true
# Whatever a kept module needs is kept too.
python3 - "$from/modules.dep" "$COLDFRAME_WORK/modules.kept" <<'PYTHON'
import sys
needs = dict(line.rstrip("\n").split(":", 1) for line in open(sys.argv[1])) if __import__("os").path.exists(sys.argv[1]) else {}
kept = open(sys.argv[2]).read().split()
for name in list(kept):
    kept += needs.get(name, "").split()
open(sys.argv[2], "w").write("\n".join(sorted(set(kept))) + "\n")
PYTHON
tar -C "$from" -c -T "$COLDFRAME_WORK/modules.kept" | tar -C "$to" -x
find "$to" -name '*.ko.xz' -print0 | xargs -0 -r -n 64 -P 2 xz -d
cp "$from"/modules.builtin* "$from"/modules.order "$to"/
chroot "$tree" depmod "$release"
loadOrder() {
  for module in "$@"; do
    chroot "$tree" modprobe -S "$release" --show-depends "$module" 2>/dev/null || echo "missing $module" >&2
  done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!seen[$0]++'
}
loadOrder dummy nf_tables nft_chain_nat nft_nat nft_redir nft_ct nft_reject_inet nft_reject_ipv4 nft_reject_ipv6 nft_log nft_limit nft_masq \
  nfnetlink_log nf_log_syslog tun > "$tree/usr/lib/coldframe/modules-network.list"
loadOrder overlay bridge br_netfilter veth nft_compat xt_MASQUERADE xt_addrtype xt_conntrack xt_mark xt_nat xt_tcpudp xt_comment xt_REDIRECT \
  nf_conntrack_netlink ip6_tables ipt_REJECT xt_set vxlan > "$tree/usr/lib/coldframe/modules-docker.list"
loadOrder virtio_mmio virtio_blk virtio_console virtio_rng virtio_balloon ext4 > "$boot/modules.order"
: > "$boot/modules.list"
while read -r path; do
  cp "$tree$path" "$boot/modules/$(basename "$path")"
  echo "/modules/$(basename "$path")" >> "$boot/modules.list"
done < "$boot/modules.order"
cp "$kernel/boot/vmlinuz-$release" "$boot/vmlinuz"
printf '%s' "$release" > "$boot/release"
