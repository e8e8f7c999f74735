// SPDX-License-Identifier: Apache-2.0
/* Any bytes over sound buckets and spans of a Go process: what is read stays within bounds and sums. */
#include <math.h>
#include <stdlib.h>
#include "base/cleanup.h"
#include "go_heap_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define EXPECT(condition)         \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

#define N 6

static void area_sound(struct go_area *a, const struct go_runtime *rt)
{
	static const struct counts counts[4] = { { 9, 2 }, { 3, 1 }, { 4, 0 }, { 5, 5 } };
	uint64_t at = 0;

	go_area_put(a, AT_RATE, 512 * 1024, 8);
	go_area_heap(rt, a, N, 100);
	for (unsigned int i = 0; i < N; i++) {
		const struct area_span s = { 0xc000000000ULL + i * 0x2000, 128, 64, i, 20, 96 + i, 10 + i / 3, 1,
					     0xfffff };

		go_area_span(rt, a, i, &s);
		at = go_area_bucket(rt, a, i, 100U << i, i, at, counts);
	}
	go_area_put(a, AT_HEAD, at, 8);
}

static void check_profile(struct go_runtime *rt, struct go_area *a, const uint8_t *data, size_t size)
{
	struct go_heap heap = { 0 };

	for (int i = 0; i < 2; i++) {
		if (go_heap_read_profile(rt, &heap))
			break;
		vec_foreach(rec, &heap) {
			EXPECT(rec->pcs <= heap.pcs.n && rec->n_pcs <= heap.pcs.n - rec->pcs);
			EXPECT(rec->inuse_bytes >= 0 && rec->inuse_objects >= 0);
		}
		if (size >= 8) /* another head */
			memcpy(a->bytes + (AT_HEAD - BASE), data, 8);
	}
	go_heap_deinit(&heap);
}

static void check_spans(struct go_runtime *rt, const uint8_t *data, size_t size)
{
	_cleanup_(go_span_reader_deinit) struct go_span_reader rd = { 0 };
	struct go_samples samples = { 0 };
	struct go_heap heap = { 0 };
	uint8_t shift[LT_GO_CLASSES] = { 0 };
	double sum;

	for (size_t i = 0; i < size && i < sizeof(shift); i++)
		shift[i] = data[i] & 3;
	EXPECT(!vec_reserve(&samples, N));
	for (samples.n = 0; samples.n < N; samples.n++) {
		struct go_span_samples *s = &samples.items[samples.n];

		*s = (struct go_span_samples){ .start = 0xc000000000ULL + samples.n * 0x2000 };
		if (size >= (samples.n + 1) * sizeof(s->span))
			memcpy(&s->span, data + samples.n * sizeof(s->span), sizeof(s->span));
	}
	for (uint32_t old = 0; old < 3; old += 2) {
		if (go_heap_read_spans(rt, &samples, shift, old, &heap))
			continue;
		sum = heap.before_objects + heap.unknown_objects;
		vec_foreach(rec, &heap)
			sum += rec->inuse_objects;
		EXPECT(fabs(sum - heap.total_objects) < 1e-3 * (fabs(heap.total_objects) + 1));
	}
	go_spans_check(rt, &rd, 100, 98, samples.items, samples.n);
	samples.n = 0;
	if (!go_spans_begin(rt, shift, &samples))
		vec_foreach(s, &samples)
			EXPECT(s->span.n <= LT_GO_SAMPLES);
	vec_free(&samples);
	go_heap_deinit(&heap);
}

/* The first byte chooses a release; then each four say where eight more bytes go. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned int releases[] = { 19, 20, 21, 22, 23, 24, 25, 26, 27 };
	struct go_area *a = calloc(1, sizeof(*a));
	struct go_runtime rt;
	const uint8_t *rest = data;

	if (!a || !size) {
		free(a);
		return 0;
	}
	rt = go_area_runtime(a, releases[*data % ARRAY_SIZE(releases)]);
	area_sound(a, &rt);
	for (rest++, size--; size >= 12; rest += 12, size -= 12) {
		uint32_t at;

		memcpy(&at, rest, sizeof(at));
		go_area_put(a, BASE + at % (AREA_BYTES - 8), 0, 8);
		memcpy(a->bytes + at % (AREA_BYTES - 8), rest + 4, 8);
	}
	check_spans(&rt, rest, size);
	check_spans(&rt, data, (size_t)(rest - data));
	check_profile(&rt, a, data, (size_t)(rest - data));
	free(a);
	return 0;
}
