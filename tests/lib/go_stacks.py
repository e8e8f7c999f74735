# SPDX-License-Identifier: Apache-2.0
# usage: go_stacks.py REPORT: a line for each traced stack: kind, state, count, "whole" or why not, the
# program's own functions (FUNCTION:LINE, innermost first), and the outermost function.
import json
import sys

with open(sys.argv[1], encoding="utf-8") as f:
    report = json.load(f)
for resource in report["resources"]:
    for stack in resource["stacks"]:
        frames = stack["frames"]
        if stack["origin"] != "traced" or not frames:  # what the runtime keeps for itself has none
            continue
        own = [f"{f['function']}:{f['line']}" for f in frames if (f["function"] or "").startswith("main.")]
        print(resource["kind"], resource["state"], stack["count"],
              "whole" if stack["complete"] else stack["stop"], *own, frames[-1]["function"])
