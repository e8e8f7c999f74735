/* SPDX-License-Identifier: Apache-2.0 */
/* A census of the test itself, and single items of it. */
#pragma once
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <cmocka.h>
#include "kind/kind.h"

/* A child that does not outlive a test which fails. */
static inline pid_t fork_child(void)
{
	const pid_t pid = fork();

	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

static inline void take(struct census *ret)
{
	assert_int_equal(census_take(getpid(), UINT32_MAX, ret), 0);
}

static inline bool listed(const struct census *c, enum lt_kind kind, uint64_t id)
{
	struct id_vec ids = { 0 };
	size_t times = 0;

	assert_int_equal(kind_of(kind)->list(c, &ids), 0);
	vec_foreach(i, &ids)
		times += *i == id;
	vec_free(&ids);
	assert_in_range(times, 0, 1);
	return times;
}

static inline size_t list_size(const struct census *c, enum lt_kind kind)
{
	struct id_vec ids = { 0 };
	size_t n;

	assert_int_equal(kind_of(kind)->list(c, &ids), 0);
	n = ids.n;
	vec_free(&ids);
	return n;
}

static inline bool holds(const struct census *c, enum lt_kind kind, uint64_t id)
{
	return kind_of(kind)->holds(c, id);
}

static inline struct item describe(const struct census *c, enum lt_kind kind, uint64_t id,
				   struct arena *arena)
{
	const struct holding h = { .id = id };
	struct item i;

	assert_int_equal(kind_of(kind)->describe(c, &h, arena, &i), 0);
	assert_non_null(i.text);
	assert_in_range(i.n_fields, 1, ITEM_FIELDS_MAX);
	return i;
}

static inline const struct item_field *field(const struct item *i, const char *key)
{
	for (size_t n = 0; n < i->n_fields; n++)
		if (!strcmp(i->fields[n].key, key))
			return &i->fields[n];
	fail_msg("no field %s", key);
	return NULL;
}

#define assert_field(item, key, value) assert_string_equal(field(item, key)->string, value)
#define assert_field_number(item, key, value)                      \
	do {                                                       \
		assert_true(field(item, key)->has_number);         \
		assert_int_equal(field(item, key)->number, value); \
	} while (0)
#define assert_field_unknown(item, key)                     \
	do {                                                \
		assert_null(field(item, key)->string);      \
		assert_false(field(item, key)->has_number); \
	} while (0)
