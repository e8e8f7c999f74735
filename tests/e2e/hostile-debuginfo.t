#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Debug information that is cheap to make and dear to read: see tests/lib/elf_bombs.py.
. "$(dirname "$0")/../lib/hostile.bash"

each_bomb_is_survived "units nesting abbreviations lines ranges" "units lines"

# -- a report is not waited for -------------------------------------------------------------------
for i in {1..8}; do # more than is read while it is traced
	for kind in units lines; do
		cp "$D/$kind.so" "$D/$kind$i.so" && chown 65534 "$D/$kind$i.so"
	done
done
start_hostile calls "$D/plain.so"
plain_pid=$W_PID plain_in=$W_IN
start_hostile calls "$D"/*.so
for signal in INT TERM; do
	NAME="a target without bombs" reports_by "$signal" -p "$plain_pid"
	NAME="a report" reports_by "$signal" -p "$W_PID"
	NAME="a report every 300 ms" reports_by "$signal" -i 300ms -p "$W_PID"
done
end_hostile
W_PID=$plain_pid W_IN=$plain_in
end_hostile
done_testing
