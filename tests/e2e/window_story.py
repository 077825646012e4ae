# SPDX-License-Identifier: Apache-2.0
"""The window as a user has it: a real desktop, the real engine, a real microVM and the real Claude Code, by pointer and keys.

With COLDFRAME_TEST_SCREENSHOTS=FOLDER pictures of every page are left there, light and dark, in two sizes.
"""
import os, pathlib, re, sys, time
import desktop, harness, messages_api
from harness import wait_for
from user_terminal import Shell

KEY = b"sk-ant-api03-real-" + os.urandom(12).hex().encode()
SHOP = "def price(net):\n    return net * 1.2\n"
EDITED = SHOP + "\n\ndef discounted(net, percent):\n    return price(net) * (100 - percent) / 100\n"
PROMPT = "Add a function for discounts."
ANSWER = "There is now a function **discounted** in shop.py."
SIZES = ((1280, 800), (900, 600))


class Anthropic(messages_api.MessagesApi):
    """Edits the project's file when it is asked to, then says so."""

    def reply(self, request, body, tools):
        if "Write" not in tools or PROMPT.encode() not in body:
            return [("text", "Discounts")], "end_turn"
        if b'"tool_result"' in body:
            return [("text", ANSWER)], "end_turn"
        return [("text", "I add it to shop.py."), ("Write", {"file_path": str(self.server.project / "shop.py"), "content": EDITED})], "tool_use"


class Pictures:
    def __init__(self, d):
        folder = os.environ.get("COLDFRAME_TEST_SCREENSHOTS")
        self.d, self.folder = d, pathlib.Path(folder) if folder else None

    def take(self, name):
        if self.folder:
            window = self.d.find("Coldframe", "frame")
            self.d.picture(self.folder / f"{name}.png", window.box if window else None)

    def take_pages(self, name):
        """Every page of the sandbox in every size."""
        for width, height in SIZES if self.folder else ():
            self.d.resize(self.d.window(), width, height)
            for page in ("Overview", "Terminal", "Network"):
                self.d.press(page, "page tab")
                time.sleep(1)  # programs in the terminal draw anew after a change of size
                self.take(f"{page.lower()}-{name}-{width}x{height}")


def first_steps(t, d, pictures):
    began = time.monotonic()
    d.start("window", [str(t.root / "bin/coldframe")])
    window = wait_for(d.window, 30, 0.01)
    t.check("the window opens", window)
    t.say(f"window visible {time.monotonic() - began:.2f} s after its start, the engine running")
    t.check("without a sandbox it says what to do", d.find("Run a coding agent in its own microVM", "label"))
    t.check("and what this machine lacks", d.find(lambda n: n.startswith("Acceleration: "), "label"), d.outline())
    for width, height in SIZES if pictures.folder else ():
        d.resize(window, width, height)
        time.sleep(0.5)
        pictures.take(f"welcome-light-{width}x{height}")
    d.resize(window, *SIZES[0])
    d.press("System Check…")
    t.check("the system check lists everything", d.find("Keychain: Good", "label") and d.find("MicroVMs: Good", "label"), d.outline())
    pictures.take("system-check-light")
    d.press("Close")
    d.gone("Check Again", "push button")


def store_key(t, d, pictures):
    d.press("Keys…")
    d.find("Key", "password text").click()
    d.type(KEY.decode())
    d.press("Store")
    t.check("a key typed into the window is in the keychain", wait_for(lambda: [k["service"] for k in t.call("keys.list")["keys"]] == ["anthropic"], 20))
    t.check("and the window says so", d.find("The key for Anthropic is stored.", "label"), d.outline())
    pictures.take("keys-light")
    d.press("Close")
    d.gone("Store", "push button")


def new_sandbox(t, d, pictures):
    d.press("New Sandbox…", identity=lambda n: n.box[0] < 300)
    d.find("Project folder", "text").click()
    d.type(str(t.project))
    d.press("Claude Code", "combo box")  # Qt names a combo box after what is chosen
    t.check("other agents can be chosen", d.find("Shell", "list item", 10), d.outline())
    d.type("Claude")
    d.key("Return")
    t.check("Claude Code is chosen", d.find("Claude Code", "combo box", 10), d.outline())
    d.press("Run it emulated, with reduced isolation", "check box")
    pictures.take("new-sandbox-light")
    d.press("Create")
    stages = []

    def done():
        stages.extend(n.known for n in d.find_all(lambda name: name and name not in stages, "label"))
        return any(s["state"] == "running" for s in t.call("sandbox.list")["sandboxes"]) and not d.find_all("Create", "push button")
    began = time.monotonic()
    t.check("the sandbox runs and the dialog is gone", wait_for(done, 600, 0.1), d.outline())
    t.say(f"sandbox made by the window in {time.monotonic() - began:.1f} s")
    seen = [s for s in ("Checking the image", "Starting the microVM", "Booting the microVM", "Setting up the sandbox", "Bringing the workspace") if any(n.startswith(s) for n in stages)]
    t.check("its stages were seen", len(seen) >= 2, stages)


def claude(t, d):
    t.terminal = d.find("Terminal", "terminal", 20)
    began = time.monotonic()
    t.check("Claude Code's full-screen interface is in the terminal, past its first-run questions",
            t.terminal and wait_for(lambda: "bypass permissions" in t.terminal.text and "Claude Code v" in t.terminal.text, 300, 0.3),
            t.terminal and t.terminal.text)
    t.say(f"Claude Code ready after {time.monotonic() - began:.1f} s")
    t.terminal.click()
    d.type(PROMPT)
    wait_for(lambda: PROMPT in t.terminal.text, 30, 0.2)
    d.key("Return")
    t.check("the answer to a typed prompt is on the screen", wait_for(lambda: "There is now a function discounted in shop.py." in t.terminal.text, 300, 0.3),
            t.terminal.text)
    t.say(f"answered after {time.monotonic() - began:.1f} s")
    t.check("its edit is in the project on the host", wait_for(lambda: (t.project / "shop.py").read_text() == EDITED, 15))
    posts = [s for s in t.api.seen if s[0] == "POST" and "/messages" in s[1]]
    t.check("the server saw the stored key", posts and all(s[2].get("x-api-key") == KEY.decode() for s in posts), len(posts))


def blocked(t, d, pictures):
    d.press("Open Shell")
    shell = d.find("Terminal", "terminal", 20, identity=lambda n: "agent@" in n.text or not n.text.strip())
    t.check("a login shell opens with its prompt", shell and wait_for(lambda: "$" in shell.text and "agent@" in shell.text, 60, 0.3), shell and shell.text)
    shell.click()
    d.type("clear; shopt login_shell; for h in registry.npmjs.org pypi.org; do curl -sS https://$h/; done")
    d.key("Return")
    # What is typed while a command runs is echoed into its output.
    t.check("known hosts answer", wait_for(lambda: "simple" in shell.text, 60, 0.3), shell.text)
    t.check("it is a login shell", re.search(r"login_shell\s+on\b", shell.text), shell.text)
    d.type("curl -sS https://docs.example.com/")
    d.key("Return")
    t.check("the unknown host is refused", wait_for(lambda: "not on the list of allowed hosts" in shell.text.replace("\n", ""), 60, 0.3), shell.text)

    def notice():
        for frame in d.find_all(role="frame", app="notifyd"):
            if d.find_all("docs.example.com was blocked", "label", within=frame):
                return d.find_all("Allow for this sandbox", "push button", within=frame)
        return []
    found = wait_for(notice, 20, 0.2)
    t.check("the desktop shows a notification with the action", found, [str(n) for n in d.find_all(app="notifyd")])
    t.check("the window says it too", d.find("docs.example.com was blocked.", "label", 10), d.outline())
    if pictures.folder:
        d.picture(pictures.folder / "notification-light.png")
    if found:
        found[0].click()
    rule = wait_for(lambda: [r for r in t.call("policy.list", sandbox=t.sandbox)["rules"] if r["pattern"] == "docs.example.com:443" and r["action"] == "allow"], 15)
    t.check("its action makes a rule for this sandbox", rule)
    t.check("and the window's offer goes", d.gone("docs.example.com was blocked.", "label"), d.outline())
    shell.click()
    d.key("Up", "Return")
    t.check("the same connection passes now", wait_for(lambda: "hello from docs" in shell.text, 60, 0.3), shell.text)


def asked(t, d, pictures):
    """The window is there, so an unknown host is a question, and the connection waits for its answer."""
    t.call("settings.set", settings={"askAboutHosts": True})
    d.type("curl -sS https://ask.example.com/")
    d.key("Return")
    t.check("the window asks about an unknown host", d.find("claude-shop wants to reach ask.example.com.", "label", 30), d.outline())
    if pictures.folder:
        time.sleep(1)
        pictures.take("question-light")
    d.press("Allow Once")
    # The answer went by the window; the terminal is not where one types meanwhile.
    shell = d.find("Terminal", "terminal", 20)
    t.check("its answer lets the connection go on", wait_for(lambda: "hello from ask" in shell.text, 60, 0.3), shell.text)
    t.check("and the question goes", d.gone("claude-shop wants to reach ask.example.com.", "label"), d.outline())


def looked_at(t, d):
    """The pages tell the truth: connections in the list, state of the sync in the overview."""
    d.press("Network", "page tab")
    cells = lambda: [n.name for n in d.find_all(role="table cell")]  # noqa: E731
    t.check("the network page lists both, with their reasons", wait_for(lambda: {"docs.example.com:443", "blocked", "allowed, key put on"} <= set(cells()), 20),
            cells())
    header = {n.name: n.box for n in d.find_all(role="column header")}
    t.check("the reason is seen without scrolling", "Why" in header and header["Why"][2] > 100, header)
    d.press("Overview", "page tab")
    t.check("the overview says that the workspace is in step", d.find("Sync: In step", "label"), d.outline())
    t.check("and how much was blocked", d.find(lambda n: n.startswith("Blocked: Connections blocked: "), "label"), d.outline())


def from_tray(t, d):
    menu = d.tray_menu()
    inside = next((labels for label, labels in menu if label.startswith("claude-shop (running)")), [])
    t.check("the tray's menu has the sandbox with its actions", [label for label, _ in inside] == ["Open", "Terminal", "Network", "Pause", "Stop…", "Reset…",
                                                                                             "Copy Launch Command"], menu)
    d.run("xdotool", "windowactivate", "--sync", d.window())
    d.key("alt+F4")
    t.check("a closed window stays in the tray", wait_for(lambda: not d.window(), 10))
    d.tray("claude-shop", "Open")
    t.check("Open brings it back", wait_for(d.window, 15))
    d.tray("claude-shop", "Reset")
    t.check("Reset asks and says what is lost", d.find(lambda n: n.startswith("Lost: "), "label", 15), d.outline())
    d.press("Cancel")
    d.tray("claude-shop", "Copy")
    command = wait_for(lambda: d.clipboard() if "coldframe run" in d.clipboard() else "", 15)
    t.check("the launch command is on the clipboard", command == "coldframe run 'claude-shop'", d.clipboard())
    clean = {"HOME": str(t.home), "PATH": f"{t.root}/bin:/usr/bin:/bin", "XDG_RUNTIME_DIR": str(t.runtime), "TERM": "xterm-256color"}
    before = t.call("session.list", sandbox=t.sandbox)["sessions"]
    shell = Shell(command, clean, "/")
    t.check("pasted into a clean shell in another folder it attaches to the agent that the window shows",
            wait_for(lambda: b"discounted in shop.py" in re.sub(rb"\x1b\[[0-9;:]*m", b"", shell.output), 60, 0.2), shell.output[-2000:])
    after = t.call("session.list", sandbox=t.sandbox)["sessions"]
    t.check("which is the same session, seen twice", [(s["id"], s["agent"]) for s in after] == [(s["id"], s["agent"]) for s in before]
            and max(s["viewers"] for s in after if s["agent"]) == 2, (before, after))
    shell.type("\x10\x11")
    t.check("and is left by its keys", shell.wait() == 0 and b"Left the session" in shell.output, shell.output[-500:])


def attached_again(t, d):
    """The engine is killed under the window, then the window: its terminals show their programs again."""
    agents = lambda: [s["viewers"] for s in t.call("session.list", sandbox=t.sandbox)["sessions"] if s["agent"]]  # noqa: E731
    before = [s["id"] for s in t.call("session.list", sandbox=t.sandbox)["sessions"]]
    t.kill_and_wait(t.engine.pid)
    t.start_engine()
    t.check("the window attaches to the agent again by itself", wait_for(lambda: t.state(t.sandbox) == "running" and agents() == [1], 60, 0.3), agents())
    d.press("Terminal", "page tab")
    d.press(lambda n: n.startswith("Agent"), "page tab")
    shown = lambda: any("discounted in shop.py" in n.text for n in d.find_all(role="terminal"))  # noqa: E731
    t.check("and shows its screen", wait_for(shown, 20, 0.3), [n.text for n in d.find_all(role="terminal")])
    window = d.window()
    d.run("xdotool", "windowactivate", "--sync", window)
    d.key("ctrl+shift+q")
    t.check("the window is quit, the agent goes on", wait_for(lambda: agents() == [0], 30, 0.3), agents())
    d.start("window-again", [str(t.root / "bin/coldframe")])
    wait_for(d.window, 30, 0.1)
    d.press("Terminal", "page tab", seconds=30)
    t.check("the next window has a tab for it at once", d.find(lambda n: n.startswith("Agent"), "page tab", 20), d.outline())
    t.check("with its screen", wait_for(lambda: shown() and agents() == [1], 30, 0.3), (agents(), d.outline()))
    t.check("and nothing was started anew", [s["id"] for s in t.call("session.list", sandbox=t.sandbox)["sessions"]] == before, before)


def stop(t, d):
    d.tray("claude-shop", "Stop")
    d.press("Stop", seconds=15)
    t.check("Stop stops it", wait_for(lambda: t.state(t.sandbox) == "stopped", 60, 0.3), t.state(t.sandbox))
    t.check("the list shows it", d.find(lambda n: n.startswith("claude-shop, stopped"), "list item"), d.outline())


def all_pictures(t, d, pictures):
    if not pictures.folder:
        return
    for notice in d.find_all("Open", "push button", app="notifyd"):  # it would lie over the pictures
        notice.click()
    d.press("Terminal", "page tab")
    d.press(lambda n: n.startswith("Agent"), "page tab")
    for theme in ("light", "dark"):
        d.key("ctrl+shift+p")
        d.find(lambda n: n in ("As the system", "Light"), "combo box").click()
        d.key("Down", "Return")
        time.sleep(0.5)
        pictures.take(f"preferences-{theme}")
        d.press("Close")
        d.gone(lambda n: n in ("Dark", "Light"), "combo box")
        pictures.take_pages(theme)
        d.press("Overview", "page tab")
        d.press("Limits…")
        d.find("Docker inside", "combo box")
        time.sleep(0.5)
        pictures.take(f"limits-{theme}")
        d.press("Close")
        d.gone("Docker inside", "combo box")
    d.press("New Sandbox…", identity=lambda n: n.box[0] < 300)
    d.find("Project folder", "text").click()
    d.type("/")
    time.sleep(0.5)
    pictures.take("new-sandbox-dark")
    d.press("Cancel")


def story(t):
    t.project = t.host_file(t.home / "projects/shop/shop.py", SHOP).parent
    t.host_file(t.project / "README.md", "# Shop\n")
    t.api = t.serve_tls("api.anthropic.com", Anthropic)
    t.api.project, t.api.key = t.project, KEY
    for name, text in (("docs.example.com", "hello from docs\n"), ("ask.example.com", "hello from ask\n"), ("registry.npmjs.org", "{}\n"), ("pypi.org", "simple\n")):
        t.serve_tls(name, type("Page", (harness.Handler,), {"text": text}))
    d = desktop.Desktop(t)
    try:
        d.up()
        t.start_engine()
        t.apply_settings(askAboutHosts=False)
        pictures = Pictures(d)
        first_steps(t, d, pictures)
        store_key(t, d, pictures)
        new_sandbox(t, d, pictures)
        t.sandbox = t.call("sandbox.list")["sandboxes"][0]["id"]
        claude(t, d)
        blocked(t, d, pictures)
        asked(t, d, pictures)
        looked_at(t, d)
        all_pictures(t, d, pictures)
        from_tray(t, d)
        attached_again(t, d)
        stop(t, d)
    except Exception:
        t.failures.append("the story ended early")
        raise
    finally:
        if t.failures:
            d.picture(t.logs / "screen.png")
        d.down()


if desktop.missing() and os.getuid() != 0:
    print("this machine lacks", *desktop.missing())
    sys.exit(77)
harness.main(story)
