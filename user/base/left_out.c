// SPDX-License-Identifier: Apache-2.0
#include "base/left_out.h"
#include <string.h>

static void item_deinit(struct left_out_item *item)
{
	free(item->what);
	free(item->of);
	free(item->why);
}

static uint64_t string_hash(uint64_t h, const char *s)
{
	for (; *s; s++) /* FNV-1a */
		h = (h ^ (uint8_t)*s) * 0x100000001b3ULL;
	return h;
}

static uint64_t item_hash(const char *what, const char *of)
{
	return string_hash(string_hash(0xcbf29ce484222325ULL, what), of);
}

int left_out_add(struct left_out *l, const char *what, const char *of, const char *why)
{
	struct left_out_item item;

	vec_foreach(known, l)
		if (!strcmp(known->what, what) && !strcmp(known->of, of))
			return 0;
	if (l->n == LEFT_OUT_MAX)
		return l->more.n < LEFT_OUT_COUNTED ? hashmap_put(&l->more, item_hash(what, of), 1) : 0;
	item = (struct left_out_item){ strdup(what), strdup(of), strdup(why) };
	if (item.what && item.of && item.why && !vec_push(l, item))
		return 0;
	item_deinit(&item);
	return -ENOMEM;
}

bool left_out_is_first(const struct left_out *l, size_t i, size_t *ret_more)
{
	*ret_more = 0;
	for (size_t k = 0; k < l->n; k++) {
		if (k == i || strcmp(l->items[k].what, l->items[i].what) ||
		    strcmp(l->items[k].why, l->items[i].why))
			continue;
		if (k < i)
			return false;
		++*ret_more;
	}
	return true;
}

void left_out_deinit(struct left_out *l)
{
	vec_foreach(item, l)
		item_deinit(item);
	vec_free(l);
	hashmap_deinit(&l->more);
}
