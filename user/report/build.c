// SPDX-License-Identifier: Apache-2.0
#include "report/build.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "leak/recursion.h"
#include "report/builder.h"
#include "report/fold.h"
#include "report/furniture.h"
#include "report/internal.h"
#include "report/items.h"
#include "report/machinery.h"
#include "report/processes.h"
#include "report/python.h"

/* -- frames ---------------------------------------------------------------------------------- */

static char *build_id_hex(struct arena *arena, const struct module *m)
{
	char *hex = m->build_id_len ? arena_alloc(arena, 2 * m->build_id_len + 1) : NULL;

	for (unsigned int i = 0; hex && i < m->build_id_len; i++)
		snprintf(hex + 2 * i, 3, "%02x", m->build_id[i]);
	return hex;
}

static int build_kernel_frame(struct builder *b, uint64_t address, struct report_frame *ret)
{
	struct kernel_place place;
	int r = names_kernel(b->src->names, address, &place);

	if (r)
		return r;
	*ret = (struct report_frame){
		.function = arena_strdup(b->arena, place.function),
		.module = arena_strdup(b->arena, place.module),
		.offset = place.offset,
		.address = address,
	};
	if (!ret->module)
		return -ENOMEM;
	return 1;
}

/* All functions at one recorded address: one frame, and one more for each inlined call. `jit`: what it was
 * called when the stack was taken, of a JIT's code; NULL: that is not known. */
static int build_frame(struct builder *b, uint32_t tgid, uint64_t frame, const char *jit,
		       struct report_frame ret[SYMBOLS_MAX])
{
	const struct module *m = module_table_get(b->src->modules, LT_FRAME_MODULE(frame));
	struct symbol symbols[SYMBOLS_MAX];
	uint64_t at = LT_FRAME_OFFSET(frame);
	const uint64_t *bias = m ? hashmap_get(b->src->biases, REPORT_BIAS_KEY(tgid, m->id)) : NULL;
	int n = 0;

	/* the code that ran lies before the recorded address (bpf/unwind.bpf.h, lt_push_frame) */
	if (m)
		n = names_module(b->src->names, m, at - 1, symbols);
	else if (jit)
		symbols[n++] = (struct symbol){ .function = jit };
	else if (!LT_FRAME_IS_UNKNOWN(frame))
		n = names_jit(b->src->names, (pid_t)tgid, at - 1, symbols);
	if (n < 0)
		return n;
	if (!n)
		symbols[n++] = (struct symbol){ 0 };
	for (int i = 0; i < n; i++) {
		ret[i] = (struct report_frame){
			.function = arena_strdup(b->arena, symbols[i].function),
			.file = arena_strdup(b->arena, symbols[i].file),
			.line = symbols[i].line,
			.inlined = symbols[i].inlined,
			.module = m ? m->path : NULL,
			.build_id = m ? build_id_hex(b->arena, m) : NULL,
			.offset = at,
		};
		if (!m)
			ret[i].address = at;
		else if (bias)
			ret[i].address = *bias + ret[i].offset;
	}
	return n;
}

struct frame_run {
	uint32_t tgid;
	const uint64_t *frames;
	size_t n;
	size_t logical;
	const char *const *jit;
};

/* Adds the frames from `from` on so many more times. */
static int repeat_frames(struct frame_vec *frames, size_t from, size_t times)
{
	const size_t n = frames->n - from;

	if (vec_reserve(frames, n * times))
		return -ENOMEM;
	for (; times; times--, frames->n += n)
		memcpy(frames->items + frames->n, frames->items + from, n * sizeof(*frames->items));
	return 0;
}

/* All of them, of recursions too: what is left out does not know of cycles. */
static int build_native(struct builder *b, const struct frame_run *run, struct frame_vec *ret)
{
	size_t begin[LT_CYCLE_MAX] = { 0 }; /* where the frames of the last words are */
	int r = 0;

	for (size_t i = 0; i < run->n && !r; i++) {
		struct report_frame f[SYMBOLS_MAX];
		const uint64_t word = run->frames[i];
		int n;

		if (FRAME_IS_REPEAT(word)) {
			r = repeat_frames(ret, begin[(i - FRAME_REPEAT_PERIOD(word)) % LT_CYCLE_MAX],
					  FRAME_REPEAT_TIMES(word));
			continue;
		}
		begin[i % LT_CYCLE_MAX] = ret->n;
		n = LT_FRAME_IS_KERNEL(word) ? build_kernel_frame(b, word, &f[0])
					     : build_frame(b, run->tgid, word, run->jit ? run->jit[i] : NULL, f);
		r = n < 0 ? n : 0;
		n = i < run->logical && n > 1 ? 1 : n;
		for (int k = 0; k < n && !r; k++)
			r = vec_push(ret, f[k]);
	}
	return r;
}

/* The kernel's frames come first, each recorded one being one of the report's. */
static size_t kernel_frames(const struct stack *s)
{
	size_t n = 0;

	while (n < s->n && LT_FRAME_IS_KERNEL(s->frames[n]))
		n++;
	return n;
}

/* Those of the stack, with Python's in place of the interpreter's. */
static int build_frames(struct builder *b, const struct stack *s, struct frame_vec *ret)
{
	const struct module *interpreter = module_table_get(b->src->modules, s->python_module);
	const struct frame_run run = { s->tgid, s->frames, s->n, s->logical, (const char *const *)s->jit };
	struct frame_vec native = { 0 };
	int r;

	if (!interpreter || !python_is_known(s))
		return build_native(b, &run, ret);
	r = build_native(b, &run, &native);
	if (!r)
		r = python_mix(s, interpreter->path, &native, b->rq->all_frames, b->arena, ret);
	vec_free(&native);
	return r;
}

/* Adds the frames [from, to), but those that a compiler has generated, of which one stays if there is no
 * other. */
static void add_frames(const struct builder *b, const struct report_frame *frames, size_t from, size_t to,
		       struct frame_vec *ret)
{
	for (size_t i = from; i < to; i++)
		if (b->rq->all_frames || !is_generated_frame(&frames[i]))
			ret->items[ret->n++] = frames[i];
	if (!ret->n && from < to)
		ret->items[ret->n++] = frames[from];
}

/* Hands the frames out with recursion folded, and ends the vector. */
static int fold_into(struct builder *b, struct frame_vec *v, struct report_frame **ret, size_t *ret_n)
{
	fold_frames(v);
	*ret = arena_alloc(b->arena, (v->n + 1) * sizeof(*v->items));
	if (*ret && v->n)
		memcpy(*ret, v->items, v->n * sizeof(*v->items));
	*ret_n = *ret ? v->n : 0;
	vec_free(v);
	return *ret ? 0 : -ENOMEM;
}

/* Keeps what is not internal, and names the library's function that was called in place of the
 * system call it has made. */
static int take_frames(struct builder *b, const struct stack *s, const struct frame_vec *v,
		       struct report_stack *ret)
{
	struct internal_name library = { "" };
	size_t kernel = kernel_frames(s), skip = 0, skip_kernel = 0, n = v->n;
	struct frame_vec kept = { 0 };

	if (!b->rq->all_frames) {
		skip = internal_frames((enum lt_kind)s->kind, v->items + kernel, v->n - kernel, &library);
		skip_kernel = machinery_frames(v->items, kernel);
		n -= outer_frames((enum lt_kind)s->kind, v->items + kernel + skip, n - kernel - skip);
	}
	if (vec_reserve(&kept, v->n))
		return -ENOMEM;
	for (size_t i = skip_kernel; i < kernel; i++)
		kept.items[kept.n++] = v->items[i];
	add_frames(b, v->items, kernel + skip, n, &kept);
	if (fold_into(b, &kept, &ret->frames, &ret->n_frames))
		return -ENOMEM;
	/* of syscall(2) the system call's name says more */
	if (library.s[0] && strcmp(library.s, "syscall"))
		ret->via = arena_strdup(b->arena, library.s);
	return ret->via ? 0 : -ENOMEM;
}

/* Where the goroutines of a stack stand: the runtime's own frames say no more than the state does. */
static int build_place(struct builder *b, const struct stack *s, struct report_stack *ret)
{
	const struct frame_run run = { .tgid = s->tgid, .frames = s->place.frames, .n = s->place.n };
	struct internal_name none;
	struct frame_vec v = { 0 }, kept = { 0 };
	int r = build_native(b, &run, &v);
	size_t skip = 0, n = v.n;

	ret->state = arena_strdup(b->arena, s->place.state);
	if (!r)
		r = ret->state ? vec_reserve(&kept, v.n) : -ENOMEM;
	if (!b->rq->all_frames)
		skip = internal_frames(LT_KIND_GOROUTINE, v.items, v.n, &none);
	if (!b->rq->all_frames)
		n -= outer_frames(LT_KIND_GOROUTINE, v.items + skip, n - skip);
	if (!r) {
		add_frames(b, v.items, skip, n, &kept);
		r = fold_into(b, &kept, &ret->place, &ret->n_place);
	}
	vec_free(&v);
	return r;
}

/* -- stacks ---------------------------------------------------------------------------------- */

/* FNV-1a */
#define HASH_START 0xcbf29ce484222325ULL

static uint64_t hash_bytes(uint64_t h, const void *bytes, size_t n)
{
	for (const uint8_t *c = bytes; n; c++, n--)
		h = (h ^ *c) * 0x100000001b3ULL;
	return h;
}

static uint64_t hash_string(uint64_t h, const char *s)
{
	return hash_bytes(h, s, strlen(s));
}

static uint64_t hash_frame(const struct builder *b, uint64_t frame, uint64_t h)
{
	const struct module *m = module_table_get(b->src->modules, LT_FRAME_MODULE(frame));
	uint64_t offset = LT_FRAME_OFFSET(frame);

	if (m && m->build_id_len)
		h = hash_bytes(h, m->build_id, m->build_id_len);
	else if (m)
		h = hash_string(h, m->path);
	return hash_bytes(h, &offset, sizeof(offset));
}

static uint64_t hash_place(const struct builder *b, const struct stack_place *place, uint64_t h)
{
	h = hash_string(h, place->state);
	h = hash_bytes(h, &place->leaked, sizeof(place->leaked));
	for (size_t i = 0; i < place->n; i++)
		h = hash_frame(b, place->frames[i], h);
	return h;
}

/* Made of what names the stack in any run of the same files. The kernel is somewhere else after each
 * boot: where in it counts. */
static uint64_t stack_id(const struct builder *b, const struct stack *s, const struct frame_vec *v,
			 const char *via)
{
	uint64_t h = hash_string(HASH_START, via);
	size_t kernel = kernel_frames(s);

	for (size_t i = machinery_frames(v->items, kernel); i < kernel; i++) {
		h = hash_string(h, v->items[i].module);
		h = hash_bytes(h, &v->items[i].offset, sizeof(v->items[i].offset));
	}
	for (size_t i = kernel; i < s->n; i++) {
		h = hash_frame(b, s->frames[i], h);
		if (s->jit && s->jit[i])
			h = hash_string(h, s->jit[i]);
	}
	for (unsigned int i = 0; i < s->n_python; i++) {
		const struct python_frame *f = &s->python[i];

		if (!f->function)
			continue;
		h = hash_string(hash_string(h, f->function), f->file);
		h = hash_bytes(h, &f->offset, sizeof(f->offset));
	}
	return s->place.state ? hash_place(b, &s->place, h) : h;
}

static const char *stop_text(uint8_t stop)
{
	static const char *const text[LT_STOP_MAX] = {
#define X(name, json, words) [LT_STOP_##name] = words,
		LT_STOPS(X)
#undef X
	};

	return text[stop];
}

static double age_seconds(const struct builder *b, uint64_t ns)
{
	return b->src->now_ns > ns ? (double)(b->src->now_ns - ns) / 1e9 : 0;
}

/* Ages of what was held before tracing are not known: no more can be said of the oldest then. */
static void take_stack_ages(const struct builder *b, const struct stack_sum *sum, struct report_stack *ret)
{
	ret->oldest_seconds = sum->oldest_ns && !sum->before ? age_seconds(b, sum->oldest_ns) : -1;
	ret->youngest_seconds = sum->oldest_ns ? age_seconds(b, sum->youngest_ns) : -1;
}

/* The processes of a stack: `tgids` are in order, and may stand there several times. Groups of processes come last. */
static int take_pids(struct builder *b, const uint32_t *tgids, size_t n, struct report_stack *ret)
{
	const bool groups = BOOKS_IS_GROUP(tgids[n - 1]);

	ret->pid = groups ? 0 : (pid_t)tgids[0];
	if ((tgids[0] == tgids[n - 1] && !groups) || BOOKS_IS_GROUP(tgids[0]))
		return 0;
	ret->pid = 0;
	ret->pids = arena_alloc(b->arena, n * sizeof(*ret->pids));
	if (!ret->pids)
		return -ENOMEM;
	for (size_t i = 0; i < n && !BOOKS_IS_GROUP(tgids[i]); i++)
		if (!i || tgids[i] != tgids[i - 1])
			ret->pids[ret->n_pids++] = (pid_t)tgids[i];
	return 0;
}

static int take_group_pids(struct builder *b, const struct stack_group *g, struct report_stack *ret)
{
	_cleanup_free_ uint32_t *tgids = calloc(g->n, sizeof(*tgids));

	if (!tgids)
		return -ENOMEM;
	for (size_t i = 0; i < g->n; i++) {
		tgids[i] = g->stacks[i]->tgid;
		ret->n_ended += g->stacks[i]->ended.processes;
	}
	return take_pids(b, tgids, g->n, ret);
}

/* In several processes code is in several places; but for the kernel's. */
static void forget_addresses(struct report_frame *frames, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!(frames[i].address >> 63))
			frames[i].address = 0;
}

static int build_items(struct builder *b, const struct stack_group *g, struct report_stack *ret)
{
	_cleanup_free_ struct held_group *held = calloc(g->n, sizeof(*held));

	if (!held)
		return -ENOMEM;
	for (size_t i = 0; i < g->n; i++) {
		const struct stack *s = g->stacks[i];
		struct held_group h = books_held_group(b->src->books,
						       books_held_find(b->src->books, s->kind, s->id));

		ret->n_items_all += s->ended.sum.count;
		/* of a stack with nothing it is the next one's */
		if (h.n && h.items->kind == s->kind && h.items->stack == s->id)
			held[i] = h;
	}
	return report_items(b->src, held, g->n, b->arena, ret);
}

int builder_stack(struct builder *b, const struct stack_group *g, struct report_stack *ret)
{
	const struct stack *s = g->stacks[0];
	const char *via = s->via < b->src->n_via_names ? b->src->via_names[s->via] : "?";
	struct frame_vec frames = { 0 };
	struct stack_sum sum;
	int r;

	stack_group_sum(g, &sum);
	*ret = (struct report_stack){
		.via = via,
		.outstanding = { sum.held, sum.held_amount },
		.acquired = { sum.totals.acquired, sum.totals.acquired_amount },
		.released = { sum.totals.released, sum.totals.released_amount },
		.before = { sum.before, sum.before_amount },
		.verdict = s->place.leaked ? VERDICT_LOST : VERDICT_UNKNOWN,
		.complete = s->stop == LT_STOP_NONE,
		.stop = stop_text(s->stop),
	};
	take_stack_ages(b, &sum, ret);
	r = take_group_pids(b, g, ret);
	if (!r)
		r = build_frames(b, s, &frames);
	if (!r) {
		ret->id = stack_id(b, s, &frames, via);
		r = take_frames(b, s, &frames, ret);
	}
	vec_free(&frames);
	if (!r && s->kind == LT_KIND_MEMORY)
		ret->furniture = furniture_words(ret);
	if (!r && s->place.state)
		r = build_place(b, s, ret);
	if (ret->n_pids || ret->n_ended) {
		forget_addresses(ret->frames, ret->n_frames);
		forget_addresses(ret->place, ret->n_place);
	}
	return r || LT_KINDS_MEMORY >> s->kind & 1 ? r : build_items(b, g, ret);
}

int builder_untraced(struct builder *b, const struct held_group *groups, size_t n, struct report_stack *ret)
{
	static const char *const names[ORIGIN_MAX] = {
		[ORIGIN_BEFORE] = "before",
		[ORIGIN_UNSEEN] = "unseen",
	};
	_cleanup_free_ uint32_t *tgids = calloc(n, sizeof(*tgids));
	const struct held *first = groups[0].items;

	*ret = (struct report_stack){
		.origin = first->stack == BOOKS_BEFORE ? ORIGIN_BEFORE : ORIGIN_UNSEEN,
		.oldest_seconds = -1,
		.youngest_seconds = -1,
		.complete = true,
	};
	if (!tgids)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		tgids[i] = groups[i].items->tgid;
		ret->n_ended += groups[i].items->processes;
		tally_add(&ret->outstanding, books_held_count(&groups[i]), books_held_count(&groups[i]));
	}
	ret->id = hash_string(HASH_START, names[ret->origin]) ^ first->kind;
	return take_pids(b, tgids, n, ret) ? -ENOMEM : report_items(b->src, groups, n, b->arena, ret);
}

static void shares_add(struct stack_shares *shares, const struct stack *s, bool unknown, uint64_t n)
{
	shares->complete += s->stop == LT_STOP_NONE ? n : 0;
	shares->truncated += s->stop == LT_STOP_NONE ? 0 : n;
	shares->unknown += unknown ? n : 0;
}

static void cover_stack(const struct stack *s, struct report_coverage *c)
{
	bool unknown = false;

	for (size_t i = 0; i < s->n; i++)
		unknown |= LT_FRAME_IS_UNKNOWN(s->frames[i]) != 0;
	c->stacks_complete += s->stop == LT_STOP_NONE;
	c->stacks_truncated += s->stop != LT_STOP_NONE;
	c->stops[s->stop] += s->stop != LT_STOP_NONE;
	shares_add(&c->held, s, unknown, s->held);
	shares_add(&c->acquired, s, unknown, s->totals.acquired);
}

/* With a single process there is nothing to put together. */
static bool has_several_processes(const struct books *b)
{
	const uint32_t tgid = b->stacks.n ? b->stacks.items->tgid : b->held.n ? b->held.items->tgid : 0;

	vec_foreach(s, &b->stacks)
		if (s->tgid != tgid)
			return true;
	vec_foreach(h, &b->held)
		if (h->tgid != tgid)
			return true;
	return false;
}

static int build_resources(struct builder *b, struct report *ret)
{
	static const struct report_resource kinds[LT_KIND_MAX] = {
#define X(name, kind_str, state_str, unit_str)                                                     \
	[LT_KIND_##name] = { .kind = kind_str, .state = state_str, .unit = unit_str },
		LT_KINDS(X)
#undef X
	};
	int r = 0;

	ret->resources = arena_alloc(b->arena, sizeof(kinds));
	if (!ret->resources)
		return -ENOMEM;
	for (int kind = 0; kind < LT_KIND_MAX && !r; kind++) {
		struct report_resource *res = &ret->resources[ret->n_resources];

		if (!(b->rq->kinds >> kind & 1))
			continue;
		ret->n_resources++;
		*res = kinds[kind];
		res->method = arena_strdup(b->arena, b->src->methods[kind]);
		r = builder_resource(b, (enum lt_kind)kind, res);
	}
	return r;
}

int report_build(const struct report_source *src, const struct report_request *rq,
		 struct arena *arena, struct report *ret)
{
	_cleanup_(same_modules_deinit) struct same_modules same = { 0 };
	struct builder b = { src, rq, arena, NULL };

	names_begin(src->names, src->until_ns);
	vec_foreach(s, &src->books->stacks)
		cover_stack(s, &ret->coverage);
	if (!rq->per_process && has_several_processes(src->books)) {
		if (same_modules_make(src->modules, &same))
			return -ENOMEM;
		b.same = &same;
	}
	return build_resources(&b, ret) ? -ENOMEM : report_processes(src, rq, arena, ret);
}
