// SPDX-License-Identifier: Apache-2.0

// One channel, and nobody at its other end.
package main

import "time"

func init() {
	patterns["late-answer"] = lateAnswer
	patterns["early-return"] = earlyReturn
	patterns["double-send"] = doubleSend
	patterns["nil-receive"] = nilReceive
	patterns["nil-send"] = nilSend
	patterns["range-not-closed"] = rangeNotClosed
	patterns["chan-of-chan"] = chanOfChan
	patterns["consumer-gone"] = consumerGone
	patterns["done-to-nobody"] = doneToNobody
	patterns["full-buffer"] = fullBuffer
	patterns["captured"] = captured
	patterns["many-senders"] = manySenders
	patterns["deep-stack"] = deepStack
	patterns["panicked-receiver"] = panickedReceiver
	patterns["struct-values"] = structValues
	patterns["receive-in-defer"] = receiveInDefer
	patterns["locked-thread"] = lockedThread
}

// A question with a time limit: who answers later finds nobody, unless there is room for the answer.
func lateAnswer(t *twin) {
	const n = 7
	for i := 0; i < n; i++ {
		room := 0
		if t.fixed {
			room = 1
		}
		answer := make(chan int, room)
		go answerLate(answer)
		select {
		case <-answer:
		case <-time.After(time.Millisecond):
		}
	}
	t.leaks("answerLate", n)
}

func answerLate(answer chan<- int) {
	time.Sleep(20 * time.Millisecond)
	answer <- 42
}

// Results of several are collected up to the first that failed.
func earlyReturn(t *twin) {
	const n = 11
	room := 0
	if t.fixed {
		room = n
	}
	results := make(chan error, room)
	for i := 0; i < n; i++ {
		go tryOne(results)
	}
	if err := <-results; err != nil {
		t.leaks("tryOne", n-1)
	}
}

func tryOne(results chan<- error) { results <- errFailed }

type failed struct{}

func (failed) Error() string { return "failed" }

var errFailed failed

// A return is missing between the failure and the result.
func doubleSend(t *twin) {
	const n = 5
	for i := 0; i < n; i++ {
		results := make(chan error)
		go reportTwice(results, t.fixed)
		<-results
	}
	t.leaks("reportTwice", n)
}

func reportTwice(results chan<- error, fixed bool) {
	results <- errFailed
	if fixed {
		return
	}
	results <- nil
}

type subscription struct{ events chan string }

// The channel was declared and never made.
func nilReceive(t *twin) {
	const n = 3
	s := &subscription{}
	if t.fixed {
		s.events = make(chan string)
		close(s.events)
	}
	for i := 0; i < n; i++ {
		go s.receive()
	}
	t.leaks("(*subscription).receive", n)
}

func (s *subscription) receive() { <-s.events }

func nilSend(t *twin) {
	const n = 3
	s := &subscription{}
	if t.fixed {
		s.events = make(chan string, n)
	}
	for i := 0; i < n; i++ {
		go s.send()
	}
	t.leaks("(*subscription).send", n)
}

func (s *subscription) send() { s.events <- "event" }

// The last value has been sent, and the channel is left open.
func rangeNotClosed(t *twin) {
	const n = 5
	lines := make(chan string)
	for i := 0; i < n; i++ {
		go printAll(lines)
	}
	for i := 0; i < 100; i++ {
		lines <- "a line"
	}
	if t.fixed {
		close(lines)
	}
	t.leaks("printAll", n)
}

func printAll(lines <-chan string) {
	for range lines {
	}
}

type request struct {
	question int
	reply    chan int
}

// A server that drops what it does not understand, without a reply.
func chanOfChan(t *twin) {
	const n = 7
	requests := make(chan request)
	go serve(requests, t.fixed)
	for i := 0; i < 2*n; i++ {
		go ask(requests, i)
	}
	t.leaks("ask", n)
	t.lives("serve", 1)
	held.requests = requests
}

func serve(requests <-chan request, fixed bool) {
	for r := range requests {
		if fixed || r.question%2 == 0 {
			r.reply <- r.question
		}
	}
}

func ask(requests chan<- request, question int) {
	r := request{question, make(chan int)}
	requests <- r
	<-r.reply
}

// Somebody reads three of many values and goes.
func consumerGone(t *twin) {
	const n = 5
	for i := 0; i < n; i++ {
		values, gone := make(chan int), make(chan struct{})
		go produce(values, gone)
		for k := 0; k < 3; k++ {
			<-values
		}
		if t.fixed {
			close(gone)
		}
	}
	t.leaks("produce", n)
}

func produce(values chan<- int, gone <-chan struct{}) {
	for i := 0; ; i++ {
		select {
		case values <- i:
		case <-gone:
			return
		}
	}
}

// A signal that work is done, for which nobody waits any more.
func doneToNobody(t *twin) {
	const n = 3
	for i := 0; i < n; i++ {
		done := make(chan struct{})
		go signalDone(done, t.fixed)
	}
	t.leaks("signalDone", n)
}

func signalDone(done chan struct{}, fixed bool) {
	if fixed {
		close(done)
		return
	}
	done <- struct{}{}
}

// Room for some, but not for all.
func fullBuffer(t *twin) {
	const room, n = 4, 11
	c := make(chan int, room)
	for i := 0; i < n; i++ {
		go fill(c)
	}
	if t.fixed {
		for i := 0; i < n; i++ {
			<-c
		}
	}
	t.leaks("fill", n-room)
}

func fill(c chan<- int) { c <- 1 }

// The value that is sent lies in the same object as the channel: what waits points at it itself. (Go's own
// goroutineleak profile does not find these.)
func captured(t *twin) {
	const n = 13
	for i := 0; i < n; i++ {
		c, value := make(chan [4]int), [4]int{i}
		go func() { c <- value }()
		if t.fixed {
			<-c
		}
	}
	t.leaks("captured.func1", n)
}

// As many as a server has after a bad day.
func manySenders(t *twin) {
	const n = 1009
	for i := 0; i < n; i++ {
		c := make(chan [64]byte)
		go sendBlock(c)
		if t.fixed {
			<-c
		}
	}
	t.leaks("sendBlock", n)
}

func sendBlock(c chan<- [64]byte) { c <- [64]byte{} }

// Where the stack was moved as it grew, and the channel is known to its middle.
func deepStack(t *twin) {
	const n = 3
	for i := 0; i < n; i++ {
		c := make(chan int)
		go descend(c, 300)
		if t.fixed {
			c <- 1
		}
	}
	t.leaks("descend", n)
}

func descend(c chan int, depth int) int {
	var room [64]int
	if depth == 0 {
		return <-c
	}
	room[depth%64] = descend(c, depth-1)
	return room[depth%64] + cap(c)
}

// The one who would have received recovers from a panic and goes home.
func panickedReceiver(t *twin) {
	const n = 5
	for i := 0; i < n; i++ {
		c := make(chan int)
		go sendToPanicked(c)
		receiveOrPanic(c, t.fixed)
	}
	t.leaks("sendToPanicked", n)
}

func sendToPanicked(c chan<- int) { c <- 1 }

func receiveOrPanic(c <-chan int, fixed bool) {
	defer func() { _ = recover() }()
	if !fixed {
		panic("before anything is received")
	}
	<-c
}

type parcel struct {
	name string
	to   chan parcel
	load [3]*parcel
}

// What is sent has pointers in it, to its own channel as well.
func structValues(t *twin) {
	const n = 7
	for i := 0; i < n; i++ {
		c := make(chan parcel)
		go sendParcel(c)
		if t.fixed {
			<-c
		}
	}
	t.leaks("sendParcel", n)
}

func sendParcel(c chan parcel) { c <- parcel{"itself", c, [3]*parcel{{to: c}}} }

// It blocks on its way out.
func receiveInDefer(t *twin) {
	const n = 3
	for i := 0; i < n; i++ {
		c := make(chan int)
		go leaveLate(c)
		if t.fixed {
			close(c)
		}
	}
	t.leaks("leaveLate", n)
}

func leaveLate(c chan int) {
	defer func() { <-c }()
}
