#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usage: go_goroutines.py THEIRS OURS
Compares what a Go program says of its goroutines with what leaktrace says, stack by stack: both as debug=2
has it, or both as `go tool pprof -raw` prints a profile. The goroutine that wrote THEIRS is left out.
Prints what differs, and how many were compared; exit status 1 if any differs."""
import collections
import re
import sys


def stacks(text):
    """Of debug=2: the lines of each goroutine, by id, in order; but not for how long each has waited."""
    found = {}
    for block in text.split("\n\n"):
        lines = block.strip("\n").split("\n")
        head = re.match(r"goroutine (\d+) \[(.*)\]:$", lines[0])
        if not head:
            sys.exit(f"not the head of a goroutine: {lines[0]!r}")
        words = [w for w in head[2].split(", ") if not re.match(r"\d+ minutes$", w)]
        if int(head[1]) in found:
            sys.exit(f"goroutine {head[1]} twice")
        found[int(head[1])] = ["[" + ", ".join(words) + "]"] + lines[1:]
    return found


def samples(text, depth=30):
    """Of a profile: how many goroutines there are with these labels and this stack. Up to Go 1.22 only the
    innermost 32 frames are in it."""
    text, mappings = text.split("\nMappings\n")
    text, locations = text.split("\nLocations\n")
    places = collections.defaultdict(list)
    at = None
    for line in locations.splitlines():
        words = re.match(r"\s*(?:(\d+): (0x[0-9a-f]+) M=\d+ )?(.*?) s=\d+", line)
        at = int(words[1]) if words[1] else at
        places[at].append((words[2], words[3]))
    found = collections.Counter()
    sample = None
    for line in text.split("goroutine/count\n")[1].splitlines():
        words = re.match(r"\s*(\d+): ([\d ]*)$", line)
        if words:
            sample = [int(words[1]), tuple(p for i in words[2].split() for p in places[int(i)])[:depth]]
            found[sample[1], ""] += sample[0]
        else: # the labels of the sample before
            found[sample[1], ""] -= sample[0]
            found[sample[1], line.strip()] += sample[0]
    return +found


def differing_stacks(theirs, ours):
    writer = next(i for i, lines in theirs.items() if lines[0] == "[running]")
    del theirs[writer]
    ours.pop(writer, None)
    if list(theirs) != list(ours):
        yield ["others, or in another order: " + str(sorted(set(theirs) ^ set(ours)))]
    for i in theirs:
        if theirs[i] != ours.get(i):
            yield [f"goroutine {i}", "theirs:", *theirs[i], "ours:", *ours.get(i, [])]


def differing_samples(theirs, ours):
    for counts in (theirs, ours):
        for key in list(counts):
            if any("main.report " in place or "main.main " in place for _, place in key[0]):
                del counts[key]
    for key in theirs.keys() | ours.keys():
        if theirs[key] != ours[key]:
            yield [f"theirs {theirs[key]}, ours {ours[key]}: {key[1]}", *map(str, key[0])]


def main():
    theirs, ours = (open(path).read() for path in sys.argv[1:])
    if theirs.startswith("goroutine "):
        theirs, ours = stacks(theirs), stacks(ours)
        differing = list(differing_stacks(theirs, ours))
    else:
        theirs, ours = samples(theirs), samples(ours)
        differing = list(differing_samples(theirs, ours))
    for lines in differing[:5]:
        print("\n    ".join(lines))
    print(f"{len(theirs)} compared, {len(differing)} differ")
    sys.exit(not theirs or bool(differing))


main()
