#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Real servers at work: what a report says they hold is what /proc and ss show at the same instant.
. "$(dirname "$0")/../lib/harness.bash"

SECONDS_LOADED=${SECONDS_LOADED:-5}
what="-w fd,connection,thread,process"
if [ ! -x /usr/bin/ss ] && ! type -P ss >/dev/null; then skip_all "ss is not installed"; fi

free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

are_stopped() { # are_stopped PID...
	local pid

	for pid in "$@"; do
		grep -q '^State:.T' "/proc/$pid/status" || return 1
	done
}

# These and their children, but for zombies.
family() { # family PID...
	printf '%s\n' "$@" $(ps -o pid=,stat= --ppid "$(echo "$*" | tr ' ' ,)" | awk '$2 !~ /^Z/ { print $1 }') | sort -u
}

stop_all() { # stop_all PID...
	# shellcheck disable=SC2046
	kill -STOP $(family "$@") 2>/dev/null
	# shellcheck disable=SC2046
	are_stopped $(family "$@")
}

# Whether nothing moves any more: those that have not been stopped may go on for a while.
is_still() { # is_still PID...
	"$lib/system.py" "$@" >"$TMP/then" && sleep 0.2 && "$lib/system.py" "$@" >"$TMP/now" &&
		cmp -s "$TMP/then" "$TMP/now"
}

# totals_are NAME LOAD PID...: stops the load and then the processes and their children, and asks the system and
# leaktrace what these hold; then all go on.
totals_are() {
	local name=$1 load=$2

	shift 2
	kill -STOP "$load"
	kill -STOP "$@"
	await "$PATIENCE" stop_all "$@" # what they have made meanwhile, too
	# shellcheck disable=SC2046
	set -- $(family "$@")
	ok "$name: they are stopped" await "$PATIENCE" are_stopped "$@"
	ok "$name: nothing moves" await "$PATIENCE" is_still "$@"
	W_OUT=$TMP/truth
	: >"$W_OUT"
	system_says "$@"
	stop_leaktrace
	"$lib/system.py" "$@" >"$TMP/after"
	kill -CONT "$@"
	kill -CONT "$load"
	is "$name: leaktrace's exit status" "$L_STATUS" 0
	ok "$name: nothing moved meanwhile" cmp -s "$W_OUT" "$TMP/after" || diag "$(diff "$W_OUT" "$TMP/after")"
	books_are "$name: totals are those of /proc and ss" --sites-only --living || diag "$(cat "$W_OUT")"
	ok "$name: the report is valid" "$lib/validate-json" "$lib/../schema/report-1.schema.json" "$L_REPORT"
}

total() { # total KIND STATE TALLY: its count
	report_says "[x['$3']['count'] for x in r['resources'] if (x['kind'], x['state']) == ('$1', $2)][0]"
}

nginx_server() {
	local port pids load

	if ! type -P nginx >/dev/null || ! type -P wrk >/dev/null; then
		skip nginx "nginx or wrk is not installed"
		return
	fi
	port=$(free_port)
	cat >"$TMP/nginx.conf" <<-CONF
		daemon off; pid $TMP/nginx.pid; error_log $TMP/nginx.log; worker_processes 2;
		events {}
		http {
			access_log off;
			server { listen 127.0.0.1:$port; location / { return 200 "hello"; } }
		}
	CONF
	nginx -p "$TMP" -c "$TMP/nginx.conf" 2>/dev/null &
	pids=$!
	children+=("$pids")
	await "$PATIENCE" nginx_is_up "$pids" || { flunk "nginx starts"; return; }
	pids="$pids $(pgrep -P "$pids" | tr '\n' ' ')"
	# shellcheck disable=SC2086
	children+=($pids)
	start_leaktrace $what -p "$(echo $pids | tr ' ' ,)" || { flunk "nginx: tracing"; return; }
	wrk -t1 -c31 -d$((SECONDS_LOADED + 60))s -H 'Connection: close' "http://127.0.0.1:$port/" \
		>"$TMP/wrk.out" 2>&1 &
	load=$!
	children+=("$load")
	sleep "$SECONDS_LOADED"
	# shellcheck disable=SC2086
	totals_are nginx "$load" $pids
	ok "nginx: connections came and went" test "$(total connection "'open'" released)" -gt 100
	ok "nginx: and each was a descriptor" \
		test "$(total fd None released)" -ge "$(total connection "'open'" released)"
	kill -INT "$load"
	await_exit "$load"
	is "nginx: no request failed" "$(grep -c 'Non-2xx' "$TMP/wrk.out")" 0
	kill "$(cat "$TMP/nginx.pid")"
}

nginx_is_up() { [ "$(pgrep -c -P "$1")" = 2 ]; }

postgres_server() {
	local bin port run postmaster pids load

	bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -n 1)
	if [ -z "$bin" ] || ! id postgres >/dev/null 2>&1; then
		skip postgres "postgresql is not installed"
		return
	fi
	port=$(free_port)
	run="setpriv --reuid postgres --regid postgres --clear-groups"
	install -d -o postgres "$TMP/pg"
	$run "$bin/initdb" -D "$TMP/pg/data" >/dev/null 2>&1
	$run "$bin/postgres" -D "$TMP/pg/data" -p "$port" -k "$TMP/pg" -h 127.0.0.1 -c autovacuum=off \
		>"$TMP/pg.log" 2>&1 &
	postmaster=$!
	children+=("$postmaster")
	await "$PATIENCE" "$bin/pg_isready" -q -h 127.0.0.1 -p "$port" || { flunk "postgres starts"; return; }
	"$bin/pgbench" -U postgres -h 127.0.0.1 -p "$port" -i -q postgres >/dev/null 2>&1
	await "$PATIENCE" no_backend "$postmaster"
	pids="$postmaster $(pgrep -P "$postmaster" | tr '\n' ' ')"
	# shellcheck disable=SC2086
	start_leaktrace $what -p "$(echo $pids | tr ' ' ,)" || { flunk "postgres: tracing"; return; }
	"$bin/pgbench" -U postgres -h 127.0.0.1 -p "$port" -n -S -C -c 50 -T $((SECONDS_LOADED + 60)) postgres \
		>"$TMP/pgbench.out" 2>&1 &
	load=$!
	children+=("$load")
	sleep "$SECONDS_LOADED"
	# shellcheck disable=SC2086
	totals_are postgres "$load" $pids
	ok "postgres: connections came and went" test "$(total connection "'open'" released)" -gt 50
	ok "postgres: and a process for each" test "$(total process "'running'" acquired)" -gt 50
	ok "postgres: it waits for all of them" test "$(total process "'zombie'" outstanding)" -lt 50
	kill "$load"
	await_exit "$load"
	kill -INT "$postmaster"
	await_exit "$postmaster"
}

no_backend() { ! pgrep -P "$1" -f 'postgres: postgres postgres' >/dev/null; }

# Seven of fifty connections are forgotten, and the report says so in words.
leaky() {
	local port

	python3 "$lib/../workloads/hangs_up.py" >"$TMP/port" &
	children+=($!)
	await "$PATIENCE" test -s "$TMP/port"
	port=$(cat "$TMP/port")
	start_program python3 "$lib/../workloads/leaky.py" "$port"
	start_leaktrace $what -p "$W_PID"
	workload_go
	system_says "$W_PID"
	is "leaky.py: ss shows seven" "$(ss -Htnp state close-wait | grep -c "pid=$W_PID,")" 7
	stop_leaktrace
	books_are "leaky.py: totals are those of /proc and ss" --sites-only
	is "leaky.py: acquired" "$(total connection "'open'" acquired)" 50
	is "leaky.py: seven are left, by one stack" "$(connects '(s["count"], s["via"], s["complete"])')" \
		"[(7, 'connect', True)]"
	is "leaky.py: the peer has closed all of them" \
		"$(connects '[(i["state"], i["remote"].endswith(":'"$port"'"),
			"peer closed" in i["note"] and "never called close" in i["note"]) for i in s["items"]]')" \
		"[[$(for _ in 1 2 3 4 5 6; do printf "('CLOSE_WAIT', True, True), "; done)('CLOSE_WAIT', True, True)]]"
	if grep -q "frames are followed" "$L_ERR"; then
		like "leaky.py: by its own line" "$(connects '[(f["function"], f["line"]) for f in s["frames"]]')" \
			"'create_connection', [0-9]+\), \('ask', $(sed -n '/create_connection/=' "$lib/../workloads/leaky.py")\), \('<module>'"
	else
		like "leaky.py: by the caller of connect in python's module for sockets" \
			"$(connects 's["frames"][0]["module"]')" "python|_socket"
	fi
	workload_end
}

connects() { # connects EXPRESSION of the stack `s`
	report_says "[$1 for x in r['resources'] if x['state'] == 'open' for s in x['stacks'] if s['count']]"
}

leaky
nginx_server
postgres_server
done_testing
