#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Files that change while they are read, and more of them than there are descriptors.
. "$(dirname "$0")/../lib/hostile.bash"

library=$(find /usr/lib -name 'libLLVM-1*.so.1' -o -name 'libnode.so.*' -o -name 'libpython3.*.so.1.0' |
	xargs ls -S 2>/dev/null | head -n 1)
[ -n "$library" ] || library=$LEAKTRACE
own_copy() { cp --sparse=never "$library" "$D/big.so" && chmod 755 "$D/big.so" && chown 65534 "$D/big.so"; }

# -- truncated as soon as it is opened -----------------------------------------------------------
own_copy
start_hostile changes "$D/big.so" truncate
measure 15 -f json -d 1 -p "$W_PID"
is "truncated when opened: exit status" "$L_STATUS" 0
ok "truncated when opened: it was" has_line "$W_OUT" '^truncated'
is "truncated when opened: the rest is traced" \
	"$(says 'memory["outstanding"]["count"] > 10')" True
is_told "truncated when opened" "big\.so"
end_hostile
is "truncated when opened: the target is well" "$W_STATUS" 0

# -- written to all the time ---------------------------------------------------------------------
own_copy
start_hostile changes "$D/big.so" rewrite
measure 15 -f json -d 1 -p "$W_PID"
is "rewritten all the time: exit status" "$L_STATUS" 0
is "rewritten all the time: the rest is traced" \
	"$(says 'memory["outstanding"]["count"] > 10')" True
end_hostile
is "rewritten all the time: the target is well" "$W_STATUS" 0
rm -f "$D/big.so"

# -- more files than descriptors -----------------------------------------------------------------
bomb plain "$D/one.so"
mkdir "$D/mods"
for i in {1..1200}; do cp "$D/one.so" "$D/mods/$i.so"; done
chown -R 65534 "$D/mods"
start_workload blocks
plain_pid=$W_PID plain_in=$W_IN
start_hostile calls "$D"/mods/*.so
measure_few() { (ulimit -n 1024 && measure "$@" && declare -p M_SECONDS M_PEAK_KIB L_STATUS >"$TMP/measured"); }
measure_few 30 -f json -T 0 -d 2 -p "$W_PID,$plain_pid"
# shellcheck source=/dev/null
. "$TMP/measured"
L_OUT=$TMP/leaktrace.out L_ERR=$TMP/leaktrace.err
is "1,200 files, 1,024 descriptors: exit status" "$L_STATUS" 0 || diag "$(tail -n 5 "$L_ERR")"
traced=$(says 'sorted(r["target"]["pids"])')
is "1,200 files, 1,024 descriptors: the ordinary target is traced" \
	"$(says "$plain_pid in r['target']['pids']")" True
if [[ $traced != *$W_PID* ]]; then
	like "1,200 files, 1,024 descriptors: the one that is lost is named" "$(cat "$L_ERR")" "pid $W_PID"
else
	is "1,200 files, 1,024 descriptors: the files have blocks" \
		"$(says 'len({f["module"] for s in memory["stacks"] for f in s["frames"] if "/mods/" in (f["module"] or "")}) > 1000')" True
fi
end_hostile
is "1,200 files, 1,024 descriptors: the target is well" "$W_STATUS" 0
echo >&"$plain_in"
done_testing
