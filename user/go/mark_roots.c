// SPDX-License-Identifier: Apache-2.0
/*
 * What is reachable in any case, but for stacks: variables (those that may hold pointers, data and bss,
 * of each module), and what finalizers and cleanups need when they run, those that are due and wait to be
 * run with them (markroot() in src/runtime/mgcmark.go). What a weak pointer leads to
 * is reachable by whoever has that pointer, as long as the garbage collector has to keep it: for that all
 * goroutines are roots, those that are blocked for good as well. (Go's own profile calls leaked whom a weak
 * pointer can still wake.)
 */
#include <errno.h>
#include <string.h>
#include "go/mark.h"

#define MODULES_MAX  256
#define AREA_MAX     (1ULL << 30)
#define LEVELS_MAX   65536	/* records of a span, one behind the other */
#define RECORD_EXTRA 40		/* bytes that a special has behind its head, at most */
#define BLOCKS_MAX   65536	/* of a queue */
#define BLOCK_SIZE   4096	/* at most */

struct record_vec {
	VEC_OF(struct memory_part); /* owner: the span */
};

/* -- variables -------------------------------------------------------------------------------- */

/* [start, end), of whose words the bits at `mask` say which may hold pointers. */
static void mark_masked(struct go_mark *m, uint64_t start, uint64_t end, const uint8_t *mask)
{
	uint64_t n, word, index = 0;

	for (uint64_t at = start; at < end; at += n) {
		n = end - at < GO_SCRATCH ? end - at : GO_SCRATCH;
		m->bytes_read += n;
		if (memory_read(&m->rt->memory, at, m->scratch, n)) {
			m->unread++;
			index += n / 8;
			continue;
		}
		for (uint64_t i = 0; i + 8 <= n; i += 8, index++) {
			memcpy(&word, m->scratch + i, 8);
			if (mask[index / 8] >> (index % 8) & 1)
				go_mark_word(m, word);
		}
	}
}

/* A bitvector { int32 n; *uint8 bytes }; without one all words count. */
static int mark_area(struct go_mark *m, uint64_t start, uint64_t end, uint64_t bitvector)
{
	uint64_t words[2] = { 0 }, n_mask;
	_cleanup_free_ uint8_t *mask = NULL;

	if (!start || start & 7 || end <= start || end - start > AREA_MAX)
		return 0;
	n_mask = ((end - start) / 8 + 7) / 8;
	mask = malloc(n_mask);
	if (!mask)
		return -ENOMEM;
	if (!bitvector || memory_read(&m->rt->memory, bitvector, words, sizeof(words)) ||
	    (uint32_t)words[0] != (end - start) / 8 ||
	    memory_read(&m->rt->memory, words[1], mask, n_mask))
		go_mark_range(m, start, end - start);
	else
		mark_masked(m, start, end, mask);
	return 0;
}

static int mark_variables(struct go_mark *m)
{
	const struct go_layout *l = m->rt->layout;
	uint64_t at = m->rt->at.module;
	int r = 0;

#define WORD(name) go_read_word(m->rt, at + l->moduledata.name)
	for (unsigned int i = 0; !r && at && i < MODULES_MAX; i++, at = WORD(next)) {
		r = mark_area(m, WORD(data), WORD(edata), at + l->moduledata.gcdatamask);
		if (!r)
			r = mark_area(m, WORD(bss), WORD(ebss), at + l->moduledata.gcbssmask);
	}
#undef WORD
	return r;
}

/* -- queues ----------------------------------------------------------------------------------- */

/* What is due waits in blocks, all of which are in one list: finBlock in src/runtime/mfinal.go, cleanupBlock
 * in mcleanup.go, of 1.25 and of later releases. In 1.24 cleanups are queued as finalizers. */
static const struct queue {
	uint32_t size, next, n, entries, entry;
} finalizers = { 4096, 0, 16, 24, 40 }, cleanups_of_25 = { 512, 16, 24, 32, 8 },
  cleanups = { 512, 16, 24, 32, 24 };

static void mark_queue(struct go_mark *m, uint64_t first, const struct queue *q)
{
	uint8_t block[BLOCK_SIZE];
	uint64_t at = first ? go_read_word(m->rt, first) : 0, n;

	for (unsigned int i = 0; at && !(at & 7) && i < BLOCKS_MAX; i++) {
		m->bytes_read += q->size;
		if (memory_read(&m->rt->memory, at, block, q->size)) {
			m->unread++;
			return;
		}
		n = go_field(block, q->size, q->n, 4);
		if (n <= (q->size - q->entries) / q->entry)
			go_mark_words(m, block + q->entries, n * q->entry);
		at = go_field(block, q->size, q->next, 8);
	}
}

static void mark_queues(struct go_mark *m)
{
	mark_queue(m, m->rt->at.allfin, &finalizers);
	mark_queue(m, m->rt->at.all_cleanups, m->rt->minor == 25 ? &cleanups_of_25 : &cleanups);
}

/* -- records of single objects ---------------------------------------------------------------- */
/* As in src/runtime/mheap.go: a kind was put before the others in 1.25. */
enum special_kind { SPECIAL_FINALIZER = 1, SPECIAL_WEAK_HANDLE };

static bool is_special(const struct go_mark *m, const struct memory_part *part, enum special_kind kind)
{
	const unsigned int n = kind + (m->rt->minor >= 25);

	return (kind != SPECIAL_WEAK_HANDLE || m->rt->minor >= 23) &&
	       go_field(part->bytes, part->size, m->rt->layout->special.kind, 1) == n;
}

static uint64_t special_offset(const struct go_mark *m, const struct memory_part *part)
{
	const unsigned int n_bytes = m->rt->minor < 24 ? 2 : 8; /* it became a uintptr */

	return go_field(part->bytes, part->size, m->rt->layout->special.offset, n_bytes);
}

/* What an object with a finalizer points to, the finalizer will see; the object itself is not kept by
 * it. */
static void mark_contents(struct go_mark *m, const struct go_span *s, const struct memory_part *part)
{
	const uint64_t offset = special_offset(m, part);
	uint64_t at, size;

	if (s->noscan || offset >= s->size)
		return;
	at = go_mark_object(m, s->start + offset, &size);
	if (at)
		go_mark_range(m, at, size);
}

/* Weak pointers to an object are pointers to its handle, which the record has. */
static int note_weak(struct go_mark *m, const struct go_span *s, const struct memory_part *part)
{
	const struct go_weak w = {
		.handle = go_field(part->bytes, part->size, m->rt->layout->special.size, 8),
		.object = s->start + special_offset(m, part),
	};

	return vec_push(&m->weak, w);
}

/* The records that are first of their spans; those behind them follow, level by level. */
static int first_records(const struct go_mark *m, struct record_vec *ret)
{
	const size_t size = m->rt->layout->special.size + RECORD_EXTRA;
	int r = 0;

	for (size_t i = 0; !r && i < m->spans.n; i++) {
		const uint64_t at = m->spans.items[i].specials;

		if (at && !(at & 7))
			r = vec_push(ret, (struct memory_part){ .at = at, .size = size, .owner = i });
	}
	return r;
}

static int mark_records(struct go_mark *m, struct record_vec *now, struct record_vec *next)
{
	const struct go_layout *l = m->rt->layout;
	uint64_t at;
	int r = 0;

	vec_foreach(part, now) {
		if (!part->bytes)
			continue;
		if (is_special(m, part, SPECIAL_WEAK_HANDLE))
			r = r ? r : note_weak(m, &m->spans.items[part->owner], part);
		else
			go_mark_words(m, part->bytes + l->special.size, part->size - l->special.size);
		if (is_special(m, part, SPECIAL_FINALIZER))
			mark_contents(m, &m->spans.items[part->owner], part);
		at = go_field(part->bytes, part->size, l->special.next, 8);
		if (!r && at && !(at & 7))
			r = vec_push(next, (struct memory_part){
						   .at = at, .size = part->size, .owner = part->owner });
	}
	return r;
}

static int mark_specials(struct go_mark *m)
{
	struct record_vec now = { 0 }, next = { 0 }, swap;
	int r = first_records(m, &now);

	for (unsigned int level = 0; !r && now.n && level < LEVELS_MAX; level++) {
		r = memory_gather(&m->rt->memory, now.items, now.n, &m->buffer);
		m->bytes_read += now.n * now.items[0].size;
		if (!r)
			r = mark_records(m, &now, &next);
		swap = now;
		now = next;
		next = swap;
		next.n = 0;
	}
	vec_free(&now);
	vec_free(&next);
	return r;
}

int go_mark_roots(struct go_mark *m)
{
	int r = mark_variables(m);

	m->weak.n = 0;
	m->kept_known = false;
	if (r)
		return r;
	mark_queues(m);
	return mark_specials(m);
}
