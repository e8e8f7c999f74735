#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The biggest files that there are lose nothing to what bounds the files of attackers: symbols,
# unwind information and debug information, counted by libelf and libdw as well.
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
done_testing
