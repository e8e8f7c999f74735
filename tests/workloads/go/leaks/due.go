// SPDX-License-Identifier: Apache-2.0

// Goroutines wait for what a finalizer or a cleanup will send, that is due and waits for its turn behind one
// that does not end. In the twin that leaks it sends to somebody else.
package main

import (
	"runtime"
	"time"
)

func init() {
	patterns["finalizer-due"] = func(t *twin) { due(t, finalizeSlowly, finalizeByWaking) }
}

//go:noinline
func deeply(n int) (words [64]int) { // over what is left of others on the stack
	if n > 0 {
		words = deeply(n - 1)
	}
	return
}

func collectAll() {
	deeply(40)
	runtime.GC()
	time.Sleep(20 * time.Millisecond)
	runtime.GC()
}

//go:noinline
func holdsUp() { <-held.stop }

//go:noinline
func finalizeSlowly() { runtime.SetFinalizer(&wide{}, func(*wide) { holdsUp() }) }

//go:noinline
func finalizeByWaking(c chan int) {
	runtime.SetFinalizer(&wide{channel: c}, func(w *wide) { w.channel <- 1 })
}

//go:noinline
func waitForFinalizer(t *twin, n int, register func(c chan int)) {
	c := make(chan int)
	for i := 0; i < n; i++ {
		go waitFor(c)
	}
	if !t.fixed {
		c = make(chan int)
	}
	register(c)
}

func due(t *twin, slowly func(), byWaking func(c chan int)) {
	const n = 3
	runtime.GOMAXPROCS(1) // so one goroutine runs all that is due
	held.stop = make(chan struct{})
	slowly()
	collectAll()
	waitForFinalizer(t, n, byWaking)
	time.Sleep(20 * time.Millisecond)
	collectAll()
	t.lines = append(t.lines, "alive main.holdsUp 1") // in one of the runtime's own, which it does not count
	t.leaksOrLives("waitFor", n)
}
