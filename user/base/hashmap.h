/* SPDX-License-Identifier: Apache-2.0 */
/* u64 -> u64, open addressing with linear probing. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hashmap_slot {
	uint64_t key, value;
	bool used;
};

struct hashmap {
	struct hashmap_slot *slots;
	size_t n, cap; /* cap is 0 or a power of two */
};

/* A pointer to the value of `key` (valid until the next put or remove), or NULL. */
uint64_t *hashmap_get(const struct hashmap *m, uint64_t key);
/* Sets `key` to `value`. Returns 0 or -ENOMEM (the map is unchanged). */
int hashmap_put(struct hashmap *m, uint64_t key, uint64_t value);
/* Whether `key` was there. The map keeps its size: it is as large as it has ever had to be. */
bool hashmap_remove(struct hashmap *m, uint64_t key);
void hashmap_deinit(struct hashmap *m);
