#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# ELF files whose tables are cheap to make and dear to read: see tests/lib/elf_bombs.py.
. "$(dirname "$0")/../lib/hostile.bash"

weigh_plain -d 300ms
for kind in sections symbols names debuglink eh_frame; do
	bomb "$kind" "$D/$kind.so"
	bombs_are_survived "$kind" "$kind.so" -d 300ms
	case $kind in sections | eh_frame) is_left_out "$kind" ;; esac
done
weigh_plain -w fd -d 300ms
bombs_are_survived "all of them with -w fd" "*.so" -w fd -d 300ms
done_testing
