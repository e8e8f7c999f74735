#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The heap profile of a Go program, read from outside, is the one that the program itself writes: record
# by record, stripped or not.
GO_VERSIONS=${GO_VERSIONS:-1.19 1.27}
. "$(dirname "$0")/../lib/harness.bash"
. "$(dirname "$0")/../lib/golang.bash"

reader=$BUILD/tests/stackcheck/go_heap
[ -x "$reader" ] || bail "no $reader: make test-programs builds it"

# Records in order. Writing a profile makes buckets, which are empty as yet.
records() { grep -E '^[0-9-]+: ' "$1" | grep -v '^0: 0 \[0: 0\]' | sort; }

# same NAME AT_LEAST
same() {
	records "$TMP/profile" >"$TMP/wanted"
	if ! "$reader" "$W_PID" 2 >"$TMP/read" 2>"$TMP/read.err"; then
		diag "$(cat "$TMP/read.err")"
		flunk "$1"
		return
	fi
	diag "$1: $(tail -n 1 "$TMP/read.err")"
	records "$TMP/read" >"$TMP/got"
	ok "$1: $(wc -l <"$TMP/got") records" test "$(wc -l <"$TMP/got")" -ge "$2"
	ok "$1: each as the program has it" cmp -s "$TMP/wanted" "$TMP/got" ||
		diag "$(diff "$TMP/wanted" "$TMP/got" | head -n 6)"
}

rounds_are() { [ "$(grep -c '^done' "$W_OUT")" -ge "$1" ] || is_gone "$W_PID"; }

round() { # round NUMBER WORD: of the workload
	echo "$2" >&"$W_IN"
	await "$PATIENCE" rounds_are "$1"
}

profile() { # profile PROGRAM NAME
	start_program env RATE=1 "$TMP/$1" "$TMP/profile"
	round 1 collected
	same "$2, every allocation" 60
	round 2 collected
	same "$2, every allocation, again" 60
	workload_kill
	start_program env RATE=4096 "$TMP/$1" "$TMP/profile"
	round 1 uncollected
	same "$2, one in 4 KiB, perhaps not collected" 20
	workload_kill
	start_program "$TMP/$1" "$TMP/profile"
	round 1 collected
	same "$2, one in 512 KiB" 5
	workload_kill
}

none() {
	start_program "$TMP/none"
	"$reader" "$W_PID" >"$TMP/read" 2>"$TMP/read.err"
	is "Go $GO: a program without a profile has none" "$?" 1
	like "Go $GO: and is known not to keep one" "$(cat "$TMP/read.err")" ': -61, 0 records'
	workload_kill
}

for GO in $GO_VERSIONS; do
	have_go || continue
	go_build heap plain 0 && go_build heap stripped 0 -ldflags "-s -w" &&
		go_build heap pie-stripped 0 -buildmode=pie -ldflags "-s -w" &&
		go_build server none 0 -ldflags "-s -w" || continue
	profile plain "Go $GO"
	profile stripped "Go $GO, stripped"
	profile pie-stripped "Go $GO, position-independent, stripped"
	none
done
done_testing
