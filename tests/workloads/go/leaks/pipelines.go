// SPDX-License-Identifier: Apache-2.0

// Goroutines that wait for each other.
package main

import (
	"io"
	"net"
)

func init() {
	patterns["pool-not-closed"] = poolNotClosed
	patterns["pipeline-abandoned"] = pipelineAbandoned
	patterns["fan-in-abandoned"] = fanInAbandoned
	patterns["semaphore-not-released"] = semaphoreNotReleased
	patterns["deadlock-pair"] = deadlockPair
	patterns["ring"] = ring
	patterns["held-by-leaked"] = heldByLeaked
	patterns["generator-abandoned"] = generatorAbandoned
	patterns["subscriber-removed"] = subscriberRemoved
	patterns["pipe-unread"] = pipeUnread
	patterns["net-pipe"] = netPipe
	patterns["results-by-owner"] = resultsByOwner
	patterns["generic-stage"] = genericStage
}

type pool struct {
	jobs    chan func()
	workers int
}

func newPool(workers int) *pool {
	p := &pool{make(chan func()), workers}
	for i := 0; i < workers; i++ {
		go p.work()
	}
	return p
}

func (p *pool) work() {
	for job := range p.jobs {
		job()
	}
}

// A pool is made for a task and forgotten with it.
func poolNotClosed(t *twin) {
	const n = 7
	p := newPool(n)
	for i := 0; i < 20; i++ {
		p.jobs <- func() {}
	}
	if t.fixed {
		close(p.jobs)
	}
	t.leaks("(*pool).work", n)
}

func count(out chan<- int, stop <-chan struct{}) {
	defer close(out)
	for i := 0; ; i++ {
		select {
		case out <- i:
		case <-stop:
			return
		}
	}
}

func double(in <-chan int, out chan<- int, stop <-chan struct{}) {
	defer close(out)
	for i := range in {
		select {
		case out <- 2 * i:
		case <-stop:
			return
		}
	}
}

// The last stage is not read to its end: every stage waits for the next.
func pipelineAbandoned(t *twin) {
	const stages = 5
	stop := make(chan struct{})
	c := make(chan int)
	go count(c, stop)
	for i := 0; i < stages; i++ {
		next := make(chan int)
		go double(c, next, stop)
		c = next
	}
	<-c
	if t.fixed {
		close(stop)
	}
	t.leaks("count", 1)
	t.leaks("double", stages)
}

func forward(in <-chan int, out chan<- int) {
	for i := range in {
		out <- i
	}
}

// Many into one; the one is not read any more.
func fanInAbandoned(t *twin) {
	const n = 5
	stop, out := make(chan struct{}), make(chan int)
	for i := 0; i < n; i++ {
		in := make(chan int)
		go count(in, stop)
		go forward(in, out)
	}
	for i := 0; i < 20; i++ {
		<-out
	}
	if t.fixed {
		close(stop)
		go drain(out)
		t.lives("drain", 1) // it reads on: that nobody writes any more, it is not told
		held.ints = out
		return
	}
	t.leaks("count", n)
	t.leaks("forward", n)
}

func drain(c <-chan int) {
	for range c {
	}
}

// A buffered channel counts who may work; one of those forgets to leave.
func semaphoreNotReleased(t *twin) {
	const n = 7
	places := make(chan struct{}, 1)
	for i := 0; i < n; i++ {
		go enter(places, t.fixed)
	}
	t.leaks("enter", n-1)
}

func enter(places chan struct{}, fixed bool) {
	places <- struct{}{}
	if fixed {
		<-places
	}
}

// Each waits for what the other would do next.
func deadlockPair(t *twin) {
	const n = 3
	for i := 0; i < n; i++ {
		a, b := make(chan int), make(chan int)
		go receiveThenSend(a, b)
		go receiveThenSend(b, a)
		if t.fixed {
			a <- 1
			<-a
		}
	}
	t.leaks("receiveThenSend", 2*n)
}

func receiveThenSend(in <-chan int, out chan<- int) { out <- <-in }

// Nobody puts the token into the ring.
func ring(t *twin) {
	const n = 13
	first := make(chan int)
	c := first
	for i := 0; i < n-1; i++ {
		next := make(chan int)
		go passOn(c, next)
		c = next
	}
	go passOn(c, first)
	if t.fixed {
		first <- 1
		<-first
	}
	t.leaks("passOn", n)
}

func passOn(in <-chan int, out chan<- int) { out <- <-in }

// Whoever could wake these is leaked itself.
func heldByLeaked(t *twin) {
	const n = 5
	c, never := make(chan int), make(chan int)
	for i := 0; i < n; i++ {
		go waitFor(c)
	}
	go holdBack(never, c)
	if t.fixed {
		close(never)
	}
	t.leaks("holdBack", 1)
	t.leaks("waitFor", n)
}

func waitFor(c <-chan int) { <-c }

func holdBack(never <-chan int, c chan<- int) {
	<-never
	close(c)
}

type tree struct {
	left, right *tree
	value       int
}

func walk(t *tree, out chan<- int) {
	if t != nil {
		walk(t.left, out)
		out <- t.value
		walk(t.right, out)
	}
}

func walkAll(t *tree, out chan<- int) {
	walk(t, out)
	close(out)
}

func grow(depth int) *tree {
	if depth == 0 {
		return nil
	}
	return &tree{grow(depth - 1), grow(depth - 1), depth}
}

// A search in a walk that a goroutine does, up to what it looks for.
func generatorAbandoned(t *twin) {
	const n = 3
	for i := 0; i < n; i++ {
		values := make(chan int)
		go walkAll(grow(8), values)
		for value := range values {
			if value == 4 && !t.fixed {
				break
			}
		}
	}
	t.leaks("walkAll", n)
}

type hub struct{ subscribers map[chan string]bool }

// A subscriber is taken off the list, but its channel is not closed.
func subscriberRemoved(t *twin) {
	const n = 7
	h := &hub{map[chan string]bool{}}
	held.any = h
	var leaving []chan string
	for i := 0; i < 2*n; i++ {
		c := make(chan string)
		h.subscribers[c] = true
		go follow(c)
		if i%2 == 0 {
			leaving = append(leaving, c)
		}
	}
	for _, c := range leaving {
		delete(h.subscribers, c)
		if t.fixed {
			close(c)
		}
	}
	t.leaks("follow", n)
	t.lives("follow", n)
}

func follow(events <-chan string) {
	for range events {
	}
}

// A pipe whose reader is neither read to its end nor closed.
func pipeUnread(t *twin) {
	const n = 5
	for i := 0; i < n; i++ {
		r, w := io.Pipe()
		go writeAll(w)
		r.Read(make([]byte, 8))
		if t.fixed {
			r.Close()
		}
	}
	t.leaks("writeAll", n)
}

func writeAll(w *io.PipeWriter) {
	for i := 0; i < 100; i++ {
		if _, err := w.Write(make([]byte, 64)); err != nil {
			return
		}
	}
}

// A connection in memory, whose other end is dropped without Close.
func netPipe(t *twin) {
	const n = 3
	for i := 0; i < n; i++ {
		near, far := net.Pipe()
		go readFar(far)
		near.Write([]byte("hello"))
		if t.fixed {
			near.Close()
		}
	}
	t.leaks("readFar", n)
}

func readFar(far net.Conn) { io.Copy(io.Discard, far) }

type job struct {
	result chan int
	next   *job
}

// Somebody who lives keeps the list of jobs, so what is asked for can still come.
func resultsByOwner(t *twin) {
	const n = 5
	var list *job
	for i := 0; i < n; i++ {
		list = &job{make(chan int), list}
		go list.await()
	}
	if t.fixed {
		held.any = list
	}
	t.leaksOrLives("(*job).await", n)
}

func (j *job) await() { <-j.result }

func stage[T any](in <-chan T, out chan<- T, change func(T) T) {
	for value := range in {
		out <- change(value)
	}
	close(out)
}

func genericStage(t *twin) {
	const n = 3
	for i := 0; i < n; i++ {
		in, out := make(chan string, 8), make(chan string)
		go stage(in, out, func(s string) string { return s + "!" })
		in <- "a"
		in <- "b"
		<-out
		if t.fixed {
			<-out
			close(in)
		}
	}
	t.leaks("stage", n)
}
