#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Files that whoever opens them waits for: leased ones, FIFOs. leaktrace does not wait, traces the
# rest, and ends when it is told to.
. "$(dirname "$0")/../lib/hostile.bash"

# still_traces NAME: a report in good time, with the target's own blocks in it
still_traces() {
	measure 15 -f json -d 1 -p "$W_PID"
	is "$1: exit status" "$L_STATUS" 0
	ok "$1: $M_SECONDS s are at most $MORE_SECONDS more than $P_SECONDS" \
		is_less "$M_SECONDS" "$P_SECONDS + $MORE_SECONDS"
	is "$1: the rest is traced" "$(says 'memory["outstanding"]["count"] > 10')" True
	NAME=$1 ends_by INT -p "$W_PID"
	NAME=$1 ends_by TERM -p "$W_PID"
}

weigh_plain -d 1
start_hostile lease "$D" 100
still_traces "100 leased files"
measure 15 -f json -d 300ms -p "$W_PID"
is_left_out "100 leased files"
end_hostile
is "100 leased files: the target is well" "$W_STATUS" 0

mkfifo -m 666 "$D/F (deleted)"
start_hostile unmaps "$D/F"
still_traces "a FIFO in the place of what was unmapped"
end_hostile
is "a FIFO in the place of what was unmapped: the target is well" "$W_STATUS" 0

# a perf map that is a FIFO, in a /tmp of its own
start_in_namespace 'mount -t tmpfs none /tmp' jit fifo
still_traces "a FIFO as perf map"
end_hostile
is "a FIFO as perf map: the target is well" "$W_STATUS" 0

# a file system that does not answer any more, in a mount namespace of its own
if [ -c /dev/fuse ]; then
	mkdir "$TMP/fuse"
	start_program unshare -m "$TMP/bin/fuse" "$TMP/fuse"
	still_traces "a file system that does not answer"
	measure 15 -f json -d 300ms -p "$W_PID"
	is_left_out "a file system that does not answer"
	end_hostile
	is "a file system that does not answer: the target is well" "$W_STATUS" 0
else
	skip "a file system that does not answer" "there is no /dev/fuse"
fi
done_testing
