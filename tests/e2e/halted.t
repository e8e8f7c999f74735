#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A target that cannot do anything is told as such: nothing else explains an empty report.
. "$(dirname "$0")/../lib/harness.bash"

halted() { # halted NAME REGEX: what is said of W_PID
	run_leaktrace -w memory -d 300ms -p "$W_PID"
	is "$1: status" "$L_STATUS" 0
	like "$1: it is told at once" "$(cat "$L_ERR")" "pid $W_PID is $2.*: it does nothing meanwhile"
	like "$1: and in the report" "$(cat "$L_OUT")" "target: pid $W_PID is $2"
	like "$1: as the reason" "$(cat "$L_OUT")" 'memory: nothing outstanding; the target stands still'
}

start_workload blocks
run_leaktrace -w memory -d 300ms -p "$W_PID"
like "one that only waits: is none" "$(cat "$L_OUT" "$L_ERR")" 'no traced function was called'
kill -STOP "$W_PID"
halted "stopped" 'stopped by a signal'
kill -CONT "$W_PID"

frozen() { # frozen NAME FOLDER FILE ON OFF
	local group=$2/leaktrace-test-$$

	if ! mkdir "$group" 2>/dev/null || [ ! -e "$group/$3" ]; then
		rmdir "$group" 2>/dev/null
		skip "$1" "no such cgroups here"
		return
	fi
	echo "$W_PID" >"$group/cgroup.procs"
	echo "$4" >"$group/$3"
	await 10 grep -q -e 'frozen 1' -e FROZEN "$group"/cgroup.events "$group/$3" 2>/dev/null
	halted "$1" 'frozen with its cgroup'
	echo "$5" >"$group/$3"
	echo "$W_PID" >"$2/cgroup.procs"
	rmdir "$group"
}
frozen "frozen" /sys/fs/cgroup cgroup.freeze 1 0
frozen "frozen in a hierarchy beside others" /sys/fs/cgroup/unified cgroup.freeze 1 0
frozen "frozen by version 1" /sys/fs/cgroup/freezer freezer.state FROZEN THAWED

start_leaktrace -p "$W_PID"
workload_go
stop_leaktrace
books_are "it goes on, and is traced"
workload_end
is "it is well" "$W_STATUS" 0
done_testing
