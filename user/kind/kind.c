// SPDX-License-Identifier: Apache-2.0
#include "kind/kind.h"
#include <stddef.h>
#include "base/cleanup.h"
#include "kind/kinds.h"

const struct kind *kind_of(enum lt_kind id)
{
	static const struct kind *const table[] = {
		&kind_connection, &kind_listener, &kind_fd,	&kind_thread,
		&kind_unjoined,	  &kind_child,	  &kind_zombie, &kind_goroutine,
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (table[i]->id == id)
			return table[i];
	return NULL;
}
