# SPDX-License-Identifier: Apache-2.0
"""The only way out: what flags allow arrives, all else is refused, and each attempt has its line in the log."""
import time
import harness
from harness import wait_for


class Slow(harness.Handler):
    """A reply in three chunks, the later ones only when the test says so."""

    def do_GET(self):
        self.server.seen.append((self.command, self.path, dict(self.headers), b""))
        self.send_response(200)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for number, gate in enumerate([None] + self.server.gates):
            if gate:
                gate.wait(60)
            text = f"part-{number}\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(text), text))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")


def by_name(t):
    r = t.run("net", "curl -sS -m 30 -w '%{http_code} %{ssl_verify_result}' https://allowed.example/path")
    t.check("an allowed name is reached", harness.Handler.text in r.out and r.status == 0, r)
    t.check("curl trusts the sandbox's CA without a flag", r.out.endswith("200 0"), r)
    t.check("the server saw the request", [s for s in t.allowed.seen if s[1] == "/path"], t.allowed.seen)
    entry = t.logged("net", host="allowed.example", verdict="allowed", path="/path")
    t.check("an allowed request is logged with its rule, method and status", entry and entry[-1]["rule"] and entry[-1]["method"] == "GET"
            and entry[-1]["status"] == 200 and entry[-1]["inspected"] and entry[-1]["source"] == "process", entry)
    t.check("the log says how it travelled and for how long", entry and entry[-1]["how"] == "intercepted" and entry[-1]["durationMs"] > 0, entry)
    issuer = t.run("net", "curl -sv -m 30 https://allowed.example/ 2>&1 | grep -i issuer").out
    t.check("TLS is intercepted by the sandbox's own CA", issuer and "test CA" not in issuer, issuer)
    r = t.run("net", "curl -sS -m 30 -o /dev/null -w '%{http_code}' https://refused.example/; curl -sS -m 30 https://refused.example/")
    t.check("a denied name is refused though a server is there", not t.refused_server.seen and harness.Handler.text not in r.out, r)
    t.check("a refusal is told to the program in words", "403" in r.out and "refused.example" in r.out, r)
    entry = t.logged("net", host="refused.example", verdict="denied")
    t.check("a denied name is logged with the rule that denied it", entry and "refused.example" in entry[-1]["rule"], entry)
    r = t.run("net", "curl -sS -m 30 https://unknown.example/")
    entry = t.logged("net", host="unknown.example", verdict="denied")
    # Under a heavy load the guest does not look who it was, so any one of them will do.
    t.check("the log names the program", [e for e in t.log("net") if e["process"] == "curl"], [e["process"] for e in t.log("net")])
    places = t.call("network.log", sandbox="net", summary=True, host="allowed.example")["places"]
    t.check("the aggregated view counts by host", len(places) == 1 and places[0]["count"] >= 2 and places[0]["bytesIn"] > 0, places)
    t.check("an unknown name is refused and logged", entry and entry[-1]["reason"] and harness.Handler.text not in r.out, (r, entry))


def by_address(t):
    for address, url in (("203.0.113.9", "http://203.0.113.9/"), ("2001:db8::9", "http://[2001:db8::9]/")):
        r = t.run("net", f"curl -sS -m 15 -o /dev/null -w '%{{http_code}}' {url}")
        t.check(f"the address {address} is refused", "200" not in r.out, r)
        entry = t.logged("net", host=lambda h, a=address: h.strip("[]") == a, verdict="denied")
        t.check(f"the attempt to reach {address} is logged as denied", entry, t.log("net")[-4:])
    r = t.run("net", f"curl -sSk -m 15 https://127.0.0.1:{t.allowed.server_port}/ https://198.18.0.1:{t.allowed.server_port}/")
    t.check("the host's loopback is not the sandbox's", harness.Handler.text not in r.out, r)


def datagrams(t):
    script = ("import socket\n"
              "for family, address in ((socket.AF_INET, '203.0.113.53'), (socket.AF_INET6, '2001:db8::53')):\n"
              "    for port in (4433, 4433):\n"
              "        s = socket.socket(family, socket.SOCK_DGRAM)\n        s.settimeout(1)\n"
              "        try:\n            s.connect((address, port)); s.send(b'x'); print('answer', s.recv(10))\n"
              "        except OSError as e:\n            print('refused', e)\n")
    began = time.monotonic()
    r = t.run("net", ["python3", "-c", script])
    t.check("UDP is refused at once, not by a time-out", r.out.count("refused") == 4 and "timed out" not in r.out and "answer" not in r.out, r)
    entry = t.logged("net", seconds=15, protocol="udp", verdict="denied", host="203.0.113.53")
    t.check("UDP is in the log with its port and count", entry and entry[-1]["port"] == 4433 and sum(e["count"] for e in entry) >= 2, entry)
    r = t.run("net", "sudo python3 -c \"import socket; s=socket.socket(socket.AF_INET,socket.SOCK_RAW,socket.IPPROTO_ICMP); "
                     "s.sendto(b'\\x08\\0\\xf7\\xff\\0\\0\\0\\0',('203.0.113.77',0))\"; echo done")
    entry = t.logged("net", seconds=15, protocol="icmp", host="203.0.113.77")
    t.check("ICMP is refused and in the log", entry and entry[-1]["verdict"] == "denied", (r, t.log("net", protocol="icmp")))
    r = t.run("net", "ping -c 1 -W 90 203.0.113.78; echo status $?")
    t.check("ping of an ordinary user says at once that it is refused", "filtered" in r.out and "status 1" in r.out and r.seconds < 80, r)
    t.check("each ping is in the log", t.logged("net", seconds=15, protocol="icmp", host="203.0.113.78", verdict="denied"))
    r = t.run("net", "getent ahosts no-dots-here wpad.local; echo status $?")
    t.check("hazard_16_a single label does not exist", "198.18" not in r.out, r)


def streaming(t):
    a = t.start_exec("net", "curl -sSN -m 90 https://slow.example/stream")
    t.check("the first part of a reply arrives before the server has the second", wait_for(lambda: b"part-0" in a.output, 40)
            and b"part-1" not in a.output, a.output)
    t.slow.gates[0].set()
    t.check("the second part arrives before the third is there", wait_for(lambda: b"part-1" in a.output, 20) and b"part-2" not in a.output, a.output)
    t.slow.gates[1].set()
    a.wait(30)
    t.check("the reply ends", a.status == 0 and a.output == b"part-0\npart-1\npart-2\n", (a.status, a.output))


def rules_change(t):
    t.call("policy.add", sandbox="net", action="deny", pattern="allowed.example")
    before = len(t.allowed.seen)
    r = t.run("net", "curl -sS -m 20 https://allowed.example/after-deny")
    t.check("a deny added while it runs wins over the allow", len(t.allowed.seen) == before and harness.Handler.text not in r.out, r)
    t.call("policy.remove", sandbox="net", pattern="allowed.example")
    t.call("policy.add", sandbox="net", action="allow", pattern="unknown.example")
    r = t.run("net", "curl -sS -m 20 https://unknown.example/now")
    t.check("control: the same server is reached once its name is allowed", harness.Handler.text in r.out and t.unknown.seen, r)


def story(t):
    import threading
    t.project = t.host_file(t.home / "net project/x.txt", "x").parent
    t.allowed = t.serve_tls("allowed.example", harness.Handler)
    t.refused_server = t.serve_tls("refused.example", harness.Handler)
    t.unknown = t.serve_tls("unknown.example", harness.Handler)
    t.slow = t.serve_tls("slow.example", Slow)
    t.slow.gates = [threading.Event(), threading.Event()]
    t.start_engine()
    t.apply_settings()
    t.create("net", t.project, network={"allow": ["allowed.example", "slow.example"], "deny": ["refused.example"]})
    for part in (by_name, by_address, datagrams, streaming, rules_change):
        part(t)


harness.main(story)
