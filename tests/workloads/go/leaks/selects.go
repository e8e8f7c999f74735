// SPDX-License-Identifier: Apache-2.0

// More than one channel to wait for.
package main

import (
	"runtime"
	"time"
)

func init() {
	patterns["select-empty"] = selectEmpty
	patterns["select-never-ready"] = selectNeverReady
	patterns["select-all-nil"] = selectAllNil
	patterns["select-with-limit"] = selectWithLimit
	patterns["select-send-receive"] = selectSendReceive
	patterns["select-one-held"] = selectOneHeld
	patterns["loop-break"] = loopBreak
	patterns["stop-not-closed"] = stopNotClosed
}

func selectEmpty(t *twin) {
	const n = 3
	for i := 0; i < n; i++ {
		go parkForever(t.fixed)
	}
	t.leaks("parkForever", n)
}

func parkForever(fixed bool) {
	if fixed {
		return
	}
	select {}
}

func selectNeverReady(t *twin) {
	const n = 5
	for i := 0; i < n; i++ {
		a, b, c := make(chan int), make(chan string), make(chan error)
		go firstOf(a, b, c)
		if t.fixed {
			close(b)
		}
	}
	t.leaks("firstOf", n)
}

func firstOf(a chan int, b chan string, c chan error) {
	select {
	case <-a:
	case <-b:
	case <-c:
	}
}

// Each channel is set to nil when it is closed, and the loop is not left when both are.
func selectAllNil(t *twin) {
	const n = 3
	for i := 0; i < n; i++ {
		a, b := make(chan int), make(chan int)
		go merge(a, b, t.fixed)
		close(a)
		close(b)
	}
	t.leaks("merge", n)
}

func merge(a, b <-chan int, fixed bool) {
	for !fixed || a != nil || b != nil {
		select {
		case _, open := <-a:
			if !open {
				a = nil
			}
		case _, open := <-b:
			if !open {
				b = nil
			}
		}
	}
}

// A limit, however far away, is a way out.
func selectWithLimit(t *twin) {
	const n = 5
	for i := 0; i < n; i++ {
		go waitForAnswer(make(chan int), t.fixed)
	}
	t.leaksOrLives("waitForAnswer", n)
}

func waitForAnswer(answer <-chan int, limited bool) {
	var limit <-chan time.Time
	if limited {
		limit = time.After(time.Hour)
	}
	select {
	case <-answer:
	case <-limit:
	}
}

// Either direction would do.
func selectSendReceive(t *twin) {
	const n = 7
	for i := 0; i < n; i++ {
		in, out := make(chan int), make(chan int)
		go trade(in, out)
		if t.fixed {
			<-out
		}
	}
	t.leaks("trade", n)
}

func trade(in <-chan int, out chan<- int) {
	select {
	case <-in:
	case out <- 1:
	}
}

// Of two channels one is still known to somebody.
func selectOneHeld(t *twin) {
	const n = 3
	stop := make(chan struct{})
	for i := 0; i < n; i++ {
		go waitForStop(make(chan int), stop)
	}
	if t.fixed {
		held.stop = stop
	}
	t.leaksOrLives("waitForStop", n)
}

func waitForStop(work <-chan int, stop <-chan struct{}) {
	for {
		select {
		case <-work:
		case <-stop:
			return
		}
	}
}

// "break" ends the select, not the loop.
func loopBreak(t *twin) {
	const n = 3
	for i := 0; i < n; i++ {
		work, stop := make(chan int), make(chan struct{})
		go breakOut(work, stop, t.fixed)
		work <- 1
		stop <- struct{}{}
	}
	t.leaks("breakOut", n)
}

func breakOut(work <-chan int, stop <-chan struct{}, fixed bool) {
	for {
		select {
		case <-work:
			continue
		case <-stop:
			if fixed {
				return
			}
			break
		}
	}
}

// One value on the stop channel, where several wait for it.
func stopNotClosed(t *twin) {
	const n = 6
	stop := make(chan struct{})
	for i := 0; i < n; i++ {
		go untilStopped(stop)
	}
	if t.fixed {
		close(stop)
	} else {
		stop <- struct{}{}
	}
	t.leaks("untilStopped", n-1)
}

func untilStopped(stop <-chan struct{}) {
	work := make(chan int)
	select {
	case <-work:
	case <-stop:
	}
}

// It has a thread of its own.
func lockedThread(t *twin) {
	const n = 2
	for i := 0; i < n; i++ {
		c := make(chan int)
		go waitLocked(c)
		if t.fixed {
			close(c)
		}
	}
	t.leaks("waitLocked", n)
}

func waitLocked(c <-chan int) {
	runtime.LockOSThread()
	<-c
	runtime.UnlockOSThread()
}
