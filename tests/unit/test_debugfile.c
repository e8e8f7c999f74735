// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <lzma.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/strbuf.h"
#include "elf/symtab.h"
#include "sym/debugfile.h"
#include "sym/symbolizer.h"
#include "sym_fixture.h"

#define PROGRAM "root/usr/bin/prog"

static const char source[] = "#include \"shared.h\"\n"
			     "static __attribute__((noinline)) int hidden(int x) {\n"
			     "	return shared(x) + 1; }\n"
			     "int main(int argc, char **argv) { return hidden(argc); }\n";
static const char header[] =
	"struct shared_struct { int first_member, second_member, third_member; };\n"
	"static inline __attribute__((always_inline)) int shared(int x) {\n"
	"	volatile struct shared_struct s = { x, x + 1, x + 2 };\n"
	"	return s.first_member * s.second_member + s.third_member; }\n";

/* What is known of an address of the file NAME, as a module in that root: "function:file:line " for
 * every level. */
static int look_up(const struct sym_fixture *f, const char *name, const char *root, uint64_t addr,
		   char *ret)
{
	struct symbol got[SYMBOLS_MAX];
	struct module m = fixture_module(f, name, root);
	struct symbolizer *s;
	int n;

	assert_int_equal(symbolizer_create(&s), 0);
	n = symbolizer_module(s, &m, addr, got);
	*ret = '\0';
	for (int i = 0; i < n; i++)
		sprintf(ret + strlen(ret), "%s:%s:%u ", got[i].function,
			got[i].file ? strrchr(got[i].file, '/') + 1 : "", got[i].line);
	symbolizer_destroy(s);
	fixture_module_deinit(&m);
	return n;
}

struct sample {
	uint64_t addr;	 /* of hidden() */
	char want[1024]; /* what the whole file says of it */
};

/* Makes PROGRAM, stripped, and full.debug: what was taken off. */
static struct sample build(const struct sym_fixture *f, const char *flags)
{
	_cleanup_(elf_image_deinit) struct elf_image img = { 0 };
	struct elf_symtab table;
	struct sample sample;
	_cleanup_close_ int fd = -1;

	fixture_write_text(f, "a.c", source);
	fixture_write_text(f, "shared.h", header);
	fixture_run(f, "mkdir -p root/usr/bin root/usr/lib/debug && gcc -O2 -g %s -o full a.c",
		    flags);
	fixture_run(f, "objcopy --only-keep-debug full full.debug && strip -o " PROGRAM " full");
	fd = fixture_open_file(f, "full");
	assert_int_equal(elf_image_open_fd(fd, &img), 0);
	assert_int_equal(elf_symtab_load(&img, false, &table), 0);
	assert_non_null(elf_symtab_named(&table, "hidden"));
	sample.addr = elf_symtab_named(&table, "hidden")->addr;
	elf_symtab_deinit(&table);
	assert_true(look_up(f, "full", NULL, sample.addr, sample.want) > 0);
	assert_non_null(strstr(sample.want, "hidden:a.c:"));
	return sample;
}

static void expect_found(const struct sym_fixture *f, const struct sample *sample)
{
	char text[1024];

	assert_true(look_up(f, PROGRAM, "root", sample->addr, text) > 0);
	assert_string_equal(text, sample->want);
}

static void expect_nothing(const struct sym_fixture *f, const struct sample *sample)
{
	char text[1024];

	assert_int_equal(look_up(f, PROGRAM, "root", sample->addr, text), 0);
}

/* Where the build-id of the file NAME leads to. */
static char *build_id_path(const struct sym_fixture *f, const char *name)
{
	_cleanup_(elf_image_deinit) struct elf_image img = { 0 };
	_cleanup_close_ int fd = fixture_open_file(f, name);
	struct strbuf path = { 0 };

	assert_int_equal(elf_image_open_fd(fd, &img), 0);
	assert_true(img.build_id_len > 2);
	strbuf_addf(&path, "usr/lib/debug/.build-id/%02x/", img.build_id[0]);
	for (size_t i = 1; i < img.build_id_len; i++)
		strbuf_addf(&path, "%02x", img.build_id[i]);
	strbuf_adds(&path, ".debug");
	return strbuf_steal(&path);
}

static void test_build_id(void **state)
{
	const struct sym_fixture *f = *state;
	const struct sample sample = build(f, "-Wl,--build-id");
	_cleanup_free_ char *path = build_id_path(f, PROGRAM);

	expect_nothing(f, &sample);
	fixture_run(f, "install -D full.debug root/%s", path);
	expect_found(f, &sample);
	if (fixture_has_program(f, "eu-strip")) {
		fixture_run(f,
			    "eu-strip -f eu.debug -o " PROGRAM " full && install eu.debug root/%s",
			    path);
		expect_found(f, &sample);
	}
	/* most are links: seen from inside the root */
	fixture_run(f, "mv root/%s root/real && ln -s /real root/%s", path, path);
	expect_found(f, &sample);
	fixture_run(f, "ln -sf ../../../../../../../../real root/%s", path);
	expect_found(f, &sample);
}

static void test_build_id_refused(void **state)
{
	const struct sym_fixture *f = *state;
	const struct sample sample = build(f, "-Wl,--build-id=0x0102030405060708");
	_cleanup_free_ char *path = build_id_path(f, PROGRAM);

	/* a link out of the root leads to nothing, even when our own root has such a file */
	fixture_run(f, "install -d root/usr/lib/debug/.build-id/01 && ln -s %s/full.debug root/%s",
		    f->dir, path);
	expect_nothing(f, &sample);
	fixture_run(f, "rm root/%s && mkfifo root/%s", path, path);
	expect_nothing(f, &sample);
	fixture_run(f, "rm root/%s && mkdir root/%s", path, path);
	expect_nothing(f, &sample);
	fixture_run(f,
		    "rmdir root/%s && gcc -O2 -g -Wl,--build-id=0x0102030405060709 -o other a.c && "
		    "install other root/%s",
		    path, path);
	expect_nothing(f, &sample);
	fixture_run(f, "gcc -O2 -g -Wl,--build-id=none -o other a.c && install other root/%s",
		    path);
	expect_nothing(f, &sample);
	fixture_run(f, "install full.debug root/%s", path);
	expect_found(f, &sample);
}

static void test_debuglink(void **state)
{
	static const char *const places[] = {
		"root/usr/bin/prog.debug",
		"root/usr/bin/.debug/prog.debug",
		"root/usr/lib/debug/usr/bin/prog.debug",
	};
	const struct sym_fixture *f = *state;
	const struct sample sample = build(f, "-Wl,--build-id=none");

	fixture_run(f,
		    "mv full.debug prog.debug && objcopy --add-gnu-debuglink=prog.debug " PROGRAM);
	expect_nothing(f, &sample);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		fixture_run(f, "install -D prog.debug %s", places[i]);
		expect_found(f, &sample);
		/* not the file that the checksum is of */
		fixture_run(f, "printf x >>%s", places[i]);
		expect_nothing(f, &sample);
		fixture_run(f, "rm %s", places[i]);
	}
}

/* Where both files have a build-id, that decides and not the checksum. */
static void test_debuglink_build_id(void **state)
{
	const struct sym_fixture *f = *state;
	struct sample sample = build(f, "-Wl,--build-id=0x0102030405060708");

	fixture_run(f,
		    "mv full.debug prog.debug && objcopy --add-gnu-debuglink=prog.debug " PROGRAM);
	fixture_run(f, "printf x >>prog.debug && install prog.debug root/usr/bin");
	expect_found(f, &sample);
	build(f, "-Wl,--build-id=0x0102030405060709");
	fixture_run(f,
		    "mv full.debug prog.debug && objcopy --add-gnu-debuglink=prog.debug " PROGRAM);
	expect_nothing(f, &sample);
	/* another stripped copy does not stand in the way of the right one */
	sample = build(f, "-Wl,--build-id=0x0102030405060709");
	fixture_run(f, "objcopy --add-gnu-debuglink=prog.debug " PROGRAM);
	fixture_run(f, "install " PROGRAM " root/usr/bin/prog.debug");
	expect_nothing(f, &sample);
	fixture_run(f, "install -D full.debug root/usr/bin/.debug/prog.debug");
	expect_found(f, &sample);
}

static void pack(const struct sym_fixture *f, const char *from, const char *to, size_t drop)
{
	_cleanup_(elf_image_deinit) struct elf_image img = { 0 };
	_cleanup_close_ int fd = fixture_open_file(f, from);
	_cleanup_free_ uint8_t *packed = NULL;
	size_t size = 0, room;

	assert_int_equal(elf_image_open_fd(fd, &img), 0);
	room = lzma_stream_buffer_bound(img.size);
	packed = malloc(room);
	assert_int_equal(lzma_easy_buffer_encode(6, LZMA_CHECK_CRC32, NULL, img.data, img.size,
						 packed, &size, room),
			 LZMA_OK);
	fixture_write(f, to, packed, size - drop);
}

static void test_debugdata(void **state)
{
	const struct sym_fixture *f = *state;
	const struct sample sample = build(f, "");
	char text[1024];

	fixture_run(f, "strip -g -o mini full");
	pack(f, "mini", "mini.xz", 0);
	fixture_run(f, "objcopy --add-section .gnu_debugdata=mini.xz " PROGRAM " with");
	assert_int_equal(look_up(f, "with", NULL, sample.addr, text), 1);
	assert_string_equal(text, "hidden::0 ");
	pack(f, "mini", "mini.xz", 9);
	fixture_run(f, "objcopy --add-section .gnu_debugdata=mini.xz " PROGRAM " with");
	assert_int_equal(look_up(f, "with", NULL, sample.addr, text), 0);
	fixture_run(f, "objcopy --add-section .gnu_debugdata=a.c " PROGRAM " with");
	assert_int_equal(look_up(f, "with", NULL, sample.addr, text), 0);
}

/* A section that unpacks to more than any file of symbols holds. */
static void test_debugdata_bomb(void **state)
{
	const struct sym_fixture *f = *state;
	_cleanup_(elf_image_deinit) struct elf_image img = { 0 };
	struct elf_image unpacked;
	_cleanup_close_ int fd = -1;
	void *data = NULL;

	build(f, "");
	fixture_run(f, "truncate -s 300M zeros");
	fixture_run(
		f, "if command -v xz >/dev/null; then xz -1 zeros; else gzip <zeros >zeros.xz; fi");
	fixture_run(f, "objcopy --add-section .gnu_debugdata=zeros.xz " PROGRAM " with");
	fd = fixture_open_file(f, "with");
	assert_int_equal(elf_image_open_fd(fd, &img), 0);
	assert_int_equal(debugfile_unpack(&img, &unpacked, &data), -E2BIG);
	assert_null(data);
}

/* dwz moves what two files share into a third. */
static void test_dwz(void **state)
{
	const struct sym_fixture *f = *state;
	const struct sample sample = build(f, "-Wl,--build-id");
	_cleanup_free_ char *alt_path = NULL;
	char text[1024];

	if (!fixture_has_program(f, "dwz"))
		return;
	fixture_run(f, "sed 's/int main/int unused; int main/' a.c >b.c && gcc -O2 -g -o two b.c");
	fixture_run(
		f,
		"dwz -m common -M common full two && readelf -S full | grep -q gnu_debugaltlink");
	fixture_run(f, "cp full with");
	assert_true(look_up(f, "full", NULL, sample.addr, text) > 0);
	assert_string_equal(text, sample.want);
	/* inside hidden(), inlined: its name is in the common file */
	for (uint64_t at = sample.addr; strncmp(text, "shared:shared.h:", 16); at++) {
		assert_true(at < sample.addr + 64);
		look_up(f, "full", NULL, at, text);
	}
	assert_non_null(strstr(text, " hidden:a.c:3 "));

	/* by its build-id only */
	alt_path = build_id_path(f, "common");
	fixture_run(f, "cp full root/usr/bin/prog");
	fixture_run(f, "install -D common root/%s && rm common", alt_path);
	expect_found(f, &sample);
	/* gone altogether: what the file itself has */
	fixture_run(f, "rm root/%s", alt_path);
	assert_true(look_up(f, PROGRAM, "root", sample.addr, text) > 0);
	assert_non_null(strstr(text, "hidden:"));
}

#define FIXTURE_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_build_id),  FIXTURE_TEST(test_build_id_refused),
		FIXTURE_TEST(test_debuglink), FIXTURE_TEST(test_debuglink_build_id),
		FIXTURE_TEST(test_debugdata), FIXTURE_TEST(test_debugdata_bomb),
		FIXTURE_TEST(test_dwz),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
