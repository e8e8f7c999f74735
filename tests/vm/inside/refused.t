#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A kernel that is too old: leaktrace says so, with status 77 and the reason, and harms nobody.
. "$(dirname "$0")/../../lib/harness.bash"

start_workload blocks
run_leaktrace -p "$W_PID" -d 1
is "a kernel that is too old: exit status" "$L_STATUS" 77
like "a kernel that is too old: the reason" "$(cat "$L_ERR")" 'Linux 5\.15'
is "a kernel that is too old: a line, and no report" "$(wc -l <"$L_ERR") $(wc -c <"$L_OUT")" "1 0"
workload_go
workload_end
is "a kernel that is too old: the target's exit status" "$W_STATUS" 0
done_testing
