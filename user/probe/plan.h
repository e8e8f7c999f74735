/* SPDX-License-Identifier: Apache-2.0 */
/* Which functions of a process to probe, and where. */
#pragma once
#include "kind/alloc/allocator.h"
#include "proc/modules.h"
#include "probe/attach.h"

#define PLAN_VIA_MAX 256

/* Names for lt_cookie.via; index 0 is "?". */
struct via_names {
	const char *names[PLAN_VIA_MAX];
	unsigned int n;
};

struct plan_points {
	VEC_OF(struct attach_point); /* no two with the same offset */
};

struct plan_module {
	struct module *module; /* owned by the module table */
	bool library;	       /* not the program itself */
	bool allocates;	       /* functions of an allocator were found */
	bool loader;	       /* it is a dynamic loader */
	bool stranger;	       /* it defines malloc, but is no known allocator */
	const char *allocator; /* whose functions it has; NULL: none */
	struct plan_points memory, pthread; /* for the programs of these names */
};

/* What is known of modules: each is looked through once, however many processes have mapped it. */
struct module_plans {
	VEC_OF(struct plan_module *);
	struct hashmap by_module; /* id << 1 | library -> index */
};

struct probe_plan {
	VEC_OF(const struct plan_module *); /* that have something to probe; of module_plans */
	bool allocator;	      /* an allocator was found */
	bool pthread;	      /* functions of threads were found */
	bool loader;	      /* a dynamic loader was found: there may be more to come */
	const char *stranger; /* path of a module that defines malloc but is no known allocator */
};

/* The index of a name, which is added when it is new; it must outlive the names. 0 or -ENOSPC. */
int via_index(struct via_names *vias, const char *name, uint8_t *ret);

void module_plans_deinit(struct module_plans *plans);
/* Looks through the executable mappings of the process for what the kinds (bits of enum lt_kind, always the same
 * ones for `plans`) need. 0 or a negative errno; a process without any known allocator gives a plan that says
 * so. */
int probe_plan_make(pid_t pid, uint32_t kinds, struct module_table *modules, struct module_plans *plans,
		    struct via_names *vias, struct probe_plan *ret);
void probe_plan_deinit(struct probe_plan *plan);
