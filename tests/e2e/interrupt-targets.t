#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Interrupted at any moment, leaktrace ends within a second, and leaves nothing behind in a target that
# goes on as if nothing had been. MOMENTS in all (make soak: 200), chosen by SEED, which is printed.
. "$(dirname "$0")/../lib/hostile.bash"

MOMENTS=${MOMENTS:-24}
SEED=${SEED:-$((EPOCHSECONDS % 32768))}
RANDOM=$SEED
diag "SEED=$SEED MOMENTS=$MOMENTS"

is_as_it_was() { [ -z "$("$lib/unpatched.py" "$1" 2>&1)" ]; }
has_no_helpers() { [ -z "$(pgrep -r R,S,D,T -s "$1")" ]; } # who has ended is init's to reap

# Every helper of a leaktrace that was started as the leader of a session is in that session.
interrupt() { # interrupt PID MILLISECONDS SIGNAL: 0 unless it was in time, and left nothing
	local leaktrace ms pid

	setsid env --default-signal=INT,TERM "$LEAKTRACE" "${hooks[@]}" -q -d 300ms -p "$1" \
		>/dev/null 2>"$TMP/interrupted.err" </dev/null &
	leaktrace=$!
	children+=("$leaktrace")
	sleep "$(printf '%d.%03d' $(($2 / 1000)) $(($2 % 1000)))"
	ms=$(ended_ms "$leaktrace" "$3")
	wait "$leaktrace" 2>/dev/null
	if [ "$ms" -gt "$PROMPT_MS" ]; then
		diag "SIG$3 after $2 ms: it ended $ms ms later"
		return 1
	fi
	if ! await 2 has_no_helpers "$leaktrace"; then
		diag "SIG$3 after $2 ms: a helper lives on: $(pgrep -r R,S,D,T -s "$leaktrace" -a)"
		for pid in $(pgrep -r R,S,D,T -s "$leaktrace"); do
			diag "$(tail -n +1 "/proc/$pid/task"/*/stack)"
		done
		pkill -9 -s "$leaktrace"
		return 1
	fi
	if ! await 2 is_as_it_was "$1"; then
		diag "SIG$3 after $2 ms: in the target: $("$lib/unpatched.py" "$1" 2>&1 | head -n 3)"
		return 1
	fi
	if [ "$ms" -gt "$WORST" ]; then WORST=$ms; fi
}

# moments NAME PID SHARE: that share of the moments, between the start and the end of an ordinary run
moments() {
	local name=$1 n=$((MOMENTS * $3 / 100)) bad=0 span signal begin

	begin=$(now_ms)
	"$LEAKTRACE" "${hooks[@]}" -q -d 300ms -p "$2" >/dev/null 2>"$TMP/whole.err" ||
		diag "$(cat "$TMP/whole.err")"
	span=$(($(now_ms) - begin))
	WORST=0
	for ((i = 0; i < n; i++)); do
		signal=INT
		if ((RANDOM % 2)); then signal=TERM; fi
		interrupt "$2" $(((RANDOM * 32768 + RANDOM) % span)) "$signal" || bad=$((bad + 1))
	done
	is "$name: of $n moments in $span ms, bad ones (at most $WORST ms else)" "$bad" 0
	ok "$name: the target is not stopped" grep -q -E '^State:\s+[SRD]' "/proc/$2/status"
}

# -- Python, at work -----------------------------------------------------------------------------
cat >"$TMP/works.py" <<-'PYTHON'
	import os, select, sys
	print("ready", os.getpid(), flush=True)
	turns = 0
	while not select.select([0], [], [], 0)[0]:
	    held = [bytes(n) for n in range(1, 1000)]
	    if sum(map(len, held)) != 499500:
	        sys.exit("memory has changed")
	    turns += 1
	print("turns", turns)
	sys.exit(23)
PYTHON
start_program python3 "$TMP/works.py"
moments "python3" "$W_PID" 34
workload_end
is "python3: its exit status" "$W_STATUS" 23

# -- node, at work -------------------------------------------------------------------------------
if command -v node >/dev/null; then
	cat >"$TMP/works.js" <<-'JAVASCRIPT'
		console.log("ready", process.pid);
		process.stdin.on("data", () => process.exit(23));
		setInterval(() => { global.held = Array.from({ length: 999 }, (_, i) => Buffer.alloc(i)); }, 1);
	JAVASCRIPT
	start_program node "$TMP/works.js"
	moments "node" "$W_PID" 33
	workload_end
	is "node: its exit status" "$W_STATUS" 23
else
	skip "node" "it is not installed"
fi

# -- a compiler in the middle of its input -------------------------------------------------------
clang=$(command -v clang-14 clang | head -n 1)
if [ -n "$clang" ]; then
	mkfifo "$TMP/source"
	"$clang" -w -S -emit-llvm -o "$TMP/out.ll" -x c - <"$TMP/source" 2>"$TMP/clang.err" &
	driver=$!
	children+=("$driver")
	exec {source}>"$TMP/source"
	echo 'int first;' >&"$source"
	compiler() { C_PID=$(pgrep -P "$driver" | head -n 1) && [ -n "$C_PID" ]; }
	await 2 compiler || C_PID=$driver # it compiles in the driver's own process
	moments "clang" "$C_PID" 17
	echo 'int second(void) { return first; }' >&"$source"
	exec {source}>&-
	await_exit "$driver"
	is "clang: its exit status" "$STATUS" 0 || diag "$(cat "$TMP/clang.err")"
	ok "clang: what it has made" grep -q 'define.*@second' "$TMP/out.ll"
else
	skip "clang" "it is not installed"
fi

# -- a thousand modules --------------------------------------------------------------------------
bomb plain "$D/plain.so"
mkdir "$D/mods"
for i in {1..1000}; do cp "$D/plain.so" "$D/mods/$i.so"; done
start_hostile calls "$D"/mods/*.so
moments "1,000 modules" "$W_PID" 17
end_hostile
is "1,000 modules: its exit status" "$W_STATUS" 0
done_testing
