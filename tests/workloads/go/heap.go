// SPDX-License-Identifier: Apache-2.0

// A program that keeps a heap profile. "ready PID"; for a line on stdin it keeps and drops memory in many
// ways, writes its own profile to the file that is its argument, and says "done"; for another one, once
// more. Between two lines nothing of the profile changes.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"
)

type node struct {
	next *node
	data [1009]byte
}

type pair struct{ a, b *int }

type shelf[T any] struct{ items []T }

func (s *shelf[T]) put(item T) { s.items = append(s.items, item) }

var (
	kept   *node
	blocks [][]byte
	pairs  shelf[pair]
	words  = map[string]string{}
	sink   []byte
	sizes  = []int{8, 13, 100, 257, 4099, 32768, 32771, 1 << 20}
)

func keepNode() { kept = &node{next: kept} }

func keepBlock(n int) { blocks = append(blocks, make([]byte, n)) }

func dropBlock(n int) { sink = make([]byte, n) }

func keepPair(i int) { pairs.put(pair{new(int), &i}) }

func keepWord(i int) { words[strings.Repeat("w", i%31)+strconv.Itoa(i)] = strconv.Itoa(i * 1000003) }

// A stack deeper than what the profile keeps of it before Go 1.23.
func deep(n int) {
	if n > 0 {
		deep(n - 1)
		return
	}
	keepBlock(2003)
}

func work() {
	for i := 0; i < 2003; i++ {
		keepNode()
		keepPair(i)
		keepWord(i)
		for _, n := range sizes {
			dropBlock(n)
		}
		if i%101 == 0 {
			deep(i / 20)
			for _, n := range sizes {
				keepBlock(n)
			}
		}
	}
	for i := 0; i < len(blocks); i += 3 {
		blocks[i] = nil
	}
}

func main() {
	if rate := os.Getenv("RATE"); rate != "" {
		runtime.MemProfileRate, _ = strconv.Atoi(rate)
	}
	fmt.Println("ready", os.Getpid())
	for input := bufio.NewScanner(os.Stdin); input.Scan(); {
		debug.SetGCPercent(100)
		work()
		if input.Text() != "uncollected" {
			for i := 0; i < 3; i++ {
				runtime.GC()
			}
		}
		debug.SetGCPercent(-1)
		file, err := os.Create(os.Args[1])
		if err != nil {
			panic(err)
		}
		pprof.Lookup("heap").WriteTo(file, 1)
		file.Close()
		fmt.Println("done")
	}
}
