#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `leaktrace doctor` tells what is so: what it says works does when it is asked for, and the rest does not.
# QUICK=1 asks for the way that it chose only.
. "$(dirname "$0")/../lib/harness.bash"

doctor() { # doctor ARG...: what it says, as JSON, is in $TMP/doctor.json
	run_leaktrace doctor -f json "$@"
	cp "$L_OUT" "$TMP/doctor.json"
	cp "$L_ERR" "$TMP/doctor.err"
}

# reason_told NAME: a status that is not 0 has its reason on stderr, in a line, and none is there else
reason_told() {
	is "$1: a line on stderr when it cannot trace" "$(grep -c '^leaktrace: ..........' "$TMP/doctor.err") of $(wc -l <"$TMP/doctor.err")" \
		"$([ "$said" = 77 ] && echo 1 of 1 || echo 0 of 0)" || diag "$(cat "$TMP/doctor.err")"
}

says() { # says EXPRESSION: prints a Python expression over it, `r`
	python3 -c 'import json, sys; r = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' \
		"$TMP/doctor.json" "$1" 2>&1
}

# -- the host ------------------------------------------------------------------------------------
start_workload blocks
run_leaktrace doctor -p "$W_PID"
is "this host can trace" "$L_STATUS" 0 || diag "$(cat "$L_OUT" "$L_ERR")"
is "nothing on stderr" "$(cat "$L_ERR")" ""
cp "$L_OUT" "$TMP/text"
for hook in descriptors sockets tasks exec spaces; do
	ok "text: $hook" grep -q -E "^  $hook +(fentry|kprobe-multi|kprobe|tracepoint) " "$TMP/text"
done
ok "text: the kernel's release" grep -q -F "Linux $(uname -r) " "$TMP/text"

ok "text: a target" grep -q -E "^blocks \(pid $W_PID\)" "$TMP/text"
ok "text: its allocator" grep -q -E '^  memory +glibc in .*libc.*: [0-9]+ functions$' "$TMP/text"

doctor -p "$W_PID"
is "json: exit status" "$L_STATUS" 0
is "json: hooks" "$(says '[h["name"] for h in r["hooks"] if h["name"] != "ends"]')" \
	"['descriptors', 'sockets', 'tasks', 'waits', 'exec', 'spaces']"
is "json: one that is optional is there when it works" \
	"$(says '[h for h in r["hooks"] if h["name"] == "ends" and not h["way"]]')" "[]"
is "json: each better way was refused for a reason" \
	"$(says '[f for h in r["hooks"] for f in h["refused"] if not (f["errno"] and f["why"])]')" "[]"
is "json: one kind of probes is used, and it works" \
	"$(says '[p["works"] for p in r["probes"] if p["used"]]')" "[True]"
is "json: what does not work has a reason" \
	"$(says '[p for p in r["probes"] if bool(p["why"]) == p["works"]]')" "[]"
chosen=$(says 'r["hooks"][0]["way"]')
# those at which the kernel preempts programs work, but would lose events
refused=$(says '" ".join(f["way"] for f in r["hooks"][0]["refused"] if "may preempt" not in f["why"])')
is "what all system calls pay is told where they all are hooked" \
	"$(says 'r["all_syscalls"] == (r["syscall_ns"] is not None)')" True
is "... and it is what two programs take at least" "$(says 'r["syscall_ns"] is None or r["syscall_ns"] > 10')" True
is "they are with the tracepoints" "$(says 'r["all_syscalls"]')" \
	"$([ "$chosen" = tracepoint ] && echo True || echo False)"
diag "descriptors: $chosen; refused: ${refused:-none}"
if grep -q -e '(full)' -e '(lazy)' /sys/kernel/debug/sched/preempt 2>/dev/null; then
	is "a kernel that preempts: nothing is hooked where it does that can be hooked elsewhere" \
		"$(says '[h["way"] for h in r["hooks"] if h["name"] in ("descriptors", "tasks")
			and h["way"] in ("fentry", "tracepoint")]')" "[]"
fi

# -- a target ------------------------------------------------------------------------------------
is "a target: pid" "$(says 'r["targets"][0]["pid"]')" "$W_PID"
is "a target: its allocator" \
	"$(says '[m["allocator"] for m in r["targets"][0]["modules"] if m["functions"]]')" "['glibc']"
is "a target: pthread functions" "$(says 'r["targets"][0]["pthread"]')" True
is "a target: all has unwind tables" \
	"$(says '[m["path"] for m in r["targets"][0]["modules"] if not m["unwind_entries"]]')" "[]"
is "a target: no namespaces of its own" "$(says 'r["targets"][0]["namespaces"]')" "[]"

# -- it is so ------------------------------------------------------------------------------------
ways="fentry kprobe-multi kprobe tracepoint" kinds="session multi perf"
if [ -n "${QUICK-}" ]; then ways=$chosen kinds=; fi
for way in $ways; do
	doctor --hooks "$way"
	said=$L_STATUS
	reason_told "--hooks $way"
	run_leaktrace --hooks "$way" -p "$W_PID" -w fd -d 200ms -f json
	is "--hooks $way: what it said is so" "$L_STATUS" "$said" || diag "$(cat "$L_ERR")"
	case " $refused " in
	*" $way "*) is "--hooks $way: refused" "$said" 77 ;;
	esac
	case $way in
	tracepoint | "$chosen") is "--hooks $way: works" "$said" 0 ;;
	esac
done
for kind in $kinds; do
	doctor --attach "$kind"
	said=$L_STATUS
	reason_told "--attach $kind"
	run_leaktrace --attach "$kind" -p "$W_PID" -w memory -d 200ms -f json
	is "--attach $kind: what it said is so" "$L_STATUS" "$said" || diag "$(cat "$L_ERR")"
	is "--attach $kind: works or not" "$(says \
		"[p['works'] for p in r['probes'] if p['kind'] == '$kind'][0]")" \
		"$([ "$said" = 0 ] && echo True || echo False)"
done
workload_end
is "a target is well" "$W_STATUS" 0

if [ -z "${QUICK-}" ]; then
	start_workload seccomp
	doctor -p "$W_PID"
	said=$L_STATUS
	is "under seccomp: told" "$(says 'r["targets"][0]["seccomp"]')" \
		"$(awk '/^Seccomp:/ { print $2 }' "/proc/$W_PID/status")"
	run_leaktrace -p "$W_PID" -d 200ms -f json
	is "under seccomp: what it said is so" "$L_STATUS" "$said"
	workload_kill
fi

if [ -z "${QUICK-}" ] && unshare -n true 2>/dev/null; then
	unshare -n sleep 60 &
	children+=($!)
	await "$PATIENCE" has_line "/proc/$!/comm" sleep
	doctor -p $!
	is "a network of its own" "$(says 'r["targets"][0]["namespaces"]')" "['net']"
else
	skip "a network of its own" "unshare is not permitted here, or QUICK"
fi

# -- what is wrong -------------------------------------------------------------------------------
run_leaktrace doctor -p 4194303
is "no such process: exit status" "$L_STATUS" 1
is "no such process: a line, and nothing else" "$(wc -l <"$L_ERR") $(wc -c <"$L_OUT")" "1 0"
run_leaktrace doctor --older 5
is "an option that is not for it" "$L_STATUS" 2
run_leaktrace doctor -- true
is "a command" "$L_STATUS" 2
cp "$LEAKTRACE" "$TMP/leaktrace"
nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups "$TMP/leaktrace" "$@"; }
if nobody --version >"$TMP/nobody.out" 2>&1; then
	nobody doctor >"$TMP/nobody.out" 2>"$TMP/doctor.err"
	said=$?
	is "not root: exit status" $said 77
	ok "not root: says so" grep -q 'run leaktrace as root' "$TMP/nobody.out"
	reason_told "not root"
	ok "not root: what is missing" grep -q 'run leaktrace as root (missing: ' "$TMP/doctor.err"
else
	skip "not root" "$(tail -n 1 "$TMP/nobody.out")"
fi
if [ -z "${QUICK-}" ]; then
	"$LEAKTRACE" doctor >/dev/full 2>"$TMP/full.err"
	is "a full disk: exit status" $? 1
fi
done_testing
