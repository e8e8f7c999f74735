#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usage: clean.py [--terminal] FILE...

Prints what should not leave for a terminal: bytes that are no UTF-8, and control characters (C0
other than newline and tab, DEL, C1). --terminal: of what a terminal was sent, where lines end in
CR LF and leaktrace's own colours may stand.
"""
import re
import sys
import unicodedata

COLOURS = re.compile(rb"\033\[(0|1|2|1;31|33)m")


def problems(data):
    try:
        text = data.decode()
    except UnicodeDecodeError as e:
        yield e.start, f"no UTF-8: {data[e.start:e.end]!r}"
        text = data.decode(errors="replace")
    for i, c in enumerate(text):
        if unicodedata.category(c) == "Cc" and c not in "\n\t":
            yield i, f"U+{ord(c):04X}"


def main():
    args = sys.argv[1:]
    terminal = args[0] == "--terminal"
    for path in args[terminal:]:
        with open(path, "rb") as f:
            data = f.read()
        if terminal:
            data = COLOURS.sub(b"", data.replace(b"\r\n", b"\n"))
        for at, what in problems(data):
            print(f"{path}:{at}: {what} in {data[max(at - 40, 0):at + 20]!r}")


main()
