#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Names that lead to what root should not open: devices, files of the kernel, FIFOs, sockets,
# directories, and files outside the target's root. What leaktrace opens is seen by strace.
. "$(dirname "$0")/../lib/hostile.bash"

command -v strace >/dev/null || skip_all "strace is not installed"

watch_opens() { # watch_opens FILE OPTION...
	L_OUT=$TMP/leaktrace.out L_ERR=$TMP/leaktrace.err
	timeout -k 5 30 strace -f --seccomp-bpf -yy -s 4096 -e trace=open,openat,openat2,creat -o "$TMP/$1" \
		"$LEAKTRACE" "${hooks[@]}" -f json "${@:2}" >"$L_OUT" 2>"$L_ERR" </dev/null
	L_STATUS=$?
}

# opens_well NAME PID...: what is opened of these targets is regular files in their roots
opens_well() {
	local name=$1 roots=() pid

	shift
	for pid; do roots+=("/proc/$pid/root"); done
	watch_opens opens -d 500ms -p "$(IFS=, && echo "$*")"
	is "$name: exit status" "$L_STATUS" 0 || diag "$(tail -n 5 "$L_ERR")"
	is "$name: opened amiss" "$("$lib/opens.py" "$TMP/opens" "${roots[@]}" -- "$TMP/plain")" ""
}

# things DIR: makes there what no file should lead to: NAME.to is a way to it
things() {
	printf '%s\n' "mkfifo $1/fifo.to" "mkdir $1/dir.to" "ln -s /dev/ptmx $1/ptmx.to" \
		"ln -s /proc/kmsg $1/kmsg.to" "ln -s /dev/zero $1/zero.to" \
		"perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Local => \"$1/socket.to\", Listen => 1)'"
}
kinds="fifo dir ptmx kmsg zero socket"

# -- a target that does no harm ------------------------------------------------------------------
bomb plain "$D/plain.so"
start_hostile calls "$D/plain.so"
watch_opens plain -d 500ms -p "$W_PID"
is "no harm: exit status" "$L_STATUS" 0
ok "no harm: its file is opened" grep -q 'plain\.so' "$TMP/plain"
is "no harm: devices among what is opened" "$(grep -v O_PATH "$TMP/plain" | grep -E '<(char|block) ' |
	grep -v -F '/dev/null<char 1:3>')" ""
end_hostile

# -- debug links, alternative links --------------------------------------------------------------
things "$D" | "${STRANGER[@]}" bash 2>"$TMP/things.err" || diag "$(cat "$TMP/things.err")"
n=0
for kind in $kinds; do
	"$lib/elf_bombs.py" refers "$D/link-$kind.so" link="$kind.to"
	"$lib/elf_bombs.py" refers "$D/alt-$kind.so" alt="$D/$kind.to"
	n=$((n + 1))
	"$lib/elf_bombs.py" refers "$D/id-$kind.so" id="abcd0$n"
done
"$lib/elf_bombs.py" refers "$D/alt-straight.so" alt=/dev/ptmx
chown 65534 "$D"/*.so
start_hostile calls "$D"/{link,alt}-*.so
opens_well "debug links to what is no file" "$W_PID"
ok "debug links to what is no file: they were followed" grep -q 'fifo\.to' "$TMP/opens"
end_hostile
is "debug links to what is no file: the target is well" "$W_STATUS" 0

# -- the same and build-ids, in a user and a mount namespace -------------------------------------
script="mount -t tmpfs none /usr/lib/debug
mkdir -p /usr/lib/debug/.build-id/ab
cd /usr/lib/debug/.build-id/ab
$(things .)
n=0
for kind in $kinds; do n=\$((n + 1)); mv \$kind.to cd0\$n.debug; done"
start_in_namespace "$script" calls "$D"/{link,alt,id}-*.so
opens_well "build-ids of what is no file, in a namespace" "$W_PID"
ok "build-ids of what is no file, in a namespace: they were followed" grep -q 'ab/cd01\.debug' "$TMP/opens"
end_hostile

# -- perf maps -----------------------------------------------------------------------------------
jits=() ins=()
for map in fifo dir socket "link /dev/ptmx" "link /proc/kmsg" "link /dev/zero"; do
	# shellcheck disable=SC2086
	start_in_namespace 'mount -t tmpfs none /tmp' jit $map
	jits+=("$W_PID") ins+=("$W_IN")
done
opens_well "perf maps that are no files" "${jits[@]}"
ok "perf maps that are no files: they were followed" grep -q 'perf-.*\.map' "$TMP/opens"
for W_IN in "${ins[@]}"; do echo >&"$W_IN"; done

# -- out of a root -------------------------------------------------------------------------------
R=$D/root
secret=$TMP/secret-of-the-host
echo secret >"$secret"
mkdir -p "$R"/{bin,old,tmp,proc,dev,lib64}
cp "$TMP/bin/unmaps" "$R/bin/"
cp /bin/busybox "$R/bin/" 2>/dev/null
for library in $(ldd "$TMP/bin/unmaps" | grep -o '/[^ ]*'); do
	mkdir -p "$R$(dirname "$library")"
	cp "$library" "$R$library"
done
chown -R 65534 "$R"
out_of_root() { # out_of_root NAME TARGET
	if ! [ -x "$R/bin/busybox" ]; then
		skip "$1" "busybox is not installed"
		return
	fi
	rm -f "$R/tmp/F (deleted)"
	ln -s "$2" "$R/tmp/F (deleted)"
	cp "$TMP/bin/unmaps" "$R/bin/"
	start_program "${STRANGER[@]}" unshare -Urm bash -c "set -e
		mount --bind '$R' '$R'
		cd '$R'
		pivot_root . old
		cd /
		/bin/busybox umount -l /old
		exec /bin/unmaps /tmp/F"
	opens_well "$1" "$W_PID"
	end_hostile
}
out_of_root "a link to the host's file, in a root of its own" "$secret"
out_of_root "a link to a device, in a root of its own" /dev/ptmx
done_testing
