// SPDX-License-Identifier: Apache-2.0
#include "sym/demangle_rust.h"
#include "sym/rust_name.h"

#define DEPTH_MAX     200
#define STEPS_MAX     100000
#define LIFETIMES_MAX 26 /* 'a to 'z */

static void rust_path(struct rust_name *n, bool in_value);
static void rust_type(struct rust_name *n);
static void rust_const(struct rust_name *n);

/* Every rule of the grammar that can hold itself begins here and ends with leave(). */
static bool rust_enter(struct rust_name *n)
{
	if (++n->depth > DEPTH_MAX || ++n->steps > STEPS_MAX)
		n->bad = true;
	return !n->bad;
}

static void rust_leave(struct rust_name *n)
{
	n->depth--;
}

/* "B" and where the same was written before. Returns where to go on after it, or NULL. */
static const char *rust_backref(struct rust_name *n)
{
	const char *from = n->p - 1, *after;
	const uint64_t offset = rust_base62(n);

	if (n->bad || offset >= (uint64_t)(from - n->start)) {
		n->bad = true;
		return NULL;
	}
	if (n->silent)
		return NULL;
	after = n->p;
	n->p = n->start + offset;
	return after;
}

/* Lifetimes are counted from the innermost outwards; 0 is one without a name. */
static void rust_put_lifetime(struct rust_name *n, uint64_t index)
{
	char name[] = "'_";

	if (index > n->lifetimes)
		n->bad = true;
	else if (index)
		name[1] = 'a' + (n->lifetimes - index);
	rust_puts(n, name);
}

/* "G" and how many lifetimes the type that follows introduces. Returns the number. */
static unsigned int rust_binder(struct rust_name *n)
{
	const uint64_t count = rust_eat(n, 'G') ? rust_base62(n) + 1 : 0;

	if (count > LIFETIMES_MAX - n->lifetimes)
		n->bad = true;
	if (n->bad || !count)
		return 0;
	rust_puts(n, "for<");
	for (uint64_t i = 0; i < count; i++) {
		rust_puts(n, i ? ", " : "");
		n->lifetimes++;
		rust_put_lifetime(n, 1);
	}
	rust_puts(n, "> ");
	return count;
}

static void rust_generic_arg(struct rust_name *n)
{
	if (rust_eat(n, 'L'))
		rust_put_lifetime(n, rust_base62(n));
	else if (rust_eat(n, 'K'))
		rust_const(n);
	else
		rust_type(n);
}

/* Items up to "E", with commas between them. Returns how many. */
static unsigned int rust_list(struct rust_name *n, void (*item)(struct rust_name *n))
{
	unsigned int count = 0;

	for (; !n->bad && !rust_eat(n, 'E'); count++) {
		rust_puts(n, count ? ", " : "");
		item(n);
	}
	return count;
}

static void rust_nested(struct rust_name *n, bool in_value)
{
	const char space = rust_next(n);
	struct rust_ident id;
	uint64_t number;

	rust_path(n, in_value);
	number = rust_disambiguator(n);
	id = rust_ident(n);
	if (space >= 'A' && space <= 'Z') {
		rust_puts(n, "::{");
		if (space == 'C')
			rust_puts(n, "closure");
		else if (space == 'S')
			rust_puts(n, "shim");
		else
			rust_put(n, &space, 1);
		rust_puts(n, id.len ? ":" : "");
		rust_put_ident(n, &id);
		rust_puts(n, "#");
		rust_put_number(n, number);
		rust_puts(n, "}");
	} else if (id.len) {
		rust_puts(n, "::");
		rust_put_ident(n, &id);
	}
}

/* "<TYPE>" and "<TYPE as TRAIT>". */
static void rust_impl(struct rust_name *n, char tag)
{
	const bool silent = n->silent;

	if (tag != 'Y') {
		/* where the impl is written does not matter */
		rust_disambiguator(n);
		n->silent = true;
		rust_path(n, false);
		n->silent = silent;
	}
	rust_puts(n, "<");
	rust_type(n);
	if (tag != 'M') {
		rust_puts(n, " as ");
		rust_path(n, false);
	}
	rust_puts(n, ">");
}

/* A path; `open`: one with generic arguments is left without the ">" at its end, which returns
 * true. */
static bool rust_path_open(struct rust_name *n, bool in_value, bool open)
{
	const char *after;
	struct rust_ident id;
	bool opened = false;
	char tag;

	if (!rust_enter(n))
		return false;
	tag = rust_next(n);
	switch (tag) {
	case 'C':
		rust_disambiguator(n);
		id = rust_ident(n);
		rust_put_ident(n, &id);
		break;
	case 'N':
		rust_nested(n, in_value);
		break;
	case 'M':
	case 'X':
	case 'Y':
		rust_impl(n, tag);
		break;
	case 'I':
		rust_path(n, in_value);
		rust_puts(n, in_value ? "::<" : "<");
		rust_list(n, rust_generic_arg);
		rust_puts(n, open ? "" : ">");
		opened = open;
		break;
	case 'B':
		after = rust_backref(n);
		if (after) {
			opened = rust_path_open(n, in_value, open);
			n->p = after;
		}
		break;
	default:
		n->bad = true;
	}
	rust_leave(n);
	return opened;
}

static void rust_path(struct rust_name *n, bool in_value)
{
	rust_path_open(n, in_value, false);
}

static void rust_fn(struct rust_name *n)
{
	const unsigned int bound = rust_binder(n);
	struct rust_ident id;

	rust_puts(n, rust_eat(n, 'U') ? "unsafe " : "");
	if (rust_eat(n, 'K')) {
		rust_puts(n, "extern \"");
		if (rust_eat(n, 'C')) {
			rust_puts(n, "C");
		} else {
			id = rust_ident(n);
			/* a name of an ABI is written with "-" */
			for (size_t i = 0; i < id.len; i++)
				rust_put(n, id.s[i] == '_' ? "-" : id.s + i, 1);
		}
		rust_puts(n, "\" ");
	}
	rust_puts(n, "fn(");
	rust_list(n, rust_type);
	rust_puts(n, ")");
	if (!rust_eat(n, 'u')) {
		rust_puts(n, " -> ");
		rust_type(n);
	}
	n->lifetimes -= bound;
}

static void rust_dyn_trait(struct rust_name *n)
{
	bool open = rust_path_open(n, false, true);
	struct rust_ident id;

	while (rust_eat(n, 'p')) {
		rust_puts(n, open ? ", " : "<");
		open = true;
		id = rust_ident(n);
		rust_put_ident(n, &id);
		rust_puts(n, " = ");
		rust_type(n);
	}
	rust_puts(n, open ? ">" : "");
}

static void rust_dyn(struct rust_name *n)
{
	unsigned int bound;
	uint64_t lifetime;

	rust_puts(n, "dyn ");
	bound = rust_binder(n);
	for (unsigned int i = 0; !n->bad && !rust_eat(n, 'E'); i++) {
		rust_puts(n, i ? " + " : "");
		rust_dyn_trait(n);
	}
	n->lifetimes -= bound;
	if (!rust_eat(n, 'L'))
		n->bad = true;
	lifetime = rust_base62(n);
	if (lifetime) {
		rust_puts(n, " + ");
		rust_put_lifetime(n, lifetime);
	}
}

static const char *basic_type(char tag)
{
	/* from 'a' to 'z' */
	static const char *const names[] = {
		"i8",	 "bool", "char", "f64", "str",	"f32",	NULL,  "u8", "isize",
		"usize", NULL,	 "i32",	 "u32", "i128", "u128", "_",   NULL, NULL,
		"i16",	 "u16",	 "()",	 "...", NULL,	"i64",	"u64", "!",
	};

	return tag >= 'a' && tag <= 'z' ? names[tag - 'a'] : NULL;
}

static void rust_reference(struct rust_name *n, const char *mut)
{
	uint64_t lifetime;

	rust_puts(n, "&");
	lifetime = rust_eat(n, 'L') ? rust_base62(n) : 0;
	if (lifetime) {
		rust_put_lifetime(n, lifetime);
		rust_puts(n, " ");
	}
	rust_puts(n, mut);
	rust_type(n);
}

static void rust_sequence(struct rust_name *n, char tag)
{
	unsigned int count;

	if (tag == 'T') {
		rust_puts(n, "(");
		count = rust_list(n, rust_type);
		rust_puts(n, count == 1 ? ",)" : ")");
		return;
	}
	rust_puts(n, "[");
	rust_type(n);
	if (tag == 'A') {
		rust_puts(n, "; ");
		rust_const(n);
	}
	rust_puts(n, "]");
}

static void rust_type_of_tag(struct rust_name *n, char tag)
{
	const char *after;

	switch (tag) {
	case 'R':
		rust_reference(n, "");
		break;
	case 'Q':
		rust_reference(n, "mut ");
		break;
	case 'P':
	case 'O':
		rust_puts(n, tag == 'P' ? "*const " : "*mut ");
		rust_type(n);
		break;
	case 'A':
	case 'S':
	case 'T':
		rust_sequence(n, tag);
		break;
	case 'F':
		rust_fn(n);
		break;
	case 'D':
		rust_dyn(n);
		break;
	case 'B':
		after = rust_backref(n);
		if (after) {
			rust_type(n);
			n->p = after;
		}
		break;
	default:
		n->p--;
		rust_path(n, false);
	}
}

static void rust_type(struct rust_name *n)
{
	const char *basic;
	char tag;

	if (!rust_enter(n))
		return;
	tag = rust_next(n);
	basic = basic_type(tag);
	if (basic)
		rust_puts(n, basic);
	else if (!n->bad)
		rust_type_of_tag(n, tag);
	rust_leave(n);
}

static void rust_put_char(struct rust_name *n, uint64_t c)
{
	char text[24];

	if (c >= ' ' && c < 0x7f && c != '\'' && c != '\\')
		snprintf(text, sizeof(text), "'%c'", (int)c);
	else
		snprintf(text, sizeof(text), "'\\u{%llx}'", (unsigned long long)c);
	rust_puts(n, text);
}

/* Those of 128 bits stay as they are. */
static void rust_put_integer(struct rust_name *n)
{
	const size_t len = strspn(n->p, "0123456789abcdef");

	if (len <= 16) {
		rust_put_number(n, rust_digits(n, 16));
		return;
	}
	rust_puts(n, "0x");
	rust_put(n, n->p, len);
	n->p += len;
	if (!rust_eat(n, '_'))
		n->bad = true;
}

static void rust_const(struct rust_name *n)
{
	const char *after;
	char tag;

	if (!rust_enter(n))
		return;
	tag = rust_next(n);
	if (tag == 'p') {
		rust_puts(n, "_");
	} else if (tag == 'B') {
		after = rust_backref(n);
		if (after) {
			rust_const(n);
			n->p = after;
		}
	} else if (tag == 'b') {
		rust_puts(n, rust_digits(n, 16) ? "true" : "false");
	} else if (tag == 'c') {
		rust_put_char(n, rust_digits(n, 16));
	} else if (tag && strchr("asxlnihtmyoj", tag)) {
		rust_puts(n, rust_eat(n, 'n') ? "-" : "");
		rust_put_integer(n);
	} else {
		n->bad = true;
	}
	rust_leave(n);
}

bool demangle_rust_v0(const char *name, size_t max, struct strbuf *ret)
{
	struct rust_name n = {
		.start = name + 2,
		.p = name + 2,
		.out = ret,
		.max = ret->n + max,
	};

	rust_path(&n, true);
	/* the crate that a generic function was compiled for */
	if (*n.p >= 'A' && *n.p <= 'Z') {
		n.silent = true;
		rust_path(&n, false);
		n.silent = false;
	}
	/* the suffixes of copies that the compiler made */
	return !n.bad && (!*n.p || *n.p == '.' || *n.p == '$');
}
