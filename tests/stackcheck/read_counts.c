// SPDX-License-Identifier: Apache-2.0
/*
 * usage: read_counts FILE...
 *
 * How much of each ELF file is read (symbols, functions with unwind information and rows made of
 * it, units of debug information), and how much of it libelf and libdw count in the same file. One
 * line each; the last word is "same", or what is not. Exit status 1 unless all are the same.
 *
 * What is bounded for the sake of files that attack must not cost real ones anything: the biggest
 * that there are are counted in full.
 */
#include <elfutils/libdw.h>
#include <fcntl.h>
#include <gelf.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "elf/cfi.h"
#include "elf/symtab.h"
#include "sym/dwarf_file.h"

struct counts {
	size_t symbols, fdes, units;
};

/* -- by libelf and libdw
 * --------------------------------------------------------------------------- */

struct named {
	GElf_Sym sym;
	const char *name;
};

struct named_vec {
	VEC_OF(struct named);
};

static void die(const char *what)
{
	fprintf(stderr, "read_counts: %s: %s\n", what, elf_errmsg(-1));
	exit(1);
}

/* Code and data that is defined and has a name. */
static bool is_counted(const GElf_Sym *sym, const char *name)
{
	const int type = GELF_ST_TYPE(sym->st_info);

	return name && *name && sym->st_shndx != SHN_UNDEF && sym->st_shndx != SHN_ABS &&
	       sym->st_shndx != SHN_COMMON &&
	       (type == STT_FUNC || type == STT_GNU_IFUNC || type == STT_NOTYPE ||
		type == STT_OBJECT);
}

static void add_symbols(Elf *elf, Elf_Scn *scn, const GElf_Shdr *sh, struct named_vec *to)
{
	Elf_Data *data = elf_getdata(scn, NULL);
	struct named s;

	for (int i = 0; data && gelf_getsym(data, i, &s.sym); i++) {
		s.name = elf_strptr(elf, sh->sh_link, s.sym.st_name);
		if (is_counted(&s.sym, s.name) && vec_push(to, s))
			die("out of memory");
	}
}

/* By what makes two of them the same one. */
static int compare_named(const void *pa, const void *pb)
{
	const struct named *a = pa, *b = pb;
	const bool a_local = GELF_ST_BIND(a->sym.st_info) == STB_LOCAL;
	const bool b_local = GELF_ST_BIND(b->sym.st_info) == STB_LOCAL;

	if (a->sym.st_value != b->sym.st_value)
		return a->sym.st_value < b->sym.st_value ? -1 : 1;
	if (a->sym.st_size != b->sym.st_size)
		return a->sym.st_size < b->sym.st_size ? -1 : 1;
	if (GELF_ST_TYPE(a->sym.st_info) != GELF_ST_TYPE(b->sym.st_info))
		return GELF_ST_TYPE(a->sym.st_info) - GELF_ST_TYPE(b->sym.st_info);
	return a_local != b_local ? a_local - b_local : strcmp(a->name, b->name);
}

static size_t count_distinct(struct named_vec *all)
{
	size_t n = 0;

	if (all->n)
		qsort(all->items, all->n, sizeof(*all->items), compare_named);
	for (size_t i = 0; i < all->n; i++)
		n += !i || compare_named(&all->items[i - 1], &all->items[i]);
	return n;
}

/* Entries of .eh_frame that are no CIE and no terminator. */
static size_t count_fdes(Elf_Scn *scn)
{
	Elf_Data *data = elf_rawdata(scn, NULL);
	const uint8_t *at = data ? data->d_buf : NULL, *end = at + (data ? data->d_size : 0);
	uint32_t length, id;
	size_t n = 0;

	while (at && end - at >= 8) {
		memcpy(&length, at, sizeof(length));
		memcpy(&id, at + 4, sizeof(id));
		if (length == UINT32_MAX)
			die("an .eh_frame of 64 bits");
		n += length && id;
		at += 4 + (size_t)length;
	}
	return n;
}

static size_t count_units(Elf *elf)
{
	Dwarf *dwarf = dwarf_begin_elf(elf, DWARF_C_READ, NULL);
	Dwarf_Off at = 0, next;
	size_t header, n = 0;

	for (; dwarf && !dwarf_nextcu(dwarf, at, &next, &header, NULL, NULL, NULL); at = next)
		n++;
	dwarf_end(dwarf);
	return n;
}

static struct counts count_independently(int fd)
{
	Elf *elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	struct named_vec all = { 0 };
	struct counts n = { 0 };
	Elf_Scn *scn = NULL;
	const char *name;
	size_t names;
	GElf_Shdr sh;

	if (!elf || elf_getshdrstrndx(elf, &names))
		die("not an ELF file");
	while ((scn = elf_nextscn(elf, scn))) {
		if (!gelf_getshdr(scn, &sh) || sh.sh_type == SHT_NOBITS)
			continue;
		name = elf_strptr(elf, names, sh.sh_name);
		if (sh.sh_type == SHT_SYMTAB || sh.sh_type == SHT_DYNSYM)
			add_symbols(elf, scn, &sh, &all);
		else if (name && !strcmp(name, ".eh_frame"))
			n.fdes = count_fdes(scn);
	}
	n.symbols = count_distinct(&all);
	n.units = count_units(elf);
	vec_free(&all);
	elf_end(elf);
	return n;
}

/* -- by leaktrace
 * ---------------------------------------------------------------------------------- */

static size_t units_read(int fd, const struct elf_image *img)
{
	struct dwarf_file f = { 0 };
	size_t n = 0;

	if (!dwview_open(fd, img, &f.view) && !dwarf_file_index(&f))
		n = f.units.n;
	dwarf_file_deinit(&f);
	return n;
}

static int counts_read(int fd, struct counts *ret, size_t *ret_rows)
{
	_cleanup_(elf_image_deinit) struct elf_image img = { 0 };
	_cleanup_(elf_symtab_deinit) struct elf_symtab symbols = { 0 };
	_cleanup_(cfi_rows_deinit) struct cfi_rows rows = { 0 };
	int r = elf_image_open_fd(fd, &img);

	if (!r)
		r = elf_symtab_load(&img, false, &symbols);
	if (!r)
		r = cfi_rows_build(&img, &rows);
	if (r)
		return r;
	*ret = (struct counts){ symbols.n, rows.fdes, units_read(fd, &img) };
	*ret_rows = rows.n;
	return 0;
}

static bool check(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct counts want, got = { 0 };
	size_t rows = 0;
	int r;

	if (fd < 0) {
		perror(path);
		return false;
	}
	want = count_independently(fd);
	r = counts_read(fd, &got, &rows);
	if (r)
		printf("%s: %s; ", path, strerror(-r));
	else
		printf("%s: ", path);
	printf("symbols %zu of %zu, functions with unwind rows %zu of %zu (rows %zu), units %zu of "
	       "%zu:%s%s%s%s\n",
	       got.symbols, want.symbols, got.fdes, want.fdes, rows, got.units, want.units,
	       got.symbols != want.symbols ? " SYMBOLS" : "", got.fdes != want.fdes ? " ROWS" : "",
	       got.units != want.units ? " UNITS" : "",
	       memcmp(&got, &want, sizeof(got)) ? "" : " same");
	return !r && !memcmp(&got, &want, sizeof(got));
}

int main(int argc, char **argv)
{
	bool same = true;

	elf_version(EV_CURRENT);
	for (int i = 1; i < argc; i++)
		same &= check(argv[i]);
	return !same;
}
