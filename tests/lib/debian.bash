# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Packages of Debian's suites, downloaded from the mirror that this machine's own sources name and
# unpacked: nothing is installed. For scripts that set WHAT, what they are about, and exit with status 77
# and the reason on stderr when it cannot be had.
#
#	packages_into FOLDER SUITE PACKAGE...
CACHE=${LEAKTRACE_CACHE:-${XDG_CACHE_HOME:-${HOME:-/var}/.cache}/leaktrace}

unavailable() {
	printf '%s: %s\n' "${WHAT-}" "$*" >&2
	exit 77
}

# The mirror of the machine's own suite has the others as well.
mirror() {
	local ID='' VERSION_CODENAME=''

	# shellcheck source=/dev/null
	if [ -r /etc/os-release ]; then . /etc/os-release; fi
	[ "$ID" = debian ] || return 1
	# shellcheck disable=SC2016
	apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Release: $VERSION_CODENAME" \
		'Component: main' 2>/dev/null | head -n 1
}

apt_private() { # apt_private FOLDER COMMAND ARG...: apt with lists of its own
	"$2" -qq -o Dir::Etc::sourcelist="$1/sources" -o Dir::Etc::sourceparts=- \
		-o Dir::State::lists="$1/lists" -o Dir::Cache="$1/cache" \
		-o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none -o Acquire::Retries=2 \
		"${@:3}"
}

packages_unpack() { # packages_unpack FOLDER SUITE PACKAGE...
	local apt=$1/apt uri package

	command -v apt-get >/dev/null && command -v dpkg >/dev/null || unavailable "there is no apt here"
	uri=$(mirror) && [ -n "$uri" ] || unavailable "only a Debian's sources name a mirror of it"
	mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
	printf 'deb %s %s main\n' "$uri" "$2" >"$apt/sources"
	apt_private "$apt" apt-get update >&2 || unavailable "apt cannot read $2 of $uri"
	(cd "$apt" && apt_private "$apt" apt-get download "${@:3}" >&2) ||
		unavailable "it cannot be downloaded from $2 of $uri"
	for package in "$apt"/*.deb; do dpkg -x "$package" "$1"; done
	rm -rf "$apt"
	chmod 755 "$1"
}

# Whoever else does it at the same time, the folder is whole once it is there.
packages_into() {
	local new

	if [ -d "$1" ]; then return; fi
	mkdir -p "$(dirname "$1")"
	new=$(mktemp -d "$(dirname "$1")/.new.XXXXXX")
	# shellcheck disable=SC2064
	trap "rm -rf '$new'" EXIT
	packages_unpack "$new" "${@:2}"
	mv -T "$new" "$1" 2>/dev/null || [ -d "$1" ]
}
