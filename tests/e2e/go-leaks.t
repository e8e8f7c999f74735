#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Which goroutines are leaked: about a hundred patterns, each with a twin without the mistake. Every leak is
# found and nothing else, in programs that are stripped as well.
# shellcheck disable=SC2034
GO_VERSIONS=${GO_VERSIONS:-1.19 1.27}
. "$(dirname "$0")/../lib/harness.bash"
. "$(dirname "$0")/../lib/golang.bash"

check=$BUILD/tests/stackcheck/go_leaks
[ -x "$check" ] || bail "no $check: make test-programs builds it"

sum() { # sum COLUMN
	awk -v i="$1" '{ n += $i } END { print n + 0 }' "$TMP/verdicts"
}

corpus() { # corpus NAME PROGRAM
	local name="Go $GO, $1"

	python3 "$lib/go_leaks.py" "$check" "$TMP/$2" >"$TMP/verdicts" 2>&1
	grep -v -E ' missed 0 false 0 unjudged 0 runtime -?[0-9]+$' "$TMP/verdicts" | diag_lines
	diag "$name: $(wc -l <"$TMP/verdicts") programs, leaked goroutines found $(sum 4), missed $(sum 6)," \
		"false $(sum 8), not judged $(sum 10)"
	ok "$name: programs" test "$(grep -c ' found ' "$TMP/verdicts")" -ge 180
	is "$name: programs that could not be judged" "$(grep -c -v ' found ' "$TMP/verdicts")" 0
	ok "$name: leaks are found" test "$(sum 4)" -gt 2000
	is "$name: leaks that are missed" "$(sum 6)" 0
	is "$name: goroutines that are not leaked" "$(sum 8)" 0
	is "$name: no verdict" "$(sum 10)" 0
	is "$name: twins without the mistake with a leak" \
		"$(grep ' fixed ' "$TMP/verdicts" | grep -c -v ' found 0 ')" 0
}

diag_lines() { sed 's/^/# /'; }

# Go's own verdict, where the program has it: what it says is leaked is found here, too.
runtime_agrees() {
	local more

	if grep -q ' runtime -1$' "$TMP/verdicts"; then
		skip "Go $GO: the runtime's own verdict" "its runtime has none"
		return
	fi
	more=$(awk '$12 > $4 && $1 != "kept-weakly"' "$TMP/verdicts") # there it errs: a weak pointer can wake them
	diag "Go $GO: of $(sum 4) leaked goroutines the runtime itself finds $(sum 12); fewer in:" \
		"$(awk '$12 < $4 { print $1 }' "$TMP/verdicts" | xargs)"
	is "Go $GO: patterns in which the runtime finds more" "$more" ""
}

# Pointers that go from hand to hand all the time, so that what they were at is looked at too early or too
# late; but each goroutine that waits can be reached at any time.
nothing_rests() {
	local leaked=0 n

	start_program "$TMP/passing" 2003
	for _ in 1 2 3 4 5 6 7; do
		n=$("$check" "$W_PID" | sed -n 's/^figures: .* leaked \([0-9]*\) alive .*/\1/p')
		leaked=$((leaked + ${n:-1}))
	done
	workload_kill
	is "Go $GO: called leaked while pointers move" "$leaked" 0
}

# `leaktrace goroutines` of seven that are leaked, and main
shown() {
	run_leaktrace goroutines --leaks -p "$W_PID"
	is "Go $GO: in text" "$L_STATUS $(grep -c '^goroutine [0-9]* \[chan send (leaked)\]:$' "$L_OUT") $(cat "$L_ERR")" \
		"0 7 "
	is "Go $GO: no others" "$(grep -c '^goroutine ' "$L_OUT")" 7
	run_leaktrace goroutines --leaks -f json -p "$W_PID"
	is "Go $GO: as json" "$(python3 -c 'import json, sys
print(*sorted(g["leaked"] for g in json.load(sys.stdin)["goroutines"] if not g["system"]))' <"$L_OUT")" \
		"True True True True True True True"
	run_leaktrace goroutines --leaks -o "$TMP/leaked.pb.gz" -p "$W_PID"
	GOROOT=$GO_ROOT PPROF_BINARY_PATH=$TMP/none PPROF_TMPDIR=$TMP "$GO_ROOT/bin/go" tool pprof -symbolize=none \
		-traces "$TMP/leaked.pb.gz" >"$TMP/traces" 2>/dev/null
	is "Go $GO: as a profile" "$(grep -c -E '^ +[0-9]+ ' "$TMP/traces") $(grep -c '^ *7 .*runtime.gopark' "$TMP/traces")" \
		"1 1"
}

# in a report: LOST, by where they stand and who made them
reported() { # reported NAME HOW_MANY STATE
	run_leaktrace -w goroutine -d 1500ms -f json -o "$TMP/report.json" -p "$W_PID"
	is "Go $GO: $1" "$(python3 -c 'import json, sys
for r in json.load(sys.stdin)["resources"]:
    for s in r["stacks"]:
        if s["verdict"] == "LOST":
            print(s["count"], s["frames"][0]["function"])' <"$TMP/report.json")" "$2"
}

has_said() { [ "$(wc -l <"$W_OUT")" -gt "$1" ]; } # more than so many lines

refused() { # refused NAME REGEX ARG...
	local name=$1 words=$2

	shift 2
	"$check" "$@" >"$TMP/out" 2>&1
	like "$name" "$(cat "$TMP/out")" "$words"
}

for GO in $GO_VERSIONS; do
	have_go || continue
	unset GOEXPERIMENT
	if [ "$GO" = 1.26 ]; then export GOEXPERIMENT=goroutineleakprofile; fi # later ones have it in any case
	go_build_of ./leaks plain 0 && go_build_of ./leaks stripped 0 -buildmode=pie -ldflags "-s -w" ||
		continue
	corpus plain plain
	runtime_agrees
	corpus "position-independent, stripped" stripped
	if command -v gcc >/dev/null; then
		go_build_of ./leaks cgo 1 && corpus "with C" cgo
	else
		skip "Go $GO, with C" "there is no gcc"
	fi
	start_program "$TMP/plain" late-answer leaking
	shown
	reported "LOST in a report" "7 main.lateAnswer"
	said=$(wc -l <"$W_OUT")
	echo >&"$W_IN" # Go's own profile, which gives those that are leaked another status
	await "$PATIENCE" has_said "$said"
	reported "LOST when Go itself has called them leaked ($(tail -n 1 "$W_OUT"))" "7 main.lateAnswer"
	is "Go $GO: ... with where they stand" "$(report_says "[
		any(f['function'] == 'main.answerLate' for f in s['place'])
		for x in r['resources'] for s in x['stacks'] if s['verdict'] == 'LOST']" "$TMP/report.json")" "[True]"
	refused "Go $GO: a heap that is too large" "its heap is larger than 64.0 KiB" "$W_PID" 65536
	workload_kill
	start_program "$TMP/plain" context-with-deadline fixed
	reported "nothing is LOST of what is not leaked" ""
	workload_kill
	if go_build passing passing 0; then nothing_rests; fi
done
refused "a program that is not Go's" "not a Go program" $$
done_testing
