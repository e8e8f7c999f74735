/* SPDX-License-Identifier: Apache-2.0 */
/* From the books to a report: choose, sort, symbolize. */
#pragma once
#include "base/arena.h"
#include "base/hashmap.h"
#include "leak/books.h"
#include "proc/modules.h"
#include "report/report.h"
#include "sym/names.h"

enum report_sort { REPORT_SORT_AMOUNT, REPORT_SORT_COUNT, REPORT_SORT_AGE, REPORT_SORT_MAX };

/* Of a module in a process: as in unwind_tables_biases(). */
#define REPORT_BIAS_KEY(pid, module) ((uint64_t)(uint32_t)(pid) << 32 | (module))

struct report_source {
	struct books *books; /* with a fresh snapshot */
	uint64_t now_ns;     /* CLOCK_MONOTONIC, that ages are counted from */
	const struct module_table *modules;
	const char *methods[LT_KIND_MAX]; /* struct report_resource.method */
	const char *const *via_names;
	size_t n_via_names;
	struct names *names;
	const _Atomic uint64_t *until_ns; /* of names_begin() */
	const struct hashmap *biases; /* REPORT_BIAS_KEY() -> load bias, where it is known */
	/*
	 * Describes a single holding of a kind other than memory, all in `arena`; acquired_ns is 0
	 * when it was not seen acquired. 0 or -ENOMEM. NULL: there will be no items.
	 */
	int (*describe)(void *ctx, uint32_t tgid, enum lt_kind kind, uint64_t id,
			uint64_t acquired_ns, struct arena *arena, struct item *ret);
	void *describe_ctx;
};

struct report_request {
	uint32_t kinds; /* a bit for each enum lt_kind that is reported */
	enum report_sort sort;
	unsigned int top; /* stacks for each resource; 0: all */
	bool all_frames;  /* keep those of the allocator and the C library */
	bool per_process; /* the same code in several processes is not one stack */
};

/*
 * Fills ret->resources, the shares that ret->target.processes have of them, and the stack counts of ret->coverage;
 * the rest of the report is the caller's to fill. Everything is allocated from `arena`. 0 or -ENOMEM.
 */
int report_build(const struct report_source *src, const struct report_request *rq,
		 struct arena *arena, struct report *ret);
