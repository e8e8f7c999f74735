// SPDX-License-Identifier: Apache-2.0

// Go that calls C that calls Go: each C function keeps memory that it never frees, and so does Go.
// "ready PID", then for a line on stdin: the calls, and "done".
package main

/*
#include <stdlib.h>
#include <unistd.h>

extern void goCallback(int n);

static void *volatile kept;

__attribute__((noinline)) static void keep(int size) { kept = malloc(size); }

__attribute__((noinline)) static void callBack(int n)
{
	goCallback(n);
	__asm__ volatile("");
}

static void rest(void) { usleep(300000); }
*/
import "C"

import (
	"bufio"
	"fmt"
	"os"
)

const calls = 7

//go:noinline
func leakDirectly() { C.keep(1009) }

//export goCallback
func goCallback(n C.int) { leakInCallback(n) }

//go:noinline
func leakInCallback(n C.int) { C.keep(n) }

//go:noinline
func leakThroughC() { C.callBack(2003) }

var kept [][]byte

//go:noinline
func leakInGo() { kept = append(kept, make([]byte, 40009)) }

// Each needs a thread for as long as it rests: the runtime makes them, on its own stacks.
func restInC() {
	done := make(chan bool)
	for i := 0; i < 3*calls; i++ {
		go func() {
			C.rest()
			done <- true
		}()
	}
	for i := 0; i < 3*calls; i++ {
		<-done
	}
}

func main() {
	fmt.Println("ready", os.Getpid())
	input := bufio.NewReader(os.Stdin)
	input.ReadString('\n')
	done := make(chan bool)
	for i := 0; i < calls; i++ {
		leakDirectly()
		leakInGo()
		go func() {
			leakThroughC()
			done <- true
		}()
		<-done
	}
	restInC()
	fmt.Println("done")
	input.ReadString('\n')
}
