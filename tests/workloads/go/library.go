// SPDX-License-Identifier: Apache-2.0

// A library for programs in other languages: start(N) leaves N goroutines waiting.
package main

import "C"

//export start
func start(n C.int) {
	for i := 0; i < int(n); i++ {
		go wait(make(chan int))
	}
}

func wait(c chan int) { <-c }

func main() {}
