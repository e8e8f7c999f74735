#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Real servers under load: a valid report, nothing lost, every request answered, and they serve on.
. "$(dirname "$0")/../lib/harness.bash"

SECONDS_TRACED=${SECONDS_TRACED:-5}
SCHEMA=$lib/../schema/report-1.schema.json

free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# trace_under_load NAME PID COMMAND ARG...: the command is the load, run to its end beside the tracing
trace_under_load() {
	local name=$1 pid=$2 load

	shift 2
	"$@" >"$TMP/load.out" 2>&1 &
	load=$!
	children+=("$load")
	run_leaktrace -p "$pid" -d "$SECONDS_TRACED" -f json
	is "$name: leaktrace's exit status" "$L_STATUS" 0 || diag "$(cat "$L_ERR")"
	L_REPORT=$L_OUT
	ok "$name: the report is valid" "$lib/validate-json" "$SCHEMA" "$L_REPORT"
	is "$name: nothing lost" "$(report_says 'sum(r["coverage"]["lost"].values())')" 0
	is "$name: calls were seen" "$(report_says 'r["coverage"]["probe_hits"] > 1000')" True
	is "$name: no stack is cut" "$(report_says 'r["coverage"]["stacks"]["truncated"]')" 0
	await_exit "$load"
	is "$name: the load's exit status" "$STATUS" 0
	ok "$name: the process lives" kill -0 "$pid"
}

redis() {
	local port pid

	command -v redis-server >/dev/null || { skip redis "redis-server is not installed"; return; }
	port=$(free_port)
	redis-server --port "$port" --bind 127.0.0.1 --save '' --dir "$TMP" >"$TMP/redis.log" 2>&1 &
	pid=$!
	children+=("$pid")
	await 20 redis-cli -p "$port" ping >/dev/null 2>&1
	trace_under_load redis "$pid" timeout 100 redis-benchmark -p "$port" -t set,get,lpush,hset \
		-n 60000 -r 5000 -q
	is "redis: it serves on" "$(redis-cli -p "$port" ping)" PONG
	ok "redis: leaked keys have a stack of redis" test \
		"$(report_says 'len(memory["stacks"]) > 0 and len(memory["stacks"][0]["frames"]) > 3')" = True
	kill "$pid"
}

nginx_server() {
	local port worker

	if ! command -v nginx >/dev/null || ! command -v wrk >/dev/null; then
		skip nginx "nginx or wrk is not installed"
		return
	fi
	port=$(free_port)
	cat >"$TMP/nginx.conf" <<-CONF
		daemon off; pid $TMP/nginx.pid; error_log $TMP/nginx.log; worker_processes 1;
		events {}
		http {
			access_log off;
			server { listen 127.0.0.1:$port; location / { return 200 "hello"; } }
		}
	CONF
	nginx -p "$TMP" -c "$TMP/nginx.conf" 2>/dev/null &
	children+=($!)
	await 20 pgrep -P $! >/dev/null
	worker=$(pgrep -P $!)
	children+=("$worker")
	trace_under_load nginx "$worker" wrk -t1 -c8 -d$((SECONDS_TRACED + 2))s "http://127.0.0.1:$port/"
	is "nginx: no request failed" "$(grep -cE 'Socket errors|Non-2xx' "$TMP/load.out")" 0
	kill "$(cat "$TMP/nginx.pid")"
}

postgres_backend() {
	local bin port run backend

	bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -n 1)
	if [ -z "$bin" ] || ! id postgres >/dev/null 2>&1; then
		skip postgres "postgresql is not installed"
		return
	fi
	port=$(free_port)
	run="runuser -u postgres --"
	chmod 755 "$TMP"
	install -d -o postgres "$TMP/pg"
	$run "$bin/initdb" -D "$TMP/pg/data" >/dev/null 2>&1
	$run "$bin/postgres" -D "$TMP/pg/data" -p "$port" -k "$TMP/pg" -h '' >"$TMP/pg.log" 2>&1 &
	children+=($!)
	await 30 $run "$bin/pg_isready" -q -h "$TMP/pg" -p "$port"
	$run "$bin/pgbench" -h "$TMP/pg" -p "$port" -i -q postgres >/dev/null 2>&1
	$run "$bin/pgbench" -h "$TMP/pg" -p "$port" -T $((SECONDS_TRACED + 4)) -c 1 postgres \
		>"$TMP/pgbench.out" 2>&1 &
	load=$!
	children+=("$load")
	sleep 1 # the first of pgbench's connections is a short one
	backend=$(pgrep -n -f '^postgres: postgres postgres \[local\]')
	trace_under_load postgres "$backend" true
	await_exit "$load"
	is "postgres: the load's exit status" "$STATUS" 0
	is "postgres: no transaction failed" \
		"$(sed -n 's/^number of failed transactions: \([0-9]*\).*/\1/p' "$TMP/pgbench.out")" 0
	kill -INT "$(head -n 1 "$TMP/pg/data/postmaster.pid")"
}

python_server() {
	local port pid

	port=$(free_port)
	python3 "$lib/../workloads/server.py" "$port" >"$TMP/python.log" 2>&1 &
	pid=$!
	children+=("$pid")
	await 20 has_line "$TMP/python.log" ready
	trace_under_load python "$pid" python3 "$lib/../workloads/client.py" "$port" $((SECONDS_TRACED + 1))
	like "python: every request was answered" "$(cat "$TMP/load.out")" '^answered all of [1-9][0-9]+$'
	kill "$pid"
}

redis
nginx_server
postgres_backend
python_server
done_testing
