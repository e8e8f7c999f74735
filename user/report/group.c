// SPDX-License-Identifier: Apache-2.0
#include "report/group.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "leak/recursion.h"

/* -- modules ---------------------------------------------------------------------------------- */

static int compare_u64(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* By build id, then by id. */
static int compare_modules(const void *a, const void *b)
{
	const struct module *x = *(const struct module *const *)a, *y = *(const struct module *const *)b;
	int r = compare_u64(x->build_id_len, y->build_id_len);

	if (!r)
		r = memcmp(x->build_id, y->build_id, x->build_id_len);
	return r ? r : compare_u64(x->id, y->id);
}

static bool is_same_module(const struct module *x, const struct module *y)
{
	return x->build_id_len && x->build_id_len == y->build_id_len &&
	       !memcmp(x->build_id, y->build_id, x->build_id_len);
}

int same_modules_make(const struct module_table *modules, struct same_modules *ret)
{
	_cleanup_free_ const struct module **sorted = calloc(modules->n + 1, sizeof(*sorted));
	uint32_t *same = calloc(modules->n + 1, sizeof(*same));

	if (!sorted || !same) {
		free(same);
		return -ENOMEM;
	}
	for (size_t i = 0; i < modules->n; i++)
		sorted[i] = modules->items[i];
	qsort(sorted, modules->n, sizeof(*sorted), compare_modules);
	for (size_t i = 0; i < modules->n; i++) {
		bool again = i && is_same_module(sorted[i - 1], sorted[i]);

		same[sorted[i]->id] = again ? same[sorted[i - 1]->id] : sorted[i]->id;
	}
	*ret = (struct same_modules){ same, modules->n + 1 };
	return 0;
}

void same_modules_deinit(struct same_modules *m)
{
	free(m->same);
	*m = (struct same_modules){ 0 };
}

static uint32_t module_of(const struct same_modules *m, uint32_t id)
{
	return id < m->n ? m->same[id] : 0;
}

/* What the frame, or the word that says how often there are more, is in all processes; 0: nothing that can be said. */
static uint64_t code_of(const struct same_modules *m, uint64_t frame)
{
	uint32_t module = module_of(m, LT_FRAME_MODULE(frame));

	if (LT_FRAME_IS_KERNEL(frame) || FRAME_IS_REPEAT(frame))
		return frame;
	return module ? LT_FRAME(module, LT_FRAME_OFFSET(frame)) : 0;
}

/* -- the same code ---------------------------------------------------------------------------- */

struct keyed_stack {
	struct stack *stack;
	uint64_t hash;
	bool alone; /* it cannot be the same as any other */
};

struct compare_context {
	const struct same_modules *modules;
};

static uint64_t hash_add(uint64_t h, uint64_t word)
{
	h = (h ^ word) * 0x9e3779b97f4a7c15ULL;
	return h ^ h >> 32;
}

static uint64_t hash_text(uint64_t h, const char *s)
{
	for (; *s; s++)
		h = hash_add(h, (uint8_t)*s);
	return h;
}

static uint64_t hash_frames(const struct same_modules *m, const uint64_t *frames, size_t n, uint64_t h,
			    bool *alone)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t code = code_of(m, frames[i]);

		*alone |= !code;
		h = hash_add(h, code);
	}
	return h;
}

/* A hash of what compare_code() compares. */
static struct keyed_stack key_of(const struct same_modules *m, struct stack *s)
{
	struct keyed_stack k = { .stack = s, .alone = s->stop != LT_STOP_NONE || !s->n };

	k.hash = hash_frames(m, s->frames, s->n, hash_add(s->kind, s->via), &k.alone);
	for (unsigned int i = 0; i < s->n_python; i++) {
		const struct python_frame *f = &s->python[i];

		k.alone |= !f->function || !f->file;
		if (!k.alone)
			k.hash = hash_add(hash_text(hash_text(k.hash, f->function), f->file), f->offset);
	}
	if (s->place.state)
		k.hash = hash_frames(m, s->place.frames, s->place.n, hash_text(k.hash, s->place.state), &k.alone);
	return k;
}

static int compare_frames(const struct same_modules *m, const uint64_t *x, const uint64_t *y, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && !r; i++)
		r = compare_u64(code_of(m, x[i]), code_of(m, y[i]));
	return r;
}

static int compare_pairs(const uint64_t (*pairs)[2], size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && !r; i++)
		r = compare_u64(pairs[i][0], pairs[i][1]);
	return r;
}

static int compare_python(const struct python_frame *x, const struct python_frame *y)
{
	const uint64_t numbers[][2] = {
		{ x->offset, y->offset },   { x->line, y->line },   { x->entry, y->entry },
		{ x->repeats, y->repeats }, { x->cycle, y->cycle },
	};
	int r = strcmp(x->function, y->function);

	if (!r)
		r = strcmp(x->file, y->file);
	return r ? r : compare_pairs(numbers, ARRAY_SIZE(numbers));
}

static int compare_places(const struct same_modules *m, const struct stack_place *x, const struct stack_place *y)
{
	const uint64_t numbers[][2] = {
		{ x->state != NULL, y->state != NULL },
		{ x->leaked, y->leaked },
		{ x->complete, y->complete },
		{ x->n, y->n },
	};
	int r = compare_pairs(numbers, ARRAY_SIZE(numbers));

	if (!r && x->state)
		r = strcmp(x->state, y->state);
	return r ? r : compare_frames(m, x->frames, y->frames, x->n);
}

/* 0: the same code. Neither is alone. */
static int compare_code(const struct same_modules *m, const struct stack *x, const struct stack *y)
{
	const uint64_t fixed[][2] = {
		{ x->kind, y->kind },
		{ x->via, y->via },
		{ x->n, y->n },
		{ x->logical, y->logical },
		{ x->n_python, y->n_python },
		{ module_of(m, x->python_module), module_of(m, y->python_module) },
	};
	int r = compare_pairs(fixed, ARRAY_SIZE(fixed));

	if (!r)
		r = compare_frames(m, x->frames, y->frames, x->n);
	for (unsigned int i = 0; i < x->n_python && !r; i++)
		r = compare_python(&x->python[i], &y->python[i]);
	return r ? r : compare_places(m, &x->place, &y->place);
}

static int compare_keys(const struct same_modules *m, const struct keyed_stack *x, const struct keyed_stack *y)
{
	int r = compare_u64(x->hash, y->hash);

	if (!r)
		r = compare_u64(x->alone, y->alone);
	return r || x->alone ? r : compare_code(m, x->stack, y->stack);
}

static int compare_keyed(const void *a, const void *b, void *ctx)
{
	const struct keyed_stack *x = a, *y = b;
	const struct compare_context *c = ctx;
	int r = compare_keys(c->modules, x, y);

	if (!r)
		r = compare_u64(x->stack->tgid, y->stack->tgid);
	return r ? r : compare_u64(x->stack->id, y->stack->id);
}

/* How many of the stacks from `first` on are the same. */
static size_t count_same(const struct same_modules *m, const struct keyed_stack *first, size_t n)
{
	size_t same = 1;

	while (!first->alone && same < n && !compare_keys(m, first, first + same))
		same++;
	return same;
}

/* -- groups ----------------------------------------------------------------------------------- */

static void add_group(struct stack **stacks, size_t n, struct stack_groups *ret)
{
	struct stack_group g = { .stacks = stacks, .n = n };
	struct stack_sum sum;

	stack_group_sum(&g, &sum);
	g.held = sum.held;
	g.held_amount = sum.held_amount;
	g.oldest_ns = sum.oldest_ns;
	if (g.held)
		ret->items[ret->n++] = g;
}

static int sort_same(struct stack **stacks, size_t n, const struct same_modules *modules,
		     struct stack_groups *ret)
{
	_cleanup_free_ struct keyed_stack *keys = calloc(n + 1, sizeof(*keys));
	struct compare_context c = { modules };
	size_t same;

	if (!keys)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		keys[i] = key_of(modules, stacks[i]);
	qsort_r(keys, n, sizeof(*keys), compare_keyed, &c);
	for (size_t i = 0; i < n; i++)
		stacks[i] = keys[i].stack;
	for (size_t i = 0; i < n; i += same) {
		bool several;

		same = count_same(modules, &keys[i], n - i);
		several = stacks[i]->tgid != stacks[i + same - 1]->tgid;
		for (size_t k = 0; k < same; k += several ? same : 1)
			add_group(stacks + i + k, several ? same : 1, ret);
	}
	return 0;
}

int stack_groups_make(struct stack **stacks, size_t n, const struct same_modules *modules,
		      struct stack_groups *ret)
{
	struct stack_groups groups = { .items = calloc(n + 1, sizeof(*groups.items)) };
	int r = 0;

	if (!groups.items)
		return -ENOMEM;
	if (modules)
		r = sort_same(stacks, n, modules, &groups);
	for (size_t i = 0; i < n && !modules; i++)
		add_group(stacks + i, 1, &groups);
	if (r)
		free(groups.items);
	else
		*ret = groups;
	return r;
}

void stack_group_sum(const struct stack_group *g, struct stack_sum *ret)
{
	struct stack_sum sum = { 0 };
	bool known = true;

	for (size_t i = 0; i < g->n; i++) {
		const struct stack *s = g->stacks[i];

		sum.totals.acquired += s->totals.acquired;
		sum.totals.acquired_amount += s->totals.acquired_amount;
		sum.totals.released += s->totals.released;
		sum.totals.released_amount += s->totals.released_amount;
		sum.held += s->held;
		sum.held_amount += s->held_amount;
		sum.before += s->before;
		sum.before_amount += s->before_amount;
		known &= !s->held || s->oldest_ns;
		if (s->oldest_ns && (!sum.oldest_ns || s->oldest_ns < sum.oldest_ns))
			sum.oldest_ns = s->oldest_ns;
		if (s->youngest_ns > sum.youngest_ns)
			sum.youngest_ns = s->youngest_ns;
	}
	if (!known)
		sum.oldest_ns = sum.youngest_ns = 0;
	*ret = sum;
}
