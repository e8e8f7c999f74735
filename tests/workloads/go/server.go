// SPDX-License-Identifier: Apache-2.0

// A server that never releases what it takes for a request: the connection, a descriptor, a thread, a
// child process. It is also its own client. "ready PID", then for a line on stdin: the requests, and "done".
package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
)

const requests = 7

type shelf[T any] struct{ items []T }

func (s *shelf[T]) put(item T) { s.items = append(s.items, item) }

// Keeps what is made: the garbage collector would close it.
func keep[T any](s *shelf[T], make func() (T, error)) T {
	item, err := make()
	if err != nil {
		panic(err)
	}
	s.put(item)
	return item
}

type server struct {
	listener net.Listener
	taken    shelf[net.Conn]
	files    shelf[*os.File]
	children shelf[*os.Process]
	answered sync.WaitGroup
	threads  sync.WaitGroup
}

func open(name string) (*os.File, error) { return os.Open(name) }

func openLog() (*os.File, error) { return open("/dev/null") }

func (s *server) holdThread() {
	runtime.LockOSThread()
	s.threads.Done()
	select {}
}

func startChild() (*os.Process, error) {
	return os.StartProcess("/bin/true", []string{"true"}, &os.ProcAttr{})
}

func (s *server) handle(c net.Conn) {
	defer s.answered.Done()
	keep(&s.files, openLog)
	keep(&s.children, startChild)
	fmt.Fprintln(c, "hello")
}

func (s *server) serve() {
	for {
		s.handle(keep(&s.taken, s.listener.Accept))
	}
}

type client struct {
	address string
	made    shelf[net.Conn]
}

func (c *client) dial() (net.Conn, error) { return net.Dial("tcp", c.address) }

func (c *client) request() {
	_, err := bufio.NewReader(keep(&c.made, c.dial)).ReadString('\n')
	if err != nil {
		panic(err)
	}
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	s := &server{listener: listener}
	c := &client{address: listener.Addr().String()}
	go s.serve()
	fmt.Println("ready", os.Getpid())
	input := bufio.NewReader(os.Stdin)
	input.ReadString('\n')
	s.answered.Add(requests)
	s.threads.Add(requests)
	for i := 0; i < requests; i++ {
		c.request()
		go s.holdThread()
	}
	s.answered.Wait()
	s.threads.Wait()
	fmt.Println("done")
	input.ReadString('\n')
	runtime.KeepAlive(s)
	runtime.KeepAlive(c)
}
