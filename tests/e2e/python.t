#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What Python programs hold is named by their own lines, whichever of the known versions runs them.
. "$(dirname "$0")/../lib/harness.bash"

PROGRAM=$(realpath "$lib/../workloads/python_held.py")
WHAT=connection,fd,thread,process

# Those of the machine, one of each minor version: those of pyenv are scripts that look for one.
interpreters() {
	local python

	for python in /usr/bin/python3.1[0-9] /usr/local/bin/python3.1[0-9] \
		"${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[0-9]*/bin/python3.1[0-9] ${PYTHONS-}; do
		if [ -x "$python" ]; then echo "$python"; fi
	done
}

version() { "$1" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])'; }
is_known() { [[ $1 =~ ^3\.1[123]\. ]]; }

lines_are() { # lines_are NAME [KIND]: see tests/lib/python_lines.py
	local name=$1 problems

	shift
	if problems=$(python3 "$lib/python_lines.py" "$L_REPORT" "$W_OUT" "$PROGRAM" "$@" 2>&1); then
		pass "$name"
	else
		flunk "$name"
		diag "$problems"
		diag "$(tail -n 5 "$L_ERR")"
	fi
}

attached() { # attached PYTHON NAME
	start_program "$1" "$PROGRAM" wait
	start_leaktrace -w "$WHAT" -p "$W_PID"
	workload_go
	stop_leaktrace
	lines_are "$2: attached"
	like "$2: leaktrace says so" "$(cat "$L_ERR")" "Python 3\.1[0-9], whose frames are followed"
	ok "$2: the report is valid" "$lib/validate-json" "$lib/../schema/report-1.schema.json" "$L_REPORT"
	like "$2: nothing is lost" "$(report_says 'sum(r["coverage"]["lost"].values())')" '^0$'
	workload_end
	is "$2: the program's exit status" "$W_STATUS" 0
}

command() { # command PYTHON NAME: from its first instruction; its child does not outlive it
	W_OUT=$TMP/command.out L_REPORT=$TMP/command.json
	run_leaktrace -w "$WHAT" -f json -T 0 -o "$L_REPORT" -- "$1" "$PROGRAM"
	cp "$L_OUT" "$W_OUT"
	lines_are "$2: as a command" child
	is "$2: its exit status" "$L_STATUS" 0
}

unknown() { # unknown PYTHON NAME: plain native stacks
	start_program "$1" -c 'import os, sys
print("ready", os.getpid(), flush=True); sys.stdin.readline(); f = open("/dev/null"); print("done", flush=True)
sys.stdin.readline()'
	start_leaktrace -w fd -p "$W_PID"
	workload_go
	stop_leaktrace
	like "$2: leaktrace says that it does not know it" "$(cat "$L_ERR")" "whose frames are not known"
	is "$2: native stacks" "$(report_says 'any((f["function"] or "").startswith("_PyEval") \
		for x in r["resources"] for s in x["stacks"] for f in s["frames"])')" True
	workload_end
}

found=0
while read -r python; do
	v=$(version "$python")
	if is_known "$v"; then
		attached "$python" "Python $v ($python)"
		command "$python" "Python $v ($python)"
		found=1
	else
		unknown "$python" "Python $v ($python)"
	fi
done < <(interpreters)
[ $found = 1 ] || skip "Python" "neither 3.11 nor 3.12 nor 3.13 is installed"
done_testing
