# SPDX-License-Identifier: Apache-2.0
"""A room: name spaces of an ordinary user in which programs of the host run as they would in a sandbox. Its names lead to the real proxy
and dialler, its list of CAs has the proxy's, and there is no other way out. It costs no microVM, and its programs run at full speed.

As a program (`room.py CONFIG`) it is the part inside: it makes the room and carries its connections to the door."""
import json, os, pathlib, socket, struct, subprocess, sys, tempfile, threading, time

BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
JAVA_STORE = "/etc/ssl/certs/java/cacerts"


def rule(pattern):
    return {"id": "allow-" + pattern, "action": "allow", "pattern": pattern, "scope": "sandbox", "origin": "user"}


class Door:
    """The proxy with its dialler, spoken to as an engine and a guest do."""

    def __init__(self, build, socket_path, setup, log):
        build = pathlib.Path(build)
        self.lock = threading.Lock()
        self.process = subprocess.Popen([build / "tests/coldframe-test-door", socket_path, build / "bin/coldframe-proxy", build / "bin/coldframe-dial"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
        self.ca = self.ask(**setup)["ca"]

    def ask(self, **question):
        with self.lock:
            self.process.stdin.write(json.dumps(question) + "\n")
            self.process.stdin.flush()
            return json.loads(self.process.stdout.readline())

    def connections(self, host, verdict="allowed"):
        return self.ask(host=host, verdict=verdict)["connections"]

    def close(self):
        self.process.stdin.close()
        self.process.wait(20)


class Result:
    def __init__(self, status, out, err, seconds):
        self.status, self.out, self.err, self.seconds = status, out, err, seconds

    def __str__(self):
        return f"status {self.status}\n{self.out[-3000:]}{self.err[-3000:]}"


class Room:
    """`places` are the "name:port" that exist in it."""

    def __init__(self, folder, build, places, setup, variables):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="room", dir=folder))
        self.log = open(self.folder / "room.log", "ab")
        self.door = Door(build, str(self.folder / "door"), {**setup, "javaStore": str(self.folder / "cacerts")}, self.log)
        names = sorted({place.rsplit(":", 1)[0] for place in places})
        addresses = {name: f"127.0.100.{number + 1}" for number, name in enumerate(names)}
        (self.folder / "hosts").write_text("127.0.0.1 localhost\n" + "".join(f"{a} {n}\n" for n, a in addresses.items()))
        (self.folder / "resolv.conf").write_text("nameserver 127.0.0.1\n")
        (self.folder / "bundle").write_bytes(pathlib.Path(BUNDLE).read_bytes() + b"\n" + self.door.ca.encode())
        (self.folder / "ca.pem").write_text(self.door.ca)
        self.home = self.folder / "home"
        self.home.mkdir()
        config = {"door": str(self.folder / "door"), "ready": str(self.folder / "ready"),
                  "listen": [[addresses[place.rsplit(":", 1)[0]], int(place.rsplit(":", 1)[1]), place] for place in places],
                  "mounts": [[str(self.folder / "hosts"), "/etc/hosts"], [str(self.folder / "resolv.conf"), "/etc/resolv.conf"],
                             [str(self.folder / "bundle"), BUNDLE]]}
        if os.path.isfile(JAVA_STORE):
            config["mounts"].append([str(self.folder / "cacerts"), JAVA_STORE])
        (self.folder / "config.json").write_text(json.dumps(config))
        self.inside = subprocess.Popen(["unshare", "--user", "--map-current-user", "--keep-caps", "--net", "--mount", "--", "/usr/bin/python3",
                                        os.path.abspath(__file__), str(self.folder / "config.json")], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + 30
        while not (self.folder / "ready").exists():
            if self.inside.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("no room: " + (self.folder / "room.log").read_text()[-2000:])
            time.sleep(0.05)
        self.environment = {"HOME": str(self.home), "USER": "agent", "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1",
                            "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", **variables}

    def run(self, command, folder=None, seconds=120, **variables):
        """A program, or a line for the shell, in the room."""
        argv = command if isinstance(command, list) else ["/bin/sh", "-c", command]
        began = time.monotonic()
        name_spaces = ["nsenter", "--target", str(self.inside.pid), "--user", "--preserve-credentials", "--net", "--mount", "--",
                       "/bin/sh", "-c", 'cd "$0" && exec "$@"', str(folder or self.home)]
        try:
            done = subprocess.run(name_spaces + [str(word) for word in argv], env={**self.environment, **variables}, stdin=subprocess.DEVNULL,
                                  capture_output=True, timeout=seconds)
            status, out, err = done.returncode, done.stdout, done.stderr
        except subprocess.TimeoutExpired as late:
            status, out, err = "late", late.stdout or b"", late.stderr or b""
        return Result(status, out.decode(errors="replace"), err.decode(errors="replace"), time.monotonic() - began)

    def close(self):
        self.inside.kill()
        self.inside.wait(10)
        self.door.close()
        self.log.close()


def carry(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        for side in (source, target):
            try:
                side.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def connected(client, door, place):
    with client, socket.socket(socket.AF_UNIX) as out:
        out.connect(door)
        out.sendall(place.encode() + b"\n")
        back = threading.Thread(target=carry, args=(out, client), daemon=True)
        back.start()
        carry(client, out)
        back.join()


def listen(address, port, place, door):
    listener = socket.create_server((address, port), backlog=128)

    def serve():
        while True:
            client, _ = listener.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=connected, args=(client, door, place), daemon=True).start()
    threading.Thread(target=serve, daemon=True).start()


def be_inside(config):
    import fcntl
    with socket.socket() as any_socket:
        request = struct.pack("16sh22x", b"lo", 0x1 | 0x40)  # IFF_UP | IFF_RUNNING
        fcntl.ioctl(any_socket, 0x8914, request)  # SIOCSIFFLAGS
    for source, target in config["mounts"]:
        subprocess.run(["mount", "--bind", source, target], check=True)
    for address, port, place in config["listen"]:
        listen(address, port, place, config["door"])
    pathlib.Path(config["ready"]).touch()
    threading.Event().wait()


if __name__ == "__main__":
    be_inside(json.loads(pathlib.Path(sys.argv[1]).read_text()))
