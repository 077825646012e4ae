# SPDX-License-Identifier: Apache-2.0
"""The servers that real clients are led to: HTTP with streaming, git, a package index, a crate index, Go modules, WebSockets, gRPC, SSH."""
import asyncio, base64, concurrent.futures, contextlib, gzip, hashlib, io, json, os, pathlib, shutil, socket, ssl, subprocess, tarfile, threading, types, zipfile
import harness


class Web(harness.Handler):
    """GET /hello tells which authorization arrived; POST /echo gives back; GET /events sends the next event when /next was asked for."""

    def do_GET(self):
        self.server.seen.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, b""))
        if self.path == "/events":
            return self.events()
        if self.path == "/next":
            self.server.gate.release()
            return self.send(200, b"next\n")
        if self.path == "/packed":
            return self.send(200, gzip.compress(b"packed " * 5000), {"content-encoding": "gzip"})
        if self.path == "/large":
            return self.send(200, b"l" * (4 << 20))
        self.send(200, json.dumps({"authorization": self.headers.get("authorization", "")}).encode(), {"content-type": "application/json"})

    def do_POST(self):
        body = self.body()
        self.server.seen.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body[:1000]))
        self.send(200, body)

    do_PUT = do_POST

    def body(self):
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        whole = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            whole += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline() not in (b"\r\n", b""):
            pass
        return whole

    def send(self, status, data, more=()):
        self.send_response(status)
        for name, value in {"content-length": str(len(data)), **dict(more)}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def events(self):
        """Event n + 1 is sent only when the client, who has seen event n, asks for it on another connection."""
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for number in range(3):
            if number and not self.server.gate.acquire(timeout=30):
                return
            text = f"data: event-{number}\n\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(text), text))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")


class Files(harness.Handler):
    """server.files: path → bytes."""

    def do_GET(self):
        self.server.seen.append((self.command, self.path, dict(self.headers), b""))
        data = self.server.files.get(self.path.split("?")[0])
        self.send_response(200 if data is not None else 404)
        self.send_header("content-length", str(len(data or b"")))
        self.send_header("content-type", "text/html" if self.path.endswith("/") else "application/octet-stream")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data or b"")

    do_HEAD = do_GET


class Git(Web):
    """git http-backend behind Basic authentication: only server.password may push."""

    def do_GET(self):
        self.backend(b"")

    def do_POST(self):
        self.backend(self.body())

    def backend(self, body):
        path, _, query = self.path.partition("?")
        given = base64.b64decode(self.headers.get("authorization", "Basic ").split(" ", 1)[1] or b"").decode().partition(":")[2]
        self.server.seen.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, b""))
        if "receive-pack" in self.path and given != self.server.password:
            return self.send(401, b"who are you\n", {"www-authenticate": 'Basic realm="git"'})
        environment = {"PATH": "/usr/bin:/bin", "GIT_PROJECT_ROOT": str(self.server.root), "GIT_HTTP_EXPORT_ALL": "1", "REQUEST_METHOD": self.command,
                       "PATH_INFO": path, "QUERY_STRING": query, "CONTENT_TYPE": self.headers.get("content-type", ""), "CONTENT_LENGTH": str(len(body)),
                       "HTTP_CONTENT_ENCODING": self.headers.get("content-encoding", ""), "GIT_PROTOCOL": self.headers.get("git-protocol", ""),
                       "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*", "HOME": str(self.server.root)}
        if given == self.server.password:
            environment["REMOTE_USER"] = "agent"
        out = subprocess.run(["git", "http-backend"], input=body, env=environment, capture_output=True, timeout=60).stdout
        head, _, data = out.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
        self.send(int(fields.pop("Status", "200").split()[0]), data, fields)


def wheel(name="cfdemo", version="1.0"):
    """(file name, bytes) of a wheel with one module."""
    files = {f"{name}.py": b"ANSWER = 42\n", f"{name}-{version}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
             f"{name}-{version}.dist-info/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    record = f"{name}-{version}.dist-info/RECORD"
    files[record] = "".join(f"{n},sha256={base64.urlsafe_b64encode(hashlib.sha256(d).digest()).decode().rstrip('=')},{len(d)}\n" for n, d in files.items()).encode() + f"{record},,\n".encode()
    return f"{name}-{version}-py3-none-any.whl", zipped(files)


def zipped(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def package_index():
    name, data = wheel()
    page = f'<!DOCTYPE html><a href="../../files/{name}#sha256={hashlib.sha256(data).hexdigest()}">{name}</a>'
    return {"/simple/cfdemo/": page.encode(), "/files/" + name: data}


def crate_index():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, text in (("Cargo.toml", '[package]\nname = "cfdemo"\nversion = "0.1.0"\nedition = "2021"\n'), ("src/lib.rs", "pub fn answer() -> u32 { 42 }\n")):
            member = tarfile.TarInfo("cfdemo-0.1.0/" + name)
            member.size, member.mode = len(text), 0o644
            archive.addfile(member, io.BytesIO(text.encode()))
    crate = out.getvalue()
    line = {"name": "cfdemo", "vers": "0.1.0", "deps": [], "cksum": hashlib.sha256(crate).hexdigest(), "features": {}, "yanked": False}
    return {"/index/config.json": b'{"dl": "https://crates.example/dl/{crate}/{version}"}', "/index/cf/de/cfdemo": json.dumps(line).encode() + b"\n",
            "/dl/cfdemo/0.1.0": crate}


def go_modules():
    module, version = "modules.example/cfdemo", "v1.0.0"
    text = f"module {module}\n\ngo 1.16\n".encode()
    at = f"/{module}/@v/"
    return {at + "list": version.encode() + b"\n", at + version + ".info": json.dumps({"Version": version, "Time": "2026-01-01T00:00:00Z"}).encode(),
            at + version + ".mod": text, at + version + ".zip": zipped({f"{module}@{version}/go.mod": text, f"{module}@{version}/demo.go": b"package cfdemo\n\nconst Answer = 42\n"})}


class Background:
    """An asyncio server in a thread."""

    def __init__(self, start):
        self.loop, ready = asyncio.new_event_loop(), threading.Event()

        async def begin():
            self.port = await start()
            ready.set()
        threading.Thread(target=lambda: (self.loop.create_task(begin()), self.loop.run_forever()), daemon=True).start()
        if not ready.wait(20):
            raise RuntimeError("a server does not start")


def web_sockets(context):
    """Echoes; a first message says which extensions were agreed on. None where python3-websockets is missing."""
    try:
        import websockets
    except ImportError:
        return None

    async def handle(connection, *_):
        with contextlib.suppress(websockets.ConnectionClosed):
            await connection.send(",".join(e.name for e in connection.extensions) or "none")
            async for message in connection:
                await connection.send(message)

    async def start():
        server = await websockets.serve(handle, "127.0.0.1", 0, ssl=context, max_size=8 << 20)
        return server.sockets[0].getsockname()[1]
    return Background(start)


def grpc_server(key, certificate):
    """Echo and Count of the service t.T. None where python3-grpcio is missing."""
    try:
        import grpc
    except ImportError:
        return None

    def count(request, context):
        for number in range(int(request)):
            yield str(number).encode()

    def echo(request, context):
        context.set_trailing_metadata((("x-trailer", "end"),))
        return request

    def chat(requests, context):
        for piece in requests:
            yield b"re:" + piece

    def fails(request, context):
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not today")
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("t.T", {
        "Echo": grpc.unary_unary_rpc_method_handler(echo), "Count": grpc.unary_stream_rpc_method_handler(count),
        "Chat": grpc.stream_stream_rpc_method_handler(chat), "Fails": grpc.unary_unary_rpc_method_handler(fails)}),))
    server.port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, certificate)]))
    server.plain_port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server


def ssh_server(root, log):
    """A host for git over SSH; it takes any key. None where python3-paramiko is missing."""
    try:
        import paramiko
    except ImportError:
        return None
    host_key = paramiko.ECDSAKey.generate()

    class Host(paramiko.ServerInterface):
        def get_allowed_auths(self, username):
            return "publickey"

        def check_auth_publickey(self, username, key):
            return paramiko.AUTH_SUCCESSFUL

        def check_channel_request(self, kind, number):
            return paramiko.OPEN_SUCCEEDED

        def check_channel_env_request(self, channel, name, value):
            return True

        def check_channel_exec_request(self, channel, command):
            threading.Thread(target=execute, args=(channel, command.decode()), daemon=True).start()
            return True

    def execute(channel, command):
        log.append(command)
        program, _, folder = command.partition(" ")
        if program not in ("git-upload-pack", "git-receive-pack"):
            channel.send_exit_status(1)
            return channel.close()
        path = root / folder.strip("'").lstrip("/")
        child = subprocess.Popen(["git", program[4:], str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={"PATH": "/usr/bin:/bin", "HOME": str(root)})

        def feed():
            while data := channel.recv(65536):
                child.stdin.write(data)
                child.stdin.flush()
            child.stdin.close()
        threading.Thread(target=feed, daemon=True).start()
        while data := child.stdout.read1(65536):
            channel.sendall(data)
        channel.send_exit_status(child.wait())
        channel.close()

    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            client, _ = listener.accept()
            transport = paramiko.Transport(client)
            transport.add_server_key(host_key)
            transport.start_server(server=Host())
    threading.Thread(target=serve, daemon=True).start()
    return types.SimpleNamespace(port=listener.getsockname()[1], public_key=f"{host_key.get_name()} {host_key.get_base64()}")


def docker_registry(t):
    """The port of Debian's docker-registry, by TLS as registry.example; 0 where it is not installed."""
    program = shutil.which("docker-registry", path="/usr/bin:/usr/sbin")
    if not program:
        return 0
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    folder = t.authority()
    config = t.host_file(t.root / "registry.yml", json.dumps({
        "version": 0.1, "storage": {"filesystem": {"rootdirectory": str(t.root / "registry")}},
        "http": {"addr": f"127.0.0.1:{port}", "tls": {"certificate": f"{folder}/registry.example.pem", "key": f"{folder}/registry.example.key"}}}))
    log = open(t.logs / "registry.log", "wb")
    t.children.append(subprocess.Popen([program, "serve", str(config)], stdin=subprocess.DEVNULL, stdout=log, stderr=log))
    return port
