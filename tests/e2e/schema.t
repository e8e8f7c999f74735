#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The JSON report against its schema: the golden files, the contract's own example, and broken
# documents, which must be refused.
. "$(dirname "$0")/../lib/harness.bash"

schema=$lib/../schema/report-1.schema.json
golden=$lib/../golden

for report in $(grep -l leaktrace.report/1 "$golden"/*.json "$golden"/*.jsonl); do
	ok "$(basename "$report") is valid" "$lib/validate-json" "$schema" "$report"
done

cat >"$TMP/contract.json" <<'END'
{ "schema": "leaktrace.report/1",
  "target": { "pids": [4242], "comm": "server", "exe": "/srv/server", "cgroup": null, "container": null },
  "window": { "start": "2026-11-21T10:00:00Z", "seconds": 5.0 },
  "coverage": { "exact": true, "sample_bytes": 1, "overhead_percent": 1.7, "probe_hits": 120034,
                "lost": { "map_full": 0, "ring_full": 0, "stack_read": 0, "missed_return": 0 },
                "stacks": { "complete": 41, "truncated": 0 }, "unmatched_releases": 12 },
  "resources": [
    { "kind": "memory", "unit": "bytes",
      "outstanding": { "count": 211, "amount": 27008 },
      "acquired": { "count": 9211, "amount": 900000 }, "released": { "count": 9000, "amount": 872992 },
      "stacks": [
        { "id": "9f2c41d07be35a18", "pid": 4242, "via": "malloc", "count": 211, "amount": 27008,
          "acquired": { "count": 211, "amount": 27008 }, "released": { "count": 0, "amount": 0 },
          "oldest_seconds": 4.8, "verdict": "GROWING", "complete": true,
          "frames": [ { "function": "leaky", "file": "/src/leak.c", "line": 6, "inlined": false,
                        "module": "/srv/server", "build_id": "5d3c", "offset": "0x11a9", "address": "0x55cde0dfe1a9" } ],
          "items": [] } ] } ] }
END
ok "the contract's example is valid" "$lib/validate-json" "$schema" "$TMP/contract.json"

refused() { # refused NAME WHY SED-SCRIPT [REPORT]: the golden report, edited
	local report=$golden/${4-leak.json}

	if ! sed "$3" "$report" >"$TMP/broken.json" || cmp -s "$report" "$TMP/broken.json"; then
		flunk "$1: the edit does nothing"
	elif "$lib/validate-json" "$schema" "$TMP/broken.json" >"$TMP/why"; then
		flunk "$1 is refused"
	else
		like "$1 is refused" "$(cat "$TMP/why")" "$2"
	fi
}

refused "another version" '\$\.schema:' 's|report/1|report/2|'
refused "a missing field" "'probe_hits' is a required" '/"probe_hits"/d'
refused "a renamed field" "'oldest_seconds' is a required" 's/"oldest_seconds"/"oldest_s"/'
refused "a guessed line 0" '\.line:' 's/"line": 6/"line": 0/'
refused "a number for an address" '\.address:' 's/"address": "0x55cde0dfe1a9"/"address": 94/'
refused "a negative count" '\.count:' 's/"count": 211/"count": -211/'
refused "a fraction of a block" '\.count:' 's/"count": 211/"count": 211.5/'
refused "an unknown verdict" '\.verdict:' 's/GROWING/WORSE/'
refused "a reason why a whole stack is not whole" '\.stop:' '0,/"stop": null/s//"stop": "bad"/'
refused "an offset into no module" '\.offset:' \
	's/"module": null, "build_id": null, "offset": null/"module": null, "build_id": null, "offset": "0x1"/'
refused "a local time" '\.start:' 's/00:00Z/00:00+02:00/'
refused "an unknown cause that is no count" '\.bored:' 's/"too_deep": 0/"too_deep": 0, "bored": "yes"/'
refused "an unknown origin" '\.origin:' 's/"origin": "before"/"origin": "earlier"/' held.json
refused "a function that acquired before tracing" '\.via:' \
	's/"origin": "traced"/"origin": "before"/' held.json
refused "a traced stack without a function" '\.via:' 's/"via": "connect"/"via": null/' held.json
refused "an age below 0" '\.age_seconds:' 's/"age_seconds": null/"age_seconds": -1/' held.json
refused "an item without a note" "'note' is a required" 's/, "note": null//' held.json
refused "a queue in words" '\.receive_queue:' \
	's/"receive_queue": 1/"receive_queue": "1"/' held.json
refused "a state of several words" '\.state:' 's/"listening"/"is listening"/' held.json
refused "system calls that gain from tracing" '\.syscall_ns:' \
	's/"syscall_ns": 57.2/"syscall_ns": -1.0/' held.json
refused "a recursion of no frames" '\.cycle:' 's/"cycle": 2/"cycle": 0/' deep.json
refused "a recursion without its length" "'cycle'" 's/, "cycle": 2//' deep.json
refused "NaN" 'NaN is not JSON' 's/"overhead_percent": 1.7/"overhead_percent": NaN/'
refused "a key twice" 'a key twice: exact' 's/"sample_bytes": 1,/"sample_bytes": 1, "exact": true,/'
refused "a byte that is not UTF-8" "can't decode byte 0xff" 's/leaky/leak\xff/'
refused "an unfinished document" 'Expecting' '$d'

done_testing
