# SPDX-License-Identifier: Apache-2.0
"""A network's proxy for tests: HTTP CONNECT (plain or by TLS) or SOCKS 5, with or without a login. It leads every name to loopback
and remembers what it was asked for."""
import base64, select, socket, ssl, struct, threading


class UpstreamProxy:
    """`lead` maps "name:port" to a port of 127.0.0.1; what is not in it is refused. `login` is "user:password"."""

    def __init__(self, kind, lead, login=None, certificate=None):
        self.kind, self.lead, self.login = kind, lead, login
        self.asked, self.logins = [], []
        self.context = None
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*certificate)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        try:
            client.settimeout(20)
            if self.context:
                client = self.context.wrap_socket(client, server_side=True)
            with client:
                target = self._socks(client) if self.kind == "socks5" else self._connect(client)
                if target:
                    with target:
                        relay(client, target)
        except (OSError, ValueError):
            pass

    def _connect(self, client):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = client.recv(1)
            if not byte:
                return None
            head += byte
        lines = head.decode("latin-1").split("\r\n")
        method, authority, _ = lines[0].split(" ")
        fields = dict((line.split(": ", 1)[0].lower(), line.split(": ", 1)[1]) for line in lines[1:] if ": " in line)
        given = fields.get("proxy-authorization", "")
        self.logins.append(base64.b64decode(given[6:]).decode() if given.startswith("Basic ") else None)
        if self.login and self.logins[-1] != self.login:
            client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n")
            return None
        self.asked.append(authority)
        if method != "CONNECT" or authority not in self.lead:
            client.sendall(b"HTTP/1.1 403 Not Here\r\nContent-Length: 0\r\n\r\n")
            return None
        target = socket.create_connection(("127.0.0.1", self.lead[authority]), 10)
        client.sendall(b"HTTP/1.1 200 Fine\r\nX-Some: thing\r\n\r\n")
        return target

    def _socks(self, client):
        def take(count):
            data = b""
            while len(data) < count:
                more = client.recv(count - len(data))
                if not more:
                    raise OSError("ended")
                data += more
            return data
        version, count = take(2)
        methods = take(count)
        wanted = 2 if self.login else 0
        client.sendall(bytes([5, wanted if wanted in methods else 255]))
        if version != 5 or wanted not in methods:
            return None
        if wanted == 2:
            _, size = take(2)
            user = take(size)
            password = take(take(1)[0])
            self.logins.append((user + b":" + password).decode())
            good = self.logins[-1] == self.login
            client.sendall(bytes([1, 0 if good else 1]))
            if not good:
                return None
        _, command, _, kind = take(4)
        host = (socket.inet_ntoa(take(4)) if kind == 1 else take(take(1)[0]).decode() if kind == 3 else "[" + socket.inet_ntop(socket.AF_INET6, take(16)) + "]")
        port = struct.unpack(">H", take(2))[0]
        authority = f"{host}:{port}"
        self.asked.append(authority)
        good = command == 1 and authority in self.lead
        client.sendall(bytes([5, 0 if good else 2, 0, 3, 4]) + b"here" + b"\0\0")
        return socket.create_connection(("127.0.0.1", self.lead[authority]), 10) if good else None


def relay(one, other):
    while True:
        ready = [one] if getattr(one, "pending", lambda: 0)() else select.select([one, other], [], [], 20)[0]
        if not ready:
            return
        for source in ready:
            data = source.recv(65536)
            if not data:
                return
            (other if source is one else one).sendall(data)
