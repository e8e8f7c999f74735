#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `leaktrace goroutines` says of a Go program, stack by stack and word by word, what the program says of
# itself; and in clear words why it cannot.
GO_VERSIONS=${GO_VERSIONS:-1.19 1.27}
. "$(dirname "$0")/../lib/harness.bash"
. "$(dirname "$0")/../lib/golang.bash"

check=$BUILD/tests/stackcheck/go_runtime
[ -x "$check" ] || bail "no $check: make test-programs builds it"

workload_said() { [ "$(grep -c '^done' "$W_OUT")" -ge "$1" ] || is_gone "$W_PID"; }

ask() { # ask FILE: what the program says itself
	asked=$((asked + 1))
	echo "$1" >&"$W_IN"
	await "$PATIENCE" workload_said $asked
}

start_states() { # start_states PROGRAM ARG...: until all of it is at rest
	asked=0
	start_program "$TMP/$1" "${@:2}"
}

raw() { # raw FILE: a profile as text; pprof looks for binaries, but not for ours
	env GOROOT="$GO_ROOT" GO111MODULE=off GOTOOLCHAIN=local GOFLAGS= GOCACHE="${GO_ROOT%/usr/lib/*}/build" \
		PPROF_BINARY_PATH="$TMP/none" PPROF_TMPDIR="$TMP" \
		"$GO_ROOT/bin/go" tool pprof -symbolize=none -raw "$1" 2>"$TMP/pprof.err"
}

compared() { # compared NAME THEIRS OURS AT_LEAST
	local n

	if ! "$lib/go_goroutines.py" "$2" "$3" >"$TMP/compared" 2>&1; then
		diag "$(head -n 60 "$TMP/compared")"
		flunk "$1"
		return
	fi
	read -r n _ <"$TMP/compared"
	ok "$1" test "$n" -ge "$4"
}

states() { # states PROGRAM AT_LEAST STACKS
	local name="Go $GO, $1"

	start_states "$1"
	run_leaktrace goroutines -p "$W_PID"
	is "$name: reads it" "$L_STATUS $(cat "$L_ERR")" "0 "
	cp "$L_OUT" "$TMP/ours"
	run_leaktrace goroutines -p "$W_PID" -o "$TMP/ours.pb.gz"
	is "$name: reads it as a profile" "$L_STATUS $(cat "$L_ERR")" "0 "
	ask "$TMP/theirs"
	# 1.21 prints deep stacks otherwise than 1.20
	[ "$GO $1" = "1.21 between" ] || compared "$name: stacks" "$TMP/theirs" "$TMP/ours" "$2"
	raw "$TMP/theirs.pb.gz" >"$TMP/theirs.raw"
	raw "$TMP/ours.pb.gz" >"$TMP/ours.raw"
	compared "$name: profile" "$TMP/theirs.raw" "$TMP/ours.raw" "$3"
	workload_kill
}

# Are the variables where the program's symbols are?
variables() { # variables PROGRAM
	local found

	start_states "$1"
	"$check" "$W_PID" >"$TMP/found" 2>&1
	grep -o -w -E 'runtime\.(allgs|mheap_|mbuckets|mProfCycle|MemProfileRate|waitReasonStrings|semtable|work|allfin|gcCleanups|firstmoduledata)' \
		"$TMP/found" | while read -r found; do
		nm "$TMP/$1" | sed -n "s/^\([0-9a-f]*\) . ${found/./\\.}$/$found \1/p"
	done >"$TMP/wanted"
	is "Go $GO, $1: variables" "$(tail -n +2 "$TMP/found")" "$(cat "$TMP/wanted")"
	workload_kill
}

# rename_go FROM-PROGRAM TO-PROGRAM 1.99: the same, but that it says it was built by go1.99.*
rename_go() {
	python3 - "$TMP/$1" "$TMP/$2" "$3" <<-'PYTHON'
		import sys
		program = bytearray(open(sys.argv[1], "rb").read())
		start = program.index(b"\xff Go buildinf:")
		while program[start + 33:start + 37] != b"go1.":
		    start = program.index(b"\xff Go buildinf:", start + 1)
		program[start + 35:start + 39] = sys.argv[3].encode()
		open(sys.argv[2], "wb").write(program)
	PYTHON
	chmod +x "$TMP/$2"
}

refused() { # refused NAME PROGRAM REGEX
	start_states "$2"
	run_leaktrace goroutines -p "$W_PID"
	is "Go $GO: $1: fails" "$L_STATUS $(wc -c <"$L_OUT")" "1 0"
	like "Go $GO: $1: says why" "$(cat "$L_ERR")" "^leaktrace: pid $W_PID \($2\): $3"
	workload_kill
}

versions() {
	local other=1.23 # none of its neighbours, which may have goroutines alike

	case $GO in 1.2[2-5]) other=1.27 ;; esac
	rename_go plain newer 1.99
	refused "an unknown release" newer \
		'built by go1\.99\.[0-9]+, whose runtime is not known here; known are Go 1\.19 to 1\.27$'
	rename_go plain wrong $other
	refused "another release than it says" wrong "built by go$other\.[0-9]+, but its "
	# there is no compiler for 1.20, which is like one of its neighbours: it shows which
	case $GO in
	1.19 | 1.21)
		rename_go plain between 1.20
		states between 33 30
		;;
	esac
}

stopped() {
	start_states plain
	run_leaktrace goroutines -p "$W_PID"
	cp "$L_OUT" "$TMP/before"
	kill -STOP "$W_PID"
	run_leaktrace goroutines -p "$W_PID"
	is "Go $GO: a stopped process" "$L_STATUS $(cat "$L_ERR") $(cmp "$TMP/before" "$L_OUT" 2>&1)" "0  "
	kill -CONT "$W_PID"
	workload_kill
}

# Are the two that run all the time read whole, each with a thread of its own? Not at once when one of
# them is stopped while it handles a signal.
spinning() { # spinning PID
	kill -STOP "$1"
	await 10 has_line "/proc/$1/stat" ' T '
	run_leaktrace goroutines -p "$1" -f json
	python3 - "$L_OUT" "$1" <<-'PYTHON' && return
		import json, os, sys
		r = json.load(open(sys.argv[1]))
		spin = [g for g in r["goroutines"] if any(f["function"] == "main.spin" for f in g["frames"])]
		threads = {g["thread"] for g in spin if g["state"] == "running"}
		assert [f["function"] for f in spin[0]["frames"]][-2:] == ["main.spin", "main.run"], spin
		assert len(spin) == 2 and len(threads) == 2, spin
		assert all(os.path.exists(f"/proc/{sys.argv[2]}/task/{t}") for t in threads), threads
	PYTHON
	kill -CONT "$1"
	return 1
} 2>"$TMP/spinning.err"

# Those that run have a stack, too, when their thread is not on a processor; others are never mistaken.
running() {
	local pid whole=0

	start_program "$TMP/running"
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		run_leaktrace goroutines -p "$W_PID" -f json
		python3 - "$L_OUT" <<-'PYTHON' && whole=$((whole + 1))
			import json, sys
			r = json.load(open(sys.argv[1]))
			ends = {"main.comeAndGo", "main.run", "main.main", "main.main.func1", "runtime.goexit", "main.spin"}
			for g in r["goroutines"]:
			    if g["frames"] and not g["system"]:
			        assert g["complete"] and g["frames"][-1]["function"].split(".gowrap")[0] in ends, g
		PYTHON
	done
	is "Go $GO: stacks of a program that runs" "$whole of 10" "10 of 10"
	ok "Go $GO: running goroutines of a stopped process" await 20 spinning "$W_PID" ||
		diag "$(cat "$TMP/spinning.err")"
	workload_kill
	if ! unshare --pid --fork true 2>/dev/null; then
		skip "Go $GO: running goroutines in a container" "there can be no process id namespace"
		return
	fi
	start_program unshare --pid --fork --kill-child "$TMP/running"
	pid=$(cat "/proc/$W_PID/task/$W_PID/children")
	ok "Go $GO: running goroutines in a container" await 20 spinning "${pid% }" ||
		diag "$(cat "$TMP/spinning.err")"
	workload_kill
}

library() { # in a program that is not Go's
	start_program python3 -c "import ctypes, os, time; ctypes.CDLL('$TMP/library.so').start(7)
print('ready', os.getpid(), flush=True); time.sleep(1000)"
	run_leaktrace goroutines -p "$W_PID"
	is "Go $GO: a library in Go" "$L_STATUS $(grep -c '^created by main.start' "$L_OUT")" "0 7"
	workload_kill
}

for GO in $GO_VERSIONS; do
	have_go || continue
	go_build states plain 0 && go_build states stripped 0 -ldflags "-s -w" &&
		go_build states pie-stripped 0 -buildmode=pie -ldflags "-s -w" || continue
	variables plain
	states plain 33 30
	states stripped 33 30
	drop_sections "$TMP/stripped"
	states stripped 33 30
	states pie-stripped 33 30
	versions
	stopped
	if go_build running running 0; then running; fi
	command -v gcc >/dev/null || { skip "Go $GO, with C" "there is no gcc"; continue; }
	go_build states_cgo cgo 1 && go_build states_cgo cgo-stripped 1 -buildmode=pie -ldflags "-s -w" || continue
	variables cgo
	states cgo 5 4
	states cgo-stripped 5 4
	if go_build library library.so 1 -buildmode=c-shared -ldflags "-s -w"; then library; fi
done

# -- what it says when it cannot, and in JSON --------------------------------------------------------
GO=${GO_VERSIONS##* }
if have_go && [ -x "$TMP/plain" ]; then
	start_states plain
	run_leaktrace goroutines -p "$W_PID" -f json
	is "JSON" "$(python3 - "$L_OUT" "$W_PID" <<-'PYTHON' 2>&1
		import json, sys
		r = json.load(open(sys.argv[1]))
		all = {g["id"]: g for g in r["goroutines"]}
		sleeping = [g for g in all.values() if g["state"] == "sleep"]
		labelled = [g["labels"] for g in all.values() if g["labels"]]
		print(r["schema"], r["pid"] == int(sys.argv[2]), r["go"][:3], all[1]["thread"] is not None,
		      sleeping[0]["frames"][0]["function"], sleeping[0]["created_by"]["function"],
		      len(labelled), labelled[0])
	PYTHON
	)" "leaktrace.goroutines/1 True go1 True time.Sleep main.timers 2 {'kind': 'test', 'user': 'one'}"
	workload_kill
	run_leaktrace goroutines -p "$W_PID"
	is "a process that has ended" "$L_STATUS $(cat "$L_ERR")" "1 leaktrace: no process with pid $W_PID"
fi

start_workload blocks 1
run_leaktrace goroutines -p "$W_PID"
is "a process that is not Go's" "$L_STATUS $(cat "$L_ERR")" \
	"1 leaktrace: pid $W_PID (blocks) is not a Go program"
if id nobody >/dev/null 2>&1 && command -v setpriv >/dev/null; then
	cp "$LEAKTRACE" "$TMP/leaktrace"
	setpriv --reuid=nobody --clear-groups "$TMP/leaktrace" goroutines -p "$W_PID" >"$TMP/out" 2>&1
	like "somebody else's process" "$? $(cat "$TMP/out")" \
		"^1 leaktrace: pid $W_PID: permission denied: run leaktrace as root, or with CAP_SYS_PTRACE"
else
	skip "somebody else's process" "there is no nobody, or no setpriv"
fi
workload_kill
run_leaktrace goroutines
is "no process" "$L_STATUS $(cat "$L_ERR")" \
	"2 leaktrace: leaktrace goroutines needs one process: name it with -p PID"
done_testing
