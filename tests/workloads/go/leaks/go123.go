// SPDX-License-Identifier: Apache-2.0

//go:build go1.23

package main

import "iter"

func init() {
	patterns["kept-by-iterator"] = keptByIterator
	patterns["iterator-not-stopped"] = iteratorNotStopped
}

// A pulled iterator is a goroutine that waits for its next turn.
func keptByIterator(t *twin) {
	const n = 3
	c := make(chan int)
	for i := 0; i < n; i++ {
		go waitFor(c)
	}
	numbers := func(yield func(int) bool) { yield(1) }
	if t.fixed {
		numbers = func(yield func(int) bool) {
			defer close(c)
			yield(1)
		}
	}
	next, stop := iter.Pull(numbers)
	next()
	held.list = append(held.list, stop)
	t.total++
	t.leaksOrLives("waitFor", n)
}

// It counts with a goroutine of its own, which is not stopped when the loop is left.
func numbers(fixed bool) iter.Seq[int] {
	return func(yield func(int) bool) {
		c, stop := make(chan int), make(chan struct{})
		if fixed {
			defer close(stop)
		}
		go count(c, stop)
		for i := range c {
			if !yield(i) {
				return
			}
		}
	}
}

func iteratorNotStopped(t *twin) {
	const n = 5
	for i := 0; i < n; i++ {
		for k := range numbers(t.fixed) {
			if k == 3 {
				break
			}
		}
	}
	t.leaks("count", n)
}
