// SPDX-License-Identifier: Apache-2.0

// A defer statement in a loop that never returns.
package main

import "os"

const (
	requests = 1009
	size     = 16 << 10
)

type buffer struct{ bytes []byte }

func (b *buffer) release() { b.bytes = nil }

func newBuffer() *buffer { return &buffer{make([]byte, size)} }

func handle(b *buffer) { b.bytes[0] = 1 }

func work(jobs <-chan bool, results chan<- bool) {
	for range jobs {
		b := newBuffer()
		defer b.release()
		handle(b)
		results <- true
	}
}

func workFixed(jobs <-chan bool, results chan<- bool) {
	for range jobs {
		func() {
			b := newBuffer()
			defer b.release()
			handle(b)
		}()
		results <- true
	}
}

func main() {
	jobs, results := make(chan bool), make(chan bool)
	go map[string]func(<-chan bool, chan<- bool){"leak": work, "fixed": workFixed}[os.Args[1]](jobs, results)
	tell(func(n int) {
		for i := 0; i < requests; i++ {
			jobs <- true
			<-results
		}
		if os.Args[1] == "leak" {
			kept("memory", n*requests*size, "main.newBuffer")
		}
	})
}
