#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# with_keyring.sh unlocked|locked|none PROGRAM: runs PROGRAM with a home, a session bus and a keyring of its own.
#   unlocked  a real gnome-keyring-daemon with an unlocked login keyring
#   locked    the same, its keyring locked before the program starts
#   none      no session bus at all
set -eu
keyring=$1
program=$2
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
mkdir -m 0700 "$home/run"
export HOME=$home XDG_RUNTIME_DIR=$home/run XDG_DATA_HOME=$home/data XDG_CONFIG_HOME=$home/config COLDFRAME_TEST_KEYRING=$keyring
# As over SSH: nothing says which desktop this is.
unset XDG_CURRENT_DESKTOP DESKTOP_SESSION KDE_FULL_SESSION GNOME_DESKTOP_SESSION_ID DISPLAY WAYLAND_DISPLAY DBUS_SESSION_BUS_ADDRESS
if [ "$keyring" = none ]; then
    timeout 60 "$program"
    exit
fi
cat > "$home/session.sh" <<'SESSION'
printf test-password | gnome-keyring-daemon --unlock --components=secrets --foreground > "$HOME/keyring.log" 2>&1 &
daemon=$!
trap 'kill $daemon 2> /dev/null || true' EXIT
# Asked by its own name before it is there, the bus would start a second daemon, and both would write the keyring's file.
for _ in $(seq 100); do
    gdbus call --session --timeout 5 --dest org.freedesktop.DBus --object-path /org/freedesktop/DBus \
        --method org.freedesktop.DBus.NameHasOwner org.freedesktop.secrets 2> /dev/null | grep -q true && break
    sleep 0.05
done
for _ in $(seq 100); do
    gdbus call --session --timeout 5 --dest org.freedesktop.secrets --object-path /org/freedesktop/secrets \
        --method org.freedesktop.Secret.Service.ReadAlias default 2> /dev/null | grep -q collection && break
    sleep 0.1
done
if [ "$COLDFRAME_TEST_KEYRING" = locked ]; then
    gdbus call --session --timeout 5 --dest org.freedesktop.secrets --object-path /org/freedesktop/secrets \
        --method org.freedesktop.Secret.Service.Lock "['/org/freedesktop/secrets/collection/login']" > /dev/null
fi
timeout 60 "$1"
SESSION
timeout 80 dbus-run-session -- bash "$home/session.sh" "$program"
