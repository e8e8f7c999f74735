#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A process under seccomp is traced and lives on or, where a return probe would kill it, left alone.
. "$(dirname "$0")/../lib/harness.bash"

start_program "$WORKLOADS/seccomp"
if start_leaktrace -p "$W_PID" >/dev/null; then
	workload_go
	stop_leaktrace
	is "bytes outstanding" "$(report_says 'memory["outstanding"]["amount"]')" $((53 * 37))
	is "blocks outstanding" "$(report_says 'memory["outstanding"]["count"]')" 53
else
	await_leaktrace
	is "refused: status" "$L_STATUS" 77
	like "refused: why" "$(cat "$L_ERR")" "pid $W_PID .*seccomp"
fi
exec {W_IN}>&-
await_exit "$W_PID"
is "the target's exit status" "$STATUS" 29
done_testing
