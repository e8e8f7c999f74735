/* SPDX-License-Identifier: Apache-2.0 */
/* Reading goroutines: what is between the structs of the runtime (goroutine.c) and the list that is
 * made of them (goroutine_add.c). */
#pragma once
#include "go/goroutine.h"

/* What a struct g says, as far as it is wanted. */
struct g {
	uint64_t address, low, high, sp, pc, syscall_sp, syscall_pc, m, locked_m, labels;
	uint64_t id, parent, created_pc, start_pc, waiting;
	/* While it runs, of its thread when that is not on a processor; 0: not known. */
	uint64_t thread_sp, thread_pc;
	pid_t tid;
	uint32_t status;
	uint8_t reason, switches;
};

struct go_reading {
	struct go_runtime *rt;
	struct goroutine_list *list;
	struct go_threads threads;
	struct hashmap tids, starts, labels; /* of what was met; labels: 1 + the index in `sets` */
	struct {
		VEC_OF(struct go_label_set);
	} sets;
};

/* False: it makes no sense. */
bool go_g_parse(const struct go_runtime *rt, const struct memory_part *part, struct g *ret);
bool go_g_is_alive(const struct g *g);
bool go_g_is_running(const struct g *g);
/* Whether it has not run, nor was its stack moved, from `a` to `b`. */
bool go_g_is_same(const struct g *a, const struct g *b);
/* Where it stands; false while it runs or its stack moves. */
bool go_g_stands_at(const struct g *g, uint64_t *ret_pc, uint64_t *ret_sp);

/* Each 0 or -ENOMEM. The thread of a goroutine, and where that stands. */
int go_reading_find_thread(struct go_reading *r, struct g *g);
/* Adds the goroutine to the list; `stack` is what was read of its stack, NULL: nothing. */
int go_reading_add(struct go_reading *r, const struct g *g, const struct memory_part *stack);
/* At the end: the labels of all. */
int go_reading_labels(struct go_reading *r);
void go_reading_deinit(struct go_reading *r);
