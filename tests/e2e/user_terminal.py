# SPDX-License-Identifier: Apache-2.0
"""A program on a terminal of its own, as a user's terminal window runs it."""
import fcntl, os, pty, struct, subprocess, termios, threading, time


class Shell:
    """Runs a command line in a clean environment. Closing it is what closing the window is: the program gets a hang-up."""

    def __init__(self, command, environment, cwd, rows=40, columns=120):
        self.began = time.monotonic()
        self.first_byte = None
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process = subprocess.Popen(["setsid", "--ctty", "env", "-i", *(f"{k}={v}" for k, v in environment.items()), "bash", "--norc", "-c", "exec " + command],
                                        stdin=slave, stdout=slave, stderr=slave, cwd=cwd)
        os.close(slave)
        self.output = b""
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        try:
            while data := os.read(self.master, 65536):
                if self.first_byte is None:
                    self.first_byte = time.monotonic() - self.began
                self.output += data
        except OSError:
            pass

    def type(self, text):
        os.write(self.master, text.encode() if isinstance(text, str) else text)

    def wait(self, seconds=20):
        """The exit code; the output is whole then."""
        code = self.process.wait(seconds)
        self.reader.join(5)
        return code

    def end(self):
        self.process.terminate()
        self.process.wait(10)
        os.close(self.master)
