#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Stacks of what Go programs keep are whole, with their functions and lines, stripped or not, also
# where C is called and calls back.
. "$(dirname "$0")/../lib/harness.bash"
. "$(dirname "$0")/../lib/golang.bash"

# at FUNCTION TEXT: a regex for FUNCTION:LINE, the line being the last of the source that has TEXT
at() {
	printf '%s:%s' "$(sed 's/[][().*]/\\&/g' <<<"$1")" \
		"$(grep -n -F -- "$2" "$lib/../workloads/go/$source.go" | tail -n 1 | cut -d : -f 1)"
}

# stack NAME WHAT FUNCTION...: there is one of seven like this, down to where goroutines start
stack() {
	local name=$1 wanted

	shift
	wanted="$1 7 whole ${*:2} runtime\.goexit"
	ok "Go $GO, $program: $name" grep -q -x -E -- "$wanted" "$TMP/stacks" ||
		diag "wanted: $wanted" "$(grep "^${1%% *} " "$TMP/stacks")"
}

# trace PROGRAM KINDS
trace() {
	program=$1
	start_program "$TMP/$program"
	start_leaktrace --all-frames -w "$2" -p "$W_PID" || flunk "Go $GO, $program: is traced"
	workload_go
	stop_leaktrace
	python3 "$lib/go_stacks.py" "$L_REPORT" >"$TMP/stacks" 2>&1
	is "Go $GO, $program: stacks that are not whole" "$(grep -c -v ' whole ' "$TMP/stacks")" 0 ||
		diag "$(grep -v ' whole ' "$TMP/stacks")"
	workload_kill
}

server() { # server PROGRAM
	local keep main serve handle dial

	source=server
	trace "$1" fd,connection,thread,process
	keep=$(at 'main.keep[...]' ':= make()')
	main=$(at main.main 'c.request()')
	# the function made for a go statement was named otherwise before Go 1.22
	serve="$(at 'main.(*server).serve' 's.handle(keep') main\.main\.(func|gowrap)1:[0-9]+"
	handle="$keep $(at 'main.(*server).handle' 'keep(&s.files') $serve"
	dial="$(at 'main.(*client).dial' 'net.Dial(') main\.\(\*client\)\.dial-fm:1 $keep"
	dial="$dial $(at 'main.(*client).request' 'c.dial)') $main"
	stack "connections that it made" "connection open" "$dial"
	stack "connections that it accepted" "connection open" "$keep $serve"
	stack "descriptors of what it made" "fd None" "$dial"
	stack "descriptors of what it opened" "fd None" "$(at main.open 'os.Open(')" \
		"$(at main.openLog 'open("/dev/null")')" "$handle"
	stack "children that it does not wait for" "process zombie" \
		"$(at main.startChild 'os.StartProcess')" "$keep" \
		"$(at 'main.(*server).handle' 'startChild)')" "$serve"
	ok "Go $GO, $program: the thread that a function asks for" grep -q -E \
		"^thread .*$(at 'main.(*server).holdThread' 'LockOSThread()') .* runtime\.goexit$" "$TMP/stacks"
}

calls() { # calls PROGRAM
	source=cgo
	trace "$1" memory,thread
	stack "memory that C keeps" "memory None" 'main\._Cfunc_keep:[0-9]+' \
		"$(at main.leakDirectly 'C.keep(1009)')" "$(at main.main 'leakDirectly()')"
	stack "memory that C keeps when it is called by Go that C calls" "memory None" \
		'main\._Cfunc_keep:[0-9]+' "$(at main.leakInCallback 'C.keep(n)')" \
		"$(at main.goCallback 'leakInCallback(n)')" 'main\._Cfunc_callBack:[0-9]+' \
		"$(at main.leakThroughC 'C.callBack(2003)')" \
		"$(at main.main.func1 'leakThroughC()')"
	is "Go $GO, $program: threads that the runtime makes, beyond C" "$(report_says 'sum(s["count"]
		for x in r["resources"] if x["kind"] == "thread" for s in x["stacks"]
		if {"runtime.asmcgocall", "runtime.newm"} <= {f["function"] for f in s["frames"]}) >= 7')" True ||
		diag "$(grep ^thread "$TMP/stacks")"
	ok "Go $GO, $program: memory that Go keeps" grep -q -E -- \
		"^memory go 7 whole $(at main.leakInGo 'make([]byte, 40009)') $(at main.main 'leakInGo()') " "$TMP/stacks" ||
		diag "$(cat "$TMP/stacks")"
}

# What is done to Go programs is nothing that they meet when they walk their own stacks.
walks() { # walks PROGRAM
	program=$1
	start_program "$TMP/$program"
	start_leaktrace -p "$W_PID" || flunk "Go $GO, $program: is traced"
	workload_go
	stop_leaktrace
	workload_end
	is "Go $GO, $program: it finds its own stacks to be right" "$L_STATUS $W_STATUS" "0 0"
	ok "Go $GO, $program: it has met probes" \
		test "$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["coverage"]["probe_hits"])' \
			"$L_REPORT")" -gt 1000
}

for GO in $GO_VERSIONS; do
	have_go || continue
	go_build server plain 0 && go_build server stripped 0 -ldflags "-s -w" &&
		go_build server pie-stripped 0 -buildmode=pie -ldflags "-s -w" || continue
	server plain
	server stripped
	server pie-stripped
	if go_build deep deep 0 -ldflags "-s -w"; then walks deep; fi
	command -v gcc >/dev/null || { skip "Go $GO, with C" "there is no gcc"; continue; }
	go_build cgo cgo 1 && go_build cgo cgo-stripped 1 -buildmode=pie -ldflags "-s -w" || continue
	calls cgo
	calls cgo-stripped
done
done_testing
