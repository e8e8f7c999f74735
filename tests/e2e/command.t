#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# leaktrace -- CMD: traced from its first instruction, as it would run by itself.
. "$(dirname "$0")/../lib/harness.bash"

run_leaktrace -- sh -c 'exit 7'
is "exit status of leaktrace" "$L_STATUS" 0
like "exit status of the command" "$(cat "$L_OUT" "$L_ERR")" 'status 7'

run_leaktrace -- sh -c 'kill -USR1 $$'
is "a command that is killed: status" "$L_STATUS" 0
like "a command that is killed: how" "$(cat "$L_OUT" "$L_ERR")" 'signal 10'

run_leaktrace -o "$TMP/report.txt" -- printf '%s|' "two words" '' "'quoted'" '*' '$HOME'
is "arguments and output are the command's" "$(cat "$L_OUT")" "two words||'quoted'|*|\$HOME|"
ok "the report goes to its file" test -s "$TMP/report.txt"

is "input is the command's" "$(echo hello | "$LEAKTRACE" -o /dev/null -- cat 2>/dev/null)" hello

run_leaktrace -T 0 -o "$TMP/report.json" -c "$WORKLOADS/early"
is "-c: status" "$L_STATUS" 0
W_OUT=$L_OUT L_REPORT=$TMP/report.json
books_are "-c: books, with what was allocated before main" --sites-only

run_leaktrace -T 0 -o "$TMP/report.json" -- sh -c "exec '$WORKLOADS/blocks' 3"
books_are "through a shell that execs it" --sites-only
run_leaktrace -T 0 -o "$TMP/report.json" -- env A=b "$WORKLOADS/blocks" 3
books_are "through env" --sites-only

# what libstdc++ takes for itself before main is in the sums, and no leak
run_leaktrace -w memory -T 1 -o "$TMP/report.json" -- "$WORKLOADS/cxx"
is "the runtime's own is marked, and takes no other stack's place" \
	"$(report_says '[bool(s["furniture"]) for s in memory["stacks"][:2]]')" "[False, True]"
like "... it says what it is" "$(report_says 'memory["stacks"][1]["furniture"]')" 'libstdc\+\+'
run_leaktrace -w memory -T 1 -- "$WORKLOADS/cxx"
like "... and in text it is last" "$(cat "$L_OUT")" "#1 .*the runtime's own, once:.*libstdc\+\+.*coverage"

run_leaktrace -- /nowhere/at/all
ok "no such command: status" test "$L_STATUS" != 0 -a "$L_STATUS" != 2
like "no such command: message" "$(cat "$L_ERR")" '/nowhere/at/all'
is "no such command: a line, and no report" "$(wc -l <"$L_ERR") $(wc -c <"$L_OUT")" "1 0"
run_leaktrace -- /etc/passwd
like "no program: message" "$(cat "$L_ERR")" '/etc/passwd.*[Pp]ermission'

# Ctrl-C ends the tracing with a report, whatever the command does with it
start_leaktrace -- "$WORKLOADS/demo"
sleep 1
stop_leaktrace
is "Ctrl-C: status" "$L_STATUS" 0
like "Ctrl-C: the report names the leak" "$(report_says 'stacks("session_create")[0]["frames"][0]["file"]')" \
	'demo\.c$'
ok "Ctrl-C: the command is ended as well" await 10 is_gone "$(report_says 'r["target"]["pids"][0]')"

done_testing
