#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Children that share the target's memory, and perhaps its descriptors: what they do is in its books, or
# the report says that it cannot be.
. "$(dirname "$0")/../lib/harness.bash"

export LATER_MS=${LATER_MS:-3000} # attaching takes 30 ms, but half as long as this where much else runs

unseen() { report_says 'r["coverage"]["lost"]["sharer"]'; }
exact() { report_says 'r["coverage"]["exact"]'; }

shares() { # shares MODE [OPTION...]: the report of a workload in this mode
	local mode=$1

	shift
	start_workload sharing "$mode"
	start_leaktrace "$@" -p "$W_PID"
	workload_go
	stop_leaktrace
	workload_end
	is "$mode: the target's exit status" "$W_STATUS" 0
}

# Probes that see the threads of one process only, if this kernel has some, and those that go by memory.
kinds=${ATTACH:-$("$LEAKTRACE" doctor -f json | python3 -c 'import json, sys
r = json.load(sys.stdin)
print(*{p["kind"] for p in r["probes"] if p["used"]} | {"perf"})')}

for kind in $kinds; do
	for mode in later vforked; do
		shares $mode -w memory --attach "$kind"
		books_are "$kind: $mode"
		is "$kind: $mode: exact" "$(exact)" True
	done
	shares at-once -w memory --attach "$kind"
	if [ "$kind" = perf ]; then # whoever shares the memory is seen
		books_are "$kind: at-once"
		is "$kind: at-once: exact" "$(exact)" True
	else
		is "$kind: at-once: nothing could see it, and that is told" "$(unseen) $(exact)" "1 False"
	fi
done

shares many
books_are "many: no slot is missing"
is "many: exact" "$(unseen) $(exact)" "0 True"

shares execs -w memory --no-follow
books_are "execs"
is "execs: nothing that is on the way to exec spoils a report" "$(unseen) $(exact)" "0 True"

shares execs -w memory
is "execs: followed, or too brief for that" \
	"$(report_says 'len(r["target"]["processes"]) - 1 + r["coverage"]["brief_children"]') $(unseen) $(exact)" \
	"$(sed -n 's/^untraced_children //p' "$W_OUT") 0 True"

shares files -w memory,fd --no-follow
books_are "files"

shares before -w memory,fd
books_are "before: one that was there when tracing began"
is "before: exact" "$(unseen) $(exact)" "0 True"

# what its own users do all day
start_program python3 -c '
import subprocess, sys
print("ready", flush=True)
sys.stdin.readline()
for i in range(31):
    subprocess.run(["true"])
    try:
        subprocess.run(["/nonexistent"])
    except FileNotFoundError:
        pass
print("done", flush=True)
sys.stdin.readline()'
start_leaktrace -w memory -p "$W_PID"
workload_go
stop_leaktrace
is "python's subprocess: exact" "$(unseen) $(exact)" "0 True"
workload_end

done_testing
