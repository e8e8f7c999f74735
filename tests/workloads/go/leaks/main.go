// SPDX-License-Identifier: Apache-2.0

// Goroutines that can never go on, one pattern for each way to get there, each with a twin in which the
// mistake is not made. usage: leaks list | PATTERN leaking|fixed
//
// A pattern says what is true once nothing moves any more: how many goroutines of which function are
// leaked, and how many wait that something can still wake. These are all that there are, but for main. Then
// "ready PID", and the end with that of stdin; for each line there the runtime's own verdict: how many are
// leaked, or -1 where it has none.
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"runtime"
	"sort"
	"strings"
	"sync"
	"time"
)

type twin struct {
	fixed   bool
	total   int
	running int // of those that are alive
	lines   []string
}

var runtimeSays = func() int { return -1 }

var patterns = map[string]func(t *twin){}

func (t *twin) state(what, function string, n int) {
	if n > 0 {
		t.total += n
		t.lines = append(t.lines, fmt.Sprintf("%s main.%s %d", what, function, n))
	}
}

// Of the goroutines with the function on their stack, n are leaked where the mistake is made, else none
// is left.
func (t *twin) leaks(function string, n int) {
	if !t.fixed {
		t.state("leaked", function, n)
	}
}

// They live on, in either twin.
func (t *twin) lives(function string, n int) { t.state("alive", function, n) }

// They are leaked where the mistake is made, else they live on.
func (t *twin) leaksOrLives(function string, n int) {
	if t.fixed {
		t.lives(function, n)
	} else {
		t.leaks(function, n)
	}
}

// Once, so that looking does not bring about a garbage collection.
var stacks [1 << 21]byte

// The goroutines, but for who asks, that do not wait.
func busy() int {
	mutex.Lock()
	defer mutex.Unlock()
	text := stacks[:runtime.Stack(stacks[:], true)]
	return bytes.Count(text, []byte(" [runn")) - 1
}

var mutex sync.Mutex

func (t *twin) settled() bool {
	return runtime.NumGoroutine() == t.total+1 && busy() <= t.running
}

// Until all is as stated, three times in a row.
func (t *twin) settle() bool {
	for tries, good := 0, 0; tries < 2000; tries++ {
		time.Sleep(5 * time.Millisecond)
		if !t.settled() {
			good = 0
		} else if good++; good == 3 {
			return true
		}
	}
	return false
}

func run(pattern func(t *twin), fixed bool) {
	t := &twin{fixed: fixed}
	pattern(t)
	if !t.settle() {
		fmt.Printf("not as stated: %v\n%s", t.lines, stacks[:runtime.Stack(stacks[:], true)])
		os.Exit(1)
	}
	for _, line := range t.lines {
		fmt.Println(line)
	}
}

func main() {
	registerHolders()
	if len(os.Args) == 2 && os.Args[1] == "list" {
		var names []string
		for name := range patterns {
			names = append(names, name)
		}
		sort.Strings(names)
		fmt.Println(strings.Join(names, "\n"))
		return
	}
	pattern, known := patterns[os.Args[1]]
	if !known || len(os.Args) != 3 {
		os.Exit(2)
	}
	run(pattern, os.Args[2] == "fixed")
	fmt.Println("ready", os.Getpid())
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Println("runtime", runtimeSays())
	}
}
