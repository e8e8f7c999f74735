#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The heap of a Go program that keeps no profile of it, by stack: what is kept amid what is dropped, of the
# same sizes, is found with its stack within a tenth, and all of it adds up.
GO_VERSIONS=${GO_VERSIONS:-1.19 1.27}
BUSY_SECONDS=${BUSY_SECONDS:-8}
. "$(dirname "$0")/../lib/harness.bash"
. "$(dirname "$0")/../lib/golang.bash"

# heap_says EXPRESSION: of the resource `heap`; held(F) is what stacks with function F hold, in bytes and
# objects; whole(F): all of them lead to main or to where a goroutine starts
heap_says() {
	python3 - "$L_REPORT" "$1" <<-'PYTHON' 2>&1
		import json, sys
		r = json.load(open(sys.argv[1]))
		heap = next(x for x in r["resources"] if x["kind"] == "memory" and x.get("state") == "go")
		def stacks(f):
		    return [s for s in heap["stacks"] if any(x["function"] == f for x in s["frames"])]
		def held(f, of="amount"):
		    return sum(s[of] for s in stacks(f))
		def whole(f):
		    return all(s["complete"] for s in stacks(f))
		def via(v):
		    return sum(s["amount"] for s in heap["stacks"] if s["via"] == v)
		print(eval(sys.argv[2]))
	PYTHON
}

near() { # near NAME GOT WANTED [PART]: within a tenth, or such a part
	ok "$1: ${2%.*} of $3" awk -v got="$2" -v wanted="$3" -v part="${4:-0.1}" \
		'BEGIN { exit !(wanted && got >= wanted * (1 - part) && got <= wanted * (1 + part)) }'
}

# kept FUNCTION: what the workload says that it has kept there, "OBJECTS BYTES"
kept() { sed -n "s/^kept $1 //p" "$W_OUT"; }

leaks() { # leaks NAME PROGRAM COLLECT
	local name="Go $GO, $1" f objects bytes

	start_program env COLLECT="$3" "$TMP/$2" 20000000
	start_leaktrace -w memory -p "$W_PID" || flunk "$name: is traced"
	workload_go
	stop_leaktrace
	for f in main.keepNode main.keepRecord main.keepLarge; do
		read -r objects bytes <<<"$(kept "$f")"
		near "$name: $f, bytes" "$(heap_says "held('$f')")" "$bytes"
		[ $f = main.keepLarge ] || # it keeps arrays of them, too
			near "$name: $f, objects" "$(heap_says "held('$f', 'count')")" "$objects"
		is "$name: $f: whole stacks" "$(heap_says "whole('$f')")" True
	done
	read -r objects bytes <<<"$(kept main.keepBefore)"
	near "$name: held since before tracing" "$(heap_says 'via("in spans from before tracing")')" "$bytes"
	is "$name: all that is held adds up" \
		"$(heap_says 'abs(sum(s["amount"] for s in heap["stacks"]) - heap["outstanding"]["amount"]) < 1000')" \
		True
	is "$name: hardly anything is of unknown origin" \
		"$(heap_says 'via("of unknown origin") * 100 < heap["outstanding"]["amount"]')" True
	is "$name: nothing was lost" "$(heap_says 'sum(r["coverage"]["lost"].values())')" 0
	like "$name: the report says how it knows" "$(heap_says 'heap["method"]')" "the runtime's own counts"
	workload_end
	is "$name: the program has not been harmed" "$W_STATUS" 0
}

# What was dropped and collected is not held.
dropped() {
	ok "Go $GO, $1: what was dropped is not held" \
		test "$(heap_says "int(held('main.dropNode') + held('main.dropRecord'))")" -lt 2000000
}

# A program that takes spans faster than each could be looked at: less exact, as it is a sample of these.
busy() {
	local name="Go $GO, busy" f objects bytes

	start_program "$TMP/busy" "$BUSY_SECONDS"
	start_leaktrace -w memory -p "$W_PID" || flunk "$name: is traced"
	workload_go
	stop_leaktrace
	for f in main.keepFirst main.keepSecond; do
		read -r objects bytes <<<"$(kept "$f")"
		near "$name: $f, bytes" "$(heap_says "held('$f')")" "$bytes" 0.25
		near "$name: $f, objects" "$(heap_says "held('$f', 'count')")" "$objects" 0.25
	done
	is "$name: all that is held adds up" \
		"$(heap_says 'abs(sum(s["amount"] for s in heap["stacks"]) - heap["outstanding"]["amount"]) < 1000')" \
		True
	is "$name: hardly anything is of unknown origin" \
		"$(heap_says 'via("of unknown origin") * 100 < heap["outstanding"]["amount"]')" True
	like "$name: the report says that it is looked at in turns" "$(heap_says 'heap["method"]')" \
		"the probes are there [0-9.]+ % of its CPU time; "
	workload_end
	is "$name: the program has not been harmed" "$W_STATUS" 0
}

for GO in $GO_VERSIONS; do
	have_go || continue
	go_build spans plain 0 && go_build spans stripped 0 -ldflags "-s -w" &&
		go_build spans pie-stripped 0 -buildmode=pie -ldflags "-s -w" || continue
	leaks plain plain ""
	leaks "stripped, collected" stripped 1
	dropped "stripped, collected"
	leaks "position-independent, stripped" pie-stripped ""
	go_build busy busy 0 && busy
done
done_testing
