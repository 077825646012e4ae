# SPDX-License-Identifier: Apache-2.0
"""A real desktop without a screen: X server, session bus, window manager, a panel with a tray, a notification service.

Things are found as a screen reader finds them (AT-SPI) and then clicked with real pointer and key events (xdotool), so a
name that a screen reader would miss fails the test.
"""
import os, pathlib, signal, subprocess, time
from harness import wait_for

NOTIFYD = "/usr/lib/x86_64-linux-gnu/xfce4/notifyd/xfce4-notifyd"
PROGRAMS = ("Xvfb", "dbus-daemon", "openbox", "xfce4-panel", "xdotool", "xclip", "import", "gnome-keyring-daemon")
PANEL = """<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-panel" version="1.0">
  <property name="configver" type="int" value="2"/>
  <property name="panels" type="array">
    <value type="int" value="1"/>
    <property name="panel-1" type="empty">
      <property name="position" type="string" value="p=8;x=0;y=0"/>
      <property name="length" type="uint" value="100"/>
      <property name="position-locked" type="bool" value="true"/>
      <property name="icon-size" type="uint" value="24"/>
      <property name="size" type="uint" value="32"/>
      <property name="plugin-ids" type="array"><value type="int" value="1"/><value type="int" value="2"/></property>
    </property>
  </property>
  <property name="plugins" type="empty">
    <property name="plugin-1" type="string" value="tasklist"/>
    <property name="plugin-2" type="string" value="systray"/>
  </property>
</channel>
"""
NOTIFY = """<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-notifyd" version="1.0">
  <property name="theme" type="string" value="Default"/>
  <property name="notify-location" type="uint" value="2"/>
  <property name="expire-timeout" type="int" value="120"/>
  <property name="initial-opacity" type="double" value="1.0"/>
</channel>
"""


STATES = {"checked": 4, "enabled": 8, "focused": 12, "showing": 25}  # bits of AtspiStateType


# Of AtspiRole
ROLES = {7: "check box", 11: "combo box", 16: "dialog", 23: "frame", 29: "label", 31: "list", 32: "list item", 35: "menu item", 37: "page tab",
         40: "password text", 43: "push button", 56: "table cell", 57: "column header", 60: "terminal", 61: "text", 75: "application"}


def missing():
    """Programs that this machine lacks."""
    import shutil
    lacks = [name for name in PROGRAMS if not shutil.which(name)]
    lacks += [] if os.path.exists(NOTIFYD) else ["xfce4-notifyd"]
    try:
        import gi.repository.Gio  # noqa: F401
    except ImportError:
        lacks.append("python3-gi")
    return lacks


class Node:
    """Something on the screen, as the accessibility bus tells of it (AT-SPI 2 by plain calls: each asks anew, none waits for ever)."""

    def __init__(self, desktop, owner, path):
        self.desktop, self.owner, self.path, self.known = desktop, owner, path, None

    def ask(self, interface, method, signature="()", *arguments):
        from gi.repository import Gio, GLib
        answer = self.desktop.accessibility.call_sync(self.owner, self.path, "org.a11y.atspi." + interface, method, GLib.Variant(signature, arguments), None,
                                                      Gio.DBusCallFlags.NONE, 5000, None)
        return answer.unpack()

    def value(self, interface, name):
        from gi.repository import Gio, GLib
        question = GLib.Variant("(ss)", ("org.a11y.atspi." + interface, name))
        return self.desktop.accessibility.call_sync(self.owner, self.path, "org.freedesktop.DBus.Properties", "Get", question, None,
                                                    Gio.DBusCallFlags.NONE, 5000, None).unpack()[0]

    @property
    def name(self):
        from gi.repository import GLib
        try:
            self.known = self.value("Accessible", "Name")
        except GLib.Error:
            if self.known is None:
                raise
        return self.known  # of what went away since it was found, its last name

    @property
    def role(self):
        number = self.ask("Accessible", "GetRole")[0]  # the name in words is each toolkit's own
        return ROLES.get(number, str(number))

    @property
    def box(self):
        return self.ask("Component", "GetExtents", "(u)", 0)[0]

    @property
    def text(self):
        return self.ask("Text", "GetText", "(ii)", 0, -1)[0]

    @property
    def children(self):
        return [Node(self.desktop, *child) for child in self.ask("Accessible", "GetChildren")[0]]

    def has(self, state):
        low = self.ask("Accessible", "GetState")[0][0]
        return bool(low & 1 << STATES[state])

    def click(self, button=1):
        x, y, width, height = self.box
        self.desktop.click_at(x + width // 2, y + height // 2, button)

    def __str__(self):
        return f"{self.role} “{self.name}”"


class Desktop:
    def __init__(self, t, width=1360, height=900):
        self.t, self.width, self.height, self.started = t, width, height, []
        self.environment = dict(t.environment)
        self.session, self.accessibility = None, None

    # Programs

    def start(self, name, arguments, stdin=None, **more):
        log = open(self.t.logs / f"{name}.log", "ab")
        process = subprocess.Popen(arguments, env=self.environment, stdin=stdin or subprocess.DEVNULL, stdout=more.get("stdout", log), stderr=log,
                                   cwd="/", start_new_session=True)
        self.started.append(process)
        return process

    def up(self):
        read, write = os.pipe()
        log = open(self.t.logs / "Xvfb.log", "ab")
        server = subprocess.Popen(["Xvfb", "-displayfd", str(write), "-screen", "0", f"{self.width}x{self.height}x24", "-nolisten", "tcp"],
                                  pass_fds=[write], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.started.append(server)
        os.close(write)
        with os.fdopen(read) as numbers:
            self.environment["DISPLAY"] = ":" + numbers.readline().strip()
        self.environment.update({"QT_LINUX_ACCESSIBILITY_ALWAYS_ON": "1", "XDG_CURRENT_DESKTOP": "XFCE", "GTK_A11Y": "atspi",
                                 "XDG_SESSION_TYPE": "x11", "GSETTINGS_BACKEND": "memory", "NO_AT_BRIDGE": "0", "XDG_CONFIG_DIRS": "/etc/xdg"})
        for name, text in (("xfce4-panel", PANEL), ("xfce4-notifyd", NOTIFY)):
            self.t.host_file(self.t.home / f".config/xfce4/xfconf/xfce-perchannel-xml/{name}.xml", text)
        bus = self.start("dbus", ["dbus-daemon", "--session", "--nofork", "--print-address=1"], stdout=subprocess.PIPE)
        address = bus.stdout.readline().decode().strip()
        # The engine finds the keychain on the same bus.
        for place in (self.environment, self.t.environment):
            place["DBUS_SESSION_BUS_ADDRESS"] = address
        keyring = self.start("keyring", ["gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets"], stdin=subprocess.PIPE)
        keyring.stdin.write(b"test\n")
        keyring.stdin.close()
        self.start("openbox", ["openbox", "--sm-disable"])
        self.start("panel", ["xfce4-panel", "--disable-wm-check"])
        self.start("notifyd", [NOTIFYD])
        names = wait_for(lambda: {"org.kde.StatusNotifierWatcher", "org.freedesktop.Notifications", "org.freedesktop.secrets"} <= self.bus_names(), 60, 0.2)
        self.t.check("the desktop is there: tray, notifications, keychain", names, self.bus_names())
        from gi.repository import Gio
        address = self.session_call("org.a11y.Bus", "/org/a11y/bus", "org.a11y.Bus", "GetAddress")[0]
        flags = Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION
        self.accessibility = Gio.DBusConnection.new_for_address_sync(address, flags, None, None)

    def session_call(self, service, path, interface, method, signature="()", *arguments):
        from gi.repository import Gio, GLib
        if not self.session:
            flags = Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION
            self.session = Gio.DBusConnection.new_for_address_sync(self.environment["DBUS_SESSION_BUS_ADDRESS"], flags, None, None)
        return self.session.call_sync(service, path, interface, method, GLib.Variant(signature, arguments), None, Gio.DBusCallFlags.NONE, 10000,
                                      None).unpack()

    def bus_names(self):
        return set(self.session_call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "ListNames")[0])

    def down(self):
        for process in reversed(self.started):
            try:
                os.killpg(process.pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
        for process in self.started:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(5)

    def run(self, *words, stdin=b"", seconds=30):
        done = subprocess.run(words, env=self.environment, input=stdin, capture_output=True, timeout=seconds)
        return done.stdout.decode(errors="replace")

    # Pointer, keys, clipboard

    def click_at(self, x, y, button=1):
        self.run("xdotool", "mousemove", "--sync", str(x), str(y), "click", str(button))

    def key(self, *keys):
        self.run("xdotool", "key", "--clearmodifiers", *keys)

    def type(self, text):
        self.run("xdotool", "type", "--clearmodifiers", "--delay", "25", text, seconds=60)

    def clipboard(self):
        return self.run("xclip", "-selection", "clipboard", "-o")

    # What is on the screen

    def applications(self):
        return Node(self, "org.a11y.atspi.Registry", "/org/a11y/atspi/accessible/root").children

    def find_all(self, name=None, role=None, app="coldframe", visible=True, identity=None, within=None):
        """Nodes of an application, or within a node; `name` may be a string, or a function of the name."""
        from gi.repository import GLib
        found = []

        def wanted(node):
            if role and node.role != role:
                return False
            if name is not None and not (name(node.name) if callable(name) else node.name == name):
                return False
            if identity and not identity(node):
                return False
            return True

        def walk(node, depth):
            try:
                if depth > 40 or (visible and depth > 0 and not node.has("showing")):
                    return
                if wanted(node):
                    found.append(node)
                for child in node.children[:300]:
                    walk(child, depth + 1)
            except GLib.Error:  # it went away meanwhile
                pass
        if within:
            walk(within, 0)
            return found
        for application in self.applications():
            try:
                if app in application.name.lower():
                    walk(application, 0)
            except GLib.Error:
                pass
        return found

    def find(self, name=None, role=None, seconds=20, **more):
        """The first such node, waited for; None when it does not come."""
        found = wait_for(lambda: self.find_all(name, role, **more), seconds, 0.2)
        return found[0] if found else None

    def gone(self, name=None, role=None, seconds=20, **more):
        return wait_for(lambda: not self.find_all(name, role, **more), seconds, 0.2)

    def press(self, name, role="push button", seconds=20, identity=None, **more):
        """Clicks the thing with that name, once it is enabled; a check of its own."""
        node = self.find(name, role, seconds, identity=lambda n: n.has("enabled") and (not identity or identity(n)), **more)
        if not node:
            self.t.check(f"there is {role} “{name}” to click", False, self.outline())
            return None
        node.click()
        return node

    def outline(self, app="coldframe"):
        return "; ".join(str(n) for n in self.find_all(lambda name: name, app=app))[:3000]

    # The tray and its menu, which the panel shows: its words are asked of the program as the panel asks them

    def tray_menu(self):
        """[(label, [labels of its menu])] in the order of the menu, without separators and what is disabled."""
        items = self.session_call("org.kde.StatusNotifierWatcher", "/StatusNotifierWatcher", "org.freedesktop.DBus.Properties", "Get", "(ss)",
                                  "org.kde.StatusNotifierWatcher", "RegisteredStatusNotifierItems")
        layout = self.session_call(items[0][0].split("/")[0], "/MenuBar", "com.canonical.dbusmenu", "GetLayout", "(iias)", 0, -1, [])

        def entries(node):
            for _, properties, children in node[2]:
                if properties.get("type") != "separator" and properties.get("enabled", True) and properties.get("visible", True):
                    yield properties.get("label", "").replace("_", ""), list(entries((0, {}, children)))
        return list(entries(layout[1]))

    def tray_windows(self):
        return self.run("xdotool", "search", "--onlyvisible", "--class", "wrapper").split()

    def shape(self, window):
        lines = self.run("xdotool", "getwindowgeometry", "--shell", window).split()
        values = dict(line.split("=") for line in lines if "=" in line)
        return tuple(int(values[key]) for key in ("X", "Y", "WIDTH", "HEIGHT"))

    def tray(self, *labels):
        """Opens the icon's menu with the pointer and goes to an entry by keys; the labels are beginnings."""
        tray = wait_for(self.tray_windows, 20, 0.2)
        menu, keys = self.tray_menu(), []
        for depth, wanted in enumerate(labels):
            place = next((i for i, (label, _) in enumerate(menu) if label.startswith(wanted)), None)
            if place is None or not tray:
                self.t.check(f"the tray's menu has {' / '.join(labels)}", False, menu)
                return False
            keys += ["Down"] * (place + (1 if depth == 0 else 0)) + ["Right" if depth + 1 < len(labels) else "Return"]
            menu = menu[place][1]
        x, y, width, height = self.shape(tray[0])  # the panel's part for icons, with one icon in it
        self.click_at(x + width // 2, y + height // 2, 3)
        wait_for(lambda: len(self.tray_windows()) > 1, 10, 0.1)
        time.sleep(0.3)  # the menu fades in and takes no keys before
        for key in keys:
            self.key(key)
            time.sleep(0.15)
        return True

    # Pictures

    def window(self, pattern="^Coldframe$"):
        return (self.run("xdotool", "search", "--onlyvisible", "--name", pattern).split() or [None])[0]

    def resize(self, window, width, height):
        self.run("xdotool", "windowmove", "--sync", window, "10", "40")
        self.run("xdotool", "windowsize", window, str(width), str(height))

    def picture(self, path, box=None):
        """A PNG of the screen, or of a part of it."""
        path = pathlib.Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        crop = []
        if box:
            x, y, width, height = box
            crop = ["-crop", f"{width}x{height}+{x}+{y}", "+repage"]
        self.run("import", "-window", "root", *crop, "+dither", "-colors", "200", "PNG8:" + str(path))
        return path
