// SPDX-License-Identifier: Apache-2.0
/* Marking: from a word to the object it points into, and from a span to the words of its objects. */
#include <errno.h>
#include <string.h>
#include "base/clock.h"
#include "go/mark.h"

#define SPANS_AT_ONCE 128
#define SMALL_SPAN    (GO_SCRATCH / 4) /* larger ones are read piece by piece */
#define BATCH	      (1U << 20)
#define STACK_MAX     (4ULL << 30)
#define GUARD_MAX     4096	 /* how far a guard is from its bound */
#define G_BOUNDS      32	 /* bytes: stack, stackguard0, stackguard1 */
#define G_PADDING     64	 /* to the next size of objects, at most */
#define P_TIMERS      72	 /* bytes of p.timers, at most; it is not the last that a p has */
#define WB_BUFFER     (512 * 8) /* p.wbBuf.buf, in every release so far */

static bool bit_is(const uint64_t *bits, uint64_t i)
{
	return bits[i / 64] >> (i % 64) & 1;
}

static void bit_set(uint64_t *bits, uint64_t i)
{
	bits[i / 64] |= 1ULL << (i % 64);
}

/* The number of the object at `at` among those of its span; false: there is none. */
static bool object_at(const struct go_span *s, uint64_t at, uint32_t *ret)
{
	const uint64_t offset = at - s->start;

	*ret = s->n == 1 ? offset >= s->elem : (uint32_t)offset / (uint32_t)s->elem;
	return *ret < s->n;
}

static void enqueue(struct go_mark *m, struct go_span *s)
{
	size_t end = m->queue_at + m->n_queued;

	if (s->queued)
		return;
	s->queued = true;
	m->queue[end < m->spans.n ? end : end - m->spans.n] = (uint32_t)(s - m->spans.items);
	m->n_queued++;
}

static struct go_span *dequeue(struct go_mark *m)
{
	struct go_span *s = &m->spans.items[m->queue[m->queue_at]];

	if (++m->queue_at == m->spans.n)
		m->queue_at = 0;
	m->n_queued--;
	s->queued = false;
	return s;
}

void go_mark_word(struct go_mark *m, uint64_t word)
{
	struct go_span *s = go_mark_span(m, word);
	uint32_t i;

	if (!s || !object_at(s, word, &i) || bit_is(m->marked, s->bits + i))
		return;
	bit_set(m->marked, s->bits + i);
	if (!s->noscan && !bit_is(m->scanned, s->bits + i))
		enqueue(m, s);
}

void go_mark_words(struct go_mark *m, const void *bytes, size_t size)
{
	const uint8_t *p = bytes;
	uint64_t word;

	for (size_t i = 0; i + 8 <= size; i += 8) {
		memcpy(&word, p + i, 8);
		if (word - m->low < m->high - m->low)
			go_mark_word(m, word);
	}
}

void go_mark_range(struct go_mark *m, uint64_t at, uint64_t size)
{
	size_t n;

	for (; size >= 8; at += n, size -= n) {
		n = size < GO_SCRATCH ? size : GO_SCRATCH;
		m->bytes_read += n;
		if (memory_read(&m->rt->memory, at, m->scratch, n))
			m->unread++;
		else
			go_mark_words(m, m->scratch, n);
	}
}

bool go_mark_has(const struct go_mark *m, uint64_t at)
{
	const struct go_span *s = go_mark_span(m, at);
	uint32_t i;

	return !s || !object_at(s, at, &i) || bit_is(m->marked, s->bits + i);
}

uint64_t go_mark_object(const struct go_mark *m, uint64_t at, uint64_t *ret_size)
{
	const struct go_span *s = go_mark_span(m, at);
	uint32_t i;

	if (!s || !object_at(s, at, &i))
		return 0;
	*ret_size = s->elem;
	return s->start + i * s->elem;
}

void go_mark_hide(struct go_mark *m, uint64_t at)
{
	const struct go_span *s = go_mark_span(m, at);
	uint32_t i;

	if (s && object_at(s, at, &i))
		bit_set(m->scanned, s->bits + i);
}

void go_mark_show(struct go_mark *m, uint64_t at)
{
	struct go_span *s = go_mark_span(m, at);
	uint32_t i;

	if (!s || !object_at(s, at, &i))
		return;
	m->scanned[(s->bits + i) / 64] &= ~(1ULL << ((s->bits + i) % 64));
	bit_set(m->marked, s->bits + i);
	if (!s->noscan)
		enqueue(m, s);
}

/* -- scanning --------------------------------------------------------------------------------- */

/*
 * Some structs of the runtime have numbers that look like pointers. A struct p lists what the garbage
 * collector is to look at, and what it was; it is known by p.wbBuf, which ends with a buffer and says
 * where that ends. Of what a p has only the timers belong to the program. Objects of more than 512 bytes
 * start with a word that tells their type, from Go 1.22 on.
 */
static bool is_processor(const struct go_mark *m, uint64_t at, const uint8_t *bytes, uint64_t size,
			 uint64_t *ret_start)
{
	const struct go_layout *l = m->rt->layout;
	uint64_t buffer_end;

	for (uint64_t i = 0; i <= 8; i += 8) {
		if (size < l->p.size + i || size / 2 > l->p.size)
			return false;
		memcpy(&buffer_end, bytes + i + l->p.wbBuf + 8, 8);
		*ret_start = i;
		if (buffer_end == at + i + l->p.wbBuf + 16 + WB_BUFFER)
			return true;
	}
	return false;
}

/* A struct g starts with the bounds of its stack, of which one is the start of what lies behind it. What
 * lies between its end and that of the object is not always empty. */
static bool is_goroutine(const struct go_mark *m, const uint8_t *bytes, uint64_t size)
{
	uint64_t words[4]; /* bounds, guards */

	if (size < m->rt->layout->g.size || size > m->rt->layout->g.size + G_PADDING)
		return false;
	memcpy(words, bytes, sizeof(words));
	return words[0] < words[1] && words[1] - words[0] <= STACK_MAX &&
	       (words[3] == UINT64_MAX || words[3] - words[0] <= GUARD_MAX);
}

static void scan_object(struct go_mark *m, uint64_t at, const uint8_t *bytes, uint64_t size)
{
	const struct go_layout *l = m->rt->layout;
	uint64_t start;

	if (is_processor(m, at, bytes, size, &start))
		go_mark_words(m, bytes + start + l->p.timers, P_TIMERS);
	else if (is_goroutine(m, bytes, size))
		go_mark_words(m, bytes + G_BOUNDS, l->g.size - G_BOUNDS);
	else
		go_mark_words(m, bytes, size);
}

/* Of the 64 objects from number `from` on those that are to be scanned. */
static uint64_t pending(const struct go_mark *m, const struct go_span *s, uint32_t from)
{
	const uint64_t i = (s->bits + from) / 64;

	return m->marked[i] & ~m->scanned[i];
}

static bool has_pending(const struct go_mark *m, const struct go_span *s)
{
	for (uint32_t i = 0; i < s->n; i += 64)
		if (pending(m, s, i))
			return true;
	return false;
}

/* Until there is nothing left in this span: what it points to in itself is scanned with it. */
static void scan_span(struct go_mark *m, const struct go_span *s, const uint8_t *bytes)
{
	uint64_t todo;
	uint32_t i;

	while (has_pending(m, s)) {
		for (uint32_t from = 0; from < s->n; from += 64) {
			while ((todo = pending(m, s, from))) {
				i = from + (uint32_t)__builtin_ctzll(todo);
				bit_set(m->scanned, s->bits + i);
				if (bytes)
					scan_object(m, s->start + i * s->elem, bytes + i * s->elem, s->elem);
			}
		}
	}
}

/* One whose objects, mostly a single one, are too large to be read at once. */
static void scan_large(struct go_mark *m, const struct go_span *s)
{
	for (uint32_t i = 0; i < s->n; i++) {
		if (!(pending(m, s, i & ~63U) >> (i % 64) & 1))
			continue;
		bit_set(m->scanned, s->bits + i);
		go_mark_range(m, s->start + i * s->elem, s->elem);
	}
}

static int scan_batch(struct go_mark *m)
{
	struct memory_part parts[SPANS_AT_ONCE];
	struct go_span *s;
	uint64_t size = 0;
	size_t n = 0;
	int r;

	while (m->n_queued && n < SPANS_AT_ONCE && size < BATCH) {
		s = dequeue(m);
		if (!has_pending(m, s))
			continue;
		if (s->size > SMALL_SPAN) {
			scan_large(m, s);
			break;
		}
		parts[n++] = (struct memory_part){
			.at = s->start, .size = s->size, .owner = (size_t)(s - m->spans.items) };
		size += s->size;
	}
	r = memory_gather(&m->rt->memory, parts, n, &m->buffer);
	m->bytes_read += size;
	for (size_t i = 0; !r && i < n; i++) {
		m->unread += !parts[i].bytes;
		scan_span(m, &m->spans.items[parts[i].owner], parts[i].bytes);
	}
	return r;
}

bool go_mark_is_over(const struct go_mark *m)
{
	const uint64_t until_ns = m->end.until_ns ? *m->end.until_ns : 0, now = clock_now();

	return now > m->end.ns || (until_ns && now > until_ns);
}

int go_mark_drain(struct go_mark *m)
{
	int r = 0;

	while (!r && m->n_queued)
		r = go_mark_is_over(m) ? -ETIMEDOUT : scan_batch(m);
	return r;
}
