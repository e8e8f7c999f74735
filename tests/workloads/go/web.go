// SPDX-License-Identifier: Apache-2.0

// A web server as many are: it reads a request, makes some JSON of it and keeps one in a hundred of the
// results. "ready PID PORT". It keeps no heap profile.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
)

type item struct {
	ID    int               `json:"id"`
	Name  string            `json:"name"`
	Tags  []string          `json:"tags"`
	Props map[string]string `json:"props"`
}

var (
	mutex sync.Mutex
	seen  int
	kept  [][]byte
)

func makeItems(n int) []item {
	items := make([]item, 0, 4)
	for i := 0; i < n; i++ {
		id := strconv.Itoa(i)
		items = append(items, item{i, "item " + id, []string{"a" + id, "b" + id},
			map[string]string{"colour": "c" + id, "size": "s" + id}})
	}
	return items
}

func keep(body []byte) {
	mutex.Lock()
	defer mutex.Unlock()
	if seen++; seen%100 == 0 {
		kept = append(kept, body)
	}
}

func serve(w http.ResponseWriter, r *http.Request) {
	body, err := json.Marshal(makeItems(8))
	if err != nil {
		panic(err)
	}
	keep(body)
	w.Header().Set("Content-Type", "application/json")
	w.Write(body)
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	http.HandleFunc("/", serve)
	go http.Serve(listener, nil)
	fmt.Println("ready", os.Getpid(), listener.Addr().(*net.TCPAddr).Port)
	bufio.NewReader(os.Stdin).ReadString('\n')
}
