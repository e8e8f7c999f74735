#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A process that is added when tracing has long begun has books as exact as one that was there from the beginning.
. "$(dirname "$0")/../lib/harness.bash"
LEAKTRACE=$BUILD/tests/stackcheck/late_add

added() { # added WHAT WORKLOAD [THREADS]
	local what=$1

	shift
	start_workload "$@"
	start_leaktrace ${what:+-w $what} -p "$W_PID"
	workload_go
	case $what in *fd*) system_says "$W_PID" ;; esac
	stop_leaktrace
	books_are "$*${what:+, $what}: added"
	is "$*: its CPU time is known, from then on" "$(report_says \
		'r["coverage"]["overhead_percent"] is not None and r["coverage"]["overhead_percent"] <= 100')" True
	is "$*: the tracer's exit status" "$L_STATUS" 0
	workload_end
	is "$*: the target's exit status" "$W_STATUS" 0
}

added memory blocks 30
added memory mappings 3
added memory cxx 3
added memory attached # it allocates and frees while its probes are being attached
added fd,connection,thread,process descriptors
added fd,connection,thread,process threads_held 3
added fd,connection,thread,process children

# All its threads allocate and free while its probes are attached: nothing is recorded before the last one is.
start_program "$WORKLOADS/busy" 3
start_leaktrace -w memory -p "$W_PID"
echo >&"$W_IN"
await_leaktrace
is "a busy one: every release was seen" "$(sed -n 's/^leaktrace: overtaken //p' "$L_ERR")" 0
is "... and nothing is left" "$(report_says 'memory["outstanding"]["count"]')" 0
await_exit "$W_PID"

# Of two, the second one comes later. Each is in the books from when it was added on.
start_workload blocks 3
first=$W_PID first_in=$W_IN truth=$TMP/truth
cat "$W_OUT" >"$truth"
first_out=$W_OUT
start_workload mappings 3
start_leaktrace -w memory -p "$first,$W_PID"
workload_go
W_OUT2=$W_OUT W_IN2=$W_IN W_PID2=$W_PID
W_OUT=$first_out W_IN=$first_in W_PID=$first
workload_go
cat "$first_out" "$W_OUT2" >"$truth"
stop_leaktrace
W_OUT=$truth
books_are "two, one after the other"
is "both are told of" "$(report_says 'sorted(r["target"]["pids"])')" "$(printf '%s\n' "$first" "$W_PID2" | sort -n |
	paste -s -d, | sed 's/.*/[&]/; s/,/, /')"
MAX_PROCESSES=1 run_leaktrace -p "$first,$W_PID2"
is "one too many is refused" "$L_STATUS" 1
like "... in so many words" "$(cat "$L_ERR")" "pid $W_PID2: 1 processes are being traced, and there is no room"
workload_end
W_IN=$W_IN2 W_PID=$W_PID2
workload_end
done_testing
