// SPDX-License-Identifier: Apache-2.0
#include "report/build.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"

struct builder {
	const struct report_source *src;
	const struct report_request *rq;
	struct arena *arena;
};

/* -- frames ---------------------------------------------------------------------------------- */

/* What stands between the program and malloc, and says nothing about the leak. */
static bool frame_is_internal(const char *function)
{
	static const char *const prefixes[] = {
		"operator new(", "operator new[](", "operator new", "operator new[]",
		"std::__new_allocator<", "__gnu_cxx::new_allocator<", "std::allocator<",
		"std::allocator_traits<", "std::__allocate_guarded<",
	};

	for (size_t i = 0; function && i < ARRAY_SIZE(prefixes); i++) {
		size_t n = strlen(prefixes[i]);

		/* the plain names stand for themselves only */
		if (!strncmp(function, prefixes[i], n) && (strchr("(<", prefixes[i][n - 1]) || !function[n]))
			return true;
	}
	return false;
}

static char *build_id_hex(struct arena *arena, const struct module *m)
{
	char *hex = m->build_id_len ? arena_alloc(arena, 2 * m->build_id_len + 1) : NULL;

	for (unsigned int i = 0; hex && i < m->build_id_len; i++)
		snprintf(hex + 2 * i, 3, "%02x", m->build_id[i]);
	return hex;
}

/* All functions at one recorded address: one frame, and one more for each inlined call. */
static int build_frame(struct builder *b, const struct stack *s, uint64_t frame,
		       struct report_frame ret[SYMBOLS_MAX])
{
	const struct module *m = module_table_get(b->src->modules, LT_FRAME_MODULE(frame));
	struct symbol symbols[SYMBOLS_MAX];
	uint64_t at = m ? LT_FRAME_OFFSET(frame) : frame, bias;
	/* the code that ran lies before the recorded address (bpf/unwind.bpf.h, lt_push_frame) */
	int n = m ? symbolizer_module(b->src->symbolizer, m, at - 1, symbols)
		  : symbolizer_jit(b->src->symbolizer, (pid_t)s->tgid, at - 1, symbols);

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
			ret[i].address = frame;
		else if (b->src->bias(b->src->bias_ctx, (pid_t)s->tgid, m->id, &bias))
			ret[i].address = bias + ret[i].offset;
	}
	return n;
}

static int build_frames(struct builder *b, const struct stack *s, struct report_stack *ret)
{
	struct {
		VEC_OF(struct report_frame);
	} v = { 0 };
	bool leading = !b->rq->all_frames;
	int r = 0;

	for (unsigned int i = 0; i < s->n && !r; i++) {
		struct report_frame f[SYMBOLS_MAX];
		int n = build_frame(b, s, s->frames[i], f);

		r = n < 0 ? n : 0;
		for (int k = 0; k < n && !r; k++) {
			bool last = i + 1 == s->n && k + 1 == n;

			leading = leading && !last && frame_is_internal(f[k].function);
			if (!leading)
				r = vec_push(&v, f[k]);
		}
	}
	ret->frames = arena_alloc(b->arena, (v.n + 1) * sizeof(*v.items));
	if (ret->frames && v.n)
		memcpy(ret->frames, v.items, v.n * sizeof(*v.items));
	ret->n_frames = v.n;
	vec_free(&v);
	return r ? r : ret->frames ? 0 : -ENOMEM;
}

/* -- stacks ---------------------------------------------------------------------------------- */

/* FNV-1a over what names the stack in any run of the same files. */
static uint64_t stack_id(const struct builder *b, const struct stack *s, const char *via)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	for (const char *c = via; *c; c++)
		h = (h ^ (uint8_t)*c) * 0x100000001b3ULL;
	for (unsigned int i = 0; i < s->n; i++) {
		const struct module *m = module_table_get(b->src->modules, LT_FRAME_MODULE(s->frames[i]));
		const char *name = m ? m->path : "";
		uint64_t offset = LT_FRAME_OFFSET(s->frames[i]);

		if (m && m->build_id_len)
			for (unsigned int k = 0; k < m->build_id_len; k++)
				h = (h ^ m->build_id[k]) * 0x100000001b3ULL;
		else
			for (; *name; name++)
				h = (h ^ (uint8_t)*name) * 0x100000001b3ULL;
		for (unsigned int k = 0; k < sizeof(offset); k++)
			h = (h ^ (uint8_t)(offset >> (8 * k))) * 0x100000001b3ULL;
	}
	return h;
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

static int build_stack(struct builder *b, const struct stack *s, struct report_stack *ret)
{
	const char *via = s->via < b->src->n_via_names ? b->src->via_names[s->via] : "?";

	*ret = (struct report_stack){
		.id = stack_id(b, s, via),
		.pid = (pid_t)s->tgid,
		.via = via,
		.outstanding = { s->held, s->held_amount },
		.acquired = { s->totals.acquired, s->totals.acquired_amount },
		.released = { s->totals.released, s->totals.released_amount },
		.complete = s->stop == LT_STOP_NONE,
		.stop = stop_text(s->stop),
	};
	if (s->oldest_ns && b->src->now_ns > s->oldest_ns)
		ret->oldest_seconds = (double)(b->src->now_ns - s->oldest_ns) / 1e9;
	if (s->youngest_ns && b->src->now_ns > s->youngest_ns)
		ret->youngest_seconds = (double)(b->src->now_ns - s->youngest_ns) / 1e9;
	return build_frames(b, s, ret);
}

static int compare_u64(uint64_t a, uint64_t b)
{
	return a < b ? 1 : a > b ? -1 : 0; /* the larger first */
}

/* Equal keys fall back to the next, and at last to the id, so that an order is always the same. */
static int compare_stacks(const void *a, const void *b, void *ctx)
{
	const struct stack *x = *(const struct stack *const *)a, *y = *(const struct stack *const *)b;
	const enum report_sort *sort = ctx;
	int by[REPORT_SORT_MAX] = {
		[REPORT_SORT_AMOUNT] = compare_u64(x->held_amount, y->held_amount),
		[REPORT_SORT_COUNT] = compare_u64(x->held, y->held),
		[REPORT_SORT_AGE] = -compare_u64(x->oldest_ns, y->oldest_ns),
	};

	if (by[*sort])
		return by[*sort];
	for (int i = 0; i < REPORT_SORT_MAX; i++)
		if (by[i])
			return by[i];
	return compare_u64(x->id, y->id);
}

static void tally_add(struct tally *t, uint64_t count, uint64_t amount)
{
	t->count += count;
	t->amount += amount;
}

static int build_resource(struct builder *b, enum lt_kind kind, struct report_resource *res)
{
	struct stack_table *all = &b->src->books->stacks;
	_cleanup_free_ struct stack **held = calloc(all->n + 1, sizeof(struct stack *));
	enum report_sort sort = b->rq->sort;

	if (!held)
		return -ENOMEM;
	vec_foreach(s, all) {
		if (s->kind != kind)
			continue;
		tally_add(&res->outstanding, s->held, s->held_amount);
		tally_add(&res->acquired, s->totals.acquired, s->totals.acquired_amount);
		tally_add(&res->released, s->totals.released, s->totals.released_amount);
		if (s->held)
			held[res->n_stacks_all++] = s;
	}
	qsort_r(held, res->n_stacks_all, sizeof(struct stack *), compare_stacks, &sort);
	res->n_stacks = res->n_stacks_all;
	if (b->rq->top && res->n_stacks > b->rq->top)
		res->n_stacks = b->rq->top;
	res->stacks = arena_alloc(b->arena, (res->n_stacks + 1) * sizeof(*res->stacks));
	if (!res->stacks)
		return -ENOMEM;
	for (size_t i = 0; i < res->n_stacks; i++) {
		int r = build_stack(b, held[i], &res->stacks[i]);

		if (r)
			return r;
		tally_add(&res->shown, held[i]->held, held[i]->held_amount);
	}
	return 0;
}

int report_build(const struct report_source *src, const struct report_request *rq,
		 struct arena *arena, struct report *ret)
{
	static const struct report_resource kinds[LT_KIND_MAX] = {
#define X(name, kind_str, state_str, unit_str)                                                     \
	[LT_KIND_##name] = { .kind = kind_str, .state = state_str, .unit = unit_str },
		LT_KINDS(X)
#undef X
	};
	struct builder b = { src, rq, arena };

	vec_foreach(s, &src->books->stacks) {
		ret->coverage.stacks_complete += s->stop == LT_STOP_NONE;
		ret->coverage.stacks_truncated += s->stop != LT_STOP_NONE;
		ret->coverage.stops[s->stop] += s->stop != LT_STOP_NONE;
	}
	ret->resources = arena_alloc(arena, sizeof(kinds));
	if (!ret->resources)
		return -ENOMEM;
	memcpy(ret->resources, kinds, sizeof(kinds));
	ret->n_resources = LT_KIND_MAX;
	for (int kind = 0; kind < LT_KIND_MAX; kind++) {
		int r = build_resource(&b, (enum lt_kind)kind, &ret->resources[kind]);

		if (r)
			return r;
	}
	return 0;
}
