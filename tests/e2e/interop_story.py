# SPDX-License-Identifier: Apache-2.0
"""Clients inside a real sandbox: its own Node and curl with post-quantum hellos, its Python and git, each with the sandbox's CA trusted and the key
put on outside.

With COLDFRAME_TEST_ALL=1 also what takes minutes: curl, Node and Python in containers and in the steps of a build, an image of Debian's docker-registry,
Java from Debian, the agents (interop/README.md). COLDFRAME_TEST_PARTS="containers agents" runs some parts only."""
import os, pathlib, re, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "interop"))
import agents, harness, servers
from command_line import coldframe
from harness import wait_for

KEY = "real-" + os.urandom(12).hex()
ALL = os.environ.get("COLDFRAME_TEST_ALL") == "1"
CLIENTS = pathlib.Path(__file__).resolve().parent / "interop/clients"

# What a container image needs to run the sandbox's own curl: its libraries, a shell, and a bundle of CAs that does not know the sandbox's.
MAKE_IMAGE = r"""set -e
mkdir -p /tmp/image/etc/ssl/certs && cd /tmp/image
for program in /usr/bin/curl /bin/dash; do
  install -D -m 0755 "$program" ".$(readlink -f "$program")"
  ldd "$program" | grep -o '/[^ ]*' | while read -r library; do install -D -m 0755 "$library" ".$library"; done
done
ln -s dash usr/bin/sh; ln -s usr/bin bin; [ -e lib64 ] || ln -s usr/lib64 lib64
echo nobody >etc/ssl/certs/ca-certificates.crt
cat >Dockerfile <<'FILE'
FROM scratch
COPY . /
RUN curl -sS -m 60 -H "Authorization: Bearer none" -o /built https://web.example/hello
FILE
"""


def hellos(t):
    """Both hellos have a key share of more than a kilobyte, so that they come in more than one packet."""
    r = t.run("box", ["node", "-e", "const s = require('tls').connect({host: 'web.example', port: 443, servername: 'web.example', enableTrace: true}, "
                                    "() => { console.log(process.version, s.getEphemeralKeyInfo(), s.authorized); s.end(); })"])
    sizes = [int(size) for size in re.findall(r"ClientHello, Length=(\d+)", r.out + r.err)]
    t.check("Node's hello is post-quantum and longer than a packet", "X25519MLKEM768" in r.out + r.err and max(sizes, default=0) > 1400 and "true" in r.out, r)
    t.say("      Node " + r.out.strip() + f"; hello of {max(sizes, default=0)} bytes")
    r = t.run("box", "curl -sS -m 60 --trace-ascii - -o /dev/null https://web.example/hello | grep -a -A1 'TLS handshake, Client hello'; openssl version")
    sizes = [int(size) for size in re.findall(r"Send SSL data, (\d+) bytes", r.out)]
    t.check("curl's too", max(sizes, default=0) > 1400, r)


def programs(t, which=("urllib",)):
    for name, command in (("Node fetch", ["node", f"{t.project}/node_clients.mjs", "fetch", "web.example", "ws.example"]),
                          ("Node http2", ["node", f"{t.project}/node_clients.mjs", "http2", "web.example", "ws.example"]),
                          ("Python urllib", ["python3", f"{t.project}/python_clients.py", "urllib", "web.example"])):
        if name.split()[1] not in which:
            continue
        before = len(t.web.seen)
        r = t.run("box", command, seconds=300)
        t.check(f"{name} inside", "ok" in (r.out.strip().splitlines() or [""])[-1], r)
        keyed(t, name, before)


def more_programs(t):
    programs(t, ("fetch", "http2"))


def git(t):
    r = t.run("box", "git -c init.defaultBranch=main init -q /tmp/work && cd /tmp/work && git -c user.name=a -c user.email=a@example commit -q --allow-empty -m one && "
                     "git push -q https://git.example/box.git HEAD:main && git ls-remote https://git.example/box.git | grep -c refs/heads/main")
    t.check("git pushes with a password that is not inside", r.out.strip() == "1", r)


def keyed(t, name, before):
    fresh = t.web.seen[before:]
    t.check(f"{name}: the key is put on each request", fresh and all(s[2].get("authorization") == "Bearer " + KEY for s in fresh), [(s[1], s[2].get("authorization")) for s in fresh])


def containers(t):
    before = len(t.web.seen)
    r = t.run("box", MAKE_IMAGE, seconds=200)
    t.say(f"      the image's files: {r.seconds:.1f} s")
    r = t.run("box", "cd /tmp/image && docker build -q -t curl . && docker run --rm curl sh -c 'read -r line </built; echo \"$line\"'", seconds=300)
    t.say(f"      docker build and run: {r.seconds:.1f} s")
    t.check("a step of docker build reaches a server with curl, and the CA trusted", r.status == 0 and KEY not in r.out and "authorization" in r.out, r)
    keyed(t, "docker build", before)
    before = len(t.web.seen)
    r = t.run("box", "docker run --rm curl curl -sS -m 60 https://web.example/hello; docker run --rm curl curl -sS -m 60 https://other.example/", seconds=200)
    t.check("so does docker run", "authorization" in r.out and "blocked_by_coldframe" in r.out, r)
    keyed(t, "docker run", before)
    t.check("the log says that it was a container", t.logged("box", host="web.example", source="container", keyInjected="web"))


def more_containers(t):
    before = len(t.web.seen)
    mounts = "-v /usr:/usr:ro -v /etc/alternatives:/etc/alternatives:ro"
    r = t.run("box", f"docker run --rm {mounts} -v {t.project}:{t.project}:ro curl sh -c 'node {t.project}/node_clients.mjs fetch web.example ws.example && "
                     f"python3 {t.project}/python_clients.py urllib web.example'", seconds=300)
    t.check("Node and Python in a container", r.out.count("ok") == 2, r)
    keyed(t, "Node and Python in a container", before)


def java(t):
    """Debian's runtime, and one unpacked later as an installer would have it."""
    for host in t.run("box", "grep -oP 'https?://\\K[^/ ]+' /etc/apt/sources.list | sort -u").out.split():
        t.call("policy.add", sandbox="box", action="allow", pattern=host)
    r = t.run("box", "sudo apt-get update -q && sudo DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends default-jdk-headless", seconds=1500)
    t.say(f"      Java installed in {r.seconds:.0f} s")
    if not t.check("Java comes from Debian, by apt", r.status == 0, r):
        return
    for name, command in (("Debian's Java", ""),
                          ("a Java that was unpacked later", "mkdir -p ~/.jdks && cp -rL \"$(dirname \"$(dirname \"$(readlink -f /usr/bin/java)\")\")\" ~/.jdks/own && "
                                                            "keytool -importcert -noprompt -alias x -file /etc/ssl/certs/ISRG_Root_X1.pem -keystore /tmp/own -storetype pkcs12 -storepass changeit && "
                                                            "cp /tmp/own ~/.jdks/own/lib/security/cacerts")):
        r = t.run("box", command or "true", seconds=200)
        before = len(t.web.seen)
        program = "java" if not command else "~/.jdks/own/bin/java"
        r = t.run("box", f"{program} {t.project}/Client.java web.example ws.example", seconds=400)
        t.check(f"{name} trusts the sandbox's CA", "ok" in (r.out.strip().splitlines() or [""])[-1], r)
        keyed(t, name, before)


def registry(t):
    port = servers.docker_registry(t)
    if not port:
        return t.say("left out: docker pull: docker-registry is not installed")
    t.mappings.append({"name": "registry.example", "address": "127.0.0.1", "port": 443, "targetPort": port})
    t.apply_settings()
    r = t.run("box", "docker tag curl registry.example/team/curl:1 && docker push -q registry.example/team/curl:1 && docker rmi -f curl registry.example/team/curl:1 && "
                     "docker pull -q registry.example/team/curl:1 && docker run --rm registry.example/team/curl:1 sh -c 'echo pulled'", seconds=400)
    t.check("docker push and pull with Debian's docker-registry", "pulled" in r.out, r)


def story(t):
    t.project = t.host_file(t.home / "shop/readme", "x").parent
    for name in ("node_clients.mjs", "python_clients.py", "Client.java"):
        t.host_file(t.project / name, (CLIENTS / name).read_bytes())
    t.web = t.serve_tls("web.example", servers.Web)
    t.web.gate = harness.threading.Semaphore(0)
    t.git = t.serve_tls("git.example", servers.Git)
    t.git.root, t.git.password = t.root / "repositories", KEY
    t.git.root.mkdir()
    harness.subprocess.run(["git", "init", "-q", "-b", "main", "--bare", str(t.git.root / "box.git")], check=True)
    folder = t.authority()
    t.serve_tls("ws.example", harness.Handler, mapped=False)
    t.serve_tls("registry.example", harness.Handler, mapped=False)
    context = harness.ssl.SSLContext(harness.ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ws.example.pem", folder / "ws.example.key")
    web_sockets = servers.web_sockets(context)
    if web_sockets is not None:
        t.mappings.append({"name": "ws.example", "address": "127.0.0.1", "port": 443, "targetPort": web_sockets.port})
    t.start_engine()
    t.apply_settings()
    for name, host, form in (("web", "web.example", "Bearer {key}"), ("git", "git.example", "Basic {base64:x-access-token:{key}}")):
        r = coldframe(t, "keys", "custom", name, "--host", host, "--format", form)
        t.check(f"a service of one's own: {name}", r.status == 0, r)
    network = {"allow": ["web.example", "git.example", "ws.example", "registry.example"]}
    t.create("box", t.project, network=network, dockerAtStart=ALL)
    for name in ("web", "git"):
        t.give_key("box", name, KEY.encode())
    wait_for(lambda: t.run("box", f"ls {t.project}/Client.java").status == 0, 60)
    parts = [hellos, programs, git, *([containers, more_programs, more_containers, registry, java, agents.run] if ALL else [])]
    wanted = os.environ.get("COLDFRAME_TEST_PARTS", "").split()
    for part in parts:
        if not wanted or part.__name__ in wanted or part.__module__ in wanted:
            part(t)


harness.main(story)
