# SPDX-License-Identifier: Apache-2.0
"""Real clients through the real proxy and dialler, in a room without a microVM: what they do works, and the key they never saw is put on.

interop/README.md says which. A program that this machine does not have is named and left out."""
import json, os, pathlib, re, shutil, ssl, subprocess, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "interop"))
import harness, room, servers

KEY = "real-" + os.urandom(12).hex()
SENTINEL = "stand-in-0123456789abcdef"
CLIENTS = pathlib.Path(__file__).resolve().parent / "interop/clients"
PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"


class RoomTest(harness.Test):
    def _ensure_image(self):
        """There is no microVM."""

    def left_out(self, name, why):
        self.missing.append(name)
        self.say(f"left out: {name}: {why}")

    def has(self, program, name=None):
        if shutil.which(program, path=PATH):
            return True
        self.left_out(name or program, f"{program} is not installed")
        return False

    def works(self, name, command, **more):
        """A client whose last line is "ok"."""
        r = self.room.run(command, **more)
        if r.status == 77:
            return self.left_out(name, r.out.strip())
        self.say(f"      {name}: {r.seconds:.1f} s")
        return self.check(name, r.status == 0 and "ok" in (r.out.strip().splitlines() or [""])[-1], r)

    def keyed(self, name, since):
        """All that reached the server since then had the key, and no stand-in."""
        fresh = self.web.seen[since:]
        return self.check(f"{name}: the key is put on each request", fresh and all(s[2].get("authorization") == "Bearer " + KEY for s in fresh),
                          [(s[1], s[2].get("authorization")) for s in fresh])


def tls_files(t, name):
    """Key and certificate of a server of another kind, made as serve_tls() makes them."""
    t.serve_tls(name, harness.Handler, mapped=False)
    return t.authority() / f"{name}.key", t.authority() / f"{name}.pem"


def curl(t):
    run, before = t.room.run, len(t.web.seen)
    for version, said in (("--http1.1", "1.1"), ("--http2", "2"), ("--http2-prior-knowledge", "2")):
        r = run(["curl", "-sS", version, "-m", "60", "-o", "/dev/null", "-w", "%{http_version} %{http_code} %{ssl_verify_result}", "-H", f"Authorization: Bearer {SENTINEL}",
                 "https://web.example/hello"])
        t.check(f"curl {version}", r.out == f"{said} 200 0", r)
        r = run(f"head -c 3000000 /dev/zero | curl -sS {version} -m 60 -T - -X POST https://web.example/echo | wc -c")
        t.check(f"curl {version}: an upload of unknown length", r.out.strip() == "3000000", r)
    r = run("head -c 2000000 /dev/zero | curl -sS --http1.1 -m 60 -H 'Expect: 100-continue' --data-binary @- https://web.example/echo | wc -c")
    t.check("curl with Expect", r.out.strip() == "2000000", r)
    r = run("curl -sS -m 60 --compressed https://web.example/packed | wc -c; curl -sS -m 60 -r 10-19 -o /dev/null -w '%{http_code}' https://web.example/large")
    t.check("curl with a packed reply, and with a range", r.out.split() == ["35000", "200"], r)
    t.keyed("curl", before)
    r = run(["curl", "-sS", "--http2", "-m", "30", "-o", "/dev/null", "-w", "%{http_version} %{http_code}", "http://plain.example/hello"])
    t.check("curl: without TLS the change to HTTP/2 is not taken up, and the request served", r.out == "1.1 200", r)
    r = run("curl -sS -m 30 https://other.example/")
    t.check("control: a place that no rule names is refused", "blocked_by_coldframe" in r.out, r)
    t.check("control: without the proxy's CA nobody is trusted", run("curl -sS -m 30 --cacert /dev/null https://web.example/hello").status != 0)


def origin_http2(t):
    """An origin of HTTP/2 alone, so that both sides speak it."""
    if not t.has("nghttpd"):
        return
    r = t.room.run("curl -sS --http2 -m 60 -o got -w '%{http_version} %{http_code}' https://two.example/file && cmp got " + str(t.www / "file"))
    t.check("curl: HTTP/2 to HTTP/2", r.status == 0 and r.out == "2 200", r)
    r = t.room.run("curl -sS --http2-prior-knowledge -m 60 -o got2 -w '%{http_version} %{http_code}' http://two.example/file && cmp got2 " + str(t.www / "file"))
    t.check("curl: HTTP/2 to HTTP/2 without TLS", r.status == 0 and r.out == "2 200", r)


def git(t):
    run = t.room.run
    script = """set -e
git -c init.defaultBranch=main init -q work && cd work
git config user.email a@example && git config user.name A && git config http.postBuffer 65536
head -c 2000000 /dev/urandom >big && echo one >file && git add . && git commit -q -m one
git push -q URL HEAD:refs/heads/main
for n in 1 2 3 4 5 6 7 8; do echo $n >>file; git commit -q -a -m $n; git tag t$n; done
git push -q --tags URL HEAD:main
cd .. && git clone -q --depth 3 URL shallow && cd shallow && git fetch -q --unshallow && test $(git rev-list --count HEAD) = 9
cmp big ../work/big && git ls-remote URL | grep -c refs/tags
"""
    subprocess.run(["git", "init", "-q", "-b", "main", "--bare", str(t.repositories / "https.git")], check=True)
    # The password inside is nobody's: the proxy puts on the right one.
    r = run(script.replace("URL", "https://agent:stand-in@git.example/https.git"), folder=t.room.home)
    t.check("git over HTTPS: push in pieces, tags, shallow clone, fetch", r.status == 0 and r.out.strip().endswith("8"), r)
    t.check("git over HTTPS: the server saw the real password alone", t.git.seen and all("authorization" not in s[2] or s[2]["authorization"] == t.git_header for s in t.git.seen))
    if t.ssh is None:
        return t.left_out("git over SSH", "python3-paramiko is not installed")
    if not t.has("ssh", "git over SSH"):
        return
    shutil.rmtree(t.room.home / "work")
    shutil.rmtree(t.room.home / "shallow", ignore_errors=True)
    subprocess.run(["git", "init", "-q", "-b", "main", "--bare", str(t.repositories / "ssh.git")], check=True)
    t.host_file(t.room.home / "known_hosts", f"ssh.example {t.ssh.public_key}\n")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(t.room.home / "id")], check=True)
    ssh = f"ssh -F none -o UserKnownHostsFile={t.room.home}/known_hosts -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes -i {t.room.home}/id"
    r = run(script.replace("URL", "git@ssh.example:ssh.git"), folder=t.room.home, GIT_SSH_COMMAND=ssh)
    t.check("git over SSH, by a rule for its host and port", r.status == 0 and r.out.strip().endswith("8"), f"{r} {t.ssh_log}")
    entry = t.room.door.connections("ssh.example")
    t.check("git over SSH is on record as TCP", entry and entry[0]["protocol"] == "tcp", entry)


def python(t):
    for which in ("urllib", "requests", "httpx", "aiohttp", "websockets"):
        before = len(t.web.seen)
        if which == "aiohttp" and t.web_sockets is None:
            t.left_out("aiohttp", "python3-websockets, which is its server here, is not installed")
        elif t.works(f"Python {which}", ["/usr/bin/python3", CLIENTS / "python_clients.py", which, "web.example", "ws.example"]) and which != "websockets":
            t.keyed(f"Python {which}", before)
    if subprocess.run(["/usr/bin/python3", "-m", "pip", "--version"], capture_output=True).returncode != 0:
        return t.left_out("pip", "python3-pip is not installed")
    r = t.room.run("/usr/bin/python3 -m pip install -q --disable-pip-version-check --no-cache-dir --index-url https://pypi.example/simple/ --target site cfdemo && "
                   "PYTHONPATH=site /usr/bin/python3 -c 'import cfdemo; print(cfdemo.ANSWER)'")
    t.check("pip installs a wheel from an index", r.out.strip() == "42", r)


def node(t):
    if not t.has("node"):
        return
    for which in ("fetch", "https", "http2"):
        before = len(t.web.seen)
        t.works(f"Node {which}", ["node", CLIENTS / "node_clients.mjs", which, "web.example", "ws.example"])
        t.keyed(f"Node {which}", before)
    if t.web_sockets is None:
        t.left_out("Node WebSocket", "python3-websockets, which is its server here, is not installed")
    elif t.room.run(["node", "-e", "process.exit(typeof WebSocket === 'function' ? 0 : 1)"]).status != 0 and t.room.run(["node", "--experimental-websocket", "-e", ""]).status != 0:
        t.left_out("Node WebSocket", "this Node has none")
    else:
        t.works("Node WebSocket", ["node", *(["--experimental-websocket"] if t.room.run(["node", "-e", "WebSocket"]).status else []), CLIENTS / "node_clients.mjs", "websocket",
                                    "web.example", "ws.example"])
    npm(t)


def npm(t):
    """From the registry that this machine is set up for."""
    if not t.registry:
        return t.left_out("npm", "no registry is configured on this machine")
    r = t.room.run("npm install --no-fund --no-audit --no-update-notifier --registry \"$REGISTRY\" @grpc/grpc-js ws undici@7", REGISTRY=t.registry, seconds=300)
    t.say(f"      npm install: {r.seconds:.1f} s")
    if not t.check("npm installs from its registry", r.status == 0 and (t.room.home / "node_modules/@grpc/grpc-js/package.json").exists(), r):
        return
    if t.web_sockets is not None:
        t.works("Node ws from npm, with compression", ["node", CLIENTS / "node_clients.mjs", "ws", "web.example", "ws.example"])
    before = len(t.web.seen)
    t.works("Node undici from npm, HTTP/1.1 and HTTP/2", ["node", CLIENTS / "node_clients.mjs", "undici", "web.example", "ws.example"])
    t.keyed("undici", before)
    if t.grpc is None:
        return t.left_out("grpc-js", "python3-grpcio, which is its server here, is not installed")
    for more in ([], ["plain"]):
        t.works("grpc-js from npm: unary, streams, trailers, status" + (", without TLS" if more else ""), ["node", CLIENTS / "grpc_client.js", "grpc.example:50051" if more else "grpc.example", *more])


def apt(t):
    """A small suite of the archive that this machine is set up for."""
    if not t.archive:
        return t.left_out("apt", "no Debian archive is configured on this machine")
    uri, suite, key = t.archive
    folders = "mkdir -p apt/state/lists/partial apt/cache/archives/partial apt/etc; touch apt/status"
    options = " ".join(f"-o {o}" for o in ("Dir::State=$PWD/apt/state", "Dir::State::status=$PWD/apt/status", "Dir::Cache=$PWD/apt/cache", "Dir::Etc=$PWD/apt/etc",
                                           "APT::Sandbox::User=", "Acquire::Languages=none", "Acquire::Retries=0", "APT::Update::Error-Mode=any"))
    t.host_file(t.room.home / "apt/etc/sources.list", f"deb [signed-by={key}] {uri} {suite} main\n")
    r = t.room.run(f"{folders}; apt-get {options} update && apt-cache {options} dumpavail | grep -c ^Package:", seconds=180)
    t.say(f"      apt-get update: {r.seconds:.1f} s")
    if t.check("apt reads lists from its archive", r.status == 0 and int(r.out.split()[-1]) > 0, r):
        r = t.room.run(f"package=$(apt-cache {options} dumpavail | awk '/^Package:/ {{ p = $2 }} /^Size:/ {{ print $2, p }}' | sort -n | head -1 | cut -d' ' -f2); "
                       f"apt-get {options} download $package && ls *.deb && dpkg-deb -f *.deb Package", seconds=120)
        t.check("apt downloads a package", r.status == 0, r)


def cargo(t):
    if not t.has("cargo"):
        return
    t.host_file(t.room.home / "crate/Cargo.toml", '[package]\nname = "app"\nversion = "0.1.0"\nedition = "2021"\n[dependencies]\ncfdemo = "0.1"\n')
    t.host_file(t.room.home / "crate/src/lib.rs", "")
    t.host_file(t.room.home / "crate/.cargo/config.toml", '[source.crates-io]\nreplace-with = "local"\n[source.local]\nregistry = "sparse+https://crates.example/index/"\n')
    r = t.room.run("cargo fetch && ls ~/.cargo/registry/src/*/cfdemo-0.1.0/src/lib.rs", folder=t.room.home / "crate")
    t.check("cargo fetches from a sparse index", r.status == 0, r)


def go(t):
    if not t.has("go"):
        return
    t.host_file(t.room.home / "module/go.mod", "module app\n\ngo 1.16\n")
    r = t.room.run("go get modules.example/cfdemo@v1.0.0 && cat go.mod && go env GOMODCACHE && ls $(go env GOMODCACHE)/modules.example/cfdemo@v1.0.0 && go clean -modcache",
                   folder=t.room.home / "module", GOPROXY="https://goproxy.example", GOSUMDB="off", GOFLAGS="-mod=mod", GOTOOLCHAIN="local")
    t.check("go fetches a module from a GOPROXY", r.status == 0 and "demo.go" in r.out, r)


def java(t):
    """With the store that a guest writes in the place of Debian's."""
    if not t.has("javac", "Java"):
        return
    if not os.path.isfile(room.JAVA_STORE):
        return t.left_out("Java", "it is not Debian's")
    before = len(t.web.seen)
    if t.works("Java HttpClient, HttpURLConnection and WebSocket", f"javac -d . {CLIENTS / 'Client.java'} && java Client web.example ws.example plain.example", seconds=180):
        t.keyed("Java", before)


def registry_of_npm():
    """As this machine's npm is set up."""
    try:
        found = subprocess.run(["npm", "config", "get", "registry"], capture_output=True, text=True, timeout=60, env={**os.environ, "PATH": PATH}).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return found if re.match(r"https://[^/:]+/", found) else ""


def archive_of_apt():
    """(URI, suite, key ring): the small suite of updates, of what this machine is set up for."""
    for file in sorted(pathlib.Path("/etc/apt/sources.list.d").glob("*.sources")):
        for part in file.read_text(errors="replace").split("\n\n"):
            fields = dict(re.findall(r"^([A-Za-z-]+): *(.*)$", part, re.M))
            for suite in fields.get("Suites", "").split():
                if suite.endswith("-updates") and re.match(r"https?://[^/:]+/", fields.get("URIs", "")):
                    return fields["URIs"].split()[0], suite, fields.get("Signed-By", "/usr/share/keyrings/debian-archive-keyring.gpg")
    return None


def listens(port):
    try:
        harness.socket.create_connection(("127.0.0.1", port), 5).close()
        return True
    except OSError:
        return False


def start_servers(t):
    t.web = t.serve_tls("web.example", servers.Web)
    t.web.gate = harness.threading.Semaphore(0)
    for name, files in (("pypi.example", servers.package_index()), ("crates.example", servers.crate_index()), ("goproxy.example", servers.go_modules())):
        t.serve_tls(name, servers.Files).files = files
    t.repositories = t.root / "repositories"
    t.repositories.mkdir()
    t.git = t.serve_tls("git.example", servers.Git)
    t.git.root, t.git.password = t.repositories, KEY
    t.git_header = "Basic " + servers.base64.b64encode(f"x-access-token:{KEY}".encode()).decode()
    plain = harness.http.server.ThreadingHTTPServer(("127.0.0.1", 0), harness.Handler)
    plain.seen = []
    harness.threading.Thread(target=plain.serve_forever, args=(0.1,), daemon=True).start()
    t.servers.append(plain)
    t.mappings.append({"name": "plain.example", "address": "127.0.0.1", "port": 80, "targetPort": plain.server_port})
    key, certificate = tls_files(t, "ws.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    t.web_sockets = servers.web_sockets(context)
    key, certificate = tls_files(t, "grpc.example")
    t.grpc = servers.grpc_server(key.read_bytes(), certificate.read_bytes())
    t.ssh_log = []
    t.ssh = servers.ssh_server(t.repositories, t.ssh_log)
    for name, port, server in (("ws.example", 443, t.web_sockets), ("grpc.example", 443, t.grpc), ("ssh.example", 22, t.ssh)):
        if server is not None:
            t.mappings.append({"name": name, "address": "127.0.0.1", "port": port, "targetPort": server.port})
    if t.grpc is not None:
        t.mappings.append({"name": "grpc.example", "address": "127.0.0.1", "port": 50051, "targetPort": t.grpc.plain_port})
    t.www = t.root / "www"
    t.host_file(t.www / "file", os.urandom(1 << 20))
    if shutil.which("nghttpd", path=PATH):
        for port, options, files in ((443, [], tls_files(t, "two.example")), (80, ["--no-tls"], [])):
            with harness.socket.create_server(("127.0.0.1", 0)) as free:
                target = free.getsockname()[1]
            t.children.append(subprocess.Popen(["nghttpd", "-d", str(t.www), "-a", "127.0.0.1", *options, str(target), *map(str, files)], stdin=subprocess.DEVNULL,
                                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
            harness.wait_for(lambda: listens(target), 30)
            t.mappings.append({"name": "two.example", "address": "127.0.0.1", "port": port, "targetPort": target})


def make_room(t):
    t.registry, t.archive = registry_of_npm(), archive_of_apt()
    places = [f"{m['name']}:{m['port']}" for m in t.mappings]
    outside = [re.match(r"https?://([^/:]+)", place).group(1) for place in (t.registry, t.archive and t.archive[0]) if place]
    service = {"header": "authorization", "strip": ["authorization"], "stripQuery": [], "pathPrefixes": [], "deny": []}
    setup = {"policy": {"version": 1, "mode": "locked", "canAsk": False, "hostMappings": t.mappings,
                        "rules": [room.rule(p) for p in places + [f"{h}:{port}" for h in outside for port in (80, 443)]]},
             "services": [{**service, "name": "web", "hosts": ["web.example"], "format": "Bearer {key}", "sentinel": SENTINEL},
                          {**service, "name": "git", "hosts": ["git.example"], "format": "Basic {base64:x-access-token:{key}}", "sentinel": ""}],
             "trusted": [(t.authority() / "ca.pem").read_text(), pathlib.Path(room.BUNDLE).read_text()]}
    common = json.loads((t.root / "resources/agents/common.json").read_text())["environment"]
    t.room = room.Room(t.root, t.build, places + ["other.example:443"] + [f"{h}:{port}" for h in set(outside) for port in (80, 443)], setup,
                       {name: value for name, value in common.items() if value.startswith("/etc/ssl")})
    for name in ("web", "git"):
        t.room.door.ask(key=KEY, service=name)


def story(t):
    t.missing, t.build = [], sys.argv[1]
    start_servers(t)
    make_room(t)
    try:
        wanted = os.environ.get("COLDFRAME_TEST_PARTS", "").split()
        for part in (curl, origin_http2, git, python, node, apt, cargo, go, java):
            if not wanted or part.__name__ in wanted:
                part(t)
    finally:
        t.room.close()
    if t.missing:
        t.say("left out, as this machine lacks them: " + ", ".join(t.missing))


harness.main(story, RoomTest)
