#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usage: opens.py TRACE ROOT... [-- PLAIN]

Reads what strace -f -yy wrote of openat and the like, and prints every file that was opened, other
than by O_PATH, and should not have been: what is not a regular file, and what is in none of the
ROOTs (/proc/PID/root of the targets). What leaktrace opens for itself is not meant: files of
/proc/PID and what is in the trace PLAIN, that of a target that does no harm.
"""
import os
import re
import stat
import sys

CALL = re.compile(r"^(\d+)\s+(open|openat|openat2|creat)\((.*)$")
RESUMED = re.compile(r"^(\d+)\s+<\.\.\. (\w+) resumed>(.*)$")
RESULT = re.compile(r"\)\s+=\s+(-?\d+)(.*)$")


def calls(path):
    """(arguments, result, what follows it) of every call."""
    begun = {}
    with open(path, errors="surrogateescape") as f:
        for line in f:
            line = line.rstrip("\n")
            resumed = RESUMED.match(line)
            call = CALL.match(line)
            if resumed and resumed[1] in begun:
                text = begun.pop(resumed[1]) + resumed[3]
            elif call:
                text = call[3]
            else:
                continue
            if call and text.endswith("<unfinished ...>"):
                begun[call[1]] = text[:-len("<unfinished ...>")]
                continue
            result = RESULT.search(text)
            if result:
                yield text[:result.start()], int(result[1]), result[2].strip()


def opened(path):
    """(path, kind) of each file that was opened in earnest; kind is strace's, such as "char 5:2".

    Not those that are deleted and were opened through what is mapped or open: they are what they are.
    """
    for arguments, result, rest in calls(path):
        if "O_PATH" in arguments:
            continue
        if re.search(r'"/proc/\w+/(map_files|fd)/', arguments) and rest.endswith(">(deleted)"):
            continue
        if result >= 0:
            # <path>, <path<char 5:2>>, <UNIX-STREAM:[123]>, <path>(deleted)
            m = re.match(r"<(.*?)(?:<((?:char|block) [^>]*)>)?>(?:\(deleted\))?$", rest)
            yield (m[1], m[2]) if m else (rest, None)
        elif rest.startswith("ENXIO"):
            named = re.search(r'"(.*?)"', arguments)
            yield named[1] if named else arguments, "no such device or address"


def plain_name(path):
    return re.sub(r"\d+", "N", path)


def is_own(path):
    return re.match(r"/proc/(\d+|self)(/|$)|/memfd:|[a-z]+:\[\d+\]$", path)


def is_regular(path, roots):
    if re.match(r"/(proc|sys)(/|$)", path):
        return False
    for root in roots:
        try:
            if stat.S_ISREG(os.stat(root + path).st_mode):
                return True
        except OSError:
            pass
    return False


def main():
    args = sys.argv[1:]
    plain = set()
    if "--" in args:
        at = args.index("--")
        plain = {plain_name(p) for p, kind in opened(args[at + 1])}
        args = args[:at]
    wrong = set()
    for path, kind in opened(args[0]):
        name = re.sub(r" \(deleted\)$", "", path)
        if plain_name(path) in plain or (is_own(path) and not kind):
            continue
        if kind or not (is_regular(path, args[1:]) or is_regular(name, args[1:])):
            wrong.add(f"{path} ({kind or 'no regular file of the target'})")
    print("\n".join(sorted(wrong)))


main()
