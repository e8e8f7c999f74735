/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where each release of Go keeps what is read of its runtime: one row of offsets, in bytes, for each,
 * in layout.c. The fields have the names that the runtime gives them (src/runtime/runtime2.go,
 * mheap.go, mprof.go, mstats.go, chan.go, symtab.go); the numbers are those of its debug information, for
 * amd64 and arm64 alike.
 *
 * To add a release: build any program with it, print the structs with
 *	gdb -batch -ex 'set language c' -ex "ptype /o 'runtime.g'" PROGRAM
 * and so on, add a row, and run tests/e2e/go-goroutines.t with it. Nothing is believed of a row that the
 * process does not bear out: see user/go/check.c.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define GO_NONE UINT32_MAX /* the release has no such field */
#define GO_HEAP_STATS 3 /* of heapStatsDelta, which sum up: consistentHeapStats */
#define GO_HEAP_STATS_MAX 1184 /* bytes of one */
#define GO_SIZE_CLASSES 68 /* of small objects: _NumSizeClasses */

struct go_layout {
	unsigned int minor; /* 23 of go1.23 */
	uint8_t wrapper;    /* FuncIDWrapper of src/internal/abi/symtab.go */
	struct {
		uint32_t size, stack, m, sched, syscallsp, syscallpc, syscallbp, atomicstatus, goid,
			waitsince, waitreason, parkingOnChan, trackingSeq, lockedm, parentGoid, gopc,
			startpc, waiting, labels, selectDone;
	} g;
	struct {
		uint32_t sp, pc, g, bp;
	} gobuf;
	struct {
		uint32_t size, g, next, prev, elem, isSelect, parent, waitlink, waittail, c;
	} sudog;
	struct {
		uint32_t size, qcount, dataqsiz, buf, elemsize, closed, elemtype, timer, sendx, recvx,
			recvq, sendq;
	} hchan;
	struct {
		uint32_t g0, procid, gsignal, curg, p, id, alllink, lockedg;
	} m;
	struct {
		uint32_t size, id, status, m, mcache, gcw, wbBuf, timers;
	} p;
	struct {
		uint32_t goidgen, ngsys;
	} schedt;
	struct {
		uint32_t next, allnext, typ, hash, size, nstk; /* then the stack, and a memRecord */
	} bucket;
	struct {
		uint32_t size, active, future; /* future: of three */
	} memRecord;
	struct {
		uint32_t size, allocs, frees, alloc_bytes, free_bytes;
	} memRecordCycle;
	struct {
		uint32_t sweepgen, allspans, arenas, central;
	} mheap;
	struct {
		uint32_t size, next, startAddr, npages, freeindex, nelems, allocCache, allocBits,
			gcmarkBits, sweepgen, allocCount, spanclass, state, allocCountBeforeCache,
			elemsize, limit, specials, freeIndexForScan, isUserArenaChunk, largeType;
	} mspan;
	struct {
		uint32_t tiny, tinyoffset, tinyAllocs, alloc, flushGen; /* alloc: by span class */
	} mcache;
	struct {
		uint32_t size, next, offset, kind;
	} special;
	struct {
		uint32_t size, smallAllocCount; /* with smallFreeCount two words behind it */
	} heapStatsDelta;
	struct {
		uint32_t minpc, maxpc, text, etext, noptrdata, enoptrdata, data, edata, bss, ebss,
			noptrbss, enoptrbss, gcdata, gcbss, types, etypes, rodata, gofunc, gcdatamask,
			gcbssmask, next;
	} moduledata;
};

/* The rows of a release, one after the other: of one without debug information to read them from there
 * are several that may be right. NULL starts; NULL: there are no more. */
const struct go_layout *go_layout_next(unsigned int minor, const struct go_layout *previous);
/* The first and the last release there is a row of. */
void go_layout_range(unsigned int *ret_first, unsigned int *ret_last);
