/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What made a goroutine and what uses a connection, as bpf/go_net.bpf.c records it and
 * user/runtime/go/net.c reads it.
 */
#pragma once
#include "leaktrace/books.h"

/* A Go program: where its runtime keeps what is followed (src/runtime/runtime2.go). A row for each such
 * process. */
struct lt_go_program {
	__u64 goidgen;	   /* address: the last id of a goroutine that a processor was given */
	__u16 g_m, g_goid; /* offsets in struct g, */
	__u16 g_gopc;
	__u16 g_parent;	   /* 0: this release does not keep it */
	__u16 m_p;	   /* in struct m, */
	__u16 p_goidcache; /* in struct p: the next id that it gives, and behind it where these end, */
	__u16 conn;	   /* and in net/http's struct persistConn: the connection, an interface */
	__u16 reserved;
};
LT_ASSERT_SIZE(struct lt_go_program, 24);

struct lt_go_key {
	__u64 id; /* of a goroutine; address of a persistConn, a function, a creating call's return */
	__u32 tgid;
	__u32 reserved;
};

/* How a goroutine was made. */
struct lt_go_made {
	__u64 trace;	  /* the stack of the code that made it: the key in `go_traces`; 0: not known */
	__u64 created_pc; /* where the creating call returns to: what struct g has */
	__u64 parent;	  /* the goroutine that made it */
	__u64 conn;	  /* it serves this persistConn; 0: none */
};

/* A persistConn: a connection of net/http's client. */
struct lt_go_conn {
	__u64 request; /* the stack of the last request that has used it, in `go_traces`; 0: none yet */
	__u64 ns;      /* when that was, CLOCK_MONOTONIC */
	__u64 inode;   /* of the socket */
	__u64 reader;  /* the goroutine that reads it; 0: made before tracing */
	__u64 g;       /* and its struct g */
};

/* By the entry of a function: who has made goroutines that run it. */
struct lt_go_start {
	__u64 trace;  /* of the first */
	__u64 others; /* that were made by other code */
};

/*
 * A stack, continued with those of the goroutines that made the one before: its first `own` frames are of
 * the goroutine itself.
 */
struct lt_go_trace {
	__u64 own;
	struct lt_event_stack stack;
};

/* A creating call that has a probe, or that is to have one: a goroutine that it made held something. */
struct lt_go_site {
	__u64 hits;
	__u64 limit; /* of hits: user space raises it, so that a call that is made all the time costs little */
};

/* lt_cookie.via of the probes in net/http's client */
enum lt_go_client {
	LT_GO_ROUND_TRIP,
	LT_GO_READ_LOOP,
	LT_GO_WRITE_LOOP,
};

#define LT_GO_TRACES 4096
#define LT_GO_MADE   32768 /* the oldest make room */
#define LT_GO_CONNS  8192  /* the same */
#define LT_GO_SITES  4096
#define LT_GO_STARTS 4096
