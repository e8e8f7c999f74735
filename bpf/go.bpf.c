// SPDX-License-Identifier: GPL-2.0
/*
 * Go's heap by stack, where the program keeps no profile. Each size of objects is allocated from spans of
 * a few pages: a processor (P) takes a span that has free objects, hands these out in the order of their
 * addresses, and takes another one. It does so about once in 8 KiB, in (*mcache).refill. There we see
 * the span, what is free in it, and the stack that is about to get the first free object. So of one object
 * in each span it is known who holds it: a sample, which stands for all that are handed out after it, as
 * the span is taken for good, or until the garbage collector has all given back ((*mcache).releaseAll).
 * Objects over 32 KiB have a span of their own, from (*mcache).allocLarge.
 *
 * What was freed is told by the span itself: allocBits, which the garbage collector makes anew, and not
 * before an object's bit in there is clear can another one take its place.
 *
 * A program that takes spans all the time is looked at in turns: user/runtime/go/turns.h.
 *
 * A span's samples are merged at random when there are too many, in proportion to what they stand for:
 * nobody is favoured.
 */
#include "go.bpf.h"
#include "leaktrace/go.h"

/* Where the fields are, by process. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LT_PROCESSES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u32);
	__type(value, struct lt_go_heap);
} go_heaps SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LT_PROCESSES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u32);
	__type(value, struct lt_go_seen);
} go_seen SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LT_GO_SPANS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct lt_go_span_key);
	__type(value, struct lt_go_span);
} go_spans SEC(".maps");

/* A span that a processor has, has a sweepgen that is larger by this (runtime/mheap.go: mspan). */
#define LT_GO_CACHED 3

/* What is read of an mspan. */
struct mspan {
	u64 start, bits; /* bits: where they are; one that is set: allocated, as of the latest sweep */
	u32 freeindex;	 /* all before it are allocated, and bits behind it are up to date */
	u32 nelems, allocated, generation;
	u8 spanclass;
};

static __always_inline u64 field(const u64 *words, u32 offset)
{
	return words[offset / 8 & (LT_GO_MSPAN_BYTES / 8 - 1)] >> (offset & 7) * 8;
}

static __always_inline int read_mspan(const struct lt_go_heap *h, u64 at, struct mspan *ret)
{
	u64 words[LT_GO_MSPAN_BYTES / 8];

	if (!at || lt_read_user(words, LT_GO_MSPAN_BYTES, at))
		return -1;
	ret->start = field(words, h->start);
	ret->bits = field(words, h->alloc_bits);
	ret->freeindex = h->wide ? field(words, h->freeindex) : (u16)field(words, h->freeindex);
	ret->nelems = h->wide ? field(words, h->nelems) : (u16)field(words, h->nelems);
	ret->allocated = (u16)field(words, h->alloc_count);
	ret->generation = field(words, h->sweepgen);
	ret->spanclass = field(words, h->spanclass);
	return ret->start && ret->nelems && ret->nelems <= LT_GO_SPAN_OBJECTS &&
	       ret->allocated <= ret->nelems ? 0 : -1;
}

static __always_inline bool is_followed(const struct lt_go_heap *h, const struct mspan *s)
{
	return lt_go_is_followed(s->start, h->shift[s->spanclass]);
}

/* -- bits --------------------------------------------------------------------------------------- */

#define BIT_WORDS (LT_GO_SPAN_OBJECTS / 64)

static __always_inline u32 lowest_bit(u64 word)
{
	u32 n = 0;

	for (u32 half = 32; half; half >>= 1) {
		if (word & ((1ULL << half) - 1))
			continue;
		word >>= half;
		n += half;
	}
	return n;
}

static __always_inline bool is_set(const u64 *bits, u32 n)
{
	return bits[n / 64 & (BIT_WORDS - 1)] >> (n & 63) & 1;
}

/* The first bit from `from` on that is set or, with `invert` of all ones, clear; else BIT_WORDS * 64. */
__weak __noinline u32 lt_go_find_bit(struct lt_walk *w, u32 from, u64 invert)
{
	if (!w)
		return 0;
	for (u32 i = 0; i < BIT_WORDS; i++) {
		u64 word = w->window[i] ^ invert;

		if (i < from / 64)
			continue;
		if (i == from / 64)
			word &= ~0ULL << (from & 63);
		if (word)
			return i * 64 + lowest_bit(word);
	}
	return BIT_WORDS * 64;
}

/* Reads the bits of the span into the window; those of one that is new are all clear. */
static __always_inline int read_bits(struct lt_walk *w, const struct mspan *s)
{
	u32 size = (s->nelems + 63) / 64 * 8;

	if (!s->allocated) {
		w->window[0] = 0; /* the first one is free, and no other is asked for */
		return 0;
	}
	if (size > BIT_WORDS * 8)
		return -1;
	return lt_read_user(w->window, size, s->bits);
}

/* -- samples ------------------------------------------------------------------------------------ */

/* Those that have not been freed since are kept. */
static __always_inline void keep_living(struct lt_go_span *span, const struct lt_walk *w,
					const struct mspan *s)
{
	u32 n = 0;

	for (u32 i = 0; i < LT_GO_SAMPLES && i < span->n; i++) {
		struct lt_go_sample sample = span->samples[i];

		if (sample.generation == s->generation || (s->allocated && is_set(w->window, sample.slot)))
			span->samples[n++ & (LT_GO_SAMPLES - 1)] = sample;
	}
	span->n = n;
}

static __always_inline void add_sample(struct lt_go_span *span, const struct lt_go_sample *sample)
{
	struct lt_go_sample *other;
	u32 both;

	span->last = span->n;
	if (span->n < LT_GO_SAMPLES) {
		span->samples[span->n++ & (LT_GO_SAMPLES - 1)] = *sample;
		return;
	}
	span->last = bpf_get_prandom_u32() & (LT_GO_SAMPLES - 1);
	other = &span->samples[span->last & (LT_GO_SAMPLES - 1)];
	both = other->weight + sample->weight;
	if (both > LT_GO_WEIGHT_MAX)
		both = LT_GO_WEIGHT_MAX;
	if (bpf_get_prandom_u32() % (both + !both) < sample->weight)
		*other = *sample;
	other->weight = both;
}

/* Counts what a sample was taken to stand for, or does not after all: more of it where not all spans of the
 * class are followed. */
static __always_inline void count_objects(struct lt_go_seen *seen, const struct lt_go_heap *h, u8 spanclass,
					  u16 times, s64 weight)
{
	u32 class = lt_go_size_class(spanclass);

	if (seen)
		__sync_fetch_and_add(times > LT_GO_ONCE ? &seen->estimated[class] : &seen->exact[class],
				     weight * (1LL << (h->shift[spanclass] & 31)));
}

/* What is known of the span, as of now. */
static __always_inline struct lt_go_span *span_of(u32 tgid, u64 at, const struct lt_walk *w,
						  const struct mspan *s)
{
	struct lt_go_span_key key = { .start = s->start, .tgid = tgid };
	struct lt_go_span *span = bpf_map_lookup_elem(&go_spans, &key);
	struct lt_go_span fresh = { .at = at, .spanclass = s->spanclass };

	if (!span) {
		bpf_map_update_elem(&go_spans, &key, &fresh, BPF_NOEXIST);
		return bpf_map_lookup_elem(&go_spans, &key);
	}
	if (span->spanclass != s->spanclass || span->at != at)
		*span = fresh; /* its memory was given to another kind of span */
	else
		keep_living(span, w, s);
	return span;
}

/* A span has just been taken, of which the first free object is now going to be allocated. */
static __always_inline void on_span(struct pt_regs *ctx, u32 tgid, const struct lt_go_heap *h,
				    struct lt_go_seen *seen, const struct mspan *s, u16 times)
{
	struct lt_thread *t = lt_thread_get();
	struct lt_regs regs = LT_REGS(ctx);
	struct lt_go_sample sample = { .stack = LT_STACK_UNSEEN, .times = times };
	struct lt_go_span *span;
	u32 number, slot;

	if (!t || read_bits(&t->walk, s))
		return;
	slot = s->allocated ? lt_go_find_bit(&t->walk, s->freeindex, ~0ULL) : 0;
	if (slot >= s->nelems)
		return;
	span = span_of(tgid, ctx->rax, &t->walk, s);
	if (!span) {
		lt_count(LT_COUNT_LOST_MAP_FULL);
		return;
	}
	sample.slot = slot;
	sample.generation = span->generation = s->generation;
	sample.weight = (s->nelems - s->allocated) * times;
	if (lt_stack(t, &regs, tgid, LT_KIND_GO_HEAP, h->via, &number))
		sample.stack = number;
	add_sample(span, &sample);
	count_objects(seen, h, s->spanclass, times, sample.weight);
	span->taken = 1;
}

/* Where (*mcentral).cacheSpan or (*mheap).alloc has returned a span, in rax. */
LT_UPROBE(go_span)
{
	u32 tgid = enabled ? lt_tgid() : 0;
	struct lt_go_heap *h = tgid ? bpf_map_lookup_elem(&go_heaps, &tgid) : 0;
	struct lt_go_seen *seen = 0;
	u16 times = LT_GO_ONCE;
	struct mspan s;

	if (!h)
		return 0;
	lt_count(LT_COUNT_HITS);
	if (lt_go_cookie(ctx).via == LT_GO_REFILL) {
		seen = bpf_map_lookup_elem(&go_seen, &tgid);
		if (seen)
			__sync_fetch_and_add(&seen->hits, 1);
		times = h->times;
	}
	if (times && !read_mspan(h, ctx->rax, &s) && is_followed(h, &s))
		on_span(ctx, tgid, h, seen, &s, times);
	return 0;
}

/* A span is given back with objects that are still free: for these nothing stands. */
static __always_inline void on_flush(u32 tgid, const struct lt_go_heap *h, u64 at)
{
	struct lt_go_span_key key = { .tgid = tgid };
	struct lt_go_sample *sample;
	struct lt_go_span *span;
	struct mspan s;
	u32 free, was;

	if (read_mspan(h, at, &s) || !is_followed(h, &s))
		return;
	key.start = s.start;
	span = bpf_map_lookup_elem(&go_spans, &key);
	if (!span || span->spanclass != s.spanclass || span->last >= LT_GO_SAMPLES ||
	    span->generation + LT_GO_CACHED != s.generation)
		return;
	sample = &span->samples[span->last & (LT_GO_SAMPLES - 1)];
	free = (s.nelems - s.allocated) * sample->times;
	was = sample->weight;
	sample->weight = was > free ? was - free : sample->times;
	count_objects(bpf_map_lookup_elem(&go_seen, &tgid), h, s.spanclass, sample->times,
		      (s64)sample->weight - was);
	span->last = LT_GO_SAMPLES;
}

/* Where (*mcentral).uncacheSpan is called with a span in rbx, by (*mcache).releaseAll. */
LT_UPROBE(go_flush)
{
	u32 tgid = enabled ? lt_tgid() : 0;
	struct lt_go_heap *h = tgid ? bpf_map_lookup_elem(&go_heaps, &tgid) : 0;

	if (!h)
		return 0;
	lt_count(LT_COUNT_HITS);
	on_flush(tgid, h, ctx->rbx);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
