// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include "base/utf8.h"

struct json json_make(FILE *out, bool one_line)
{
	return (struct json){ .out = out, .level[0] = { .array = true, .one_line = one_line } };
}

static void json_quoted(FILE *out, const char *s)
{
	static const char short_form[0x60] = {
		['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n',  ['\r'] = 'r',
		['\t'] = 't', ['"'] = '"',  ['\\'] = '\\',
	};
	const char *at;
	uint32_t c;

	fputc('"', out);
	while (at = s, (c = utf8_next(&s))) {
		if (c == UTF8_INVALID)
			fputs("\xef\xbf\xbd", out);
		else if (c < sizeof(short_form) && short_form[c])
			fprintf(out, "\\%c", short_form[c]);
		else if (utf8_is_unsafe(c))
			fprintf(out, "\\u%04x", (unsigned int)c);
		else
			fwrite(at, 1, (size_t)(s - at), out);
	}
	fputc('"', out);
}

static void json_newline(struct json *j)
{
	fprintf(j->out, "\n%*s", (int)j->depth * 2, "");
}

/* Everything that stands before a value. */
static void json_before(struct json *j, const char *key)
{
	struct json_level *l = &j->level[j->depth];

	assert(l->array == !key);
	if (l->used)
		fputc(',', j->out);
	if (j->depth && !l->one_line)
		json_newline(j);
	else if (j->depth && (l->used || !l->array))
		fputc(' ', j->out);
	l->used = true;
	if (key) {
		json_quoted(j->out, key);
		fputs(": ", j->out);
	}
}

static void json_begin(struct json *j, const char *key, bool array, bool one_line)
{
	json_before(j, key);
	one_line |= j->level[j->depth].one_line;
	assert(j->depth + 1 < JSON_DEPTH_MAX);
	j->level[++j->depth] = (struct json_level){ .array = array, .one_line = one_line };
	fputc(array ? '[' : '{', j->out);
}

void json_object(struct json *j, const char *key)
{
	json_begin(j, key, false, false);
}

void json_object_line(struct json *j, const char *key)
{
	json_begin(j, key, false, true);
}

void json_array(struct json *j, const char *key)
{
	json_begin(j, key, true, false);
}

void json_end(struct json *j)
{
	struct json_level l = j->level[j->depth];

	assert(j->depth);
	j->depth--;
	if (l.used && !l.one_line)
		json_newline(j);
	else if (l.used && !l.array)
		fputc(' ', j->out);
	fputc(l.array ? ']' : '}', j->out);
}

void json_string(struct json *j, const char *key, const char *s)
{
	json_before(j, key);
	if (s)
		json_quoted(j->out, s);
	else
		fputs("null", j->out);
}

void json_uint(struct json *j, const char *key, uint64_t v)
{
	json_before(j, key);
	fprintf(j->out, "%" PRIu64, v);
}

void json_double(struct json *j, const char *key, double v)
{
	double a = v < 0 ? -v : v;
	unsigned int rest, digits = 3;
	uint64_t whole;

	if (!isfinite(v)) {
		json_null(j, key);
		return;
	}
	json_before(j, key);
	if (a >= 1e18) { /* far beyond the decimals of a double */
		fprintf(j->out, "%.0f.0", v);
		return;
	}
	whole = (uint64_t)a;
	rest = (unsigned int)((a - (double)whole) * 1000 + 0.5);
	whole += rest / 1000;
	rest %= 1000;
	if (v < 0 && (whole || rest))
		fputc('-', j->out);
	for (; digits > 1 && rest % 10 == 0; digits--)
		rest /= 10;
	fprintf(j->out, "%" PRIu64 ".%0*u", whole, (int)digits, rest);
}

void json_bool(struct json *j, const char *key, bool v)
{
	json_before(j, key);
	fputs(v ? "true" : "false", j->out);
}

void json_null(struct json *j, const char *key)
{
	json_string(j, key, NULL);
}

void json_hex(struct json *j, const char *key, uint64_t v)
{
	json_before(j, key);
	fprintf(j->out, "\"0x%" PRIx64 "\"", v);
}

int json_finish(struct json *j)
{
	assert(!j->depth);
	fputc('\n', j->out);
	return fflush(j->out) || ferror(j->out) ? -EIO : 0;
}
