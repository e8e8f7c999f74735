// SPDX-License-Identifier: Apache-2.0
#include "runtime/go/weights.h"
#include <math.h>

#define RATIO_MAX 16 /* more comes of a few samples, or of counts that were read while they changed */

static double since(uint64_t now, uint64_t then)
{
	return (double)(int64_t)(now - then);
}

void go_weights_begin(struct go_weights *w, const struct go_counts *now)
{
	w->begin = *now;
	for (unsigned int i = 0; i < LT_GO_SIZES; i++)
		w->of[i] = 1;
}

void go_weights_update(struct go_weights *w, const struct go_counts *now)
{
	const struct go_counts *then = &w->begin;

	for (unsigned int i = 0; i < LT_GO_SIZES; i++) {
		const double exact = since(now->seen.exact[i], then->seen.exact[i]) / LT_GO_ONCE;
		const double estimated = since(now->seen.estimated[i], then->seen.estimated[i]) / LT_GO_ONCE;
		const double others = since(now->allocated[i], then->allocated[i]) - exact;

		if (others > 0 && estimated > 0)
			w->of[i] = fmin(others / estimated, RATIO_MAX);
	}
}

void go_weights_apply(const struct go_weights *w, struct go_samples *samples)
{
	vec_foreach(s, samples)
		for (uint8_t i = 0; i < s->span.n && i < LT_GO_SAMPLES; i++) {
			struct lt_go_sample *sample = &s->span.samples[i];
			double weight = sample->weight * w->of[lt_go_size_class(s->span.spanclass)];

			if (weight > LT_GO_WEIGHT_MAX)
				weight = LT_GO_WEIGHT_MAX;
			if (sample->times > LT_GO_ONCE)
				sample->weight = (uint32_t)weight;
		}
}

void go_weights_apply_shares(const struct go_weights *w, struct go_heap *heap)
{
	vec_foreach(s, &heap->shares)
		if (s->age == GO_YOUNG)
			s->objects *= w->of[lt_go_size_class(s->class)];
}
