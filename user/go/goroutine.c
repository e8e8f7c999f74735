// SPDX-License-Identifier: Apache-2.0
/*
 * Reading goroutines, some hundred at a time: their structs, their stacks, and the structs again. A
 * goroutine that has not run in between has the stack that was read; the others are read once more.
 */
#include "go/goroutine.h"
#include <errno.h>
#include <string.h>
#include "go/reading.h"

#define CHUNK	       1024
#define TRIES	       4
#define GOROUTINES_MAX (1U << 22)
#define STACK_FIRST    4096 /* bytes of a stack that are read at once; most have fewer */
#define LIST_TRIES     5

struct reading {
	struct go_reading common;
	struct memory_buffer structs, stacks, again;
	struct memory_part parts[CHUNK], stack_parts[CHUNK];
	struct g now[CHUNK];
	uint32_t n_now;
};

/* -- some hundred -------------------------------------------------------------------------------- */
static void by_owner(const struct memory_part *parts, size_t n, const struct memory_part **ret)
{
	for (size_t i = 0; i < n; i++)
		ret[parts[i].owner] = &parts[i];
}

/* Reads the structs of the first `n` parts. What is not alive is forgotten. */
static int read_structs(struct reading *r, size_t n)
{
	const struct memory_part *parts[CHUNK];
	int err = memory_gather(&r->common.rt->memory, r->parts, n, &r->structs);

	by_owner(r->parts, n, parts);
	r->n_now = 0;
	for (size_t i = 0; i < n && !err; i++) {
		struct g *g = &r->now[r->n_now];

		if (!parts[i]->bytes)
			r->common.list->unread++;
		else if (!go_g_parse(r->common.rt, parts[i], g))
			r->common.list->unread += go_g_is_alive(g);
		else if (go_g_is_alive(g))
			err = go_reading_find_thread(&r->common, &r->now[r->n_now++]);
	}
	return err;
}

/* Of those that stand somewhere; `owner` is the index in `now`. */
static int read_stacks(struct reading *r)
{
	uint64_t pc, sp;
	size_t n = 0;

	for (uint32_t i = 0; i < r->n_now; i++) {
		const struct g *g = &r->now[i];

		if (!go_g_stands_at(g, &pc, &sp))
			continue;
		r->stack_parts[n++] = (struct memory_part){
			.at = sp,
			.size = g->high - sp < STACK_FIRST ? g->high - sp : STACK_FIRST,
			.owner = i,
		};
	}
	return memory_gather(&r->common.rt->memory, r->stack_parts, n, &r->stacks) ?: (int)n;
}

static void set_part(struct reading *r, size_t i, uint64_t address)
{
	r->parts[i] = (struct memory_part){
		.at = address,
		.size = r->common.rt->layout->g.size,
		.owner = i,
	};
}

/*
 * Adds those that are as they were before their stacks were read. The others are left as the first
 * parts, to be read again: how many, or a negative errno.
 */
static int settle(struct reading *r, const struct memory_part *const *stacks, bool last)
{
	const struct memory_part *parts[CHUNK];
	uint64_t again[CHUNK];
	int left = 0, err;
	struct g after;

	for (uint32_t i = 0; i < r->n_now; i++)
		set_part(r, i, r->now[i].address);
	err = memory_gather(&r->common.rt->memory, r->parts, r->n_now, &r->again);
	by_owner(r->parts, r->n_now, parts);
	for (uint32_t i = 0; i < r->n_now && !err; i++) {
		const struct g *g = &r->now[i];

		bool sound = parts[i]->bytes && go_g_parse(r->common.rt, parts[i], &after);

		if (sound && go_g_is_running(&after))
			err = go_reading_find_thread(&r->common, &after);
		if (err)
			break;
		if (sound && go_g_is_same(g, &after)) {
			err = go_reading_add(&r->common, g, stacks[i]);
		} else if (last) {
			r->common.list->torn++;
			err = go_reading_add(&r->common, g, NULL);
		} else {
			again[left++] = g->address;
		}
	}
	for (int i = 0; i < left; i++)
		set_part(r, (size_t)i, again[i]);
	return err ? err : left;
}

static int read_chunk(struct reading *r, const uint64_t *addresses, size_t n)
{
	const struct memory_part *stacks[CHUNK];
	int left = (int)n, n_stacks, err;

	for (size_t i = 0; i < n; i++)
		set_part(r, i, addresses[i]);
	for (int i = 0; i < TRIES && left > 0; i++) {
		err = read_structs(r, (size_t)left);
		if (err)
			return err;
		memset(stacks, 0, sizeof(stacks));
		n_stacks = read_stacks(r);
		if (n_stacks < 0)
			return n_stacks;
		by_owner(r->stack_parts, (size_t)n_stacks, stacks);
		left = settle(r, stacks, i == TRIES - 1);
	}
	return left < 0 ? left : 0;
}

/* -- all of them --------------------------------------------------------------------------------- */
/* The list may move while it is read. */
static int read_list(const struct go_runtime *rt, uint64_t **ret, size_t *ret_n)
{
	_cleanup_free_ uint64_t *items = NULL;
	struct go_slice all, after;
	uint64_t *more;

	for (int i = 0; i < LIST_TRIES; i++) {
		all = go_read_slice(rt, rt->at.allgs);
		if (!all.n)
			continue;
		if (all.n > GOROUTINES_MAX)
			all.n = GOROUTINES_MAX;
		more = reallocarray(items, all.n, sizeof(*items));
		if (!more)
			return -ENOMEM;
		items = more;
		if (memory_read(&rt->memory, all.at, items, all.n * sizeof(*items)))
			continue;
		after = go_read_slice(rt, rt->at.allgs);
		if (after.at != all.at)
			continue;
		*ret = take_ptr(items);
		*ret_n = all.n;
		return 0;
	}
	return -EAGAIN;
}

static int read_all(struct reading *r)
{
	_cleanup_free_ uint64_t *addresses = NULL;
	uint64_t probe;
	size_t n = 0;
	int err = memory_read(&r->common.rt->memory, r->common.rt->at.allgs, &probe, sizeof(probe));

	if (err == -ESRCH || err == -EPERM)
		return err;
	err = read_list(r->common.rt, &addresses, &n);
	for (size_t i = 0; i < n && !err; i += CHUNK)
		err = read_chunk(r, addresses + i, n - i < CHUNK ? n - i : CHUNK);
	return err;
}

int goroutines_read(struct go_runtime *rt, struct goroutine_list *ret)
{
	struct reading *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	r->common.rt = rt;
	r->common.list = ret;
	err = read_all(r);
	if (!err)
		err = go_reading_labels(&r->common);
	go_reading_deinit(&r->common);
	memory_buffer_deinit(&r->structs);
	memory_buffer_deinit(&r->stacks);
	memory_buffer_deinit(&r->again);
	free(r);
	return err;
}

void goroutine_list_deinit(struct goroutine_list *l)
{
	vec_free(l);
	vec_free(&l->pcs);
	vec_free(&l->arguments);
	vec_free(&l->labels);
	arena_deinit(&l->strings);
}
