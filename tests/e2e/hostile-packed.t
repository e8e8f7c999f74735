#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Debug information that unpacks to more than anybody has: see tests/lib/elf_bombs.py.
. "$(dirname "$0")/../lib/hostile.bash"

weigh_plain -d 300ms
for kind in packed_zlib packed_zstd packed_lie packed_xz; do
	bomb "$kind" "$D/$kind.so"
	bombs_are_survived "$kind" "$kind.so" -d 300ms
	case $kind in packed_zlib | packed_xz) is_left_out "$kind" ;; esac
done
weigh_plain -w fd -d 300ms
bombs_are_survived "all of them with -w fd" "*.so" -w fd -d 300ms
done_testing
