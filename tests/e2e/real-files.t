#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The biggest files that there are lose nothing to what bounds the files of attackers: symbols,
# unwind information and debug information, counted by libelf and libdw as well; and the programs that
# they are, at work.
. "$(dirname "$0")/../lib/harness.bash"

shopt -s nullglob
files=(/usr/bin/clang-14 /usr/lib/*/libLLVM*.so.1 /usr/lib/*/libclang-cpp.so.1? /usr/bin/node
	/usr/lib/*/libnode.so.* "$HOME"/.rustup/toolchains/*/lib/librustc_driver-*.so
	/usr/lib/*/librustc_driver-*.so /usr/lib/*/libpython3.*.so.1.0 /usr/bin/python3.??
	/usr/lib/postgresql/*/bin/postgres /lib/x86_64-linux-gnu/libc.so.6
	/usr/lib/*/libstdc++.so.6 "$LEAKTRACE")
# of those with debug information of their own, the biggest
debug=$(find /usr/lib/debug -name '*.debug' -type f -printf '%s %p\n' 2>/dev/null | sort -n | tail -n 1)

for file in "${files[@]}" ${debug:+"${debug#* }"}; do
	[ -r "$file" ] || continue
	counts=$(timeout "$PATIENCE" "$BUILD/tests/stackcheck/read_counts" "$file" 2>&1)
	ok "${counts:-$file: nothing counted}" [ "${counts##*: }" = same ]
done
ok "some of them are here" test "$n_tests" -ge 5

# at_work NAME PID MODULE: nothing is left out, and the module's code has names
at_work() {
	run_leaktrace -w memory,fd -f json -T 300 -d 1500ms -p "$2"
	is "$1 at work: exit status" "$L_STATUS" 0 || diag "$(cat "$L_ERR")"
	is "$1 at work: left out" "$(report_says 'r["coverage"]["left_out"]' "$L_OUT")" "[]"
	named=$(report_says "(lambda names: (sum(n is not None for n in names), len(names)))([f['function']
		for s in memory['stacks'] for f in s['frames'] if '$3' in (f['module'] or '')])" "$L_OUT")
	diag "$1 at work: (named, all) frames of $3: $named"
	is "$1 at work: some of its frames are in the report, with names" \
		"$(python3 -c "named, all = $named; print(named > 0)" 2>&1)" True
}

if command -v node >/dev/null; then
	node -e 'setInterval(() => { global.held = (global.held || []).concat([Buffer.alloc(20000)]).slice(-500); }, 1)' &
	children+=($!)
	sleep 0.5
	at_work node $! node
	kill $!
fi

clang=$(command -v clang-14 clang | head -n 1)
if [ -n "$clang" ]; then
	awk 'BEGIN { for (i = 0; i < 40000; i++)
		printf "int f%d(int x) { return x * %d + (x > %d ? f%d(x - 1) : 1); }\n", i, i, i, i / 2 }' >"$TMP/source.c"
	"$clang" -cc1 -O2 -w -emit-obj -o "$TMP/out.o" -x c "$TMP/source.c" 2>"$TMP/clang.err" &
	children+=($!)
	sleep 0.5
	at_work clang $! LLVM
	kill $!
fi 2>/dev/null

rustc=$(ls -d "$HOME"/.rustup/toolchains/stable*/bin/rustc /usr/bin/rustc 2>/dev/null | head -n 1)
if [ -n "$rustc" ]; then
	{
		for i in {1..6000}; do echo "pub fn f$i(v: &mut Vec<String>) { v.push(format!(\"{}{}\", $i, v.len())); v.sort(); }"; done
		echo 'fn main() {}'
	} >"$TMP/source.rs"
	"$rustc" -O -o "$TMP/out" "$TMP/source.rs" 2>"$TMP/rustc.err" &
	children+=($!)
	sleep 0.5
	at_work rustc $! rustc_driver
	kill $!
fi 2>/dev/null
done_testing
