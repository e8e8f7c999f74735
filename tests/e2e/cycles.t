#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The target is never harmed: attached to and left again, politely and by kill -9, while it works.
. "$(dirname "$0")/../lib/harness.bash"

CYCLES=${CYCLES:-60} # make soak: 300

busy_end() { sed -n "s/^$1 //p" "$W_OUT"; }

start_program "$WORKLOADS/busy" 4
bad=0
for ((i = 0; i < CYCLES; i++)); do
	if ! start_leaktrace -p "$W_PID"; then
		bad=$((bad + 1))
		await_leaktrace
		continue
	fi
	sleep "0.0$((i % 10))"
	stop_leaktrace
	if [ "$L_STATUS" != 0 ] || [ "$(report_says 'memory["acquired"]["count"] > 0')" != True ]; then
		bad=$((bad + 1))
	fi
	if is_gone "$W_PID"; then break; fi
done
is "$CYCLES cycles of attach and detach: bad ones" "$bad" 0
workload_end
is "attach and detach: the target's exit status" "$W_STATUS" 23
diag "attach and detach: $(busy_end operations) operations, held up for $(busy_end stall_ms) ms at most"
ok "attach and detach: never held up for more than 100 ms" test "$(busy_end stall_ms)" -le 100

start_program "$WORKLOADS/busy" 4
for ((i = 0; i < CYCLES; i++)); do
	if ((i % 3)); then
		start_leaktrace -p "$W_PID"
	else # somewhere in the middle of attaching
		"$LEAKTRACE" -q -p "$W_PID" -o /dev/null 2>/dev/null &
		L_PID=$!
		children+=("$L_PID")
		sleep "0.$((i % 10))"
	fi
	kill -9 "$L_PID"
	await_leaktrace
	if is_gone "$W_PID"; then break; fi
done
is "attach and kill -9: $CYCLES cycles" "$i" "$CYCLES"
workload_end
is "attach and kill -9: the target's exit status" "$W_STATUS" 23
diag "attach and kill -9: $(busy_end operations) operations, held up for $(busy_end stall_ms) ms at most"
ok "attach and kill -9: never held up for more than 100 ms" test "$(busy_end stall_ms)" -le 100

done_testing
