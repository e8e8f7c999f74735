// SPDX-License-Identifier: Apache-2.0

// Goroutines that run all the time, and some that come and go. "ready PID"; ends when stdin does.
package main

import (
	"fmt"
	"os"
	"runtime"
)

var spins [2]uint64

//go:noinline
func spin(n int) {
	for {
		spins[n]++
	}
}

//go:noinline
func run(n int, name string) {
	spin(n)
	fmt.Println(name)
}

func comeAndGo(c chan int, n int) {
	if n > 0 {
		go comeAndGo(c, n-1)
	}
	c <- n
}

func main() {
	runtime.GOMAXPROCS(4)
	go run(0, "first")
	go run(1, "second")
	c := make(chan int)
	go func() {
		for {
			go comeAndGo(c, 100)
			for i := 0; i <= 100; i++ {
				<-c
			}
		}
	}()
	fmt.Println("ready", os.Getpid())
	os.Stdin.Read(make([]byte, 1))
}
