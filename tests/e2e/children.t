#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Children that are not traced: the report says how many ran, whatever is traced and however they were made. And
# those that were to be: each is in the report, or it says that it was too brief.
. "$(dirname "$0")/../lib/harness.bash"

followed() { report_says 'len(r["target"]["processes"]) - 1'; }
untraced() { report_says 'r["coverage"]["untraced_children"]'; }
in_words() { tr -s '\n ' ' ' <"$L_OUT" | grep -o 'children [0-9,]* child[a-z]* ran and [a-z]* not traced'; }

for kinds in memory fd process thread; do
	for option in --no-follow ''; do
		start_workload fork
		# shellcheck disable=SC2086
		start_leaktrace -w $kinds $option -p "$W_PID"
		workload_go
		stop_leaktrace
		made=$(sed -n 's/^untraced_children //p' "$W_OUT")
		if [ -n "$option" ]; then
			is "-w $kinds: those that were forked, and the one that was vforked and has become another program" \
				"$(untraced) $(followed)" "$made 0"
		else
			is "-w $kinds: they are followed, or were too brief for that" \
				"$(($(untraced) + $(followed))) $(untraced)" "$made $(report_says 'r["coverage"]["brief_children"]')"
		fi
		workload_end
	done
done

# the truth is in sharing.t as well; here what is not counted: those that only ever shared memory, and threads
start_workload sharing vforked
start_leaktrace -w memory -p "$W_PID"
workload_go
stop_leaktrace
is "children that are in the books" "$(untraced) $(followed)" "0 0"
workload_end
start_workload threads 3
start_leaktrace -w memory,thread -p "$W_PID"
workload_go
stop_leaktrace
is "threads" "$(untraced) $(followed)" "0 0"
workload_end

# the 49 children of children are not the target's
children='for i in 1 2 3 4 5 6 7; do (for k in 1 2 3 4 5 6 7; do (:); done; :); done'
L_REPORT=$TMP/report.json
run_leaktrace -f json -o "$L_REPORT" -w memory --no-follow -- bash -c "$children"
is "a command's children, and not theirs" "$(untraced)" 7
run_leaktrace -f json -o "$L_REPORT" -w memory -- bash -c "$children"
is "followed: theirs as well, and none too briefly" "$(untraced) $(followed)" "0 56"

run_leaktrace -w memory --no-follow -- bash -c '(:); (:); :'
is "in words" "$(in_words)" "children 2 children ran and were not traced"
run_leaktrace -w memory --no-follow -- bash -c '(:); :'
is "in words: one" "$(in_words)" "children 1 child ran and was not traced"
run_leaktrace -w memory -- bash -c ':'
is "in words: none" "$L_STATUS $(grep -c 'not traced' "$L_OUT")" "0 0"

done_testing
