#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Functions, files, lines, inlined calls and frames of Go programs, stripped or not, against the debug
# information of the same code.
. "$(dirname "$0")/../lib/harness.bash"
. "$(dirname "$0")/../lib/golang.bash"

check=$BUILD/tests/stackcheck/go_check
[ -x "$check" ] || bail "no $check: make test-programs builds it"

# figure NAME: "DIFFERENT COMPARED", or how many
figure() {
	tail -n 1 "$TMP/check" | sed -n "s/.*\b$1 \([0-9]*\)\/\{0,1\}\([0-9]*\).*/\1 \2/p"
}

few() { # few NAME AT_LEAST ONE_IN: so many compared, hardly any differ
	local different compared

	read -r different compared <<<"$(figure "$1")"
	[ "${compared:-0}" -ge "$2" ] && [ $((different * $3)) -le "$compared" ]
}

# same NAME PROGRAM TWIN FUNCTIONS
same() {
	local name="Go $GO, $1" functions inlined

	if ! "$check" "$TMP/$2" "$TMP/$3" >"$TMP/check" 2>&1; then
		diag "$(tail -n 5 "$TMP/check")"
		flunk "$name"
		return
	fi
	diag "$name: $(tail -n 1 "$TMP/check")"
	read -r functions _ <<<"$(figure functions)"
	read -r inlined _ <<<"$(figure inlined)"
	ok "$name: all functions" test "$functions" -ge "$4"
	ok "$name: inlined calls" test "$inlined" -ge $(($4 * 10))
	ok "$name: every name" few names "$4" 1000000
	ok "$name: every frame" few frames $(($4 * 40)) 1000000
	# libdw and Go do not agree on a few lines where code was moved, and the debug information lacks
	# calls inlined into what the compiler makes
	ok "$name: lines" few lines $(($4 * 40)) 4000
	ok "$name: calls" few chains $(($4 * 40)) 1000
}

for GO in $GO_VERSIONS; do
	have_go || continue
	go_build server plain 0 && go_build server stripped 0 -ldflags "-s -w" &&
		go_build server pie 0 -buildmode=pie &&
		go_build server pie-stripped 0 -buildmode=pie -ldflags "-s -w" || continue
	same plain plain plain 2000
	same stripped plain stripped 2000
	same "position-independent, stripped" pie pie-stripped 2000
	drop_sections "$TMP/stripped"
	drop_sections "$TMP/pie-stripped"
	same "no section headers" plain stripped 2000
	same "position-independent, no section headers" pie pie-stripped 2000
	command -v gcc >/dev/null || { skip "Go $GO, with C" "there is no gcc"; continue; }
	go_build cgo cgo 1 && go_build cgo cgo-stripped 1 -ldflags "-s -w" &&
		go_build cgo cgo-pie 1 -buildmode=pie &&
		go_build cgo cgo-pie-stripped 1 -buildmode=pie -ldflags "-s -w" || continue
	same "with C" cgo cgo-stripped 1400
	same "with C, position-independent" cgo-pie cgo-pie-stripped 1400
done
done_testing
