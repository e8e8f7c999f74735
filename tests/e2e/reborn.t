#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A pid that is given to another process: each has its own books, and neither's are lost or taken for the other's.
. "$(dirname "$0")/../lib/harness.bash"

"$WORKLOADS/reborn" >/dev/null
[ $? != 77 ] || skip_all "this kernel lets nobody choose a pid"

# Who are told of one by one, and who by name only: the one that had the pid first.
who() { report_says "(len(r['target']['processes']), [(p['comm'], p['count']) for p in r['target']['ended_processes']])"; }
# The child waits, and has its probes.
next_child() { # next_child NUMBER
	workload_go "born $1"
	await "$PATIENCE" has_probes "$(sed -n "s/^born $1 //p" "$W_OUT")"
}
has_probes() { [ -n "$("$lib/unpatched.py" "$1" 2>&1)" ]; }

# each_is_known NAME: of the report, in which the parent is one more
each_is_known() {
	books_are "$1: the books of both" --sites-only
	is "... three processes, of two pids" "$(who)" "(2, [('reborn', 1)])"
	is "... none of which is refused or unknown" "$(report_says "r['coverage']['untraced_children']")" 0
}

W_OUT=$TMP/command.out L_REPORT=$TMP/command.json
run_leaktrace -w memory -f json -T 0 -o "$L_REPORT" -- "$WORKLOADS/reborn"
cp "$L_OUT" "$W_OUT"
each_is_known "a command"

start_workload reborn
start_leaktrace -w memory -p "$W_PID"
next_child 1
next_child 2
workload_go
stop_leaktrace
each_is_known "a running process"
workload_end
is "... the target's exit status" "$W_STATUS" 0

# with reports in between, what each held at its end is told once
start_workload reborn
start_leaktrace -w memory -i 300ms -p "$W_PID"
next_child 1
next_child 2
workload_go
stop_leaktrace
python3 - "$L_REPORT" >"$TMP/held" <<'PYTHON'
import json, sys
held = []
for line in open(sys.argv[1]):
    target = json.loads(line)["target"]
    ended = [p for p in target["processes"] if p["state"] == "ended"] + target["ended_processes"]
    held += [x["outstanding"]["count"] for p in ended for x in p["resources"] if x["outstanding"]["count"]]
print(*held)
PYTHON
is "-i: what each held at its end" "$(cat "$TMP/held")" "24 42"
workload_end
done_testing
