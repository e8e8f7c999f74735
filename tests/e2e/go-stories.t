#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What Go servers leak, with the libraries that they leak it with: within ten seconds of attaching, the
# report has at the top of its kind the function and line that are to blame, stripped or not. And of the
# same programs mended, nothing.
. "$(dirname "$0")/../lib/harness.bash"
. "$(dirname "$0")/../lib/golang.bash"

SOON=10 # seconds

# at FUNCTION TEXT: a regex for main.FUNCTION:LINE, the line being its first in the story that has TEXT
at() {
	printf 'main\.%s:%s' "$1" "$(awk -v begin="func $1(" -v text="$2" '
		index($0, begin) == 1 { inside = 1 } inside && index($0, text) { print NR; exit }' \
		"$lib/../workloads/go/stories/$story.go")"
}

# attach PROGRAM MODE [OPTION...]: SINCE is when
attach() {
	program=$1 round=0
	start_program "$TMP/$1" "$2"
	SINCE=$SECONDS
	start_leaktrace -p "$W_PID" "${@:3}" || flunk "Go $GO, $program $2: is traced"
}

round() {
	round=$((round + 1))
	workload_go "done $round\$"
}

# report: it is there in time; KEPT is what the story says that it keeps
report() {
	stop_leaktrace
	KEPT=$(sed -n 's/^kept [a-z]* \([0-9]*\) .*/\1/p' "$W_OUT" | tail -n 1)
	is "Go $GO, $program: exit status" "$L_STATUS" 0
	ok "Go $GO, $program: in $((SECONDS - SINCE)) s" test $((SECONDS - SINCE)) -le $SOON
	workload_end
	is "Go $GO, $program: it was not disturbed" "$W_STATUS" 0
}

# top KIND WANTED NAME [RANK]: the first of the kind's stacks is like this
top() {
	local groups wanted="^$2( |\$)"

	groups=$(python3 "$lib/go_groups.py" "$L_REPORT" "$1" 2>&1)
	ok "Go $GO, $program: $3" grep -q -E -- "$wanted" <<<"$(sed -n "${4:-1}p" <<<"$groups")" ||
		diag "wanted: $wanted" "$(cut -c -800 <<<"$groups" | head -n 6)"
}

# most KIND BYTES WANTED NAME: those of the kind's stacks that are like this have it, give or take 10 %
most() {
	local bytes

	bytes=$(python3 "$lib/go_groups.py" "$L_REPORT" "$1" | grep -E -- "$3" | awk '{ n += $1 } END { print n + 0 }')
	ok "Go $GO, $program: $4: $bytes bytes of $2" test $((bytes * 10)) -ge $(($2 * 9)) -a \
		$((bytes * 10)) -le $(($2 * 11))
}

# none KIND UNWANTED NAME: no stack of the kind is like this
none() {
	local groups

	groups=$(python3 "$lib/go_groups.py" "$L_REPORT" "$1" 2>&1)
	is "Go $GO, $program: $3" "$(grep -c -E -- "$2" <<<"$groups")" 0 ||
		diag "$(grep -E -- "$2" <<<"$groups" | cut -c -800)"
}

# builds NAME: the story as it is and stripped
builds() {
	story=$1
	go_build "stories/$1 stories/story" "$1" 0 &&
		go_build "stories/$1 stories/story" "$1-stripped" 0 -ldflags "-s -w"
}

# A gRPC client made for each request and never closed.
grpc() {
	local line goroutines

	line="$(at newClient 'grpc.Dial(') $(at isHealthy 'ask(newClient')"
	attach "$1" leak -w memory,connection,fd,goroutine
	round
	round
	sleep 1
	report
	top memory "[0-9]+ - 0 (google.*\.newBufWriter|bufio\.NewReaderSize):.* $line .*" "buffers"
	most memory $((KEPT * write_buffer)) "google\.golang\.org/grpc/internal/transport\.newBufWriter:.* $line " \
		"what clients write to"
	top connection "$KEPT - 0 .*grpc\.\(\*addrConn\)\.connect.* $line .*" \
		"connections, and who has made the client"
	top fd "$KEPT - 0 .* $line .*" "descriptors of connections"
	top goroutine "$KEPT [^ ]* 0 google\.golang\.org/grpc.* $line .*" "goroutines of the clients"
	goroutines=$(python3 "$lib/go_groups.py" "$L_REPORT" goroutine | grep -E -- " $line " |
		awk -v n="$KEPT" '$1 == n' | wc -l)
	ok "Go $GO, $program: all $goroutines goroutines of each client" test "$goroutines" -ge 2
	attach "$1" fixed -w connection,goroutine
	round
	sleep 1
	report
	none connection "." "mended: no connection"
	none goroutine "grpc" "mended: no goroutine"
}

# The same of a server that keeps a profile of its heap.
grpc_profile() {
	attach "$1" leak -w memory
	for _ in 1 2 3 4; do round; done
	sleep 1
	report
	top memory "[0-9]+ - 0 (google.*\.newBufWriter|bufio\.NewReaderSize):.* \
$(at newClient 'grpc.Dial(') $(at isHealthy 'ask(newClient') .*" "buffers"
	ok "Go $GO, $program: it is the program's own profile" grep -q "own heap profile" "$L_REPORT"
}

# Response bodies never closed.
http() {
	local line

	line=$(at status 'http.Get(')
	attach "$1" leak -w connection,fd,goroutine
	round
	round
	sleep 1.2
	report
	top connection "$KEPT - $KEPT .*\(\*persistConn\)\.roundTrip:.* $line .*" \
		"connections, their responses being open"
	top fd "$KEPT - 0 .* $line .*" "descriptors of connections"
	top goroutine "$KEPT select 0 net/http\.\(\*Transport\)\.dialConn:.* $line .*" \
		"goroutines that read"
	top goroutine "$KEPT select 0 net/http\.\(\*Transport\)\.dialConn:.* $line .*" \
		"goroutines that write" 2
	top connection "1 - 0 .* $(at page 'http.Get(') .*" "one that is idle is none" 2
	attach "$1" fixed -w connection,goroutine
	round
	sleep 1.2
	report
	none connection "^[0-9]+ - [1-9]" "mended: no response is open"
	none connection "^([3-9]|[0-9]{2,}) .*main\.statusFixed" "mended: no more than the two that may be idle"
	none goroutine "^([3-9]|[0-9]{2,}) .*main\.statusFixed" "mended: no more than those of two"
}

# defer in a loop that never returns.
defer() {
	local line

	line="$(at newBuffer 'make(') $(at work 'newBuffer()')"
	attach "$1" leak -w memory
	round
	round
	sleep 1
	report
	top memory "[0-9]+ - 0 $line( .*)?" "the loop"
	most memory "$KEPT" " $line( |\$)" "what it keeps"
	attach "$1" fixed -w memory
	round
	round
	sleep 1
	report
	none memory "^[0-9]{8,} .*main\.workFixed" "mended: nothing much"
}

# Goroutines that send to a receiver that has gone.
receiver() {
	attach "$1" leak -w goroutine
	round
	sleep 1.5 # now those that make goroutines are known
	round
	report
	top goroutine "$((KEPT / 2)) chan_send 0 $(at first 'go func()').*" "who has started them"
	top goroutine "$((KEPT / 2)) chan_send 0 $(at first 'go func()').*" "before it was known" 2
	attach "$1" fixed -w goroutine
	round
	report
	none goroutine "main\.first" "mended: none"
}

# An endpoint that stops reading from its producer.
producer() {
	local growth

	attach "$1" leak -w goroutine -i 1s
	for _ in 1 2 3; do
		round
		sleep 1.1
	done
	report
	growth=$(python3 "$lib/go_groups.py" "$L_REPORT" goroutine all | awk -v what="chan_send" '
		/^report/ { if (NR > 1) printf "%d ", n; n = 0 } $2 == what && / main.newProducer:/ { n += $1 }
		END { print n }')
	like "Go $GO, $program: they grow with each request: $growth" " $growth " " 13 (13 )*26 (26 )*39 "
	top goroutine "26 chan_send 0 $(at newProducer 'go func()') main\.(main\.)?answer.*" "who has started them"
	attach "$1" fixed -w goroutine -i 1s
	round
	sleep 5
	report
	growth=$(python3 "$lib/go_groups.py" "$L_REPORT" goroutine all | awk '
		/^report/ { if (NR > 1) printf "%d ", n; n = 0 } $2 == "select" && /main.newProducerFixed:/ { n += $1 }
		END { print n }')
	like "Go $GO, $program: mended, they wait in select and go: $growth" " $growth " " 13 (13 )*0 "
}

for GO in $GO_VERSIONS; do
	have_go || continue
	suite=trixie write_buffer=$((32 << 10)) # what newBufWriter makes
	if [ "$GO" = 1.19 ]; then suite=bookworm write_buffer=$((64 << 10)); fi
	if ! GO_PATH=$("$lib/grpc" $suite 2>"$TMP/go.err"); then
		skip "Go $GO: gRPC" "$(tail -n 1 "$TMP/go.err")"
	elif builds grpc; then
		grpc grpc
		grpc grpc-stripped
		if go_build "stories/grpc stories/story stories/profile" grpc-profile 0 -ldflags "-s -w"; then
			grpc_profile grpc-profile
		fi
	fi
	for story in http defer receiver producer; do
		builds $story || continue
		$story $story
		$story $story-stripped
	done
done
done_testing
