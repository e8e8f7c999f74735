#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What cannot work is one clear line on stderr and a status; what ends half-way still gives a report.
. "$(dirname "$0")/../lib/harness.bash"

# refused NAME STATUS REGEX ARG...: fails with the status, one line like REGEX, and no output
refused() {
	local name=$1 status=$2 regex=$3

	shift 3
	run_leaktrace "$@"
	is "$name: exit status" "$L_STATUS" "$status"
	like "$name: message" "$(cat "$L_ERR")" "$regex"
	is "$name: a line, and no report" "$(wc -l <"$L_ERR") $(wc -c <"$L_OUT")" "1 0"
}

# misused NAME ARG...: a usage error
misused() {
	local name=$1

	shift
	run_leaktrace "$@"
	is "$name: exit status" "$L_STATUS" 2
	ok "$name: a message, and no report" test -s "$L_ERR" -a ! -s "$L_OUT"
}

# -- usage ---------------------------------------------------------------------------------------
misused "no target"
misused "unknown option" --no-such-option -p $$
misused "an option without its argument" -p
misused "a pid that is no number" -p seven
misused "a pid with something behind it" -p 7x
misused "a negative pid" -p -7
misused "a duration that is none" -p $$ -d soon
misused "a duration of no known unit" -p $$ -d 5y
misused "a size that is none" -p $$ --min-size big
misused "a size that overflows" -p $$ --min-size 99999999999999999999
misused "an unknown format" -p $$ -f papyrus
misused "an unknown order" -p $$ --sort taste
misused "an unknown resource" -p $$ -w happiness
misused "a number that is none" -p $$ -T few
misused "two kinds of target" -p $$ -- true
misused "no command after --" --

# -- targets -------------------------------------------------------------------------------------
refused "no such process" 1 '4194303' -p 4194303
kernel_thread=$(awk '$4 == 2 && !/\(.* .*\)/ { print $1; exit }' /proc/[0-9]*/stat 2>/dev/null)
if [ -n "$kernel_thread" ]; then
	refused "a kernel thread" 1 'kernel thread' -p "$kernel_thread"
else
	skip "a kernel thread" "none to be seen here"
fi

cat >"$TMP/bare.c" <<'EOC'
void _start(void)
{
	for (;;)
		__asm__ volatile("pause");
}
EOC
bare() { # bare NAME FLAG...: a program without a libc, running
	cc "${@:2}" -O1 -nostdlib -static -fno-pic -fno-stack-protector -o "$TMP/$1" "$TMP/bare.c" \
		2>"$TMP/cc.err" || return 1
	"$TMP/$1" 2>/dev/null &
	B_PID=$!
	children+=("$B_PID")
	sleep 0.2
	if is_gone "$B_PID"; then return 1; fi
	kill -STOP "$B_PID" # it has nothing to do
}
if bare bare32 -m32; then
	refused "a 32-bit process" 1 '32' -p "$B_PID"
else
	skip "a 32-bit process" "this machine builds or runs none"
fi
if bare bare64; then
	refused "a process without an allocator" 1 'allocator' -w memory -p "$B_PID"
	run_leaktrace -f json -d 1 -p "$B_PID"
	is "the rest of a process without an allocator: exit status" "$L_STATUS" 0
	like "the rest of a process without an allocator: it is told" "$(cat "$L_ERR")" "pid $B_PID: its memory is not traced"
	is "the rest of a process without an allocator: its descriptors" \
		"$(report_says '[x["outstanding"]["count"] for x in r["resources"] if x["kind"] == "fd"]' "$L_OUT")" \
		"[$(ls "/proc/$B_PID/fd" | wc -l)]"
else
	skip "a process without an allocator" "this machine builds none"
fi

start_workload blocks
refused "an output file that cannot be written" 1 '/nowhere/at/all' -p "$W_PID" -o /nowhere/at/all
cp "$LEAKTRACE" "$TMP/leaktrace"
setpriv --reuid 65534 --regid 65534 --clear-groups "$TMP/leaktrace" -p "$W_PID" \
	>"$TMP/nobody.out" 2>"$TMP/nobody.err"
is "not root: exit status" $? 1
like "not root: message" "$(cat "$TMP/nobody.err")" 'root|CAP_'
is "not root: a line, and no report" "$(wc -l <"$TMP/nobody.err") $(wc -c <"$TMP/nobody.out")" "1 0"
"$LEAKTRACE" -p "$W_PID" -d 200ms >/dev/full 2>"$TMP/full.err"
is "a full disk: exit status" $? 1
like "a full disk: message" "$(tail -n 1 "$TMP/full.err")" 'No space left'
workload_end
is "the target of all this is well" "$W_STATUS" 0

# -- endings -------------------------------------------------------------------------------------
start_workload blocks
start_leaktrace -p "$W_PID"
workload_go
workload_end
await_leaktrace
is "the target exits: status" "$L_STATUS" 0
books_are "the target exits: books"

start_workload blocks 30
start_leaktrace -p "$W_PID"
workload_go
workload_kill
await_leaktrace
is "the target is killed: status" "$L_STATUS" 0
books_are "the target is killed: books"

start_workload blocks
start_leaktrace -p "$W_PID"
workload_go
kill -TERM "$L_PID"
await_leaktrace
is "SIGTERM: status" "$L_STATUS" 0
books_are "SIGTERM: books"
workload_end

start_workload blocks
start_leaktrace -p "$W_PID" -d 1
workload_go
await_leaktrace
is "the duration is over: status" "$L_STATUS" 0
books_are "the duration is over: books"
workload_end

start_workload blocks 30
start_leaktrace -p "$W_PID"
kill -9 "$L_PID"
await_leaktrace
start_leaktrace -p "$W_PID"
workload_go
stop_leaktrace
is "after kill -9 of leaktrace: status" "$L_STATUS" 0
books_are "after kill -9 of leaktrace: books"
workload_end
is "after kill -9 of leaktrace: the target's exit status" "$W_STATUS" 0

start_workload bcc4970 2
start_leaktrace -p "$W_PID"
echo >&"$W_IN"
kill -9 "$L_PID"
await_leaktrace
await "$PATIENCE" workload_done_or_gone done
workload_end
is "kill -9 of leaktrace at work: the target's exit status" "$W_STATUS" 0

bad=0
for i in $(seq 30); do
	sleep "0.0$((i * 3))" &
	run_leaktrace -p $! -d 100ms -f json
	case $L_STATUS in 0 | 1) ;; *) bad=$((bad + 1)) && diag "$L_STATUS: $(cat "$L_ERR")" ;; esac
done
is "the target exits while being attached: no bad ending" "$bad" 0

done_testing
