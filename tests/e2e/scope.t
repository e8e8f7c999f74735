#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Whoever is in a control group is traced, and nobody else: those who are there, who come, who are moved in and out.
. "$(dirname "$0")/../lib/harness.bash"

top=$TMP/cgroup
mkdir "$top"
mount -t cgroup2 none "$top" 2>/dev/null || skip_all "control groups of version 2 cannot be mounted here"
name=/leaktrace-test.$$
here=$top$name
mkdir -p "$here/below" 2>/dev/null || skip_all "control groups cannot be made here"
trap 'cleanup_groups; cleanup' EXIT

cleanup_groups() {
	for pid in "${children[@]}"; do kill -9 "$pid"; wait "$pid"; done
	for group in "$here" "${v1:-}"; do [ -d "$group" ] && find "$group" -depth -type d -exec rmdir {} +; done
	umount "$top"
} 2>/dev/null

# start_in GROUP NAME [ARG...]: a workload that begins in the group, waiting
start_in() {
	local group=$1

	shift
	# shellcheck disable=SC2016
	start_program sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$group" "$WORKLOADS/$1" wait "${@:2}"
}

said_or_gone() { has_line "$L_ERR" "^leaktrace: pid $1 $2" || is_gone "$L_PID"; }
await_traced() { await "$PATIENCE" said_or_gone "$1" '\(blocks\) is being traced$'; } # and no more what it was before exec
await_left() { await "$PATIENCE" said_or_gone "$1" '.* has left'; }

valid() { # valid NAME: a report, by its schema
	if python3 -c 'import jsonschema' 2>/dev/null; then
		ok "$1" "$lib/validate-json" "$lib/../schema/report-1.schema.json" "$L_REPORT"
	else
		skip "$1" "python3-jsonschema is not installed"
	fi
}

processes() { report_says "sorted(p['pid'] for p in r['target']['processes'])"; }
row() { report_says "[($2) for p in r['target']['processes'] if p['pid'] == $1]"; } # row PID EXPRESSION of p

empty_groups() { # nobody is in them any more
	for pid in $(cat "$here/cgroup.procs" "$here/below/cgroup.procs"); do
		kill -9 "$pid"
		await_exit "$pid"
	done
} 2>/dev/null

# -- members, a late one, one from without, and an outsider --------------------------------------
start_workload blocks
outsider=$W_PID outsider_in=$W_IN
start_workload blocks 2
moved=$W_PID moved_out=$W_OUT moved_in=$W_IN
start_in "$here" blocks
first=$W_PID first_out=$W_OUT first_in=$W_IN
start_leaktrace -w memory --cgroup "$name"
start_in "$here/below" blocks 3
late=$W_PID late_out=$W_OUT
await_traced "$late"
workload_go
W_PID=$moved W_OUT=$moved_out W_IN=$moved_in
echo "$moved" >"$here/cgroup.procs"
await_traced "$moved"
workload_go
W_PID=$first W_OUT=$first_out W_IN=$first_in
workload_go
W_PID=$outsider W_IN=$outsider_in W_OUT=$TMP/workload.1.out
workload_go
echo "$first" >"$here/below/cgroup.procs" # from one group of them to another
stop_leaktrace
is "it ends well" "$L_STATUS" 0
valid "the report is valid"
cat "$first_out" "$late_out" "$moved_out" >"$TMP/members.out"
W_OUT=$TMP/members.out
books_are "members, one that came late and one that was moved in"
is "... and nobody else is told of" "$(processes)" \
	"$(printf '%s\n' "$first" "$late" "$moved" | sort -n | tr '\n' ' ' | sed 's/ $//; s/ /, /g; s/.*/[&]/')"
is "... their groups at last" "$(row "$first" "p['cgroup']") $(row "$late" "p['cgroup']") $(row "$moved" "p['cgroup']")" \
	"['$name/below'] ['$name/below'] ['$name']"
is "... what the scope was" "$(report_says "r['target']['scope']")" "{'kind': 'cgroup', 'names': ['$name']}"
ok "... how long the late one was unseen" test "$(row "$late" "p['unseen_ms'] is not None and p['unseen_ms'] < 20000")" = "[True]"
is "... the others were not, as far as is known" "$(row "$first" "p['unseen_ms']") $(row "$moved" "p['unseen_ms']")" "[None] [None]"

# -- one that leaves -----------------------------------------------------------------------------
start_in "$here" blocks
start_leaktrace -w memory --cgroup "$here" # by its folder
workload_go
echo "$W_PID" >"$top/cgroup.procs"
await_left "$W_PID"
left_out=$W_OUT
workload_end # gives back what it held: that is nobody's business any more
stop_leaktrace
W_OUT=$left_out
books_are "one that has left: its books as of then" --sites-only
is "... its state" "$(row "$W_PID" "p['state'], p['ended'] is not None")" "[('left', True)]"

empty_groups

# -- one that comes back -------------------------------------------------------------------------
start_workload blocks
echo "$W_PID" >"$here/cgroup.procs"
start_leaktrace -w memory,fd --cgroup "$name"
echo "$W_PID" >"$top/cgroup.procs"
await_left "$W_PID"
echo "$W_PID" >"$here/below/cgroup.procs"
traced_again() { [ "$(grep -c "pid $W_PID (blocks) is being traced\$" "$L_ERR")" = 2 ] || is_gone "$L_PID"; }
ok "one that comes back is traced again" await "$PATIENCE" traced_again
workload_go
stop_leaktrace
books_are "... its books since then"
is "... it is told of once" "$(row "$W_PID" "p['state'], p['cgroup']")" "[('traced', '$name/below')]"
is "... with the descriptors that it has" "$(row "$W_PID" "[x['before']['count'] for x in p['resources'] if x['kind'] == 'fd']")" \
	"[[$(find "/proc/$W_PID/fd" -type l | wc -l)]]"
workload_end

# -- fork and exec -------------------------------------------------------------------------------
empty_groups
start_in "$here" family
start_leaktrace -w memory --cgroup "$name"
workload_go
stop_leaktrace
books_are "one that forks, and whose children fork and exec" --sites-only
is "... all are told of" "$(report_says "len(r['target']['processes'])")" 4
workload_end

empty_groups

# -- exec of a static program: what allocates is in the program itself --------------------------------
cat >"$TMP/static.c" <<'EOC'
#include <stdio.h>
#include <stdlib.h>
static void await_line(void)
{
	char line[16];

	fflush(stdout);
	fgets(line, sizeof(line), stdin);
}
__attribute__((noinline)) void in_static(void)
{
	for (int i = 0; i < 41; i++)
		*(void *volatile *)&(void *){ NULL } = malloc(97);
}
int main(void)
{
	printf("execed\n");
	await_line();
	in_static();
	printf("site in_static malloc 41 3977 0 0\ndone\n");
	await_line();
	return 0;
}
EOC
execs() { # execs PROGRAM: a shell in the group becomes it, once it is traced
	# shellcheck disable=SC2016
	start_program sh -c 'echo $$ >"$0/cgroup.procs"; echo ready $$; read -r line; exec "$1"' "$here" "$1"
	start_leaktrace -w memory,fd --cgroup "$name"
	workload_go execed
	await "$PATIENCE" said_or_gone "$W_PID" "($(basename "$1")) is being traced"
	workload_go
	stop_leaktrace
}
if cc -static -g -O1 -o "$TMP/static" "$TMP/static.c" 2>"$TMP/cc.err"; then
	execs "$TMP/static"
	books_are "exec of a static program" --sites-only
	workload_end
	strip -o "$TMP/stripped" "$TMP/static"
	execs "$TMP/stripped"
	ok "... without symbols: that its memory is not traced is told" has_line "$L_ERR" "pid $W_PID: its memory is not traced: "
	is "... its descriptors are" "$(row "$W_PID" "p['comm'], [x['before']['count'] for x in p['resources'] if x['kind'] == 'fd']")" \
		"[('stripped', [$(find "/proc/$W_PID/fd" -type l | wc -l)])]"
	workload_end
else
	skip "exec of a static program" "$(head -n 1 "$TMP/cc.err")"
fi
empty_groups

# -- nobody yet, and the end of the group --------------------------------------------------------
start_leaktrace -w memory --cgroup "$name"
ok "an empty group: it waits, and says so" has_line "$L_ERR" "nothing to trace in cgroup $name yet"
start_in "$here" blocks
await_traced "$W_PID"
workload_go
workload_end
came_out=$W_OUT
rmdir "$here/below" "$here"
await_leaktrace
is "the group is removed: status" "$L_STATUS" 0
is "... what the report says" "$(report_says "r['target']['ended']")" "the control group was removed"
W_OUT=$came_out
books_are "... the books of one that came and ended" --sites-only

# -- one that is found before its loader has done its work ---------------------------------------
mkdir -p "$here/below"
mkfifo "$TMP/gate"
start_leaktrace -w memory --cgroup "$name"
found() { has_line "$L_ERR" "\\(blocks\\) is being traced$1\$" || is_gone "$L_PID"; }
# its loader waits for somebody to write there before it maps libc
(await "$PATIENCE" found ', but .*' && sleep 0.3 && : >"$TMP/gate") &
# shellcheck disable=SC2016
start_program sh -c 'echo $$ >"$0/cgroup.procs" && exec env "$@"' "$here" \
	"LD_PRELOAD=$TMP/gate" "$WORKLOADS/blocks" wait 3
await "$PATIENCE" found ''
workload_go
stop_leaktrace
books_are "one that is found while its loader is at work"
ok "... for how long it was unseen" test "$(row "$W_PID" "p['unseen_ms'] is not None and p['unseen_ms'] > 0")" = "[True]"
workload_end
rmdir "$here/below" "$here"

# -- nobody can do anything ----------------------------------------------------------------------
mkdir -p "$here/below"
if [ -e "$here/cgroup.freeze" ]; then
	start_in "$here/below" blocks
	echo 1 >"$here/cgroup.freeze"
	run_leaktrace -q -w memory,fd -d 300ms -f json -o "$TMP/frozen.json" --cgroup "$name"
	is "a frozen group: status" "$L_STATUS" 0
	is "... its process is in the report" "$(report_says "r['target']['pids']" "$TMP/frozen.json")" "[$W_PID]"
	run_leaktrace -q -w memory,fd -d 300ms --cgroup "$name"
	like "... what it does, in text" "$(cat "$L_OUT")" "target: pid $W_PID is frozen with its cgroup"
	echo 0 >"$here/cgroup.freeze"
	workload_end
	is "... the target's exit status" "$W_STATUS" 0
else
	skip "a frozen group" "this kernel cannot freeze groups of version 2"
fi

# -- more than there is room for -----------------------------------------------------------------
sleepers=()
for _ in 1 2 3; do
	sleep 1000 &
	sleepers+=($!) children+=($!)
	echo $! >"$here/below/cgroup.procs"
done
n_traced() { report_says "sum(p['state'] == 'traced' for p in r['target']['processes'])"; }
reasons() { report_says "[(u['what'], u['why'], u['count']) for u in r['coverage']['untraced']]"; }
(
	LEAKTRACE=$BUILD/tests/stackcheck/late_add
	export MAX_PROCESSES=2
	start_leaktrace -w fd --cgroup "$name"
	sleep 1
	stop_leaktrace
	echo "$(n_traced) $(reasons)" >"$TMP/full"
	start_leaktrace -w fd --cgroup "$name"
	sleep 1
	kill "${sleepers[0]}"
	sleep 5 # it is asked for less and less often
	stop_leaktrace
	echo "$(n_traced) $(reasons)" >"$TMP/room"
)
is "one more than there is room for" "$(cat "$TMP/full")" \
	"2 [('process', '2 processes are being traced, and there is no room for more', 1)]"
is "... and when there is" "$(cat "$TMP/room")" "2 []"
empty_groups

# -- version 1 -----------------------------------------------------------------------------------
v1=$(awk '$3 == "cgroup" && $4 ~ /(^|,)(pids|memory|cpuacct)(,|$)/ { print $2; exit }' /proc/mounts)
v1=${v1:+$v1$name}
if [ -n "$v1" ] && mkdir "$v1" 2>/dev/null; then
	start_workload blocks
	echo "$W_PID" >"$v1/cgroup.procs"
	start_leaktrace -w memory --cgroup "$v1"
	workload_go
	stop_leaktrace
	books_are "a group of version 1"
	is "... and nobody else" "$(processes)" "[$W_PID]"
	workload_end
else
	skip "a group of version 1" "there is no such hierarchy"
fi

# -- what cannot be ------------------------------------------------------------------------------
run_leaktrace --cgroup "$name/x"
is "no such group: status" "$L_STATUS" 1
is "... and one line" "$(sed 's/: name it.*//' "$L_ERR")" "leaktrace: there is no control group '$name/x'"
run_leaktrace --cgroup "$name" -p 1
is "a group and a process: status" "$L_STATUS" 2
done_testing
