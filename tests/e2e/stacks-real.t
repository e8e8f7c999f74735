#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Stacks of real programs, frame by frame against libdwfl on copies of the same stacks.
. "$(dirname "$0")/../lib/harness.bash"

SECONDS_SAMPLED=${SECONDS_SAMPLED:-4}
check=$BUILD/tests/stackcheck
programs=$lib/../stackcheck/programs

# figure NAME: from the last line of the oracle's output, "samples N equal N ..."
figure() {
	tail -n 1 "$TMP/oracle" | sed -n "s/.*\b$1 \([0-9.]*\).*/\1/p"
}

# stacks_of NAME PID EVERY: samples one allocation in so many
stacks_of() {
	local name=$1 samples same known late

	timeout "$PATIENCE" "$check/stack_oracle" "$check/sample.bpf.o" "$2" "$SECONDS_SAMPLED" "$3" \
		>"$TMP/oracle" 2>&1
	samples=$(figure samples)
	diag "$name: $(tail -n 1 "$TMP/oracle")"
	if ! ok "$name: a few hundred stacks" test "${samples:-0}" -ge 300; then
		diag "$(cat "$TMP/oracle")"
		return
	fi
	same=$(($(figure equal) + $(figure equal-ended)))
	# a copy that was too short for libdwfl, stacks deeper than leaktrace walks, and those in code
	# that was mapped a moment ago (see stacks-late.t)
	late=$(figure late)
	known=$(($(figure copy-cut) + $(figure too-deep) + late))
	is "$name: frames that differ" "$(figure different)" 0 || diag "$(cat "$TMP/oracle")"
	ok "$name: $same of $samples are identical, $known cut off" \
		test $(((same + known) * 1000)) -ge $((samples * 999)) || diag "$(cat "$TMP/oracle")"
	ok "$name: $late came too early" test $((late * 20)) -le "$samples"
	is "$name: walks that ended early" "$(figure walk-short)" 0 || diag "$(cat "$TMP/oracle")"
	is "$name: of $(figure recalled) stacks known by heart, wrong" "$(figure misremembered)" 0
}

# Whether the process has become that program: what is found by its name may be a script that looks for it, and
# the oracle knows the mappings of one program only.
runs() { # runs PID NAME
	[[ $(readlink "/proc/$1/exe") == */"$2"* ]]
}

# program NAME EVERY COMMAND ARG...: NAME begins as the program's file does
program() {
	local name=$1 every=$2

	shift 2
	command -v "$1" >/dev/null || { skip "$name" "$1 is not installed"; return; }
	"$@" >/dev/null 2>"$TMP/program.err" &
	children+=($!)
	await "$PATIENCE" runs "$!" "${name%% *}"
	sleep 1.5
	stacks_of "$name" $! "$every"
	kill $!
}

compiler() {
	cat >"$TMP/big.cc" <<-CODE
		#include <algorithm>
		#include <map>
		#include <regex>
		#include <string>
		#include <vector>
		$(for i in {1..600}; do cat <<-FUNCTION
			struct k$i { int a; std::string s; bool operator<(const k$i &o) const { return a < o.a; } };
			int f$i(std::vector<k$i> &v, std::map<k$i, std::string> &m)
			{
				std::sort(v.begin(), v.end());
				for (auto &x : v)
					if (std::regex_match(m[x] = x.s, std::regex("$i")))
						return x.a * $i;
				return m.size();
			}
		FUNCTION
		done)
	CODE
	# the compiler itself, not the driver before it
	program "clang -cc1" 50 clang -fintegrated-cc1 -O2 -c -o "$TMP/big.o" "$TMP/big.cc"
}

postgres_backend() {
	local bin run

	bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -n 1)
	if [ -z "$bin" ] || ! id postgres >/dev/null 2>&1; then
		skip postgres "postgresql is not installed"
		return
	fi
	run="runuser -u postgres --"
	install -d -o postgres "$TMP/pg"
	$run "$bin/initdb" -D "$TMP/pg/data" >/dev/null 2>&1
	$run "$bin/postgres" -D "$TMP/pg/data" -k "$TMP/pg" -h '' >"$TMP/pg.log" 2>&1 &
	children+=($!)
	await 30 $run "$bin/pg_isready" -q -h "$TMP/pg"
	$run "$bin/pgbench" -h "$TMP/pg" -i -q postgres >/dev/null 2>&1
	$run "$bin/pgbench" -h "$TMP/pg" -T $((SECONDS_SAMPLED + 8)) -c 1 postgres >"$TMP/pgbench.out" 2>&1 &
	children+=($!)
	sleep 1.5
	stacks_of postgres "$(pgrep -n -f '^postgres: postgres postgres \[local\]')" 2
	kill -INT "$(head -n 1 "$TMP/pg/data/postmaster.pid")"
}

program bash 20 bash "$programs/program.bash"
program perl 20 perl "$programs/program.pl"
program python3 20 python3 "$programs/program.py"
program node 20 node "$programs/program.js"
compiler
postgres_backend
done_testing
