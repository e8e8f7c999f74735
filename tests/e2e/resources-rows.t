#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Each way of attaching to the kernel, forced, gives the same report. One that this kernel does not have,
# or at which it preempts programs, is skipped, for the reason that leaktrace gives.
. "$(dirname "$0")/../lib/harness.bash"

if [ -n "${HOOKS-}" ]; then skip_all "HOOKS asks for one way only"; fi

# What has to be the same: everything but ids, ages and addresses; and how much came and went only of
# the kinds of which the workload knows exactly.
essence() { # essence REPORT TRUTH
	python3 - "$@" <<-'PYTHON'
		import json, sys
		truth = [line.split() for line in open(sys.argv[2])]
		exact = {word[1] for word in truth if word[0] == "held"}
		exact -= {word[1] for word in truth if word[0] == "transient" or word[-1] == "net"}
		for r in json.load(open(sys.argv[1]))["resources"]:
		    kind = r["kind"] + ("/" + r["state"] if r["state"] else "")
		    for key in ("outstanding", "before", "unseen") + ("acquired", "released") * (kind in exact):
		        print(kind, key, r[key]["count"])
		    for line in sorted(" ".join([str(s["via"]), s["origin"], str(s["count"]), str(s["complete"])] +
		                                [f"{f['function']}:{f['line']}" for f in s["frames"]] +
		                                sorted(str(i.get("type") or i.get("protocol")) for i in s["items"]))
		                       for s in r["stacks"] if s["count"]):
		        print(kind, line)
	PYTHON
}

# Why leaktrace would not take this row although it works, on this kernel; nothing when it would.
preempted() { # preempted ROW
	python3 - "$TMP/doctor.json" "$1" <<-'PYTHON'
		import json, sys
		print(*{f["why"] for hook in json.load(open(sys.argv[1]))["hooks"] for f in hook["refused"]
		        if f["way"] == sys.argv[2] and "may preempt" in f["why"]})
	PYTHON
}

essence_is() { diff "$TMP/$1.essence" "$TMP/$2.essence" >"$TMP/diff"; }

# Returns 1 when there is no such row here.
trace_by() { # trace_by ROW WORKLOAD [THREADS]
	local row=$1

	shift
	start_workload "$@"
	if ! start_leaktrace --hooks "$row" -w fd,connection,thread,process --no-follow -p "$W_PID" >/dev/null; then
		await_leaktrace
		workload_end
		if [ "$L_STATUS" = 77 ]; then
			skip "$row: $*" "$(tail -n 1 "$L_ERR")"
		else
			flunk "$row: $*: leaktrace's exit status: $L_STATUS"
			diag "$(tail -n 5 "$L_ERR")"
		fi
		return 1
	fi
	workload_go
	system_says "$W_PID"
	stop_leaktrace
	books_are "$row: $*: the books"
	workload_end
	is "$row: $*: the target's exit status" "$W_STATUS" 0
}

run_leaktrace doctor -w fd,thread -f json
cp "$L_OUT" "$TMP/doctor.json"
rows=
for row in fentry kprobe-multi kprobe tracepoint; do
	why=$(preempted $row)
	if [ -n "$why" ]; then skip "$row" "$why"; else rows+=" $row"; fi
done
for workload in descriptors sockets forks threads_held children reaping; do
	first=
	for row in $rows; do
		trace_by $row $workload || continue
		essence "$L_REPORT" "$W_OUT" >"$TMP/$row.essence"
		if [ -z "$first" ]; then
			first=$row
		else
			ok "$row: $workload: the report is that of $first" essence_is $row "$first" ||
				diag "$(head -n 20 "$TMP/diff")"
		fi
	done
	ok "$workload: a row works here" test -n "$first"
done
done_testing
