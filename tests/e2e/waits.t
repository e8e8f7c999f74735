#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Programs that end the very moment after they have waited for their last child, fifty of them: none of their
# children may be told of as running or as a zombie, whether it came before tracing or after.
. "$(dirname "$0")/../lib/harness.bash"

TRACES=5 EACH=10

trace() { # several at once, each for itself
	local i pids=() fds=()

	for ((i = 0; i < EACH; i++)); do
		start_program "$WORKLOADS/waits"
		pids+=("$W_PID") fds+=("$W_IN")
	done
	start_leaktrace -w process -p "$(IFS=,; echo "${pids[*]}")"
	for i in "${fds[@]}"; do echo >&"$i"; done
	await_leaktrace # it ends with the last of them
	for i in "${fds[@]}"; do exec {i}>&-; done
}

left=0 seen=0 ended=0 wrong=0
for ((n = 0; n < TRACES; n++)); do
	trace
	wrong=$((wrong + (L_STATUS != 0)))
	left=$((left + $(report_says "sum(x['outstanding']['count'] for x in r['resources'])")))
	seen=$((seen + $(report_says "sum(x['acquired']['count'] for x in r['resources'] if x['state'] == 'running')")))
	ended=$((ended + $(report_says "r['coverage']['unmatched_releases']")))
done
is "$((TRACES * EACH)) programs, each with 53 children: seen" "$seen" $((TRACES * EACH * 53))
is "... those from before tracing were seen to end, and to be waited for" "$ended" $((TRACES * EACH * 7 * 2))
is "... and at their end none is left" "$left" 0
is "... and leaktrace's exit status is good" "$wrong" 0
done_testing
