// SPDX-License-Identifier: Apache-2.0
/*
 * Variables of a runtime whose symbols may be gone: found as what one of the runtime's own
 * functions refers to. To look for one more, write a function and add a row.
 */
#include <errno.h>
#include <string.h>
#include "go/code.h"
#include "go/runtime.h"

#define FIRST_REASON	"GC assist marking"
#define RATE_DEFAULT	(512 * 1024)
#define SCAN_MAX	(256ULL << 20)
#define SCAN_CHUNK	(1U << 20)
#define MSPAN_BYTES	256
#define PAGE		8192
#define SPANS_LOOKED_AT 32
#define SPANS_UNSOUND	2 /* of them, for they may change meanwhile */
#define SPAN_IN_USE	1
#define SPAN_STATE_MAX	2
#define CLEANUPS_ALL	128 /* cleanupQueue.all: behind two cache lines */

struct search {
	struct go_runtime *rt;
	struct go_operands a, b; /* of up to two functions */
};

static bool is_data(const struct go_runtime *rt, uint64_t at)
{
	const struct go_addresses *a = &rt->at;

	return (at >= a->noptrdata && at < a->enoptrdata) || (at >= a->data && at < a->edata) ||
	       (at >= a->bss && at < a->ebss) || (at >= a->noptrbss && at < a->enoptrbss);
}

/* What the function refers to in the program's variables, as addresses in the process. */
static int operands_in_data(const struct go_runtime *rt, const char *name, struct go_operands *ret)
{
	size_t n = 0;
	int r = go_operands_of(&rt->table, name, ret);

	vec_foreach(o, ret) {
		o->target += rt->bias;
		if (is_data(rt, o->target))
			ret->items[n++] = *o;
	}
	ret->n = n;
	return r == -ENOENT ? 0 : r;
}

static int operands(struct search *s, const char *a, const char *b)
{
	int r;

	s->a.n = s->b.n = 0;
	r = operands_in_data(s->rt, a, &s->a);
	return r || !b ? r : operands_in_data(s->rt, b, &s->b);
}

/* -- one function for each variable: its address, 0 when it is not found, or in `*r` -ENOMEM
 * -------- */
/* Appending to it writes its pointer, its length and its capacity. */
static uint64_t find_allgs(struct search *s, int *r)
{
	*r = operands(s, "runtime.allgadd", NULL);
	vec_foreach(o, &s->a)
		if (go_operands_have(&s->a, o->target + 8) &&
		    go_operands_have(&s->a, o->target + 16) &&
		    !go_operands_have(&s->a, o->target - 8))
			return o->target;
	return 0;
}

/* Whether the span makes sense; `*used` counts those that hold objects. */
static bool is_span(const struct go_layout *l, const uint8_t *span, unsigned int *used)
{
#define FIELD(name, n) go_field(span, MSPAN_BYTES, l->mspan.name, n)
	const unsigned int count_size = l->mspan.largeType == GO_NONE ? 8 : 2; /* from 1.22 on */
	const uint64_t start = FIELD(startAddr, 8), bytes = FIELD(npages, 8) * PAGE;
	const uint64_t n = FIELD(nelems, count_size), size = FIELD(elemsize, 8);
	const uint64_t state = FIELD(state, 1), limit = FIELD(limit, 8);

	if (state != SPAN_IN_USE)
		return state <= SPAN_STATE_MAX;
	++*used;
	return start && start % PAGE == 0 && bytes && n && size && n <= bytes / size &&
	       FIELD(allocCount, 2) <= n && limit > start && limit <= start + bytes;
#undef FIELD
}

/* Its first spans are those of the runtime's start, and stay. */
static bool is_mheap(const struct go_runtime *rt, uint64_t at)
{
	const struct go_layout *l = rt->layout;
	const struct go_slice spans = go_read_slice(rt, at + l->mheap.allspans);
	unsigned int used = 0, unsound = 0;
	uint8_t span[MSPAN_BYTES];

	if (!spans.n || l->mspan.size > sizeof(span))
		return false;
	for (uint64_t i = 0; i < spans.n && i < SPANS_LOOKED_AT; i++)
		if (memory_read(&rt->memory, go_read_word(rt, spans.at + i * 8), span,
				l->mspan.size) ||
		    !is_span(l, span, &used))
			unsound++;
	return used && unsound <= SPANS_UNSOUND;
}

static uint64_t find_mheap(struct search *s, int *r)
{
	static const char *const users[] = { "runtime.(*mcache).allocLarge",
					     "runtime.(*mcentral).grow", "runtime.sweepone" };

	for (size_t i = 0; i < ARRAY_SIZE(users) && !*r; i++) {
		*r = operands(s, users[i], NULL);
		vec_foreach(o, &s->a)
			if (is_mheap(s->rt, o->target))
				return o->target;
	}
	return 0;
}

/* The only variable that both refer to; `b` may be NULL. */
static uint64_t find_only(struct search *s, const char *a, const char *b, int *r)
{
	uint64_t found = 0;

	*r = operands(s, a, b);
	vec_foreach(o, &s->a) {
		if ((b && !go_operands_have(&s->b, o->target)) || o->target == found)
			continue;
		if (found)
			return 0;
		found = o->target;
	}
	return found;
}

static uint64_t find_mbuckets(struct search *s, int *r)
{
	return find_only(s, "runtime.mProf_FlushLocked", "runtime.stkbucket", r);
}

/* It is read at once, unless the program was built without optimisation: then only its address is
 * taken, as that of the locks. */
static uint64_t find_mprof_cycle(struct search *s, int *r)
{
	*r = operands(s, "runtime.mProf_Free", "runtime.mProf_Flush");
	vec_foreach(o, &s->a)
		if (o->reads && o->bits == 32 && go_operands_have(&s->b, o->target))
			return o->target;
	if (!*r)
		*r = operands(s, "runtime.mProf_Free", "runtime.mProf_FlushLocked");
	vec_foreach(o, &s->a)
		if (o->address && !go_operands_have(&s->b, o->target))
			return s->b.n ? o->target : 0;
	return 0;
}

/* What the file has there; 0 where it has nothing. */
static uint64_t initial(const struct go_runtime *rt, uint64_t at)
{
	const uint8_t *bytes = elf_image_at(&rt->image, at - rt->bias, 8);

	return bytes ? go_field(bytes, 8, 0, 8) : 0;
}

/* The linker gives it its value from 1.21 on; before, two functions have only it in common. */
static bool is_rate(const struct search *s, const struct go_operand *o)
{
	if (!o->reads || o->bits != 64)
		return false;
	return s->rt->minor >= 21 ? initial(s->rt, o->target) == RATE_DEFAULT
				  : go_operands_have(&s->b, o->target);
}

static uint64_t find_mem_profile_rate(struct search *s, int *r)
{
	*r = operands(s, "runtime.profilealloc",
		      s->rt->minor >= 21 ? "runtime.mallocgc" : "runtime.allocmcache");
	for (size_t i = 0; i < s->b.n && !*r && s->rt->minor >= 21; i++)
		*r = vec_push(&s->a, s->b.items[i]);
	vec_foreach(o, &s->a)
		if (is_rate(s, o))
			return o->target;
	return 0;
}

/* Of its 251 roots nothing is behind the lock, the tree and the number of those that wait. */
static bool is_semtable(const struct go_runtime *rt, uint64_t at)
{
	static const uint8_t nothing[40];
	uint8_t root[64];

	for (int i = 0; i < 251; i++)
		if (memory_read(&rt->memory, at + i * sizeof(root), root, sizeof(root)) ||
		    memcmp(root + 24, nothing, sizeof(nothing)) || go_field(root, 64, 20, 4))
			return false;
	return true;
}

static uint64_t find_semtable(struct search *s, int *r)
{
	uint64_t found = 0;

	*r = operands(s, "runtime.semacquire1", "runtime.semrelease1");
	vec_foreach(o, &s->a) {
		if (!o->address || o->target == found || !go_operands_have(&s->b, o->target) ||
		    !is_semtable(s->rt, o->target))
			continue;
		if (found)
			return 0;
		found = o->target;
	}
	return found;
}

/* Its first field is the list that full buffers are put on. */
static uint64_t find_work(struct search *s, int *r)
{
	return find_only(s, "runtime.putfull", NULL, r);
}

/* Who marks all blocks reads where the first one is; who adds a block knows it, too. */
static uint64_t find_allfin(struct search *s, int *r)
{
	uint64_t found = 0;

	*r = operands(s, "runtime.markroot", "runtime.queuefinalizer");
	vec_foreach(o, &s->a) {
		if (!o->reads || o->bits != 64 || o->target == found || !go_operands_have(&s->b, o->target))
			continue;
		if (found)
			return 0;
		found = o->target;
	}
	return found;
}

/* One that marks reads it, others know the struct that it is in by its address. */
static uint64_t find_all_cleanups(struct search *s, int *r)
{
	if (s->rt->minor < 25)
		return 0;
	*r = operands(s, "runtime.markroot", "runtime.runCleanups");
	vec_foreach(o, &s->a)
		if (go_operands_have(&s->b, o->target - CLEANUPS_ALL))
			return o->target;
	return 0;
}

/* The heap has pages, no more than there are; and no more of a size has been freed than allocated. */
static bool is_heap_stats(const struct go_runtime *rt, uint64_t at)
{
	const uint32_t size = rt->layout->heapStatsDelta.size / 8;
	const uint32_t allocs = rt->layout->heapStatsDelta.smallAllocCount / 8;
	const uint32_t frees = allocs + GO_SIZE_CLASSES + 2;
	uint64_t all[GO_HEAP_STATS_MAX / 8] = { 0 }, one[GO_HEAP_STATS_MAX / 8];

	for (unsigned int i = 0; i < GO_HEAP_STATS; i++) {
		if (memory_read(&rt->memory, at + i * size * 8, one, size * 8))
			return false;
		for (uint32_t k = 0; k < size; k++)
			all[k] += one[k];
	}
	for (uint32_t k = 0; k < GO_SIZE_CLASSES; k++)
		if (all[allocs + k] >> 63 || all[allocs + k] < all[frees + k])
			return false;
	return all[2] && all[2] % PAGE == 0 && all[0] >= all[2] && !(all[0] >> 63);
}

static uint64_t find_heap_stats(struct search *s, int *r)
{
	*r = operands(s, "runtime.(*mcache).refill", NULL);
	vec_foreach(o, &s->a)
		if (o->address && is_heap_stats(s->rt, o->target))
			return o->target;
	return 0;
}

/* -- reasons of waiting -------------------------------------------------------------------------- */
static bool read_reason(struct go_runtime *rt, uint64_t at, uint64_t n, char *ret)
{
	if (n >= GO_REASON_SIZE || (n && memory_read(&rt->memory, at, ret, n)))
		return false;
	ret[n] = 0;
	for (uint64_t i = 0; i < n; i++)
		if (ret[i] < ' ' || ret[i] > '~')
			return false;
	return true;
}

/* The array starts with no words and those of FIRST_REASON; it ends where there are none. */
static bool read_reasons(struct go_runtime *rt, uint64_t at)
{
	uint64_t string[2]; /* where, length */

	rt->n_reasons = 0;
	for (unsigned int i = 0; i < GO_REASONS_MAX; i++) {
		if (memory_read(&rt->memory, at + i * sizeof(string), string, sizeof(string)) ||
		    (i && (string[0] < rt->at.text || !string[1])) ||
		    !read_reason(rt, string[0], string[1], rt->reasons[i]) ||
		    (i == 1 && strcmp(rt->reasons[i], FIRST_REASON)))
			break;
		rt->n_reasons++;
	}
	return rt->n_reasons > 8;
}

static uint64_t scan_for_reasons(struct go_runtime *rt, const uint8_t *bytes, size_t size,
				 uint64_t at)
{
	static const uint8_t nothing[16];

	for (size_t i = 0; i + 32 <= size; i += 8)
		if (go_field(bytes + i, 32, 24, 8) == strlen(FIRST_REASON) &&
		    !memcmp(bytes + i, nothing, sizeof(nothing)) && read_reasons(rt, at + i))
			return at + i;
	return 0;
}

static uint64_t find_wait_reasons(struct search *s, int *r)
{
	struct go_runtime *rt = s->rt;
	uint64_t found = 0, size = rt->at.edata - rt->at.data;
	_cleanup_free_ uint8_t *bytes = malloc(SCAN_CHUNK);

	if (!bytes) {
		*r = -ENOMEM;
		return 0;
	}
	for (uint64_t done = 0; !found && done < size && size < SCAN_MAX; done += SCAN_CHUNK - 64) {
		size_t n = size - done < SCAN_CHUNK ? size - done : SCAN_CHUNK;

		if (memory_read(&rt->memory, rt->at.data + done, bytes, n))
			return 0;
		found = scan_for_reasons(rt, bytes, n, rt->at.data + done);
	}
	return found;
}

/* -- all of them --------------------------------------------------------------------------------- */
#define AT(name) offsetof(struct go_addresses, name), find_##name

static const struct variable {
	size_t at;
	uint64_t (*find)(struct search *s, int *r);
} variables[] = {
	{ AT(allgs) },
	{ AT(mheap) },
	{ AT(mbuckets) },
	{ AT(mprof_cycle) },
	{ AT(mem_profile_rate) },
	{ AT(wait_reasons) },
	{ AT(semtable) },
	{ AT(work) },
	{ AT(allfin) },
	{ AT(all_cleanups) },
	{ AT(heap_stats) },
};

#define BOUND(name) offsetof(struct go_addresses, name), offsetof(struct go_layout, moduledata.name)

static const struct bound {
	size_t at, field;
} bounds[] = {
	{ BOUND(text) },     { BOUND(etext) },	   { BOUND(noptrdata) }, { BOUND(enoptrdata) },
	{ BOUND(data) },     { BOUND(edata) },	   { BOUND(bss) },	 { BOUND(ebss) },
	{ BOUND(noptrbss) }, { BOUND(enoptrbss) },
};

static void read_bounds(struct go_runtime *rt)
{
	rt->at.module = rt->table.module + rt->bias;
	for (size_t i = 0; i < ARRAY_SIZE(bounds); i++) {
		const uint32_t *field = (const void *)((const char *)rt->layout + bounds[i].field);

		*(uint64_t *)(void *)((char *)&rt->at + bounds[i].at) =
			go_read_word(rt, rt->at.module + *field);
	}
}

/* Inline trees, and with them the rest of functions' data, are found by looking at them, which a
 * program without any inlined call does not allow; the release tells where they are, too. */
static void find_gofunc(struct go_runtime *rt)
{
	const uint32_t field = rt->layout->moduledata.gofunc;
	const uint64_t gofunc = go_read_word(rt, rt->at.module + field) - rt->bias;

	if (!rt->table.gofunc && elf_image_left(&rt->image, gofunc))
		rt->table.gofunc = gofunc;
}

static bool keeps_profile(const struct go_runtime *rt)
{
	struct go_function f;

	return gopclntab_named(&rt->table, "runtime.memProfileInternal", &f) ||
	       gopclntab_named(&rt->table, "runtime.MemProfile", &f);
}

int go_variables_find(struct go_runtime *rt)
{
	struct search s = { .rt = rt };
	int r = 0;

	read_bounds(rt);
	find_gofunc(rt);
	rt->keeps_profile = keeps_profile(rt);
	for (size_t i = 0; i < ARRAY_SIZE(variables) && !r; i++)
		*(uint64_t *)(void *)((char *)&rt->at + variables[i].at) =
			variables[i].find(&s, &r);
	go_operands_deinit(&s.a);
	go_operands_deinit(&s.b);
	return r;
}
