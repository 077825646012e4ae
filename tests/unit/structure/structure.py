# SPDX-License-Identifier: Apache-2.0
"""Rules on the source tree: structure.py CHECK FOLDER. Each check first proves, on a planted violation, that it can fail."""
import pathlib
import re
import sys
import tempfile

# Arrows of core/ARCHITECTURE.md: module → modules it may see directly. Everything may see itself and base.
CORE = {
    "base": set(), "channel": set(), "policy": set(), "terminal": set(),
    "proxy": {"channel", "policy"}, "dial": {"policy"}, "sync": {"channel", "policy"},
    "api": {"channel", "policy"}, "vm": {"channel", "policy"}, "secrets": {"channel", "policy"}, "audit": {"channel", "policy"},
    "agents": {"channel", "policy"}, "image": {"channel", "policy"},
    "engine": {"api", "vm", "sync", "secrets", "audit", "agents", "image", "channel", "policy"},
}
WINDOW = {"api", "terminal", "policy"}
GUEST = {"sync", "channel", "terminal"}
APP = {
    "coldframe": {"ui"} | WINDOW,
    "coldframed": {"engine"} | CORE["engine"],
    "proxy": {"proxy", "channel", "policy"},
    "dial": {"dial", "policy"},
    "qemu-wrapper": set(),
}
# Plain C++20: no Qt, so that guest and proxy can link it.
PLAIN = {"base", "channel", "policy", "proxy", "dial", "sync", "terminal"}
# What must never be linked outside these.
LIBRARIES = {
    "LIBVIRT": {"vm", "engine", "app/coldframed"},
    "QtKeychain|Qt6Keychain|qtkeychain": {"secrets", "engine", "app/coldframed"},
    "SQLITE": {"audit", "engine"},
    "SECCOMP": {"proxy", "dial", "vm", "base", "app/proxy", "app/dial", "app/coldframed", "app/qemu-wrapper"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')
LINKED = re.compile(r"\bcoldframe_([a-z_]+)")
SOURCE = {".cpp", ".h", ".cc", ".hpp", ".c"}
HELPER_TARGETS = {"flags", "asio", "test", "library", "fuzz"}


def module_of(relative):
    """("core", "proxy"), ("ui", ""), ("app", "dial"), ("guest", "") or None for other folders."""
    parts = relative.parts
    if parts[0] == "core" and len(parts) > 2:
        return "core", parts[1]
    if parts[0] in ("ui", "guest"):
        return parts[0], ""
    if parts[0] == "app" and len(parts) > 2:
        return "app", parts[1]
    return None


def allowed(module):
    kind, name = module
    if kind == "core":
        return CORE.get(name, set()) | {name, "base"}
    if kind == "ui":
        return WINDOW | {"base", "ui"}
    if kind == "guest":
        return GUEST | {"base", "guest"}
    return APP.get(name, set()) | {"base", "app"}


def included_module(root, path):
    """The module an include path names, or None for system and same-folder includes."""
    first = path.split("/")[0]
    if "/" not in path:
        return None
    if first == "core":
        return path.split("/")[1]
    if first in ("ui", "guest", "app"):
        return first
    return first if (root / "core" / first).is_dir() else None


def linked_module(root, target):
    """The module that a target coldframe_<target> belongs to, or None for helpers."""
    if target in HELPER_TARGETS or target.startswith("resources"):
        return None
    for name in ("ui", "guest", "app"):
        if target == name or target.startswith(name + "_"):
            return name
    return next((name for name in sorted(CORE, key=len, reverse=True) if target == name or target.startswith(name + "_")), None)


def sources(root):
    for top in ("core", "ui", "app", "guest"):
        for path in sorted((root / top).rglob("*")):
            if path.is_file() and "build" not in path.relative_to(root).parts:
                yield path, path.relative_to(root)


def dependency_rule(root):
    problems, looked = [], 0
    for path, relative in sources(root):
        module = module_of(relative)
        if module is None:
            continue
        label = module[1] if module[0] == "core" else "/".join(part for part in module if part)
        if module[0] == "core" and module[1] not in CORE:
            problems.append(f"{relative}: core/{module[1]} is not in the dependency rule")
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            where = f"{relative}:{number}: {line.strip()}"
            if path.suffix in SOURCE:
                match = INCLUDE.match(line)
                if not match:
                    continue
                looked += 1
                target = included_module(root, match[2])
                if target and target not in allowed(module):
                    problems.append(f"{where}   ({label} may not see {target})")
                if label in PLAIN and re.match(r"(Q[A-Z]|Qt[A-Z])", match[2]):
                    problems.append(f"{where}   ({label} is plain C++20, without Qt)")
                if match[2].startswith("libvirt/") and label not in LIBRARIES["LIBVIRT"]:
                    problems.append(f"{where}   (only core/vm sees libvirt)")
            elif path.name == "CMakeLists.txt":
                code = line.split("#", 1)[0]
                for name in LINKED.findall(code):
                    looked += 1
                    target = linked_module(root, name)
                    if target and target not in allowed(module):
                        problems.append(f"{where}   ({label} may not link {target})")
                if label in PLAIN and re.search(r"\bQt6::|\bcoldframe_library\(\S+ QT\b", code):
                    problems.append(f"{where}   ({label} is plain C++20, without Qt)")
                for pattern, users in LIBRARIES.items():
                    if re.search(pattern, code) and label not in users:
                        problems.append(f"{where}   ({label} may not link this library)")
    if looked < 4:
        problems.append("no includes or link lines were found: the check looked at nothing")
    return problems


def licence_headers(root):
    problems, looked = [], 0
    for top in ("core", "ui", "app", "guest", "tests", "cmake", "installer", ".ci"):
        for path in sorted((root / top).rglob("*")) if (root / top).is_dir() else []:
            code = path.suffix in SOURCE | {".py", ".sh", ".cmake", ".tsv", ".list"} or path.name in ("CMakeLists.txt", "build", "build-agent", "run", "start")
            if not path.is_file() or not code or "build/" in f"{path.relative_to(root).parent}/" or "corpus" in path.parts:
                continue
            looked += 1
            if "SPDX-License-Identifier: Apache-2.0" not in "\n".join(path.read_text(errors="replace").splitlines()[:4]):
                problems.append(f"{path.relative_to(root)}: no SPDX-License-Identifier in its first lines")
    if looked < 1:
        problems.append("no files were found: the check looked at nothing")
    return problems


# Written in pieces, so that this file does not name them.
FORBIDDEN = ["TO" + "DO\\b", "FIX" + "ME\\b", "\\bXX" + "X\\b", "NO" + "MERGE"]


def forbidden_words(root):
    pattern = re.compile("|".join(FORBIDDEN))
    problems, looked = [], 0
    for path in sorted(root.rglob("*")):
        parts = path.relative_to(root).parts
        if not path.is_file() or path.is_symlink() or parts[0] in (".git", "build") or "corpus" in parts or path.suffix in (".png", ".qm", ".bin"):
            continue
        looked += 1
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            if pattern.search(line):
                problems.append(f"{path.relative_to(root)}:{number}: {line.strip()[:120]}")
    if looked < 1:
        problems.append("no files were found: the check looked at nothing")
    return problems


PLANTED = {
    dependency_rule: [("core/proxy/a.cpp", '#include "engine/registry.h"\n'), ("ui/a.cpp", "#include <libvirt/libvirt.h>\n"),
                      ("core/sync/a.cpp", "#include <QString>\n"), ("ui/a.cpp", '#include "vm/domain.h"\n'),
                      ("guest/agent/a.cpp", '#include "proxy/server.h"\n'), ("app/dial/a.cpp", '#include "proxy/server.h"\n'),
                      ("core/proxy/CMakeLists.txt", "coldframe_library(coldframe_proxy DEPS coldframe_engine)\n"),
                      ("core/channel/CMakeLists.txt", "target_link_libraries(coldframe_channel PUBLIC PkgConfig::LIBVIRT)\n")],
    licence_headers: [("core/base/a.cpp", "int x;\n")],
    forbidden_words: [("core/base/a.cpp", "// TO" + "DO: later\n"), ("README.md", "NO" + "MERGE\n")],
}


def prove_that_it_can_fail(check):
    for name, text in PLANTED[check]:
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for module in CORE:
                (root / "core" / module).mkdir(parents=True)
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
            (root / "app" / "coldframe").mkdir(parents=True, exist_ok=True)
            (root / "app" / "coldframe" / "main.cpp").write_text("// SPDX-License-Identifier: Apache-2.0\n" + '#include "ui/window.h"\n' * 4)
            found = check(root)
            if len(found) != 1 or not found[0].startswith(name):
                sys.exit(f"control: {check.__name__} should have found exactly the planted line in {name}, but found {found}")


def main():
    check = {item.__name__: item for item in PLANTED}[sys.argv[1]]
    prove_that_it_can_fail(check)
    problems = check(pathlib.Path(sys.argv[2]).resolve())
    for problem in problems:
        print(problem)
    print(f"{check.__name__}: {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
