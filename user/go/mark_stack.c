// SPDX-License-Identifier: Apache-2.0
/*
 * What a goroutine's stack points to. For each call the compiler says which words of the frame are live
 * pointers, and which variables lie there that pointers may lead to: see scanstack() in
 * src/runtime/mgcmark.go and getStackMap() in stkframe.go. Where that cannot be followed, and of
 * goroutines that run, all words count.
 */
#include <errno.h>
#include <string.h>
#include "go/mark.h"

#define STACK_READ_MAX (64ULL << 20) /* larger ones count as a whole */
#define FRAMES_MAX     (1U << 20)
#define MAPS_MAX       65536	     /* bitmaps of a function, and stack objects */
#define BITS_MAX       (1U << 20)
#define PANIC	       32	     /* of struct g, in every release: g._panic, and after it g._defer */
#define RECORD_SIZE    96	     /* bytes of a _panic or _defer, at least */
#define RECORDS_MAX    256

struct go_stack_object {
	uint64_t at, size, pointers; /* pointers: bytes at its start that may hold some */
	bool scanned;
};

struct go_frame_map {
	uint64_t entry;
	int32_t depth; /* bytes from the stack pointer to the return address */
	uint32_t n_locals, n_args;
	const uint8_t *locals, *args, *objects; /* bits, bits, stackObjectRecords */
	uint32_t n_objects;
	bool top, broken;
};

struct walk {
	struct go_mark *m;
	struct go_maps *maps;
	const struct go_stand *g;
	const uint8_t *bytes; /* [g->sp, g->high) */
};

/* -- maps ------------------------------------------------------------------------------------- */

/* A stackmap { int32 n, nbit; bytes }: the bits of number `index`. */
static const uint8_t *stack_map(const struct gopclntab *t, const struct go_function *f,
				enum go_funcdata which, int32_t index, uint32_t *ret_n)
{
	const uint64_t at = gopclntab_funcdata(t, f, which);
	const uint8_t *head = at ? elf_image_at(t->img, at, 8) : NULL;
	uint32_t n, n_bits, size;

	*ret_n = 0;
	if (!head)
		return NULL;
	memcpy(&n, head, 4);
	memcpy(&n_bits, head + 4, 4);
	if (!n || n > MAPS_MAX || !n_bits || n_bits > BITS_MAX || (uint32_t)index >= n)
		return NULL;
	size = (n_bits + 7) / 8;
	*ret_n = n_bits;
	return elf_image_at(t->img, at + 8 + (uint64_t)index * size, size);
}

static const uint8_t *stack_objects(const struct gopclntab *t, const struct go_function *f,
				    uint32_t *ret_n)
{
	const uint64_t at = gopclntab_funcdata(t, f, GO_FUNCDATA_STACK_OBJECTS);
	const uint8_t *head = at ? elf_image_at(t->img, at, 8) : NULL;
	uint64_t n;

	*ret_n = 0;
	if (!head)
		return NULL;
	memcpy(&n, head, 8);
	if (n > MAPS_MAX)
		return NULL;
	*ret_n = (uint32_t)n;
	return elf_image_at(t->img, at + 8, n * 16);
}

/* These have the registers of the function that they are called by somewhere in their frame, or
 * arguments of somebody else's in that of their caller. */
static bool has_no_map(const struct go_function *f)
{
	static const char *const names[] = { "runtime.asyncPreempt", "runtime.debugCallV2",
					     "reflect.makeFuncStub", "reflect.methodValueCall" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (gopclntab_is_named(f, names[i]))
			return true;
	return false;
}

static struct go_frame_map read_map(const struct gopclntab *t, uint64_t vaddr)
{
	struct go_frame_map map = { .broken = true };
	struct go_function f;
	int32_t index = 0;
	uint64_t at;

	if (!gopclntab_at(t, vaddr, &f) || has_no_map(&f))
		return map;
	at = vaddr == f.entry ? vaddr : vaddr - 1;
	map.top = f.flags & GO_FUNC_TOP;
	map.depth = gopclntab_value(t, &f, f.pcsp, at);
	map.broken = map.depth < 0 || map.depth & 7;
	if (vaddr != f.entry)
		index = gopclntab_pcdata(t, &f, GO_PCDATA_STACK_MAP, at);
	if (index < 0)
		index = 0;
	map.locals = stack_map(t, &f, GO_FUNCDATA_LOCALS_MAPS, index, &map.n_locals);
	map.args = stack_map(t, &f, GO_FUNCDATA_ARGS_MAPS, index, &map.n_args);
	map.objects = stack_objects(t, &f, &map.n_objects);
	return map;
}

static int map_at(struct walk *w, uint64_t pc, struct go_frame_map *ret)
{
	struct go_maps *maps = w->maps;
	const uint64_t *known = hashmap_get(&maps->by_pc, pc);
	int r;

	if (known) {
		*ret = maps->frames.items[*known];
		return 0;
	}
	*ret = read_map(&w->m->rt->table, pc - w->m->rt->bias);
	r = vec_push(&maps->frames, *ret);
	return r ? r : hashmap_put(&maps->by_pc, pc, maps->frames.n - 1);
}

/* -- one stack -------------------------------------------------------------------------------- */
static bool is_on_stack(const struct walk *w, uint64_t at, uint64_t size)
{
	return at >= w->g->sp && at <= w->g->high && size <= w->g->high - at;
}

static uint64_t word_at(const struct walk *w, uint64_t at)
{
	uint64_t word = 0;

	if (is_on_stack(w, at, 8))
		memcpy(&word, w->bytes + (at - w->g->sp), 8);
	return word;
}

/* A live pointer: into the stack itself, or elsewhere. */
static int pointer(struct walk *w, uint64_t word)
{
	if (word >= w->g->low && word < w->g->high)
		return vec_push(&w->maps->met, word);
	go_mark_word(w->m, word);
	return 0;
}

static int masked(struct walk *w, uint64_t at, const uint8_t *bits, uint32_t n)
{
	int r = 0;

	for (uint32_t i = 0; bits && !r && i < n; i++)
		if (bits[i / 8] >> (i % 8) & 1)
			r = pointer(w, word_at(w, at + i * 8ULL));
	return r;
}

/* Records { int32 offset, size, bytes with pointers; uint32 mask }, the offset from the end of the
 * locals when it is negative, else from the arguments. */
static int add_objects(struct walk *w, const struct go_frame_map *map, uint64_t sp, uint64_t locals_end,
		       uint64_t args)
{
	int32_t record[3];
	uint64_t at;
	int r = 0;

	for (uint32_t i = 0; map->objects && !r && i < map->n_objects; i++) {
		memcpy(record, map->objects + i * 16, sizeof(record));
		at = (record[0] < 0 ? locals_end : args) + (uint64_t)(int64_t)record[0];
		if (at < sp || record[1] <= 0 || record[2] < 0 || record[2] > record[1] ||
		    !is_on_stack(w, at, (uint64_t)record[1]))
			continue;
		r = vec_push(&w->maps->objects, (struct go_stack_object){ at, (uint64_t)record[1],
									   (uint64_t)record[2], false });
	}
	return r;
}

/* Frame by frame, up to where the goroutine started. `*ret_end`: from there on it was not understood. */
static int walk_frames(struct walk *w, uint64_t *ret_end)
{
	uint64_t pc = w->g->pc, sp = w->g->sp, at, locals_end;
	struct go_frame_map map;
	int r = 0;

	for (unsigned int i = 0; !r && i < FRAMES_MAX; i++) {
		*ret_end = sp;
		r = map_at(w, pc, &map);
		at = sp + (uint64_t)map.depth;
		if (r || map.broken || !is_on_stack(w, at, 8))
			return r;
		locals_end = map.depth ? at - 8 : at; /* what lies between is the frame pointer */
		r = masked(w, locals_end - map.n_locals * 8ULL, map.locals, map.n_locals);
		if (!r)
			r = masked(w, at + 8, map.args, map.n_args);
		if (!r)
			r = add_objects(w, &map, sp, locals_end, at + 8);
		if (map.top) {
			*ret_end = w->g->high;
			return r;
		}
		pc = word_at(w, at);
		sp = at + 8;
	}
	return r;
}

static int compare_objects(const void *a, const void *b)
{
	const struct go_stack_object *x = a, *y = b;

	return x->at < y->at ? -1 : x->at > y->at;
}

static struct go_stack_object *object_with(const struct go_maps *maps, uint64_t at)
{
	size_t low = 0, high = maps->objects.n, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (maps->objects.items[mid].at <= at)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low || at - maps->objects.items[low - 1].at >= maps->objects.items[low - 1].size)
		return NULL;
	return &maps->objects.items[low - 1];
}

/* The variables on the stack that are pointed to, and what they point to in turn. */
static int follow_objects(struct walk *w)
{
	struct go_maps *maps = w->maps;
	struct go_stack_object *o;
	int r = 0;

	if (maps->objects.n)
		qsort(maps->objects.items, maps->objects.n, sizeof(*maps->objects.items), compare_objects);
	while (!r && maps->met.n) {
		o = object_with(maps, maps->met.items[--maps->met.n]);
		if (!o || o->scanned)
			continue;
		o->scanned = true;
		for (uint64_t i = 0; !r && i + 8 <= o->pointers; i += 8)
			r = pointer(w, word_at(w, o->at + i));
	}
	return r;
}

/*
 * The records of deferred calls and panics are a list through stack and heap that starts in struct g.
 * Their layout differs between releases: all words of those on the stack count.
 */
static int follow_records(struct walk *w, uint64_t at)
{
	uint64_t pending[RECORDS_MAX] = { at }, word;
	unsigned int n = 1, done = 0;
	int r = 0;

	while (!r && done < n) {
		at = pending[done++];
		if (!is_on_stack(w, at, 8) || at & 7)
			continue;
		for (unsigned int i = 0; !r && i < RECORD_SIZE; i += 8) {
			word = word_at(w, at + i);
			r = pointer(w, word);
			if (word > at + i && word < w->g->high && n < RECORDS_MAX && i)
				pending[n++] = word;
		}
	}
	return r;
}

static int read_stack(struct go_mark *m, struct go_maps *maps, const struct go_stand *g)
{
	const size_t size = g->high - g->sp;
	uint8_t *p;

	if (size > maps->stack_cap) {
		p = realloc(maps->stack, size);
		if (!p)
			return -ENOMEM;
		maps->stack = p;
		maps->stack_cap = size;
	}
	m->bytes_read += size;
	return memory_read(&m->rt->memory, g->sp, maps->stack, size);
}

static int mark_parked(struct walk *w)
{
	uint64_t end, records[2] = { 0 };
	int r;

	w->maps->objects.n = w->maps->met.n = 0;
	r = walk_frames(w, &end);
	if (r)
		return r;
	go_mark_words(w->m, w->bytes + (end - w->g->sp), w->g->high - end);
	if (!memory_read(&w->m->rt->memory, w->g->address + PANIC, records, sizeof(records)))
		for (unsigned int i = 0; !r && i < 2; i++)
			r = follow_records(w, records[i]);
	return r ? r : follow_objects(w);
}

int go_mark_stack(struct go_mark *m, struct go_maps *maps, const struct go_stand *g)
{
	struct walk w = { m, maps, g, NULL };
	int r;

	go_mark_show(m, g->address);
	if (g->high <= g->low)
		return 0;
	if (!g->parked || g->sp < g->low || g->sp >= g->high || g->sp & 7 ||
	    g->high - g->sp > STACK_READ_MAX) {
		go_mark_range(m, g->low, g->high - g->low);
		return 0;
	}
	r = read_stack(m, maps, g);
	if (r) {
		m->unread++;
		return r == -ENOMEM ? r : 0;
	}
	w.bytes = maps->stack;
	return mark_parked(&w);
}

void go_maps_deinit(struct go_maps *maps)
{
	hashmap_deinit(&maps->by_pc);
	vec_free(&maps->frames);
	vec_free(&maps->objects);
	vec_free(&maps->met);
	free(maps->stack);
	*maps = (struct go_maps){ 0 };
}
