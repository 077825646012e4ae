# SPDX-License-Identifier: Apache-2.0
"""A session bus with a real GNOME Keyring, private to a test, and a record of what was asked of it."""
import subprocess
from harness import wait_for

SERVICE = "/org/freedesktop/secrets"


class Keychain:
    def __init__(self, t):
        address = f"unix:path={t.root}/bus"
        self.environment = {**t.environment, "DBUS_SESSION_BUS_ADDRESS": address}
        self._log, self.monitor_log = open(t.logs / "keychain.log", "ab"), t.logs / "bus.log"
        self._start(t, ["dbus-daemon", "--session", "--nofork", "--nopidfile", f"--address={address}"])
        wait_for(lambda: (t.root / "bus").exists(), 20)
        # Before the keyring, so that nothing asked of it is missed.
        self._start(t, ["dbus-monitor", "--session", "type='method_call'"], stdout=open(self.monitor_log, "wb"))
        daemon = self._start(t, ["gnome-keyring-daemon", "--unlock", "--components=secrets", "--foreground"], stdin=subprocess.PIPE)
        daemon.stdin.write(b"test-password")
        daemon.stdin.close()
        if not wait_for(lambda: "collection" in self.call("ReadAlias", "default"), 30, 0.2):
            raise RuntimeError("no keyring: " + self.call("ReadAlias", "default"))

    def _start(self, t, command, stdin=subprocess.DEVNULL, stdout=None):
        child = subprocess.Popen(command, env=self.environment, stdin=stdin, stdout=stdout or self._log, stderr=self._log, cwd="/",
                                 start_new_session=True)
        t.children.append(child)
        return child

    def call(self, method, argument):
        done = subprocess.run(["gdbus", "call", "--session", "--timeout", "10", "--dest", "org.freedesktop.secrets", "--object-path", SERVICE,
                               "--method", "org.freedesktop.Secret.Service." + method, argument],
                              env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
        return done.stdout + done.stderr

    def lock(self):
        return self.call("Lock", f"['{SERVICE}/collection/login']")

    def ask_to_unlock(self):
        """What a program does that would make a prompt appear."""
        return self.call("Unlock", f"['{SERVICE}/collection/login']")

    def asked(self, *members):
        """Which of these methods somebody called on the bus."""
        text = self.monitor_log.read_text(errors="replace")
        return [m for m in members if f"member={m}\n" in text]
