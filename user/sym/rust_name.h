/* SPDX-License-Identifier: Apache-2.0 */
/* A Rust name that is being read, and the characters, numbers and identifiers of its grammar. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include "base/strbuf.h"

struct rust_name {
	const char *start, *p; /* behind "_R"; NUL-terminated */
	struct strbuf *out;
	size_t max; /* of out->n */
	unsigned int depth, steps, lifetimes;
	bool silent; /* what is parsed is not to be written */
	bool bad;
};

static inline void rust_put(struct rust_name *n, const char *s, size_t len)
{
	if (n->silent || n->bad || !len)
		return;
	if (len > n->max || n->out->n > n->max - len)
		n->bad = true;
	else
		strbuf_add(n->out, s, len);
}

static inline void rust_puts(struct rust_name *n, const char *s)
{
	rust_put(n, s, strlen(s));
}

static inline void rust_put_number(struct rust_name *n, uint64_t v)
{
	char text[24];

	rust_put(n, text, snprintf(text, sizeof(text), "%llu", (unsigned long long)v));
}

static inline bool rust_eat(struct rust_name *n, char c)
{
	if (n->bad || *n->p != c)
		return false;
	n->p++;
	return true;
}

/* The next character; 0 and `bad` at the end. */
static inline char rust_next(struct rust_name *n)
{
	if (n->bad || !*n->p) {
		n->bad = true;
		return '\0';
	}
	return *n->p++;
}

static inline int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'Z' ? c - 'A' + 36 : 62;
}

/* Digits of that base up to "_". */
static inline uint64_t rust_digits(struct rust_name *n, unsigned int base)
{
	uint64_t v = 0;
	unsigned int digit;

	while (!n->bad && !rust_eat(n, '_')) {
		digit = digit_value(rust_next(n));
		if (digit >= base || v > (UINT64_MAX - digit) / base)
			n->bad = true;
		else
			v = v * base + digit;
	}
	return v;
}

static inline uint64_t rust_base62(struct rust_name *n)
{
	return rust_eat(n, '_') ? 0 : rust_digits(n, 62) + 1;
}

static inline uint64_t rust_disambiguator(struct rust_name *n)
{
	return rust_eat(n, 's') ? rust_base62(n) + 1 : 0;
}

struct rust_ident {
	const char *s;
	size_t len;
	bool punycode;
};

static inline struct rust_ident rust_ident(struct rust_name *n)
{
	struct rust_ident id = { .punycode = rust_eat(n, 'u') };

	if (*n->p < '0' || *n->p > '9')
		n->bad = true;
	if (!rust_eat(n, '0'))
		while (!n->bad && *n->p >= '0' && *n->p <= '9' && id.len < 100000)
			id.len = id.len * 10 + (rust_next(n) - '0');
	rust_eat(n, '_');
	id.s = n->p;
	if (n->bad || strnlen(n->p, id.len) < id.len) {
		n->bad = true;
		id.len = 0;
	}
	n->p += id.len;
	return id;
}

static inline void rust_put_ident(struct rust_name *n, const struct rust_ident *id)
{
	if (id->punycode)
		rust_puts(n, "punycode{");
	rust_put(n, id->s, id->len);
	if (id->punycode)
		rust_puts(n, "}");
}
