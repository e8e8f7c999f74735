// SPDX-License-Identifier: Apache-2.0
/* Profiles are what they were made of. That Go's own pprof reads them: tests/e2e/go-goroutines.t. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <errno.h>
#include "base/cleanup.h"
#include "base/gzip.h"
#include "base/proto.h"
#include "report/pprof.h"

#define BIG (3U << 20)

static size_t unzip(const char *bytes, size_t n, uint8_t *to, size_t size)
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)bytes, .avail_in = (uInt)n, .next_out = to,
		       .avail_out = (uInt)size };

	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.avail_in, 0);
	inflateEnd(&z);
	return size - z.avail_out;
}

static void encodes_fields(void **state)
{
	static const uint8_t wanted[] = { 0x08, 0x96, 0x01, 0x12, 0x03, 'a', 'b', 'c', 0x1a, 0x03, 0x01, 0xac,
					  0x02, 0x20, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
					  0x01, 0x2a, 0x00, 0x80, 0x01, 0x05 };
	_cleanup_(strbuf_deinit) struct strbuf b = { 0 };

	proto_uint(&b, 1, 150);
	proto_uint(&b, 1, 0);
	proto_bytes(&b, 2, "abc", 3);
	proto_packed(&b, 3, (uint64_t[]){ 1, 300 }, 2);
	proto_packed(&b, 3, NULL, 0);
	proto_uint(&b, 4, (uint64_t)-1);
	proto_bytes(&b, 5, NULL, 0);
	proto_uint(&b, 16, 5);
	assert_int_equal(b.n, sizeof(wanted));
	assert_memory_equal(b.s, wanted, sizeof(wanted));
}

static void compresses_all(void **state)
{
	_cleanup_free_ uint8_t *bytes = malloc(BIG), *again = malloc(BIG + 1);
	_cleanup_free_ char *file = NULL;
	size_t n;
	FILE *out;

	for (size_t i = 0; i < BIG; i++)
		bytes[i] = (uint8_t)(mrand48() >> (i % 7));
	for (size_t size = 0; size <= BIG; size = size * 5 + 1) {
		out = open_memstream(&file, &n);
		assert_int_equal(gzip_write(out, bytes, size), 0);
		fclose(out);
		assert_int_equal(unzip(file, n, again, BIG + 1), size);
		assert_memory_equal(bytes, again, size);
		free(take_ptr(file));
	}
	out = fopen("/dev/full", "w");
	if (out) {
		setvbuf(out, NULL, _IONBF, 0);
		assert_int_equal(gzip_write(out, bytes, BIG), -EIO);
		fclose(out);
	}
}

/* How often the bytes are in the message. */
static unsigned int count(const uint8_t *message, size_t n, const void *bytes, size_t size)
{
	const uint8_t *at = message;
	unsigned int found = 0;

	while ((at = memmem(at, (size_t)(message + n - at), bytes, size))) {
		found++;
		at++;
	}
	return found;
}

static void add_samples(struct pprof *p)
{
	const uint64_t mapping = pprof_add_mapping(
		p, &(struct pprof_mapping){ 0x1000, 0x9000, 0x400, "/bin/program", "abcdef" });
	const struct pprof_line lines[] = { { "inner", "a.c", 3 }, { "outer", "a.c", 7 } };
	const struct pprof_label label = { .key = "user", .text = "somebody" };
	const int64_t values[] = { 5, -6 };
	uint64_t locations[2];

	for (int i = 0; i < 2; i++) {
		locations[0] = pprof_add_location(p, mapping, 0x1234, lines, 2);
		locations[1] = pprof_add_location(p, mapping, 0x2345, lines + 1, 1);
		pprof_add_sample(p, &(struct pprof_sample){ locations, 2, values, &label, 1 });
	}
	assert_int_equal(mapping, 1);
	assert_int_equal(locations[0], 1);
	assert_int_equal(locations[1], 2);
}

static void writes_profiles(void **state)
{
	static const uint8_t sample[] = { 0x12, 0x17, 0x0a, 0x02, 1, 2, 0x12, 0x0b, 5, 0xfa, 0xff, 0xff, 0xff,
					  0xff, 0xff, 0xff, 0xff, 0xff, 0x01 };
	const struct pprof_type types[] = { { "objects", "count" }, { "space", "bytes" } };
	const struct pprof_options o = { .types = types, .n_types = 2, .period_type = types[1], .period = 3 };
	static const char *const strings[] = { "objects", "count", "space",  "bytes", "/bin/program",
					       "abcdef",  "inner", "outer", "a.c",   "user", "somebody" };
	_cleanup_free_ char *file = NULL;
	uint8_t message[4096];
	struct pprof *p;
	FILE *out;
	size_t n;

	assert_int_equal(pprof_create(&o, &p), 0);
	add_samples(p);
	out = open_memstream(&file, &n);
	assert_int_equal(pprof_write(p, out), 0);
	fclose(out);
	pprof_destroy(p);
	n = unzip(file, n, message, sizeof(message));
	for (size_t i = 0; i < ARRAY_SIZE(strings); i++) {
		char field[64] = { 0x32, (char)strlen(strings[i]) }; /* string_table */

		memcpy(field + 2, strings[i], strlen(strings[i]));
		assert_int_equal(count(message, n, field, strlen(strings[i]) + 2), 1);
	}
	assert_int_equal(count(message, n, sample, sizeof(sample)), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(encodes_fields),
		cmocka_unit_test(compresses_all),
		cmocka_unit_test(writes_profiles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
