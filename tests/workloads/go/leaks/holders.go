// SPDX-License-Identifier: Apache-2.0

// Goroutines wait for a channel that somebody else knows, in one way or another: then they are not leaked.
// In the twin, who knew it has let go of it.
package main

import (
	"container/list"
	"os"
	"reflect"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// What main's goroutine leaves behind.
var held struct {
	requests chan request
	stop     chan struct{}
	ints     chan int
	any      interface{}
	list     []interface{}
	byKey    map[string]chan int
	byValue  map[chan int]bool
	shared   sync.Map
	call     func()
	queue    chan chan int
	array    [3]chan int
	inside   *chan int
	pool     *sync.Pool
	address  unsafe.Pointer
	value    reflect.Value
	n        int
}

var hidden uintptr

// Until so many goroutines are there, and wait.
func settleAt(n int) {
	for runtime.NumGoroutine() != n+1 || busy() > 0 {
		time.Sleep(time.Millisecond)
	}
}

// Keeps the channel; what is returned lets go of it.
var holders = map[string]func(c chan int) (drop func()){
	"global": func(c chan int) func() {
		held.ints = c
		return func() { held.ints = nil }
	},
	"map": func(c chan int) func() {
		held.byKey = map[string]chan int{"another": nil, "one": c}
		return func() { delete(held.byKey, "one") }
	},
	"map-key": func(c chan int) func() {
		held.byValue = map[chan int]bool{c: true}
		return func() { held.byValue = nil }
	},
	"sync-map": func(c chan int) func() {
		held.shared.Store("one", c)
		return func() { held.shared.Delete("one") }
	},
	"slice": func(c chan int) func() {
		channels := []chan int{nil, nil, nil, c, nil}
		held.any = channels[2:4:4]
		return func() { held.any.([]chan int)[1] = nil }
	},
	"array": func(c chan int) func() {
		held.array[2] = c
		return func() { held.array[2] = nil }
	},
	"interface": func(c chan int) func() {
		held.any = interface{ Len() int }(sized{c})
		return func() { held.any = nil }
	},
	"closure": func(c chan int) func() {
		held.call = func() { close(c) }
		return func() { held.call = nil }
	},
	"method-value": func(c chan int) func() {
		held.call = sized{c}.close
		return func() { held.call = nil }
	},
	"channel": func(c chan int) func() {
		held.queue = make(chan chan int, 5)
		held.queue <- nil
		held.queue <- c
		return func() { <-held.queue; <-held.queue }
	},
	"inner-pointer": func(c chan int) func() {
		held.inside = &(&wide{channel: c}).channel
		return func() { held.inside = new(chan int) }
	},
	"list": func(c chan int) func() {
		l := list.New()
		for i := 0; i < 100000; i++ {
			l.PushBack(i)
		}
		l.InsertAfter(c, l.Front().Next())
		held.any = l
		return func() { l := held.any.(*list.List); l.Remove(l.Front().Next().Next()) }
	},
	"large-object": func(c chan int) func() {
		held.list = make([]interface{}, 1<<18)
		held.list[1<<18-3] = c
		return func() { held.list[1<<18-3] = nil }
	},
	"atomic-value": func(c chan int) func() {
		v := new(atomic.Value)
		v.Store(sized{c})
		held.any = v
		return func() { held.any.(*atomic.Value).Store(sized{}) }
	},
	"pool": func(c chan int) func() {
		held.pool = new(sync.Pool)
		held.pool.Put(c)
		return func() {
			held.pool = nil
			for i := 0; i < 3; i++ { // the library keeps pools over one collection
				runtime.GC()
			}
		}
	},
	"unsafe-pointer": func(c chan int) func() {
		held.address = unsafe.Pointer(&wide{channel: c})
		return func() { held.address = nil }
	},
	"number": func(c chan int) func() {
		held.any = c
		return func() { // to Go, a number keeps nothing
			c := held.any.(chan int)
			hidden = reflect.ValueOf(c).Pointer()
			held.any = nil
		}
	},
	"reflection": func(c chan int) func() {
		held.value = reflect.ValueOf(c)
		return func() { held.value = reflect.Value{} }
	},
	"finalizer": func(c chan int) func() {
		object := &wide{}
		held.any = object
		runtime.SetFinalizer(object, func(*wide) { close(c) })
		return func() { runtime.SetFinalizer(held.any, nil) }
	},
	"finalizer-to-run": func(c chan int) func() {
		runtime.SetFinalizer(&wide{channel: c}, finalized)
		return func() {
			<-collect()
			runtime.SetFinalizer(&wide{channel: make(chan int)}, finalized)
			<-collect() // the runtime keeps what it finalized last
		}
	},
}

var done = make(chan bool, 1)

func finalized(w *wide) { done <- w.channel != nil }

// Collects garbage until something has been finalized.
func collect() <-chan bool {
	for len(done) == 0 {
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	return done
}

type sized struct{ channel chan int }

func (s sized) Len() int { return cap(s.channel) }
func (s sized) close()   { close(s.channel) }

type wide struct {
	before  [5]*int
	channel chan int
	after   [5]*int
}

// Goroutines that keep the channel on their stack; the twin's has no more use for it.
var keepers = map[string][2]func(c chan int){
	"sleeper": {
		func(c chan int) { sendLater(c) },
		func(c chan int) { forget(c); time.Sleep(time.Hour) },
	},
	"io-wait": {
		func(c chan int) { readPipe(); touch(c) },
		func(c chan int) { forget(c); readPipe() },
	},
	"system-call": {
		func(c chan int) { readDirectly(); touch(c) },
		func(c chan int) { forget(c); readDirectly() },
	},
	"argument": {
		func(c chan int) { sleepWith(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, c) },
		func(c chan int) { sleepWith(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, nil) },
	},
	"defer": {
		func(c chan int) { defer close(c); time.Sleep(time.Hour) },
		func(c chan int) { defer touch(nil); time.Sleep(time.Hour) },
	},
	"stack-object": {
		func(c chan int) { w := wide{channel: c}; sleepBy(&w); w.channel <- 1 },
		func(c chan int) { w := wide{channel: c}; w.channel = nil; sleepBy(&w); touch(w.channel) },
	},
	"waits-itself": { // for what somebody knows, so that this is alive and with it who waits for it
		func(c chan int) { <-held.stop; close(c) },
		func(c chan int) { forget(c); <-held.stop },
	},
}

// It stays where the stack has room for it, between the calls and after them.
func forget(c chan int) int { return touch(c) + touch(c) }

//go:noinline
func touch(c chan int) int { return len(c) }

//go:noinline
func sendLater(c chan<- int) {
	time.Sleep(time.Hour)
	c <- 1
}

//go:noinline
func readPipe() {
	r, w, err := os.Pipe()
	if err == nil {
		r.Read(make([]byte, 1))
		w.Close()
	}
}

//go:noinline
func readDirectly() {
	var fds [2]int
	var one [1]byte
	if syscall.Pipe(fds[:]) == nil {
		syscall.Read(fds[0], one[:])
	}
}

// More arguments than there are registers for.
//
//go:noinline
func sleepWith(a, b, c, d, e, f, g, h, i, j, k int, channel chan int) int {
	time.Sleep(time.Hour)
	return a + b + c + d + e + f + g + h + i + j + k + touch(channel)
}

//go:noinline
func sleepBy(w *wide) {
	time.Sleep(time.Hour)
	w.after[0] = nil
}

func keeperRuns(keep func(c chan int), c chan int) { keep(c) }

// It looks at the channel again and again, and never waits.
func spin(c chan int, start <-chan chan int) {
	if start != nil {
		c = <-start
	}
	for len(c) == 0 {
		atomic.AddUint64(&turns, 1)
	}
}

var turns uint64

func heldByRunning(t *twin) {
	const n = 3
	c, another := make(chan int), make(chan chan int, 1)
	for i := 0; i < n; i++ {
		go waitFor(c)
	}
	if t.fixed {
		go spin(c, nil)
	} else {
		another <- make(chan int)
		go spin(nil, another)
	}
	t.running = 1
	t.leaksOrLives("waitFor", n)
	t.lives("spin", 1)
}

// Each is woken by the one before, and the first by somebody who lives.
func heldInChain(t *twin) {
	const n = 7
	last := make(chan int)
	c := last
	for i := 0; i < n; i++ { // from the last to the first, with more than a stack between them
		before := make(chan int)
		go passOnOf(before, &wide{channel: c})
		c = before
	}
	if t.fixed {
		held.ints = c
	}
	t.leaksOrLives("passOnOf", n)
}

func passOnOf(in <-chan int, w *wide) { w.channel <- <-in }

// After all init functions: other files add to the tables.
func registerHolders() {
	const n = 3
	for name, hold := range holders {
		hold := hold
		patterns["held-by-"+name] = func(t *twin) {
			c := make(chan int)
			for i := 0; i < n; i++ {
				go waitFor(c)
			}
			if drop := hold(c); !t.fixed {
				drop()
			}
			t.leaksOrLives("waitFor", n)
		}
	}
	for name, keep := range keepers {
		keep := keep
		patterns["kept-by-"+name] = func(t *twin) {
			c := make(chan int)
			held.stop = make(chan struct{})
			for i := 0; i < n; i++ {
				go waitFor(c)
			}
			if t.fixed {
				go keeperRuns(keep[0], c)
			} else {
				go keeperRuns(keep[1], c)
			}
			t.lives("keeperRuns", 1)
			t.leaksOrLives("waitFor", n)
		}
	}
	patterns["kept-by-running"] = heldByRunning
	patterns["held-in-chain"] = heldInChain
}
