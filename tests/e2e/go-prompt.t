#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Which goroutines of a program with a large heap at work are leaked is found out while it is traced: a signal need not
# wait for it.
. "$(dirname "$0")/../lib/hostile.bash"
. "$(dirname "$0")/../lib/golang.bash"

LEAKED=101

# How many are said to be leaked, by the latest report.
lost() {
	tail -n 1 "$TMP/report.json" >"$TMP/last.json"
	report_says "sum(s['count'] for x in r['resources'] if x['kind'] == 'goroutine'
		for s in x['stacks'] if s['verdict'] == 'LOST')" "$TMP/last.json"
}
are_found() { [ "$(lost)" = "$LEAKED" ]; }

# ended_after SECONDS SIGNAL: what it traces is the program
ended_after() {
	L_ERR=$TMP/leaktrace.err
	start_untold -v -w goroutine -i 1s -f json -o "$TMP/report.json" -p "$W_PID"
	await "$PATIENCE" leaktrace_started_or_gone
	[ "$1" != certain ] || await "$PATIENCE" are_found
	interrupt_one "$2" "${1/certain/0}"
	ok "Go $GO, SIG$2, $1: it ends in $ENDED_MS ms" test "$ENDED_MS" -le "$PROMPT_MS"
	is "... with a report" "$L_STATUS" 0
}

for GO in $GO_VERSIONS; do
	have_go && go_build burdened burdened 0 || continue
	go_build lives lives 0
	start_program "$TMP/burdened" 200 "$LEAKED"
	for after in 0.1 1; do
		ended_after "$after" INT
		ended_after "$after" TERM
	done
	ended_after certain INT
	is "... and all that are leaked" "$(lost)" "$LEAKED"
	workload_kill
	start_program "$TMP/lives" many 50000
	ended_after 1 INT
	workload_kill
done
done_testing
