#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Perf maps that are cheap to make and dear to read.
. "$(dirname "$0")/../lib/hostile.bash"

# perf_map NAME KIND ARG: a target with that map is traced in good time, with not much memory
perf_map() {
	start_in_namespace 'mount -t tmpfs none /tmp' jit "${@:2}"
	measure 15 -f json -w memory -d 300ms -p "$W_PID"
	is "$1: exit status" "$L_STATUS" 0 || diag "$(tail -n 5 "$L_ERR")"
	ok "$1: $M_SECONDS s are at most $MORE_SECONDS more than $P_SECONDS" \
		is_less "$M_SECONDS" "$P_SECONDS + $MORE_SECONDS"
	ok "$1: $((M_PEAK_KIB >> 10)) MiB are at most $((MORE_KIB >> 10)) more than $((P_PEAK_KIB >> 10))" \
		test "$M_PEAK_KIB" -le $((P_PEAK_KIB + MORE_KIB))
	is "$1: what it holds is reported" "$(says 'memory["outstanding"]["count"] > 0')" True
	end_hostile
	is "$1: the target is well" "$W_STATUS" 0
}

start_in_namespace 'mount -t tmpfs none /tmp' jit text a_jit_function
measure 30 -f json -w memory -d 300ms -p "$W_PID"
is "an ordinary one names code" "$(says 'len(stacks("a_jit_function")) > 0')" True
end_hostile
P_SECONDS=$M_SECONDS P_PEAK_KIB=$M_PEAK_KIB
perf_map "8 million lines" lines 8000000
perf_map "3 million nested ranges" nested 3000000
done_testing
