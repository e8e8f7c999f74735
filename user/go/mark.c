// SPDX-License-Identifier: Apache-2.0
/* Where the heap is: the spans in use, and which of them a page belongs to. */
#include "go/mark.h"
#include <errno.h>
#include <string.h>
#include "base/units.h"

#define SPANS_MAX   (1U << 23)	/* allspans never gets shorter: as many as 64 GiB of pages */
#define READ_AT_ONCE 1024
#define IN_USE	    1		/* mSpanInUse */
#define ADDRESS_MAX (1ULL << 48)
#define NOSCAN	    1		/* bit of a span's class */

/* A span as the process has it; false when it is none of the heap, or makes no sense. */
static bool parse_span(const struct go_runtime *rt, const struct memory_part *part, struct go_span *ret)
{
	const struct go_layout *l = rt->layout;
	const unsigned int n_bytes = rt->minor < 22 ? 8 : 2; /* nelems became a uint16 */
	uint64_t n;

#define FIELD(name, n) go_field(part->bytes, part->size, l->mspan.name, n)
	if (!part->bytes || FIELD(state, 1) != IN_USE)
		return false;
	*ret = (struct go_span){
		.start = FIELD(startAddr, 8),
		.size = FIELD(npages, 8),
		.elem = FIELD(elemsize, 8),
		.specials = FIELD(specials, 8),
		.noscan = FIELD(spanclass, 1) & NOSCAN,
	};
	n = FIELD(nelems, n_bytes);
#undef FIELD
	if (!ret->start || ret->start & (GO_PAGE - 1) || ret->start >= ADDRESS_MAX || !ret->size ||
	    ret->size > ADDRESS_MAX / GO_PAGE || ret->elem < 8 || ret->elem & 7 || !n)
		return false;
	ret->size *= GO_PAGE;
	if (ret->elem > ret->size || n > ret->size / ret->elem || (n > 1 && ret->size > UINT32_MAX))
		return false;
	ret->n = (uint32_t)n;
	return true;
}

static int add_span(struct go_mark *m, const struct go_span *span, uint64_t heap_max, struct err *e)
{
	m->heap += span->size;
	if (!span->noscan)
		m->scannable += span->size;
	if (m->heap > heap_max)
		return err_set(e, -E2BIG, "its heap is larger than %s", units_bytes(heap_max).s);
	return vec_push(&m->spans, *span);
}

static int read_some_spans(struct go_mark *m, const uint64_t *addresses, size_t n, uint64_t heap_max,
			   struct err *e)
{
	struct memory_part parts[READ_AT_ONCE];
	struct go_span span;
	size_t count = 0;
	int r;

	for (size_t i = 0; i < n; i++)
		if (addresses[i])
			parts[count++] = (struct memory_part){
				.at = addresses[i], .size = m->rt->layout->mspan.size };
	r = memory_gather(&m->rt->memory, parts, count, &m->buffer);
	m->bytes_read += count * m->rt->layout->mspan.size;
	for (size_t i = 0; !r && i < count; i++)
		if (parse_span(m->rt, &parts[i], &span))
			r = add_span(m, &span, heap_max, e);
	return r;
}

static int read_spans(struct go_mark *m, uint64_t heap_max, struct err *e)
{
	const uint64_t at = m->rt->at.mheap + m->rt->layout->mheap.allspans;
	const struct go_slice all = go_read_slice(m->rt, at);
	uint64_t addresses[READ_AT_ONCE];
	size_t n;
	int r = all.n ? 0 : memory_read(&m->rt->memory, at, addresses, 8);

	if (r == -ESRCH || r == -EPERM)
		return r;
	if (!all.n)
		return err_set(e, -EAGAIN, "its list of spans cannot be read");
	if (all.n > SPANS_MAX)
		return err_set(e, -E2BIG, "its heap has %llu spans", (unsigned long long)all.n);
	for (uint64_t i = 0; !r && i < all.n; i += n) {
		n = all.n - i < READ_AT_ONCE ? all.n - i : READ_AT_ONCE;
		r = memory_read(&m->rt->memory, all.at + i * 8, addresses, n * 8);
		if (r)
			return r == -EFAULT ? err_set(e, -EAGAIN, "its list of spans moves") : r;
		r = read_some_spans(m, addresses, n, heap_max, e);
	}
	return r;
}

static void find_bounds(struct go_mark *m)
{
	uint64_t low = UINT64_MAX, high = 0;

	vec_foreach(s, &m->spans) {
		if (s->start < low)
			low = s->start;
		if (s->start + s->size > high)
			high = s->start + s->size;
	}
	m->low = low & ~(GO_CHUNK - 1);
	m->high = (high + GO_CHUNK - 1) & ~(GO_CHUNK - 1);
}

/* Spans are read while they change: of two that have the same page the first is believed. */
static bool is_taken(const struct go_mark *m, const struct go_span *s)
{
	for (uint64_t i = 0; i < s->size; i += GO_PAGE)
		if (go_mark_span(m, s->start + i))
			return true;
	return false;
}

static int map_pages(struct go_mark *m, const struct go_span *s, uint32_t index)
{
	uint64_t offset = s->start - m->low;
	uint32_t **chunk;

	if (is_taken(m, s))
		return 0;
	for (uint64_t i = 0; i < s->size / GO_PAGE; i++, offset += GO_PAGE) {
		chunk = &m->chunks[offset >> GO_CHUNK_BITS];
		if (!*chunk)
			*chunk = calloc(GO_CHUNK / GO_PAGE, sizeof(**chunk));
		if (!*chunk)
			return -ENOMEM;
		(*chunk)[(offset & (GO_CHUNK - 1)) / GO_PAGE] = index + 1;
	}
	return 0;
}

/* A word more than there are bits: those of a span are read by words. */
static int make_bits(struct go_mark *m)
{
	const uint64_t words = m->n_bits / 64 + 1;

	m->marked = calloc(words, 8);
	m->scanned = calloc(words, 8);
	m->queue = calloc(m->spans.n, sizeof(*m->queue));
	m->scratch = malloc(GO_SCRATCH);
	return m->marked && m->scanned && m->queue && m->scratch ? 0 : -ENOMEM;
}

int go_mark_init(struct go_mark *m, const struct go_runtime *rt, uint64_t heap_max, struct err *e)
{
	int r;

	*m = (struct go_mark){ .rt = rt, .end.ns = UINT64_MAX };
	if (!rt->at.mheap)
		return err_set(e, -EOPNOTSUPP, "its heap cannot be found");
	r = read_spans(m, heap_max, e);
	if (!r && !m->spans.n)
		r = err_set(e, -EAGAIN, "it has no heap");
	if (r)
		return r;
	find_bounds(m);
	m->chunks = calloc((m->high - m->low) >> GO_CHUNK_BITS, sizeof(*m->chunks));
	if (!m->chunks)
		return -ENOMEM;
	for (size_t i = 0; i < m->spans.n; i++) {
		m->spans.items[i].bits = m->n_bits;
		m->n_bits += (m->spans.items[i].n + 63ULL) & ~63ULL;
		r = map_pages(m, &m->spans.items[i], (uint32_t)i);
		if (r)
			return r;
	}
	return make_bits(m);
}

/* What is known of the objects of a span that is still the same. */
static void copy_bits(struct go_mark *to, const struct go_mark *from, const struct go_span *s)
{
	const struct go_span *old = go_mark_span(from, s->start);
	const size_t size = (s->n + 63ULL) / 64 * 8;

	if (!old || go_mark_span(to, s->start) != s || old->start != s->start || old->n != s->n ||
	    old->elem != s->elem || old->noscan != s->noscan)
		return;
	memcpy(to->marked + s->bits / 64, from->marked + old->bits / 64, size);
	memcpy(to->scanned + s->bits / 64, from->scanned + old->bits / 64, size);
}

int go_mark_renew(struct go_mark *m, uint64_t heap_max, struct err *e)
{
	_cleanup_(go_mark_deinit) struct go_mark new = { 0 };
	struct go_mark old;
	int r = go_mark_init(&new, m->rt, heap_max, e);

	if (r)
		return r;
	vec_foreach(s, &new.spans)
		copy_bits(&new, m, s);
	new.bytes_read += m->bytes_read;
	new.unread = m->unread;
	new.end = m->end;
	old = *m;
	*m = new;
	new = old;
	return 0;
}

void go_mark_deinit(struct go_mark *m)
{
	for (uint64_t i = 0; m->chunks && i < (m->high - m->low) >> GO_CHUNK_BITS; i++)
		free(m->chunks[i]);
	free(m->chunks);
	free(m->marked);
	free(m->scanned);
	free(m->queue);
	free(m->scratch);
	memory_buffer_deinit(&m->buffer);
	vec_free(&m->spans);
	vec_free(&m->weak);
	*m = (struct go_mark){ 0 };
}
