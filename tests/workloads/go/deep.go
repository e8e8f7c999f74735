// SPDX-License-Identifier: Apache-2.0

// Does all that makes Go walk its own stacks, or move them: growing and shrinking, traces, panics, garbage
// collection, while goroutines are made and memory is taken. "ready PID", then for a line on stdin as much
// of it as fits into two seconds, and "done"; the exit status is 1 when a trace was not what it should be.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"
)

const depth = 600

var (
	kept  [64][]byte
	wrong = make(chan string, 1)
)

func complain(trace string) {
	select {
	case wrong <- trace:
	default:
	}
}

// Its frames are large: the stack grows several times on the way down.
func down(n int, seed byte) int {
	var room [128]byte

	room[n%len(room)] = seed
	kept[n%len(kept)] = make([]byte, 64+n)
	if n == 0 {
		panic("bottom")
	}
	return down(n-1, seed) + int(room[n%len(room)])
}

func fall(seed byte) {
	defer func() {
		trace := string(debug.Stack())
		if recover() != "bottom" || !strings.Contains(trace, "main.down(") ||
			!strings.Contains(trace, "main.start") {
			complain(trace)
		}
	}()
	down(depth, seed)
}

func callers() int {
	pcs := make([]uintptr, 64)
	return runtime.Callers(0, pcs)
}

func start(wg *sync.WaitGroup, seed byte) {
	wg.Add(1)
	go func() {
		defer wg.Done()
		fall(seed)
		if callers() < 3 {
			complain("runtime.Callers")
		}
	}()
}

func main() {
	var wg sync.WaitGroup

	debug.SetGCPercent(10)
	fmt.Println("ready", os.Getpid())
	input := bufio.NewReader(os.Stdin)
	input.ReadString('\n')
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); {
		for i := 0; i < 50; i++ {
			start(&wg, byte(i))
		}
		wg.Wait()
		runtime.GC()
	}
	select {
	case trace := <-wrong:
		fmt.Println(trace)
		os.Exit(1)
	default:
	}
	fmt.Println("done")
	input.ReadString('\n')
}
