// SPDX-License-Identifier: Apache-2.0
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "base/cleanup.h"
#include "elf/symtab.h"
#include "elf_fixture.h"

#define BASE	0x400000ULL
#define TEXT	0x1000
#define SYMTAB	0x4000
#define STRTAB	0x5000
#define DYNSYM	0x6000
#define DYNSTR	0x7000
#define DYNAMIC 0x8000
#define HASH	0x9000
#define TEXT_SIZE 0x1000

/* One of the two tables under construction. */
struct table {
	uint64_t symbols, names; /* file offsets */
	uint32_t n, names_size;
};

struct fixture {
	struct elf_fixture elf;
	struct table symtab, dynsym;
};

static int setup(void **state)
{
	struct fixture *f = malloc(sizeof(*f));

	fixture_init(&f->elf);
	fixture_phdr(&f->elf, PT_LOAD, 0, BASE, TEXT, PF_R);
	fixture_phdr(&f->elf, PT_LOAD, TEXT, BASE + TEXT, TEXT_SIZE, PF_R | PF_X);
	fixture_phdr(&f->elf, PT_LOAD, 0x2000, BASE + 0x2000, 0xc000, PF_R | PF_W);
	/* the null symbol and the empty name */
	f->symtab = (struct table){ SYMTAB, STRTAB, 1, 1 };
	f->dynsym = (struct table){ DYNSYM, DYNSTR, 1, 1 };
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static Elf64_Sym *add(struct fixture *f, struct table *t, const char *name, uint64_t addr,
		      uint64_t size, int bind, int type)
{
	Elf64_Sym *sym = (Elf64_Sym *)(f->elf.bytes + t->symbols) + t->n++;

	*sym = (Elf64_Sym){
		.st_name = t->names_size,
		.st_info = ELF64_ST_INFO(bind, type),
		.st_shndx = 2, /* .text */
		.st_value = addr,
		.st_size = size,
	};
	fixture_put(&f->elf, t->names + t->names_size, name, strlen(name) + 1);
	t->names_size += strlen(name) + 1;
	return sym;
}

static void add_function(struct fixture *f, const char *name, uint64_t addr, uint64_t size)
{
	add(f, &f->symtab, name, addr, size, STB_GLOBAL, STT_FUNC);
}

static void add_exported(struct fixture *f, const char *name, uint64_t addr, uint64_t size)
{
	add(f, &f->dynsym, name, addr, size, STB_GLOBAL, STT_FUNC);
}

static void describe(struct fixture *f, struct table *t, const char *name, uint32_t type)
{
	uint64_t size = t->n * sizeof(Elf64_Sym);
	Elf64_Shdr *sh = fixture_section(&f->elf, name, type, t->symbols, 0, size);

	sh->sh_link = f->elf.ehdr->e_shnum;
	sh->sh_entsize = sizeof(Elf64_Sym);
	fixture_section(&f->elf, ".strings", SHT_STRTAB, t->names, 0, t->names_size);
}

/* Writes the section headers, loads the table. The image stays valid with the fixture. */
static struct elf_symtab load(struct fixture *f, bool dynamic_only)
{
	struct elf_symtab t;
	struct elf_image img;

	fixture_section(&f->elf, ".text", SHT_PROGBITS, TEXT, BASE + TEXT, TEXT_SIZE / 2);
	describe(f, &f->symtab, ".symtab", SHT_SYMTAB);
	describe(f, &f->dynsym, ".dynsym", SHT_DYNSYM);
	assert_int_equal(fixture_open(&f->elf, &img), 0);
	assert_int_equal(elf_symtab_load(&img, dynamic_only, &t), 0);
	elf_image_deinit(&img);
	return t;
}

static void assert_at(const struct elf_symtab *t, uint64_t addr, const char *name)
{
	const struct elf_symbol *s = elf_symtab_at(t, addr);

	if (name) {
		assert_non_null(s);
		assert_string_equal(s->name, name);
	} else {
		assert_null(s);
	}
}

static void test_sorted_and_covered(void **state)
{
	_cleanup_(elf_symtab_deinit) struct elf_symtab t = { 0 };
	struct fixture *f = *state;

	add_function(f, "second", 0x401100, 0x10);
	add_function(f, "first", 0x401000, 0x20);
	add_function(f, "third", 0x401200, 0x30);
	t = load(f, false);
	assert_int_equal(t.n, 3);
	assert_string_equal(t.symbols[0].name, "first");
	assert_string_equal(t.symbols[2].name, "third");
	assert_at(&t, 0x400fff, NULL);
	assert_at(&t, 0x401000, "first");
	assert_at(&t, 0x40101f, "first");
	assert_at(&t, 0x401020, NULL);
	assert_at(&t, 0x40110f, "second");
	assert_at(&t, 0x401110, NULL);
	assert_at(&t, 0x40122f, "third");
	assert_at(&t, UINT64_MAX, NULL);
}

static void test_only_defined_code_and_data(void **state)
{
	_cleanup_(elf_symtab_deinit) struct elf_symtab t = { 0 };
	struct fixture *f = *state;

	add(f, &f->symtab, "undefined", 0x401000, 8, STB_GLOBAL, STT_FUNC)->st_shndx = SHN_UNDEF;
	add(f, &f->symtab, "absolute", 0x401000, 8, STB_GLOBAL, STT_FUNC)->st_shndx = SHN_ABS;
	add(f, &f->symtab, "common", 0x401000, 8, STB_GLOBAL, STT_OBJECT)->st_shndx = SHN_COMMON;
	add(f, &f->symtab, "file.c", 0x401000, 0, STB_LOCAL, STT_FILE);
	add(f, &f->symtab, "per_thread", 0x401000, 8, STB_GLOBAL, STT_TLS);
	add(f, &f->symtab, "", 0x401000, 8, STB_LOCAL, STT_SECTION);
	add(f, &f->symtab, "", 0x401000, 8, STB_LOCAL, STT_FUNC);
	add(f, &f->symtab, "bad_name", 0x401000, 8, STB_LOCAL, STT_FUNC)->st_name = 0xffffff;
	add(f, &f->symtab, "table", 0x401000, 0x100, STB_LOCAL, STT_OBJECT);
	t = load(f, false);
	assert_int_equal(t.n, 1);
	assert_string_equal(t.symbols[0].name, "table");
	assert_at(&t, 0x401000, NULL); /* no function */
	assert_null(elf_symtab_named(&t, "table"));
}

static void test_best_of_aliases(void **state)
{
	_cleanup_(elf_symtab_deinit) struct elf_symtab t = { 0 };
	struct fixture *f = *state;

	add_function(f, "__libc_work", 0x401000, 0x20);
	add_function(f, "work", 0x401000, 0x20);
	add_function(f, "_work", 0x401000, 0x20);
	add(f, &f->symtab, "a", 0x401000, 0x20, STB_LOCAL, STT_FUNC);
	add(f, &f->symtab, "label", 0x401100, 0, STB_GLOBAL, STT_NOTYPE);
	add(f, &f->symtab, "_sized", 0x401100, 0x20, STB_GLOBAL, STT_FUNC);
	add(f, &f->symtab, "local", 0x401200, 0x20, STB_LOCAL, STT_FUNC);
	add(f, &f->symtab, "weak_label", 0x401200, 0, STB_WEAK, STT_NOTYPE);
	t = load(f, false);
	assert_at(&t, 0x401000, "work");
	assert_at(&t, 0x401100, "_sized");
	assert_at(&t, 0x401200, "weak_label");
}

static void test_unknown_sizes(void **state)
{
	_cleanup_(elf_symtab_deinit) struct elf_symtab t = { 0 };
	const struct elf_symbol *s;
	struct fixture *f = *state;

	add_function(f, "open_end", 0x401000, 0);
	add_function(f, "alias", 0x401000, 0);
	add_function(f, "next", 0x401040, 8);
	add_function(f, "last", 0x401700, 0);
	add(f, &f->symtab, "bss_start", 0x402000, 0, STB_GLOBAL, STT_NOTYPE)->st_shndx = 99;
	t = load(f, false);
	assert_at(&t, 0x40103f, "alias");
	assert_at(&t, 0x401047, "next");
	assert_at(&t, 0x401048, NULL);
	s = elf_symtab_at(&t, 0x401000);
	assert_true(s->guessed);
	assert_int_equal(s->size, 0x40);
	assert_false(elf_symtab_at(&t, 0x401040)->guessed);
	assert_at(&t, 0x4017ff, "last"); /* to the end of .text, not into what follows it */
	assert_at(&t, 0x401800, NULL);
	assert_at(&t, 0x402000, NULL);
	assert_null(elf_symtab_named(&t, "bss_start"));
}

static void test_nested(void **state)
{
	_cleanup_(elf_symtab_deinit) struct elf_symtab t = { 0 };
	struct fixture *f = *state;

	add_function(f, "outer", 0x401000, 0x200);
	add_function(f, "inner", 0x401040, 0x40);
	add_function(f, "innermost", 0x401050, 0x10);
	add(f, &f->symtab, "label", 0x401100, 0, STB_LOCAL, STT_NOTYPE);
	add(f, &f->symtab, "constants", 0x401180, 0x20, STB_LOCAL, STT_OBJECT);
	add_function(f, "beyond", 0x4011f0, 0x20);
	t = load(f, false);
	assert_at(&t, 0x40103f, "outer");
	assert_at(&t, 0x40104f, "inner");
	assert_at(&t, 0x401050, "innermost");
	assert_at(&t, 0x401060, "inner");
	assert_at(&t, 0x401080, "outer");
	assert_at(&t, 0x401100, "outer"); /* its size is known, the label's is not */
	assert_at(&t, 0x401190, "outer");
	assert_at(&t, 0x4011ff, "beyond");
	assert_at(&t, 0x40120f, "beyond");
	assert_at(&t, 0x401210, NULL);
}

static void test_copies_are_merged(void **state)
{
	_cleanup_(elf_symtab_deinit) struct elf_symtab t = { 0 };
	struct fixture *f = *state;

	add_function(f, "both", 0x401000, 0x20);
	add_exported(f, "both", 0x401000, 0x20);
	add_function(f, "alias", 0x401000, 0x20);
	add_exported(f, "alias", 0x401000, 0x20);
	add_function(f, "internal", 0x401100, 0x20);
	t = load(f, false);
	assert_int_equal(t.n, 3);
	assert_true(elf_symtab_named(&t, "both")->dynamic);
	assert_true(elf_symtab_named(&t, "alias")->dynamic);
	assert_false(elf_symtab_named(&t, "internal")->dynamic);
}

static void test_named_prefers_exported(void **state)
{
	_cleanup_(elf_symtab_deinit) struct elf_symtab t = { 0 };
	struct fixture *f = *state;

	add(f, &f->symtab, "malloc", 0x401000, 0x20, STB_LOCAL, STT_FUNC);
	add_exported(f, "malloc", 0x401100, 0x20);
	add(f, &f->symtab, "malloc", 0x401200, 0x20, STB_LOCAL, STT_FUNC);
	add(f, &f->dynsym, "resolved", 0x401300, 0x20, STB_GLOBAL, STT_GNU_IFUNC);
	t = load(f, false);
	assert_int_equal(elf_symtab_named(&t, "malloc")->addr, 0x401100);
	assert_int_equal(elf_symtab_named(&t, "resolved")->addr, 0x401300);
	assert_null(elf_symtab_named(&t, "mallo"));
	assert_null(elf_symtab_named(&t, ""));
}

static void test_dynamic_only(void **state)
{
	_cleanup_(elf_symtab_deinit) struct elf_symtab t = { 0 };
	struct fixture *f = *state;

	add_function(f, "hidden", 0x401000, 0x20);
	add_exported(f, "shown", 0x401100, 0x20);
	t = load(f, true);
	assert_int_equal(t.n, 1);
	assert_string_equal(t.symbols[0].name, "shown");
}

static void test_no_tables(void **state)
{
	_cleanup_(elf_symtab_deinit) struct elf_symtab t = { 0 };
	_cleanup_(elf_image_deinit) struct elf_image img = { 0 };
	struct fixture *f = *state;

	assert_int_equal(fixture_open(&f->elf, &img), 0);
	assert_int_equal(elf_symtab_load(&img, false, &t), 0);
	assert_int_equal(t.n, 0);
	assert_null(elf_symtab_at(&t, 0x401000));
	assert_null(elf_symtab_named(&t, "main"));
}

static void test_bad_tables(void **state)
{
	struct fixture *f = *state;

	add_function(f, "function", 0x401000, 0x20);
	describe(f, &f->symtab, ".symtab", SHT_SYMTAB);
	for (int i = 0; i < 5; i++) {
		_cleanup_(elf_symtab_deinit) struct elf_symtab t = { 0 };
		_cleanup_(elf_image_deinit) struct elf_image img = { 0 };
		Elf64_Shdr *sh = &f->elf.shdrs[2], good[2] = { sh[0], sh[1] };

		if (i == 0)
			sh->sh_entsize = 0;
		else if (i == 1)
			sh->sh_link = 99;
		else if (i == 2)
			sh->sh_size = UINT64_MAX;
		else if (i == 3)
			sh->sh_size = sizeof(Elf64_Sym) - 1;
		else
			sh[1].sh_size -= 1; /* cuts the NUL of the only name */
		assert_int_equal(fixture_open(&f->elf, &img), 0);
		assert_int_equal(elf_symtab_load(&img, false, &t), 0);
		assert_int_equal(t.n, 0);
		sh[0] = good[0];
		sh[1] = good[1];
	}
}

/* Writes .dynamic with the given way to count the symbols; there are no section headers. */
static void put_dynamic(struct fixture *f, int64_t hash_tag)
{
	const Elf64_Dyn dyn[] = {
		{ DT_SYMTAB, { BASE + DYNSYM } },
		{ DT_STRTAB, { BASE + DYNSTR } },
		{ DT_STRSZ, { f->dynsym.names_size } },
		{ hash_tag, { BASE + HASH } },
		{ DT_NULL, { 0 } },
		{ DT_SYMTAB, { 0 } },
	};

	fixture_put(&f->elf, DYNAMIC, dyn, sizeof(dyn));
	fixture_phdr(&f->elf, PT_DYNAMIC, DYNAMIC, BASE + DYNAMIC, sizeof(dyn), PF_R);
}

static size_t count_dynamic(struct fixture *f)
{
	_cleanup_(elf_symtab_deinit) struct elf_symtab t = { 0 };
	_cleanup_(elf_image_deinit) struct elf_image img = { 0 };

	assert_int_equal(fixture_open(&f->elf, &img), 0);
	assert_int_equal(img.n_sections, 0);
	assert_int_equal(elf_symtab_load(&img, false, &t), 0);
	if (t.n)
		assert_true(elf_symtab_named(&t, "three")->dynamic);
	return t.n;
}

static void test_without_sections_gnu_hash(void **state)
{
	/* two buckets; symbol 1 in one chain, 2 and 3 in the other, which ends the table */
	const uint32_t hash[] = { 2, 1, 1, 6, 0, 0, 1, 2, 0x11, 0x20, 0x31 };
	struct fixture *f = *state;

	add_exported(f, "one", 0x401000, 0x20);
	add_exported(f, "two", 0x401100, 0x20);
	add_exported(f, "three", 0x401200, 0x20);
	put_dynamic(f, DT_GNU_HASH);
	fixture_put(&f->elf, HASH, hash, sizeof(hash));
	assert_int_equal(count_dynamic(f), 3);
}

static void test_without_sections_sysv_hash(void **state)
{
	const uint32_t hash[] = { 1, 4 };
	struct fixture *f = *state;

	add_exported(f, "one", 0x401000, 0x20);
	add_exported(f, "two", 0x401100, 0x20);
	add_exported(f, "three", 0x401200, 0x20);
	put_dynamic(f, DT_HASH);
	fixture_put(&f->elf, HASH, hash, sizeof(hash));
	assert_int_equal(count_dynamic(f), 3);
}

static void test_bad_hashes(void **state)
{
	static const uint32_t hashes[][5] = {
		{ UINT32_MAX, 1, 1, 6 },	/* buckets beyond the file */
		{ 1, 1, UINT32_MAX, 6 },	/* so the bloom filter */
		{ 1, 5, 0, 6, 3 },		/* a chain before the first one */
		{ 1, 0, 0, 6, UINT32_MAX },	/* a chain beyond the file */
		{ 1, 1, 0, 6, 0 },		/* no symbol at all */
	};
	struct fixture *f = *state;

	add_exported(f, "three", 0x401000, 0x20);
	put_dynamic(f, DT_GNU_HASH);
	for (size_t i = 0; i < ARRAY_SIZE(hashes); i++) {
		fixture_put(&f->elf, HASH, hashes[i], sizeof(hashes[i]));
		assert_int_equal(count_dynamic(f), 0);
	}
}

struct library {
	const char *path;
	uint64_t base;
};

static int find_libc(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct library *lib = arg;

	if (!strstr(info->dlpi_name, "/libc.so"))
		return 0;
	*lib = (struct library){ info->dlpi_name, info->dlpi_addr };
	return 1;
}

/* The C library, against what the dynamic linker finds in it. */
static void test_real_library(void **state)
{
	static const char *const names[] = { "malloc", "free",	  "calloc", "realloc",
					     "mmap",   "printf", "qsort",  "posix_memalign" };
	_cleanup_(elf_symtab_deinit) struct elf_symtab t = { 0 };
	_cleanup_(elf_image_deinit) struct elf_image img = { 0 };
	_cleanup_close_ int fd = -1;
	const struct elf_symbol *s;
	struct library lib;
	void *handle;

	assert_int_equal(dl_iterate_phdr(find_libc, &lib), 1);
	fd = open(lib.path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(elf_image_open_fd(fd, &img), 0);
	assert_int_equal(elf_symtab_load(&img, true, &t), 0);
	handle = dlopen(lib.path, RTLD_LAZY); /* its own: not what a sanitizer puts before it */
	assert_non_null(handle);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		s = elf_symtab_named(&t, names[i]);
		assert_non_null(s);
		assert_ptr_equal(lib.base + s->addr, dlsym(handle, names[i]));
		assert_int_equal(elf_symtab_at(&t, s->addr + 1)->addr, s->addr);
	}
	dlclose(handle);
}

/* Every symbol is found at its own address, and by its own name, in a table without order. */
static void test_many(void **state)
{
	static char names[160][16];
	_cleanup_(elf_symtab_deinit) struct elf_symtab t = { 0 };
	struct fixture *f = *state;

	for (int i = 0; i < 160; i++) {
		snprintf(names[i], sizeof(names[i]), "f%d", i);
		add_function(f, names[i], 0x401000 + i * 37 % 160 * 8, 8);
	}
	t = load(f, false);
	assert_int_equal(t.n, 160);
	for (int i = 0; i < 160; i++) {
		assert_at(&t, 0x401000 + i * 37 % 160 * 8 + 7, names[i]);
		assert_int_equal(elf_symtab_named(&t, names[i])->addr, 0x401000 + i * 37 % 160 * 8);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_sorted_and_covered),
		TEST(test_only_defined_code_and_data),
		TEST(test_best_of_aliases),
		TEST(test_unknown_sizes),
		TEST(test_nested),
		TEST(test_copies_are_merged),
		TEST(test_named_prefers_exported),
		TEST(test_dynamic_only),
		TEST(test_no_tables),
		TEST(test_bad_tables),
		TEST(test_without_sections_gnu_hash),
		TEST(test_without_sections_sysv_hash),
		TEST(test_bad_hashes),
		TEST(test_real_library),
		TEST(test_many),
	};

	return cmocka_run_group_tests_name("symtab", tests, NULL, NULL);
}
