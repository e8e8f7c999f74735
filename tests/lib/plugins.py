#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds a report against what workloads/plugins says, by the sizes of what each plugin leaks.

usage: plugins.py REPORT TRUTH NAME:BYTES...     of the plugins NAME.so and their copies, NAME-1.so and so on

Prints "blocks N right N unknown N wrong N": how many blocks begin in a plugin or in code that is not
known, those that begin in the plugin that has such blocks, in none, in another one; of copies, in one that
has leaked fewer. Exit status 1 when they are not as many as have been leaked.
"""
import collections
import json
import os
import re
import sys


def main():
    report, truth, sizes = json.load(open(sys.argv[1])), sys.argv[2], dict(a.split(":") for a in sys.argv[3:])
    memory = next(r for r in report["resources"] if r["kind"] == "memory")
    wanted = collections.Counter()  # by path
    for line in open(truth):
        if m := re.match(r"loaded (\S+) (\d+)$", line):
            name = re.sub(r"-\d+$", "", os.path.basename(m[1])[:-3])
            wanted[os.path.realpath(m[1])] = 2 * int(m[2]) if name in sizes else 0
    got, modules = collections.Counter(), collections.Counter()
    for stack in memory["stacks"]:
        function = stack["frames"][0]["function"] if stack["frames"] else None
        if function is None and not (stack["frames"] and stack["frames"][0]["module"]):
            got["unknown"] += stack["count"]
        elif m := re.match(r"plugin_(begins|leaks)_(\w+)$", function or ""):
            # of two sizes in one stack nothing can be told but that some are wrong
            right = stack["amount"] == (int(sizes.get(m[2], 0)) + (m[1] == "leaks")) * stack["count"]
            got["right" if right else "wrong"] += stack["count"]
            modules[stack["frames"][0]["module"]] += right and stack["count"]
            if not right:
                print("#", stack["count"], "blocks of", stack["amount"], "bytes in", function, file=sys.stderr)
    for path, n in modules.items():
        if path in wanted and n > wanted[path]:
            got["wrong"] += n - wanted[path]
            got["right"] -= n - wanted[path]
            print("#", path, "has", n, "blocks, not", wanted[path], file=sys.stderr)
    leaked = sum(wanted.values())
    blocks = got["right"] + got["unknown"] + got["wrong"]
    print("blocks", blocks, *(f"{what} {got[what]}" for what in ("right", "unknown", "wrong")))
    # what the loader keeps for itself is a few blocks, whose stacks may begin in unknown code as well
    if not leaked <= blocks <= leaked + min(got["unknown"], 10):
        print("# leaked were", leaked, file=sys.stderr)
        sys.exit(1)


main()
