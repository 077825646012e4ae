# SPDX-License-Identifier: Apache-2.0
"""Runs the real engine with real microVMs for a test: a private HOME, local TLS servers, and an end that leaves nothing.

A test file ends with `harness.main(story)`. `story(t)` makes its checks with `t.check(name, condition, detail)`: each is
printed, the first failures do not stop the others, and the exit status tells. As root the file runs itself again as the
unprivileged user coldframe-test, in whose libvirt session the microVMs live.
"""
import ctypes, http.server, json, os, pathlib, pwd, shutil, signal, socket, ssl, struct, subprocess, sys, tempfile, threading, time, traceback

TEST_USER = "coldframe-test"
STDIN, RESIZE, SIGNAL, STDIN_END, STDOUT, STDERR, EXIT, FAILURE = 0, 1, 2, 3, 16, 17, 18, 19
PROGRAMS = ("coldframe", "coldframed", "coldframe-proxy", "coldframe-dial", "coldframe-guest", "coldframe-qemu")


class EngineError(Exception):
    def __init__(self, error):
        super().__init__(error.get("message", "") + " " + str(error.get("data", "")))
        self.code = (error.get("data") or {}).get("code", "")


def wait_for(condition, seconds, every=0.1):
    """The first true value of condition(), or its last value when the time is over."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > end:
            return value
        time.sleep(every)


class Client:
    """One connection to the engine."""

    def __init__(self, path):
        self.path, self.number = str(path), 0
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(self.path)
        self.file = self.socket.makefile("rwb")

    def call(self, method, **params):
        self.number += 1
        self.file.write(json.dumps({"jsonrpc": "2.0", "id": self.number, "method": method, "params": params}).encode() + b"\n")
        self.file.flush()
        while True:
            line = self.file.readline()
            if not line:
                raise EngineError({"message": "the engine closed the connection"})
            answer = json.loads(line)
            if "method" in answer:
                continue
            if "error" in answer:
                raise EngineError(answer["error"])
            return answer["result"]

    def attach(self, token):
        return Attachment(self.path, token)

    def close(self):
        self.file.close()
        self.socket.close()


class Attachment:
    """The second connection of an exec: collects its output in a thread."""

    def __init__(self, path, token):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.socket.sendall(json.dumps({"attach": token}).encode() + b"\n")
        self.file = self.socket.makefile("rb")
        self.greeting = self.file.readline()
        self.output, self.errors, self.status, self.signal, self.failure = b"", b"", None, 0, None
        self.done = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            while True:
                head = self.file.read(5)
                if len(head) < 5:
                    break
                kind, length = struct.unpack(">BI", head)
                payload = self.file.read(length)
                if kind == STDOUT:
                    self.output += payload
                elif kind == STDERR:
                    self.errors += payload
                elif kind == EXIT:
                    self.status, self.signal = struct.unpack(">ii", payload)
                    break
                elif kind == FAILURE:
                    self.failure = payload.decode(errors="replace")
                    break
        except (OSError, ValueError):
            pass
        self.done.set()

    def send(self, kind, payload=b""):
        for start in range(0, max(len(payload), 1), 65536):
            part = payload[start:start + 65536]
            self.socket.sendall(struct.pack(">BI", kind, len(part)) + part)

    def wait(self, seconds):
        self.done.wait(seconds)
        try:
            self.socket.shutdown(socket.SHUT_RDWR)  # the file made of it would keep it open
        except OSError:
            pass
        self.socket.close()
        return self


class Result:
    def __init__(self, attachment, seconds):
        self.status, self.signal, self.failure = attachment.status, attachment.signal, attachment.failure
        self.out = attachment.output.decode(errors="replace")
        self.err = attachment.errors.decode(errors="replace")
        self.seconds = seconds

    def __str__(self):
        return f"status {self.status} signal {self.signal} {self.failure or ''}\n{self.out[-3000:]}{self.err[-3000:]}"


class Test:
    """What one test file has: its folder, its engine, its servers, its checks."""

    def __init__(self, build):
        self.failures, self.checks, self.started = [], 0, time.monotonic()
        home = pathlib.Path(pwd.getpwuid(os.getuid()).pw_dir)
        self.real_home = home
        # Short, for libvirt puts sockets with long names below it, and a socket's path has 107 bytes at most.
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="e", dir=home))
        runtime = f"/run/user/{os.getuid()}"
        self.runtime = pathlib.Path(tempfile.mkdtemp(prefix="e", dir=runtime if os.access(runtime, os.W_OK) else "/tmp"))
        self.home, self.logs = self.root, self.root / "logs"
        data = self.home / ".local/share/coldframe"
        for folder in (data, self.logs, self.root / "bin"):
            folder.mkdir(parents=True)
        # A folder of its own makes every process of this test recognisable by its command line.
        for name in PROGRAMS:
            source = pathlib.Path(build) / "bin" / name
            if source.exists():
                shutil.copy(source, self.root / "bin" / name)
        source_root = pathlib.Path(__file__).resolve().parents[2]
        (self.root / "resources").symlink_to(source_root / "resources")
        (self.root / "guest").symlink_to(source_root / "guest")
        self.images = pathlib.Path(os.environ.get("COLDFRAME_TEST_IMAGES", home / ".local/share/coldframe/images"))
        self._ensure_image()
        (data / "images").symlink_to(self.images)
        self.environment = {
            "HOME": str(self.home), "XDG_RUNTIME_DIR": str(self.runtime), "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "USER": pwd.getpwuid(os.getuid()).pw_name, "LANG": "C.UTF-8", "COLDFRAME_LOG": "debug",
            "COLDFRAME_RESOURCES": str(self.root / "resources")}
        for name in ("NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"):
            if os.path.exists("/etc/ssl/certs/ca-certificates.crt"):
                self.environment[name] = "/etc/ssl/certs/ca-certificates.crt"
        self.engine, self.client, self.servers, self.mappings, self.children = None, None, [], [], []
        self._authority = None

    # Checks

    def say(self, text):
        print(f"[{time.monotonic() - self.started:6.1f}] {text}", flush=True)

    def check(self, name, condition, detail=""):
        self.checks += 1
        if condition:
            self.say(f"ok    {name}")
        else:
            self.failures.append(name)
            self.say(f"FAIL  {name}: {detail}")
        return bool(condition)

    # The engine

    def _ensure_image(self):
        if (self.images / "current.json").exists():
            return
        self.say("building the guest image")
        with open(self.logs / "image.log", "wb") as log:
            subprocess.run([str(self.root / "guest/image/build"), "--guest", str(self.root / "bin/coldframe-guest"), "--images",
                            str(self.images)], check=True, stdout=log, stderr=log, timeout=1500)

    def start_engine(self, prefix=()):
        """`prefix` is a command that runs the engine in other surroundings."""
        log = open(self.logs / "engine.log", "ab")
        self.engine = subprocess.Popen([*prefix, str(self.root / "bin/coldframed")], env=self.environment, stdin=subprocess.DEVNULL, stdout=log,
                                       stderr=log, cwd="/", start_new_session=True)
        self.client = self.connect(30)
        return self.client

    def connect(self, seconds=10):
        path = self.runtime / "coldframe/engine.sock"

        def attempt():
            try:
                client = Client(path)
                client.call("engine.hello", version=1, client="e2e")
                return client
            except (OSError, EngineError):
                return None
        client = wait_for(attempt, seconds)
        if not client:
            raise RuntimeError("the engine does not answer")
        return client

    def call(self, method, **params):
        return self.client.call(method, **params)

    def refused(self, method, **params):
        """The error's code, or "" when the call succeeded."""
        try:
            self.call(method, **params)
            return ""
        except EngineError as error:
            return error.code or "error"

    def create(self, name, folder, agent="shell", **more):
        began = time.monotonic()
        answer = self.call("sandbox.create", agent=agent, workspaces=[{"path": str(folder), "readOnly": False}], name=name,
                           start=True, consentEmulation=True, progress=True, **more)
        self.say(f"sandbox {name} is {answer['state']} after {time.monotonic() - began:.1f} s")
        return answer

    def state(self, name):
        return self.call("sandbox.inspect", sandbox=name)["state"]

    def start_exec(self, sandbox, command, **more):
        argv = command if isinstance(command, list) else ["bash", "-lc", command]
        # A call of its own connection, so that tests may run programs side by side.
        client = Client(self.client.path)
        attachment = client.attach(client.call("sandbox.exec", sandbox=sandbox, argv=argv, **more)["token"])
        client.close()
        return attachment

    def run(self, sandbox, command, stdin=b"", seconds=120, **more):
        began = time.monotonic()
        attachment = self.start_exec(sandbox, command, **more)
        if stdin:
            attachment.send(STDIN, stdin)
        attachment.send(STDIN_END)
        return Result(attachment.wait(seconds), time.monotonic() - began)

    def give_key(self, sandbox, service, key):
        attachment = self.client.attach(self.call("sandbox.keys", sandbox=sandbox, service=service)["token"])
        attachment.send(STDIN, key)
        attachment.send(STDIN_END)
        attachment.wait(20)
        return attachment.status

    def log(self, sandbox, **fields):
        """Log entries of the sandbox with these fields (a callable value is a predicate)."""
        entries = self.call("network.log", sandbox=sandbox, limit=1000)["entries"]
        return [e for e in entries if all(v(e.get(k)) if callable(v) else e.get(k) == v for k, v in fields.items())]

    def logged(self, sandbox, seconds=8, **fields):
        return wait_for(lambda: self.log(sandbox, **fields), seconds, 0.3)

    # Processes

    def processes(self, *words):
        """Ids of this test's own processes (their command line names its folder) with all the words in it."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                try:
                    line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    dead = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
                except OSError:
                    continue
                if not dead and str(self.root) in line and all(word in line for word in words):
                    found.append(int(entry.name))
        return found

    def qemu(self, sandbox_id):
        """The QEMU of a sandbox."""
        return self.processes("coldframe-" + sandbox_id, "-machine")

    def kill_and_wait(self, *pids):
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if self.engine and self.engine.pid in pids:
            self.engine.wait(10)
        return wait_for(lambda: not any(os.path.exists(f"/proc/{pid}/exe") and os.access(f"/proc/{pid}", os.R_OK)
                                        and self._lives(pid) for pid in pids), 10)

    @staticmethod
    def _lives(pid):
        try:
            return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
        except OSError:
            return False

    # Servers on the host

    def openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)

    def authority(self):
        if not self._authority:
            folder = self.root / "ca"
            folder.mkdir()
            self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                         "/CN=Coldframe test CA", "-keyout", f"{folder}/ca.key", "-out", f"{folder}/ca.pem",
                         "-addext", "keyUsage=critical,keyCertSign,cRLSign")
            self._authority = folder
        return self._authority

    def serve_tls(self, name, handler, mapped=True):
        """An HTTPS server on the loopback for `name`; mapped, the proxy finds it under that name on port 443."""
        folder = self.authority()
        (folder / f"{name}.ext").write_text(f"subjectAltName=DNS:{name}\n")
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-keyout",
                     f"{folder}/{name}.key", "-out", f"{folder}/{name}.csr")
        self.openssl("x509", "-req", "-in", f"{folder}/{name}.csr", "-CA", f"{folder}/ca.pem", "-CAkey", f"{folder}/ca.key",
                     "-CAcreateserial", "-days", "2", "-extfile", f"{folder}/{name}.ext", "-out", f"{folder}/{name}.pem")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{folder}/{name}.pem", f"{folder}/{name}.key")
        server = TlsServer(("127.0.0.1", 0), handler, context)
        server.seen = []
        threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
        self.servers.append(server)
        if mapped:
            self.mappings.append({"name": name, "address": "127.0.0.1", "port": 443, "targetPort": server.server_port})
        return server

    def boot_only(self):
        """No template is made beside the test, nor used: before the first engine."""
        self.host_file(self.home / ".config/coldframe/settings.json", json.dumps({"version": 1, "warmStart": False}))

    def apply_settings(self, **more):
        settings = {"hostMappings": self.mappings, "idleMinutes": 0, "acceleration": os.environ.get("COLDFRAME_TEST_ACCELERATION", "auto")}
        if self._authority:
            settings["upstreamCaFiles"] = [str(self._authority / "ca.pem")]
        settings.update(more)
        return self.call("settings.set", settings=settings)

    def host_file(self, path, content, mode=0o644):
        path = pathlib.Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(mode)
        return path

    # The end

    def finish(self):
        try:
            for sandbox in self.connect(2).call("sandbox.list")["sandboxes"]:
                try:
                    self.connect(2).call("sandbox.remove", sandbox=sandbox["id"], force=True)
                except (EngineError, OSError):
                    pass
        except Exception:
            pass
        for server in self.servers:
            server.shutdown()
            server.server_close()
        own = self.processes() + [child.pid for child in self.children]
        for pid_file in (self.runtime / "libvirt/libvirtd.pid", self.runtime / "coldframe/v/libvirt/libvirtd.pid"):
            if pid_file.exists():
                own += [int(word) for word in pid_file.read_text().split()[:1]]
        if own:
            self.kill_and_wait(*own)
        for child in self.children:
            child.wait(10)
        failed = bool(self.failures)
        if failed:
            for log in sorted(self.logs.glob("*.log")) + sorted(self.home.glob(".local/share/coldframe/sandboxes/*/*.log")):
                print(f"--- {log.name}, its last lines\n" + "".join(open(log, errors="replace").readlines()[-40:]), flush=True)
            keep = self.real_home / "cf-e2e-failed" / self.root.name
            keep.parent.mkdir(exist_ok=True)
            shutil.copytree(self.logs, keep, dirs_exist_ok=True)
            print(f"logs are kept in {keep}")
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.rmtree(self.runtime, ignore_errors=True)
        self.say(f"{self.checks} checks, {len(self.failures)} failed" + "".join(f"\n  failed: {name}" for name in self.failures))
        return 1 if failed or not self.checks else 0


class TlsServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address, handler, context):
        super().__init__(address, handler)
        self.context = context

    def finish_request(self, request, client_address):
        # In the connection's own thread, so that a slow hand-shake delays nobody.
        try:
            request.settimeout(60)
            wrapped = self.context.wrap_socket(request, server_side=True)
        except (ssl.SSLError, OSError):
            return
        try:
            super().finish_request(wrapped, client_address)
        except (ssl.SSLError, OSError):
            pass
        finally:
            try:
                wrapped.unwrap()
            except (ssl.SSLError, OSError, ValueError):
                pass
            wrapped.close()

    def handle_error(self, request, client_address):
        pass


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers every request with a line and remembers it in server.seen."""
    protocol_version = "HTTP/1.1"
    text = "hello from the server\n"

    def respond(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.server.seen.append((self.command, self.path, dict(self.headers), body))
        data = self.text.encode()
        self.send_response(200)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = respond

    def log_message(self, *arguments):
        pass


def _become_test_user():
    try:
        entry = pwd.getpwnam(TEST_USER)
    except KeyError:
        subprocess.run(["useradd", "--create-home", "--shell", "/usr/sbin/nologin", TEST_USER], check=True)
        entry = pwd.getpwnam(TEST_USER)
    for file in ("/etc/subuid", "/etc/subgid"):
        if not any(line.startswith(TEST_USER + ":") for line in open(file)):
            flag = "--add-subuids" if file.endswith("uid") else "--add-subgids"
            subprocess.run(["usermod", flag, "400000-465535", TEST_USER], check=True)
    runtime = f"/run/user/{entry.pw_uid}"
    if not os.path.isdir(runtime):
        os.makedirs(runtime, 0o700)
        os.chown(runtime, entry.pw_uid, entry.pw_gid)
    build, script = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[0]).resolve()
    drop = ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--init-groups"]
    readable = subprocess.run([*drop, "test", "-r", str(build / "bin/coldframed"), "-a", "-r", str(script)]).returncode == 0
    if not readable:
        stage = pathlib.Path("/var/tmp/coldframe-e2e-stage")
        source = script.parents[2]
        for name in ("resources", "guest", "tests/e2e", "tests/redteam"):
            shutil.copytree(source / name, stage / name, symlinks=True, dirs_exist_ok=True)
        (stage / "build/bin").mkdir(parents=True, exist_ok=True)
        for name in PROGRAMS:
            if (build / "bin" / name).exists():
                shutil.copy(build / "bin" / name, stage / "build/bin" / name)
        subprocess.run(["chmod", "-R", "a+rX", str(stage)], check=True)
        build, script = stage / "build", stage / script.relative_to(source)
    environment = {"HOME": entry.pw_dir, "USER": TEST_USER, "LOGNAME": TEST_USER, "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
                   "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}
    environment.update({k: v for k, v in os.environ.items() if k.startswith("COLDFRAME_TEST_")})
    os.chdir("/")
    os.execvpe("setpriv", [*drop, "/usr/bin/python3", str(script), str(build)], environment)


def _reap_orphans():
    """Goes on in a child. libvirt waits until a QEMU that ended is gone from the process table, and the init of a container may take
    seconds to reap it; here the parent of all orphans does so at once, as a normal init would."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    child = os.fork()
    if not child:
        return
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
    while True:
        pid, status = os.wait()
        if pid == child:
            os._exit(os.waitstatus_to_exitcode(status) & 255)


def main(story, kind=Test):
    """Runs a test file: argument 1 is the build folder."""
    if len(sys.argv) != 2:
        sys.exit("usage: TEST.py BUILD-FOLDER")
    if os.getuid() == 0:
        _become_test_user()
    _reap_orphans()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    test = kind(sys.argv[1])
    try:
        story(test)
    except Exception:
        test.failures.append("the story ended early")
        traceback.print_exc()
    finally:
        status = test.finish()
    sys.exit(status)
