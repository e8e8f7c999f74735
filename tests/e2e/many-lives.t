#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Processes that come and go: each has exact books, and of what is kept for it nothing remains.
. "$(dirname "$0")/../lib/harness.bash"
# so that as many are behind us at the end as at the first look since what is known of mappings was last dropped
LIVES=${LIVES:-136}
HEAP_SLACK=32768

does_not_grow() { # does_not_grow FIGURE: from the first look at it to the last
	local first last slack=0

	read -r first last < <(awk -v f="$1" '$3 == f { printf "%s ", $4 } END { print "" }' "$TMP/lives")
	case $1 in
	heap-bytes) slack=$HEAP_SLACK ;;
	# each of the 5 that are kept is a copy of the tracer, which has two descriptors more at times; what each life
	# left behind would be 64
	outstanding) slack=16 ;;
	esac
	ok "$1 ($first, then $last)" test "${last:-none}" -le $((first + slack))
}

timeout -k 5 300 "$BUILD/tests/stackcheck/many_lives" "$LIVES" >"$TMP/lives" 2>"$TMP/err"
is "$LIVES processes have exact books" "$? $(cat "$TMP/err")" "0 "
for figure in $(awk '{ print $3 }' "$TMP/lives" | sort -u); do
	does_not_grow "$figure"
done

# Each of these maps a library that nobody else has: its unwind tables are given back.
mkdir "$TMP/libraries"
timeout -k 5 300 "$BUILD/tests/stackcheck/many_lives" "$LIVES" "$BUILD/tests/plugins/a.so" "$TMP/libraries" \
	>"$TMP/lives" 2>"$TMP/err"
is "$LIVES processes with libraries of their own have exact books" "$? $(cat "$TMP/err")" "0 "
for figure in chunks pages used-pages loaded-unused map-files; do
	does_not_grow $figure
done
done_testing
