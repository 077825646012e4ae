# SPDX-License-Identifier: Apache-2.0
# Sourced by installer/start and tests/run: which distribution this is, which packages are missing, the user.

# Prints the column of packages.tsv for this machine, counted from 1; nothing when it is not in the table.
distributionColumn() {
  local id="" version="" like=""
  id=$(. /etc/os-release && echo "${ID:-}")
  version=$(. /etc/os-release && echo "${VERSION_ID:-}")
  like=$(. /etc/os-release && echo "${ID_LIKE:-}")
  case "$id-$version" in
    debian-12) echo 3 ;;
    debian-13) echo 4 ;;
    ubuntu-*) echo 5 ;;
    fedora-*) echo 6 ;;
    arch-*) echo 7 ;;
    opensuse*) echo 8 ;;
    *) case " $like " in *" ubuntu "*) echo 5 ;; *" debian "*) echo 4 ;; *" fedora "*) echo 6 ;; *" arch "*) echo 7 ;; *suse*) echo 8 ;; esac ;;
  esac
}

# Not every relative of Debian 13 that takes its column.
distributionIsTested() { case "$(. /etc/os-release && echo "${ID:-}-${VERSION_ID:-}")" in debian-12 | debian-13) return 0 ;; *) return 1 ;; esac; }

distributionName() { . /etc/os-release && echo "${PRETTY_NAME:-${ID:-This system}}"; }

# "why<TAB>packages" for each line of the table with one of the given uses: column, uses.
namedPackages() {
  local column=$1
  shift
  awk -F'\t' -v column="$column" -v uses=" $* " '!/^#/ && index(uses, " " $1 " ") && $column != "-" { print $2 "\t" $column }' \
    "$(dirname "${BASH_SOURCE[0]}")/packages.tsv"
}

# The same for this machine; fails when it is not in the table.
neededPackages() {
  local column
  column=$(distributionColumn)
  [ -n "$column" ] || return 1
  namedPackages "$column" "$@"
}

packageIsInstalled() {
  case "$(distributionColumn)" in
    3 | 4 | 5) [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ] ;;
    7) pacman -Q "$1" >/dev/null 2>&1 ;;
    *) rpm -q --whatprovides "$1" >/dev/null 2>&1 ;;
  esac
}

# Those of the packages that are not there, one a line: "package<TAB>why".
missingPackages() {
  local why packages package
  neededPackages "$@" | while IFS=$'\t' read -r why packages; do
    for package in $packages; do
      packageIsInstalled "$package" || printf '%s\t%s\n' "$package" "$why"
    done
  done
}

# What installs packages here, for a person to type.
installCommand() {
  case "$(distributionColumn)" in
    3 | 4 | 5) echo apt-get install --no-install-recommends ;;
    6) echo dnf install ;;
    7) echo pacman -S --needed ;;
    8) echo zypper install ;;
  esac
}

# Installs packages given as arguments; needs root or sudo. With $log set and showApt there (installer/progress.sh), apt's
# own words go there and its progress is shown.
installPackages() {
  local asRoot=()
  [ "$(id -u)" = 0 ] || asRoot=(sudo)
  case "$(distributionColumn)" in
    3 | 4 | 5)
      if [ -n "${log:-}" ] && declare -F showApt >/dev/null; then
        aptInstall "$@" 2>&1 | showApt "$log"
      else
        aptInstall "$@"
      fi
      ;;
    6) "${asRoot[@]}" dnf -y install "$@" ;;
    7) "${asRoot[@]}" pacman -S --needed --noconfirm "$@" ;;
    8) "${asRoot[@]}" zypper --non-interactive install "$@" ;;
    *) return 1 ;;
  esac
}

aptInstall() {
  local apt=("${asRoot[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o APT::Status-Fd=1 -o DPkg::Lock::Timeout=120)
  # An installation that was interrupted is finished first.
  "${asRoot[@]}" env DEBIAN_FRONTEND=noninteractive dpkg --configure -a &&
    "${apt[@]}" update && # a source that does not answer matters only when something needed is missing then
    "${apt[@]}" --fix-broken --no-install-recommends install "$@"
}

# A first free range of 65536 ids after those in the file.
nextIdRange() {
  cat "$1" 2>/dev/null | awk -F: 'BEGIN { top = 100000 } { end = $2 + $3; if (end > top) top = end } END { printf "%d-%d", top, top + 65535 }'
}

# As root: the user exists, has ranges for user namespaces, and may use KVM where there is one.
ensureUser() {
  local name=$1
  id "$name" >/dev/null 2>&1 || useradd --create-home --shell "${2:-/bin/bash}" "$name"
  touch /etc/subuid /etc/subgid
  grep -q "^$name:" /etc/subuid || usermod --add-subuids "$(nextIdRange /etc/subuid)" "$name"
  grep -q "^$name:" /etc/subgid || usermod --add-subgids "$(nextIdRange /etc/subgid)" "$name"
  if getent group kvm >/dev/null && ! id -nG "$name" | grep -qw kvm; then
    usermod --append --groups kvm "$name"
  fi
}

# As root: the runtime folder that a log-in session would have made, and at every start of the machine where systemd can.
ensureRuntimeFolder() {
  local uid
  uid=$(id -u "$1")
  [ -d "/run/user/$uid" ] && return
  if [ -d /run/systemd/system ] && loginctl enable-linger "$1" 2>/dev/null; then
    for _ in 1 2 3 4 5 6 7 8 9 10; do
      [ -d "/run/user/$uid" ] && return
      sleep 0.3
    done
  fi
  install -d -m 0755 /run/user
  install -d -m 0700 -o "$1" -g "$(id -g "$1")" "/run/user/$uid"
}

# As root: runs a command as the user, with a session's variables and without a controlling terminal. Ctrl-C, which therefore
# does not reach the command, is passed on to it.
asUserWithInput() {
  local name=$1 home uid child status=0
  shift
  home=$(getent passwd "$name" | cut -d: -f6)
  uid=$(id -u "$name")
  local unset=(-u DBUS_SESSION_BUS_ADDRESS -u SUDO_USER) variable
  for variable in $(compgen -e XDG_); do unset+=(-u "$variable"); done
  (cd "$home" && exec setsid --wait setpriv --reuid "$name" --regid "$(id -g "$name")" --init-groups \
    env "${unset[@]}" HOME="$home" USER="$name" LOGNAME="$name" XDG_RUNTIME_DIR="/run/user/$uid" "$@") <&0 &
  child=$!
  trap 'kill -TERM -- "-$child" 2>/dev/null; wait "$child"; exit 130' INT TERM HUP
  wait "$child" || status=$?
  trap - INT TERM HUP
  return "$status"
}

asUser() { asUserWithInput "$@" < /dev/null; }
