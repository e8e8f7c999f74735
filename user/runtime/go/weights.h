/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a probe is there in turns only, what its samples are taken to stand for together is more or less than
 * what was allocated: by chance, and because a program does not allocate as fast at all times. But how many
 * objects of each size it did allocate, its runtime counts. So each sample stands for as much as makes
 * the sum right: the ratio estimator (W. Cochran, Sampling Techniques, chapter 6).
 */
#pragma once
#include "go/spans.h"

/* Of each size: how many objects the runtime has allocated, and what samples were taken to stand for. */
struct go_counts {
	uint64_t allocated[LT_GO_SIZES];
	struct lt_go_seen seen;
};

struct go_weights {
	struct go_counts begin;
	double of[LT_GO_SIZES]; /* the ratio, as of the latest update */
};

/* As of now, all ratios are 1. */
void go_weights_begin(struct go_weights *w, const struct go_counts *now);
/* A ratio of which nothing is known yet stays what it is. */
void go_weights_update(struct go_weights *w, const struct go_counts *now);
/* Weighs the samples that stand for more than themselves, and shares of what is young, which are of such. */
void go_weights_apply(const struct go_weights *w, struct go_samples *samples);
void go_weights_apply_shares(const struct go_weights *w, struct go_heap *heap);
