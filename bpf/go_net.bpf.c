// SPDX-License-Identifier: GPL-2.0
/*
 * Who makes goroutines, and who uses the connections of net/http's client.
 *
 * A goroutine's id is given to it by the processor (P) that runs the creating call, out of a few that the
 * processor has in store; so what the next one will be is known when the call begins. Should it get
 * another one after all, the goroutine that gets this one has other parents, and takes no notice.
 *
 * A connection that is kept for further requests belongs to the last one that has used it, not to the one
 * that it was dialled for: then the books move it to the stack of that request. All of Go's own
 * functions are probed behind their stack check (see user/runtime/go/net.c), where their arguments still
 * are in registers: the receiver in rax, the goroutine in r14.
 */
#include "go.bpf.h"
#include "system.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, LT_GO_CONNS);
	__type(key, struct lt_go_key);
	__type(value, struct lt_go_conn);
} go_conns __weak SEC(".maps");

/* Creating calls that have a probe. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LT_GO_SITES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct lt_go_key);
	__type(value, struct lt_go_site);
} go_sites __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LT_GO_STARTS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct lt_go_key);
	__type(value, struct lt_go_start);
} go_starts __weak SEC(".maps");

#define CALL_SIZE 5 /* of the instruction: call rel32 */

/* -- goroutines ------------------------------------------------------------------------------ */

/* The id of the goroutine that the goroutine `g` is about to make; 0: not known. */
static __always_inline u64 next_goid(const struct lt_go_program *p, u64 g)
{
	u64 m = lt_go_word(g + p->g_m), processor = m ? lt_go_word(m + p->m_p) : 0;
	u64 store[2]; /* goidcache, goidcacheend */

	if (!processor || lt_read_user(store, sizeof(store), processor + p->p_goidcache))
		return 0;
	if (store[0] != store[1])
		return store[0];
	store[0] = lt_go_word(p->goidgen);
	return store[0] ? store[0] + 1 : 0;
}

/* Walks the stack of Go's code at a probe, and keeps it. Its key, or 0. */
static __always_inline u64 keep_stack(struct lt_thread *t, struct pt_regs *ctx, u32 tgid, u64 pc,
				      int is_return)
{
	struct lt_walk *w = &t->walk;

	lt_walk_stack(w, tgid, pc, ctx->rsp, ctx->rbp, is_return, lt_stack_seed(tgid, LT_KIND_MAX, 0));
	lt_go_continue(w, tgid, ctx->r14, ctx->rsp);
	return w->own ? lt_go_keep(lt_walk_id(w)) : 0;
}

static __always_inline void function_starts(u32 tgid, u64 entry, u64 trace)
{
	struct lt_go_key key = lt_go_key(tgid, entry);
	struct lt_go_start *s = bpf_map_lookup_elem(&go_starts, &key), first = { .trace = trace };

	if (!s)
		bpf_map_update_elem(&go_starts, &key, &first, BPF_NOEXIST);
	else if (s->trace != trace)
		__sync_fetch_and_add(&s->others, 1);
}

static __always_inline void goroutine_begins(struct pt_regs *ctx, u32 tgid, const struct lt_go_program *p)
{
	struct lt_go_key key = lt_go_key(tgid, ctx->rip + CALL_SIZE);
	struct lt_go_site *site = bpf_map_lookup_elem(&go_sites, &key);
	struct lt_go_made made = { .created_pc = key.id };
	struct lt_thread *t = lt_thread_get();

	key.id = next_goid(p, ctx->r14);
	if (!t || !key.id || !site || __sync_fetch_and_add(&site->hits, 1) >= site->limit)
		return;
	made.trace = keep_stack(t, ctx, tgid, made.created_pc, 1);
	made.parent = lt_go_word(ctx->r14 + p->g_goid);
	bpf_map_update_elem(&go_made, &key, &made, BPF_ANY);
	if (made.trace)
		function_starts(tgid, lt_go_word(ctx->rax), made.trace); /* rax: a struct funcval */
}

/* At a `call runtime.newproc`. */
LT_UPROBE(go_create)
{
	u32 tgid = lt_traced();
	struct lt_go_program *p;

	if (!tgid)
		return 0;
	p = lt_go_program(tgid);
	if (!p || !lt_go_is_current(ctx->r14, ctx->rsp))
		return 0;
	lt_count(LT_COUNT_HITS);
	goroutine_begins(ctx, tgid, p);
	return 0;
}

/* -- connections of net/http's client ---------------------------------------------------------- */

#define SYSFD	 16 /* internal/poll.FD, with which a netFD begins: behind an fdMutex */
#define WRAPPERS 3  /* tls.Conn and others that hold a connection: an interface is their first field */

/*
 * The inode of the socket that a persistConn has; 0: not found. What is behind the interface is either a
 * TCPConn, a pointer to its netFD, or holds another interface.
 */
static __always_inline u64 socket_of(u64 at, u32 *ret_fd)
{
	for (int i = 0; i < WRAPPERS; i++, at = lt_go_word(at + sizeof(u64))) {
		u64 data = lt_go_word(at + sizeof(u64)), inode;
		struct file *file;
		s32 fd;

		if (!data || lt_read_user(&fd, sizeof(fd), lt_go_word(data) + SYSFD))
			return 0;
		file = fd >= 0 ? lt_file(fd) : 0;
		inode = file ? lt_socket_inode(file) : 0;
		*ret_fd = fd;
		if (inode)
			return inode;
	}
	return 0;
}

/* The stack of the request, behind the frames with which a holding at this stack began. Its number. */
__weak __noinline int continue_with(u32 tgid, u32 kind, u64 before, u64 request)
{
	struct lt_go_trace *b = bpf_map_lookup_elem(&go_traces, &before);
	struct lt_thread *t = lt_thread_get();
	struct lt_walk *w;
	u32 number;
	u64 own;

	if (!b || !t)
		return -1;
	w = &t->walk;
	own = b->own;
	lt_walk_begin(w, tgid, 0, 0, 0, 1, lt_stack_seed(tgid, kind, b->stack.via));
	w->out.kind = kind;
	w->out.via = b->stack.via;
	lt_go_push(w, before, true);
	lt_go_push(w, request, false);
	w->own = own;
	lt_go_keep(lt_walk_id(w));
	return lt_stack_known(w, lt_walk_id(w), &number) ? (int)number : -1;
}

/* Has the books say that what is held was acquired for the request. */
__weak __noinline int move_holding(u32 tgid, u32 kind, u64 id, u64 request)
{
	struct lt_holding_key key = { .id = id, .tgid = tgid, .kind = kind };
	struct lt_stack *from, *to;
	struct lt_holding h;
	int number;

	if (lt_holding_take(&key, &h))
		return 0;
	from = lt_stack_at(h.stack);
	number = from ? continue_with(tgid, kind, from->id, request) : -1;
	to = number >= 0 ? lt_stack_at(number) : 0;
	if (from && to) {
		__sync_fetch_and_add(&from->totals.acquired, -1);
		__sync_fetch_and_add(&to->totals.acquired, 1);
		h.stack = number;
	}
	lt_put_back(tgid, kind, id, &h);
	return 0;
}

/* Has the books say whom the connection and its descriptor are held for. */
__weak __noinline int move_connection(u32 tgid, u64 inode, u32 fd, u64 request)
{
	if (lt_wants(LT_KIND_CONNECTION))
		move_holding(tgid, LT_KIND_CONNECTION, inode, request);
	if (lt_wants(LT_KIND_FD))
		move_holding(tgid, LT_KIND_FD, fd, request);
	return 0;
}

/* What is known of a connection, which has this socket; of the one that was at its address before nothing
 * is left. NULL: there is no room. Its first request and its goroutines come here at the same time. */
static __always_inline struct lt_go_conn *conn_of(const struct lt_go_key *key, u64 inode)
{
	struct lt_go_conn *conn = bpf_map_lookup_elem(&go_conns, key), fresh = { .inode = inode };

	if (conn && conn->inode == inode)
		return conn;
	bpf_map_update_elem(&go_conns, key, &fresh, conn ? BPF_ANY : BPF_NOEXIST);
	return bpf_map_lookup_elem(&go_conns, key);
}

static __always_inline void request_begins(struct pt_regs *ctx, u32 tgid, const struct lt_go_program *p)
{
	struct lt_go_key key = lt_go_key(tgid, ctx->rax);
	struct lt_thread *t = lt_thread_get();
	struct lt_go_conn *conn;
	u64 before, request;
	u32 fd = 0;
	u64 inode;

	if (!t)
		return;
	inode = socket_of(key.id + p->conn, &fd);
	request = keep_stack(t, ctx, tgid, ctx->rip, 0);
	conn = conn_of(&key, inode);
	if (!conn || !request)
		return;
	conn->ns = bpf_ktime_get_ns();
	before = conn->request;
	conn->request = request;
	if (inode && request != before)
		move_connection(tgid, inode, fd, request);
}

static __always_inline void loop_begins(struct pt_regs *ctx, u32 tgid, const struct lt_go_program *p,
					bool reads)
{
	struct lt_go_key key = lt_go_key(tgid, ctx->rax);
	struct lt_go_made *there, made = { .conn = key.id };
	u64 goid = lt_go_word(ctx->r14 + p->g_goid);
	u32 fd;

	made.created_pc = lt_go_word(ctx->r14 + p->g_gopc);
	if (reads) {
		struct lt_go_conn *conn = conn_of(&key, socket_of(key.id + p->conn, &fd));

		if (conn) {
			conn->reader = goid;
			conn->g = ctx->r14;
		}
	}
	key.id = goid;
	there = bpf_map_lookup_elem(&go_made, &key);
	if (there && there->created_pc == made.created_pc)
		there->conn = made.conn;
	else
		bpf_map_update_elem(&go_made, &key, &made, BPF_ANY);
}

/* At (*persistConn).roundTrip, with which a request begins to use the connection, and at .readLoop and
 * .writeLoop, the two goroutines that live as long as it. */
LT_UPROBE(go_client)
{
	struct lt_cookie c = lt_go_cookie(ctx);
	u32 tgid = lt_traced();
	struct lt_go_program *p;

	if (!tgid || lt_go_skip(ctx, &c))
		return 0;
	p = lt_go_program(tgid);
	if (!p || !lt_go_is_current(ctx->r14, ctx->rsp))
		return 0;
	if (c.via == LT_GO_ROUND_TRIP)
		request_begins(ctx, tgid, p);
	else
		loop_begins(ctx, tgid, p, c.via == LT_GO_READ_LOOP);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
