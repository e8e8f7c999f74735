#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Connections of multipath TCP are connections, with the stacks of who made them; sockets of other kinds are
# descriptors.
. "$(dirname "$0")/../lib/harness.bash"

start_workload multipath
if has_line "$W_OUT" '^refused'; then skip_all "this kernel has no multipath TCP"; fi
start_leaktrace -w fd,connection -p "$W_PID"
workload_go
stop_leaktrace
books_are "multipath TCP"
is "connections without a stack" "$(report_says "sum(s['count'] for x in r['resources']
	if x['kind'] == 'connection' for s in x['stacks'] if s['origin'] != 'traced')")" 0
is "what they are" "$(report_says "sorted({i['protocol'] for x in r['resources']
	if x['kind'] == 'connection' for s in x['stacks'] for i in s['items']})")" "['tcp']"
workload_end
is "the target's exit status" "$W_STATUS" 0
done_testing
