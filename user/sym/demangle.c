// SPDX-License-Identifier: Apache-2.0
#include "sym/demangle.h"
#include <libiberty/demangle.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include "sym/demangle_rust.h"

#define WEIGHT_MAX 65536 /* parts of a name; those that people write have some thousands */

struct output {
	struct strbuf text;
	jmp_buf too_long;
};

/* libiberty asks for no verdict between two pieces of text, and a few substitutions can stand for
 * gigabytes: a jump is the only way out. Nothing is allocated in the frames that it leaves. */
static void output_add(const char *s, size_t n, void *arg)
{
	struct output *out = arg;

	if (n)
		strbuf_add(&out->text, s, n);
	if (out->text.n > DEMANGLE_OUTPUT_MAX || out->text.oom)
		longjmp(out->too_long, 1);
}

/* The parts of a C++ name, as libiberty has parsed it. They are no tree: what is abbreviated in the
 * name is one part that others share. */
struct parts {
	const struct demangle_component *first;
	size_t n;
	uint32_t weights[2 * DEMANGLE_INPUT_MAX]; /* 0: not known yet */
};

static uint32_t parts_weigh(struct parts *p, const struct demangle_component *part);

static uint32_t weigh_inside(struct parts *p, const struct demangle_component *part)
{
	switch (part->type) {
	case DEMANGLE_COMPONENT_NAME:
	case DEMANGLE_COMPONENT_OPERATOR:
	case DEMANGLE_COMPONENT_BUILTIN_TYPE:
	case DEMANGLE_COMPONENT_EXTENDED_BUILTIN_TYPE:
	case DEMANGLE_COMPONENT_SUB_STD:
	case DEMANGLE_COMPONENT_CHARACTER:
	case DEMANGLE_COMPONENT_NUMBER:
	case DEMANGLE_COMPONENT_FUNCTION_PARAM:
	case DEMANGLE_COMPONENT_TEMPLATE_PARAM:
	case DEMANGLE_COMPONENT_UNNAMED_TYPE:
		return 0;
	case DEMANGLE_COMPONENT_EXTENDED_OPERATOR:
		return parts_weigh(p, part->u.s_extended_operator.name);
	case DEMANGLE_COMPONENT_CTOR:
		return parts_weigh(p, part->u.s_ctor.name);
	case DEMANGLE_COMPONENT_DTOR:
		return parts_weigh(p, part->u.s_dtor.name);
	case DEMANGLE_COMPONENT_FIXED_TYPE:
		return parts_weigh(p, part->u.s_fixed.length);
	case DEMANGLE_COMPONENT_LAMBDA:
	case DEMANGLE_COMPONENT_DEFAULT_ARG:
		return parts_weigh(p, part->u.s_unary_num.sub);
	default:
		return parts_weigh(p, part->u.s_binary.left) +
		       parts_weigh(p, part->u.s_binary.right);
	}
}

/* How many parts a tree would have in the place of `part`, at most WEIGHT_MAX. */
static uint32_t parts_weigh(struct parts *p, const struct demangle_component *part)
{
	const size_t i = part - p->first;
	uint32_t weight;

	if (!part)
		return 0;
	if (i >= p->n)
		return WEIGHT_MAX;
	if (!p->weights[i]) {
		/* one that holds itself weighs too much */
		p->weights[i] = WEIGHT_MAX;
		weight = 1 + weigh_inside(p, part);
		p->weights[i] = weight < WEIGHT_MAX ? weight : WEIGHT_MAX;
	}
	return p->weights[i];
}

/* libiberty walks the parts as if they were a tree, again and again for some, before it writes. */
static bool is_light(const struct demangle_component *whole, const void *first, size_t n)
{
	struct parts parts = { .first = first, .n = n };

	return parts_weigh(&parts, whole) < WEIGHT_MAX;
}

static bool demangle_cxx(const char *name, size_t n, struct output *out)
{
	/* the length of the name bounds the recursion; libiberty's limit is 1,024 characters */
	const int options = DMGL_PARAMS | DMGL_ANSI | DMGL_NO_RECURSE_LIMIT;
	struct demangle_component *whole;
	void *parts = NULL;
	bool done = false;

	if (strncmp(name, "_Z", 2))
		return false;
	whole = cplus_demangle_v3_components(name, options, &parts);
	if (whole && is_light(whole, parts, 2 * n) && !setjmp(out->too_long))
		done = cplus_demangle_print_callback(options, whole, output_add, out);
	free(parts);
	return done;
}

/* What rustc made before its v0 names: as for C++, with a hash as the last part. */
static bool demangle_rust_legacy(const char *name, struct output *out)
{
	if (strncmp(name, "_ZN", 3) || setjmp(out->too_long))
		return false;
	return rust_demangle_callback(name, DMGL_PARAMS, output_add, out);
}

static bool demangle_any(const char *name, size_t n, struct output *out)
{
	if (!strncmp(name, "_R", 2))
		return demangle_rust_v0(name, DEMANGLE_OUTPUT_MAX, &out->text);
	if (demangle_rust_legacy(name, out))
		return true;
	/* what it wrote before it gave up */
	out->text.n = 0;
	return demangle_cxx(name, n, out);
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
		done = demangle_any(copy, n, &out) && out.text.n;
	}
	if (done)
		strbuf_add(ret, out.text.s, out.text.n);
	else
		strbuf_add(ret, name, n);
	strbuf_deinit(&out.text);
	return done;
}
