#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# An address means what was mapped there when the stack was taken: of libraries that are loaded and closed
# all the time, each at the addresses of the one before, every block is given to its own or to none.
#
#	PLUGIN_SECONDS=20 tests/e2e/plugins.t     the long form
#	QUICK=1 tests/e2e/plugins.t               a shorter one
. "$(dirname "$0")/../lib/harness.bash"

plugins=$BUILD/tests/plugins
seconds=${PLUGIN_SECONDS:-3}
sizes=(a:101 b:211 c:307 d:401)

# blocks_are NAME [SHARE]: none is wrong, and so many percent (99) are right
blocks_are() {
	local name=$1 share=${2:-99} line

	line=$("$lib/plugins.py" "$L_REPORT" "$W_OUT" "${sizes[@]}" 2>"$TMP/why") || diag "$(tail -n 3 "$TMP/why")"
	diag "$name: $line"
	# shellcheck disable=SC2086
	set -- $line
	is "$name: no block is another's" "$8" 0 || diag "$(head -n 5 "$TMP/why")"
	ok "$name: $4 of $2 blocks are right, $6 unknown" test $((100 * $4)) -ge $((share * $2))
	ok "$name: all blocks are there" test ! -s "$TMP/why" || diag "$(head -n 5 "$TMP/why")"
	is "$name: nothing lost" "$(report_says 'sum(r["coverage"]["lost"].values())')" 0
}

attached() { # attached NAME THREADS TURNS MICROSECONDS PLUGIN...
	local name=$1

	shift
	start_program "${environment[@]}" "$WORKLOADS/plugins" "$@"
	start_leaktrace -w memory "${options[@]}" -p "$W_PID"
	workload_go
	stop_leaktrace
	is "$name: leaktrace's exit status" "$L_STATUS" 0
	workload_end
}

options=() environment=()
attached "two threads" 2 "${seconds}s" 0 "$plugins"/{a,b,c,d}.so
blocks_are "two threads"
attached "beside an innocent one" 1 997 0 "$plugins/a.so" "$plugins/innocent.so"
blocks_are "beside an innocent one"
if [ -n "${QUICK-}" ]; then
	done_testing
	exit
fi

attached "in turn" 1 199 5000 "$plugins/a.so" "$plugins/b.so"
blocks_are "in turn" 100
for i in {1..61}; do cp "$plugins/a.so" "$TMP/a-$i.so"; done
attached "copies" 1 6007 0 "$TMP"/a-*.so
blocks_are "copies"

# Stacks that begin close to the end of the memory for them, as where there is hardly any environment: where exactly
# they end differs from run to run.
environment=(env -i)
for i in 1 2 3 4; do
	attached "close to the end, $i" 1 31 20000 "$plugins/a.so" "$plugins/b.so"
	blocks_are "close to the end, $i"
done
environment=()

# Nothing can be known of a file that is gone before anybody has looked.
start_program "$WORKLOADS/upgraded" 997 "$TMP/upgraded.so" "$plugins"/{a,b,c}.so
start_leaktrace -w memory -p "$W_PID"
workload_go
stop_leaktrace
workload_end
blocks_are "another file each time" 5

# Where the kernel cannot be asked, what cannot be known is said to be unknown.
options=(--only-tables)
attached "by tables alone" 1 997 0 "$plugins/a.so" "$plugins/b.so"
blocks_are "by tables alone" 0
attached "by tables alone, slowly" 1 31 60000 "$plugins/a.so" "$plugins/b.so"
blocks_are "by tables alone, slowly" 80
done_testing
