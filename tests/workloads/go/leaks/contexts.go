// SPDX-License-Identifier: Apache-2.0

// Contexts, timers and signals: what the standard library keeps for a program.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func init() {
	patterns["context-not-cancelled"] = contextNotCancelled
	patterns["context-with-deadline"] = contextWithDeadline
	patterns["context-child"] = contextChild
	patterns["context-background"] = contextBackground
	patterns["ticker-stopped"] = tickerStopped
	patterns["ticker-loop"] = tickerLoop
	patterns["timer-stopped"] = timerStopped
	patterns["after-loop"] = afterLoop
	patterns["after-func"] = afterFunc
	patterns["signal-stopped"] = signalStopped
	patterns["sleep-loop"] = sleepLoop
}

func untilDone(ctx context.Context) { <-ctx.Done() }

// The function that cancels is dropped.
func contextNotCancelled(t *twin) {
	const n = 5
	for i := 0; i < n; i++ {
		ctx, cancel := context.WithCancel(context.Background())
		go untilDone(ctx)
		if t.fixed {
			cancel()
		}
	}
	t.leaks("untilDone", n)
}

// A deadline comes, be it in an hour.
func contextWithDeadline(t *twin) {
	const n = 3
	for i := 0; i < n; i++ {
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		go untilDone(ctx)
		if !t.fixed {
			ctx, cancel = context.WithCancel(context.Background())
			go untilDone(ctx)
		}
		held.list = append(held.list, cancel != nil)
	}
	t.leaks("untilDone", n)
	t.lives("untilDone", n)
}

// Who keeps the parent can cancel the children.
func contextChild(t *twin) {
	const n = 5
	parent, cancel := context.WithCancel(context.Background())
	for i := 0; i < n; i++ {
		child, _ := context.WithCancel(context.WithValue(parent, "key", i))
		go untilDone(child)
	}
	if t.fixed {
		held.any = cancel
	}
	t.leaksOrLives("untilDone", n)
}

// A context that is never done has no channel.
func contextBackground(t *twin) {
	const n = 3
	for i := 0; i < n; i++ {
		go waitDetached(context.Background(), t.fixed)
	}
	t.leaks("waitDetached", n)
}

func waitDetached(ctx context.Context, fixed bool) {
	if !fixed {
		<-ctx.Done()
	}
}

// Stop does not close the channel.
func tickerStopped(t *twin) {
	const n = 3
	for i := 0; i < n; i++ {
		ticker := time.NewTicker(time.Hour)
		go everyTick(ticker.C)
		if t.fixed {
			held.list = append(held.list, ticker)
		} else {
			ticker.Stop()
		}
	}
	settleAt(n)
	t.leaksOrLives("everyTick", n)
}

func everyTick(ticks <-chan time.Time) {
	for range ticks {
	}
}

// It ticks, and waits most of the time.
func tickerLoop(t *twin) {
	const n = 3
	for i := 0; i < n; i++ {
		go everySecond(make(chan int), t.fixed)
	}
	t.leaksOrLives("everySecond", n)
}

func everySecond(work <-chan int, ticking bool) {
	var ticks <-chan time.Time
	if ticking {
		ticks = time.NewTicker(time.Second).C
	}
	for {
		select {
		case <-ticks:
		case <-work:
		}
	}
}

// A timer that was stopped will not fire.
func timerStopped(t *twin) {
	const n = 3
	for i := 0; i < n; i++ {
		timer := time.NewTimer(time.Hour)
		if !t.fixed {
			timer.Stop()
		}
		go waitForTime(timer.C)
	}
	t.leaksOrLives("waitForTime", n)
}

func waitForTime(c <-chan time.Time) { <-c }

// A new timer for each turn.
func afterLoop(t *twin) {
	const n = 5
	for i := 0; i < n; i++ {
		go eachAfter(make(chan int), t.fixed)
	}
	t.leaksOrLives("eachAfter", n)
}

func eachAfter(work <-chan int, limited bool) {
	for {
		if !limited {
			<-work
			continue
		}
		select {
		case <-work:
		case <-time.After(700 * time.Millisecond):
		}
	}
}

// What a timer's function knows, it may do.
func afterFunc(t *twin) {
	const n = 3
	for i := 0; i < n; i++ {
		c := make(chan int)
		go waitFor(c)
		if t.fixed {
			time.AfterFunc(time.Hour, func() { c <- 1 })
		}
	}
	t.leaksOrLives("waitFor", n)
}

// Signals are sent as long as nobody calls Stop.
func signalStopped(t *twin) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR1)
	go waitForSignal(c)
	if !t.fixed {
		another := make(chan os.Signal, 1) // the library keeps the one that was stopped last
		signal.Notify(another, syscall.SIGUSR1)
		signal.Stop(c)
		signal.Stop(another)
	}
	t.leaksOrLives("waitForSignal", 1)
	t.total++ // the library's own, in a system call
}

func waitForSignal(c <-chan os.Signal) { <-c }

// What sleeps is alive. In the twin it has gone to sleep for good.
func sleepLoop(t *twin) {
	const n = 3
	for i := 0; i < n; i++ {
		go sleepOften(t.fixed)
	}
	t.leaksOrLives("sleepOften", n)
}

func sleepOften(fixed bool) {
	for fixed {
		time.Sleep(250 * time.Millisecond)
	}
	var never chan int
	<-never
}
