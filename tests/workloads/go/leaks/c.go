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

import (
	"runtime"
	"runtime/cgo"
)

func init() {
	keepers["c-call"] = [2]func(c chan int){
		func(c chan int) { C.sleepInC(); touch(c) },
		func(c chan int) { touch(c); C.sleepInC() },
	}
	holders["c-handle"] = func(c chan int) func() {
		handle := cgo.NewHandle(c)
		held.list = append(held.list, handle)
		return func() { held.list[0].(cgo.Handle).Delete() }
	}
	patterns["called-by-c"] = calledByC
}

var fromC chan int

//export goFromC
func goFromC() {
	c := fromC
	fromC = nil
	<-c
}

func throughC() { C.callGo() }

// It waits in Go that C was called by and has called.
func calledByC(t *twin) {
	const n = 3
	for i := 0; i < n; i++ {
		fromC = make(chan int)
		go throughC()
		if t.fixed {
			fromC <- 1
		}
		for fromC != nil {
			runtime.Gosched()
		}
	}
	t.leaks("throughC", n)
}
