// SPDX-License-Identifier: Apache-2.0

// A program that keeps no heap profile and allocates as fast as it can, all objects of one size: most are
// dropped at once, many are kept for a while, and two functions leak some. "ready PID"; for a line on
// stdin it does that for so many seconds as its argument says, and prints what is kept: "kept FUNCTION
// OBJECTS BYTES", and "done".
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"
)

type object struct {
	next *object
	data [90]byte
}

const (
	size   = 112 // of an object: src/runtime/sizeclasses.go
	cached = 100003
)

var (
	first, second   *object
	firsts, seconds int
	cache           [cached]*object
	sink            *object
)

//go:noinline
func keepFirst() { first = &object{next: first} }

//go:noinline
func keepSecond() { second = &object{next: second} }

//go:noinline
func keepAWhile(i int) { cache[i%cached] = &object{} }

//go:noinline
func drop() { sink = &object{} }

func work(until time.Time) {
	for i := 0; i%1024 != 0 || time.Now().Before(until); i++ {
		drop()
		if i%5 == 0 {
			keepAWhile(i / 5)
		}
		if i%53 == 0 {
			keepFirst()
			firsts++
		}
		if i%101 == 0 {
			keepSecond()
			seconds++
		}
	}
}

func main() {
	seconds0, _ := strconv.Atoi(os.Args[1])
	fmt.Println("ready", os.Getpid())
	input := bufio.NewReader(os.Stdin)
	input.ReadString('\n')
	work(time.Now().Add(time.Duration(seconds0) * time.Second))
	fmt.Println("kept main.keepFirst", firsts, firsts*size)
	fmt.Println("kept main.keepSecond", seconds, seconds*size)
	fmt.Println("done")
	input.ReadString('\n')
	runtime.KeepAlive(first)
	runtime.KeepAlive(second)
	runtime.KeepAlive(&cache)
}
