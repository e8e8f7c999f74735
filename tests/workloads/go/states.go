// SPDX-License-Identifier: Apache-2.0

// Goroutines in every state that a program at rest can have them in, COUNT times each if that is given.
// "ready PID", then for each line on stdin, the name of a file: what the program itself says of them goes
// there, as /debug/pprof/goroutine?debug=2 has it, and to NAME.pb.gz as a profile, and "done".
package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"runtime/pprof"
	"strconv"
	"sync"
	"syscall"
	"time"
)

type point struct{ x, y int }

type walker interface {
	walk(p point, name string) int
}

type ant struct{ legs chan int }

var kept []interface{}

// What is blocked on must not be collected.
func keep[T any](v T) T {
	kept = append(kept, v)
	return v
}

//go:noinline
func send(c chan int, v int) { c <- v }

//go:noinline
func receive(c <-chan int) int { return <-c }

func nilChannels() {
	var c chan int
	go send(c, 1)
	go receive(c)
	go func() { select {} }()
}

func channels() {
	c := keep(make(chan int))
	go send(c, 1)
	go receive(keep(make(chan int)))
	go func() {
		select {
		case <-keep(make(chan bool)):
		case keep(make(chan string)) <- "x":
		}
	}()
	go func() {
		for range keep(make(chan point)) {
		}
	}()
}

func locks() {
	m, rw, once := keep(new(sync.Mutex)), keep(new(sync.RWMutex)), keep(new(sync.Mutex))
	cond, group := keep(sync.NewCond(once)), keep(new(sync.WaitGroup))

	m.Lock()
	go m.Lock()
	rw.Lock()
	go rw.RLock()
	go func() {
		defer rw.Unlock()
		rw.Lock()
	}()
	go func() {
		once.Lock()
		cond.Wait()
	}()
	group.Add(1)
	go group.Wait()
}

func timers() {
	go time.Sleep(time.Hour)
	go func() { <-time.After(time.Hour) }()
	go func() {
		t := time.NewTicker(time.Hour)
		defer t.Stop()
		for range t.C {
		}
	}()
}

func files() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go keep(l).Accept()
	r, w, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	keep(w)
	go r.Read(make([]byte, 8))
	var fds [2]int
	if err := syscall.Pipe(fds[:]); err != nil {
		panic(err)
	}
	go syscall.Read(fds[0], make([]byte, 3)) // no poller knows of it
}

func threads() {
	go func() {
		runtime.LockOSThread()
		receive(keep(make(chan int)))
	}()
}

//go:noinline
func deep(n int, c chan int) int {
	if n == 0 {
		return receive(c)
	}
	return deep(n-1, c) + 1
}

type set[K comparable, V any] struct{ items map[K]V }

//go:noinline
func (s *set[K, V]) wait(c chan V, k K) { s.items[k] = <-c }

//go:noinline
func each[T any](items []T, f func(T)) {
	for _, i := range items {
		f(i)
	}
}

func generics() {
	s := &set[string, point]{map[string]point{}}
	go s.wait(keep(make(chan point)), "k")
	c := keep(make(chan int))
	go each([]int{1, 2}, func(i int) { c <- i })
}

//go:noinline
func (a ant) walk(p point, name string) int { return p.x + <-a.legs + len(name) }

func (a *ant) crawl() { <-a.legs }

func methods() {
	a := &ant{keep(make(chan int))}
	var w walker = a // by a wrapper
	f := a.crawl     // a method value
	go w.walk(point{3, 4}, "name")
	go f()
	go (*ant).crawl(a)
	defer func() { recover() }()
	go func(f func()) { f() }(a.crawl)
}

func inlined(c chan int)   { innermost(c) }
func innermost(c chan int) { c <- 3 }

func closures() {
	c := keep(make(chan int))
	n := 7
	go func() {
		func() {
			n++
			inlined(c)
		}()
	}()
}

func panics() {
	c := keep(make(chan int))
	go func() {
		defer func() {
			receive(c)
		}()
		panic("as it should")
	}()
	go func() {
		defer func() {
			receive(c)
		}()
		var p *point
		p.x++
	}()
}

//go:noinline
func arguments(a int8, b uint16, c string, d []byte, e point, f interface{}, g float64, h ...int) {
	receive(keep(make(chan int)))
	fmt.Fprint(os.Stderr, a, b, c, d, e, f, g, h)
}

func finalizers() {
	runtime.SetFinalizer(&point{1, 2}, func(*point) { receive(keep(make(chan int))) })
	runtime.GC()
}

func labels() {
	for _, user := range []string{"one", "two"} {
		pprof.Do(context.Background(), pprof.Labels("user", user, "kind", "test"), func(context.Context) {
			go receive(keep(make(chan int)))
		})
	}
}

func start() {
	nilChannels()
	channels()
	locks()
	timers()
	threads()
	generics()
	methods()
	closures()
	panics()
	go deep(70, keep(make(chan int)))
	go deep(300, keep(make(chan int)))
	go arguments(-3, 4, "five", []byte("six"), point{7, 8}, 9, 10.5, 11, 12)
	labels()
}

// It is the one that cannot be at rest.
func report(name string, debug int) {
	f, err := os.Create(name)
	if err == nil {
		err = pprof.Lookup("goroutine").WriteTo(f, debug)
	}
	if err != nil {
		panic(err)
	}
	f.Close()
}

func main() {
	count := 1
	if len(os.Args) > 1 {
		count, _ = strconv.Atoi(os.Args[1])
	}
	finalizers()
	files()
	for i := 0; i < count; i++ {
		start()
	}
	time.Sleep(200 * time.Millisecond)
	fmt.Println("ready", os.Getpid())
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		report(in.Text(), 2)
		report(in.Text()+".pb.gz", 0)
		fmt.Println("done")
	}
}
