#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A system that does not permit what tracing needs: leaktrace works with what there is, or says in a line what is
# missing and what helps.
. "$(dirname "$0")/../lib/harness.bash"

cp "$LEAKTRACE" "$TMP/leaktrace" # where everybody may run it
L_OUT=$TMP/out L_ERR=$TMP/err

# within SCRIPT ARG...: a shell runs it, with leaktrace as $LT and the target as $W_PID
within() {
	LT=$TMP/leaktrace W_PID=$W_PID timeout -k 5 "$PATIENCE" sh -c "$1" sh "${@:2}" >"$L_OUT" 2>"$L_ERR" </dev/null
	L_STATUS=$?
}

# is_refused NAME STATUS REGEX: what was run within, with a line that says so
is_refused() {
	is "$1: status" "$L_STATUS" "$2"
	like "$1: message" "$(cat "$L_ERR")" "$3"
	is "$1: a line, and no report" "$(wc -l <"$L_ERR") $(wc -c <"$L_OUT")" "1 0"
}

works() { # works NAME: what was run within
	is "$1: works" "$L_STATUS $(grep -c '^coverage' "$L_OUT")" "0 1" || diag "$(cat "$L_ERR")"
}

# as_user NAME CAPABILITIES: the books of a command of his own
as_user() {
	chmod 777 "$TMP"
	within 'exec capsh --keep=1 --user=nobody "--inh=$1" "--addamb=$1" -- -c "exec $LT -q -f json -T 0 -o $2 -- $3 3"' \
		"$2" "$TMP/user.json" "$WORKLOADS/blocks"
	chmod 755 "$TMP"
	is "$1: status" "$L_STATUS" 0 || diag "$(cat "$L_ERR")"
	W_OUT=$L_OUT L_REPORT=$TMP/user.json
	books_are "$1: books" --sites-only
}

start_workload blocks

# -- open files ----------------------------------------------------------------------------------
within 'ulimit -Sn 12; exec "$LT" -q -d 200ms -p "$W_PID"'
works "a low soft limit of open files"
within 'ulimit -Sn 12; exec "$LT" -q -o /dev/null -- sh -c "ulimit -Sn"'
is "a low soft limit of open files: it is the command's still" "$(cat "$L_OUT")" 12
for n in 12 32 64; do
	within 'ulimit -n $1; exec "$LT" -d 200ms -p "$W_PID"' $n
	is_refused "$n open files" 1 "Too many open files: leaktrace may have $n files open.*ulimit -n"
done

# -- memory --------------------------------------------------------------------------------------
within 'ulimit -v 60000; exec "$LT" -d 200ms -p "$W_PID"'
is_refused "little address space" 1 'Cannot allocate memory: leaktrace may have 58.6 MiB of address space.*ulimit -v'

limited() { # limited FOLDER FILE: memory cgroups there
	local group=$1/leaktrace-test-$$ mib

	if ! mkdir "$group" 2>/dev/null || [ ! -w "$group/$2" ]; then
		rmdir "$group" 2>/dev/null
		return 1
	fi
	for mib in 20 100 200; do
		echo $((mib << 20)) >"$group/$2"
		within 'echo $$ >"$1/cgroup.procs"; exec "$LT" -q -d 200ms -p "$W_PID"' "$group"
		if [ $mib = 200 ]; then
			works "a memory cgroup of $mib MiB"
		else
			is_refused "a memory cgroup of $mib MiB" 1 "its memory cgroup may take $mib.0 MiB: raise that"
		fi
		[ $mib = 100 ] || continue
		# what the message says, with all tables full
		within 'echo $$ >"$1/cgroup.procs"; exec "$LT" -q -w memory --memory "$2" -- "$3"' "$group" \
			"$(sed -n 's/.*(--memory \([0-9]*M\)).*/\1/p' "$L_ERR")" "$WORKLOADS/overfull"
		works "a memory cgroup of $mib MiB, with --memory"
		like "with --memory: the tables were full" "$(cat "$L_OUT")" 'the table of outstanding blocks or of stacks was full'
	done
	await 5 rmdir "$group" 2>/dev/null
}
limited /sys/fs/cgroup/memory memory.limit_in_bytes || limited /sys/fs/cgroup memory.max ||
	skip "a memory cgroup" "there are none here"

# -- capabilities --------------------------------------------------------------------------------
capable() { command -v capsh >/dev/null; }
if capable; then
	for cap in cap_sys_admin cap_bpf cap_perfmon cap_sys_ptrace cap_bpf,cap_sys_admin cap_perfmon,cap_sys_admin; do
		within 'exec capsh "--drop=$1" -- -c "exec $LT -q -d 200ms -p $W_PID"' $cap
		case $cap in
		cap_sys_ptrace | *,*)
			missing=${cap%,cap_sys_admin}
			is_refused "without $cap" 1 "permission denied: .*\(missing: ${missing^^}\)"
			;;
		cap_sys_admin) # needed unless there are probes that do not ask for it
			if [ "$("$LEAKTRACE" doctor -f json | python3 -c 'import json, sys
print([p["works"] for p in json.load(sys.stdin)["probes"] if p["kind"] == "session"][0])')" = True ]; then
				works "without $cap"
				within 'exec capsh "--drop=$1" -- -c "exec $LT -q -- $2 3"' $cap "$WORKLOADS/blocks"
				like "without $cap: what is not known is told so" "$(cat "$L_OUT")" 'overhead +not known'
				as_user "a user with three capabilities" cap_bpf,cap_perfmon,cap_sys_ptrace
				within 'exec capsh "--drop=$1" -- -c "exec $LT --attach perf -d 200ms -p $W_PID"' $cap
			fi
			is_refused "without $cap, by the old probes" 1 'asks for CAP_SYS_ADMIN as well'
			;;
		*) works "without $cap" ;;
		esac
	done
	# one errno for what is forbidden to look into, and for a file of it that must not be read
	chmod 777 "$TMP"
	install -m 700 "$(command -v sleep)" "$TMP/secret"
	"$TMP/secret" 600 {W_IN}>&- & # which the workload reads to its end
	children+=($!)
	caps=cap_bpf,cap_perfmon,cap_sys_ptrace
	within 'exec capsh --keep=1 --user=nobody "--inh=$1" "--addamb=$1" -- -c "exec $LT -q -d 200ms -p $2"' $caps $!
	is_refused "a program that only root may read" 1 'its program cannot be opened: Permission denied: run leaktrace as root$'
	within 'exec capsh --drop=cap_sys_ptrace -- -c "exec $LT goroutines -p $W_PID"'
	is_refused "goroutines without cap_sys_ptrace" 1 'permission denied: run leaktrace as root, or with CAP_SYS_PTRACE$'
	chmod 755 "$TMP"
else
	skip "capabilities" "there is no capsh"
fi

# -- namespaces ----------------------------------------------------------------------------------
if unshare -Ur true 2>/dev/null; then
	for kinds in memory fd goroutine; do
		within 'exec unshare -Ur "$LT" -w "$1" -d 200ms -p "$W_PID"' $kinds
		like "root of a user namespace, -w $kinds: status" "$L_STATUS" '^(1|77)$'
		is_refused "root of a user namespace, -w $kinds" "$L_STATUS" 'runs in a user namespace, .*as root of the host'
	done
	within 'exec unshare -Ur "$LT" goroutines -p "$W_PID"'
	is_refused "root of a user namespace, goroutines" 1 'leaktrace runs in a user namespace, .*as root of the host'
else
	skip "root of a user namespace" "unshare is not permitted here"
fi
if unshare -m true 2>/dev/null; then
	within 'exec unshare -m sh -c "umount -R /sys; exec $LT -d 200ms -p $W_PID"'
	is_refused "without /sys" 1 '/sys is not mounted'
	for command in "" goroutines doctor; do
		within 'exec unshare -m sh -c "mount -t tmpfs none /proc; exec $LT $1 -p $W_PID"' $command
		is_refused "${command:-tracing} without /proc" 1 '/proc is not mounted'
	done
else
	skip "without /sys and /proc" "unshare is not permitted here"
fi

workload_end
is "the target of all this is well" "$W_STATUS" 0
done_testing
