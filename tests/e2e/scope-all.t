#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# -a: all processes of the machine, so no other test runs meanwhile.
# shellcheck disable=SC2034
ALONE=1
. "$(dirname "$0")/../lib/harness.bash"

row() { report_says "[($2) for p in r['target']['processes'] if p['pid'] == $1]"; } # row PID EXPRESSION of p

valid() { # valid NAME: a report, by its schema
	if python3 -c 'import jsonschema' 2>/dev/null; then
		ok "$1" "$lib/validate-json" "$lib/../schema/report-1.schema.json" "$L_REPORT"
	else
		skip "$1" "python3-jsonschema is not installed"
	fi
}

start_workload blocks
run_leaktrace -q -w memory,fd -d 2 -f json -o "$TMP/all.json" -a
is "all processes: status" "$L_STATUS" 0
L_REPORT=$TMP/all.json
valid "... the report is valid"
is "... one of them" "$(row "$W_PID" "p['state']")" "['traced']"
is "... what is traced" "$(report_says "r['target']['scope']")" "{'kind': 'all', 'names': []}"
is "... those that are refused are counted, with the reason" \
	"$(report_says "(all(p['why'] for p in r['target']['processes'] if p['state'] == 'refused'),
		sum(u['count'] for u in r['coverage']['untraced'] if u['what'] == 'process') >=
		sum(p['state'] == 'refused' for p in r['target']['processes']))")" "(True, True)"
workload_end
done_testing
