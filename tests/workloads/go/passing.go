// SPDX-License-Identifier: Apache-2.0

// Nothing is leaked, and nothing rests: goroutines wait for an answer on a channel that only a ticket knows,
// and the tickets go from hand to hand all the time, into new objects, maps, lists, buffers of channels and
// stacks, until they are answered. usage: passing WAITERS. "ready PID", and the end with that of stdin.
package main

import (
	"container/list"
	"fmt"
	"io"
	"math/rand"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"
)

type ticket struct {
	answer chan int
	done   *sync.WaitGroup
	turn   *sync.Cond
	due    time.Time
	padded [3]*ticket
}

var places struct {
	sync.Mutex
	byKey map[int]*ticket
	list  list.List
	slice []interface{}
}

var desk = make(chan *ticket, 4096)

// By turns a channel, a WaitGroup and a Cond.
func wait(kind int) {
	for {
		t := &ticket{due: time.Now().Add(time.Duration(rand.Intn(3000)) * time.Millisecond)}
		switch kind % 3 {
		case 0:
			t.answer = make(chan int)
		case 1:
			t.done = new(sync.WaitGroup)
			t.done.Add(1)
		case 2:
			t.turn = sync.NewCond(new(sync.Mutex))
		}
		answer, done, turn := t.answer, t.done, t.turn
		if turn != nil {
			turn.L.Lock()
		}
		desk <- t
		t = nil
		switch kind % 3 {
		case 0:
			<-answer
		case 1:
			done.Wait()
		case 2:
			turn.Wait()
			turn.L.Unlock()
		}
	}
}

func (t *ticket) give() {
	switch {
	case t.answer != nil:
		t.answer <- 1
	case t.done != nil:
		t.done.Done()
	default:
		t.turn.L.Lock()
		t.turn.Signal()
		t.turn.L.Unlock()
	}
}

// A new object each time; the old one forgets.
func (t *ticket) copy() *ticket {
	c := *t
	*t = ticket{}
	return &c
}

func put(t *ticket) {
	places.Lock()
	defer places.Unlock()
	switch rand.Intn(3) {
	case 0:
		key := rand.Int()
		places.byKey[key] = t
	case 1:
		places.list.PushBack(t)
	case 2:
		places.slice = append(places.slice, t)
	}
}

func take() (t *ticket) {
	places.Lock()
	defer places.Unlock()
	for key, value := range places.byKey {
		delete(places.byKey, key)
		return value
	}
	if first := places.list.Front(); first != nil {
		return places.list.Remove(first).(*ticket)
	}
	if n := len(places.slice); n > 0 {
		t, places.slice[n-1] = places.slice[n-1].(*ticket), nil
		places.slice = places.slice[:n-1]
	}
	return t
}

func pass() {
	for i := 0; ; i++ {
		var t *ticket
		if i%2 == 0 {
			select {
			case t = <-desk:
			default:
			}
		}
		if t == nil {
			t = take()
		}
		switch {
		case t == nil:
			time.Sleep(time.Millisecond)
		case time.Now().After(t.due):
			t.give()
		case i%5 == 0:
			select {
			case desk <- t.copy():
			default:
				put(t.copy())
			}
		default:
			put(t.copy())
		}
		if i%1024 == 0 {
			time.Sleep(2 * time.Millisecond)
		}
	}
}

func main() {
	places.byKey = map[int]*ticket{}
	waiters, _ := strconv.Atoi(os.Args[1])
	for i := 0; i < waiters; i++ {
		go wait(i)
	}
	for i := 0; i < 3; i++ {
		go pass()
	}
	go func() {
		for {
			time.Sleep(200 * time.Millisecond)
			runtime.GC()
		}
	}()
	fmt.Println("ready", os.Getpid())
	io.Copy(io.Discard, os.Stdin)
}
