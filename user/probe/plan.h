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

struct plan_module {
	struct module *module; /* owned by the module table */
	bool library;	       /* not the program itself */
	struct {
		VEC_OF(struct attach_point);
	} points; /* no two with the same offset */
};

struct probe_plan {
	VEC_OF(struct plan_module);
	bool allocator;	      /* an allocator was found */
	const char *stranger; /* path of a module that defines malloc but is no known allocator */
};

/* Looks through the executable mappings of the process. 0 or a negative errno; a process without
 * any known allocator gives a plan that says so. */
int probe_plan_make(pid_t pid, struct module_table *modules, struct via_names *vias,
		    struct probe_plan *ret);
void probe_plan_deinit(struct probe_plan *plan);
