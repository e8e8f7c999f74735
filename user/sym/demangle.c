// SPDX-License-Identifier: Apache-2.0
#include "sym/demangle.h"
#include <libiberty/demangle.h>
#include <setjmp.h>
#include <string.h>

struct output {
	struct strbuf text;
	jmp_buf too_long;
};

/* libiberty asks for no verdict between two pieces of text, and a few substitutions can stand for
 * gigabytes: a jump is the only way out. Nothing is allocated in the frames that it leaves. */
static void output_add(const char *s, size_t n, void *arg)
{
	struct output *out = arg;

	strbuf_add(&out->text, s, n);
	if (out->text.n > DEMANGLE_OUTPUT_MAX || out->text.oom)
		longjmp(out->too_long, 1);
}

static bool demangle_into(const char *name, struct output *out)
{
	/* the length of the name bounds the recursion; libiberty's own limit is 1,024 characters */
	const int options = DMGL_PARAMS | DMGL_ANSI | DMGL_NO_RECURSE_LIMIT;

	if (setjmp(out->too_long))
		return false;
	if (rust_demangle_callback(name, DMGL_PARAMS, output_add, out))
		return true;
	/* what it wrote before it gave up */
	out->text.n = 0;
	return cplus_demangle_v3_callback(name, options, output_add, out);
}

/* The length of a name without the suffix that ThinLTO gives to functions it makes global. */
static size_t name_length(const char *name)
{
	const char *suffix = strstr(name, ".llvm.");

	return suffix ? (size_t)(suffix - name) : strlen(name);
}

bool demangle(const char *name, struct strbuf *ret)
{
	const size_t n = name_length(name);
	char copy[DEMANGLE_INPUT_MAX + 1];
	struct output out = { 0 };
	bool done = false;

	if (n <= DEMANGLE_INPUT_MAX && name[0] == '_') {
		memcpy(copy, name, n);
		copy[n] = '\0';
		done = demangle_into(copy, &out) && out.text.n;
	}
	if (done)
		strbuf_add(ret, out.text.s, out.text.n);
	else
		strbuf_add(ret, name, n);
	strbuf_deinit(&out.text);
	return done;
}
