# SPDX-License-Identifier: Apache-2.0
# usage: go_groups.py REPORT KIND: a line for each of its stacks, in their order: amount, state of the
# goroutines or "-", how many have a note, and all frames as FUNCTION:LINE. Of several reports in the file
# (JSON Lines) the last; with ALL as a third argument of each, behind a line "report".
import json
import sys

with open(sys.argv[1], encoding="utf-8") as f:
    text = f.read()
try:
    reports = [json.loads(text)]
except json.JSONDecodeError:
    reports = [json.loads(line) for line in text.splitlines()]
for report in reports if len(sys.argv) > 3 else reports[-1:]:
    if len(sys.argv) > 3:
        print("report")
    for resource in report["resources"]:
        if resource["kind"] != sys.argv[2]:
            continue
        for stack in resource["stacks"]:
            if not stack["frames"]:
                continue
            noted = sum(item["note"] is not None for item in stack["items"])
            print(stack["amount"], (stack.get("state") or "-").replace(" ", "_"), noted,
                  *[f"{f['function']}:{f['line']}" for f in stack["frames"]])
