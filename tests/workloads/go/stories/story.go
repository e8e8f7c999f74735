// SPDX-License-Identifier: Apache-2.0

// What the stories share. Each is a program that does the same as servers that leaked, and the cure:
//
//	STORY leak|fixed    "ready PID", then for each line on stdin a round of requests, what is kept
//	                    since the beginning, and "done ROUND"
//
// What is kept is told as "kept KIND COUNT FUNCTION". Counts in a round are prime.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func kept(kind string, count int, function string) { fmt.Println("kept", kind, count, function) }

// The rounds, till stdin ends.
func tell(round func(n int)) {
	input := bufio.NewReader(os.Stdin)
	fmt.Println("ready", os.Getpid())
	for n := 1; ; n++ {
		if _, err := input.ReadString('\n'); err != nil {
			return
		}
		round(n)
		fmt.Println("done", n)
	}
}

var serverInput io.WriteCloser // which the garbage collector would close

// Whoever is asked is another process: this program with "serve" as its argument, which lives as long as
// its stdin is open. Returns its address.
func startServer() string {
	c := exec.Command(os.Args[0], "serve")
	serverInput = must(c.StdinPipe())
	output := must(c.StdoutPipe())
	if err := c.Start(); err != nil {
		panic(err)
	}
	return strings.TrimSpace(must(bufio.NewReader(output).ReadString('\n')))
}

func serveUntilEnd(address string, serve func()) {
	fmt.Println(address)
	go serve()
	io.Copy(io.Discard, os.Stdin)
}
