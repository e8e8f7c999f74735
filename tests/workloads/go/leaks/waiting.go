// SPDX-License-Identifier: Apache-2.0

// What package sync offers to wait for.
package main

import "sync"

func init() {
	patterns["waitgroup-miscount"] = waitGroupMiscount
	patterns["waitgroup-skipped-done"] = waitGroupSkippedDone
	patterns["errgroup"] = errGroup
	patterns["cond-one-signal"] = condOneSignal
	patterns["cond-several"] = condSeveral
	patterns["mutex-not-unlocked"] = mutexNotUnlocked
	patterns["mutex-twice"] = mutexTwice
	patterns["lock-order"] = lockOrder
	patterns["rwmutex-writer"] = rwMutexWriter
	patterns["rwmutex-reader"] = rwMutexReader
	patterns["rwmutex-recursive"] = rwMutexRecursive
	patterns["mutex-held-by-leaked"] = mutexHeldByLeaked
	patterns["once"] = once
	patterns["shared-call"] = sharedCall
	patterns["mutex-of-many"] = mutexOfMany
	patterns["global-mutex"] = globalMutex
}

// One more is announced than comes.
func waitGroupMiscount(t *twin) {
	const n = 5
	for i := 0; i < n; i++ {
		all := new(sync.WaitGroup)
		all.Add(3)
		if !t.fixed {
			all.Add(1)
		}
		for k := 0; k < 3; k++ {
			go all.Done()
		}
		go waitForAll(all)
	}
	t.leaks("waitForAll", n)
}

func waitForAll(all *sync.WaitGroup) { all.Wait() }

// A worker leaves by its other door.
func waitGroupSkippedDone(t *twin) {
	var all sync.WaitGroup
	const n = 3
	all.Add(n)
	for i := 0; i < n; i++ {
		go workUnlessOdd(&all, i, t.fixed)
	}
	go waitForAll(&all)
	t.leaks("waitForAll", 1)
}

func workUnlessOdd(all *sync.WaitGroup, i int, fixed bool) {
	if fixed {
		defer all.Done()
	}
	if i%2 == 1 {
		return
	}
	if !fixed {
		all.Done()
	}
}

type group struct {
	members sync.WaitGroup
	errs    chan error
}

func (g *group) member() {
	defer g.members.Done()
	g.errs <- errFailed
}

func (g *group) finish() {
	g.members.Wait()
	close(g.errs)
}

// The first error is taken, the group waits for all.
func errGroup(t *twin) {
	const n = 5
	g := &group{errs: make(chan error)}
	g.members.Add(n)
	for i := 0; i < n; i++ {
		go g.member()
	}
	go g.finish()
	<-g.errs
	if t.fixed {
		for range g.errs {
		}
	}
	t.leaks("(*group).member", n-1)
	t.leaks("(*group).finish", 1)
}

type gate struct {
	mutex  sync.Mutex
	change *sync.Cond
	open   bool
	passed int
}

func newGate() *gate {
	g := new(gate)
	g.change = sync.NewCond(&g.mutex)
	return g
}

func (g *gate) pass() {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	for !g.open {
		g.change.Wait()
	}
	g.passed++
}

// Signal wakes one, where Broadcast would have woken all.
func condOneSignal(t *twin) {
	const n = 8
	g := newGate()
	for i := 0; i < n; i++ {
		go g.pass()
	}
	settleAt(n)
	g.mutex.Lock()
	g.open = true
	g.mutex.Unlock()
	if t.fixed {
		g.change.Broadcast()
	} else {
		g.change.Signal()
	}
	t.leaks("(*gate).pass", n-1)
}

type queue struct {
	sync.Mutex
	items sync.Cond
	list  []int
}

func (q *queue) take() int {
	q.Lock()
	defer q.Unlock()
	for len(q.list) == 0 {
		q.items.Wait()
	}
	item := q.list[0]
	q.list = q.list[1:]
	return item
}

// Several queues, of which one half is kept by somebody who lives. Each Cond is a part of its queue.
func condSeveral(t *twin) {
	const n = 6
	for i := 0; i < n; i++ {
		q := &queue{list: make([]int, 0, 8)}
		q.items.L = q
		go q.take()
		if t.fixed || i%2 == 0 {
			held.list = append(held.list, q)
		}
	}
	if t.fixed {
		t.lives("(*queue).take", n)
	} else {
		t.lives("(*queue).take", n/2)
		t.leaks("(*queue).take", n/2)
	}
}

// An error path that returns with the mutex.
func mutexNotUnlocked(t *twin) {
	const n = 5
	a := new(account)
	a.withdraw(1, t.fixed)
	for i := 0; i < n; i++ {
		go a.deposit(1)
	}
	t.leaks("(*account).deposit", n)
}

type account struct {
	sync.Mutex
	balance int
}

func (a *account) withdraw(amount int, fixed bool) bool {
	a.Lock()
	if a.balance < amount {
		if fixed {
			a.Unlock()
		}
		return false
	}
	a.balance -= amount
	a.Unlock()
	return true
}

func (a *account) deposit(amount int) {
	a.Lock()
	defer a.Unlock()
	a.balance += amount
}

// A method that locks calls another that locks.
func mutexTwice(t *twin) {
	const n = 3
	for i := 0; i < n; i++ {
		go new(account).depositTwice(t.fixed)
	}
	t.leaks("(*account).depositTwice", n)
}

func (a *account) depositTwice(fixed bool) {
	a.Lock()
	if fixed {
		a.Unlock()
	}
	a.deposit(1)
	if !fixed {
		a.Unlock()
	}
}

// Two accounts, locked in the order of the call.
func lockOrder(t *twin) {
	const n = 3
	for i := 0; i < n; i++ {
		a, b := new(account), new(account)
		var both sync.WaitGroup
		both.Add(2)
		if t.fixed {
			go transfer(a, b, &both, true)
			go transfer(a, b, &both, true)
		} else {
			go transfer(a, b, &both, false)
			go transfer(b, a, &both, false)
		}
	}
	t.leaks("transfer", 2*n)
}

func transfer(from, to *account, both *sync.WaitGroup, fixed bool) {
	if fixed {
		both.Done()
		both.Wait()
	}
	from.Lock()
	defer from.Unlock()
	if !fixed {
		both.Done()
		both.Wait()
	}
	to.Lock()
	defer to.Unlock()
	from.balance--
	to.balance++
}

type table struct {
	sync.RWMutex
	rows map[string]int
}

func (w *table) get(key string, fixed bool) int {
	w.RLock()
	value, known := w.rows[key]
	if known || fixed {
		w.RUnlock()
	}
	return value
}

func (w *table) put(key string, value int) {
	w.Lock()
	defer w.Unlock()
	w.rows[key] = value
}

// A reader that forgets to unlock what it did not find.
func rwMutexWriter(t *twin) {
	const n = 3
	for i := 0; i < n; i++ {
		w := &table{rows: map[string]int{}}
		w.get("nothing", t.fixed)
		go w.put("a", 1)
	}
	t.leaks("(*table).put", n)
}

// A writer that forgets; readers wait.
func rwMutexReader(t *twin) {
	const n = 7
	w := &table{rows: map[string]int{}}
	w.Lock()
	for i := 0; i < n; i++ {
		go w.get("a", true)
	}
	if t.fixed {
		w.Unlock()
	}
	t.leaks("(*table).get", n)
}

// A reader that reads again, with a writer come in between.
func rwMutexRecursive(t *twin) {
	w := &table{rows: map[string]int{}}
	come := make(chan struct{})
	go w.sum(come, t.fixed)
	settleAt(1)
	go w.put("a", 1)
	settleAt(2)
	close(come)
	t.leaks("(*table).sum", 1)
	t.leaks("(*table).put", 1)
}

func (w *table) sum(come <-chan struct{}, fixed bool) int {
	w.RLock()
	<-come
	if fixed {
		w.RUnlock()
		return w.get("a", true)
	}
	defer w.RUnlock()
	return w.get("a", true)
}

// It waits for a value with a mutex locked, and others wait for the mutex.
func mutexHeldByLeaked(t *twin) {
	const n = 5
	a, c := new(account), make(chan int)
	go a.depositFrom(c)
	settleAt(1)
	for i := 0; i < n; i++ {
		go a.deposit(1)
	}
	if t.fixed {
		c <- 1
	}
	t.leaks("(*account).depositFrom", 1)
	t.leaks("(*account).deposit", n)
}

func (a *account) depositFrom(c <-chan int) {
	a.Lock()
	defer a.Unlock()
	a.balance += <-c
}

type lazy struct {
	sync.Once
	answer chan int
	value  int
}

func (l *lazy) get() int {
	l.Do(l.make)
	return l.value
}

func (l *lazy) make() { l.value = <-l.answer }

// What is done once never ends, and all wait for it.
func once(t *twin) {
	const n = 4
	l := &lazy{answer: make(chan int)}
	for i := 0; i < n; i++ {
		go l.get()
	}
	if t.fixed {
		close(l.answer)
	}
	t.leaks("(*lazy).get", n)
}

type call struct {
	sync.WaitGroup
	value int
}

type calls struct {
	sync.Mutex
	open map[string]*call
}

func (c *calls) do(key string, fixed bool) (value int) {
	c.Lock()
	if running := c.open[key]; running != nil {
		c.Unlock()
		running.Wait()
		return running.value
	}
	mine := new(call)
	mine.Add(1)
	c.open[key] = mine
	c.Unlock()
	defer func() {
		if recover() == nil || fixed {
			mine.Done()
		}
		c.Lock()
		delete(c.open, key)
		c.Unlock()
	}()
	settleAt(held.n)
	panic("no value")
}

// Calls for the same thing share one; that one panics, and the others are not told.
func sharedCall(t *twin) {
	const n = 6
	held.n = n
	c := &calls{open: map[string]*call{}}
	for i := 0; i < n; i++ {
		go c.do("key", t.fixed)
	}
	t.leaks("(*calls).do", n-1)
}

// So many mutexes that they share places in the runtime's table of waiters.
func mutexOfMany(t *twin) {
	const n, each = 509, 2
	for i := 0; i < n; i++ {
		a := new(account)
		a.Lock()
		for k := 0; k < each; k++ {
			go a.deposit(1)
		}
		if t.fixed {
			a.Unlock()
		}
	}
	t.leaks("(*account).deposit", n*each)
}

var books account

// What is known by name can always be unlocked by somebody.
func globalMutex(t *twin) {
	const n = 3
	books.Lock()
	for i := 0; i < n; i++ {
		go books.deposit(1)
	}
	if t.fixed {
		books.Unlock()
		return
	}
	t.lives("(*account).deposit", n)
}
