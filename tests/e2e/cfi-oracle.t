#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Our unwind rows say what libdw says at every call site of real libraries, full and pruned.
. "$(dirname "$0")/../lib/harness.bash"

oracle=$BUILD/tests/host/cfi_oracle
[ -x "$oracle" ] || bail "no $oracle: make test-programs builds it"

# library NAME: where the dynamic linker has it, or nothing
library() {
	local path

	path=$(ldconfig -p | awk -v name="$1" '$1 == name && /x86-64/ { print $NF; exit }')
	[ -n "$path" ] && readlink -f "$path"
}

# equal NAME FILE AT_LEAST: no difference, at so many call sites or more
equal() {
	local out sites

	if [ -z "$2" ] || [ "$(head -c 4 "$2" 2>/dev/null)" != $'\x7fELF' ]; then
		skip "$1" "not installed"
		return
	fi
	if out=$("$oracle" "$2" 2>&1); then pass "$1: equal"; else flunk "$1: equal"; fi
	diag "$out"
	like "$1: libdw could read it all" "$out" "not read by libdw 0"
	sites=$(sed -n 's/^.*: \([0-9]*\) sites .*/\1/p' <<<"$out")
	ok "$1: $3 call sites or more" test "${sites:-0}" -ge "$3"
}

equal libc "$(library libc.so.6)" 10000
equal libstdc++ "$(library libstdc++.so.6)" 10000
equal libcrypto "$(library libcrypto.so.3)" 40000
equal libpython3.11 "$(library libpython3.11.so.1.0)" 40000
equal "the dynamic linker" "$(library ld-linux-x86-64.so.2)" 1000
equal libLLVM-14 "$(library libLLVM-14.so.1)" 500000
node=$(library libnode.so.108) # Debian's node is a thin program over it
equal node "${node:-$(command -v node)}" 100000
equal "leaktrace itself" "$BUILD/leaktrace" 500
done_testing
