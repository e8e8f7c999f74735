// SPDX-License-Identifier: Apache-2.0

// Goroutines are leaked beside a large heap of pointers that is at work all the time: what can be reached has to be
// followed through all of it. usage: burdened MEGABYTES LEAKED. "ready PID" once they have leaked; the end of stdin
// ends it.
package main

import (
	"fmt"
	"io"
	"math/rand"
	"os"
	"strconv"
	"time"
)

type node struct {
	left, right *node
	data        [4]uint64
}

var root *node

func grow(n int) *node {
	if n <= 0 {
		return nil
	}
	return &node{left: grow((n - 1) / 2), right: grow(n - 1 - (n-1)/2)}
}

// What hangs below one node changes sides, and a leaf is new.
func shuffle() {
	n := root
	for n.left != nil && n.right != nil {
		if rand.Intn(4) == 0 {
			n.left, n.right = n.right, n.left
		}
		if rand.Intn(2) == 0 {
			n = n.left
		} else {
			n = n.right
		}
	}
	n.left = &node{}
}

//go:noinline
func leak() {
	c := make(chan int)
	go func() { c <- 1 }()
}

func main() {
	megabytes, _ := strconv.Atoi(os.Args[1])
	leaked, _ := strconv.Atoi(os.Args[2])
	root = grow(megabytes << 20 / 48)
	for i := 0; i < leaked; i++ {
		leak()
	}
	go func() {
		for {
			shuffle()
			time.Sleep(10 * time.Microsecond)
		}
	}()
	time.Sleep(100 * time.Millisecond)
	fmt.Println("ready", os.Getpid())
	io.Copy(io.Discard, os.Stdin)
}
