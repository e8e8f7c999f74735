#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Real servers in Go under load, as Debian ships them: as many goroutines as they say themselves, none of
# them called leaked, every stack whole, nothing lost; and they serve on.
. "$(dirname "$0")/../lib/harness.bash"

SECONDS_TRACED=${SECONDS_TRACED:-5}

servers=$("$lib/goservers" 2>"$TMP/servers.err") || skip_all "$(tail -n 1 "$TMP/servers.err")"

free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

fetch() { python3 -c 'import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=10).read().decode())' "$1"; }

# asks for its argument over and over, until it is ended; no request may fail
cat >"$TMP/load.py" <<'PYTHON'
import signal, sys, urllib.request as u
stop = []
signal.signal(signal.SIGTERM, lambda *a: stop.append(1))
while not stop:
    u.urlopen(sys.argv[1], timeout=10).read()
PYTHON

# goroutines: the report's
goroutines() {
	report_says '(lambda g: '"$1"')(next(x for x in r["resources"] if x["kind"] == "goroutine"))'
}

# trace NAME PID URL PPROF: under requests to URL; PPROF is where the server tells of itself
trace() {
	local name=$1 pid=$2 url=$3 pprof=$4 loader own

	python3 "$TMP/load.py" "$url" >"$TMP/load" 2>&1 &
	loader=$!
	children+=("$loader")
	run_leaktrace -p "$pid" -d "$SECONDS_TRACED" -f json -T 0
	own=$(fetch "$pprof/goroutine?debug=1" | sed -n 's/^goroutine profile: total //p')
	kill "$loader"
	await_exit "$loader"
	is "$name: leaktrace's exit status" "$L_STATUS" 0 || diag "$(cat "$L_ERR")"
	L_REPORT=$L_OUT
	is "$name: the report is valid" \
		"$("$lib/validate-json" "$lib/../schema/report-1.schema.json" "$L_REPORT" 2>&1)" ""
	is "$name: nothing lost" "$(report_says 'sum(r["coverage"]["lost"].values())')" 0
	is "$name: no stack is cut" "$(report_says 'r["coverage"]["stacks"]["truncated"]')" 0 ||
		diag "$(report_says 'r["coverage"]["stacks"]')"
	# the request that asked for it, and its connection, have some of their own
	is "$name: as many goroutines as it says, $own, but for a few" \
		"$(goroutines 'abs(g["outstanding"]["count"] - '"$own"') <= 8')" True ||
		diag "$(goroutines 'g["outstanding"]')"
	is "$name: none of them is called leaked" \
		"$(goroutines '[s["id"] for s in g["stacks"] if s["verdict"]]')" "[]"
	is "$name: all of them were judged" "$(goroutines '"is not known" in g["method"]')" False ||
		diag "$(goroutines 'g["method"]')"
	is "$name: its heap is that of its packages" "$(report_says 'any("/'"$name"'/" in (f["function"] or "")
		for x in r["resources"] if (x["kind"], x["state"]) == ("memory", "go")
		for s in x["stacks"] for f in s["frames"])')" True
	is "$name: each request was answered" "$STATUS" 0 || diag "$(tail -n 3 "$TMP/load")"
	fetch "$url" >/dev/null
	is "$name: it serves on" $? 0
}

prometheus() {
	local port pid

	port=$(free_port)
	cat >"$TMP/prometheus.yml" <<-CONF
		global: {scrape_interval: 1s}
		scrape_configs: [{job_name: self, static_configs: [{targets: ["127.0.0.1:$port"]}]}]
	CONF
	"$servers/usr/bin/prometheus" --config.file="$TMP/prometheus.yml" --storage.tsdb.path="$TMP/tsdb" \
		--web.listen-address="127.0.0.1:$port" >"$TMP/prometheus.log" 2>&1 &
	pid=$!
	children+=("$pid")
	await 30 fetch "http://127.0.0.1:$port/-/ready" >/dev/null 2>&1
	trace prometheus "$pid" "http://127.0.0.1:$port/metrics" "http://127.0.0.1:$port/debug/pprof"
	kill "$pid"
	await_exit "$pid"
	is "prometheus: it ends as it should" "$STATUS" 0
}

etcd() {
	local client peer pid

	client=$(free_port) peer=$(free_port)
	"$servers/usr/bin/etcd" --data-dir "$TMP/etcd" --enable-pprof \
		--listen-client-urls "http://127.0.0.1:$client" \
		--advertise-client-urls "http://127.0.0.1:$client" \
		--listen-peer-urls "http://127.0.0.1:$peer" >"$TMP/etcd.log" 2>&1 &
	pid=$!
	children+=("$pid")
	await 30 fetch "http://127.0.0.1:$client/health" >/dev/null 2>&1
	trace etcd "$pid" "http://127.0.0.1:$client/health" "http://127.0.0.1:$client/debug/pprof"
	kill "$pid"
	await_exit "$pid"
}

prometheus
etcd
done_testing
