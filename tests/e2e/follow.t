#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What comes of a traced process is traced: of a command from its first instruction, of others a little later.
export LATER_MS=${LATER_MS:-1500} # until when what has come must be followed
. "$(dirname "$0")/../lib/harness.bash"

family() { # family OPTION...: traced as a command
	W_OUT=$TMP/command.out L_REPORT=$TMP/command.json
	run_leaktrace -w memory -f json -T 0 -o "$L_REPORT" "$@"
	cp "$L_OUT" "$W_OUT"
}

processes() { report_says "len(r['target']['processes'])"; }
coverage() { report_says "r['coverage']['$1']"; }

# -- a command -----------------------------------------------------------------------------------
for run in 1 2 3; do
	family -- "$WORKLOADS/family"
	books_are "a command and what comes of it, run $run" --sites-only
	is "... its exit status" "$L_STATUS" 0
	is "... all four are told of, and nobody else" "$(processes) $(coverage untraced_children)" "4 0"
	is "... none ran unseen" "$(report_says "{p['unseen_ms'] for p in r['target']['processes'] if p['unseen_ms']}")" "set()"
done

family --no-follow -- "$WORKLOADS/family"
is "--no-follow: the command alone" "$(processes)" 1
is "--no-follow: the others are counted" "$(coverage untraced_children)" 2

run_leaktrace --pass-status -w memory -f json -o "$TMP/report.json" -- \
	sh -c 'seq 3 | sort -r | tail -n 1; "$0" >&2; exit 7' "$WORKLOADS/family"
is "a pipeline: what it prints" "$(cat "$L_OUT")" 1
is "a pipeline: its exit status" "$L_STATUS" 7
L_REPORT=$TMP/report.json
is "a pipeline: everybody is told of" "$(processes)" 8

# -- what it does itself, among what the others do -----------------------------------------------
what="-w fd,connection,thread,process --per-process"
for workload in descriptors children forks; do
	start_workload $workload
	# shellcheck disable=SC2086
	start_leaktrace $what -p "$W_PID"
	workload_go
	system_says "$W_PID"
	stop_leaktrace
	books_are "$workload: what the target holds" --of="$W_PID"
	workload_end
	is "$workload: the target's exit status" "$W_STATUS" 0
done

# -- one that becomes another program ------------------------------------------------------------
for kind in $("$LEAKTRACE" doctor -f json | python3 -c 'import json, sys
print(*{p["kind"] for p in json.load(sys.stdin)["probes"] if p["used"]} | {"perf"})'); do
	start_workload exec at-once
	start_leaktrace -w memory --attach "$kind" -p "$W_PID"
	workload_go
	stop_leaktrace
	books_are "exec, $kind: the new program from its first allocation on" --sites-only
	is "exec, $kind: nothing of it was unseen" "$(report_says "r['target']['processes'][0]['unseen_ms']")" 0.0
	workload_end
done

# by another thread than the first: the probes are not its own
start_workload exec_fds 2
start_leaktrace -w memory,fd -p "$W_PID"
workload_go execed
sleep 1
workload_go
stop_leaktrace
is "exec by another thread: how long the new program was unseen" \
	"$(report_says "[0 < p['unseen_ms'] < $LATER_MS for p in r['target']['processes'] if p['pid'] == $W_PID]")" "[True]"
is "... and it is counted" "$(report_says "(lambda ms: (r['coverage']['unseen_processes'], r['coverage']['unseen_most_ms']) ==
	(len(ms), max(ms)))([p['unseen_ms'] for p in r['target']['processes'] if p['unseen_ms']])")" True
workload_end
start_workload blocks
start_leaktrace -w memory -p "$W_PID"
stop_leaktrace
is "no exec: nothing was unseen" "$(report_says "r['target']['processes'][0]['unseen_ms']") $(coverage unseen_processes)" "None 0"
workload_kill

# -- a running one -------------------------------------------------------------------------------
start_workload family
start_leaktrace -w memory -p "$W_PID"
workload_go
stop_leaktrace
books_are "a process and what comes of it" --sites-only
is "... all four are told of" "$(processes)" 4
ok "... and how long each was unseen" test \
	"$(report_says "len([p for p in r['target']['processes'] if p['unseen_ms'] and p['unseen_ms'] < $LATER_MS])")" = 3
workload_end
is "... the target's exit status" "$W_STATUS" 0
done_testing
