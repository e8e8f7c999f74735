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

# a thousand at once: as fast as a thousand that are harmless
mkdir "$D/plain" "$D/many"
for i in {1..1000}; do cp "$D/plain.so" "$D/plain/$i.so"; done
"$lib/elf_bombs.py" many "$D/many" 1000
chown -R 65534 "$D/plain" "$D/many"
start_hostile calls "$D"/plain/*.so
measure 30 -d 300ms -p "$W_PID"
end_hostile
P_SECONDS=$M_SECONDS P_PEAK_KIB=$M_PEAK_KIB
bombs_are_survived "1,000 at once" "many/*.so" -d 300ms
done_testing
