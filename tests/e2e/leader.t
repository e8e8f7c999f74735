#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A process whose first thread has ended is none that has ended: it is traced through the others.
. "$(dirname "$0")/../lib/harness.bash"

fds_are() { # as a thread that runs shows them
	local tid

	tid=$(ls "/proc/$W_PID/task" | tail -n 1)
	echo "system fd $(ls "/proc/$tid/fd" | wc -l)" >>"$W_OUT"
}

start_program "$WORKLOADS/leader" wait 1
ok "its first thread is a zombie" grep -q '^State:.Z' "/proc/$W_PID/status"
ok "leaktrace attaches all the same" start_leaktrace -p "$W_PID"
workload_go
stop_leaktrace
fds_are
books_are "ended before tracing"
is "leaktrace's exit status" "$L_STATUS" 0
is "its program is known" "$(report_says "r['target']['exe']")" "$(realpath "$WORKLOADS/leader")"
is "its stacks are whole" "$(report_says "r['coverage']['stacks']['truncated']")" 0
ok "its overhead is told" test "$(report_says "r['coverage']['overhead_percent'] is not None")" = True
run_leaktrace doctor -p "$W_PID"
is "doctor looks at it" "$L_STATUS" 0
workload_end
is "the target's exit status" "$W_STATUS" 29

# a probe lasts as long as the thread that it is bound to
for kind in "" perf; do
	start_program "$WORKLOADS/leader" wait 2
	start_leaktrace ${kind:+--attach $kind} -p "$W_PID"
	workload_go half
	sleep 2 # so they are bound to the other thread by now, also on a busy machine
	workload_go
	stop_leaktrace
	is "${kind:-best}: that its thread has ended is told" \
		"$(report_says "r['coverage']['lost']['probes_away']")" 1
	echo "probes_away 1" >>"$W_OUT"
	fds_are
	books_are "ended while traced, ${kind:-best}"
	workload_end
	is "the target's exit status" "$W_STATUS" 29
done
done_testing
