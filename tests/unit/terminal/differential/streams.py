# SPDX-License-Identifier: Apache-2.0
"""Streams for the differential test, made by grammar from a seed: what programs write to terminals, and what goes wrong there.

A stream is a list of tokens; each token is ["o", text of bytes] or ["r", rows, columns], as tests/tools/batch.h takes it. Tokens are
whole: a difference is narrowed down by leaving tokens out."""
import random

ASCII = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,;:-_/=+*#()[]{}<>|'\"!?$%&@~^`\\"
WIDE = "中文字한글かなカナ、。！？"
EMOJI = ["😀", "🚀", "✅", "⌚", "🎉", "🦀"]  # single ones: xterm.js knows no clusters, so they are off (mode 2027) on our side too
MARKS = ["e\u0301", "a\u0300\u0323", "o\u0308", "n\u0303"]
SYMBOLS = "─│┌┐└┘├┤┬┴┼═║█▀▄░▒▓■●○◆→←↑↓✓✗…“”éüßñøλπΩЖд"


class Maker:
    def __init__(self, seed, rows, columns):
        self.random, self.rows, self.columns = random.Random(seed), rows, columns

    def count(self):
        return self.random.choice(["", "0", "1", "2", "3", "5", str(self.random.randrange(1, 40)), "999"])

    def row(self):
        return self.random.randrange(1, self.rows + 3)

    def column(self):
        return self.random.randrange(1, self.columns + 4)

    def text(self):
        kind = self.random.random()
        if kind < 0.62:
            return "".join(self.random.choice(ASCII) for _ in range(self.random.randrange(1, 30)))
        if kind < 0.72:
            return "".join(self.random.choice(SYMBOLS) for _ in range(self.random.randrange(1, 12)))
        if kind < 0.84:
            return "".join(self.random.choice(WIDE) for _ in range(self.random.randrange(1, 10)))
        if kind < 0.92:
            return "x" + self.random.choice(EMOJI) + " "
        return self.random.choice(MARKS)

    def control(self):
        return self.random.choice(["\r\n", "\r\n", "\r\n", "\n", "\r", "\b", "\t", "\x1bD", "\x1bM", "\x1bE", "\x0b", "\x0c"])

    def move(self):
        final = self.random.choice("ABCDEFGadeH`If")
        if final in "Hf":
            return f"\x1b[{self.row()};{self.column()}{final}"
        if final == "d":
            return f"\x1b[{self.row()}d"
        if final in "G`":
            return f"\x1b[{self.column()}{final}"
        return f"\x1b[{self.count()}{final}"

    def erase(self):
        return self.random.choice([f"\x1b[{self.random.choice(['', '0', '1', '2'])}{self.random.choice('JK')}", f"\x1b[{self.count()}X", "\x1b[3J"])

    def edit(self):
        return f"\x1b[{self.count()}{self.random.choice('@PLMTbZ')}"

    def style(self):
        parts = [self.random.choice(["0", "1", "2", "3", "4", "7", "9", "22", "24", "27", "39", "49", str(self.random.randrange(30, 38)), str(self.random.randrange(40, 48)),
                                     f"38;5;{self.random.randrange(256)}", f"48;2;{self.random.randrange(256)};0;9", "53", "55"]) for _ in range(self.random.randrange(0, 4))]
        return f"\x1b[{';'.join(parts)}m"

    def margins(self):
        top = self.random.randrange(1, self.rows)
        bottom = self.random.randrange(top + 1, self.rows + 1)
        return self.random.choice([f"\x1b[{top};{bottom}r", "\x1b[r"])

    def mode(self):
        on = self.random.choice("hl")
        return self.random.choice([f"\x1b[?7{on}", f"\x1b[4{on}", f"\x1b[?25{on}", f"\x1b[?6{on}", f"\x1b[?2004{on}", f"\x1b[?2026{on}", f"\x1b[?1{on}", f"\x1b[20{on}"])

    def save(self):
        return self.random.choice(["\x1b7", "\x1b8", "\x1b[s", "\x1b[u"])

    def charset(self):
        return self.random.choice(["\x1b(0", "\x1b(B", "\x1b(B", "\x1b)0", "\x0e", "\x0f", "\x0f", "\x1b(A"])

    def screen(self):
        return self.random.choice(["\x1b[?1049h", "\x1b[?1049l", "\x1b[!p", "\x1b[S", "\x1b#8", "\x1bc\x1b[?2027l"])

    def tabs(self):
        return self.random.choice(["\x1bH", "\x1b[g", "\x1b[3g"])

    def strings(self):
        return self.random.choice(["\x1b]0;title\x07", "\x1b]2;t\x1b\\", "\x1b]8;;http://a.example\x1b\\", "\x1b]8;;\x1b\\", "\x1bP1$tx\x1b\\", "\x1b_apc\x1b\\", "\x1b^pm\x1b\\", "\x1bXsos\x1b\\"])

    def broken(self):
        return self.random.choice(["\x1b[12\x18", "\x1b[\x1a", "\x1b[1;2;3", "\x1b[?", "\x1b]0;x\x18", "\x1b", "\x1b[999999999C", "\x1b[1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1m", "\x00\x7f"])

    def token(self):
        kinds = [(self.text, 34), (self.control, 16), (self.move, 14), (self.erase, 6), (self.edit, 8), (self.style, 8), (self.margins, 3), (self.mode, 3), (self.save, 2),
                 (self.charset, 2), (self.screen, 1), (self.tabs, 1), (self.strings, 1), (self.broken, 1)]
        return self.random.choices([kind for kind, _ in kinds], [weight for _, weight in kinds])[0]()


def stream(seed, tokens=60):
    """(rows, columns, steps)."""
    sizes = random.Random(seed)
    rows, columns = sizes.choice([(24, 80), (10, 40), (5, 20), (6, 13)])
    maker = Maker(seed, rows, columns)
    return rows, columns, [["o", "\x1b[?2027l"]] + [["o", maker.token().encode().decode("latin-1")] for _ in range(tokens)]
