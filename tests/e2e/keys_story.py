# SPDX-License-Identifier: Apache-2.0
"""Keys and log-ins by the command line: with no keychain, with a real GNOME Keyring, locked; put on outside, and written down nowhere."""
import base64, hashlib, json, os, pathlib, subprocess, time, urllib.error, urllib.parse, urllib.request
import harness
from command_line import NOT_FOUND, UNAVAILABLE, USAGE, Terminal, coldframe
from harness import wait_for
from keychain import Keychain

KEYS = {name: f"sk-ant-api03-{name}-".encode() + os.urandom(12).hex().encode() for name in ("environment", "typed", "piped", "imported", "kept", "run")}
for i in range(4):  # of a log-in: those imported, and what each refresh gives
    KEYS[f"access-{i}"], KEYS[f"refresh-{i}"] = (f"sk-ant-o{kind}01-{i}-".encode() + os.urandom(12).hex().encode() for kind in ("at", "rt"))
MARKER = b"planted-" + os.urandom(12).hex().encode()
ASK = "curl -sS -m 40 -o /dev/null -w '%{http_code}' -d '{}' -H \"x-api-key: ${ANTHROPIC_API_KEY-none}\" https://api.anthropic.com/v1/messages"


class TokenEndpoint(harness.Handler):
    """Takes each refresh token once and gives the next two."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.server.seen.append(body)
        asked = json.loads(body)
        verifier = base64.urlsafe_b64encode(hashlib.sha256(asked.get("code_verifier", "").encode()).digest()).rstrip(b"=").decode()
        valid = (asked.get("refresh_token", "").encode() == KEYS[f"refresh-{self.server.given}"] if asked["grant_type"] == "refresh_token"
                 else asked["code"] == "the-code" and verifier == self.server.challenge)
        self.server.given += valid
        given = {name: KEYS[f"{name.split('_')[0]}-{self.server.given}"].decode() for name in ("access_token", "refresh_token")}
        data = json.dumps({**given, "expires_in": 28800, "token_type": "Bearer"} if valid else {"error": "invalid_grant"}).encode()
        self.send_response(200 if valid else 400)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def seen_token(t, source):
    """The access token that the server saw when a program inside used the one that `source` prints."""
    before = len(t.server.seen)
    r = t.run("k", f"curl -sS -m 40 -o /dev/null -w '%{{http_code}}' -d '{{}}' -H \"Authorization: Bearer $({source})\" https://api.anthropic.com/v1/messages")
    fresh = t.server.seen[before:]
    return {k.lower(): v for k, v in fresh[0][2].items()}.get("authorization", "").removeprefix("Bearer ").encode() if fresh else str(r).encode()


def seen_key(t):
    """The key that the server saw with one more request from inside."""
    before = len(t.server.seen)
    r = t.run("k", ASK)
    fresh = t.server.seen[before:]
    return {k.lower(): v for k, v in fresh[0][2].items()}.get("x-api-key", "").encode() if fresh else str(r).encode()


def where(t, needles):
    """Every file, command line and readable environment of this test's user in which one of the needles is."""
    found = []
    places = [p for top in (t.root, t.runtime) for p in top.rglob("*") if p.is_file() and not p.is_symlink() and "/bin/" not in str(p)]
    places += [p / name for p in pathlib.Path("/proc").iterdir() if p.name.isdigit() for name in ("cmdline", "environ")]
    for place in places:
        try:
            with open(place, "rb") as file:
                before = b""
                while data := file.read(16 << 20):
                    found += [(needle, str(place)) for needle in needles if needle in before + data]
                    before = data[-200:]
        except OSError:
            continue  # another user's, gone meanwhile, or an engine that shows nobody its environment
    return found


def nowhere(t, name):
    """The same search that finds what was planted in each kind of place finds no key."""
    t.host_file(t.runtime / "marker.log", MARKER)
    holder = subprocess.Popen(["/bin/sh", "-c", "read word", MARKER.decode()], env={"WORD": MARKER.decode()}, stdin=subprocess.PIPE)
    try:
        found = where(t, [MARKER, *KEYS.values()])
    finally:
        holder.stdin.close()
        holder.wait(10)
    planted = {place.rsplit("/", 1)[1] for needle, place in found if needle == MARKER}
    t.check(f"{name}: control: the search finds a marker in a file, a command line and an environment", planted >= {"marker.log", "cmdline", "environ"}, found)
    keys = [place for needle, place in found if needle != MARKER]
    t.check(f"{name}: no key is in a file, a log, a command line or an environment", not keys, keys)


def no_keychain(t):
    r = coldframe(t, "keys", "set", "anthropic", stdin=KEYS["piped"] + b"\n")
    t.check("without a keychain keys set says so and what to do", r.status == UNAVAILABLE and "No keychain" in r.err and "GNOME Keyring" in r.err, r)
    r = coldframe(t, "keys", "set", "antropic", stdin=KEYS["piped"])
    t.check("an unknown service is refused before the key is read", r.status == NOT_FOUND and "anthropic" in r.err, r)
    r = coldframe(t, "keys", "ls")
    t.check("keys ls says that none can be stored and how to give one", r.status == 0 and "environment" in r.err, r)
    r = coldframe(t, "keys", "import", environment={"ANTHROPIC_API_KEY": KEYS["imported"].decode()})
    t.check("import without a keychain stores nothing and says why", r.status == UNAVAILABLE and "No keychain" in r.err, r)
    r = coldframe(t, "create", "claude", str(t.project), "--name", "k", "--accept-emulation", "--network-allow", "api.anthropic.com", "--network-allow", "platform.claude.com",
                  environment={"ANTHROPIC_API_KEY": KEYS["environment"].decode()}, seconds=800)
    t.check("create takes the agent's key from the environment where there is no keychain", r.status == 0 and r.out == "k\n", r)
    t.client = t.connect()
    t.check("hazard_20_the key of the environment is put on outside", seen_key(t) == KEYS["environment"])
    r = t.run("k", "env; cat /proc/self/environ")
    t.check("inside is only a stand-in", "ANTHROPIC_API_KEY=sk-ant-" in r.out and KEYS["environment"].decode() not in r.out, r)
    nowhere(t, "without a keychain")


def stored(t):
    listed = json.loads(coldframe(t, "keys", "ls", "--json").out)
    return {key["service"] for key in listed["keys"]}


def restarted_engine(t):
    r = coldframe(t, "engine", "stop")
    t.check("the engine is not stopped under a running sandbox without force", r.status != 0 and "running" in r.err, r)
    r = coldframe(t, "engine", "stop", "--force")
    gone = wait_for(lambda: not t.processes("bin/coldframed"), 20)
    t.check("forced, the engine leaves and the microVM lives on", r.status == 0 and gone and t.qemu(""), r)
    keychain = Keychain(t)
    t.environment = keychain.environment
    r = coldframe(t, "ls")
    t.client = t.connect()
    t.check("the next command starts it again, and it takes the sandbox over", r.status == 0 and wait_for(lambda: t.state("k") == "running", 60), r)
    t.check("hazard_07_a key given for this run outlives the engine, in the proxy", seen_key(t) == KEYS["environment"], seen_key(t))
    return keychain


def with_keychain(t):
    typed = Terminal(t, "keys", "set", "anthropic")
    typed.expect(b"not shown")
    typed.send(KEYS["typed"] + b"\n")
    status = typed.wait()
    t.check("a key is typed at a hidden prompt", status == 0 and stored(t) == {"anthropic"} and KEYS["typed"] not in typed.output, typed.output)
    t.check("a key given for this run goes before the stored one", seen_key(t) == KEYS["environment"])
    r, r2 = coldframe(t, "stop", "k"), coldframe(t, "start", "k", seconds=300)
    t.check("stop and start", r.status == 0 and r2.status == 0, (r, r2))
    t.check("in the next run the key given for one run is gone and the stored one is put on", seen_key(t) == KEYS["typed"], seen_key(t))
    broken = Terminal(t, "keys", "set", "openai")
    broken.expect(b"not shown")
    broken.send(b"half-a-key\x03")
    status = broken.wait()
    t.check("Ctrl-C at the prompt stores nothing", status not in (0, None) and stored(t) == {"anthropic"}, (status, broken.output))
    r = coldframe(t, "keys", "set", "anthropic", stdin=KEYS["piped"] + b"\n")
    t.check("a key is piped in, and set again replaces it", r.status == 0 and stored(t) == {"anthropic"}, r)
    t.check("the next request of the running sandbox has the new key", wait_for(lambda: seen_key(t) == KEYS["piped"], 20), seen_key(t))
    for name, text in (("empty", b"\n"), ("of two lines", b"a\nb\n"), ("of 70000 bytes", b"k" * 70000)):
        r = coldframe(t, "keys", "set", "anthropic", stdin=text)
        t.check(f"a key {name} is refused", r.status == USAGE and "nothing was stored" in r.err, r)
    t.check("after the refusals the old key is still put on", seen_key(t) == KEYS["piped"])
    r = coldframe(t, "keys", "import", environment={"ANTHROPIC_API_KEY": KEYS["imported"].decode(), "OPENAI_API_KEY": "sk-proj-" + "x" * 20})
    t.check("import stores what the environment holds", r.status == 0 and stored(t) == {"anthropic", "openai"} and "ANTHROPIC_API_KEY" in r.out
            and KEYS["imported"].decode() not in r.out + r.err, r)
    t.check("the imported key is put on", wait_for(lambda: seen_key(t) == KEYS["imported"], 20), seen_key(t))
    r = coldframe(t, "keys", "import", "github")
    t.check("import with nothing to import fails and says so", r.status == NOT_FOUND and "environment" in r.err, r)
    r = coldframe(t, "keys", "rm", "anthropic", "openai")
    t.check("rm forgets the keys", r.status == 0 and stored(t) == set(), r)
    t.check("a key removed is not put on any more", wait_for(lambda: seen_key(t) not in KEYS.values(), 20), seen_key(t))
    r = coldframe(t, "keys", "rm", "anthropic")
    t.check("removing what is not there says so", r.status == NOT_FOUND and "anthropic" in r.err, r)

    log_in(t)
    offered = Terminal(t, "run", "-d", "k", environment={"ANTHROPIC_API_KEY": KEYS["kept"].decode()})
    asked = offered.expect(b"[y/N]")
    offered.send(b"y\n")
    status = offered.wait()
    t.check("run offers to keep a key of the environment", asked and status == 0 and stored(t) == {"anthropic"}, offered.output)
    t.check("the key offered is put on", seen_key(t) == KEYS["kept"])
    nowhere(t, "with a keychain")


def log_in(t):
    expired = int(time.time() * 1000) - 60000
    file = t.host_file(t.home / ".claude/.credentials.json", json.dumps({"claudeAiOauth": {
        "accessToken": KEYS["access-0"].decode(), "refreshToken": KEYS["refresh-0"].decode(), "expiresAt": expired,
        "scopes": ["user:inference", "user:profile"], "subscriptionType": "max"}}))
    r = coldframe(t, "keys", "login", "github")
    t.check("a service without a log-in says so", r.status == NOT_FOUND and "anthropic" in r.err, r)
    r = coldframe(t, "keys", "login", "anthropic", "--from-file", "-", stdin=b'{"claudeAiOauth":{}}')
    t.check("what is no log-in is refused", r.status == USAGE and stored(t) == set(), r)
    r = coldframe(t, "keys", "login", "anthropic")
    t.check("the log-in of the agent on this computer is taken over", r.status == 0 and stored(t) == {"anthropic-oauth"}, r)
    file.unlink()
    token = seen_token(t, "printf %s $CLAUDE_CODE_OAUTH_TOKEN")
    t.check("hazard_05_it was over, was refreshed outside, and its token is put on", token == KEYS["access-1"] and len(t.tokens.seen) == 1,
            (token, t.tokens.seen))
    r = coldframe(t, "keys", "ls")
    t.check("keys ls shows the log-in", "token until" in r.out and "max" in r.out, r)
    r, r2 = coldframe(t, "reset", "k", "--force", seconds=300), coldframe(t, "start", "k", seconds=300)
    t.check("reset and start", r.status == 0 and r2.status == 0, (r, r2))
    inside = t.run("k", "cat ~/.claude/.credentials.json; env; cat /proc/self/environ")
    t.check("a reset sandbox has the log-in again, and inside are only stand-ins", "sk-ant-ort01-proxy-managed-" in inside.out and '"max"' in inside.out
            and not any(key.decode() in inside.out for key in KEYS.values()), inside)
    field = "sed -n 's/.*\"accessToken\": \"\\(.*\\)\".*/\\1/p' ~/.claude/.credentials.json"
    t.check("the file's stand-in is as good as the variable's", seen_token(t, field) == KEYS["access-1"])
    ask = "curl -sS -m 40 -w ' %{http_code}' -d @- https://platform.claude.com/v1/oauth/token"
    refresh = ("sed -n 's/.*\"refreshToken\": \"\\(.*\\)\".*/{\"grant_type\":\"refresh_token\",\"refresh_token\":\"\\1\"}/p' "
               "~/.claude/.credentials.json | " + ask)
    r = t.run("k", refresh)
    t.check("hazard_05_a refresh inside is answered with stand-ins", r.out.endswith(" 200") and "proxy-managed" in r.out, r)
    r = t.run("k", "printf '%s' '{\"grant_type\":\"authorization_code\",\"code\":\"1\"}' | " + ask)
    t.check("hazard_05_a log-in inside is refused and says what to do", r.out.endswith(" 403") and "coldframe keys login anthropic" in r.out, r)
    t.check("hazard_05_no request from inside came to the token endpoint", len(t.tokens.seen) == 1, t.tokens.seen)
    log_in_anew(t, field)
    nowhere(t, "with a log-in")
    r = coldframe(t, "keys", "rm", "anthropic-oauth")
    t.check("a log-in removed is not put on any more", r.status == 0 and stored(t) == set()
            and wait_for(lambda: seen_token(t, field) not in KEYS.values(), 20), r)


def log_in_anew(t, field):
    """As the browser of this computer, which comes back with a code."""
    command = subprocess.Popen([str(t.root / "bin/coldframe"), "keys", "login", "anthropic", "--browser"], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=t.environment, cwd=t.home)
    asked = urllib.parse.parse_qs(urllib.parse.urlsplit(command.stdout.readline().decode().strip()).query)
    back, t.tokens.challenge = asked["redirect_uri"][0].replace("localhost", "127.0.0.1"), asked["code_challenge"][0]
    try:
        stranger = urllib.request.urlopen(f"{back}?code=of-a-stranger&state=x", timeout=30).status
    except urllib.error.HTTPError as error:
        stranger = error.code
    status = urllib.request.urlopen(f"{back}?code=the-code&state={asked['state'][0]}", timeout=30).status
    out, err = command.communicate(timeout=90)
    t.check("a log-in in the browser is stored, and nobody else's code is taken", (stranger, status, command.returncode) == (400, 200, 0), (stranger, status, err))
    t.check("its token is put on at once", wait_for(lambda: seen_token(t, field) == KEYS["access-2"], 30), t.tokens.seen)


def locked(t, keychain):
    keychain.lock()
    before = keychain.asked("Prompt", "Unlock", "CreateCollection")
    r = coldframe(t, "keys", "set", "openai", stdin=b"sk-proj-" + b"y" * 20)
    t.check("hazard_20_a locked keychain is said within 5 s", r.status == UNAVAILABLE and "locked" in r.err and r.seconds < 5, r)
    r = coldframe(t, "keys", "ls")
    t.check("keys ls works while it is locked, and says it", r.status == 0 and "anthropic" in r.out and "locked" in r.err and r.seconds < 5, r)
    r = coldframe(t, "keys", "rm", "anthropic")
    t.check("rm while it is locked removes nothing", r.status == UNAVAILABLE and "locked" in r.err and stored(t) == {"anthropic"}, r)
    t.check("the sandbox goes on with the key it has", seen_key(t) == KEYS["kept"])
    r = coldframe(t, "run", "-d", "k", environment={"ANTHROPIC_API_KEY": KEYS["run"].decode()})
    t.check("a key of the environment is good for this run while the keychain is locked", r.status == 0 and seen_key(t) == KEYS["run"], r)
    asked = keychain.asked("Prompt", "Unlock", "CreateCollection")
    t.check("hazard_20_nothing asked for a prompt", asked == before == [], (before, asked))
    keychain.ask_to_unlock()
    t.check("control: a request to unlock is seen on the bus", wait_for(lambda: keychain.asked("Unlock"), 10))
    nowhere(t, "with a locked keychain")


def story(t):
    t.project = t.host_file(t.home / "app/a.txt", "x").parent
    t.server = t.serve_tls("api.anthropic.com", harness.Handler)
    t.tokens = t.serve_tls("platform.claude.com", TokenEndpoint)
    t.tokens.given = 0
    t.boot_only()
    r = coldframe(t, "settings", "set", "hostMappings=" + json.dumps(t.mappings), "idleMinutes=0",
                  "upstreamCaFiles=" + json.dumps([str(t.authority() / "ca.pem")]), environment={"ANTHROPIC_API_KEY": KEYS["environment"].decode()})
    t.check("the command line starts the engine and changes settings", r.status == 0, r)
    no_keychain(t)
    keychain = restarted_engine(t)
    with_keychain(t)
    locked(t, keychain)


harness.main(story)
