#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Goroutines in reports: how many, of which state, started where; of programs that go on, end, run
# another program, are stopped, or were made by a Go that is not known.
. "$(dirname "$0")/../lib/harness.bash"
. "$(dirname "$0")/../lib/golang.bash"

# groups FUNCTION: of the report's goroutines those that it has started: state, how many, and of those, how
# many before. The latter have a group of their own: what has led to FUNCTION is not known of them.
groups() {
	report_says '(lambda g: sorted((state, sum(s["count"] for s in g if s["state"] == state),
			sum(s["before"]["count"] for s in g if s["state"] == state))
		for state in {s["state"] for s in g}))([s for x in r["resources"]
		if x["kind"] == "goroutine" for s in x["stacks"]
		if s["frames"] and s["frames"][0]["function"] == "'"$1"'"])'
}

goroutine() { # goroutine EXPRESSION over the resource `g`
	report_says '(lambda g: '"$1"')(next(x for x in r["resources"] if x["kind"] == "goroutine"))'
}

lives() {
	start_program "$TMP/lives" wait
	start_leaktrace -w goroutine -p "$W_PID" || flunk "Go $GO: is traced"
	workload_go
	stop_leaktrace
	is "Go $GO: exit status" "$L_STATUS" 0
	is "Go $GO: those that wait, and how many of them did before" "$(groups main.startProducer)" \
		"[('chan send', 34, 11)]"
	is "Go $GO: one that sleeps" "$(groups main.startSleeper)" "[('sleep', 1, 1)]"
	is "Go $GO: those that have ended are released" "$(goroutine 'g["released"]["count"]')" 41
	is "Go $GO: the books add up" "$(goroutine 'g["outstanding"]["count"] == g["before"]["count"] +
		g["acquired"]["count"] - g["released"]["count"]')" True
	is "Go $GO: where they stand" "$(goroutine '[(s["place"][0]["function"], s["place"][0]["line"])
		for s in g["stacks"] if s["count"] == 23]')" \
		"[('main.startProducer.func1', $(grep -n 'c <- 1 }()' "$lib/../workloads/go/lives.go" |
			head -n 1 | cut -d : -f 1))]"
	is "Go $GO: what has led to their start" "$(goroutine '[[f["function"] for f in s["frames"]]
		for s in g["stacks"] if s["count"] == 23]')" \
		"[['main.startProducer', 'main.live', 'main.main', 'runtime.main']]"
	is "Go $GO: nothing that the compiler made for the go statement" "$(goroutine '[[f["function"]
		for f in s["place"]] for s in g["stacks"] if s["state"] == "sleep"]')" "[['time.Sleep']]"
	is "Go $GO: nobody has started the first one" "$(goroutine '[s["frames"] for s in g["stacks"]
		if "main.main" in (f["function"] for f in s["place"])]')" "[[]]"
	is "Go $GO: they are described" "$(goroutine '{(i["state"], i["id"] > 0, i["wait_seconds"] > 0.1)
		for s in g["stacks"] for i in s["items"] if s["count"] == 23}')" \
		"{('chan send', True, True)}"
	is "Go $GO: valid" "$("$lib/validate-json" "$lib/../schema/report-1.schema.json" "$L_REPORT" 2>&1)" ""
	run_leaktrace -w goroutine -d 0.3 -p "$W_PID"
	ok "Go $GO: text names who has started them" grep -q -E '^ +main.startProducer +/.*lives.go:[0-9]+' "$L_OUT"
	workload_end
	is "Go $GO: it was not disturbed" "$W_STATUS" 0
}

ends() {
	start_program "$TMP/lives" exit
	start_leaktrace -w goroutine -p "$W_PID" || flunk "Go $GO: is traced"
	workload_go
	sleep 1.2
	workload_end
	is "Go $GO: it ends as ever" "$W_STATUS" 7
	await_leaktrace
	is "Go $GO, ended: exit status" "$L_STATUS" 0
	is "Go $GO, ended: what was read last is kept" "$(groups main.startProducer)" "[('chan send', 34, 11)]"
}

becomes_another() {
	start_program "$TMP/lives" exec
	start_leaktrace -w goroutine,fd -p "$W_PID" || flunk "Go $GO: is traced"
	workload_go
	workload_end
	await_leaktrace
	is "Go $GO, exec: exit status" "$L_STATUS $W_STATUS" "0 0"
	is "Go $GO, exec: nothing is left of it" \
		"$(report_says '[x["outstanding"]["count"] for x in r["resources"] if x["kind"] == "goroutine"]')" \
		"[]"
}

stopped() {
	start_program "$TMP/lives" wait
	kill -STOP "$W_PID"
	run_leaktrace -w goroutine -f json -d 0.5 -p "$W_PID"
	is "Go $GO, stopped: exit status" "$L_STATUS" 0
	L_REPORT=$L_OUT
	is "Go $GO, stopped: it is read as well" "$(groups main.startProducer)" "[('chan send', 11, 11)]"
	kill -CONT "$W_PID"
	workload_kill
}

# A copy that says it was made by Go 1.99
unknown() {
	local version

	version=$("$GO_ROOT/bin/go" version "$TMP/lives" | sed 's/.*: //')
	sed "s/$version/${version/1.${GO#1.}/1.99}/g" "$TMP/lives" >"$TMP/newer"
	chmod +x "$TMP/newer"
	start_program "$TMP/newer" wait
	run_leaktrace -w goroutine -d 0.3 -p "$W_PID"
	is "Go $GO, a release that is not known: exit status" "$L_STATUS" 1
	like "Go $GO, a release that is not known: it says so" "$(cat "$L_ERR")" 'go1\.99.*not known'
	run_leaktrace -w goroutine,fd -f json -d 0.3 -p "$W_PID"
	is "Go $GO, a release that is not known: the rest is traced" "$L_STATUS" 0
	like "Go $GO, a release that is not known: and it is said" "$(cat "$L_ERR")" 'go1\.99.*not known'
	workload_kill
}

many() {
	start_program "$TMP/lives" many 200000
	run_leaktrace -w goroutine -f json -d 0.5 -p "$W_PID"
	is "Go $GO, 200,000 goroutines: exit status" "$L_STATUS" 0
	L_REPORT=$L_OUT
	is "Go $GO, 200,000 goroutines: all are there" "$(groups main.startWaiters)" \
		"[('chan send', 200000, 200000)]"
	workload_kill
}

command_from_start() {
	run_leaktrace -w goroutine -f json -- "$TMP/lives" wait </dev/null
	is "Go $GO, a command: exit status" "$L_STATUS" 0
}

start_workload blocks
run_leaktrace -w goroutine -p "$W_PID" -d 0.1
is "no Go program: exit status" "$L_STATUS" 1
like "no Go program: it says so" "$(cat "$L_ERR")" 'no Go program'
workload_kill

for GO in $GO_VERSIONS; do
	have_go || continue
	go_build lives lives 0 -ldflags "-s -w" || continue
	lives
	ends
	becomes_another
	stopped
	unknown
	many
	command_from_start
done
done_testing
