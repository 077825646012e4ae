# SPDX-License-Identifier: Apache-2.0
"""The command line as a person or a script uses it: with pipes, or on a terminal."""
import os, pty, select, signal, subprocess, time

# What the command line promises (coldframe --help).
DONE, FAILED, USAGE, NOT_FOUND, UNAVAILABLE, REFUSED = 0, 1, 2, 3, 4, 5


class Outcome:
    def __init__(self, status, out, err, seconds):
        self.status, self.out, self.err, self.seconds = status, out, err, seconds

    def __repr__(self):
        return f"status {self.status} after {self.seconds:.1f} s\n{self.out[-3000:]}{self.err[-3000:]}"


def coldframe(t, *words, stdin=b"", environment=None, folder=None, seconds=120):
    """Runs `coldframe words…` to its end."""
    began = time.monotonic()
    done = subprocess.run([str(t.root / "bin/coldframe"), *words], input=stdin, capture_output=True, timeout=seconds,
                          env={**t.environment, **(environment or {})}, cwd=folder or t.home)
    return Outcome(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"), time.monotonic() - began)


class Terminal:
    """`coldframe words…` on a terminal of its own."""

    def __init__(self, t, *words, environment=None, folder=None):
        self.output, self.status, self.began = b"", None, time.monotonic()
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.chdir(folder or t.home)
            os.execve(str(t.root / "bin/coldframe"), ["coldframe", *words], {**t.environment, "TERM": "xterm", **(environment or {})})

    def expect(self, text, seconds=30):
        """True when the text has appeared."""
        end = time.monotonic() + seconds
        while text not in self.output and time.monotonic() < end:
            ready, _, _ = select.select([self.master], [], [], 0.2)
            if ready and not self._read():
                break
        return text in self.output

    def send(self, data):
        os.write(self.master, data)

    def wait(self, seconds=60):
        """The exit status, or None when it did not end in time (it is killed then)."""
        end = time.monotonic() + seconds
        while self.status is None and time.monotonic() < end:
            ready, _, _ = select.select([self.master], [], [], 0.1)
            if ready:
                self._read()
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                self.status = os.waitstatus_to_exitcode(status)
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        while self._read():
            pass
        os.close(self.master)
        return self.status

    def _read(self):
        try:
            data = os.read(self.master, 65536)
        except OSError:
            return False
        self.output += data
        return bool(data)
