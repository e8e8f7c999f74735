#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Recursion, however deep: what leaks at its end and main are both in the stack, and how often its functions
# have called each other.
. "$(dirname "$0")/../lib/harness.bash"

start_workload recursion
start_leaktrace -p "$W_PID"
workload_go
stop_leaktrace
books_are "attached"
is "leaktrace's exit status" "$L_STATUS" 0
workload_end

run_leaktrace -w memory -T 0 -- "$WORKLOADS/recursion"
like "one function, once, and how often more" "$(grep -A 5 ' direct_end ' "$L_OUT")" \
	' direct_end .* direct .* direct .*\.\.\. and the same frame 1,007 more times.* work '
like "two functions" "$(grep -A 6 ' two_end ' "$L_OUT")" \
	' two_end .* p[io]ng .* p[io]ng .* p[io]ng .*\.\.\. and the same 2 frames 503 more times.* work '

# Of the stacks from hold() down to the module's code: the recursion in them, and of how many descriptors they are.
folds='"\n".join(sorted(
	str(tuple((f["function"], f["cycle"], f["repeats"]) for f in s["frames"] if "repeats" in f)) + " " + str(s["count"])
	for x in r["resources"] for s in x["stacks"]
	if {"hold", "<module>"} <= {f["function"] for f in s["frames"]}))'
python=$(command -v python3)
if [[ $("$python" -c 'import sys; print(sys.version)') =~ ^3\.1[123]\. ]]; then
	start_program "$python" "$lib/../workloads/recursion.py"
	start_leaktrace -w fd -p "$W_PID"
	workload_go
	stop_leaktrace
	is "Python" "$(report_says "$folds")" "$(grep '^(' "$W_OUT" | sort)"
	workload_end
else
	skip "Python" "the machine's is of another version"
fi
done_testing
