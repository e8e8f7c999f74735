// SPDX-License-Identifier: Apache-2.0
#include "elf/symtab.h"
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/reader.h"
#include "elf/sort.h"

/* Of a longer name only so much is compared; what is the same in that is taken for the same. */
#define NAME_COMPARED 1024
#define PROBES_MAX    64 /* of the index: names can be chosen so that all would have one place */

/* The symbols of one table of the file, and where their names are. */
struct raw_table {
	const uint8_t *symbols;
	const char *names; /* every offset below names_size is a terminated string */
	size_t n, names_size;
};

struct elf_name_index {
	uint32_t *slots; /* open addressing: index of a symbol + 1, or 0 */
	size_t cap;	 /* a power of two; 0: not made yet */
};

static void raw_table_set_names(struct raw_table *t, const uint8_t *data, size_t size)
{
	const uint8_t *nul = data ? memrchr(data, 0, size) : NULL;

	t->names = (const char *)data;
	t->names_size = nul ? (size_t)(nul - data) + 1 : 0;
}

static bool raw_table_from_sections(const struct elf_image *img, uint32_t type,
				    struct raw_table *ret)
{
	const struct elf_section *s = NULL;

	for (size_t i = 0; i < img->n_sections && !s; i++)
		if (img->sections[i].type == type)
			s = &img->sections[i];
	if (!s || s->entsize != sizeof(Elf64_Sym) || s->link >= img->n_sections)
		return false;
	ret->symbols = elf_image_section_data(img, s);
	ret->n = ret->symbols ? s->size / sizeof(Elf64_Sym) : 0;
	raw_table_set_names(ret, elf_image_section_data(img, &img->sections[s->link]),
			    img->sections[s->link].size);
	return ret->n;
}

/* DT_GNU_HASH lists no count: the last symbol is at the end of the longest-reaching chain. */
static uint64_t gnu_hash_count(const struct elf_image *img, uint64_t vaddr)
{
	uint64_t size = elf_image_left(img, vaddr);
	struct reader r = reader_make(elf_image_at(img, vaddr, size), size);
	uint32_t n_buckets = reader_u32(&r), first = reader_u32(&r), bloom = reader_u32(&r);
	uint32_t last = 0, bucket;

	reader_skip(&r, 4 + bloom * 8ULL); /* the bloom filter and its shift */
	for (uint32_t i = 0; i < n_buckets && !r.bad; i++) {
		bucket = reader_u32(&r);
		last = bucket > last ? bucket : last;
	}
	if (r.bad || last < first || !last)
		return 0;
	reader_skip(&r, (last - first) * 4ULL);
	while (!(reader_u32(&r) & 1) && !r.bad)
		last++;
	return r.bad ? 0 : last + 1ULL;
}

static uint64_t sysv_hash_count(const struct elf_image *img, uint64_t vaddr)
{
	const uint8_t *data = elf_image_at(img, vaddr, 8);
	struct reader r = reader_make(data, data ? 8 : 0);

	reader_skip(&r, 4); /* the number of buckets; the number of chains is that of symbols */
	return reader_u32(&r);
}

static bool raw_table_from_dynamic(const struct elf_image *img, struct raw_table *ret)
{
	const uint8_t *data = elf_image_at(img, img->dynamic_vaddr, img->dynamic_size);
	struct reader r = reader_make(data, data ? img->dynamic_size : 0);
	uint64_t values[DT_STRSZ + 1] = { 0 }, gnu_hash = 0, tag, value, n;

	while (reader_left(&r) >= sizeof(Elf64_Dyn)) {
		tag = reader_u64(&r);
		value = reader_u64(&r);
		if (tag == DT_NULL)
			break;
		if (tag <= DT_STRSZ)
			values[tag] = value;
		else if (tag == DT_GNU_HASH)
			gnu_hash = value;
	}
	n = gnu_hash ? gnu_hash_count(img, gnu_hash) : sysv_hash_count(img, values[DT_HASH]);
	ret->symbols = elf_image_at(img, values[DT_SYMTAB], n * sizeof(Elf64_Sym));
	ret->n = ret->symbols ? n : 0;
	raw_table_set_names(ret, elf_image_at(img, values[DT_STRTAB], values[DT_STRSZ]),
			    values[DT_STRSZ]);
	return ret->n;
}

static bool is_code_type(uint8_t type)
{
	return type == STT_FUNC || type == STT_GNU_IFUNC || type == STT_NOTYPE;
}

/* How far a symbol without a size can reach: to the end of its section, or else of its segment. */
static uint64_t symbol_room(const struct elf_image *img, const Elf64_Sym *sym)
{
	const struct elf_section *s;

	if (!elf_image_is_code(img, sym->st_value, 1))
		return 0;
	if (sym->st_shndx < img->n_sections) {
		s = &img->sections[sym->st_shndx];
		return sym->st_value - s->addr < s->size ? s->size - (sym->st_value - s->addr) : 0;
	}
	return elf_image_left(img, sym->st_value);
}

static bool symbol_parse(const struct elf_image *img, const struct raw_table *raw, size_t i,
			 struct elf_symbol *ret)
{
	Elf64_Sym sym;

	memcpy(&sym, raw->symbols + i * sizeof(sym), sizeof(sym));
	*ret = (struct elf_symbol){
		.addr = sym.st_value,
		.size = sym.st_size,
		.type = ELF64_ST_TYPE(sym.st_info),
		.bind = ELF64_ST_BIND(sym.st_info),
	};
	if (sym.st_shndx == SHN_UNDEF || sym.st_shndx == SHN_ABS || sym.st_shndx == SHN_COMMON ||
	    sym.st_name >= raw->names_size || !raw->names[sym.st_name])
		return false;
	if (!is_code_type(ret->type) && ret->type != STT_OBJECT)
		return false;
	ret->name = raw->names + sym.st_name;
	if (!ret->size && is_code_type(ret->type)) {
		ret->size = symbol_room(img, &sym);
		ret->guessed = ret->size;
	}
	return true;
}

static int symtab_add(struct elf_symtab *t, const struct elf_image *img,
		      const struct raw_table *raw, bool dynamic)
{
	const size_t n = raw->n < ELF_SYMBOLS_MAX ? raw->n : ELF_SYMBOLS_MAX;
	struct elf_symbol *more = reallocarray(t->symbols, t->n + n, sizeof(*more));

	if (!more)
		return -ENOMEM;
	t->symbols = more;
	t->cap = t->n + n;
	t->cut |= n < raw->n;
	for (size_t i = 0; i < n; i++) {
		if (!symbol_parse(img, raw, i, &more[t->n]))
			continue;
		more[t->n].dynamic = dynamic;
		t->n++;
	}
	return 0;
}

static int compare_names(const char *a, const char *b)
{
	return a == b ? 0 : strncmp(a, b, NAME_COMPARED);
}

static size_t underscores(const char *name)
{
	size_t n = 0;

	while (n < NAME_COMPARED && name[n] == '_')
		n++;
	return n;
}

static int compare_better_less(uint64_t a, uint64_t b)
{
	return (a < b) - (a > b);
}

/* Among symbols at one address: the best name last. */
static int symbol_compare(const void *pa, const void *pb)
{
	const struct elf_symbol *a = pa, *b = pb;
	int r;

	r = compare_better_less(a->bind == STB_LOCAL, b->bind == STB_LOCAL);
	if (!r)
		r = compare_better_less(a->guessed || !a->size, b->guessed || !b->size);
	if (!r)
		r = compare_better_less(underscores(a->name), underscores(b->name));
	if (!r)
		r = compare_names(b->name, a->name);
	return r ? r : compare_better_less(!a->dynamic, !b->dynamic);
}

static int symtab_sort(struct elf_symtab *t)
{
	struct elf_symbol *s = t->symbols;
	int r = sort_by_address(s, t->n, sizeof(*s));

	for (size_t i = 0, next; !r && i < t->n; i = next) {
		for (next = i + 1; next < t->n && s[next].addr == s[i].addr;)
			next++;
		if (next - i > 1)
			qsort(&s[i], next - i, sizeof(*s), symbol_compare);
	}
	return r;
}

/* Most functions of a shared library are in both tables: keeps one of each, the exported. */
static void symtab_merge_copies(struct elf_symtab *t)
{
	struct elf_symbol *out = t->symbols, *next;

	for (size_t i = 0; i < t->n; i++) {
		next = i + 1 < t->n ? &t->symbols[i + 1] : NULL;
		if (next && next->addr == t->symbols[i].addr && next->size == t->symbols[i].size &&
		    next->type == t->symbols[i].type && !compare_names(next->name, t->symbols[i].name))
			continue;
		*out++ = t->symbols[i];
	}
	t->n = out - t->symbols;
}

/* Cuts guessed sizes at the following symbol. */
static void symtab_guess_sizes(struct elf_symtab *t)
{
	uint64_t here = UINT64_MAX, next = UINT64_MAX;
	struct elf_symbol *s;

	for (size_t i = t->n; i--;) {
		s = &t->symbols[i];
		if (s->addr != here) {
			next = here;
			here = s->addr;
		}
		if (s->guessed && s->size > next - s->addr)
			s->size = next - s->addr;
	}
}

/* Links every symbol to the nearest one before it that reaches over its start, so that
 * elf_symtab_at() visits only symbols that can cover an address. */
static void symtab_link(struct elf_symtab *t)
{
	const struct elf_symbol *outer;
	struct elf_symbol *s;
	uint32_t open = 0;

	for (size_t i = 0; i < t->n; i++) {
		s = &t->symbols[i];
		while (open) {
			outer = &t->symbols[open - 1];
			if (s->addr - outer->addr < outer->size)
				break;
			open = outer->outer;
		}
		s->outer = open;
		if (is_code_type(s->type) && s->size)
			open = i + 1;
	}
}

int elf_symtab_load(const struct elf_image *img, bool dynamic_only, struct elf_symtab *ret)
{
	_cleanup_(elf_symtab_deinit) struct elf_symtab t = { 0 };
	struct raw_table raw;
	int r = 0;

	t.names = calloc(1, sizeof(*t.names));
	if (!t.names)
		return -ENOMEM;
	if (!dynamic_only && raw_table_from_sections(img, SHT_SYMTAB, &raw))
		r = symtab_add(&t, img, &raw, false);
	if (!r && (raw_table_from_sections(img, SHT_DYNSYM, &raw) ||
		   raw_table_from_dynamic(img, &raw)))
		r = symtab_add(&t, img, &raw, true);
	if (!r)
		r = symtab_sort(&t);
	if (r)
		return r;
	symtab_merge_copies(&t);
	symtab_guess_sizes(&t);
	symtab_link(&t);
	*ret = t;
	t = (struct elf_symtab){ 0 };
	return 0;
}

void elf_symtab_deinit(struct elf_symtab *t)
{
	if (t->names)
		free(t->names->slots);
	free(t->names);
	free(t->symbols);
	*t = (struct elf_symtab){ 0 };
}

const struct elf_symbol *elf_symtab_at(const struct elf_symtab *t, uint64_t addr)
{
	const struct elf_symbol *s, *guess = NULL;
	size_t low = 0, high = t->n, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (t->symbols[mid].addr <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low; low = s->outer) {
		s = &t->symbols[low - 1];
		if (!is_code_type(s->type) || addr - s->addr >= s->size)
			continue;
		if (!s->guessed)
			return guess && guess->addr == s->addr ? guess : s;
		if (!guess)
			guess = s;
	}
	return guess;
}

static size_t name_hash(const char *name)
{
	size_t h = 5381; /* as DT_GNU_HASH: D. J. Bernstein's */

	for (size_t i = 0; i < NAME_COMPARED && name[i]; i++)
		h = h * 33 + (uint8_t)name[i];
	return h ^ h >> 15;
}

static bool is_function_named(const struct elf_symbol *s, const char *name)
{
	return is_code_type(s->type) && s->size && !strcmp(s->name, name);
}

/* The slot of `name`, or the empty one where it would be; NULL: there is none near its place. */
static uint32_t *name_slot(const struct elf_symtab *t, const char *name)
{
	const struct elf_name_index *index = t->names;
	const size_t home = name_hash(name);
	uint32_t *slot;

	for (size_t i = 0; i < PROBES_MAX; i++) {
		slot = &index->slots[(home + i) & (index->cap - 1)];
		if (!*slot || !compare_names(t->symbols[*slot - 1].name, name))
			return slot;
	}
	return NULL;
}

static int name_index_make(const struct elf_symtab *t)
{
	size_t cap = 16;
	uint32_t *slot;

	while (cap < t->n * 2)
		cap *= 2;
	t->names->slots = calloc(cap, sizeof(*slot));
	if (!t->names->slots)
		return -ENOMEM;
	t->names->cap = cap;
	for (size_t i = 0; i < t->n; i++) {
		const struct elf_symbol *s = &t->symbols[i];

		if (!is_code_type(s->type) || !s->size)
			continue;
		slot = name_slot(t, s->name);
		if (slot && (!*slot || (s->dynamic && !t->symbols[*slot - 1].dynamic)))
			*slot = i + 1;
	}
	return 0;
}

/* Out of memory for the index: slower, not wrong. */
static const struct elf_symbol *symtab_scan(const struct elf_symtab *t, const char *name)
{
	const struct elf_symbol *found = NULL;

	for (size_t i = 0; i < t->n; i++) {
		const struct elf_symbol *s = &t->symbols[i];

		if (is_function_named(s, name) && (!found || found->dynamic < s->dynamic))
			found = s;
	}
	return found;
}

const struct elf_symbol *elf_symtab_named(const struct elf_symtab *t, const char *name)
{
	uint32_t *slot;

	if (!t->n)
		return NULL;
	if (!t->names->cap && name_index_make(t))
		return symtab_scan(t, name);
	slot = name_slot(t, name);
	return slot && *slot ? &t->symbols[*slot - 1] : NULL;
}
