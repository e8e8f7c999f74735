# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the tests of Go programs share; after harness.bash.
#
#	for GO in $GO_VERSIONS; do
#		if have_go; then go_build server stripped 0 -ldflags "-s -w"; fi
#	done
# Each version with its compiled standard library takes half a gigabyte where toolchains are kept.
GO_VERSIONS=${GO_VERSIONS:-1.27}

# Is version GO there? Says so as a skipped test when it is not.
have_go() {
	if GO_ROOT=$("$lib/go" "$GO" 2>"$TMP/go.err"); then return 0; fi
	skip "Go $GO" "$(tail -n 1 "$TMP/go.err")"
	return 1
}

# go_build "WORKLOAD..." NAME CGO ARG...: tests/workloads/go/WORKLOAD.go ... into $TMP/NAME; what they
# import is in GO_PATH
go_build() {
	local sources

	# shellcheck disable=SC2206
	sources=($1)
	go_build_of "${sources[*]/%/.go}" "${@:2}"
}

# go_build_of SOURCES NAME CGO ARG...: of the files, or the folder, in tests/workloads/go
go_build_of() {
	local sources=$1 name=$2 cgo=$3

	shift 3
	# shellcheck disable=SC2086
	(cd "$lib/../workloads/go" && env GOROOT="$GO_ROOT" GO111MODULE=off GOTOOLCHAIN=local GOFLAGS= \
		CGO_ENABLED="$cgo" GOCACHE="${GO_ROOT%/usr/lib/*}/build" GOPATH="${GO_PATH:-$TMP/gopath}" \
		"$GO_ROOT/bin/go" build -o "$TMP/$name" "$@" $sources) >"$TMP/go.log" 2>&1 &&
		return 0
	diag "$(cat "$TMP/go.log")"
	flunk "Go $GO builds $sources as $name"
}

# drop_sections FILE: as a loader sees it: without section headers
drop_sections() {
	printf '\0\0\0\0\0\0\0\0' | dd of="$1" bs=1 seek=40 conv=notrunc status=none
	printf '\0\0\0\0' | dd of="$1" bs=1 seek=60 conv=notrunc status=none
}
