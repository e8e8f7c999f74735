#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Containers of runc and crun: which there are, who is in them, and what is meant by their names. The runtimes run where
# version 2 of control groups is mounted alone, as on most hosts; leaktrace runs where it is mounted here.
. "$(dirname "$0")/../lib/harness.bash"

for runtime in runc crun busybox; do
	command -v $runtime >/dev/null || skip_all "$runtime is not installed"
done
mkdir "$TMP/unified"
mount -t cgroup2 none "$TMP/unified" 2>/dev/null || skip_all "control groups of version 2 cannot be mounted here"
top=/leaktrace-test.$$
here=$TMP/unified$top
web=leaktrace-$$-web db=leaktrace-$$-db
trap 'cleanup_containers; cleanup' EXIT

cleanup_containers() {
	runtime runc delete -f "$web"
	runtime crun delete -f "$db"
	for pid in "${children[@]}"; do kill -9 "$pid"; wait "$pid"; done
	find "$here" -depth -type d -exec rmdir {} +
	umount "$TMP/unified"
} &>/dev/null

# runtime NAME ARG...: the runtime, where version 2 is at /sys/fs/cgroup
runtime() {
	# shellcheck disable=SC2016
	unshare -m sh -c 'at=/sys/fs/cgroup
		[ "$(stat -f -c %T $at)" = cgroup2fs ] || mount -t cgroup2 none $at || exit
		exec "$@"' - "$@" </dev/null >"$TMP/runtime.out" 2>&1
}

bundle() { # bundle FOLDER GROUP ANNOTATIONS COMMAND: one that runs a command of busybox's shell
	mkdir -p "$1/rootfs/bin" "$1/rootfs/proc"
	cp "$(command -v busybox)" "$1/rootfs/bin/busybox"
	(cd "$1" && runc spec)
	python3 - "$@" <<-'PYTHON'
		import json, sys
		path = sys.argv[1] + "/config.json"
		c = json.load(open(path))
		c["process"].update(terminal=False, args=["/bin/busybox", "sh", "-c", sys.argv[4]])
		c["linux"]["cgroupsPath"] = sys.argv[2]
		c["linux"].pop("resources", None)  # what the containers here may do is not the matter
		c["annotations"] = json.loads(sys.argv[3])
		json.dump(c, open(path, "w"))
	PYTHON
}

members() { find "$1" -name cgroup.procs -exec cat {} + | sort -n | tr '\n' ' ' | sed 's/ $//'; }
has_members() { [ "$(members "$1" | wc -w)" = "$2" ]; }

# told NAME EXPRESSION: of that container, a Python expression over its JSON `c`, None when it is not listed
told() {
	python3 - "$1" "$2" "$L_OUT" <<-'PYTHON' 2>&1
		import json, sys
		r = json.load(open(sys.argv[3]))
		c = next((x for x in r["containers"] if x["id"] == sys.argv[1]), None)
		print(c and eval(sys.argv[2]))
	PYTHON
}

bundle "$TMP/web" "$top/web" '{}' 'busybox sleep 1000 & busybox sleep 1001 & wait'
bundle "$TMP/db" "$top/any/name" \
	'{"io.kubernetes.cri.sandbox-name": "store", "io.kubernetes.cri.sandbox-namespace": "prod",
	  "io.kubernetes.cri.image-name": "postgres:15"}' 'exec busybox sleep 1002'
runtime runc run -d --no-pivot --bundle "$TMP/web" "$web" || skip_all "runc cannot run here: $(tail -n 1 "$TMP/runtime.out")"
runtime crun run -d --no-pivot --bundle "$TMP/db" "$db" || skip_all "crun cannot run here: $(tail -n 1 "$TMP/runtime.out")"
ok "runc's container has started" await "$PATIENCE" has_members "$here/web" 3
ok "crun's container has started" await "$PATIENCE" has_members "$here/any/name" 1

# -- listed --------------------------------------------------------------------------------------
run_leaktrace containers -f json
is "listed: status and messages" "$L_STATUS $(cat "$L_ERR")" "0 "
is "runc's container" "$(told "$web" "c['name'], c['runtime'], c['pod'], c['cgroup'], c['hierarchy'], c['processes']")" \
	"('$web', 'runc', None, '$top/web', None, 3)"
is "runc's processes" "$(told "$web" "' '.join(map(str, c['pids']))")" "$(members "$here/web")"
is "crun's container" "$(told "$db" "c['name'], c['runtime'], c['namespace'], c['pod'], c['image'], c['cgroup']")" \
	"('$db', 'crun', 'prod', 'store', 'postgres:15', '$top/any/name')"
is "crun's processes" "$(told "$db" "' '.join(map(str, c['pids']))")" "$(members "$here/any/name")"
run_leaktrace containers -o "$TMP/list.txt"
is "in a file, as text" "$(awk -v id="$db" '$2 == id { print $3, $4, $5, $6, $7 }' "$TMP/list.txt")" \
	"crun 1 prod/store postgres:15 $top/any/name"

install -m 755 "$LEAKTRACE" "$TMP/leaktrace"
setpriv --reuid=nobody --clear-groups "$TMP/leaktrace" containers >"$TMP/out" 2>"$TMP/err"
is "an unprivileged user: status" $? 0
like "an unprivileged user: what may be missing" "$(tail -n 1 "$TMP/err")" 'only root may read all'

# -- what a name means ---------------------------------------------------------------------------
scope_of() { "$BUILD/tests/host/scope_of" "$@" 2>&1; }

names() { # names NAME PID...: each with the name
	local name=$1

	shift
	printf 'pids'
	printf " %s=$name" "$@"
}

in_web=$(members "$here/web")
# shellcheck disable=SC2086
wanted="v2 $top/web $(stat -c %i "$here/web")
$(names "$web" $in_web)"
is "by name" "$(scope_of container "$web")" "$wanted"
is "by the beginning of its name" "$(scope_of container "${web%b}")" "$wanted"
is "by the folder of its group" "$(scope_of cgroup "$here/web/")" "$wanted"
is "by the path of its group" "$(scope_of cgroup "$top/web" | grep -v '^[a-z=]* .* 0$')" "$wanted"
is "a pod" "$(scope_of container prod/store)" "v2 $top/any/name $(stat -c %i "$here/any/name")
$(names "$db" "$(members "$here/any/name")")"
like "more than one" "$(scope_of container "leaktrace-$$-")" \
	"^more than one container is meant by 'leaktrace-$$-': there are prod/store/$db, $web\$"
like "none" "$(scope_of container "leaktrace-$$-x")" "^there is no container 'leaktrace-$$-x': there are .*$db.*$web"
is "no group" "$(scope_of cgroup "$top/x" | sed 's/: .*//')" "there is no control group '$top/x'"
is "both, by the group above" "$(scope_of cgroup "$here" | tail -n 1 | sed 's/=[^ ]*//g')" \
	"pids $(members "$here")"

# -- who comes and goes --------------------------------------------------------------------------
runtime runc exec -d "$web" /bin/busybox sleep 1003
ok "one comes" await "$PATIENCE" has_members "$here/web" 4
mkdir "$here/web/below"
echo "${in_web##* }" >"$here/web/below/cgroup.procs"
# shellcheck disable=SC2046
is "one comes, one goes to a group below" "$(scope_of container "$web" | tail -n 1)" \
	"$(names "$web" $(members "$here/web"))"
mkdir "$here/threads" "$here/threads/below"
echo threaded >"$here/threads/below/cgroup.type"
start_workload threads
echo "$W_PID" >"$here/threads/cgroup.procs"
echo "$W_PID" >"$here/threads/below/cgroup.threads"
is "a group of threads" "$(scope_of cgroup "$here/threads/below" | tail -n 1)" "pids $W_PID"
workload_kill

# -- who borrows a name --------------------------------------------------------------------------
mkdir -p "$here/web/below/crun-$db.scope"
echo "${in_web##* }" >"$here/web/below/crun-$db.scope/cgroup.procs"
like "the name of another container" "$(scope_of container "$db")" "^v2 $top/any/name "
run_leaktrace containers -f json
is "... is listed as it is" "$(grep -c "\"id\": \"$db\"" "$L_OUT")" 2

# -- gone ----------------------------------------------------------------------------------------
runtime crun delete -f "$db"
run_leaktrace containers -f json
is "one that has ended is not listed, only who borrowed its name" "$(told "$db" "c['cgroup']")" "$top/web/below/crun-$db.scope"
is "... the other is" "$(told "$web" "c['processes']")" 4
runtime runc delete -f "$web"
is "the name means nothing any more" "$(scope_of container "$web" | sed 's/:.*//')" "there is no container '$web'"
done_testing
