#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# --container, with containers of runc and crun that are made of one layer, so that they map the same files: the books
# of one are its own, whoever starts, forks, execs or loads libraries in it. The runtimes run where version 2 of control
# groups is mounted alone, as on most hosts; leaktrace runs where it is mounted here.
. "$(dirname "$0")/../lib/harness.bash"

for runtime in runc crun; do
	command -v $runtime >/dev/null || skip_all "$runtime is not installed"
done
mkdir "$TMP/unified"
mount -t cgroup2 none "$TMP/unified" 2>/dev/null || skip_all "control groups of version 2 cannot be mounted here"
top=/leaktrace-test.$$
here=$TMP/unified$top
web=$(printf '%064x' $$ | rev) db=leaktrace-$$-db # ids: as docker makes them, and as people do
trap 'cleanup_containers; cleanup' EXIT

cleanup_containers() {
	runtime runc delete -f "$web"
	runtime crun delete -f "$db"
	for pid in "${children[@]}"; do kill -9 "$pid"; wait "$pid"; done
	find "$here" -depth -type d -exec rmdir {} +
	umount "$TMP"/*/rootfs "$TMP/unified"
} &>/dev/null

# runtime NAME ARG...: the runtime, where version 2 is at /sys/fs/cgroup; with the standard descriptors as they are
runtime() {
	# shellcheck disable=SC2016
	unshare -m sh -c 'at=/sys/fs/cgroup
		[ "$(stat -f -c %T $at)" = cgroup2fs ] || mount -t cgroup2 none $at || exit
		exec "$@"' - "$@"
}

make_layer() { # what the workloads need, and what runtimes mount on
	local file

	mkdir -p "$TMP"/layer/{proc,dev,sys,tmp,workloads,plugins} "$TMP/empty"
	cp "$WORKLOADS"/{blocks,family,plugins} "$TMP/layer/workloads"
	cp "$BUILD"/tests/plugins/{a,b}.so "$TMP/layer/plugins"
	for file in $(ldd "$WORKLOADS/blocks" | grep -o '/[^ ]*'); do install -D "$file" "$TMP/layer$file"; done
}

bundle() { # bundle FOLDER GROUP ANNOTATIONS COMMAND...: of the layer
	mkdir -p "$1/rootfs"
	mount -t overlay -o "lowerdir=$TMP/layer:$TMP/empty" overlay "$1/rootfs" || return
	(cd "$1" && runc spec)
	python3 - "$@" <<-'PYTHON'
		import json, sys
		path = sys.argv[1] + "/config.json"
		c = json.load(open(path))
		c["process"].update(terminal=False, args=sys.argv[4:])
		c["linux"]["cgroupsPath"] = sys.argv[2]
		c["linux"].pop("resources", None)  # what the containers here may do is not the matter
		c["annotations"] = json.loads(sys.argv[3])
		json.dump(c, open(path, "w"))
	PYTHON
}

newest() { # newest GROUP: the process in it that began last
	local pid

	for pid in $(cat "$1/cgroup.procs"); do
		awk '{ print $22, $1 }' "/proc/$pid/stat"
	done 2>/dev/null | sort -n | awk 'END { print $2 }'
}

# start_inside GROUP RUNTIME ARG...: a workload that the runtime starts there, waiting; it is not our child
start_inside() {
	local group=$1

	shift
	n_workloads=$((n_workloads + 1))
	W_OUT=$TMP/workload.$n_workloads.out
	mkfifo "$TMP/workload.$n_workloads.in"
	runtime "$@" <"$TMP/workload.$n_workloads.in" >"$W_OUT" 2>&1 &
	exec {W_IN}>"$TMP/workload.$n_workloads.in"
	await "$PATIENCE" has_line "$W_OUT" '^ready' || return 1
	W_PID=$(newest "$group")
}

end_inside() { # the workload ends, and whoever has started it waits for it
	echo >&"$W_IN"
	exec {W_IN}>&-
	await "$PATIENCE" is_gone "$W_PID"
}

traced_or_gone() { has_line "$L_ERR" "^leaktrace: pid $1 \\($2\\) is being traced$" || is_gone "$L_PID"; }
await_traced() { await "$PATIENCE" traced_or_gone "$@"; } # await_traced PID COMM: and no more what it was before exec
rows() { report_says "sorted(($1) for p in r['target']['processes'])"; } # rows EXPRESSION of p

make_layer
bundle "$TMP/web" "$top/web" '{"nerdctl/name": "leaktrace-'$$'-web"}' /workloads/family wait ||
	skip_all "overlays cannot be mounted here"
bundle "$TMP/db" "$top/db" '{}' /workloads/blocks wait 2

# -- by name: one that forks and execs, beside another container of the same files -----------------
start_inside "$here/web" runc run -d --no-pivot --bundle "$TMP/web" "$web" ||
	skip_all "runc cannot run here: $(tail -n 1 "$W_OUT")"
web_pid=$W_PID web_out=$W_OUT web_in=$W_IN
start_inside "$here/db" crun run -d --no-pivot --bundle "$TMP/db" "$db" ||
	skip_all "crun cannot run here: $(tail -n 1 "$W_OUT")"
db_pid=$W_PID db_out=$W_OUT db_in=$W_IN
is "both map the same libc" \
	"$(for pid in $web_pid $db_pid; do awk '/libc.so.6/ { print $5; exit }' "/proc/$pid/maps"; done | uniq | wc -l)" 1
run_leaktrace --container "leaktrace-$$-"
is "more than one is meant: status" "$L_STATUS" 1
is "... and one line, with what there is" "$(cat "$L_ERR")" \
	"leaktrace: more than one container is meant by 'leaktrace-$$-': there are leaktrace-$$-db, leaktrace-$$-web (${web:0:12})"
start_leaktrace -w memory --container "leaktrace-$$-web"
workload_go
W_PID=$web_pid W_OUT=$web_out W_IN=$web_in
workload_go
stop_leaktrace
is "by name: status" "$L_STATUS" 0
ok "... the report is valid" "$lib/validate-json" "$lib/../schema/report-1.schema.json" "$L_REPORT"
books_are "... the books of its processes, and of nobody else" --sites-only
is "... the fork and the exec among them" "$(rows "p['comm']")" "['exe', 'family', 'family', 'family']"
is "... its first process, as it is there" "$(report_says "[p['ns_pid'] for p in r['target']['processes'] if p['pid'] == $web_pid]")" "[1]"
is "... which container" "$(report_says "(r['target']['scope'], r['target']['container'])")" \
	"({'kind': 'container', 'names': ['leaktrace-$$-web']}, '$web')"
is "... and its name" "$(rows "p['container'], p['container_name']" | grep -o "('[^)]*)" | sort -u)" "('$web', 'leaktrace-$$-web')"
end_inside
W_PID=$db_pid W_OUT=$db_out W_IN=$db_in
end_inside
runtime runc delete -f "$web" &>/dev/null
runtime crun delete -f "$db" &>/dev/null

# -- by 12 digits of an id: who comes by the runtime's exec, and libraries that come ----------------
sed -i 's|"/workloads/family", "wait"|"/workloads/plugins", "1", "199", "5000", "/plugins/a.so", "/plugins/b.so"|' "$TMP/web/config.json"
start_inside "$here/web" runc run -d --no-pivot --bundle "$TMP/web" "$web"
web_pid=$W_PID web_out=$W_OUT web_in=$W_IN
start_leaktrace -w memory --container "${web:0:12}"
start_inside "$here/web" runc exec -d "$web" /workloads/blocks wait 3
came=$W_PID
await_traced "$came" blocks
workload_go
came_out=$W_OUT came_in=$W_IN
W_PID=$web_pid W_OUT=$web_out W_IN=$web_in
workload_go
stop_leaktrace
is "by 12 digits of its id: who is told of" "$(rows "p['comm']")" "['blocks', 'plugins']"
python3 - "$L_REPORT" "$came" "$TMP/came.json" <<-'PYTHON'
	import json, sys
	r = json.load(open(sys.argv[1]))
	[row] = [p for p in r["target"]["processes"] if p["pid"] == int(sys.argv[2])]
	part = row["resources"][0]
	part["stacks"] = [s for s in r["resources"][0]["stacks"] if s["pid"] == int(sys.argv[2])]
	r["resources"] = [part]
	json.dump(r, open(sys.argv[3], "w"))
PYTHON
all=$L_REPORT L_REPORT=$TMP/came.json W_OUT=$came_out
books_are "... the books of one that the runtime's exec has started" --sites-only
L_REPORT=$all W_OUT=$web_out
line=$("$lib/plugins.py" "$L_REPORT" "$W_OUT" a:101 b:211 2>"$TMP/why")
diag "$line"
# shellcheck disable=SC2086
set -- $line
is "... blocks of libraries that came: how many, and none is another's" "$2 $8" "398 0"
ok "... nearly all are right" test "$4" -ge 380 || diag "$(head -n 5 "$TMP/why")"
end_inside
W_PID=$came W_IN=$came_in
exec {W_IN}>&-

# -- by the whole id; then the container is removed -------------------------------------------------
start_inside "$here/db" crun run -d --no-pivot --bundle "$TMP/db" "$db"
start_leaktrace -w memory --container "$db"
workload_go
runtime crun delete -f "$db" &>/dev/null
await_leaktrace
is "removed while it is traced: status" "$L_STATUS" 0
is "... what the report says" "$(report_says "r['target']['ended']")" "the container has gone"
books_are "... its books" --sites-only
is "... its state" "$(rows "p['state'], p['container']")" "[('ended', '$db')]"

# -- one that starts while its group is traced -------------------------------------------------------
runtime runc delete -f "$web" &>/dev/null
mkdir -p "$here"
start_leaktrace -w fd --cgroup "$top"
start_inside "$here/web" runc run -d --no-pivot --bundle "$TMP/web" "$web"
await_traced "$W_PID" plugins
stop_leaktrace
is "one that starts later: what it is called" "$(report_says \
	"[p['container_name'] for p in r['target']['processes'] if p['pid'] == $W_PID]")" "['leaktrace-$$-web']"
end_inside

# -- what cannot be ---------------------------------------------------------------------------------
runtime runc delete -f "$web" &>/dev/null
run_leaktrace --container "$db"
is "none of that name: status" "$L_STATUS" 1
is "... and one line" "$(sed 's/: there are .*\|: no container runs$//' "$L_ERR")" "leaktrace: there is no container '$db'"
done_testing
