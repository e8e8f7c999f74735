#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What tracing costs a process that does next to nothing is a share of what it really uses, and not of
# the 10 ms that the kernel's ticks make of it.
. "$(dirname "$0")/../lib/harness.bash"

cpu_ns() { cut -d' ' -f1 "/proc/$W_PID/schedstat"; }

for run in 1 2; do
	start_workload ticks
	start_leaktrace -w memory -p "$W_PID"
	before=$(cpu_ns)
	workload_go
	after=$(cpu_ns)
	stop_leaktrace
	books_are "a nearly idle process, run $run"
	# both shares tell of one cost: of the CPU time, as the scheduler counts it, and of the window
	told=$(report_says "'%.4f %.4f %.1f' % (
		r['coverage']['overhead_percent'] * $((after - before)) / 100 / 1e6,
		r['coverage']['overhead_core_percent'] * r['window']['seconds'] * 1e9 / 100 / 1e6,
		r['coverage']['overhead_percent'])")
	diag "$told: ms by the one, ms by the other share; percent of $(((after - before) / 1000)) us"
	ok "run $run: of its CPU time and of a core it is the same cost" \
		awk -v t="$told" 'BEGIN { split(t, x, " "); exit !(x[1] > 0.8 * x[2] && x[1] < 1.25 * x[2]) }'
	ok "run $run: less than all that it used" awk -v t="$told" 'BEGIN { split(t, x, " "); exit !(x[3] < 90) }'
	workload_end
done

# The kernel's statistics, which cost every BPF program of the machine, are not on for a target that does nothing.
start_workload ticks
start_leaktrace -w memory -p "$W_PID"
sleep 1.5
told=$(python3 - "$L_PID" <<'PYTHON'
import glob, os, sys, time
def link(path):
    try:
        return os.readlink(path)
    except OSError:
        return ""
on = []
for _ in range(60):
    on.append(any("bpf-stats" in link(path) for path in glob.glob(f"/proc/{sys.argv[1]}/fd/*")))
    time.sleep(0.03)
print(sum(on))
PYTHON
)
ok "statistics: on at $told of 60 moments" test "$told" -ge 1 -a "$told" -le 30
workload_go
stop_leaktrace
workload_end
ok "... and what tracing cost is known" awk -v p="$(report_says 'r["coverage"]["overhead_percent"]')" \
	'BEGIN { exit !(p > 0 && p < 90) }'
done_testing
