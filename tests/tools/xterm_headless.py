# SPDX-License-Identifier: Apache-2.0
"""xterm.js without a window, the peer of the terminal engine, from npm: installed once into a folder of the build.

Prints the folder to load it from. Exit status 77 and the reason when there is no Node or no registry to get it from: whoever
needs it then says what was left out."""
import fcntl
import os
import pathlib
import shutil
import subprocess
import sys

PACKAGES = ("@xterm/headless@6.0.0", "@xterm/addon-unicode11@0.9.0")
LEFT_OUT = 77


def folder(cache, seconds=120):
    """(folder, ""), or (None, why there is none)."""
    cache = pathlib.Path(cache)
    wanted = "\n".join(PACKAGES)
    stamp = cache / "complete"
    for program in ("node", "npm"):
        if not shutil.which(program):
            return None, f"{program} is not installed"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with open(cache / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not stamp.exists() or stamp.read_text() != wanted:
                done = subprocess.run(["npm", "install", "--prefix", str(cache), "--no-fund", "--no-audit", "--no-update-notifier", "--ignore-scripts", *PACKAGES],
                                      capture_output=True, text=True, timeout=seconds, env={**os.environ, "npm_config_cache": str(cache / "downloads"), "HOME": os.environ.get("HOME", str(cache))})
                if done.returncode != 0:
                    return None, "npm cannot install it: " + (done.stderr.strip().splitlines() or ["no reason given"])[-1]
                stamp.write_text(wanted)
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, f"npm cannot install it: {error}"
    return cache / "node_modules", ""


if __name__ == "__main__":
    found, why = folder(sys.argv[1])
    if not found:
        print(f"@xterm/headless is left out: {why}", file=sys.stderr)
        sys.exit(LEFT_OUT)
    print(found)
