#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Two processes of one program: together they have what both have, one stack for each place in the code; the rows of
# the processes, and --per-process, tell whose it is.
. "$(dirname "$0")/../lib/harness.bash"

outs=() pids=() ins=()

trace_two() { # trace_two OPTION...: two workloads, one with 2 and one with 5 threads; their truths in `outs`
	outs=() pids=() ins=()
	for threads in 2 5; do
		start_workload blocks $threads
		outs+=("$W_OUT") pids+=("$W_PID") ins+=("$W_IN")
	done
	start_leaktrace -w memory "$@" -p "${pids[0]},${pids[1]}"
	for i in 0 1; do
		W_OUT=${outs[$i]} W_PID=${pids[$i]} W_IN=${ins[$i]}
		workload_go
	done
}

end_two() {
	for i in 0 1; do
		W_OUT=${outs[$i]} W_PID=${pids[$i]} W_IN=${ins[$i]}
		workload_end
		is "the target's exit status" "$W_STATUS" 0
	done
}

# The report of one process, made of its row and its own stacks.
report_of() { # report_of PID FILE
	python3 - "$L_REPORT" "$@" <<-'PYTHON'
		import json, sys
		r = json.load(open(sys.argv[1]))
		pid = int(sys.argv[2])
		[row] = [p for p in r["target"]["processes"] if p["pid"] == pid]
		memory = r["resources"][0]
		[part] = row["resources"]
		part["stacks"] = [s for s in memory["stacks"] if s["pid"] == pid]
		r["resources"] = [part]
		json.dump(r, open(sys.argv[3], "w"))
	PYTHON
}

rows() { report_says "[$1 for p in r['target']['processes']]"; } # rows EXPRESSION: of each p

# -- together ------------------------------------------------------------------------------------
trace_two
stop_leaktrace
ok "together: the report is valid" "$lib/validate-json" "$lib/../schema/report-1.schema.json" "$L_REPORT"
cat "${outs[@]}" >"$TMP/both.out"
W_OUT=$TMP/both.out
books_are "together: the sum of both truths"
is "together: each stack is of both" \
	"$(report_says "{(s['pid'], tuple(s['pids'])) for s in memory['stacks'] if s['via'] == 'calloc'}")" \
	"{(None, (${pids[0]}, ${pids[1]}))}"
is "together: one stack for a place" "$(report_says 'len(stacks("use_calloc"))')" 1
is "together: no address stands for two" \
	"$(report_says "{f['address'] for s in memory['stacks'] if not s['pid'] for f in s['frames']}")" "{None}"
is "together: who they are" "$(rows "(p['pid'], p['ns_pid'], p['comm'], p['state'], p['ended'])")" \
	"[(${pids[0]}, ${pids[0]}, 'blocks', 'traced', None), (${pids[1]}, ${pids[1]}, 'blocks', 'traced', None)]"
for i in 0 1; do
	started=$(report_says "r['target']['processes'][$i]['started']")
	said=$(date -d "$(ps -o lstart= -p "${pids[$i]}")" +%s)
	ok "together: process $((i + 1)) started when the system says" \
		test "$(($(date -d "$started" +%s) - said))" -ge -2 -a "$(($(date -d "$started" +%s) - said))" -le 2
done
is "together: what they hold is all" \
	"$(report_says "[sum(p['resources'][0][k][n] for p in r['target']['processes']) - memory[k][n]
		for k in ('outstanding', 'acquired', 'released') for n in ('count', 'amount')]")" "[0, 0, 0, 0, 0, 0]"
end_two

# -- each by itself ------------------------------------------------------------------------------
trace_two --per-process
stop_leaktrace
is "--per-process: a stack for each" \
	"$(report_says 'sorted((s["pid"], s["pids"]) for s in stacks("use_calloc"))')" \
	"$(printf '[(%d, [%d]), (%d, [%d])]' $(printf '%s\n' "${pids[@]}" | sort -n | sed p))"
together=$L_REPORT
for i in 0 1; do
	W_OUT=${outs[$i]}
	L_REPORT=$together
	report_of "${pids[$i]}" "$TMP/part.json"
	L_REPORT=$TMP/part.json
	books_are "--per-process: the truth of process $((i + 1))" --sites-only
done
end_two

# -- as text, and after the end of one -----------------------------------------------------------
trace_two -f text -o "$TMP/report.txt"
W_OUT=${outs[1]} W_PID=${pids[1]} W_IN=${ins[1]}
workload_end
sleep 1
stop_leaktrace
like "text: both are named" "$(sed -n 1p "$TMP/report.txt")" "^blocks \(pids ${pids[0]}, ${pids[1]}\)"
like "text: a line for each" "$(grep -A 2 '^processes' "$TMP/report.txt" | grep " ${pids[0]} ")" ' blocks  [0-9.]+ .iB; new: '
like "text: one that has ended" "$(grep -A 2 '^processes' "$TMP/report.txt" | grep " ${pids[1]} ")" 'ended after [0-9.]+ m?s'
like "text: stacks are of both" "$(cat "$TMP/report.txt")" ', in 2 processes'

done_testing
