/* SPDX-License-Identifier: Apache-2.0 */
/* One thing that is held, described: what writers show of a connection, a descriptor, a thread. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct item_field {
	const char *key;    /* as in JSON: "local" */
	const char *string; /* NULL: see `number` */
	uint64_t number;
	double real;
	bool has_number, has_real; /* neither, and no string: not known */
};

#define ITEM_FIELDS_MAX 10

struct item {
	double age_seconds; /* < 0: not known */
	struct item_field fields[ITEM_FIELDS_MAX]; /* each user/kind/KIND.c says which */
	size_t n_fields;
	const char *text; /* the same in words: "tcp 127.0.0.1:4242 to 127.0.0.1:80, CLOSE_WAIT" */
	const char *note; /* what is wrong with it, in words; NULL: nothing that is known */
	pid_t holder; /* where holdings of several processes stand together: whose it is; 0: they do not */
};
