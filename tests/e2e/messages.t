#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What leaktrace says on stderr is text and nothing else, whatever a target calls itself; and it says
# something whenever it fails.
. "$(dirname "$0")/../lib/harness.bash"

vile=$'\e]0;owned\a\e[31m\xff\u202e\nleaktrace: x'

# is_text NAME FILE: lines of ours that hold nothing which a terminal could take for more
is_text() {
	if LC_ALL=C grep -q -a -v -E '^(leaktrace|libbpf): [ -~]*$' "$2"; then
		flunk "$1"
		diag "$(cat -v "$2")"
		return 1
	fi
	ok "$1" test -s "$2"
}

start_vile() { # start_vile COMMAND ARG...: a child of ours; W_PID
	"$@" >/dev/null 2>&1 </dev/null &
	W_PID=$!
	children+=("$W_PID")
	sleep 0.3
}

# -- names ---------------------------------------------------------------------------------------
cp "$(command -v sleep)" "$TMP/$vile"
start_vile "$TMP/$vile" 60
run_leaktrace -v -w memory -d 200ms -p "$W_PID"
is "a vile name: exit status" "$L_STATUS" 0
is_text "a vile name: messages" "$L_ERR"
ok "a vile name: the program is named" grep -q -F 'tracing \x1b]0;owned\x07' "$L_ERR"
ok "a vile name: the file is named" grep -q -F 'reading /' "$L_ERR"
is "a vile name: it makes no line of its own" "$(grep -c '^leaktrace: x' "$L_ERR")" 0

for command in doctor goroutines; do
	run_leaktrace $command -v -p "$W_PID"
	if [ -s "$L_ERR" ]; then is_text "$command of a vile name: messages" "$L_ERR"; fi
	ok "$command of a vile name: nothing raw" test -z "$(LC_ALL=C tr -d '\n -~\200-\377' <"$L_OUT")"
done
run_leaktrace goroutines -p "$W_PID"
is_text "not a Go program: messages" "$L_ERR"

if cc -shared -fPIC -o "$TMP/$vile.so" -x c - 2>/dev/null <<-'EOC'; then
	void *malloc(unsigned long n) { return n ? 0 : 0; }
	void free(void *p) { (void)p; }
	EOC
	start_vile python3 -c 'import ctypes, os, sys, time
ctypes.CDLL(os.fsencode(sys.argv[1])); time.sleep(60)' "$TMP/$vile.so"
	run_leaktrace -w memory -d 200ms -p "$W_PID"
	is_text "another malloc in a vile file: messages" "$L_ERR"
	ok "another malloc in a vile file: it is named" grep -q 'owned.*defines malloc as well' "$L_ERR"
else
	skip "another malloc in a vile file" "no compiler"
fi

# -- words of the command line -------------------------------------------------------------------
for words in "-p $vile" "--$vile" "-w $vile" "-o /nowhere/$vile -p $$" "-- /nowhere/$vile" "-d $vile"; do
	IFS=' ' read -r -d '' -a args < <(printf '%s\0' "${words//$'\n'/_}") || true
	run_leaktrace "${args[@]}"
	ok "${words%%"$vile"*}...: it fails" test "$L_STATUS" != 0
	is_text "${words%%"$vile"*}...: message" "$L_ERR"
done

# -- the rule ------------------------------------------------------------------------------------
top=$lib/../..
ok "one file writes to stderr" "$top/tools/check-layers" "$top"
mkdir -p "$TMP/tree/user/app" "$TMP/tree/bpf" "$TMP/tree/include"
printf '// SPDX-License-Identifier: Apache-2.0\nfprintf(stderr, "x");\n' >"$TMP/tree/user/app/x.c"
ok "another one would be found" test "$("$top/tools/check-layers" "$TMP/tree" | wc -l)" = 1

done_testing
