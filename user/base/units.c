// SPDX-License-Identifier: Apache-2.0
#include "base/units.h"
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "base/cleanup.h"

struct unit {
	const char *suffix;
	uint64_t factor;
};

static const struct unit units_time[] = {
	{ "", 1000000000 },   { "ms", 1000000 },      { "s", 1000000000 },
	{ "m", 60000000000 }, { "h", 3600000000000 },
};

static const struct unit units_size[] = {
	{ "", 1 },
	{ "K", 1ULL << 10 },
	{ "M", 1ULL << 20 },
	{ "G", 1ULL << 30 },
	{ "T", 1ULL << 40 },
	{ "k", 1ULL << 10 },
	{ "m", 1ULL << 20 },
	{ "g", 1ULL << 30 },
	{ "t", 1ULL << 40 },
	{ "KiB", 1ULL << 10 },
	{ "MiB", 1ULL << 20 },
	{ "GiB", 1ULL << 30 },
	{ "TiB", 1ULL << 40 },
};

static bool units_digit(char c)
{
	return c >= '0' && c <= '9';
}

static const struct unit *units_find(const struct unit *table, size_t n, const char *suffix)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(table[i].suffix, suffix))
			return &table[i];
	return NULL;
}

/* `fraction` (digits) of `factor`, exact to 18 digits and rounded down: 0.1 has no exact double. */
static uint64_t units_fraction(const char *fraction, uint64_t factor)
{
	uint64_t digits = 0, scale = 1;

	for (int i = 0; i < 18 && units_digit(fraction[i]); i++) {
		digits = digits * 10 + (unsigned int)(fraction[i] - '0');
		scale *= 10;
	}
	return (uint64_t)((unsigned __int128)digits * factor / scale);
}

static int units_parse(const char *s, const struct unit *table, size_t n, uint64_t *ret)
{
	const char *whole = s, *fraction = "";
	const struct unit *u;
	unsigned __int128 v = 0;

	s += strspn(s, "0123456789");
	if (s == whole)
		return -EINVAL;
	if (*s == '.') {
		fraction = ++s;
		s += strspn(s, "0123456789");
		if (s == fraction)
			return -EINVAL;
	}
	u = units_find(table, n, s);
	if (!u)
		return -EINVAL;
	for (; units_digit(*whole); whole++) {
		v = v * 10 + (unsigned int)(*whole - '0');
		if (v > UINT64_MAX)
			return -ERANGE;
	}
	v = v * u->factor + units_fraction(fraction, u->factor);
	if (v > UINT64_MAX)
		return -ERANGE;
	*ret = (uint64_t)v;
	return 0;
}

int units_parse_time(const char *s, uint64_t *ret)
{
	return units_parse(s, units_time, ARRAY_SIZE(units_time), ret);
}

int units_parse_size(const char *s, uint64_t *ret)
{
	return units_parse(s, units_size, ARRAY_SIZE(units_size), ret);
}

int units_parse_uint(const char *s, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;
	int r;

	if (s[strspn(s, "0123456789")])
		return -EINVAL;
	r = units_parse(s, units_size, 1, &v);
	if (r)
		return r;
	if (v > max)
		return -ERANGE;
	*ret = v;
	return 0;
}

struct units_text units_bytes(uint64_t bytes)
{
	static const char prefix[] = "KMGTPE";
	struct units_text t;
	double v = (double)bytes;
	size_t i = 0;

	if (bytes < 1024) {
		snprintf(t.s, sizeof(t.s), "%" PRIu64 " B", bytes);
		return t;
	}
	/* 1023.95 would be printed as 1024.0 */
	for (v /= 1024; v >= 1023.95 && prefix[i + 1]; i++)
		v /= 1024;
	snprintf(t.s, sizeof(t.s), "%.1f %ciB", v, prefix[i]);
	return t;
}

struct units_text units_duration(double seconds)
{
	uint64_t s = seconds > 0 ? (uint64_t)(seconds < 1e15 ? seconds + 0.5 : 1e15) : 0;
	struct units_text t;

	if (seconds < 0.9995)
		snprintf(t.s, sizeof(t.s), "%.0f ms", seconds > 0 ? seconds * 1000 : 0);
	else if (seconds < 59.95)
		snprintf(t.s, sizeof(t.s), "%.1f s", seconds);
	else if (s < 3600)
		snprintf(t.s, sizeof(t.s), "%" PRIu64 "m %02" PRIu64 "s", s / 60, s % 60);
	else if (s < 86400)
		snprintf(t.s, sizeof(t.s), "%" PRIu64 "h %02" PRIu64 "m", s / 3600, s / 60 % 60);
	else
		snprintf(t.s, sizeof(t.s), "%" PRIu64 "d %02" PRIu64 "h", s / 86400, s / 3600 % 24);
	return t;
}

struct units_text units_count(uint64_t n)
{
	char digits[24];
	struct units_text t;
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, n);
	char *p = t.s;

	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			*p++ = ',';
		*p++ = digits[i];
	}
	*p = '\0';
	return t;
}
