#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# --memory LIMIT: smaller tables, in which the books are as exact as long as there is room, and what finds none is
# counted.
. "$(dirname "$0")/../lib/harness.bash"

# Of all tables, as the kernel counts them
tables_kib() {
	cat /proc/"$L_PID"/fdinfo/* 2>/dev/null | awk '/^map_type/ { map = 1 } /^memlock/ { n = $2 } /^map_id/ { sum += n }
		END { printf "%d\n", sum / 1024 }'
}

least() { # least KINDS: what is the least
	run_leaktrace -w "$1" --memory 1K -p $$
	sed -n 's/.*at least \([0-9]*K\)$/\1/p' "$L_ERR"
}

all=$(least memory,connection,fd,thread,process,goroutine) memory=$(least memory)
run_leaktrace -w memory --memory 1K -p $$
is "too little is a usage error" "$L_STATUS $(wc -l <"$L_ERR")" "2 1"
like "that says what the least is" "$(cat "$L_ERR")" '--memory: tables for what is to be traced take at least [0-9]+K$'
ok "it depends on what is traced" test "${memory%K}" -lt "${all%K}" -a "$(least fd | tr -d K)" -lt "${memory%K}"
run_leaktrace -w memory --memory $((${memory%K} - 1))K -p $$
is "a little less than that" "$L_STATUS" 2
run_leaktrace --memory nonsense -p $$
is "no size" "$L_STATUS" 2

for limit in "$memory" 32M 64M; do
	start_workload blocks 3
	start_leaktrace -w memory --memory "$limit" -p "$W_PID"
	ok "$limit: the tables take no more" test "$(tables_kib)" -le $(($(numfmt --from=iec "$limit") >> 10))
	ok "$limit: nor nothing" test "$(tables_kib)" -gt 1000
	workload_go
	stop_leaktrace
	books_are "$limit: exact books"
	workload_end
done
for workload in descriptors threads_held; do
	start_workload $workload
	start_leaktrace --no-follow --memory "$all" -p "$W_PID"
	workload_go
	stop_leaktrace
	books_are "$all: exact books of $workload"
	workload_end
done

# more than there is room for
export BLOCKS=20011
start_workload overfull
start_leaktrace -w memory --memory "$memory" -p "$W_PID"
workload_go
ok "full tables take no more than the limit" test "$(tables_kib)" -le "${memory%K}"
stop_leaktrace
is "what was lost is counted" "$(report_says 'memory["acquired"]["count"] + r["coverage"]["lost"]["map_full"]')" $BLOCKS
ok "some was" test "$(report_says 'r["coverage"]["lost"]["map_full"]')" -gt 1000
is "releases of it, too" "$(report_says 'memory["released"]["count"] + r["coverage"]["unmatched_releases"]')" \
	$(((BLOCKS + 2) / 3))
workload_end
start_workload overfull
start_leaktrace -w memory --memory 64M -p "$W_PID"
workload_go
stop_leaktrace
books_are "with room for it nothing is lost"
workload_end
done_testing
