// SPDX-License-Identifier: Apache-2.0

// Goroutines that send to a receiver that has gone: it takes the first of three answers.
package main

import (
	"os"
	"time"
)

const (
	requests = 31
	replicas = 3
)

func replica(number int) int {
	time.Sleep(time.Duration(number) * time.Millisecond)
	return number
}

func first(answers chan int) int {
	for i := 0; i < replicas; i++ {
		number := i
		go func() {
			answers <- replica(number)
		}()
	}
	return <-answers
}

func main() {
	places := map[string]int{"leak": 0, "fixed": replicas}[os.Args[1]]
	tell(func(n int) {
		for i := 0; i < requests; i++ {
			first(make(chan int, places))
		}
		time.Sleep(50 * time.Millisecond)
		if os.Args[1] == "leak" {
			kept("goroutine", n*requests*(replicas-1), "main.first")
		}
	})
}
