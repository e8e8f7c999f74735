#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usage: go_goroutines.py THEIRS OURS [--without ID]
Compares what a Go program says of its goroutines (debug=2) with what leaktrace says, stack by stack. The
one goroutine that wrote THEIRS is left out. Prints what differs, and how many are equal; exit status 1 if
any differs."""
import re
import sys


def read(path):
    """By id, in order: the lines of each goroutine."""
    found = {}
    for block in open(path).read().split("\n\n"):
        if not block.strip():
            continue
        lines = block.strip("\n").split("\n")
        head = re.match(r"goroutine (\d+) \[(.*)\]:$", lines[0])
        if not head:
            sys.exit(f"{path}: not the head of a goroutine: {lines[0]!r}")
        words = [w for w in head[2].split(", ") if not re.match(r"\d+ minutes$", w)]
        if int(head[1]) in found:
            sys.exit(f"{path}: goroutine {head[1]} twice")
        found[int(head[1])] = ["goroutine [" + ", ".join(words) + "]"] + lines[1:]
    return found


def main():
    theirs, ours = read(sys.argv[1]), read(sys.argv[2])
    writer = next(i for i, lines in theirs.items() if lines[0] == "goroutine [running]")
    del theirs[writer]
    ours.pop(writer, None)
    differ = 0
    if list(theirs) != list(ours):
        print("other goroutines, or in another order:")
        print("  theirs only:", sorted(set(theirs) - set(ours)))
        print("  ours only:", sorted(set(ours) - set(theirs)))
        differ += 1
    for i in theirs:
        if i in ours and theirs[i] != ours[i]:
            differ += 1
            print(f"goroutine {i}:")
            for t, o in zip(theirs[i] + [None] * 200, ours[i] + [None] * 200):
                if t != o:
                    print("  theirs:", t)
                    print("  ours:  ", o)
                    break
    states = sorted({lines[0] for lines in theirs.values()})
    print(f"{len(theirs)} goroutines, {differ} differ, {len(states)} states: {' '.join(states)}")
    sys.exit(differ > 0)


main()
