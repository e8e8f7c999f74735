#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# --kernel-stacks: stacks begin in the kernel, without what belongs to the hooks themselves.
. "$(dirname "$0")/../lib/harness.bash"

FILES=7

cat >"$TMP/holder.py" <<'PYTHON'
import os, sys, threading
print("ready", os.getpid(), flush=True)
sys.stdin.readline()
held = [open("/dev/null") for _ in range(7)]
blocks = [bytes(100000) for _ in range(3)]
end = threading.Event()
threading.Thread(target=end.wait).start()
print("done", flush=True)
sys.stdin.readline()
end.set()
PYTHON

trace_holder() { # trace_holder ARG...
	start_program python3 "$TMP/holder.py"
	start_leaktrace "$@" -p "$W_PID"
	workload_go
	stop_leaktrace
	workload_end
}

# says EXPRESSION: a Python expression over the report `r`; stacks(KIND) are those of a kind,
# kernel(S) the functions of a stack's frames in the kernel
says() {
	python3 - "$L_REPORT" "$1" <<-'PYTHON' 2>&1
		import json, sys
		r = json.load(open(sys.argv[1]))
		def in_kernel(f):
		    return (f["module"] or "").startswith("[") and f["module"] != "[vdso]"
		def stacks(kind):
		    return [s for x in r["resources"] if x["kind"] == kind
		            for s in x["stacks"] if s["origin"] == "traced"]
		def kernel(s):
		    return [f["function"] for f in s["frames"] if in_kernel(f)]
		def user(s):
		    return [f for f in s["frames"] if not in_kernel(f)]
		def counts(kind): # by their frames in the program: the kernel may have come by in several ways
		    n = {}
		    for s in stacks(kind):
		        at = tuple((f["module"], f["function"], f["line"], f["offset"]) for f in user(s))
		        n[at] = n.get(at, 0) + s["count"]
		    return list(n.values())
		print(eval(sys.argv[2]))
	PYTHON
}

files() { says "[n for n in counts('fd') if n == $FILES]"; }

trace_holder
is "without it: exit status" "$L_STATUS" 0
is "without it: the files" "$(files)" "[$FILES]"
is "without it: no frames of the kernel" \
	"$(says '[s for x in r["resources"] for s in x["stacks"] if kernel(s)]')" "[]"


trace_holder --kernel-stacks
is "with it: exit status" "$L_STATUS" 0
is "with it: the files" "$(files)" "[$FILES]"
for kind in fd thread; do
	is "$kind: each stack begins in the kernel" \
		"$(says "[s['frames'] for s in stacks('$kind') if not kernel(s)]")" "[]"
	is "$kind: and goes on in the process" \
		"$(says "[s['id'] for s in stacks('$kind') if not user(s) or [in_kernel(f) for f in s['frames']] != \
		[True] * len(kernel(s)) + [False] * len(user(s))]")" "[]"
	is "$kind: its frames have names" \
		"$(says "[kernel(s) for s in stacks('$kind') if None in kernel(s)]")" "[]"
	is "$kind: nothing of the hooks" "$(says "[f for s in stacks('$kind') for f in kernel(s) \
		if f.startswith(('bpf_', '__bpf', '__traceiter', 'ftrace', 'kprobe'))]")" "[]"
done
is "memory: none" "$(says '[kernel(s) for s in stacks("memory") if kernel(s)]')" "[]"
is "the C library's frames are left out all the same" \
	"$(says "[f for s in stacks('fd') if s['count'] == $FILES for f in user(s)[:1] if 'libc.so' in (f['module'] or '')]")" "[]"
is "all begin at the system call's entry" \
	"$(says "{kernel(s)[-1].startswith('entry_SYSCALL_64') for s in stacks('fd') + stacks('thread')}")" "{True}"
is "a thread: where the kernel makes it" \
	"$(says "['kernel_clone' in kernel(s) for s in stacks('thread')]")" "[True]"
way=$("$LEAKTRACE" doctor -f json |
	python3 -c 'import json, sys; print(json.load(sys.stdin)["hooks"][0]["way"])')
case $way in
tracepoint) wanted=do_syscall_64 ;;
*) wanted=do_sys_openat2 ;;
esac
is "a file: $wanted, by $way" \
	"$(says "['$wanted' in kernel(s) for s in stacks('fd') if s['count'] == $FILES]")" "[True]"

trace_holder --kernel-stacks --all-frames
is "--all-frames: the files" "$(files)" "[$FILES]"
ok "--all-frames: the hooks as well" test "$(says "max(len(kernel(s)) for s in stacks('fd'))")" -gt 3

sed 's/^[0-9a-f]*/0000000000000000/' /proc/kallsyms >"$TMP/kallsyms"
cat >"$TMP/hidden" <<SHELL
#!/bin/sh
mount --bind "$TMP/kallsyms" /proc/kallsyms && exec "$LEAKTRACE" "\$@"
SHELL
chmod +x "$TMP/hidden"
if unshare -m "$TMP/hidden" --version >"$TMP/unshare" 2>&1; then
	cat >"$TMP/apart" <<-SHELL
		#!/bin/sh
		exec unshare -m "$TMP/hidden" "\$@"
	SHELL
	chmod +x "$TMP/apart"
	LEAKTRACE=$TMP/apart trace_holder --kernel-stacks
	is "no addresses: exit status" "$L_STATUS" 0
	is "no addresses: the files" "$(files)" "[$FILES]"
	ok "no addresses: told" grep -q 'kptr_restrict' "$L_ERR"
	is "no addresses: no names, but places" "$(says "{(f['function'], f['module'], f['offset'] is not None) \
		for s in stacks('fd') for f in s['frames'] if in_kernel(f)}")" "{(None, '[kernel]', True)}"
else
	skip "no addresses" "$(tail -n 1 "$TMP/unshare")"
fi
done_testing
