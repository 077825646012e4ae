#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Sends the cases to real servers without the proxy and compares how they read them: the control of the smuggling test.

    readings.py            a sample of the cases to the servers of this computer, compared with what is recorded (the test)
    readings.py --record   all cases; writes the readings into cases.jsonl
"""
import concurrent.futures, http.server, json, os, pathlib, re, shutil, socket, subprocess, sys, tempfile, threading, time

HERE = pathlib.Path(__file__).parent
REPLY = re.compile(rb"HTTP/1\.[01] (\d\d\d)|\[\[(.*?)\]\]", re.S)
NODE = r"""
const http = require('http');
for (const [port, lenient] of [[+process.argv[2], false], [+process.argv[3], true]])
  http.createServer({insecureHTTPParser: lenient}, (request, reply) => { let size = 0; request.on('data', piece => size += piece.length);
    request.on('end', () => reply.end(`[[${request.method}|${request.url}|${request.headers.host}|${size}]]`)); }).listen(port, '127.0.0.1');
"""
# Each says what it took for a request: method, target, host and, where it can, how many bytes of body.
NGINX = """daemon off; master_process off; error_log stderr crit; pid {folder}/nginx.pid;
events {{ worker_connections 256; }}
http {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
 server {{ listen 127.0.0.1:{port}; location / {{ default_type text/plain; return 200 "[[$request_method|$uri$is_args$args|$host|]]"; }} }} }}
"""
HAPROXY = """global
 maxconn 200
defaults
 mode http
 timeout client 3s
 timeout server 3s
 timeout connect 3s
frontend f
 bind 127.0.0.1:{port}
 http-request return status 200 content-type text/plain lf-string "[[%[method]|%[url]|%[req.hdr(host)]|]]"
"""


class Plain(http.server.BaseHTTPRequestHandler):
    """As applications on Python's own server are mostly written."""
    protocol_version = "HTTP/1.1"

    def answer(self):
        size = len(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        text = f"[[{self.command}|{self.path}|{self.headers.get('Host')}|{size}]]".encode("latin-1", "replace")
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def __getattr__(self, name):
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start_servers(folder):
    """name → port, and what has to be ended."""
    ports, processes = {}, []
    python = Server(("127.0.0.1", 0), Plain)
    threading.Thread(target=python.serve_forever, args=(0.1,), daemon=True).start()
    ports["python http.server"] = python.server_address[1]

    def run(*command):
        processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    path = "/usr/local/bin:/usr/bin:/usr/sbin:/bin"
    if program := shutil.which("busybox", path=path):
        ports["busybox httpd"] = free_port()
        (folder / "www").mkdir()
        (folder / "www/index.html").write_text("[[page]]")
        run(program, "httpd", "-f", "-p", f"127.0.0.1:{ports['busybox httpd']}", "-h", str(folder / "www"))
    if program := shutil.which("node", path=path):
        ports["node"], ports["node, lenient"] = free_port(), free_port()
        (folder / "server.js").write_text(NODE)
        run(program, str(folder / "server.js"), str(ports["node"]), str(ports["node, lenient"]))
    if program := shutil.which("nginx", path=path):
        ports["nginx"] = free_port()
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=ports["nginx"]))
        run(program, "-p", str(folder), "-c", str(folder / "nginx.conf"))
    if program := shutil.which("haproxy", path=path):
        ports["haproxy"] = free_port()
        (folder / "haproxy.cfg").write_text(HAPROXY.format(port=ports["haproxy"]))
        run(program, "-q", "-f", str(folder / "haproxy.cfg"))
    if program := shutil.which("lighttpd", path=path):
        ports["lighttpd"] = free_port()
        root = folder / "www"
        root.mkdir(exist_ok=True)
        (root / "index.html").write_text("[[page]]")
        (folder / "lighttpd.conf").write_text(f'server.document-root = "{root}"\nserver.port = {ports["lighttpd"]}\nserver.bind = "127.0.0.1"\n'
                                              'index-file.names = ("index.html")\n')
        run(program, "-D", "-f", str(folder / "lighttpd.conf"))
    for name, port in list(ports.items()):
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 2).close()
                break
            except OSError:
                if time.monotonic() > deadline:
                    print("left out, as it does not start:", name)
                    del ports[name]
                    break
                time.sleep(0.05)
    return ports, processes, python


def reading(port, data):
    """What a server made of the bytes: one word a reply."""
    received = b""
    for attempt in range(5):
        try:
            connection = socket.create_connection(("127.0.0.1", port), 5)
            break
        except OSError:
            if attempt == 4:
                raise
    with connection as s:
        s.settimeout(0.6)
        try:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            while chunk := s.recv(65536):
                received += chunk
        except OSError:
            pass
    words, pending = [], None
    for status, text in REPLY.findall(received):
        if status:
            if pending:
                words.append(pending)
            code = int(status)
            pending = None if code < 200 else "refused" if code in (400, 405, 411, 413, 414, 417, 421, 431, 501, 505) else status.decode()
        else:
            words.append(text.decode("latin-1"))
            pending = None
    if pending:
        words.append(pending)
    return words or ["nothing"]


def load():
    return [json.loads(line) for line in (HERE / "cases.jsonl").read_text().splitlines()]


def read_all(entries, ports):
    jobs = [(entry, name, port) for entry in entries for name, port in ports.items()]
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        results = list(pool.map(lambda job: reading(job[2], job[0]["send"].encode("latin-1")), jobs))
    table = {}
    for (entry, name, _), words in zip(jobs, results):
        table.setdefault(entry["name"], {})[name] = words
    return table


def take_apart(word):
    """Kind, and what is known of a request that was accepted: a server that does not tell a part cannot differ in it."""
    if word in ("refused", "nothing") or word.isdigit():
        return (word if not word.isdigit() else "accepted", [None] * 4)
    parts = word.split("|") if word.count("|") == 3 else [None] * 4
    host = re.sub(r":\d+$", "", (parts[2] or "").lower()) if parts[2] is not None else None
    return "accepted", [parts[0], parts[1], host, parts[3] or None]


def capable(table):
    """What each server can be asked about: one that does not take the well-formed message says nothing by refusing the odd one."""
    def right(server, control, *wanted):
        words = [take_apart(word) for word in table["control: " + control][server]]
        return len(words) == len(wanted) and all(kind == "accepted" and (parts[3] is None or parts[3] == size) for (kind, parts), size in zip(words, wanted))
    servers = table["control: one request"]
    return {"keeps": {name for name in servers if right(name, "two requests", "0", "0")}, "length": {name for name in servers if right(name, "a length", "5", "0")},
            "chunks": {name for name in servers if right(name, "chunks", "5", "0")}, "one": {name for name in servers if right(name, "one request", "0")}}


def able_to_read(case, able):
    family = case.split(":")[0]
    return able["chunks" if family.startswith(("coding", "chunk", "last")) or "chunks" in case else "length" if family.startswith(("length", "body")) or "a length" in case else "one"]


def is_refused(case, readings, able):
    return all(words in (["refused"], ["nothing"]) for name, words in readings.items() if name in able_to_read(case, able))


def differ(case, readings, able):
    """Whether two servers found different requests. One that closes after its first reply is compared in that alone."""
    keepers, servers = able["keeps"], [name for name in readings if name in able_to_read(case, able)]
    for i, one in enumerate(servers):
        for other in servers[i + 1:]:
            a, b = ([take_apart(word) for word in readings[name]] for name in (one, other))
            if one not in keepers or other not in keepers:
                a, b = a[:1], b[:1]
            if [kind for kind, _ in a] != [kind for kind, _ in b]:
                return True
            for (_, left), (_, right) in zip(a, b):
                if any(x is not None and y is not None and x != y for x, y in zip(left, right)):
                    return True
    return False


def main():
    record = "--record" in sys.argv
    entries = load()
    with tempfile.TemporaryDirectory() as name:
        ports, processes, python = start_servers(pathlib.Path(name))
        try:
            if record:
                for entry in entries:
                    entry.pop("readings", None)
                table = read_all(entries, ports)
                able = capable(table)
                with (HERE / "cases.jsonl").open("w") as out:
                    for entry in entries:
                        readings = table[entry["name"]]
                        alike = {}
                        for server, words in readings.items():
                            alike.setdefault(" then ".join(words), []).append(server)
                        fresh = {"name": entry["name"], "send": entry["send"], "readings": alike}
                        fresh["kind"] = ("control" if entry["name"].startswith("control: ") else "read differently" if differ(entry["name"], readings, able)
                                         else "plain violation" if is_refused(entry["name"], readings, able) else "odd but clear")
                        out.write(json.dumps(fresh) + "\n")
                split = sum(1 for entry in entries if differ(entry["name"], table[entry["name"]], able))
                print(f"{len(entries)} cases, {split} of them read differently by {len(ports)} servers: {', '.join(ports)}")
                return 0
            kinds = {kind: [entry for entry in entries if entry["kind"] == kind] for kind in ("read differently", "plain violation", "odd but clear", "control")}
            controls, sample = kinds["control"], kinds["read differently"][::4]
            table = read_all(sample + controls, ports)
            able = capable(table)
            split = [entry["name"] for entry in sample if differ(entry["name"], table[entry["name"]], able)]
            same = [entry["name"] for entry in controls if not differ(entry["name"], table[entry["name"]], able)]
            print(f"{len(entries)} cases: {len(kinds['read differently'])} recorded as read differently, {len(kinds['plain violation'])} plain violations; "
                  f"of {len(sample)} tried now, {len(ports)} servers ({', '.join(ports)}) read {len(split)} differently")
            # Which servers there are differs from computer to computer; two are always there.
            good = (len(kinds["read differently"]) >= 300 and len(ports) >= 2 and len(split) >= (len(sample) // 2 if len(ports) > 4 else 10)
                    and len(same) == len(controls))
            print("ok" if good else "FAILED", "" if len(same) == len(controls) else f"controls that differ: {set(e['name'] for e in controls) - set(same)}")
            return 0 if good else 1
        finally:
            python.shutdown()
            for process in processes:
                process.terminate()
            for process in processes:
                try:
                    process.wait(5)
                except subprocess.TimeoutExpired:
                    process.kill()


if __name__ == "__main__":
    sys.exit(main())
