#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A thousand bombs at once cost hardly more than a thousand files that do no harm.
. "$(dirname "$0")/../lib/hostile.bash"

bomb plain "$D/plain.so"
mkdir "$D/plain" "$D/many"
for i in {1..1000}; do cp "$D/plain.so" "$D/plain/$i.so"; done
"$lib/elf_bombs.py" many "$D/many" 1000
chown -R 65534 "$D/plain" "$D/many"
start_hostile calls "$D"/plain/*.so
measure 30 -d 300ms -p "$W_PID"
end_hostile
P_SECONDS=$M_SECONDS P_PEAK_KIB=$M_PEAK_KIB
diag "1,000 plain files: $P_SECONDS s, $((P_PEAK_KIB >> 10)) MiB"
bombs_are_survived "1,000 at once" "many/*.so" -d 300ms
done_testing
