#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes cases.jsonl: HTTP/1 messages that two readers may understand in two ways.

Each case is what a client sends on one connection to victim.example:80. A request for /smuggled is denied there, so a
reader that finds one where the proxy saw none, or the other way round, is the attack. `readings.py` sends the cases to real
servers and fills in how they read them; its kind then says whether they differ, all refuse it (a plain violation), or all take it alike."""
import json, pathlib

HERE = pathlib.Path(__file__).parent
HOST = b"Host: victim.example\r\n"
NEXT = b"GET /smuggled HTTP/1.1\r\nHost: victim.example\r\n\r\n"
cases = {}


def case(family, name, data):
    key = f"{family}: {name}"
    assert key not in cases, key
    cases[key] = data


def post(headers, body, version=b"HTTP/1.1", method=b"POST"):
    return method + b" /a " + version + b"\r\n" + HOST + headers + b"\r\n" + body


def shown(value):
    return repr(value)[2:-1] or "empty"


# A body's length that somebody may read as five and somebody else as something else. What follows is then body or request.
LENGTHS = [b"+5", b"-5", b"-0", b"+0", b"0x5", b"0b101", b"0o5", b"5,5", b"5, 5", b"5,0", b"0,5", b"5,", b",5", b"5,,5", b"5 5", b"5;", b"5;0",
           b"5.0", b"5e0", b"1_0", b"\"5\"", b"'5'", b"5L", b"5h", b"five", b"", b" ", b"5\x0b", b"\x0b5", b"\x0c5", b"5\x0c", b"5\x00", b"\x005",
           b"\x00", b"5\xa0", b"\xa05", b"5\x85", b"5\x7f", b"\xef\xbc\x95", b"\xd9\xa5", b"5/", b"5#", b"5\\", b"(5)", b"5(five)", b"=5", b":5",
           b"4294967301", b"18446744073709551621", b"9223372036854775808", b"9999999999999999999999", b"000000000000000000000005",
           b"5\r\n 0", b"\r\n 5", b"5\r\n\t0", b"5\r0", b"5\n"]
for value in LENGTHS:
    case("length", shown(value), post(b"Content-Length: " + value + b"\r\n", b"AAAAA" + NEXT))
PAIRS = [(b"Content-Length: 5", b"Content-Length: 0"), (b"Content-Length: 0", b"Content-Length: 5"), (b"Content-Length: 5", b"Content-Length: 5"),
         (b"Content-Length: 5", b"content-length: 53"), (b"Content-Length: 5", b"Content-Length : 0"), (b"Content-Length : 5", b"X: y"),
         (b"Content-Length\t: 5", b"X: y"), (b"Content-Length\x0b: 5", b"X: y"), (b"Content-Length\x00: 5", b"X: y"), (b"Content_Length: 5", b"X: y"),
         (b"Content-Length\xa0: 5", b"X: y"), (b" Content-Length: 5", b"X: y"), (b"\tContent-Length: 5", b"X: y"), (b"X: y", b" Content-Length: 5"),
         (b"X: y\nContent-Length: 5", b"X: y"), (b"X: y\rContent-Length: 5", b"X: y"), (b"X: y\n\rContent-Length: 5", b"X: y"),
         (b"X: y\x00\r\nContent-Length: 5", b"X: z"), (b"X\r\nContent-Length: 5", b"X: y"), (b"Content-Length: 5\r\nContent-Length:", b"X: y"),
         (b"Content-Length:\r\nContent-Length: 5", b"X: y"), (b"(Content-Length: 5", b"X: y"), (b"Content-Length= 5", b"X: y"), (b"Content-Length 5", b"X: y"),
         (b"Content-Length: 5", b"Connection: content-length"), (b"Content-Length: 5", b"Connection: close, Content-Length"),
         (b"Content-Length: 5\r\n\x20", b"X: y"), (b"\x00Content-Length: 5", b"X: y"), (b"\"Content-Length\": 5", b"X: y"), (b"C\xc3\xb6ntent-Length: 5", b"X: y")]
for first, second in PAIRS:
    case("length field", shown(first) + " / " + shown(second), post(first + b"\r\n" + second + b"\r\n", b"AAAAA" + NEXT))

# A transfer coding that one reader takes for "chunked" and another does not; with and without a length beside it.
CODINGS = [b"chunked, identity", b"identity, chunked", b"chunked, chunked", b"chunked,chunked", b"xchunked", b"chunkedx", b"x-chunked", b"chunked;", b"chunked;q=1",
           b"chunked; foo=bar", b",chunked", b"chunked,", b", chunked", b"chunked gzip", b"gzip, chunked", b"chunked, gzip", b"gzip", b"identity", b"deflate,chunked", b"cow",
           b"\"chunked\"", b"'chunked'", b"[chunked]", b"\x0bchunked", b"\x0cchunked", b"chunked\x0b", b"chunked\x0c", b"\x00chunked", b"chunked\x00", b"chunked\x00x",
           b"chunked\xa0", b"\xa0chunked", b"chunked\x85", b"chunked\xff", b"chunked\x7f", b"chun\xe2\x84\xaaed", b"", b"chunked\r\n x", b"\r\n chunked",
           b"\r\n\tchunked", b"c\rhunked", b"chunked\rx", b"chunked\n", b"\nchunked", b"trailers", b"chunke", b"chunked, cow", b"null"]
for value in CODINGS:
    coding = b"Transfer-Encoding: " + value + b"\r\n"
    case("coding", shown(value), post(coding, b"0\r\n\r\n" + NEXT))
    case("coding with length", shown(value), post(coding + b"Content-Length: 5\r\n", b"0\r\n\r\n" + NEXT))
CODING_FIELDS = [b"Transfer-Encoding : chunked", b"Transfer-Encoding\t: chunked", b"Transfer-Encoding\x0b: chunked", b"Transfer-Encoding\x00: chunked",
                 b"Transfer-Encoding\xa0: chunked", b"Transfer_Encoding: chunked", b"Transfer Encoding: chunked", b"Transfer-Encoding\r: chunked",
                 b"X: y\r\n Transfer-Encoding: chunked", b"X: y\nTransfer-Encoding: chunked", b"X: y\rTransfer-Encoding: chunked", b"X\r\nTransfer-Encoding: chunked",
                 b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
                 b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x",
                 b"Transfer-Encoding:\r\nTransfer-Encoding: chunked", b"\x00Transfer-Encoding: chunked", b"\"Transfer-Encoding\": chunked", b"Transfer-Encoding:chunked\r\nConnection: transfer-encoding",
                 b"(Transfer-Encoding: chunked", b"Transfer-Encoding= chunked", b":Transfer-Encoding: chunked", b"X: y\x00\r\nTransfer-Encoding: chunked"]
for field in CODING_FIELDS:
    case("coding field", shown(field), post(field + b"\r\nContent-Length: 5\r\n", b"0\r\n\r\n" + NEXT))
case("coding", "chunked beside a length", post(b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", b"0\r\n\r\n" + NEXT))
case("coding", "length before chunked", post(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + NEXT))
case("coding", "chunked beside a longer length", post(b"Content-Length: 53\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + NEXT))
for version in (b"HTTP/1.0", b"HTTP/0.9", b"HTTP/1.2"):
    case("coding", "chunked in " + shown(version), post(b"Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n", b"0\r\n\r\n" + NEXT, version))
    case("coding", "chunked and length in " + shown(version), post(b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\nConnection: keep-alive\r\n", b"0\r\n\r\n" + NEXT, version))

# Sizes and ends of chunks.
SIZES = [b"0x5", b"+5", b"-5", b" 5", b"5 ", b"5\t", b"\t5", b"5;", b"5;;", b"5; ", b"5 ;a", b"5;a b", b"5;=b", b"5;a=", b"5;a=\"b", b"5;a=\"\r\n\"", b"5;a\rb", b"5;a\nb", b"5;\n",
         b"5\x00", b"5;\x00", b"5;a\x00b", b"5\x0b", b"5\x0c", b"5_0", b"5L", b"5h", b"5g", b"5.0", b"5,5", b"5 5", b"\"5\"", b"#5", b"", b"\r\n5", b"\n5", b"5\r", b"5\n", b"5\r\r",
         b"\xef\xbc\x95", b"5\xa0", b"00000000000000005", b"10000000000000005", b"100000005", b"ffffffffffffffff", b"8000000000000005", b"fffffffffffffffff", b"0000000000000000000000005", b"5x"]
for size in SIZES:
    case("chunk size", shown(size), post(b"Transfer-Encoding: chunked\r\n", size + b"\r\nAAAAA\r\n0\r\n\r\n" + NEXT))
ENDS = [b"AAAAA\n", b"AAAAA\r", b"AAAAAXX", b"AAAAA", b"AAAAA\r\r\n", b"AAAAAX\r\n", b"AAAA\r\n", b"AAAAA\n\r", b"AAAAA\r\n\r\n", b"AAAAA\x00\x00", b"AAAAA \r\n", b"AAAAA;\r\n"]
for end in ENDS:
    case("chunk end", shown(end), post(b"Transfer-Encoding: chunked\r\n", b"5\r\n" + end + b"0\r\n\r\n" + NEXT))
LASTS = [b"0\n\n", b"0\r\n\n", b"0\n\r\n", b"0\r\n\r", b"0\r\n\rX", b"0\r\r\n\r\n", b"00 \r\n\r\n", b"0x0\r\n\r\n", b"-0\r\n\r\n", b"+0\r\n\r\n", b"0;\r\n\r\n", b"0 \r\n\r\n", b"0\t\r\n\r\n", b"0\x00\r\n\r\n",
         b"0\r\nX : y\r\n\r\n", b"0\r\nX\r\n\r\n", b"0\r\n X: y\r\n\r\n", b"0\r\nX: y\n\r\n", b"0\r\nX: y\r\n z\r\n\r\n", b"0\r\n: y\r\n\r\n", b"0\r\nX: y\x00\r\n\r\n", b"0\r\nX: y\rz\r\n\r\n",
         b"0\r\nContent-Length: 53\r\n\r\n", b"0\r\nTransfer-Encoding: identity\r\n\r\n", b"0\r\nHost: other.example\r\n\r\n", b"0\r\nAuthorization: x\r\n\r\n", b"\r\n", b"0\r\nGET /smuggled HTTP/1.1\r\n\r\n", b"0\r\n", b""]
for last in LASTS:
    case("last chunk", shown(last), post(b"Transfer-Encoding: chunked\r\n", b"5\r\nAAAAA\r\n" + last + NEXT))

# The request line.
LINES = [b"\r\nGET / HTTP/1.1", b"\nGET / HTTP/1.1", b"\r\n\r\nGET / HTTP/1.1", b" GET / HTTP/1.1", b"\x00GET / HTTP/1.1", b"\rGET / HTTP/1.1", b"\xef\xbb\xbfGET / HTTP/1.1", b"GET\t/ HTTP/1.1", b"GET /\tHTTP/1.1",
         b"GET  / HTTP/1.1", b"GET /  HTTP/1.1", b"GET\x0b/ HTTP/1.1", b"GET /\x0cHTTP/1.1", b"GET / HTTP/1.1 ", b"GET / HTTP/1.1\t", b"GET / HTTP/1.1\x00", b"GET / HTTP/1.1 x", b"GET /", b"GET", b"GET / ",
         b"GET / HTTP/1", b"GET / HTTP/1.", b"GET / HTTP/1.10", b"GET / HTTP/01.1", b"GET / HTTP/1.01", b"GET / http/1.1", b"GET / HTTP/1.2", b"GET / HTTP/2.0", b"GET / HTTP/3.0", b"GET / HTTP/0.9",
         b"GET / HTTP/11", b"GET / HTTP 1.1", b"GET / HTTP/1,1", b"GET / HTTP\\1.1", b"GET / XTTP/1.1", b"GET / HTTPS/1.1", b"GET / HTTP/-1.1", b"GET / HTTP/+1.1", b"GET / HTTP/1.1\r", b"GET / HTTP/\xef\xbc\x91.1",
         b"GET /a b HTTP/1.1", b"GET /a\x00b HTTP/1.1", b"GET /a\x7fb HTTP/1.1", b"GET /\xff HTTP/1.1", b"GET /a#/smuggled HTTP/1.1", b"GET \\smuggled HTTP/1.1", b"GET smuggled HTTP/1.1", b"GET ?/smuggled HTTP/1.1",
         b"GET * HTTP/1.1", b"OPTIONS *x HTTP/1.1", b"get / HTTP/1.1", b"G ET / HTTP/1.1", b"GE\x00T / HTTP/1.1", b"G(T / HTTP/1.1", b"\"GET\" / HTTP/1.1", b"GET, / HTTP/1.1", b" / HTTP/1.1", b"G\xc3\x8bT / HTTP/1.1",
         b"CONNECT victim.example:80 HTTP/1.1", b"CONNECT other.example:443 HTTP/1.1", b"TRACE / HTTP/1.1", b"PRI * HTTP/2.0", b"GET / HTTP/1.1\x0b"]
for line in LINES:
    case("request line", shown(line), line + b"\r\n" + HOST + b"\r\n" + NEXT)
# What is judged must be the path that is asked for: each of these is /smuggled, or another host's, for somebody.
TARGETS = [b"//smuggled", b"///smuggled", b"/./smuggled", b"/a/../smuggled", b"/a/..//smuggled", b"/%2e/smuggled", b"/a/%2e%2e/smuggled", b"/a/%2E./smuggled", b"/a/.%2e/smuggled",
           b"/%73muggled", b"/%53%6d/../smuggled", b"/%2fsmuggled", b"/x%2f..%2fsmuggled", b"/x%2f%2e%2e%2fsmuggled", b"/%5csmuggled", b"/x%5c..%5csmuggled", b"/smuggled%00", b"/smuggled%", b"/smuggled%zz",
           b"/%u0073muggled", b"/%c0%afsmuggled", b"/%252fsmuggled", b"/%2573muggled", b"/smuggled//", b"/smuggled/.", b"/smuggled%3bx", b"/smuggled#x", b"/.//smuggled", b"/%00/smuggled",
           b"http://other.example/", b"http://victim.example/smuggled", b"HTTP://victim.example/smuggled", b"http://victim.example//smuggled", b"http:/smuggled", b"http:///smuggled", b"http:smuggled", b"http://victim.example@other.example/",
           b"http://other.example@victim.example/", b"http://victim.example:80@other.example/", b"http://victim.example:8080/", b"http://victim.example:/smuggled", b"http://victim.example:080/", b"https://victim.example/", b"ftp://victim.example/",
           b"http://victim.example#/smuggled", b"http://victim.example?/smuggled", b"http://victim.example\\@other.example/", b"http://[::1]/", b"http://127.1/", b"victim.example:80", b"//victim.example/smuggled", b"//other.example/smuggled", b"http://victim.example%2f@other.example/"]
for target in TARGETS:
    case("target", shown(target), b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"\r\n")

# Whose request it is.
HOSTS = [b"", b"Host:", b"Host: ", b"Host: victim.example\r\nHost: other.example", b"Host: other.example\r\nHost: victim.example", b"Host: victim.example\r\nHost: victim.example", b"Host : victim.example",
         b"Host\t: victim.example", b"Host: victim.example, other.example", b"Host: victim.example other.example", b"Host: victim.example/other.example", b"Host: victim.example#other.example", b"Host: victim.example?other", b"Host: victim.example\\x",
         b"Host: other.example@victim.example", b"Host: victim.example@other.example", b"Host: victim.example:0", b"Host: victim.example:65536", b"Host: victim.example:80:80", b"Host: victim.example:http",
         b"Host: :80", b"Host: victim.example\x00", b"Host: victim.example\x00.other.example", b"Host: victim.example%00.other", b"Host: victim.example..", b"Host: .victim.example", b"Host: victim.example:80\r\n Host: other.example",
         b"X: y\r\n Host: victim.example", b" Host: other.example\r\nHost: victim.example", b"Host: victim.example\r\n other.example", b"Host:\r\n victim.example", b"Host: victim.example\nHost: other.example", b"Host: victim.example\rHost: other.example",
         b"Host: other.example\nHost: victim.example", b"Host: \"victim.example\"", b"Host: victim.example;x", b"Host: http://victim.example/", b"H\x00ost: other.example\r\nHost: victim.example", b"Host\xa0: other.example\r\nHost: victim.example",
         b"Host: v\xc4\xb1ctim.example", b"Host: victim.example\x0b", b"Host: victim.example|other.example"]
for host in HOSTS:
    case("host", shown(host), b"GET / HTTP/1.1\r\n" + host + (b"\r\n" if host else b"") + b"\r\n")

# Where the head ends and what its lines are.
HEADS = [b"X: y\n\n", b"X: y\r\n\n", b"X: y\n\r\n", b"X: y\r\r\n\r\n", b"X: y\r\n\r\r\n", b"X: y\r\rGET /smuggled", b"X: y\r\n\rX: y\r\n\r\n", b"X y\r\n\r\n", b"X\r\n\r\n", b": y\r\n\r\n", b"X Y: z\r\n\r\n", b"X(: y\r\n\r\n", b"X/Y: z\r\n\r\n", b"X\x00Y: z\r\n\r\n",
         b"X: y\x00\r\n\r\n", b"X: y\x01\r\n\r\n", b"X: y\x0bz\r\n\r\n", b"X: y\x1b[2J\r\n\r\n", b"X: y\x7f\r\n\r\n", b"X: y\r\n z\r\n\r\n", b"X: y\r\n\tz\r\n\r\n", b"X: y\r\n \r\n\r\n", b" X: y\r\n\r\n", b"\tX: y\r\n\r\n", b"X:\x00y\r\n\r\n", b"X: y\n z\r\n\r\n", b"X\x85: y\r\n\r\n",
         b"\x00\r\n\r\n", b"X: y\r\n\x00\r\n\r\n", b"X: y\x0c\r\n\r\n", b"Connection: close, authorization\r\n\r\n", b"Connection: \"close\"\r\n\r\n", b"Expect: 100-continue, x\r\nContent-Length: 5\r\n\r\nAAAAA", b"Expect: 200-ok\r\n\r\n",
         b"Expect: 100-continue\r\nExpect: x\r\n\r\n", b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", b"Upgrade: websocket, h2c\r\nConnection: Upgrade\r\n\r\n", b"Upgrade: TLS/1.0\r\nConnection: Upgrade\r\n\r\n"]
for head in HEADS:
    case("head", shown(head), b"GET / HTTP/1.1\r\n" + HOST + head + NEXT)

# Bodies where a reader may not expect one: it then takes the body for the next request.
for method in (b"GET", b"HEAD", b"DELETE", b"OPTIONS", b"PUT", b"PATCH", b"PURGE"):
    case("body", shown(method) + " with a length", post(b"Content-Length: %d\r\n" % len(NEXT), NEXT, method=method))
    case("body", shown(method) + " in chunks", post(b"Transfer-Encoding: chunked\r\n", b"%x\r\n" % len(NEXT) + NEXT + b"\r\n0\r\n\r\n", method=method))
case("body", "shorter than said", post(b"Content-Length: 500\r\n", NEXT))
case("body", "expected, and sent at once", post(b"Expect: 100-continue\r\nContent-Length: %d\r\n" % len(NEXT), NEXT))
case("body", "in HTTP/1.0", post(b"Content-Length: %d\r\nConnection: keep-alive\r\n" % len(NEXT), NEXT, b"HTTP/1.0"))
case("body", "without a length", post(b"", NEXT))
case("body", "after a length of zero", post(b"Content-Length: 0\r\n", NEXT))

# The controls: nothing is wrong with these.
case("control", "one request", b"GET /fine HTTP/1.1\r\n" + HOST + b"\r\n")
case("control", "two requests", (b"GET /fine HTTP/1.1\r\n" + HOST + b"\r\n") * 2)
case("control", "a length", post(b"Content-Length: 5\r\n", b"AAAAA" + b"GET /fine HTTP/1.1\r\n" + HOST + b"\r\n"))
case("control", "chunks", post(b"Transfer-Encoding: chunked\r\n", b"5\r\nAAAAA\r\n0\r\n\r\n" + b"GET /fine HTTP/1.1\r\n" + HOST + b"\r\n"))
case("control", "denied", NEXT)

if __name__ == "__main__":
    file = HERE / "cases.jsonl"
    known = {}
    if file.exists():
        known = {entry["name"]: entry for entry in map(json.loads, file.read_text().splitlines())}
    with file.open("w") as out:
        for name, data in cases.items():
            entry = {"name": name, "send": data.decode("latin-1")}
            old = known.get(name, {})
            if old.get("send") == entry["send"]:
                entry = old
            out.write(json.dumps(entry) + "\n")
    print(len(cases), "cases")
