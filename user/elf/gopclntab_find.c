// SPDX-License-Identifier: Apache-2.0
/*
 * Where a Go program's table is, and what its addresses are relative to. The header says so only in
 * part, so the rest comes from the runtime's moduledata, which starts with pointers to the header
 * and to the names behind it. In a position-independent program those are in its relocations.
 */
#include <elf.h>
#include <errno.h>
#include <string.h>
#include "elf/gopclntab.h"

#define HEADER_SIZE	72
#define FUNCTIONS_MAX	(1U << 22)
#define MODULE_WORDS	64 /* of moduledata that are read */
#define MODULE_MIN_PC	20
#define MODULE_MAX_PC	21
#define MODULE_TEXT	22 /* up to here all releases agree */
#define MODULE_GOFUNC	32 /* somewhere from here on */
#define TREES_TRIED	256
#define TRIES_MAX	32 /* places that may be the one: a right file has one or two */

/* As the first bytes of the header: the magic number, two zeros. */
static const struct magic {
	uint8_t bytes[6];
	bool early;
} magics[] = {
	{ { 0xf1, 0xff, 0xff, 0xff, 0, 0 }, false }, /* Go 1.20 and later */
	{ { 0xf0, 0xff, 0xff, 0xff, 0, 0 }, true },  /* Go 1.18, 1.19 */
};

struct moduledata {
	uint64_t vaddr;
	uint64_t words[MODULE_WORDS];
};

static uint64_t u64_at(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* The file's bytes of a segment that tables can be in, or NULL. */
static const uint8_t *data_segment(const struct elf_image *img, const struct elf_segment *s)
{
	return s->filesz && !(s->flags & PF_X) ? elf_image_at(img, s->vaddr, s->filesz) : NULL;
}

/* The bytes from one offset of the header to another. */
static bool read_part(const uint8_t *table, uint64_t size, uint64_t from, uint64_t to,
		      struct reader *ret)
{
	if (from < HEADER_SIZE || from > to || to > size)
		return false;
	*ret = reader_make(table + from, to - from);
	return true;
}

/* The table at `table`, if there is one: `size` bytes at most. */
static bool read_header(const uint8_t *table, uint64_t size, struct gopclntab *ret)
{
	const struct magic *magic = NULL;
	uint64_t n, at[5];

	if (size < HEADER_SIZE)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(magics); i++)
		if (!memcmp(table, magics[i].bytes, sizeof(magics[i].bytes)))
			magic = &magics[i];
	if (!magic || (table[6] != 1 && table[6] != 2 && table[6] != 4) || table[7] != 8)
		return false;
	n = u64_at(table + 8);
	for (size_t i = 0; i < ARRAY_SIZE(at); i++)
		at[i] = u64_at(table + 32 + i * 8);
	if (!read_part(table, size, at[0], at[1], &ret->names) ||
	    !read_part(table, size, at[1], at[2], &ret->units) ||
	    !read_part(table, size, at[2], at[3], &ret->files) ||
	    !read_part(table, size, at[3], at[4], &ret->values) ||
	    !read_part(table, size, at[4], size, &ret->functions) || !n || n > FUNCTIONS_MAX ||
	    n * 8 + 4 > reader_left(&ret->functions))
		return false;
	ret->n = n;
	ret->quantum = table[6];
	ret->early = magic->early;
	ret->text = u64_at(table + 24);
	return true;
}

/* -- moduledata ------------------------------------------------------------------------------ */
static struct reader relocations(const struct elf_image *img)
{
	const uint8_t *data = elf_image_at(img, img->dynamic_vaddr, img->dynamic_size);
	struct reader r = reader_make(data, data ? img->dynamic_size : 0);
	uint64_t at = 0, size = 0, tag, value;

	while (reader_left(&r) >= 16) {
		tag = reader_u64(&r);
		value = reader_u64(&r);
		if (tag == DT_NULL)
			break;
		if (tag == DT_RELA)
			at = value;
		else if (tag == DT_RELASZ)
			size = value;
	}
	data = size ? elf_image_at(img, at, size) : NULL;
	return reader_make(data, data ? size : 0);
}

static bool next_relative(struct reader *r, Elf64_Rela *ret)
{
	const void *at;

	while (reader_left(r) >= sizeof(*ret)) {
		at = reader_bytes(r, sizeof(*ret));
		memcpy(ret, at, sizeof(*ret));
		if (ELF64_R_TYPE(ret->r_info) == R_X86_64_RELATIVE)
			return true;
	}
	return false;
}

/* What the loaded program has at `vaddr`; the rest is zero. */
static void read_words(const struct elf_image *img, uint64_t vaddr, struct moduledata *ret)
{
	struct reader r = relocations(img);
	uint64_t size = elf_image_left(img, vaddr), word;
	const uint8_t *data;
	Elf64_Rela rela;

	*ret = (struct moduledata){ .vaddr = vaddr };
	if (size > sizeof(ret->words))
		size = sizeof(ret->words);
	data = elf_image_at(img, vaddr, size);
	if (!data)
		return;
	memcpy(ret->words, data, size);
	while (next_relative(&r, &rela)) {
		word = rela.r_offset - vaddr;
		if (word < size && !(word & 7))
			ret->words[word / 8] = rela.r_addend;
	}
}

/* Whether it is the moduledata of this table: its functions are where the table has them. */
static bool is_moduledata(const struct gopclntab *t, const struct moduledata *m)
{
	const uint64_t text = m->words[MODULE_TEXT];
	const uint8_t *header = elf_image_at(t->img, t->address, HEADER_SIZE);
	struct gopclntab moved = *t;
	struct go_function first, last;

	moved.text = text;
	return m->words[0] == t->address &&
	       m->words[1] == t->address + (uint64_t)(t->names.start - header) &&
	       gopclntab_function(&moved, 0, &first) &&
	       gopclntab_function(&moved, t->n - 1, &last) &&
	       first.entry == m->words[MODULE_MIN_PC] && last.end == m->words[MODULE_MAX_PC] &&
	       elf_image_is_code(t->img, first.entry, last.end - first.entry);
}

static bool moduledata_in_file(const struct gopclntab *t, struct moduledata *ret)
{
	const uint8_t *data, *at;
	int tried = 0;

	elf_foreach_segment(s, t->img) {
		data = data_segment(t->img, s);
		for (at = data; at && tried < TRIES_MAX; at++) {
			at = memmem(at, data + s->filesz - at, &t->address, sizeof(t->address));
			if (!at)
				break;
			tried++;
			read_words(t->img, s->vaddr + (at - data), ret);
			if (is_moduledata(t, ret))
				return true;
		}
	}
	return false;
}

static bool moduledata_in_relocations(const struct gopclntab *t, struct moduledata *ret)
{
	struct reader r = relocations(t->img);
	Elf64_Rela rela;

	for (int tried = 0; tried < TRIES_MAX && next_relative(&r, &rela);) {
		if ((uint64_t)rela.r_addend != t->address)
			continue;
		tried++;
		read_words(t->img, rela.r_offset, ret);
		if (is_moduledata(t, ret))
			return true;
	}
	return false;
}

/* -- what inline trees are relative to ------------------------------------------------------- */
/* Whether the first call of every tree is one: of a name that starts where a name does. */
static bool is_gofunc(struct gopclntab *t, uint64_t gofunc)
{
	struct go_function f;
	struct go_inlined call;
	uint32_t trees = 0;

	t->gofunc = gofunc;
	if (!elf_image_left(t->img, gofunc))
		return false;
	for (uint32_t i = 0; i < t->n && trees < TREES_TRIED; i++) {
		if (!gopclntab_function(t, i, &f) || !gopclntab_has_inlined(t, &f))
			continue;
		if (!gopclntab_call(t, &f, 0, &call) || !*call.name ||
		    ((const uint8_t *)call.name > t->names.start && call.name[-1]))
			return false;
		trees++;
	}
	return trees;
}

/* Its place differs between releases: the one word that fits is it. */
static void find_gofunc(struct gopclntab *t, const struct moduledata *m)
{
	for (size_t i = MODULE_GOFUNC; i < MODULE_WORDS; i++)
		if (m->words[i] && is_gofunc(t, m->words[i]))
			return;
	t->gofunc = 0;
}

/* -- the table ------------------------------------------------------------------------------- */
static bool read_table(const struct elf_image *img, uint64_t vaddr, struct gopclntab *ret)
{
	struct gopclntab t = { .img = img, .address = vaddr };
	const uint64_t size = elf_image_left(img, vaddr);
	const uint8_t *data = elf_image_at(img, vaddr, size);
	struct moduledata m;

	if (!data || !read_header(data, size, &t))
		return false;
	if (!moduledata_in_file(&t, &m) && !moduledata_in_relocations(&t, &m))
		return false;
	t.text = m.words[MODULE_TEXT];
	t.module = m.vaddr;
	find_gofunc(&t, &m);
	*ret = t;
	return true;
}

static bool scan_segment(const struct elf_image *img, const struct elf_segment *s,
			 const struct magic *magic, struct gopclntab *ret)
{
	const uint8_t *data = data_segment(img, s), *at;
	int tried = 0;

	for (at = data; at && tried < TRIES_MAX; at++) {
		at = memmem(at, data + s->filesz - at, magic->bytes, sizeof(magic->bytes));
		if (!at)
			break;
		if (!read_header(at, data + s->filesz - at, ret))
			continue;
		tried++;
		if (read_table(img, s->vaddr + (at - data), ret))
			return true;
	}
	return false;
}

static bool scan(const struct elf_image *img, struct gopclntab *ret)
{
	elf_foreach_segment(s, img)
		for (size_t i = 0; i < ARRAY_SIZE(magics); i++)
			if (scan_segment(img, s, &magics[i], ret))
				return true;
	return false;
}

/* Linkers may merge the table's section with others, but not all that Go makes. */
static bool may_be_go(const struct elf_image *img)
{
	if (!img->n_sections)
		return true;
	elf_foreach_section(s, img)
		if (s->name && (strstr(s->name, ".go.") || strstr(s->name, "gopclntab")))
			return true;
	return false;
}

int gopclntab_find(const struct elf_image *img, struct gopclntab *ret)
{
	static const char *const names[] = { ".gopclntab", ".data.rel.ro.gopclntab" };
	const struct elf_section *s;

	if (!may_be_go(img))
		return -ENOENT;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		s = elf_image_section(img, names[i]);
		if (s && read_table(img, s->addr, ret))
			return 0;
	}
	return scan(img, ret) ? 0 : -ENOENT;
}
