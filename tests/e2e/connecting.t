#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Threads that hang in connect keep nobody's connection out of the report. A kretprobe has room for so many
# calls at a time only: what others connect then has no stack, a census finds it, and it is counted.
. "$(dirname "$0")/../lib/harness.bash"

HANGING=70 MADE=7

cat >"$TMP/connecting.py" <<'PYTHON'
import os, socket, sys, threading, time

HANGING, MADE = map(int, sys.argv[1:])

def listen(backlog):
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.listen(backlog)
    return s

def connect(s, address):
    try:
        s.connect(address)
    except OSError:
        pass

def connecting():  # TCP sockets of any process in the state SYN_SENT
    return sum(line.split()[3] == "02" for line in open("/proc/net/tcp"))

full, free = listen(0), listen(MADE)
print("ready", os.getpid(), flush=True)
sys.stdin.readline()
sockets = [socket.socket() for _ in range(HANGING + 1)]  # one has room in the queue
for s in sockets:
    threading.Thread(target=connect, args=(s, full.getsockname()), daemon=True).start()
while connecting() < HANGING:
    time.sleep(0.05)
made = [socket.create_connection(free.getsockname()) for _ in range(MADE)]
print("done", flush=True)
sys.stdin.readline()
os._exit(0)
PYTHON

start_program python3 "$TMP/connecting.py" $HANGING $MADE
start_leaktrace -w connection -p "$W_PID"
workload_go
system_says "$W_PID"
stop_leaktrace
workload_end
traced=$(report_says 'sum(s["count"] for x in r["resources"] for s in x["stacks"] if s["via"] == "connect")')
missed=$(report_says 'r["coverage"]["lost"]["missed_hook"]')
is "exit status" "$L_STATUS" 0
is "all are listed, as by the system" \
	"$(report_says '[x["outstanding"]["count"] for x in r["resources"] if x["state"] == "open"]')" \
	"[$(sed -n 's/^outside connection.open //p' "$W_OUT")]"
is "those that hang, or were missed, are found by a census" \
	"$(report_says '[x["unseen"]["count"] for x in r["resources"] if x["state"] == "open"]')" \
	"[$((HANGING + MADE + 1 - traced))]"
if [ "$missed" = 0 ]; then
	is "all others have stacks" "$traced" $((MADE + 1))
else
	diag "$traced of $((MADE + 1)) have stacks"
	ok "what was missed is counted" test "$missed" -ge $((MADE + 1 - traced))
fi
done_testing
