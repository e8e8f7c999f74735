// SPDX-License-Identifier: Apache-2.0

// A program that keeps no heap profile, and leaks amid churn: several goroutines allocate objects of the
// same sizes, and keep some of them. "ready PID"; for a line on stdin it does that and prints how many
// bytes each function has kept, "kept FUNCTION OBJECTS BYTES", and "done". An argument: keep so many bytes
// in main.keepBefore before it is ready.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
)

type node struct {
	next *node
	data [1000]byte
}

type record struct {
	next     *record
	a, b, c  int
	name     string
	children []*record
}

const (
	nodes   = 60013
	records = 150001
	larges  = 61
	workers = 4
)

var (
	keptNodes   *node
	keptRecords *record
	keptLarges  [][]byte
	keptBefore  [][]byte
	sinks       [workers]*node
	recordSinks [workers]*record
)

//go:noinline
func keepNode() { keptNodes = &node{next: keptNodes} }

//go:noinline
func keepRecord(i int) { keptRecords = &record{next: keptRecords, a: i} }

//go:noinline
func keepLarge() { keptLarges = append(keptLarges, make([]byte, 100003)) }

//go:noinline
func keepBefore() { keptBefore = append(keptBefore, make([]byte, 1000)) }

// The sizes are those of what is kept, so that all are allocated from the same spans.
//
//go:noinline
func dropNode(w int) { sinks[w] = &node{} }

//go:noinline
func dropRecord(w, i int) { recordSinks[w] = &record{a: i} }

func churn(w, rounds int) {
	for i := 0; i < rounds; i++ {
		dropNode(w)
		dropRecord(w, i)
		dropRecord(w, i+1)
	}
}

// One in three of the objects of a size is kept, more or less, in no fixed order.
func leak() {
	x := uint32(1)
	n, r := 0, 0
	for n < nodes || r < records {
		x = x*1664525 + 1013904223
		switch k := x >> 16 % 12; {
		case k == 0 && n < nodes:
			keepNode()
			n++
		case k < 3:
			dropNode(0)
		case k < 7 && r < records:
			keepRecord(r)
			r++
		default:
			dropRecord(0, r)
		}
	}
	for i := 0; i < larges; i++ {
		keepLarge()
	}
}

func main() {
	if len(os.Args) > 1 {
		bytes, _ := strconv.Atoi(os.Args[1])
		for i := 0; i < bytes; i += 1000 {
			keepBefore()
		}
	}
	debug.SetGCPercent(20)
	fmt.Println("ready", os.Getpid())
	input := bufio.NewReader(os.Stdin)
	input.ReadString('\n')
	var all sync.WaitGroup
	for w := 1; w < workers; w++ {
		w := w
		all.Add(1)
		go func() {
			defer all.Done()
			churn(w, 20000)
		}()
	}
	leak()
	all.Wait()
	if os.Getenv("COLLECT") != "" {
		runtime.GC()
	}
	// in the sizes that the runtime gives: src/runtime/sizeclasses.go
	fmt.Println("kept main.keepNode", nodes, nodes*1024)
	fmt.Println("kept main.keepRecord", records, records*80)
	fmt.Println("kept main.keepLarge", larges, larges*106496)
	fmt.Println("kept main.keepBefore", len(keptBefore), len(keptBefore)*1024)
	fmt.Println("done")
	input.ReadString('\n')
	runtime.KeepAlive(keptNodes)
	runtime.KeepAlive(keptRecords)
	runtime.KeepAlive(keptLarges)
	runtime.KeepAlive(keptBefore)
}
