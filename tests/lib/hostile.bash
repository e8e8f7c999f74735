# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the tests of hostile targets share; includes harness.bash. The targets run as an unprivileged
# user, and leaktrace has a deadline of seconds.
#
#	start_hostile lease "$D" 100	an attacker, ready; W_PID. D is a directory that it may write
#	measure 10 -d 1 -p "$W_PID"	leaktrace, for 10 s at most: M_SECONDS, M_PEAK_KIB, L_STATUS, L_OUT, L_ERR
#	ends_by INT -p "$W_PID"		one test: leaktrace, interrupted while it attaches or traces; L_STATUS
TMPDIR=${TMPDIR:-/var/tmp} # some have a /tmp of their own
. "$(dirname "${BASH_SOURCE[0]}")/harness.bash"

STRANGER=(setpriv --reuid=65534 --regid=65534 --clear-groups)
PROMPT_MS=1000 # in which leaktrace ends when it is told to
D=$TMP/theirs
mkdir "$D" && chown 65534:65534 "$D"
cp -r "$WORKLOADS/hostile" "$TMP/bin" # where anybody can run them
chmod -R a+rX "$TMP/bin"

start_hostile() { # start_hostile NAME ARG...
	start_program "${STRANGER[@]}" "$TMP/bin/$1" "${@:2}"
}

# start_in_namespace SCRIPT NAME ARG...: as root of a user and a mount namespace of its own, in which
# the shell commands are run first
start_in_namespace() {
	local script=$1 name=$2

	shift 2
	start_program "${STRANGER[@]}" unshare -Urm bash -c "set -e; $script"$'\nexec "$@"' _ "$TMP/bin/$name" "$@"
}

# Waits for it no longer than a moment: it may have been harmed.
end_hostile() {
	echo >&"$W_IN"
	exec {W_IN}>&-
	await 5 is_gone "$W_PID" || kill -9 "$W_PID"
	wait "$W_PID"
	W_STATUS=$?
} 2>/dev/null

bomb() { # bomb KIND FILE
	"$lib/elf_bombs.py" "$1" "$2" && chown 65534:65534 "$2"*
}

measure() { # measure LIMIT OPTION...
	L_OUT=$TMP/leaktrace.out L_ERR=$TMP/leaktrace.err
	"$lib/measure.py" "$1" "$LEAKTRACE" "${hooks[@]}" "${@:2}" >"$L_OUT" 2>"$L_ERR" </dev/null
	read -r _ M_SECONDS M_PEAK_KIB L_STATUS <<<"$(tail -n 1 "$L_ERR")"
	sed -i '$d' "$L_ERR"
}

# says EXPRESSION: report_says of what was measured; nothing when there is no report
says() { report_says "$1" "$L_OUT" | tail -n 1; }

# is_told NAME REGEX: it stands on stderr or in the report
is_told() {
	local where=("$L_ERR" "$L_OUT")

	ok "$1: it is told" grep -q -E "$2" "${where[@]}" || diag "$(head -c 1000 "$L_ERR")"
}

# is_left_out NAME: the report says that something was
is_left_out() {
	is "$1: what is left out is told" "$(says 'r["coverage"]["left_out"] != []')" True ||
		diag "$(head -c 1000 "$L_ERR")"
}

# -- bombs ---------------------------------------------------------------------------------------
# How much more than a target that has none may cost: 256 MiB and 5 s.
MORE_KIB=$((256 << 10))
MORE_SECONDS=5

weigh_plain() { # weigh_plain OPTION...: what a target without bombs costs; P_SECONDS and P_PEAK_KIB
	bomb plain "$D/plain.so"
	start_hostile calls "$D/plain.so"
	measure 30 "$@" -p "$W_PID"
	end_hostile
	P_SECONDS=$M_SECONDS P_PEAK_KIB=$M_PEAK_KIB
	diag "a target without bombs ($*): $P_SECONDS s, $((P_PEAK_KIB >> 10)) MiB"
}

# bombs_are_survived NAME FILES OPTION...: one target with all these files, which is traced all the
# same; FILES is a pattern in D
bombs_are_survived() {
	local name=$1 files=$2

	shift 2
	# shellcheck disable=SC2086
	start_hostile calls $D/$files
	measure 15 -f json "$@" -p "$W_PID"
	is "$name: exit status" "$L_STATUS" 0 || diag "$(tail -n 5 "$L_ERR")"
	ok "$name: $M_SECONDS s are at most $MORE_SECONDS more than $P_SECONDS" \
		is_less "$M_SECONDS" "$P_SECONDS + $MORE_SECONDS"
	ok "$name: $((M_PEAK_KIB >> 10)) MiB are at most $((MORE_KIB >> 10)) more than $((P_PEAK_KIB >> 10))" \
		test "$M_PEAK_KIB" -le $((P_PEAK_KIB + MORE_KIB))
	is "$name: what it holds is reported" \
		"$(says 'sum(x["outstanding"]["count"] for x in r["resources"]) > 0')" True
	end_hostile
	is "$name: the target is well" "$W_STATUS" 0
}

# each_bomb_is_survived "KIND..." "KIND...": each, and all of them together; of the latter kinds something is
# left out
each_bomb_is_survived() {
	local kind

	weigh_plain -d 300ms
	for kind in $1; do
		bomb "$kind" "$D/$kind.so"
		bombs_are_survived "$kind" "$kind.so" -d 300ms
		[[ " $2 " != *" $kind "* ]] || is_left_out "$kind"
	done
	weigh_plain -w fd -d 300ms
	bombs_are_survived "all of them with -w fd" "*.so" -w fd -d 300ms
}

is_less() { awk "BEGIN { exit !($1 <= $2) }"; }

now_ms() {
	local t=$EPOCHREALTIME

	echo $((${t/./} / 1000))
}

# ended_ms PID SIGNAL: how long the process lives on after the signal; it is killed after 3 s
ended_ms() {
	local begin

	begin=$(now_ms)
	kill -"$2" "$1" 2>/dev/null
	EVERY=0.01 await 3 is_gone "$1"
	echo $(($(now_ms) - begin))
	kill -9 "$1" 2>/dev/null
}

# Starts leaktrace with signals as a shell at a terminal would: bash ignores SIGINT for what it does
# not wait for.
start_untold() {
	env --default-signal=INT,TERM "$LEAKTRACE" "${hooks[@]}" "$@" >/dev/null 2>"${L_ERR:-/dev/null}" </dev/null &
	L_PID=$!
	children+=("$L_PID")
}

# interrupt_one SIGNAL SECONDS: the leaktrace that has been started, after so long; ENDED_MS, L_STATUS
interrupt_one() {
	sleep "$2"
	is_gone "$L_PID" && diag "leaktrace ended before it was interrupted"
	ENDED_MS=$(ended_ms "$L_PID" "$1")
	wait "$L_PID" 2>/dev/null
	L_STATUS=$?
} 2>/dev/null

ends_by() { # ends_by SIGNAL OPTION...
	start_untold -q "${@:2}"
	interrupt_one "$1" 2
	ok "${NAME:-it} ends by SIG$1 in $ENDED_MS ms" test "$ENDED_MS" -le "$PROMPT_MS"
} 2>/dev/null

# As ends_by, once it traces, and there is a report.
reports_by() {
	L_ERR=$TMP/leaktrace.err
	start_untold -v "${@:2}"
	await "$PATIENCE" leaktrace_started_or_gone
	interrupt_one "$1" 1
	ok "${NAME:-it} ends by SIG$1 in $ENDED_MS ms" test "$ENDED_MS" -le "$PROMPT_MS"
	is "... with a report" "$L_STATUS" 0
}
