// SPDX-License-Identifier: Apache-2.0

// As states.go, where C is called and calls back: goroutines in C, in Go below C, and on a thread that C
// has made. "ready PID", then the same for each line on stdin.
package main

/*
#include <pthread.h>
#include <unistd.h>

extern int goWait(int);

static int cWait(void) { return pause(); }
static int cCallsGo(int n) { return goWait(n) + 1; }
static void *cThread(void *n) { cCallsGo(*(int *)n); return n; }

static void cStartThread(void)
{
	static int n = 3;
	pthread_t t;

	pthread_create(&t, 0, cThread, &n);
}
*/
import "C"

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"time"
)

var never = make(chan int)

//export goWait
func goWait(n C.int) C.int {
	if n == 2 {
		return C.cCallsGo(n - 1)
	}
	return n + C.int(<-never)
}

func inC() { C.cWait() }

func inGoBelowC(n int) { C.cCallsGo(C.int(n)) }

func lockedInC() {
	runtime.LockOSThread()
	inC()
}

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
	go inC()
	go lockedInC()
	go inGoBelowC(1)
	go inGoBelowC(2)
	C.cStartThread()
	time.Sleep(300 * time.Millisecond)
	fmt.Println("ready", os.Getpid())
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		report(in.Text(), 2)
		report(in.Text()+".pb.gz", 0)
		fmt.Println("done")
	}
}
