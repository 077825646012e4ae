# SPDX-License-Identifier: Apache-2.0
"""Makes the recordings of real interfaces anew: make_recordings.py DRIVER FOLDER-OF-NPM-AGENTS [NAME…], as root.

Each program runs as an ordinary user in namespaces of its own: without network, with its own process list, with a host name and a
home that say nothing of the machine. Replaying the recordings needs none of this. The agents are installed before into a folder with
`npm install @anthropic-ai/claude-code @openai/codex @google/gemini-cli opencode-ai`; vim, htop, tmux, less, procps and mc are
Debian's."""
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SETUP = r"""
set -e
hostname demo
mount -t tmpfs tmpfs /home
mkdir -p /home/demo/project
cat > /home/demo/project/notes.md <<'END'
# Notes

| column | 列 | value |
| --- | --- | --- |
| a | 中文 | 1 |
| b | emoji 🚀 | 2 |
END
seq 1 400 | sed 's/.*/line & of a long file that is read page by page, with a few words more/' > /home/demo/project/long.txt
cat > /home/demo/project/main.c <<'END'
#include <stdio.h>

/* says hello a few times */
int main(void)
{
    for (int i = 0; i < 3; i++) {
        printf("hello %d\n", i);
    }
    return 0;
}
END
cat > /home/demo/.claude.json <<'END'
{"hasCompletedOnboarding": true, "theme": "dark", "customApiKeyResponses": {"approved": ["key-for-a-recording"], "rejected": []}}
END
mkdir -p /home/demo/.codex /home/demo/.gemini
echo '{"auth_mode": "apikey", "OPENAI_API_KEY": "key-for-a-recording"}' > /home/demo/.codex/auth.json
echo '{"security": {"auth": {"selectedType": "gemini-api-key"}}}' > /home/demo/.gemini/settings.json
chown -R 1001:1001 /home/demo
cd /home/demo/project
exec setpriv --reuid 1001 --regid 1001 --clear-groups env -i PATH=/usr/local/bin:/usr/bin:/bin HOME=/home/demo USER=demo LOGNAME=demo SHELL=/bin/bash LANG=C.UTF-8 ANTHROPIC_API_KEY=key-for-a-recording GEMINI_API_KEY=key-for-a-recording PS1='$ ' "$@"
"""
# name: (size, command, what is typed and waited for). AGENTS is the folder of npm's programs.
RECORDINGS = {
    "vim": ("24x80", "vim -u NONE -N main.c", r"""wait says hello
type :syntax on\r:set number ruler\r
settle 300
type /printf\rdwu
settle 200
type Go// more\x1bggVG>
settle 300
resize 16 60
settle 500
type :vsplit notes.md\r
settle 400
type \x17w10jA wörld 中文\x1b
settle 300
resize 30 100
settle 500
type :q!\r:q!\r
end"""),
    "less": ("24x80", "less -N long.txt", r"""wait line 1 of
type \s\s
settle 200
type /line 2[05]0\r
settle 300
type nN
settle 200
resize 12 50
settle 300
type G
wait line 400
type gq
end"""),
    "htop": ("24x80", "htop -d 2", r"""wait F10
pause 900
key f6
pause 400
key escape
pause 1500
key down
key down
pause 500
resize 30 110
pause 700
key f2
pause 500
key escape
pause 1500
key f10
pause 500"""),
    "top": ("24x80", "top -d 1", r"""wait PID
pause 600
type 1c
pause 700
resize 16 70
pause 700
type V
pause 500
type q
pause 500"""),
    "tmux": ("24x80", "tmux -f /dev/null -L demo new -s demo bash --norc", r"""wait $
type cat notes.md\r
wait emoji
type \x02%
settle 500
type ls --color=always; seq 5\r
settle 500
type \x02"
settle 500
type less -N long.txt\r
wait line 3
resize 30 100
settle 600
type q
settle 200
type \x02[
settle 200
key up
key up
key pageup
settle 300
type q
settle 200
type exit\r
settle 300
type exit\r
settle 300
type exit\r
settle 800"""),
    "mc": ("24x80", "mc -u", r"""wait notes.md
settle 400
key down
key down
key f3
settle 400
key f3
settle 300
key f9
settle 300
key escape
key escape
settle 400
resize 30 100
settle 500
key f10
settle 800
type \r
settle 500"""),
    "claude-code": ("30x100", "AGENTS/claude", r"""settle 5000
key down
settle 600
key enter
settle 5000
type /
settle 1200
key down
settle 500
key backspace
type hello wörld
settle 800
dump
resize 24 70
settle 1500
type ?
settle 800
dump
resize 36 120
settle 1500
key ctrl+c
settle 500"""),
    "codex": ("30x100", "AGENTS/codex", r"""settle 4000
key enter
settle 4000
type /
settle 1200
key down
settle 600
dump
key escape
settle 600
type hello wörld
settle 600
resize 20 60
settle 1500
dump
resize 34 110
settle 1500
key ctrl+c
settle 800"""),
    "gemini-cli": ("30x100", "AGENTS/gemini", r"""settle 9000
key down
settle 800
key up
settle 500
key enter
settle 6000
type /help
settle 1200
key enter
settle 1500
dump
resize 22 70
settle 2500
dump
key ctrl+c
settle 800
key ctrl+c
settle 800"""),
    "opencode": ("30x100", "AGENTS/opencode", r"""settle 6000
dump
type hello wörld
settle 800
key ctrl+p
settle 1000
dump
key escape
settle 500
resize 22 70
settle 1500
dump
key ctrl+c
settle 800
key ctrl+c
settle 800"""),
}


def main(driver, agents, *names):
    for name in names or RECORDINGS:
        size, command, script = RECORDINGS[name]
        with tempfile.NamedTemporaryFile("w", suffix=".script") as file:
            file.write("deadline 60\n" + script + "\n")
            file.flush()
            inside = ["unshare", "--mount", "--uts", "--pid", "--fork", "--mount-proc", "--net", "--kill-child", "sh", "-c", SETUP, "sh",
                      "TERM=xterm-256color", "COLORTERM=truecolor", *command.replace("AGENTS", agents).split()]
            done = subprocess.run([driver, "--size", size, "--script", file.name, "--record", str(HERE / f"{name}.cast"), "--", *inside], timeout=180)
        print(f"{name}: {done.returncode}, {(HERE / (name + '.cast')).stat().st_size} bytes", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
