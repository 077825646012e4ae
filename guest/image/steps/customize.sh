#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs inside the new root tree (chroot): the user, the shell, Docker's and the network's settings.
set -eu

rm -f /etc/apt/apt.conf.d/99mmdebstrap
cat > /etc/apt/sources.list <<'SOURCES'
deb http://deb.debian.org/debian trixie main
deb http://deb.debian.org/debian trixie-updates main
deb http://deb.debian.org/debian-security trixie-security main
SOURCES
rm -f /etc/apt/sources.list.d/*

getent group docker >/dev/null || groupadd --system docker
userdel ubuntu 2>/dev/null || true
groupadd --gid 1000 agent
useradd --uid 1000 --gid 1000 --groups docker,sudo --create-home --shell /bin/bash --password '*' agent
printf 'agent ALL=(ALL:ALL) NOPASSWD: ALL\n' > /etc/sudoers.d/coldframe
printf 'Defaults env_keep += "HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy SSL_CERT_FILE NODE_EXTRA_CA_CERTS"\nDefaults !use_pty\n' \
  > /etc/sudoers.d/coldframe-environment
chmod 0440 /etc/sudoers.d/*

agent_path=/opt/coldframe/agent/bin:/home/agent/.local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
printf 'PATH=%s\nLANG=C.UTF-8\n' "$agent_path" > /etc/environment
cat > /etc/profile.d/coldframe.sh <<PROFILE
export PATH=$agent_path
export LANG=\${LANG:-C.UTF-8}
PROFILE
sed -i "s|secure_path=.*|secure_path=\"$agent_path\"|" /etc/sudoers
cat > /home/agent/.bashrc <<'BASHRC'
# Shells in a Coldframe sandbox. Short, so that a prompt comes at once.
case $- in *i*) ;; *) return ;; esac
HISTCONTROL=ignoreboth
HISTSIZE=10000
shopt -s histappend checkwinsize
PS1='\[\e[32m\]\u@\h\[\e[0m\]:\[\e[34m\]\w\[\e[0m\]\$ '
alias ls='ls --color=auto' grep='grep --color=auto' ll='ls -l'
BASHRC
cp /home/agent/.bashrc /root/.bashrc
printf '[ -r ~/.bashrc ] && . ~/.bashrc\n' > /home/agent/.profile
mkdir -p /home/agent/.local/bin
printf 'prefix=/home/agent/.local\nfund=false\naudit=false\nupdate-notifier=false\n' > /home/agent/.npmrc
chown -R agent:agent /home/agent
ln -sf /usr/bin/fdfind /usr/local/bin/fd

update-alternatives --set iptables /usr/sbin/iptables-nft >/dev/null 2>&1 || true
update-alternatives --set ip6tables /usr/sbin/ip6tables-nft >/dev/null 2>&1 || true
rm -rf /etc/systemd/system/multi-user.target.wants /etc/init.d/docker

mkdir -p /opt/coldframe/agent /usr/lib/coldframe /newroot
rmdir /newroot
printf 'nameserver 198.18.0.1\noptions ndots:1\n' > /etc/resolv.conf
printf '127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n127.0.1.1 coldframe\n' > /etc/hosts
printf 'coldframe\n' > /etc/hostname
printf 'LABEL=COLDFRAME_ROOT / ext4 rw 0 1\n' > /etc/fstab
: > /etc/machine-id

if [ -d /run/coldframe-host-ca ]; then
  cp /run/coldframe-host-ca/*.crt /usr/local/share/ca-certificates/
  update-ca-certificates >/dev/null
fi

rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/*.log /var/log/apt /var/lib/dpkg/*-old \
  /usr/share/doc/* /usr/share/man/* /usr/share/info/* /usr/share/lintian /usr/share/bug /root/.npm /tmp/* /run/*
find /usr/share/locale -mindepth 1 -maxdepth 1 ! -name 'C*' -exec rm -rf {} +
