#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Real programs that work with many processes: each is followed, and what the report says that they hold is what the
# system says.
. "$(dirname "$0")/../lib/harness.bash"

what="-w fd,connection,process"

free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# Processes and their children, but for zombies.
family() { # family PID
	echo "$1"
	ps -o pid=,stat= --ppid "$1" | awk '$2 !~ /^Z/ { print $1 }'
}

are_stopped() { # are_stopped PID: it and its children
	local pid

	# shellcheck disable=SC2046
	kill -STOP $(family "$1") 2>/dev/null
	for pid in $(family "$1"); do
		grep -q '^State:.T' "/proc/$pid/status" || return 1
	done
}

# totals_are NAME PID: stops it and its children, and compares.
totals_are() {
	local pids

	await "$PATIENCE" are_stopped "$2"
	sleep 0.5
	pids=$(family "$2" | sort -n | tr '\n' ' ')
	W_OUT=$TMP/truth
	: >"$W_OUT"
	# shellcheck disable=SC2086
	system_says $pids
	stop_leaktrace
	# shellcheck disable=SC2086
	kill -CONT $pids
	is "$1: leaktrace's exit status" "$L_STATUS" 0
	is "$1: those that live are followed" \
		"$(report_says "sorted(p['pid'] for p in r['target']['processes'] if p['state'] != 'ended')" | tr -d '[],') " "$pids"
	books_are "$1: they hold what the system says" --sites-only --living
	ok "$1: the report is valid" "$lib/validate-json" "$lib/../schema/report-1.schema.json" "$L_REPORT"
}

# Whether each of these pids is in the report, or has been counted as too brief.
none_is_missing() { # none_is_missing PID...
	report_says "(len({$(echo "$@" | tr ' ' ,)} - {p['pid'] for p in r['target']['processes']})
		<= r['coverage']['brief_children'] + sum(p['count'] for p in r['target']['ended_processes']))"
}

# -- a prefork server that gets new workers ----------------------------------------------------------
workers() { pgrep -P "$1" | sort -n | tr '\n' ' '; }

has_new_workers() { # has_new_workers MASTER OLD: four, and none of the old ones
	local now

	now=$(workers "$1")
	[ "$(wc -w <<<"$now")" = 4 ] && ! grep -q -w -F "$(tr ' ' '\n' <<<"$2" | sed '/^$/d')" <<<"$now"
}

nginx_is_up() { [ "$(pgrep -c -P "$1")" = 4 ]; }

nginx_reloaded() {
	local port master old all load

	if ! type -P nginx >/dev/null || ! type -P wrk >/dev/null; then
		skip nginx "nginx or wrk is not installed"
		return
	fi
	port=$(free_port)
	cat >"$TMP/nginx.conf" <<-CONF
		daemon off; pid $TMP/nginx.pid; error_log $TMP/nginx.log; worker_processes 4;
		events {}
		http {
			access_log off;
			server { listen 127.0.0.1:$port; location / { return 200 "hello"; } }
		}
	CONF
	nginx -p "$TMP" -c "$TMP/nginx.conf" 2>/dev/null &
	master=$!
	children+=("$master")
	await "$PATIENCE" nginx_is_up "$master" || { flunk "nginx starts"; return; }
	old=$(workers "$master")
	all=$old
	# shellcheck disable=SC2086
	start_leaktrace $what -p "$(echo $master $old | tr ' ' ,)" || { flunk "nginx: tracing"; return; }
	wrk -t1 -c7 -d$((PATIENCE))s "http://127.0.0.1:$port/" >"$TMP/wrk.out" 2>&1 &
	load=$!
	children+=("$load")
	for _ in 1 2; do
		kill -HUP "$master"
		await "$PATIENCE" has_new_workers "$master" "$old" || flunk "nginx: new workers"
		old=$(workers "$master")
		all+=$old
		sleep 0.5
	done
	kill -INT "$load"
	await_exit "$load"
	sleep 1
	totals_are nginx "$master"
	# shellcheck disable=SC2086
	is "nginx: all 12 workers" "$(wc -w <<<"$all") $(none_is_missing $all) $(report_says "r['coverage']['untraced_children']")" \
		"12 True 0"
	is "nginx: 8 of them have ended" \
		"$(report_says "sum(p['state'] == 'ended' for p in r['target']['processes'])")" 8
	kill "$(cat "$TMP/nginx.pid")"
}

# -- a process for each connection ---------------------------------------------------------------------
postgres_connections() {
	local bin port run postmaster before made stay clients

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
		-c log_connections=on -c 'log_line_prefix=%p ' >"$TMP/pg.log" 2>&1 &
	postmaster=$!
	children+=("$postmaster")
	await "$PATIENCE" "$bin/pg_isready" -q -h 127.0.0.1 -p "$port" || { flunk "postgres starts"; return; }
	sleep 1
	before=$(grep -c 'connection received' "$TMP/pg.log")
	start_leaktrace $what -p "$(family "$postmaster" | paste -sd ,)" || { flunk "postgres: tracing"; return; }
	for _ in 1 2 3 4 5; do
		clients=()
		for _ in 1 2 3 4 5 6 7 8 9 10; do
			"$bin/psql" -U postgres -h 127.0.0.1 -p "$port" -qc 'select pg_sleep(0.2)' postgres >/dev/null &
			clients+=($!)
		done
		wait "${clients[@]}"
	done
	stay=$TMP/psql.in
	mkfifo "$stay"
	"$bin/psql" -U postgres -h 127.0.0.1 -p "$port" -q postgres <"$stay" >"$TMP/psql.out" &
	children+=($!)
	exec {STAY}>"$stay"
	echo 'select 7;' >&"$STAY"
	await "$PATIENCE" has_line "$TMP/psql.out" 7
	sleep 1
	made=$(sed -n 's/^\([0-9]*\) LOG:  connection received.*/\1/p' "$TMP/pg.log" | tail -n +$((before + 1)) | tr '\n' ' ')
	totals_are postgres "$postmaster"
	# shellcheck disable=SC2086
	is "postgres: 50 connections have come and gone, and one has stayed" \
		"$(wc -w <<<"$made") $(none_is_missing $made)" "51 True"
	is "postgres: no loss" "$(report_says "sum(r['coverage']['lost'].values())")" 0
	exec {STAY}>&-
	kill -INT "$postmaster"
	await_exit "$postmaster"
}

# -- as commands -------------------------------------------------------------------------------------------
python_pool() {
	local pids

	L_REPORT=$TMP/pool.json
	run_leaktrace -f json -T 0 -o "$L_REPORT" --pass-status -- python3 -c '
import multiprocessing, os, sys, time

def task(n):
    time.sleep(0.02)
    return os.getpid()

if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    with multiprocessing.Pool(3, maxtasksperchild=2) as pool:
        pids = set(pool.map(task, range(17), chunksize=1))
        pool.close()
        pool.join()
    print(*pids)
    sys.exit(7)'
	pids=$(cat "$L_OUT")
	is "a pool: its exit status" "$L_STATUS" 7
	ok "a pool: processes come and go" test "$(wc -w <<<"$pids")" -ge 8
	# shellcheck disable=SC2086
	is "a pool: each is in the report" "$(none_is_missing $pids) $(report_says "r['coverage']['untraced_children']")" "True 0"
	is "a pool: nothing lost" "$(report_says "sum(r['coverage']['lost'].values())") $(report_says "r['coverage']['exact']")" "0 True"
	is "a pool: none ran unseen" \
		"$(report_says "{p['unseen_ms'] for p in r['target']['processes'] if p['unseen_ms']}")" "set()"
}

build() {
	local i

	if ! type -P gcc >/dev/null || ! type -P make >/dev/null; then
		skip "make -j2" "gcc or make is not installed"
		return
	fi
	mkdir "$TMP/project"
	for i in 1 2 3 4 5; do echo "int f$i(void) { return $i; }" >"$TMP/project/f$i.c"; done
	echo 'int f1(void); int main(void) { return f1() - 1; }' >"$TMP/project/main.c"
	# what gcc starts is started through this, which is then that
	printf '#!/bin/sh\necho $$ >>"%s"\nexec "$@"\n' "$TMP/project/pids" >"$TMP/project/say-pid"
	chmod 755 "$TMP/project/say-pid"
	cat >"$TMP/project/Makefile" <<-'MAKE'
		OBJECTS := main.o f1.o f2.o f3.o f4.o f5.o
		program: $(OBJECTS) ; gcc -wrapper ./say-pid -o $@ $(OBJECTS)
		%.o: %.c ; gcc -wrapper ./say-pid -c -o $@ $<
		failing: program ; ./program && exit 5
	MAKE
	L_REPORT=$TMP/build.json
	run_leaktrace -f json -T 0 -o "$L_REPORT" --pass-status -- make -j2 -C "$TMP/project"
	is "make -j2: its exit status" "$L_STATUS" 0
	ok "make -j2: it is built" "$TMP/project/program"
	# shellcheck disable=SC2046
	is "make -j2: what gcc has started is in the report" \
		"$(wc -l <"$TMP/project/pids") $(none_is_missing $(cat "$TMP/project/pids"))" "13 True"
	# make; a gcc, cc1 and as for each of six files; a gcc, collect2 and ld
	is "make -j2: each process is counted" \
		"$(report_says "sorted(__import__('collections').Counter(p['comm'] for p in r['target']['processes']).items())")" \
		"[('as', 6), ('cc1', 6), ('collect2', 1), ('gcc', 7), ('ld', 1), ('make', 1)]"
	is "make -j2: nothing lost" \
		"$(report_says "sum(r['coverage']['lost'].values())") $(report_says "r['coverage']['untraced_children']")" "0 0"
	run_leaktrace --pass-status -- make -j2 -C "$TMP/project" failing
	is "make -j2: the exit status of one that fails" "$L_STATUS" 2
}

python_pool
build
nginx_reloaded
postgres_connections
done_testing
