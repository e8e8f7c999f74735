# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the end-to-end tests share: TAP, workloads, leaktrace, and an end to everything that hangs.
#
#	. "$(dirname "$0")/../lib/harness.bash"
#	start_workload blocks 30      a workload, waiting; W_PID
#	start_leaktrace -p "$W_PID"   tracing once this returns; L_PID
#	workload_go                   it has done its work and lives on; its truth is in W_OUT
#	stop_leaktrace                Ctrl-C; L_STATUS, the report in L_REPORT, messages in L_ERR
#	books_are "blocks"            one test: does the report tell the truth?
#	workload_end                  W_STATUS
#	done_testing
set -u

lib=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BUILD=${BUILD:-$lib/../../build}
LEAKTRACE=$BUILD/leaktrace
WORKLOADS=$BUILD/tests/workloads
PATIENCE=${PATIENCE:-120} # seconds, for anything at all
EVERY=${EVERY:-0.03} # so often what is waited for is looked at: each look starts programs
hooks=(${HOOKS:+--hooks "$HOOKS"}) # HOOKS: attach to the kernel's events in that way only

n_tests=0 n_workloads=0
children=()
TMP=$(mktemp -d "${TMPDIR:-/tmp}/leaktrace-test.XXXXXX")
chmod 755 "$TMP"

cleanup() {
	local pid

	for pid in "${children[@]}" "$lock_holder"; do kill -9 "$pid"; done
	wait
	rm -rf "$TMP"
} 2>/dev/null
trap cleanup EXIT
trap 'exit 1' INT TERM

# -- the machine -----------------------------------------------------------------------------------
# Some tests look at, or change, what all processes run. They set ALONE before they include this, and no other test
# runs meanwhile. Who waits for that keeps the turn, so that nobody who comes later passes by.
share_machine() { # share_machine LOCK-OPTION
	mkdir -p "$LOCKS"
	(
		exec 8>"$LOCKS/turn" 9>"$LOCKS/machine"
		flock 8 && flock "$1" 9
		exec 8>&-
		: >"$TMP/machine"
		while kill -0 $$; do sleep 0.3; done
	) >/dev/null 2>&1 </dev/null &
	lock_holder=$!
	while [ ! -e "$TMP/machine" ] && kill -0 "$lock_holder"; do sleep 0.03; done 2>/dev/null
}
LOCKS=${LOCKS:-/run/lock/leaktrace-tests} lock_holder=
if [ "${ALONE:-}" ]; then share_machine -x; else share_machine -s; fi

# -- TAP -----------------------------------------------------------------------------------------
diag() { printf '%s\n' "$*" | sed 's/^/# /'; }

pass() {
	n_tests=$((n_tests + 1))
	printf 'ok %d - %s\n' "$n_tests" "$1"
}

flunk() {
	n_tests=$((n_tests + 1))
	printf 'not ok %d - %s\n' "$n_tests" "$1"
	return 1
}

# ok NAME COMMAND ARG...: passes when the command succeeds
ok() {
	local name=$1

	shift
	if "$@"; then pass "$name"; else flunk "$name"; fi
}

is() { # is NAME GOT WANTED
	if [ "$2" = "$3" ]; then
		pass "$1"
	else
		flunk "$1"
		diag "     got: $2"
		diag "expected: $3"
		return 1
	fi
}

like() { # like NAME GOT REGEX
	if [[ $2 =~ $3 ]]; then
		pass "$1"
	else
		flunk "$1"
		diag "     got: $2"
		diag "expected: something like $3"
		return 1
	fi
}

skip() { # skip NAME REASON
	n_tests=$((n_tests + 1))
	printf 'ok %d - %s # SKIP %s\n' "$n_tests" "$1" "$2"
}

skip_all() {
	printf '1..0 # SKIP %s\n' "$1"
	exit 0
}

bail() {
	diag "$*"
	printf 'Bail out! %s\n' "$1"
	exit 1
}

done_testing() { printf '1..%d\n' "$n_tests"; }

# -- waiting -------------------------------------------------------------------------------------
# await SECONDS COMMAND ARG...: until the command succeeds
await() {
	local deadline=$((SECONDS + $1))

	shift
	until "$@"; do
		if [ $SECONDS -ge $deadline ]; then return 1; fi
		sleep "$EVERY"
	done
}

has_line() { grep -q -E "$2" "$1" 2>/dev/null; } # has_line FILE REGEX
is_gone() { ! kill -0 "$1" 2>/dev/null; }

# Waits for a child of ours, whose status is then in STATUS; one that hangs is killed.
await_exit() {
	if ! await "$PATIENCE" is_gone "$1"; then
		diag "process $1 did not end"
		kill -9 "$1"
	fi
	wait "$1"
	STATUS=$?
} 2>/dev/null # where bash tells of those that were killed

# -- workloads -----------------------------------------------------------------------------------
start_program() { # start_program COMMAND ARG...: one that says "ready PID"
	n_workloads=$((n_workloads + 1))
	W_OUT=$TMP/workload.$n_workloads.out
	mkfifo "$TMP/workload.$n_workloads.in"
	"$@" <"$TMP/workload.$n_workloads.in" >"$W_OUT" 2>&1 &
	W_PID=$!
	children+=("$W_PID")
	exec {W_IN}>"$TMP/workload.$n_workloads.in"
	await "$PATIENCE" has_line "$W_OUT" '^ready' || bail "$1 did not get ready" "$(cat "$W_OUT")"
}

start_workload() { # start_workload NAME [THREADS]
	local name=$1

	shift
	start_program "$WORKLOADS/$name" wait "$@"
}

workload_done_or_gone() { has_line "$W_OUT" "^$1" || is_gone "$W_PID"; }

workload_go() { # workload_go [WORD]: until it says so; "done" by default
	local word=${1:-done}

	echo >&"$W_IN"
	await "$PATIENCE" workload_done_or_gone "$word"
	has_line "$W_OUT" "^$word" || diag "the workload did not say $word: $(tail -n 5 "$W_OUT")"
}

workload_kill() {
	kill -9 "$W_PID"
	await_exit "$W_PID"
}

workload_end() {
	echo >&"$W_IN"
	exec {W_IN}>&-
	await_exit "$W_PID"
	W_STATUS=$STATUS
}

# -- leaktrace -----------------------------------------------------------------------------------
leaktrace_started_or_gone() { has_line "$L_ERR" '^leaktrace: tracing ' || is_gone "$L_PID"; }

start_leaktrace() {
	L_REPORT=$TMP/report.json L_ERR=$TMP/leaktrace.err
	rm -f "$L_REPORT" "$L_ERR"
	"$LEAKTRACE" "${hooks[@]}" -v -f json -T 0 -o "$L_REPORT" "$@" \
		>"$TMP/leaktrace.out" 2>"$L_ERR" &
	L_PID=$!
	children+=("$L_PID")
	await "$PATIENCE" leaktrace_started_or_gone
	if has_line "$L_ERR" '^leaktrace: tracing '; then return 0; fi
	diag "leaktrace did not start to trace: $(tail -n 5 "$L_ERR")"
	return 1
}

await_leaktrace() {
	await_exit "$L_PID"
	L_STATUS=$STATUS
}

# Symbols are read while tracing goes on; after a signal there is little time for them. LINGER: so many seconds before it,
# for machines that are slow.
stop_leaktrace() {
	[ -z "${LINGER:-}" ] || sleep "$LINGER"
	kill -INT "$L_PID" 2>/dev/null
	await_leaktrace
}

# Runs leaktrace to its end: L_STATUS, and what it wrote to stdout and stderr in L_OUT and L_ERR.
run_leaktrace() {
	L_OUT=$TMP/leaktrace.out L_ERR=$TMP/leaktrace.err
	timeout -k 5 "$PATIENCE" "$LEAKTRACE" "${hooks[@]}" "$@" >"$L_OUT" 2>"$L_ERR" </dev/null
	L_STATUS=$?
}

# start_traced NAME OPTIONS [THREADS]: a workload under leaktrace from its first instruction, waiting
start_traced() {
	local name=$1 options=$2

	shift 2
	n_workloads=$((n_workloads + 1))
	L_REPORT=$TMP/report.json L_ERR=$TMP/leaktrace.err W_OUT=$TMP/workload.$n_workloads.out
	rm -f "$L_REPORT" "$L_ERR"
	mkfifo "$TMP/workload.$n_workloads.in"
	# shellcheck disable=SC2086
	"$LEAKTRACE" "${hooks[@]}" -v -f json -T 0 -o "$L_REPORT" $options \
		-- "$WORKLOADS/$name" wait "$@" <"$TMP/workload.$n_workloads.in" >"$W_OUT" 2>"$L_ERR" &
	L_PID=$!
	children+=("$L_PID")
	exec {W_IN}>"$TMP/workload.$n_workloads.in"
	await "$PATIENCE" traced_ready_or_gone
	W_PID=$(sed -n 's/^ready //p' "$W_OUT")
	if [ -n "$W_PID" ]; then return 0; fi
	diag "$name did not get ready under leaktrace: $(tail -n 5 "$L_ERR")"
	return 1
}

traced_ready_or_gone() { has_line "$W_OUT" '^ready' || is_gone "$L_PID"; }

# -- reports -------------------------------------------------------------------------------------
# books_are NAME [OPTION]: see tests/lib/books.py
books_are() {
	local name=$1 problems

	shift
	if problems=$(python3 "$lib/books.py" "$L_REPORT" "$W_OUT" "$@" 2>&1); then
		pass "$name"
	else
		flunk "$name"
		diag "$problems"
		diag "$(tail -n 5 "$L_ERR")"
		return 1
	fi
}

# Adds what the system says that these processes hold to what the workload says: books_are compares.
system_says() { # system_says PID...
	"$lib/system.py" "$@" >>"$W_OUT" || diag "the system cannot be asked of $*"
}

# report_says EXPRESSION [FILE]: prints a Python expression over the report `r`; `memory` is its
# resource, stacks(F) are those with a frame of function F.
report_says() {
	python3 - "${2:-$L_REPORT}" "$1" <<-'PYTHON' 2>&1
		import json, sys
		r = json.load(open(sys.argv[1]))
		memory = next((x for x in r["resources"] if x["kind"] == "memory"), None)
		def stacks(f):
		    return [s for s in memory["stacks"] if any(x["function"] == f for x in s["frames"])]
		print(eval(sys.argv[2]))
	PYTHON
}

# -- who may run this ----------------------------------------------------------------------------
if [ "$(id -u)" != 0 ]; then
	if sudo -n true 2>/dev/null; then exec sudo -n --preserve-env=BUILD,PATIENCE,EVERY,HOOKS,QUICK "$0" "$@"; fi
	skip_all "tracing needs root"
fi
[ -x "$LEAKTRACE" ] || bail "$LEAKTRACE is not there: run make"
