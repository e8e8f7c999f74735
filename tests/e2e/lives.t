#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Thousands of short-lived children: their books are exact, or they are counted, and of those that have ended only sums
# are kept, so that nothing grows with their number.
. "$(dirname "$0")/../lib/harness.bash"

what="-w memory,fd"
HELD_LIVES=${HELD_LIVES:-300} # of a command, before the first look; then twice as many: each is stopped for a moment
RSS_SLACK_KIB=2048 # what malloc has kept for itself varies

# What may not grow: of leaktrace and its helpers. rss-kib, descriptors, maps-kib (as the kernel counts them)
figures() {
	local pids

	pids="$L_PID $(pgrep -d ' ' -P "$L_PID")"
	# shellcheck disable=SC2086
	for pid in $pids; do cat /proc/$pid/status; done 2>/dev/null | awk '/^VmRSS/ { n += $2 } END { print "rss-kib", n }'
	echo "descriptors $(find /proc/"$L_PID"/fd -mindepth 1 | wc -l)"
	cat /proc/"$L_PID"/fdinfo/* 2>/dev/null | awk '/^memlock/ { n = $2 } /^map_id/ { sum += n }
		END { printf "maps-kib %d\n", sum / 1024 }'
}

figure() { sed -n "s/^$2 //p" "$1"; } # figure FILE NAME

live() { # live STAGE: until so many more have lived, and leaktrace has had the time to notice
	workload_go "lived $1"
	sleep 1
	figures >"$TMP/figures.$1"
}

does_not_grow() { # does_not_grow NAME
	local name figure first last slack

	for figure in rss-kib descriptors maps-kib; do
		first=$(figure "$TMP/figures.2" $figure) last=$(figure "$TMP/figures.3" $figure)
		case $figure in
		rss-kib) slack=$RSS_SLACK_KIB ;;
		descriptors) slack=16 ;; # probes of those that ended last, which are being taken away
		maps-kib) slack=64 ;;
		esac
		ok "$1: $figure ($first, and after three times as many $last)" test "${last:-none}" -le $((first + slack))
	done
}

lived() { # lived EXPRESSION of a row of those that have ended and are only counted
	report_says "sum($1 for p in r['target']['ended_processes'])"
}

# -- a running one: nearly all are gone before anybody has looked --------------------------------------------
start_workload lives 1000 2000
# shellcheck disable=SC2086
start_leaktrace $what -p "$W_PID"
live 2
live 3
stop_leaktrace
is "-p: each is followed, or counted" \
	"$(report_says "len(r['target']['processes']) - 1 + r['coverage']['untraced_children']")+$(lived 'p["count"]')" 3000+0 ||
	diag "$(report_says "r['coverage']")"
is "-p: what the process itself holds" \
	"$(report_says '[(s["count"], s["amount"], s["pid"]) for s in stacks("in_parent")]')" "[(101, 5353, $W_PID)]"
does_not_grow "-p"
workload_end
is "-p: the target's exit status" "$W_STATUS" 0

# -- a command: nothing of them is missing ----------------------------------------------------------------------
start_traced lives "$what" "$HELD_LIVES" $((2 * HELD_LIVES))
live 2
live 3
stop_leaktrace
books_are "a command: the books of all" --sites-only
is "a command: each is in the report" \
	"$(report_says "len(r['target']['processes'])") $(report_says "r['coverage']['untraced_children']")" \
	"$((3 * HELD_LIVES + 1 - $(lived 'p["count"]'))) 0"
ok "a command: most of them by name only" test "$(lived 'p["count"]')" -ge $((3 * HELD_LIVES - 256))
is "a command: what they held" "$(lived "p['resources'][0]['outstanding']['count'] - 18 * p['count']")" 0
ok "a command: the report is valid" "$lib/validate-json" "$lib/../schema/report-1.schema.json" "$L_REPORT"
does_not_grow "a command"
exec {W_IN}>&-

# -- with an interval: what they held at their end is told once -------------------------------------------------
told_once() { # told_once N: of so many children
	python3 - "$L_REPORT" "$1" <<-'PYTHON'
		import json, sys
		reports = [json.loads(line) for line in open(sys.argv[1])]
		n = int(sys.argv[2])
		def count(rows, tally): return sum(part[tally]["count"] for row in rows for part in row["resources"])
		def ended(r): return [p for p in r["target"]["processes"] if p["state"] == "ended"]
		def summed(r): return r["target"]["ended_processes"]
		print("told", sum(count(ended(r) + summed(r), "outstanding") for r in reports), "not", 18 * n)
		print("rows", sum(len(ended(r)) for r in reports), "not", n)
		last = reports[-1]
		print("sums", [(p["comm"], p["count"]) for p in summed(last)], "not", [("lives", n)])
		print("acquired", count(summed(last), "acquired"), count(summed(last), "released"), "not", 31 * n, 31 * n)
		print("held", last["resources"][0]["outstanding"]["count"], "not", 101)
		acquired = [r["resources"][0]["acquired"]["count"] for r in reports]
		print("acquired", acquired, "not", sorted(acquired))
	PYTHON
}

start_traced lives "-w memory -i 1" 41
live 2
sleep 2
stop_leaktrace
mv "$L_REPORT" "$TMP/reports.jsonl"
L_REPORT=$TMP/reports.jsonl
ok "-i: the reports are valid" "$lib/validate-json" "$lib/../schema/report-1.schema.json" "$L_REPORT"
while read -r line; do is "-i: ${line%% *}" "${line%% not *}" "${line%% *} ${line##* not }"; done < <(told_once 41)
exec {W_IN}>&-
done_testing
