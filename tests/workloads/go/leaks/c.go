// SPDX-License-Identifier: Apache-2.0

package main

/*
#include <unistd.h>

extern void goFromC(void);

static void sleepInC(void)
{
	pause();
}

static void callGo(void)
{
	goFromC();
}
*/
import "C"

import "runtime/cgo"

func init() {
	keepers["c-call"] = [2]func(c chan int){
		func(c chan int) { C.sleepInC(); touch(c) },
		func(c chan int) { forget(c); C.sleepInC() },
	}
	holders["c-handle"] = func(c chan int) func() {
		handle := cgo.NewHandle(c)
		held.list = append(held.list, handle)
		return func() { held.list[0].(cgo.Handle).Delete() }
	}
	patterns["called-by-c"] = calledByC
}

var fromC = make(chan chan int, 1)

//export goFromC
func goFromC() {
	<-<-fromC
}

func throughC() { C.callGo() }

// It waits in Go that C was called by and has called.
func calledByC(t *twin) {
	const n = 3
	for i := 0; i < n; i++ {
		c := make(chan int)
		fromC <- c
		go throughC()
		if t.fixed {
			c <- 1
		}
	}
	t.leaks("throughC", n)
}
