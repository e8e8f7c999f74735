#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Names that would command the terminal of who reads them: of the process, its threads, its program,
# libraries, functions, source files, sockets and files, of JIT code, of Python's functions.
. "$(dirname "$0")/../lib/hostile.bash"

evil=$'\e]0;owned\a\e[35;46m\xff\xc2\x9b'

# clean NAME FILE...: and not empty
clean() {
	local name=$1 found

	shift
	found=$("$lib/clean.py" "$@" 2>&1)
	ok "$name" [ -z "$found" -a -s "${!#}" ] || diag "$(head -n 3 <<<"$found")" "$(wc -c "${!#}")"
}

leaves_clean() { # leaves_clean NAME PID
	measure 20 -v -T 0 -d 700ms -p "$2"
	is "$1: exit status" "$L_STATUS" 0
	clean "$1: text" "$L_OUT"
	clean "$1: messages" "$L_ERR"
	measure 20 -v -f json -T 0 -d 700ms -p "$2"
	clean "$1: JSON" "$L_OUT"
	is "$1: JSON can be read, and has blocks" "$(says 'memory["outstanding"]["count"] > 0')" True
}

# the program, as well, has such a name
cp "$TMP/bin/escapes" "$D/program $evil"
chmod 755 "$D/program $evil"
start_program "${STRANGER[@]}" "$D/program $evil" "$D"
leaves_clean "a program of evil names" "$W_PID"
is "a program of evil names: its function is in the report" \
	"$(says 'any("evil" in (f["function"] or "") for s in memory["stacks"] for f in s["frames"])')" True
for how in NO_COLOR=1 COLOURED=1; do
	env "$how" script -qec "$LEAKTRACE -T 0 -d 700ms -p $W_PID" /dev/null </dev/null >"$TMP/terminal" 2>&1
	clean "a program of evil names: a terminal, $how" --terminal "$TMP/terminal"
done
"$LEAKTRACE" doctor -p "$W_PID" >"$TMP/doctor" 2>&1
clean "a program of evil names: doctor" "$TMP/doctor"
end_hostile

# code of a JIT compiler
start_in_namespace 'mount -t tmpfs none /tmp' jit text "evil$evil"
leaves_clean "evil names of JIT code" "$W_PID"
is "evil names of JIT code: they are in the report" \
	"$(says 'any("evil" in (f["function"] or "") for s in memory["stacks"] for f in s["frames"])')" True
end_hostile

# a library that defines malloc as well, and Python's functions and files
library=$D/stranger$evil.so
cat >"$TMP/stranger.c" <<-'C'
	#include <stddef.h>
	static char room[1 << 16];
	void *malloc(size_t n) { return n < sizeof(room) ? room : NULL; }
	void free(void *p) { (void)p; }
C
cc -shared -fPIC -O1 -fno-builtin -o "$library" "$TMP/stranger.c"
cat >"$D/evil.py" <<-'PYTHON'
	import ctypes, os, sys, time
	evil = "evil\x1b]0;owned\a\x1b[35;46m\x9b"
	library = ctypes.CDLL(sys.argv[1])
	def f():
	    return os.open("/dev/null", os.O_RDONLY), bytearray(1000)
	f.__code__ = f.__code__.replace(co_name=evil, co_qualname=evil, co_filename=evil + ".py")
	print("ready", os.getpid(), flush=True)
	held = []
	while os.getppid() != 1 and len(held) < 2000:
	    held.append(f())
	    time.sleep(0.01)
PYTHON
python=$(command -v /usr/bin/python3.1{1..3} | head -n 1)
if [ -n "$python" ]; then
	start_program "${STRANGER[@]}" "$python" "$D/evil.py" "$library"
	leaves_clean "evil names in Python" "$W_PID"
	is "evil names in Python: they are in the report" \
		"$(says 'any("evil" in (f["function"] or "") for x in r["resources"] for s in x["stacks"] for f in s["frames"])')" True
	ok "evil names in Python: the library with a malloc is told" grep -a -q 'defines malloc as well' "$L_ERR"
	workload_kill
else
	skip "evil names in Python" "no Python of the system's own"
fi

# what cannot be traced or run
run_leaktrace -- "/nowhere/$evil"
clean "a command that is not there" "$L_ERR"
run_leaktrace -d 100ms -p "$evil"
clean "a pid that is none" "$L_ERR"
cp /bin/true "$D/true $evil" && chmod 755 "$D/true $evil"
run_leaktrace -w memory -- "$D/true $evil"
clean "a command that ends at once" "$L_ERR" "$L_OUT"
done_testing
