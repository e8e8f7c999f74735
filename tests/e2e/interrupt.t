#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Signals at every moment of leaktrace's life, and what becomes of the command that it has started.
. "$(dirname "$0")/../lib/harness.bash"

interrupted() { # interrupted NAME OPTION... -- ARG...: see tests/lib/interrupt.py
	local name=$1 options=()

	shift
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	is "$name" "$("$lib/interrupt.py" "${options[@]}" "$LEAKTRACE" "${@:2}" 2>"$TMP/interrupt.err")" ""
	diag "$(cat "$TMP/interrupt.err")"
}

seconds() { python3 -c 'import time; print(time.monotonic())'; } # for differences

# took FROM LIMIT: whether less than that many seconds have passed since FROM
took() { python3 -c 'import sys, time; sys.exit(time.monotonic() - float(sys.argv[1]) > float(sys.argv[2]))' "$@"; }

# -- at any moment -------------------------------------------------------------------------------
start_program python3 -c 'import os; print("ready", os.getpid(), flush=True); input()'
interrupted "a process" -n 16 -- -p "$W_PID"
interrupted "doctor" -n 8 -t 1 -- doctor -p "$W_PID"
workload_end
is "a process: it is well" "$W_STATUS" 0
interrupted "a command" -n 10 -c "86399.75" -- -- sleep 86399.75

# what never comes to an end by itself: a reader that never opens
mkfifo "$TMP/fifo"
start_workload blocks
interrupted "a process, an output that waits" -b -n 5 -- -p "$W_PID" -o "$TMP/fifo"
interrupted "doctor, an output that waits" -b -n 5 -- doctor -o "$TMP/fifo"

L_ERR=$TMP/nohup.err
nohup "$LEAKTRACE" -v -p "$W_PID" -f json -o "$TMP/nohup.json" >/dev/null 2>"$L_ERR" &
L_PID=$!
children+=("$L_PID")
await "$PATIENCE" leaktrace_started_or_gone
kill -HUP "$L_PID"
sleep 0.5
ok "nohup: SIGHUP does nothing" kill -INT "$L_PID"
await_leaktrace
is "nohup: SIGINT ends it with a report" "$L_STATUS" 0

start_leaktrace -p "$W_PID"
kill -INT "$L_PID"
kill -INT "$L_PID" # as timeout(1) does
await_leaktrace
is "a signal that is sent twice is one: there is a report" "$L_STATUS" 0
workload_end

# -- static programs -----------------------------------------------------------------------------
if cc -static -s -O1 -o "$TMP/static" -x c - 2>"$TMP/cc.err" <<-'EOC'; then
	#include <stdlib.h>
	#include <unistd.h>
	int main(void)
	{
		for (int i = 0; i < 600; i++) {
			void *volatile p = malloc(100);
			(void)p;
			usleep(100000);
		}
		return 0;
	}
	EOC
	at=$(seconds)
	run_leaktrace -w memory -d 20 -- "$TMP/static"
	is "a static program without symbols: is refused" "$L_STATUS" 1
	ok "a static program without symbols: at once" took "$at" 10
	like "a static program without symbols: why" "$(cat "$L_ERR")" 'no known allocator'
	is "a static program without symbols: a line, and no report" "$(wc -l <"$L_ERR") $(wc -c <"$L_OUT")" "1 0"
	run_leaktrace -w memory -d 1 -- sh -c "exec '$TMP/static'"
	is "one that a shell becomes: goes on" "$L_STATUS" 0
	like "one that a shell becomes: is told" "$(cat "$L_ERR")" 'its memory is not traced'
	run_leaktrace -w fd,memory -d 1 -- "$TMP/static"
	is "with other kinds: is traced" "$L_STATUS" 0
else
	skip "a static program without symbols" "$(head -n 1 "$TMP/cc.err")"
fi
if cc -nostdlib -static -fno-pic -fno-stack-protector -O1 -o "$TMP/bare" -x c - 2>"$TMP/cc.err" <<-'EOC'; then
	void _start(void)
	{
		for (;;)
			__asm__ volatile("pause");
	}
	EOC
	at=$(seconds)
	run_leaktrace -w memory -d 20 -- "$TMP/bare"
	is "a program without a libc: is refused" "$L_STATUS" 1
	ok "a program without a libc: at once" took "$at" 10
else
	skip "a program without a libc" "$(head -n 1 "$TMP/cc.err")"
fi

# -- the command's group -------------------------------------------------------------------------
alive() { grep -l -z -x -F -e "$1" /proc/[0-9]*/cmdline 2>/dev/null; } # alive WORD

run_leaktrace -d 1 -- sh -c 'sleep 86398.5 & sleep 86398.5'
is "-d with children: status" "$L_STATUS" 0
like "-d with children: it is told" "$(cat "$L_ERR")" 'sh \(pid [0-9]+\) still ran: its process group has been sent SIGTERM'
is "-d with children: all have ended" "$(sleep 0.2; alive 86398.5)" ""

"$LEAKTRACE" -q -- sh -c 'echo $$ >"$1"; kill -STOP $$; exit 9' - "$TMP/stopped.pid" >"$TMP/stopped.out" 2>&1 &
L_PID=$!
children+=("$L_PID")
is_stopped() { grep -q '^State:.T' "/proc/$(cat "$TMP/stopped.pid")/status"; }
await "$PATIENCE" is_stopped 2>/dev/null
kill -INT "$L_PID"
await_leaktrace
is "a command that has stopped itself: a report" "$L_STATUS" 0
is "... and it is ended" "$(sleep 0.2; alive "$TMP/stopped.pid")" ""

signals=(sed -n '/^Sig[BIC]/p' /proc/self/status)
is "signals are the command's as without leaktrace" \
	"$("$LEAKTRACE" -q -o /dev/null -- "${signals[@]}")" "$("${signals[@]}")"
made() { printf 'all:\n\t@%s\n' "$*" | make -s -f -; } # as make calls it: see user/app/startup.c
is "... and as make starts it" \
	"$(made "'$LEAKTRACE' -q -o /dev/null -- sed -n '/^Sig[BIC]/p' /proc/self/status")" \
	"$(made "sed -n '/^Sig[BIC]/p' /proc/self/status")"

# -- --pass-status -------------------------------------------------------------------------------
run_leaktrace --pass-status -o /dev/null -- sh -c 'exit 7'
is "--pass-status: an exit status" "$L_STATUS" 7
is "--pass-status: nothing is said" "$(cat "$L_ERR")" ""
run_leaktrace --pass-status -o /dev/null -- sh -c 'kill -USR1 $$'
is "--pass-status: a signal" "$L_STATUS" $((128 + $(kill -l USR1)))
run_leaktrace --pass-status -d 1 -o /dev/null -- sleep 60
is "--pass-status: ended with tracing" "$L_STATUS" $((128 + $(kill -l TERM)))
run_leaktrace --pass-status -o /dev/null -- /nowhere/at/all
is "--pass-status: no such command" "$L_STATUS" 1
run_leaktrace --pass-status -p $$
is "--pass-status: without a command" "$L_STATUS" 2

# -- at a terminal -------------------------------------------------------------------------------
export NO_COLOR=1
cat >"$TMP/asks" <<'EOS'
trap 'echo it got INT; exit 5' INT
echo it is ready
while :; do sleep 0.1; done
EOS
"$lib/typed.py" "$LEAKTRACE" -w fd -- sh "$TMP/asks" >"$TMP/typed" <<<'it is ready => \x03'
ok "Ctrl-C: reaches the command" grep -q 'it got INT' "$TMP/typed"
ok "Ctrl-C: ends tracing with a report" grep -q '^coverage' "$TMP/typed"
is "Ctrl-C: status" "$(tail -n 1 "$TMP/typed")" "status 0" || diag "$(cat "$TMP/typed")"

cat >"$TMP/reads" <<'EOS'
echo what is it
read -r word
echo it is $word
EOS
"$lib/typed.py" "$LEAKTRACE" -w fd -- sh "$TMP/reads" >"$TMP/typed" <<<'what is it => seven\n'
ok "a command that reads the terminal: it can" grep -q 'it is seven' "$TMP/typed"
is "a command that reads the terminal: status" "$(tail -n 1 "$TMP/typed")" "status 0" || diag "$(cat "$TMP/typed")"

# a command that starts nothing: a shell that has done vfork() waits for a child that is stopped, too, and is not
# stopped itself
cat >"$TMP/shell" <<'EOS'
set -m
"$1" -w fd -- sh -c 'echo it is ready; exec sleep 86397.5'
echo it has stopped
for _ in $(seq 50); do
	if ps -o stat=,args= --ppid "$(jobs -p %1)" | grep -q '^T.*86397.5'; then
		echo the command, too
		break
	fi
	sleep 0.1
done
echo go on
fg
EOS
"$lib/typed.py" bash "$TMP/shell" "$LEAKTRACE" >"$TMP/typed" <<'EOS'
it is ready => \x1a
go on => \x03
EOS
ok "Ctrl-Z: gives the shell back" grep -q 'it has stopped' "$TMP/typed"
ok "Ctrl-Z: stops the command" grep -q 'the command, too' "$TMP/typed" || diag "$(cat "$TMP/typed")"
ok "fg: tracing goes on, to its report" grep -q '^coverage' "$TMP/typed" || diag "$(cat "$TMP/typed")"

done_testing
