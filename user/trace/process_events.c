// SPDX-License-Identifier: Apache-2.0
#include "trace/process_events.h"

int process_events_put(struct process_events *events, const struct process_event *e)
{
	const struct process_event *last = events->n ? &events->items[events->n - 1] : NULL;

	if (last && last->type == e->type && last->pid == e->pid)
		return 0;
	return vec_push(events, *e);
}
