/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A streaming JSON writer (RFC 8259). Nesting, commas and indentation are its business; errors are
 * the stream's, told once by json_finish(). Inside an array `key` is NULL, inside an object it is
 * not. Output does not depend on the locale.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "base/cleanup.h"

#define JSON_DEPTH_MAX 16

struct json {
	FILE *out;
	unsigned int depth;
	struct json_level {
		bool array, one_line, used;
	} level[JSON_DEPTH_MAX];
};

/* Starts a document; `one_line` keeps all of it on one line (JSON Lines). */
struct json json_make(FILE *out, bool one_line);

void json_object(struct json *j, const char *key);
void json_array(struct json *j, const char *key);
/* An object that stays on one line, with all that is in it. */
void json_object_line(struct json *j, const char *key);
void json_end(struct json *j);

/*
 * Bytes that are not UTF-8 become U+FFFD; what is not safe on a terminal is escaped. NULL is `null`.
 */
void json_string(struct json *j, const char *key, const char *s);
void json_uint(struct json *j, const char *key, uint64_t v);
/* `v` rounded to 3 decimals; `null` when it is not finite. */
void json_double(struct json *j, const char *key, double v);
void json_bool(struct json *j, const char *key, bool v);
void json_null(struct json *j, const char *key);
/* "0x11a9": JSON readers keep only 53 bits of a number. */
void json_hex(struct json *j, const char *key, uint64_t v);

/* Ends the document's line and flushes the stream. Returns 0 or -EIO. */
int json_finish(struct json *j);
