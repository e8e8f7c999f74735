/* SPDX-License-Identifier: Apache-2.0 */
/* What the kinds' describe() share: the fields of an item, one after the other. */
#pragma once
#include <errno.h>
#include "kind/item.h"
#include "kind/kind.h"

/* `s` may be NULL: not known. */
static inline void item_string(struct item *i, const char *key, const char *s)
{
	i->fields[i->n_fields++] = (struct item_field){ .key = key, .string = s };
}

static inline void item_number(struct item *i, const char *key, uint64_t n, bool known)
{
	i->fields[i->n_fields++] =
		(struct item_field){ .key = key, .number = known ? n : 0, .has_number = known };
}

/* `seconds` < 0: not known. */
static inline void item_seconds(struct item *i, const char *key, double seconds)
{
	i->fields[i->n_fields++] =
		(struct item_field){ .key = key, .real = seconds, .has_real = seconds >= 0 };
}

/* An item without fields yet. */
static inline struct item item_make(const struct holding *h)
{
	const bool known = h->acquired_ns && h->acquired_ns <= h->now_ns;

	return (struct item){
		.age_seconds = known ? (double)(h->now_ns - h->acquired_ns) / 1e9 : -1,
	};
}

/* Hands the finished item out; -ENOMEM when its text could not be made. */
static inline int item_finish(const struct item *i, struct item *ret)
{
	if (!i->text)
		return -ENOMEM;
	*ret = *i;
	return 0;
}
