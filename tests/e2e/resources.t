#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Descriptors, connections, threads and children: every workload's own count against leaktrace's, and
# the totals against what the system says at the same time.
. "$(dirname "$0")/../lib/harness.bash"

what="-w fd,connection,thread,process --no-follow" # a workload counts what it does itself; the others: follow.t

attached() { # attached WORKLOAD [THREADS]
	start_workload "$@"
	start_leaktrace $what -p "$W_PID"
	workload_go
	system_says "$W_PID"
	stop_leaktrace
	books_are "$*: attached"
	is "$*: leaktrace's exit status" "$L_STATUS" 0
	workload_end
	is "$*: the target's exit status" "$W_STATUS" 0
}

# Traced from its first instruction, and still there when the report is made.
command() { # command WORKLOAD [THREADS]
	local name=$1

	shift
	start_traced "$name" "$what" "$@" || { flunk "$name $*: as a command"; return; }
	workload_go
	system_says "$W_PID"
	stop_leaktrace
	books_are "$name $*: as a command" --sites-only
	is "$name $*: leaktrace's exit status" "$L_STATUS" 0
	exec {W_IN}>&-
}

# One that has ended: what it held then is what it leaked.
ended() { # ended WORKLOAD
	W_OUT=$TMP/ended.out L_REPORT=$TMP/ended.json
	rm -f "$L_REPORT"
	run_leaktrace $what -f json -T 0 -o "$L_REPORT" -- "$WORKLOADS/$1"
	cp "$L_OUT" "$W_OUT"
	books_are "$1: as a command that ends" --sites-only
	is "$1: leaktrace's exit status" "$L_STATUS" 0
}

# It becomes another program under our eyes.
execs() { # execs [THREADS]
	start_workload exec_fds "$@"
	start_leaktrace $what -p "$W_PID"
	workload_go execed
	sleep 1
	workload_go
	system_says "$W_PID"
	stop_leaktrace
	books_are "exec_fds $*: attached" --sites-only
	is "exec_fds $*: the sums" \
		"$(report_says '[x["unseen"]["count"] for x in r["resources"] if x["kind"] == "fd"]')" "[0]"
	workload_end
	is "exec_fds $*: the target's exit status" "$W_STATUS" 0
}

# What one passes to the other it holds no more, and the other does.
passes() {
	local peer

	start_workload passing
	peer=$(sed -n 's/^peer //p' "$W_OUT")
	start_leaktrace $what -p "$W_PID,$peer"
	workload_go
	system_says "$W_PID" "$peer"
	stop_leaktrace
	books_are "passing: both processes"
	is "passing: what was received is the receiver's" \
		"$(report_says "{s['pid'] for x in r['resources'] for s in x['stacks'] if s['via'] == 'recvmsg'}")" \
		"{$peer}"
	is "passing: what was accepted is the sender's" \
		"$(report_says "{s['pid'] for x in r['resources'] for s in x['stacks'] if s['via'] == 'accept'}")" \
		"{$W_PID}"
	workload_end
	is "passing: the target's exit status" "$W_STATUS" 0
}

rust() {
	type -P rustc >/dev/null || { skip rust "rustc is not installed"; return; }
	rustc -g -O -o "$TMP/threads_rust" "$lib/../workloads/threads_rust.rs" >"$TMP/rustc.out" 2>&1 ||
		{ flunk "rustc"; diag "$(cat "$TMP/rustc.out")"; return; }
	start_program "$TMP/threads_rust"
	start_leaktrace $what -p "$W_PID"
	workload_go
	system_says "$W_PID"
	stop_leaktrace
	books_are "rust: attached"
	workload_end
	is "rust: the target's exit status" "$W_STATUS" 0
}

shell_like() {
	start_workload shell
	start_leaktrace $what -p "$W_PID"
	workload_go
	stop_leaktrace
	is "shell: 11 zombies, at the line that made them" "$(report_says '[(s["count"],
		s["frames"][0]["function"], s["frames"][0]["file"].rsplit("/")[-1], s["frames"][0]["line"] > 0)
		for x in r["resources"] if x["state"] == "zombie" for s in x["stacks"] if s["count"]]')" \
		"[(11, 'launch', 'shell.c', True)]"
	workload_end
}

pool_like() {
	start_workload threads_cxx
	start_leaktrace $what -p "$W_PID"
	workload_go
	stop_leaktrace
	is "C++: 13 threads never joined, at the line that made them" "$(report_says 'sum(s["count"]
		for x in r["resources"] if x["state"] == "unjoined" for s in x["stacks"]
		if any((f["function"] or "").startswith("start_pool") and f["file"].endswith("/threads_cxx.cc")
		and f["line"] for f in s["frames"]))')" 13
	workload_end
}

if [ -n "${QUICK-}" ]; then # one of each sort
	attached descriptors 3
	attached sockets
	attached threads_held
	attached children
	if [ "$QUICK" = least ]; then
		done_testing
		exit
	fi
	passes
	command descriptors
	ended children
	execs
	done_testing
	exit
fi

for workload in descriptors sockets threads_held threads_cxx children forks; do
	attached $workload
	attached $workload 13
	command $workload
done
command descriptors 13
command threads_held 13
attached reaping
attached shell
command reaping
command shell
for workload in descriptors exec_fds threads_held threads_cxx children shell; do
	ended $workload
done
execs
execs 2
passes
rust
shell_like
pool_like
done_testing
