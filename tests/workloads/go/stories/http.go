// SPDX-License-Identifier: Apache-2.0

// Bodies of HTTP responses that are never closed. Beside it requests that are made as they should be, so
// that the connection of some that leak was opened for another request, and idle connections are kept.
package main

import (
	"io"
	"net"
	"net/http"
	"os"
	"strings"
)

const requests = 23

func status(url string) int {
	response := must(http.Get(url))
	return response.StatusCode
}

func statusFixed(url string) int {
	response := must(http.Get(url))
	defer response.Body.Close()
	return response.StatusCode
}

func page(url string) string {
	response := must(http.Get(url))
	defer response.Body.Close()
	return string(must(io.ReadAll(response.Body)))
}

func serve() {
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	answer := strings.Repeat("so it goes\n", 10007)
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, answer) })
	serveUntilEnd("http://"+listener.Addr().String(), func() { http.Serve(listener, nil) })
}

func main() {
	if os.Args[1] == "serve" {
		serve()
		return
	}
	url := startServer()
	ask := map[string]func(string) int{"leak": status, "fixed": statusFixed}[os.Args[1]]
	tell(func(n int) {
		for i := 0; i < requests; i++ {
			ask(url)
			page(url)
		}
		if os.Args[1] == "leak" {
			kept("connection", n*requests, "main.status")
		}
	})
}
