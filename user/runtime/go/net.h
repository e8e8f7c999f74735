/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which code made a goroutine, and which request uses a connection, of a Go process that is traced.
 *
 * Two things come of it. Stacks of what goroutines acquire (bpf/track.bpf.h, lt_stack) go on behind
 * runtime.goexit with the stack of the code that made the goroutine, down to main; and the books have a
 * connection of net/http's client, with its descriptor, under the last request that has used it. Both are
 * done in BPF, without a word from here. The other: go_net_cause() and go_net_unclosed_seconds() tell of
 * single goroutines and connections.
 *
 *	go_net_open()	once the process's unwind tables are there
 *	go_net_tick()	each time that its goroutines have been read
 *	go_net_detach()	when tracing ends: what has been recorded can still be asked for
 *	go_net_close()	when it runs another program, or has ended
 *
 * Goroutines are followed where the calls that make them have probes: those of the libraries that make
 * connections from the beginning (user/runtime/go/creates.c), others from the moment on that a goroutine
 * made there acquires something, or go_net_want() asks for it. A call that is made too often loses its
 * probe again: no more than LT_GO_RATE of its calls in a second are looked at.
 */
#pragma once
#include "go/runtime.h"
#include "probe/object.h"
#include "proc/module.h"

#define LT_GO_RATE 2000 /* 4 ms, or 0.4 % of a processor */

struct go_net;

/*
 * Begins to follow the program that the runtime is of, which must outlive it, and the module that it is
 * part of. 0; -EOPNOTSUPP: something that this needs is not where it should be; or another negative errno.
 */
int go_net_open(const struct object *o, pid_t pid, const struct go_runtime *rt, const struct module *m,
		struct go_net **ret);
void go_net_close(struct go_net *n);
/* Nobody asks for the process, which has ended, any more: BPF forgets it. `n` may be NULL. */
void go_net_forget(const struct go_net *n);
/* Hands its probes over, to be taken away with others; there will be no more. `n` may be NULL. */
void go_net_detach(struct go_net *n, struct attachments *to);
/* Puts probes where they are wanted, and takes them from where they are hit too often. To be called about
 * once in a second. 0 or a negative errno; what could not be attached is not tried again. */
int go_net_tick(struct go_net *n, uint64_t now_ns);
/* Has the goroutines followed that are made by the call that returns to this address of the process, as
 * struct goroutine has it: from the next tick on. 0 or -ENOMEM. */
int go_net_want(struct go_net *n, uint64_t created_pc);

/* What made a goroutine: frames as in struct stack, the creating call's first. */
struct go_cause {
	uint64_t frames[LT_MAX_FRAMES];
	unsigned int n;
	bool complete; /* down to main, or to a goroutine that was made before tracing */
	bool request;  /* it serves a connection of net/http, and this is the last request that used it */
};

/* Of the goroutine of this id that was created there. False: it is not known. */
bool go_net_cause(struct go_net *n, uint64_t goid, uint64_t created_pc, struct go_cause *ret);

/* Of the goroutines with the outermost function of this stack, of addresses in the process, leaf first.
 * False: it is not known, or not the same for all that have been made. */
bool go_net_started(struct go_net *n, const uint64_t *pcs, size_t n_pcs, struct go_cause *ret);

/* For how long a response has been open that came on a connection of net/http's client, which the inode
 * of its socket names; 0: none is, or it is no such connection. */
double go_net_unclosed_seconds(struct go_net *n, uint64_t inode, uint64_t now_ns);
