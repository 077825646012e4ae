# SPDX-License-Identifier: Apache-2.0
"""Unknown hosts are asked about while somebody is there: one connection waits, others flow, and the answer holds as long as it was given for."""
import json, subprocess, time
import harness
from harness import wait_for
from user_terminal import Shell

HOSTS = ("known.example.com", "once.example.org", "no.example.org", "late.example.org", "gone.example.org", "typed.example.org",
         "every.example.org", "ruled.example.org", "often.example.org", "a.shop.example.net", "b.shop.example.net")


def story(t):
    for name in HOSTS:
        t.serve_tls(name, type("Page", (harness.Handler,), {"text": f"hello from {name}\n"}))
    t.start_engine()
    t.apply_settings(askSeconds=5)
    t.create("box", t.host_file(t.home / "projects/shop/a.txt", "x").parent)
    t.call("policy.add", sandbox="box", action="allow", pattern="known.example.com")
    clean = {"HOME": str(t.home), "PATH": f"{t.root}/bin:/usr/bin:/bin", "XDG_RUNTIME_DIR": str(t.runtime), "TERM": "xterm-256color"}

    def cli(*words):
        return subprocess.run([str(t.root / "bin/coldframe"), *words], env=clean, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)

    def get(host):
        return t.start_exec("box", ["curl", "-sS", "-m", "60", f"https://{host}/"])

    def questions():
        return json.loads(cli("network", "questions", "--json").stdout)["questions"]

    def question(host):
        return wait_for(lambda: next((q for q in questions() if q["host"] == host), None), 30)

    def rules():
        return {rule["pattern"]: rule for rule in t.call("policy.list", sandbox="box")["rules"] if rule["origin"] == "answer"}

    def fetched(asked, host):
        r = asked.wait(90)
        return r.status == 0 and r.output.decode() == f"hello from {host}\n"

    def refused(asked, within):
        began = time.monotonic()
        r = asked.wait(90)
        return b"hello" not in r.output and time.monotonic() - began < within

    t.check("with nobody there an unknown host is refused at once (the control)", refused(get("once.example.org"), 20) and not questions())
    presence = t.client.attach(t.call("network.attend")["token"])
    wait_for(lambda: t.call("policy.check", sandbox="box", host="once.example.org")["verdict"] == "ask", 10)
    t.check("with somebody there it is a question", t.call("policy.check", sandbox="box", host="once.example.org")["verdict"] == "ask")
    t.call("settings.set", settings={"askSeconds": 60})

    first, second = get("once.example.org"), get("once.example.org")
    asked = question("once.example.org")
    t.check("a connection to it waits, and is told of", asked and asked["port"] == 443 and asked["domain"] == "example.org" and asked["protocol"] == "https", asked)
    t.check("others flow meanwhile", fetched(get("known.example.com"), "known.example.com") and questions())
    time.sleep(2)
    t.check("the same twice is one question", len(questions()) == 1, questions())
    r = cli("network", "answer", asked["id"], "allow")
    t.check("a yes lets both go on", r.returncode == 0 and fetched(first, "once.example.org") and fetched(second, "once.example.org"), r)
    t.check("for once: by a rule that ends by itself", rules().get("once.example.org:443", {}).get("expiry"), rules())
    t.check("it is on record with that rule", t.logged("box", host="once.example.org", verdict="allowed"))
    r = cli("network", "answer", asked["id"], "allow")
    t.check("an answer too late is told so", r.returncode == 3 and "waits no longer" in r.stderr, r)

    waiting = get("no.example.org")
    r = cli("network", "answer", question("no.example.org")["id"], "deny", "--for", "sandbox")
    t.check("a no refuses, and is a rule", r.returncode == 0 and refused(waiting, 20) and rules()["no.example.org:443"]["action"] == "deny", (r, rules()))
    t.check("which asks no more", refused(get("no.example.org"), 20) and not questions())

    waiting = get("a.shop.example.net")
    r = cli("network", "answer", question("a.shop.example.net")["id"], "allow", "--for", "session", "--domain")
    t.check("a whole domain is allowed by its registrable name", r.stdout.split() == ["example.net", "*.example.net"] and fetched(waiting, "a.shop.example.net"), r)
    t.check("and what is beside it is not asked about", fetched(get("b.shop.example.net"), "b.shop.example.net"))

    waiting = get("every.example.org")
    cli("network", "answer", question("every.example.org")["id"], "allow", "--for", "always")
    t.check("always is a rule for all sandboxes", fetched(waiting, "every.example.org") and "every.example.org:443" in [
        rule["pattern"] for rule in t.call("policy.list")["rules"]], rules())

    waiting = get("ruled.example.org")
    question("ruled.example.org")
    t.call("policy.add", sandbox="box", action="allow", pattern="ruled.example.org")
    t.check("a rule made elsewhere ends a question, with what it says", fetched(waiting, "ruled.example.org") and not questions())
    told = t.start_exec("box", ["cat", "/etc/coldframe/network.md"]).wait(30)
    t.check("who works inside is told what a refusal means", told.status == 0 and b"blocked_by_coldframe" in told.output, told.output)
    def verdict(host, *words):
        return json.loads(cli("policy", "check", host, "--method", "GET", "--json", *words).stdout)["verdict"]

    switched = cli("policy", "presets", "-s", "box", "--disable", "documentation")
    t.check("a group of hosts is switched for one sandbox", switched.returncode == 0 and verdict("en.cppreference.com") == "allow" and
            verdict("en.cppreference.com", "-s", "box") == "ask" and verdict("pypi.org", "-s", "box") == "allow", switched)
    exported = cli("policy", "export", "-s", "box")
    t.check("its policy is written as it can be read again", cli("policy", "import", "-s", "box", "/dev/null").returncode == 2 and
            json.loads(exported.stdout)["presets"] == {"documentation": False}, exported)
    listed = cli("policy", "tighten", "box", "--json")
    t.check("what it used is an allow-list", "ruled.example.org:443" in [rule["pattern"] for rule in json.loads(listed.stdout)["rules"]], listed)

    page = t.start_exec("box", ["curl", "-sS", "-m", "60", "-H", "Accept: text/html", "https://no.example.org/"]).wait(90).output
    t.check("a browser that is refused gets a page with the rule", page.startswith(b"<!DOCTYPE html>") and b"deny no.example.org:443" in page, page)
    for _ in range(3):
        waiting = get("often.example.org")
        cli("network", "answer", question("often.example.org")["id"], "allow", "--for", "session")
        fetched(waiting, "often.example.org")
        t.call("policy.remove", sandbox="box", pattern="often.example.org:443")
    suggested = [one for one in json.loads(cli("policy", "suggest", "-s", "box", "--json").stdout)["suggestions"] if one["kind"] == "allow"]
    t.check("what was allowed again and again is suggested, and nothing changed", [one["patterns"] for one in suggested] == [["often.example.org:443"]] and
            t.call("policy.check", sandbox="box", host="often.example.org")["verdict"] == "ask", suggested)
    accepted = cli("policy", "suggest", "--accept", suggested[0]["id"])
    t.check("and allowed when it is accepted", accepted.returncode == 0 and t.call("policy.check", sandbox="box", host="often.example.org")["verdict"] == "allow", accepted)

    terminal = Shell("coldframe network ask", clean, "/")
    t.check("a terminal can be asked", wait_for(lambda: b"until you press Ctrl-C" in terminal.output, 20), terminal.output)
    waiting = get("typed.example.org")
    t.check("it says who wants what", wait_for(lambda: b"box wants to reach typed.example.org:443" in terminal.output and b"[b]lock" in terminal.output, 30), terminal.output)
    terminal.type("?\no\n")
    t.check("one key answers", fetched(waiting, "typed.example.org"), terminal.output)
    terminal.type("\x03")
    t.check("Ctrl-C leaves", terminal.wait() == 130, terminal.output)

    waiting = get("gone.example.org")
    question("gone.example.org")
    presence.wait(0)
    t.check("when nobody is there any more, what waits is refused", refused(waiting, 20) and not questions())
    t.check("and new ones at once", refused(get("late.example.org"), 20) and not questions())
    presence = t.client.attach(t.call("network.attend")["token"])
    t.call("settings.set", settings={"askSeconds": 5})
    waiting = get("late.example.org")
    t.check("no answer in time is a no", question("late.example.org") and refused(waiting, 25))
    t.check("and is not asked again at once", refused(get("late.example.org"), 20) and not questions())
    t.call("settings.set", settings={"askAboutHosts": False})
    t.check("it can be switched off", t.call("policy.check", sandbox="box", host="once2.example.org")["verdict"] == "deny")
    r = cli("network", "ask")
    t.check("without a terminal: refused with the way for scripts", r.returncode == 2 and "network questions" in r.stderr, r)
    presence.wait(0)


harness.main(story)
