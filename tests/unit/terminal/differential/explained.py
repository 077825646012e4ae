# SPDX-License-Identifier: Apache-2.0
"""Where the engine and xterm.js rightly differ. Each entry: a name, a pattern, the reason. An entry explains a difference when its
pattern is found in the narrowed stream, which is what is left of the stream after all has been left out that the difference does
not need. Keep patterns narrow: an entry that explains too much hides faults."""
import re

EXPLAINED = [
    ("SU keeps what it scrolls off", r"\x1b\[\d*S", "As in xterm, lines that SU moves out at the top of the screen go to the scrollback; xterm.js drops them."),
    ("DECALN resets the margins", r"\x1b\[[\d;]*r.*\x1b#8", "VT510 manual, DECALN: it sets the margins to the extremes of the page; xterm.js leaves them."),
    ("a blank in DEC special graphics", r"\x1b[()]0.*_", "VT220 manual, table 2-4: 5/15 is a blank; xterm.js shows the underscore."),
    ("REP is bounded", r"\x1b\[9+b", "The engine repeats at most as often as the screen has places (HAZARDS: no work without end for a few bytes)."),
    ("DECRC with nothing saved", r"\x1b(8|\[u)", "VT510 manual, DECRC: with nothing saved it goes home and resets origin mode; xterm.js leaves origin mode."),
    ("margins belong to the terminal", r"\x1b\[\d+;\d+r.*\x1b\[\?1049", "As in xterm (run), both screens have the same margins; xterm.js keeps them apart."),
    ("RIS resets LNM", r"\x1b\[20h.*\x1bc", "VT100 manual, RIS: everything is reset; xterm.js leaves its option convertEol."),
    ("1049 is reset without having been set", r"\x1b\[\?1049l", "As in xterm (run), the saved cursor is restored all the same; xterm.js goes home."),
    ("erasing ends a pending wrap", r"[^\x00-\x1f]\x1b\[\d*[JKX]", "DEC STD 070, last column flag, and xterm (run); xterm.js stands behind the last column and keeps it."),
    ("CBT from a pending wrap", r"[^\x00-\x1f]\x1b\[\d*Z", "The cursor is in the last column and goes back from there; xterm.js stands behind it and stays."),
    ("REP of a character with marks", r"[\u0300-\u036f]\x1b\[\d*b", "ECMA-48 8.3.103 speaks of the graphic character: the marks are not repeated; xterm.js repeats the whole cell."),
    ("the scrollback keeps whole lines", r"[\u1100-\uffdc]{5}.*\x1b\[[\d;]*[A-Zf]",
     "What scrolls off is kept unwrapped: where a wide character left a column free and was overwritten since, the column is filled when the line is shown again."),
    ("a character that is no ASCII within a sequence", r"\x1b(\[[?\d;]*)?[^\x00-\x7f]",
     "No standard says what it does there: xterm.js and the engine end the sequence at different places. No program writes it."),
]


def entry(stream):
    """The entry that explains a narrowed stream, or None."""
    return next((name for name, pattern, _ in EXPLAINED if re.search(pattern, stream, re.S)), None)
