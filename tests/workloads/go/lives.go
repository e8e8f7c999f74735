// SPDX-License-Identifier: Apache-2.0

// A program with goroutines that come, stay and go, and say how many: it tells its truth as
// "truth STARTER STATE COUNT". Each line on its input is a step; then it says "done".
//
//	lives wait        producers that nobody reads from, others that end, sleepers
//	lives exit        the same, and then it ends with status 7
//	lives exec        the same, and then it becomes another program
//	lives many N      N goroutines that wait on one channel
package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
)

const (
	before  = 11 // producers from the start
	stuck   = 23 // producers of the first step
	passing = 41 // goroutines that end in the first step
)

func startProducer() chan int {
	c := make(chan int)
	go func() { c <- 1 }()
	return c
}

func startPassing(done chan bool) {
	go func() { done <- true }()
}

func startSleeper() {
	go time.Sleep(time.Hour)
}

func startWaiters(n int) chan int {
	c := make(chan int)
	for i := 0; i < n; i++ {
		go func() { c <- 1 }()
	}
	return c
}

var held []chan int

func step(in *bufio.Reader) {
	if _, err := in.ReadString('\n'); err != nil {
		os.Exit(0)
	}
}

func live() {
	for i := 0; i < stuck; i++ {
		held = append(held, startProducer())
	}
	done := make(chan bool)
	for i := 0; i < passing; i++ {
		startPassing(done)
	}
	time.Sleep(1500 * time.Millisecond) // so long that they are seen
	for i := 0; i < passing; i++ {
		<-done
	}
	fmt.Printf("truth main.startProducer send %d of %d before\n", before+stuck, before)
	fmt.Printf("truth main.startPassing ended %d\n", passing)
}

func main() {
	in := bufio.NewReader(os.Stdin)
	mode := os.Args[1]
	if mode == "many" {
		n, _ := strconv.Atoi(os.Args[2])
		held = append(held, startWaiters(n))
	} else {
		for i := 0; i < before; i++ {
			held = append(held, startProducer())
		}
		startSleeper()
	}
	time.Sleep(200 * time.Millisecond)
	fmt.Println("ready", os.Getpid())
	step(in)
	if mode != "many" {
		live()
	}
	fmt.Println("done")
	switch mode {
	case "exit":
		step(in)
		os.Exit(7)
	case "exec":
		step(in)
		syscall.Exec("/bin/sleep", []string{"sleep", "3"}, nil)
	}
	step(in)
}
