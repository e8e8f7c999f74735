#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# In which control group, and so in which container, a process is.
. "$(dirname "$0")/../lib/harness.bash"

id=3f4c8b1d5e6a7980c1d2e3f405162738495a6b7c8d9eafb0c1d2e3f405162738
top=$TMP/cgroup
mkdir "$top"
mount -t cgroup2 none "$top" 2>/dev/null || skip_all "control groups of version 2 cannot be mounted here"
groups=()
trap 'cleanup_groups; cleanup' EXIT

cleanup_groups() {
	for pid in "${children[@]}"; do kill -9 "$pid"; wait "$pid"; done
	for ((i = ${#groups[@]} - 1; i >= 0; i--)); do rmdir "${groups[i]}"; done
	umount "$top"
} 2>/dev/null

group() { # group PATH: makes it, in a folder of our own
	local at=$top

	for part in ${1//\// }; do
		at=$at/$part
		if [ ! -d "$at" ]; then
			mkdir "$at" || skip_all "control groups cannot be made here"
			groups+=("$at")
		fi
	done
	GROUP=$at
}

told() { report_says "(r['target']['cgroup'], r['target']['container'])"; }

traced() { # traced PATH: a process in that group
	group "$1"
	start_workload blocks
	echo "$W_PID" >"$GROUP/cgroup.procs"
	run_leaktrace -q -w fd -d 200ms -f json -o "$TMP/report.json" -p "$W_PID"
	L_REPORT=$TMP/report.json
}

traced "leaktrace-test.$$/docker-$id.scope/init"
docker=$W_PID
is "docker" "$(told)" "('/leaktrace-test.$$/docker-$id.scope/init', '$id')"
run_leaktrace -q -w fd -d 200ms -p "$W_PID"
is "docker, in text" "$(grep -E '^(cgroup|container): ' "$L_OUT")" \
	"cgroup: /leaktrace-test.$$/docker-$id.scope/init
container: $id"
traced "leaktrace-test.$$/plain.service"
is "no container" "$(told)" "('/leaktrace-test.$$/plain.service', None)"
run_leaktrace -q -w fd -d 200ms -f json -o "$TMP/report.json" -p "$W_PID,$docker"
is "two that do not agree" "$(told)" "(None, None)"
traced "leaktrace-test.$$/lxc.payload."$'\e[31mred'
is "a name that is none for a terminal, in JSON" "$(told)" \
	"('/leaktrace-test.$$/lxc.payload.\\x1b[31mred', '\\x1b[31mred')"
run_leaktrace -q -w fd -d 200ms -p "$W_PID"
is "... and in text" "$(grep '^container: ' "$L_OUT")" 'container: \x1b[31mred'
done_testing
