#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Where reports go: a file that is there is replaced by a whole report or stays as it is, and what cannot be
# written is told.
. "$(dirname "$0")/../lib/harness.bash"

dir=$TMP/reports
mkdir "$dir"
is_whole() { python3 -c 'import json, sys; [json.loads(line) for line in open(sys.argv[1])]' "$1" 2>/dev/null; } # of -i
names() { ls -A "$dir" | tr '\n' ' '; }
start_workload blocks

# -- a file --------------------------------------------------------------------------------------
run_leaktrace -q -d 200ms -p "$W_PID" -o "$dir/new.json"
is "a new file: status" "$L_STATUS" 0
ok "a new file: the report" grep -q leaktrace.report/1 "$dir/new.json"
is "a new file: its mode" "$(stat -c %a "$dir/new.json")" "$(printf '%o' $((0666 & ~$(umask))))"
is "a new file: nothing beside it" "$(names)" "new.json "

echo before >"$dir/old.json"
chown 65534:65533 "$dir/old.json"
chmod 2640 "$dir/old.json"
inode=$(stat -c %i "$dir/old.json")
run_leaktrace -q -d 200ms -p 4194303 -o "$dir/old.json"
is "no such process: the file stays" "$(cat "$dir/old.json")" before
run_leaktrace -q -d 200ms -p "$W_PID" -o "$dir/old.json"
is "a file that is there: replaced" "$L_STATUS $(grep -c leaktrace.report/1 "$dir/old.json")" "0 1"
is "a file that is there: its mode and owner" "$(stat -c '%a %u %g' "$dir/old.json")" "2640 65534 65533"
ok "a file that is there: by another" test "$(stat -c %i "$dir/old.json")" != "$inode"
ln -s old.json "$dir/link"
run_leaktrace -q -d 200ms -p "$W_PID" -f text -o "$dir/link"
is "a link: leads to it still" "$(readlink "$dir/link") $(grep -c '^coverage' "$dir/old.json")" "old.json 1"
ln -s nothing "$dir/dangling"
run_leaktrace -q -d 200ms -p "$W_PID" -o "$dir/dangling"
is "a link to nothing: makes it" "$(grep -c '^coverage' "$dir/nothing")" 1
ln "$dir/old.json" "$dir/other.json"
run_leaktrace -q -d 200ms -p "$W_PID" -f json -o "$dir/other.json"
is "two names of a file: both have it" "$(grep -c leaktrace.report/1 "$dir/old.json" "$dir/other.json" | cut -d: -f2 | tr '\n' ' ')" "1 1 "
is "nothing is left beside them" "$(names)" "dangling link new.json nothing old.json other.json "

if mount --bind "$dir/new.json" "$dir/old.json" 2>/dev/null; then
	run_leaktrace -q -d 200ms -p "$W_PID" -f text -o "$dir/old.json"
	is "a file that is mounted: is written" "$L_STATUS $(grep -c '^coverage' "$dir/new.json")" "0 1"
	umount "$dir/old.json"
else
	skip "a file that is mounted" "mounting is not permitted here"
fi
run_leaktrace -q -p "$W_PID" -o "$dir"
is "a folder: status" "$L_STATUS" 1
like "a folder: message" "$(cat "$L_ERR")" 'reports: Is a directory'

# -- with -i -------------------------------------------------------------------------------------
echo before >"$dir/lines.jsonl"
"$LEAKTRACE" -q -i 1 -p "$W_PID" -o "$dir/lines.jsonl" &
L_PID=$!
children+=("$L_PID")
seen=0 bad=0
for _ in $(seq 40); do
	if [ "$(cat "$dir/lines.jsonl")" = before ]; then
		seen=1
	elif ! is_whole "$dir/lines.jsonl"; then
		bad=$((bad + 1))
	fi
	[ "$(wc -l <"$dir/lines.jsonl")" -lt 2 ] || break
	sleep 0.1
done
stop_leaktrace
is "-i: what was there stays until the first report" "$seen" 1
is "-i: nobody sees half of one" "$bad" 0
ok "-i: each is appended" test "$(grep -c leaktrace.report/1 "$dir/lines.jsonl")" -ge 2

# -- what is no file -----------------------------------------------------------------------------
run_leaktrace -q -d 200ms -p "$W_PID" -o /dev/null
is "a device: status" "$L_STATUS" 0
ok "a device: is one still" test -c /dev/null
mkfifo "$dir/fifo"
cat "$dir/fifo" >"$TMP/fifo.out" &
reader=$!
run_leaktrace -q -d 200ms -p "$W_PID" -o "$dir/fifo"
wait "$reader"
is "a FIFO: what its reader gets" "$(grep -c '^coverage' "$TMP/fifo.out")" 1
{
	echo first
	"$LEAKTRACE" -q -d 200ms -p "$W_PID" -o /dev/stdout
	echo last
} >"$TMP/stdout"
is "/dev/stdout: is where it stands" "$(head -n 1 "$TMP/stdout") $(grep -c '^coverage' "$TMP/stdout") $(tail -n 1 "$TMP/stdout")" \
	"first 1 last"

# -- no reader -----------------------------------------------------------------------------------
# full SIGNALS: leaktrace writes to a pipe that is full; how many seconds after the first signal it ended
cat >"$TMP/full.py" <<'EOP'
import fcntl, os, signal, subprocess, sys, time
r, w = os.pipe()
os.set_blocking(w, False)
try:
    while True:
        os.write(w, b"x" * 4096)
except BlockingIOError:
    os.set_blocking(w, True)
p = subprocess.Popen(sys.argv[2:], stdout=w, stderr=subprocess.PIPE)
for line in p.stderr:
    if b"tracing " in line:
        break
time.sleep(0.5)
at = time.monotonic()
for sig in sys.argv[1].split(","):
    p.send_signal(getattr(signal, sig))
    time.sleep(0.3)
try:
    err = p.communicate(timeout=20)[1].decode().strip()
except subprocess.TimeoutExpired:
    p.kill()
    err = "hangs"
print(p.returncode, time.monotonic() - at < 1.3, err)
EOP
is "nobody reads the report: SIGINT ends it" "$(python3 "$TMP/full.py" SIGINT "$LEAKTRACE" -v -w fd -p "$W_PID")" \
	"1 True leaktrace: interrupted: nobody reads standard output"
is "nobody reads the report: a second one, at once" \
	"$(python3 "$TMP/full.py" SIGTERM,SIGINT "$LEAKTRACE" -v -w fd -p "$W_PID")" \
	"1 True leaktrace: interrupted: no report"

# -- started badly -------------------------------------------------------------------------------
"$LEAKTRACE" -q -d 200ms -p "$W_PID" >&- 2>"$TMP/err"
is "stdout is closed: status" $? 1
like "stdout is closed: message" "$(cat "$TMP/err")" 'standard output is closed'
"$LEAKTRACE" -d 200ms -p "$W_PID" -o "$dir/closed.txt" >&- 2>"$TMP/err"
is "stdout is closed, with -o: status" $? 0
is "stdout is closed, with -o: the report alone" "$(head -c 6 "$dir/closed.txt") $(grep -c '^coverage' "$dir/closed.txt")" "blocks 1"
"$LEAKTRACE" -q -d 200ms -p "$W_PID" -o "$dir/closed.json" <&- >&- 2>&-
is "all are closed: status" $? 0
is "all are closed: the report alone" "$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["schema"])' "$dir/closed.json")" \
	leaktrace.report/1
"$LEAKTRACE" -q -d 200ms -p "$W_PID" >"$TMP/out" 2>&-
is "stderr is closed: status" $? 0
is "stderr is closed: the report" "$(grep -c '^coverage' "$TMP/out")" 1
is "stderr is closed: errors go nowhere else" "$("$LEAKTRACE" -p 4194303 2>&-)" ""
"$LEAKTRACE" -q -o /dev/null -- sh -c 'ls -l /proc/$$/fd' <&- >"$TMP/out" 2>&1
is "stdin is closed: to the command, too" "$(grep -c ' 0 -> ' "$TMP/out")" 0
for command in --help --version doctor containers; do
	"$LEAKTRACE" $command >&- 2>"$TMP/err"
	is "$command, stdout closed: status" $? 1
	ok "$command, stdout closed: a line" test "$(wc -l <"$TMP/err")" = 1
done

silent=
for kb in 20000 30000 40000 50000 60000 80000 120000 200000; do
	(
		ulimit -v $kb
		exec "$LEAKTRACE" -d 200ms -p "$W_PID"
	) >"$TMP/out" 2>"$TMP/err"
	status=$?
	[ $status = 0 ] || { [ $status -lt 128 ] && [ -s "$TMP/err" ]; } || silent+="$kb: $status; "
done
is "with little memory: it works or says why" "$silent" ""

run_leaktrace -p "$W_PID" -o "$dir/r.pb.gz"
is "an extension that is not known: a usage error" "$L_STATUS" 2
like "an extension that is not known: what is known" "$(cat "$L_ERR")" '\.json'
ok "an extension that is not known: no file" test ! -e "$dir/r.pb.gz"

workload_end
is "the target of all this is well" "$W_STATUS" 0
done_testing
