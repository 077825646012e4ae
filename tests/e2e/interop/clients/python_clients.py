# SPDX-License-Identifier: Apache-2.0
"""Python's HTTP clients inside: python_clients.py WHICH KEYED-HOST [WEBSOCKET-HOST]. Prints "ok" as its last line, or raises. 77: not installed.

Each asks for /hello, sends a megabyte in pieces, unpacks a packed reply, and reads events of which the server sends the next only when it was asked
for it on another connection, so that nobody between them may buffer."""
import asyncio, ssl, sys, urllib.request

which, host = sys.argv[1], "https://" + sys.argv[2]
PIECES = [bytes([65 + n]) * 65536 for n in range(16)]
WHOLE = b"".join(PIECES)


def with_urllib():
    strict = ssl.create_default_context()
    strict.verify_flags |= ssl.VERIFY_X509_STRICT  # as every context from Python 3.13 on
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=strict))
    urllib.request.install_opener(opener)

    def get(path):
        return urllib.request.urlopen(host + path, timeout=60).read()
    assert b"authorization" in get("/hello")
    assert urllib.request.urlopen(urllib.request.Request(host + "/echo", data=iter(PIECES), method="POST"), timeout=60).read() == WHOLE
    seen = []
    for line in urllib.request.urlopen(host + "/events", timeout=60):
        if line.startswith(b"data: "):
            seen.append(line)
            len(seen) < 3 and get("/next")
    assert len(seen) == 3, seen


def with_requests():
    import requests
    with requests.Session() as session:
        assert "authorization" in session.get(host + "/hello", timeout=60).json()
        assert session.post(host + "/echo", data=iter(PIECES), timeout=60).content == WHOLE
        assert session.get(host + "/packed", timeout=60).text == "packed " * 5000
        seen = []
        for line in session.get(host + "/events", stream=True, timeout=60).iter_lines(chunk_size=1):
            if line:
                seen.append(line)
                len(seen) < 3 and requests.get(host + "/next", timeout=60)
        assert len(seen) == 3, seen


def with_httpx():
    import httpx
    try:
        import h2  # noqa: F401
        versions = (False, True)
    except ImportError:
        versions = (False,)
    for two in versions:
        with httpx.Client(http2=two, timeout=60) as client:
            answer = client.get(host + "/hello")
            assert answer.http_version == ("HTTP/2" if two else "HTTP/1.1"), answer.http_version
            assert client.post(host + "/echo", content=iter(PIECES)).content == WHOLE
            assert client.get(host + "/packed").text == "packed " * 5000
            seen = []
            with client.stream("GET", host + "/events") as reply:
                for line in reply.iter_lines():
                    if line.strip():
                        seen.append(line)
                        len(seen) < 3 and client.get(host + "/next")
            assert len(seen) == 3, seen
    print("versions", len(versions))


async def with_aiohttp():
    import aiohttp, ssl
    async with aiohttp.ClientSession() as session:
        async with session.get(host + "/hello") as reply:
            assert "authorization" in await reply.json()

        async def pieces():
            for piece in PIECES:
                yield piece
        async with session.post(host + "/echo", data=pieces()) as reply:
            assert await reply.read() == WHOLE
        seen = []
        async with session.get(host + "/events") as reply:
            async for line in reply.content:
                if line.strip():
                    seen.append(line)
                    if len(seen) < 3:
                        async with session.get(host + "/next") as more:
                            await more.read()
        assert len(seen) == 3, seen
        async with session.ws_connect("wss://" + sys.argv[3] + "/", compress=15) as web_socket:
            agreed = (await web_socket.receive()).data
            assert "permessage-deflate" in agreed, agreed
            await web_socket.send_str("ä" * 100000)
            assert (await web_socket.receive()).data == "ä" * 100000


async def with_websockets():
    import websockets
    async with websockets.connect("wss://" + sys.argv[3] + "/", max_size=8 << 20) as web_socket:
        agreed = await web_socket.recv()
        assert "permessage-deflate" in agreed, agreed
        for message in ("hi", b"\0\1" * 500000, "x" * 1000000):
            await web_socket.send(message)
            assert await web_socket.recv() == message
        await asyncio.wait_for(await web_socket.ping(), 30)


try:
    done = {"urllib": with_urllib, "requests": with_requests, "httpx": with_httpx, "aiohttp": with_aiohttp, "websockets": with_websockets}[which]()
    if done is not None:
        asyncio.run(done)
except ModuleNotFoundError as missing:
    print(missing)
    sys.exit(77)
print("ok")
