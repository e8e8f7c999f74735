#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What kernels must go through to verify the programs stays far from what they refuse (a million).
. "$(dirname "$0")/../lib/harness.bash"

BUDGET=50000

"$BUILD/tests/stackcheck/verifier" >"$TMP/programs" 2>"$TMP/err"
is "programs are loaded" $? 0 || diag "$(cat "$TMP/err")"
while read -r kind program instructions; do
	ok "$kind: $program: $instructions instructions verified" test "$instructions" -le $BUDGET
done <"$TMP/programs"
done_testing
