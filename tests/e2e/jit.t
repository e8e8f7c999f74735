#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# An address in a JIT's code means what was compiled there when the stack was taken, also when the same calls
# lead to other code later, and when the map of names is gone.
. "$(dirname "$0")/../lib/harness.bash"

start_workload jit
start_leaktrace -w memory -i 1s -p "$W_PID"
workload_go
stop_leaktrace
# the last of several reports
tail -n 1 "$L_REPORT" >"$TMP/last.json"
reports=$L_REPORT L_REPORT=$TMP/last.json
books_are "code in the place of other code"
for name in jit_early jit_late jit_stays in_c; do
	is "$name is one stack" "$(report_says "len(stacks('$name'))")" 1
done
is "they are told apart by their ids" "$(report_says 'len({s["id"] for s in memory["stacks"]}) == len(memory["stacks"])')" True
is "what was never called is not named" "$(report_says "len(stacks('jit_never_called'))")" 0
# between two reports a stack of these is never called something else
is "no report gives to one what another gives to the other" "$(python3 - "$reports" <<'PYTHON'
import json, sys
names = {"jit_early": 31, "jit_late": 37, "jit_stays": 71}
seen = set()
for line in open(sys.argv[1]):
    for s in json.loads(line)["resources"][0]["stacks"]:
        for f in s["frames"]:
            if f["function"] in names:
                seen.add((f["function"], s["acquired"]["amount"] % names[f["function"]]))
print(*sorted(seen))
PYTHON
)" "('jit_early', 0) ('jit_late', 0) ('jit_stays', 0)"
workload_end
done_testing
