// SPDX-License-Identifier: Apache-2.0

// An HTTP endpoint that stops reading from its producer after three results.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

const (
	requests = 13
	wanted   = 3
	patience = 3 * time.Second
)

func newProducer() <-chan int {
	results := make(chan int)
	go func() {
		for i := 0; ; i++ {
			results <- i
		}
	}()
	return results
}

func newProducerFixed() <-chan int {
	results := make(chan int)
	go func() {
		for i := 0; ; i++ {
			select {
			case results <- i:
			case <-time.After(patience):
				return
			}
		}
	}()
	return results
}

func answer(produce func() <-chan int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		results := produce()
		for i := 0; i < wanted; i++ {
			fmt.Fprintln(w, <-results)
		}
	}
}

func get(url string) {
	response := must(http.Get(url))
	defer response.Body.Close()
	must(io.Copy(io.Discard, response.Body))
}

func main() {
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	produce := map[string]func() <-chan int{"leak": newProducer, "fixed": newProducerFixed}[os.Args[1]]
	go http.Serve(listener, answer(produce))
	tell(func(n int) {
		for i := 0; i < requests; i++ {
			get("http://" + listener.Addr().String())
		}
		if os.Args[1] == "leak" {
			kept("goroutine", n*requests, "main.newProducer")
		}
	})
}
