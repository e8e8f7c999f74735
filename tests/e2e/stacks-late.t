#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A module allocates the moment it is loaded, before leaktrace can have read it: those stacks become
# whole as well.
. "$(dirname "$0")/../lib/harness.bash"

program=$lib/../stackcheck/programs/imports.py

# Some may stay cut on a machine that is too busy to let leaktrace run.
stacks_are_whole() { # stacks_are_whole NAME
	local cut whole

	cut=$(report_says 'r["coverage"]["stacks"]["truncated"]')
	whole=$(report_says 'r["coverage"]["stacks"]["complete"]')
	ok "$1: a few hundred stacks" test "$whole" -gt 300
	ok "$1: $whole stacks are whole, $cut are cut" test $((cut * 20)) -le "$whole"
	is "$1: no stack is there twice" \
		"$(report_says 'len(memory["stacks"]) - len({s["id"] for s in memory["stacks"]})')" 0
	is "$1: nothing lost" "$(report_says 'sum(r["coverage"]["lost"].values())')" 0
}

start_program python3 "$program" wait
start_leaktrace -p "$W_PID"
workload_go
stop_leaktrace
stacks_are_whole attached
workload_end

L_REPORT=$TMP/command.json
run_leaktrace -f json -T 0 -o "$L_REPORT" -- python3 "$program"
is "as a command: leaktrace's exit status" "$L_STATUS" 0
stacks_are_whole "as a command"
done_testing
