#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The books are exact: every workload's own count against leaktrace's, to the byte.
. "$(dirname "$0")/../lib/harness.bash"

options=() # more of them

attached() { # attached WORKLOAD [THREADS]
	start_workload "$@"
	start_leaktrace "${options[@]}" -p "$W_PID"
	workload_go
	stop_leaktrace
	books_are "$*: attached"
	is "$*: leaktrace's exit status" "$L_STATUS" 0
	workload_end
	is "$*: the target's exit status" "$W_STATUS" 0
}

command() { # command WORKLOAD [THREADS]: traced from its first instruction
	local name=$1

	shift
	W_OUT=$TMP/command.out L_REPORT=$TMP/command.json
	rm -f "$L_REPORT"
	run_leaktrace -f json -T 0 -o "$L_REPORT" "${options[@]}" -- "$WORKLOADS/$name" "$@"
	cp "$L_OUT" "$W_OUT"
	books_are "$name $*: as a command" --sites-only
	is "$name $*: leaktrace's exit status" "$L_STATUS" 0
}

if [ -n "${QUICK-}" ]; then # one of each sort
	attached blocks 30
	attached mappings 3
	attached deep
	options=(--no-follow)
	attached fork
	options=()
	command cxx 3
	done_testing
	exit
fi

for threads in 1 30; do
	for workload in blocks mappings segments cxx nested interpose longjmp; do
		attached $workload $threads
	done
done
attached bcc4970 2
is "bcc 4970: bytes" "$(report_says 'memory["outstanding"]["amount"]')" 800000
is "bcc 4970: allocations" "$(report_says 'memory["outstanding"]["count"]')" 200000
attached bcc3341 30
is "bcc 3341: bytes" "$(report_says 'memory["outstanding"]["amount"]')" 0
attached attached
attached deep
options=(--no-follow) # those that come of it are not its books: follow.t
attached fork
command fork
options=()
attached threads
attached freeing 7
attached many_mappings

for workload in blocks mappings segments cxx nested interpose longjmp deep threads exec early; do
	command $workload
done
command blocks 30
command mappings 30
command cxx 30
command bcc4970 2
command bcc3341 30

# a process that becomes another program under our eyes
start_workload exec
start_leaktrace -p "$W_PID"
workload_go execed
sleep 1
workload_go
stop_leaktrace
books_are "exec: attached" --sites-only
is "exec: nothing of the first program is left" "$(report_says 'stacks("in_first")')" "[]"
workload_end
is "exec: the target's exit status" "$W_STATUS" 0

done_testing
