# SPDX-License-Identifier: Apache-2.0
"""usage: python_lines.py REPORT TRUTH PROGRAM [KIND]: all but that kind

Compares the Python frames of a report with what python_held.py says of itself. Prints what differs."""
import collections
import json
import sys

KINDS = {"connection": ("connection", "open"), "fd": ("fd", None), "thread": ("thread", "running"),
         "child": ("process", "running"), "zombie": ("process", "zombie")}

report = json.load(open(sys.argv[1]))
wanted = collections.Counter()
for line in open(sys.argv[2]):
    word, *rest = line.split()
    if word == "held" and rest[0] not in sys.argv[4:]:
        wanted[(*KINDS[rest[0]], *rest[1:])] += 1

got = collections.Counter()
native = between = 0
for resource in report["resources"]:
    for stack in resource["stacks"]:
        own = [f for f in stack["frames"] if f["file"] == sys.argv[3]]
        got[(resource["kind"], resource["state"], *(f"{f['function']}:{f['line']}" for f in own))] += stack["count"]
        names = [f["function"] for f in stack["frames"]]
        if "compare" in names:
            c_frames = stack["frames"][names.index("compare") + 1:names.index("through_qsort")]
            between += not any("libc.so" in (f["module"] or "") for f in c_frames)
        native += any((f["function"] or "").startswith("_PyEval") for f in stack["frames"])

if not wanted:
    print("nothing was held")
for what, n in wanted.items():
    if got[what] != n:
        print(f"{n} held, {got[what]} reported: {what}")
        print("  of that kind:", *(g for g in got if g[:2] == what[:2]), sep="\n    ")
if between:
    print(f"{between} stacks without the C library's frames where they belong")
if native:
    print(f"{native} stacks with frames of the interpreter")
sys.exit(bool(native or between or not wanted or any(got[what] != n for what, n in wanted.items())))
