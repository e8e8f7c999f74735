// SPDX-License-Identifier: Apache-2.0

//go:build go1.24

package main

import (
	"runtime"
	"weak"
)

func init() {
	patterns["held-weakly"] = heldWeakly
	patterns["kept-weakly"] = keptWeakly
	holders["cleanup"] = heldByCleanup
	patterns["cleanup-due"] = func(t *twin) { due(t, cleanUpSlowly, cleanUpByWaking) }
}

// What is kept weakly is not kept.
func heldWeakly(t *twin) {
	const n = 3
	w := &wide{channel: make(chan int)}
	for i := 0; i < n; i++ {
		go waitFor(w.channel)
	}
	held.list = append(held.list, weak.Make(w))
	if t.fixed {
		held.any = w
	}
	t.leaksOrLives("waitFor", n)
}

// What those who wait keep themselves, a weak pointer of somebody else leads to all the same.
func keptWeakly(t *twin) {
	const n = 3
	w := &wide{channel: make(chan int)}
	for i := 0; i < n; i++ {
		go waitAndKeep(w)
	}
	if t.fixed {
		held.list = append(held.list, weak.Make(w))
	}
	t.leaksOrLives("waitAndKeep", n)
}

//go:noinline
func waitAndKeep(w *wide) {
	<-w.channel
	runtime.KeepAlive(w)
}

func heldByCleanup(c chan int) func() {
	w := &wide{}
	held.any = w
	cleanup := runtime.AddCleanup(w, func(c chan int) { close(c) }, c)
	held.list = append(held.list, cleanup)
	return func() { held.list[0].(runtime.Cleanup).Stop() }
}

//go:noinline
func cleanUpSlowly() { runtime.AddCleanup(&wide{}, func(int) { holdsUp() }, 0) }

//go:noinline
func cleanUpByWaking(c chan int) {
	runtime.AddCleanup(&wide{}, func(c chan int) { c <- 1 }, c)
}
