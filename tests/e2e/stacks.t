#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Stacks are whole and right: through functions of every shape that compilers make, from signals
# that interrupt anywhere, under another tracer's return probes, in a module loaded meanwhile; all
# against backtrace(3), by each way of attaching.
. "$(dirname "$0")/../lib/harness.bash"

shapes=$BUILD/tests/shapes check=$BUILD/tests/stackcheck
modules=(gcc_os gcc_fp clang_o1)
if grep -q -w avx2 /proc/cpuinfo; then modules+=(gcc_o3 clang_o3); fi

paths=2000
for kind in session multi perf; do
	timeout "$PATIENCE" "$check/shapes_check" "$shapes/shapes" "$check/return_probe.bpf.o" $kind $paths \
		"${modules[@]}" late >"$TMP/out" 2>&1
	STATUS=$?
	if [ $STATUS = 77 ]; then
		skip "$kind" "$(tail -n 1 "$TMP/out")"
		continue
	fi
	while read -r verdict round; do
		case $verdict in
		same) pass "$kind: $round" ;;
		DIFFERENT) flunk "$kind: $round" ;;
		esac
	done <"$TMP/out"
	is "$kind: all rounds" $STATUS 0 || diag "$(cat "$TMP/out")"
	paths=500 # what differs by kind is little
done
done_testing
