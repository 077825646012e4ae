#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""coldframe-dial behind a network's proxy: the real executable, real proxies on loopback, every kind with its refusals."""
import json, os, pathlib, shutil, socket, subprocess, sys, tempfile, threading, time, unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "fakes"))
from upstream_proxy import UpstreamProxy

DIAL = sys.argv.pop(1)


def rule(pattern, action="allow"):
    return {"id": "r-" + pattern, "action": action, "pattern": pattern, "scope": "sandbox", "origin": "user"}


def policy(mode, *patterns, mappings=()):
    return {"version": 1, "mode": mode, "canAsk": False, "rules": [rule(pattern) for pattern in patterns], "hostMappings": list(mappings)}


class Target:
    """A server that greets, so that it is seen who was reached; the first byte is the server's."""

    def __init__(self, greeting=b"hello"):
        self.greeting, self.reached = greeting, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.reached += 1
            with client:
                client.sendall(self.greeting)
                data = client.recv(1000)
                client.sendall(b"echo:" + data)


class Dialler:
    def __init__(self, route, rules, password=None):
        self.engine, engine = socket.socketpair()
        self.proxy, proxy = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.process = subprocess.Popen([DIAL, "--engine-fd", str(engine.fileno()), "--proxy-fd", str(proxy.fileno())],
                                        pass_fds=(engine.fileno(), proxy.fileno()), stdin=subprocess.DEVNULL)
        engine.close()
        proxy.close()
        self.route(route, password)
        self.tell({"type": "setup", "policy": rules})
        self.engine.settimeout(30)
        self.engine.recv(100)

    def tell(self, message):
        self.engine.sendall(json.dumps(message).encode() + b"\n")

    def route(self, route, password=None):
        self.tell({"type": "route", "route": route})
        if password:
            self.engine.sendall(json.dumps({"type": "route-password", "length": len(password)}).encode() + b"\n" + password)

    def dial(self, host, port=443):
        """The answer and, when it came, the connection's first bytes and its echo."""
        self.proxy.settimeout(40)
        self.proxy.send(json.dumps({"id": "1", "host": host, "port": port, "kind": "name"}).encode())
        data, fds, _, _ = socket.recv_fds(self.proxy, 8192, 1)
        answer = json.loads(data)
        answer["said"] = None
        if fds:
            with socket.socket(fileno=fds[0]) as s:
                s.setblocking(True)
                s.settimeout(20)
                said = s.recv(5)
                s.sendall(b"ping")
                while not said.endswith(b"echo:ping"):
                    more = s.recv(100)
                    if not more:
                        break
                    said += more
                answer["said"] = said
        return answer

    def close(self):
        self.engine.close()
        self.proxy.close()
        self.process.wait(20)


class UpstreamProxies(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        at = pathlib.Path(cls.folder.name)

        def openssl(*arguments):
            subprocess.run(["openssl", *arguments], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=at)
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "2",
                "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
        cls.certificate = (str(at / "cert.pem"), str(at / "key.pem"))

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def begin(self, route, rules, password=None):
        dialler = Dialler(route, rules, password)
        self.addCleanup(dialler.close)
        return dialler

    def check_reached(self, answer, through):
        self.assertTrue(answer["ok"], answer)
        self.assertEqual(answer["said"], b"helloecho:ping")
        self.assertEqual(answer["address"], f"via 127.0.0.1:{through.port}")

    def kinds(self, target, login=None):
        lead = {"api.example.com:443": target.port, "203.0.113.9:443": target.port}
        yield "http", UpstreamProxy("http", lead, login), {}
        yield "socks5", UpstreamProxy("socks5", lead, login), {}
        yield "https", UpstreamProxy("http", lead, login, self.certificate), {"trusted": [pathlib.Path(self.certificate[0]).read_text()]}

    def test_each_kind_leads_to_the_named_host(self):
        for kind, proxy, more in self.kinds(target := Target()):
            with self.subTest(kind):
                dialler = self.begin({"kind": "proxy", "scheme": kind, "host": "127.0.0.1", "port": proxy.port, **more},
                                     policy("locked", "api.example.com", "203.0.113.9", "unknown.example.com"))
                self.check_reached(dialler.dial("api.example.com"), proxy)
                self.check_reached(dialler.dial("203.0.113.9"), proxy)
                refused = dialler.dial("unknown.example.com")
                self.assertFalse(refused["ok"])
                self.assertIn("refused", refused["reason"])
                self.assertEqual(proxy.asked, ["api.example.com:443", "203.0.113.9:443", "unknown.example.com:443"])

    def test_a_login_is_given_and_a_wrong_one_said(self):
        for kind, proxy, more in self.kinds(target := Target(), "me:pass wörd"):
            with self.subTest(kind):
                route = {"kind": "proxy", "scheme": kind, "host": "127.0.0.1", "port": proxy.port, "user": "me", **more}
                dialler = self.begin(route, policy("locked", "api.example.com"), "pass wörd".encode())
                self.check_reached(dialler.dial("api.example.com"), proxy)
                self.assertEqual(proxy.logins[-1], "me:pass wörd")
                dialler.route(route, b"wrong\nword")
                wrong = dialler.dial("api.example.com")
                self.assertIn("did not take the user name", wrong["reason"])
                dialler.route({**route, "user": ""})
                self.assertIn("wants a user name", dialler.dial("api.example.com")["reason"])
        self.assertEqual(target.reached, 3)

    def test_hazard_06_only_named_hosts_pass_where_addresses_cannot_be_checked(self):
        target = Target()
        everything = {f"{host}:443": target.port for host in ("a.example.com", "inside.corp.example", "10.0.0.5", "localhost")}
        proxy = UpstreamProxy("http", everything)
        route = {"kind": "proxy", "scheme": "http", "host": "127.0.0.1", "port": proxy.port}
        dialler = self.begin(route, policy("open"))
        for host in ("a.example.com", "inside.corp.example", "10.0.0.5", "localhost", "host.docker.internal", "127.0.0.1"):
            answer = dialler.dial(host)
            self.assertFalse(answer["ok"], answer)
        dialler.tell({"type": "policy", "policy": policy("open", "all")})
        answer = dialler.dial("a.example.com")
        self.assertEqual(answer["rule"], "network's proxy", answer)
        self.assertIn("addresses cannot be checked", answer["reason"])
        self.assertEqual(proxy.asked, [])  # not even asked
        dialler.tell({"type": "policy", "policy": policy("open", "*.example.com")})
        self.check_reached(dialler.dial("a.example.com"), proxy)  # the control: named
        self.assertFalse(dialler.dial("10.0.0.5")["ok"])  # an address is checked here as ever
        dialler.tell({"type": "policy", "policy": policy("open", "10.0.0.0/8")})
        self.check_reached(dialler.dial("10.0.0.5"), proxy)

    def test_exempt_and_mapped_names_go_the_checked_way(self):
        proxy, direct = UpstreamProxy("http", {"a.example.com:443": Target(b"proxy").port}), Target()
        mapping = {"name": "mapped.example.com", "address": "127.0.0.1", "port": 443, "targetPort": direct.port}
        route = {"kind": "proxy", "scheme": "http", "host": "127.0.0.1", "port": proxy.port, "exempt": ["localhost.localdomain", "corp.example", "203.0.113.0/24"]}
        dialler = self.begin(route, policy("open", f"localhost:{direct.port}", "mapped.example.com", "*.corp.example", mappings=[mapping]))
        self.assertEqual(dialler.dial("mapped.example.com")["said"], b"helloecho:ping")
        self.assertEqual(dialler.dial("host.docker.internal", direct.port)["said"], b"helloecho:ping")
        inside = dialler.dial("git.corp.example")  # looked up here, and there is no such name
        self.assertIn("could not be found", inside["reason"])
        self.assertEqual(proxy.asked, [])

    def test_a_script_chooses_in_its_own_process(self):
        if not any(pathlib.Path(folder, "libpacparser.so.1").exists() for folder in ("/usr/lib/x86_64-linux-gnu", "/usr/lib", "/usr/lib64", "/usr/lib/aarch64-linux-gnu")):
            self.skipTest("libpacparser is not here")
        target = Target()
        lead = {"a.example.com:443": target.port, "b.example.com:443": target.port}
        one, other = UpstreamProxy("http", lead), UpstreamProxy("socks5", lead)
        script = """function FindProxyForURL(url, host) {
          if (host == "loop.example.com") { while (true) {} }
          if (host == "broken.example.com") { return nothing.here; }
          if (host == "direct.example.com") return "DIRECT";
          if (host == "first.example.com" || host == "b.example.com") return "PROXY 127.0.0.1:1; SOCKS5 127.0.0.1:%d";
          if (dnsDomainIs(host, ".example.com") && url.substring(0, 6) == "https:") return "PROXY 127.0.0.1:%d";
          return "PROXY 127.0.0.1:1"; }""" % (other.port, one.port)
        names = [f"{name}.example.com" for name in ("a", "b", "direct", "loop", "broken")]
        mapping = []
        dialler = self.begin({"kind": "script", "script": script}, policy("locked", *names, mappings=mapping))
        self.check_reached(dialler.dial("a.example.com"), one)
        self.check_reached(dialler.dial("b.example.com"), other)  # the first of its two does not answer
        self.assertIn("could not be found", dialler.dial("direct.example.com")["reason"])
        self.assertIn("mistake", dialler.dial("broken.example.com")["reason"])
        begun = time.monotonic()
        self.assertIn("too long", dialler.dial("loop.example.com")["reason"])
        self.assertLess(time.monotonic() - begun, 30)
        self.check_reached(dialler.dial("a.example.com"), one)  # the next is evaluated as if nothing had been
        dialler.route({"kind": "blocked", "reason": "The script is out of reach."})
        self.assertEqual(dialler.dial("a.example.com")["reason"], "The script is out of reach.")

    def test_an_untrusted_proxy_gets_nothing(self):
        target = Target()
        proxy = UpstreamProxy("http", {"a.example.com:443": target.port}, None, self.certificate)
        other = pathlib.Path(self.folder.name, "other.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "/dev/null", "-out", str(other),
                        "-days", "2", "-subj", "/CN=other"], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        route = {"kind": "proxy", "scheme": "https", "host": "127.0.0.1", "port": proxy.port, "user": "me", "trusted": [other.read_text()]}
        dialler = self.begin(route, policy("locked", "a.example.com"), b"secret")
        self.assertIn("certificate", dialler.dial("a.example.com")["reason"])
        self.assertEqual(proxy.logins, [])
        dialler.route({**route, "trusted": [pathlib.Path(self.certificate[0]).read_text()]}, b"secret")
        self.check_reached(dialler.dial("a.example.com"), proxy)
        self.assertEqual(proxy.logins, ["me:secret"])

    def test_proxies_that_misbehave_are_told_apart_from_servers(self):
        for kind, answers in (("http", [b"", b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 200", b"HTTP/1.1 302 Found\r\n\r\n", b"x" * 40000]),
                              ("socks5", [b"", b"HTTP/1.1 400 Bad\r\n\r\n", b"\x05\xff", b"\x05\x00\x05\x05\x00\x01", b"\x05\x00\x05\x00\x00\x03"])):
            for answer in answers:
                with self.subTest(kind=kind, answer=answer[:12]), socket.create_server(("127.0.0.1", 0)) as listener:
                    def serve():
                        client, _ = listener.accept()
                        with client:
                            client.recv(4096)
                            client.sendall(answer)
                    threading.Thread(target=serve, daemon=True).start()
                    route = {"kind": "proxy", "scheme": kind, "host": "127.0.0.1", "port": listener.getsockname()[1]}
                    result = self.begin(route, policy("locked", "a.example.com")).dial("a.example.com")
                    self.assertFalse(result["ok"], result)
                    self.assertIn("proxy", result["reason"])

    def test_tinyproxy(self):
        program = shutil.which("tinyproxy", path="/usr/bin:/usr/sbin")
        if not program:
            self.skipTest("tinyproxy is not here")
        target = Target()
        with socket.create_server(("127.0.0.1", 0)) as s:
            port = s.getsockname()[1]
        file = pathlib.Path(self.folder.name, "tinyproxy.conf")
        file.write_text(f"Port {port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 20\nBasicAuth me secret\n")
        process = subprocess.Popen([program, "-d", "-c", str(file)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        # A literal that only a rule opens; tinyproxy goes there itself.
        route = {"kind": "proxy", "scheme": "http", "host": "127.0.0.1", "port": port, "user": "me"}
        dialler = self.begin(route, policy("locked", "localhost.localdomain"), b"secret")
        answer = dialler.dial("localhost.localdomain", target.port)
        if answer["ok"]:
            self.assertEqual(answer["said"], b"helloecho:ping")
        else:
            self.assertIn("refused it", answer["reason"])
        dialler.route(route, b"wrong")
        self.assertFalse(dialler.dial("localhost.localdomain", target.port)["ok"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
