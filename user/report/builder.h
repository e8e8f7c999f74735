/* SPDX-License-Identifier: Apache-2.0 */
/* A report while it is being built: its parts, for build.c and resource.c. */
#pragma once
#include <leaktrace/types.h>
#include "report/build.h"
#include "report/group.h"

struct builder {
	const struct report_source *src;
	const struct report_request *rq;
	struct arena *arena;
	const struct same_modules *same; /* NULL: nothing is put together */
};

/* A stack with its frames and items. 0 or -ENOMEM, as all of them. */
int builder_stack(struct builder *b, const struct stack_group *g, struct report_stack *ret);
/* What was not seen acquired, of one process or of several, stands in place of a stack. */
int builder_untraced(struct builder *b, const struct held_group *groups, size_t n, struct report_stack *ret);
/* The sums of a kind, and its stacks; what kind it is has been filled in. */
int builder_resource(struct builder *b, enum lt_kind kind, struct report_resource *res);
