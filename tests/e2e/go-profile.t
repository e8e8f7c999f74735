#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# --go-enable-profile: the program samples what it allocates from then on, and no more once leaktrace has
# ended in whatever orderly way.
GO_VERSIONS=${GO_VERSIONS:-1.19 1.27}
. "$(dirname "$0")/../lib/harness.bash"
. "$(dirname "$0")/../lib/golang.bash"

reader=$BUILD/tests/stackcheck/go_heap
[ -x "$reader" ] || bail "no $reader: make test-programs builds it"

# held FUNCTION: what stacks with it hold in the Go heap, in bytes
held() {
	python3 - "$L_REPORT" "$1" <<-'PYTHON' 2>&1
		import json, sys
		heap = next(x for x in json.load(open(sys.argv[1]))["resources"] if x.get("state") == "go")
		print(int(sum(s["amount"] for s in heap["stacks"]
		              if any(f["function"] == sys.argv[2] for f in s["frames"]))))
	PYTHON
}

samples() { "$reader" "$W_PID" >/dev/null 2>"$TMP/reader.err"; }

is_off() {
	! samples && grep -q ': -61, ' "$TMP/reader.err"
}

start() { # start PROGRAM OPTION...: traced so
	start_program env COLLECT=1 "$TMP/$1"
	shift
	start_leaktrace -w memory --go-enable-profile "$@" -p "$W_PID"
}

profiled() { # profiled NAME PROGRAM
	local name="Go $GO, $1" got wanted

	start_program env COLLECT=1 "$TMP/$2"
	ok "$name: keeps no profile" is_off
	start_leaktrace -w memory --go-enable-profile -p "$W_PID"
	ok "$name: what is written is told" has_line "$L_ERR" \
		"pid $W_PID: its heap profile is switched on: runtime.MemProfileRate was 0 and is 524288"
	ok "$name: keeps one now" samples
	workload_go
	stop_leaktrace
	is "$name: leaktrace ends" "$L_STATUS" 0
	got=$(held main.keepNode)
	wanted=$(sed -n 's/^kept main.keepNode [0-9]* //p' "$W_OUT")
	# more than a hundred samples: five times their deviation
	ok "$name: what is kept is found: $got of $wanted" \
		test "$((got * 2 > wanted && got * 2 < wanted * 3))" = 1
	ok "$name: the report says so" grep -q 'go-enable-profile has switched on' "$L_REPORT"
	ok "$name: keeps none any more" is_off
	workload_end
	is "$name: the program has not been harmed" "$W_STATUS" 0
}

undone() { # undone SIGNAL|-: by a signal, or by itself
	start spans ${2:+-d "$2"}
	samples || flunk "Go $GO: is switched on"
	[ "$1" = - ] || kill "-$1" "$L_PID"
	await_leaktrace
	ok "Go $GO: undone when leaktrace ends by $3" is_off
	workload_kill
}

refused() { # refused NAME REGEX PROGRAM ARG...
	local name="Go $GO: $1" says=$2

	shift 2
	start_program "$@"
	run_leaktrace --go-enable-profile -d 1 -p "$W_PID"
	is "$name: is refused" "$L_STATUS" 1
	like "$name: with words" "$(cat "$L_ERR")" "$says"
	workload_kill
}

for GO in $GO_VERSIONS; do
	have_go || continue
	go_build spans spans 0 && go_build spans stripped 0 -buildmode=pie -ldflags "-s -w" &&
		go_build heap heap 0 || continue
	profiled plain spans
	profiled "position-independent, stripped" stripped
	undone TERM "" SIGTERM
	undone HUP "" SIGHUP
	undone QUIT "" SIGQUIT
	undone - 300ms "its duration"
	refused "a program that keeps one" 'keeps a heap profile already, with a rate of 524288: nothing is written' \
		"$TMP/heap" "$TMP/profile"
done
GO=none refused "a program in C" 'no Go program' "$WORKLOADS/blocks" wait 1
done_testing
