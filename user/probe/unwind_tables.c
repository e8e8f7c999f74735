// SPDX-License-Identifier: Apache-2.0
#include "probe/unwind_tables.h"
#include <bpf/bpf.h>
#include <elf.h>
#include <string.h>
#include <sys/mman.h>
#include "probe/map.h"

#define PRUNE_ABOVE_ROWS 4000000
#define CHUNK_BYTES	 (LT_CHUNK_ROWS * sizeof(uint32_t))

/* The contents of an mmapable array; NULL and errno on failure. */
static void *map_mapped(int fd, size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* Rules repeat: a whole system has a few thousand different ones. */
static int rule_id(struct unwind_tables *t, const struct lt_rule *rule, uint32_t *ret)
{
	uint64_t key, *known;
	int r;

	memcpy(&key, rule, sizeof(key));
	known = hashmap_get(&t->rule_ids, key);
	if (known) {
		*ret = (uint32_t)*known;
		return 0;
	}
	if (t->n_rules == LT_MAX_RULES)
		return -ENOSPC;
	r = hashmap_put(&t->rule_ids, key, t->n_rules);
	if (r)
		return r;
	t->rules[t->n_rules] = *rule;
	*ret = t->n_rules++;
	return 0;
}

int unwind_tables_init(struct unwind_tables *t, const struct table_maps *maps,
		       struct module_table *modules)
{
	uint32_t none; /* LT_RULE_NONE: it is the first */
	int r;

	*t = (struct unwind_tables){ .maps = *maps, .modules = modules, .n_pages = 1 };
	t->rules = map_mapped(maps->rules, LT_MAX_RULES * sizeof(struct lt_rule));
	if (t->rules)
		t->pages = map_mapped(maps->pages, LT_MAX_PAGES * sizeof(uint64_t));
	if (t->pages)
		t->traced = map_mapped(maps->traced, LT_TRACED_SLOTS * sizeof(uint64_t));
	r = t->traced ? rule_id(t, &(struct lt_rule){ .cfa = LT_CFA_NONE }, &none) : -errno;
	if (r)
		unwind_tables_deinit(t);
	return r;
}

void unwind_tables_deinit(struct unwind_tables *t)
{
	if (t->rules)
		munmap(t->rules, LT_MAX_RULES * sizeof(struct lt_rule));
	if (t->pages)
		munmap(t->pages, LT_MAX_PAGES * sizeof(uint64_t));
	if (t->traced)
		munmap(t->traced, LT_TRACED_SLOTS * sizeof(uint64_t));
	if (t->chunk)
		munmap(t->chunk, CHUNK_BYTES);
	for (size_t i = 0; i < t->mapped.cap; i++)
		if (t->mapped.slots[i].used)
			free((void *)(uintptr_t)t->mapped.slots[i].value);
	hashmap_deinit(&t->mapped);
	vec_free(&t->free_chunks);
	vec_free(&t->free_pages);
	hashmap_deinit(&t->rule_ids);
	hashmap_deinit(&t->bias);
	hashmap_deinit(&t->moved);
	hashmap_deinit(&t->known);
	hashmap_deinit(&t->read_in);
	vec_free(&t->mappings);
	vec_free(&t->loaded);
	*t = (struct unwind_tables){ 0 };
}

static int chunk_new(struct unwind_tables *t)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	_cleanup_close_ int fd = -1;
	uint32_t *rows, number = t->free_chunks.n ? t->free_chunks.items[t->free_chunks.n - 1] : t->n_chunks;

	if (number >= t->maps.max_chunks)
		return -ENOSPC;
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "chunk", sizeof(uint32_t), CHUNK_BYTES, 1, &opts);
	if (fd < 0)
		return -errno;
	rows = map_mapped(fd, CHUNK_BYTES);
	if (!rows)
		return -errno;
	if (map_update(t->maps.chunks, &number, &fd, BPF_ANY)) {
		munmap(rows, CHUNK_BYTES);
		return -ENOSPC;
	}
	if (t->chunk)
		munmap(t->chunk, CHUNK_BYTES);
	t->chunk = rows;
	t->chunk_used = 0;
	t->chunk_number = number;
	if (t->free_chunks.n)
		t->free_chunks.n--;
	else
		t->n_chunks++;
	return 0;
}

/* Writes the rows [from, to), all in one `page`, preceded by the rule in force at its start. */
static int page_write(struct unwind_tables *t, uint32_t page, const struct cfi_row *from,
		      const struct cfi_row *to, uint32_t *in_force)
{
	uint32_t need = (uint32_t)(to - from) + 1, first, *out;
	int r;

	if (need >= LT_CHUNK_ROWS)
		return -ENOSPC;
	if (!t->chunk || t->chunk_used + need > LT_CHUNK_ROWS) {
		r = chunk_new(t);
		if (r)
			return r;
	}
	first = t->chunk_used;
	out = t->chunk + first;
	if (from == to || (from->pc & 0xffff))
		*out++ = *in_force << 16;
	for (const struct cfi_row *row = from; row < to; row++) {
		r = rule_id(t, &row->rule, in_force);
		if (r)
			return r;
		*out++ = (uint32_t)(row->pc & 0xffff) | *in_force << 16;
	}
	need = (uint32_t)(out - t->chunk) - first;
	t->chunk_used += need;
	t->n_rows += need;
	t->in_chunk[t->chunk_number]++;
	t->pages[page] = (uint64_t)t->chunk_number << 48 | (uint64_t)need << 32 | first;
	return 0;
}

/* -- giving back ----------------------------------------------------------------------------- */

/* So many in a row; they are 0. */
static int pages_take(struct unwind_tables *t, uint32_t n, struct page_range *ret)
{
	vec_foreach(range, &t->free_pages) {
		if (range->n < n)
			continue;
		*ret = (struct page_range){ range->first, n };
		range->first += n;
		range->n -= n;
		if (!range->n)
			*range = t->free_pages.items[--t->free_pages.n];
		return 0;
	}
	if (n > LT_MAX_PAGES - t->n_pages)
		return -ENOSPC;
	*ret = (struct page_range){ t->n_pages, n };
	t->n_pages += n;
	return 0;
}

/* Nothing in it is needed any more. What is being filled is filled anew. */
static void chunk_give_back(struct unwind_tables *t, uint32_t chunk)
{
	if (chunk == t->chunk_number)
		t->chunk_used = 0;
	else if (!vec_push(&t->free_chunks, chunk))
		map_delete(t->maps.chunks, &chunk);
}

static void pages_give_back(struct unwind_tables *t, const struct page_range *pages)
{
	struct page_range whole = *pages;

	for (uint32_t i = pages->first; i < pages->first + pages->n; i++) {
		uint32_t chunk = (uint32_t)(t->pages[i] >> 48);

		if (t->pages[i] && !--t->in_chunk[chunk])
			chunk_give_back(t, chunk);
		t->pages[i] = 0;
	}
	for (size_t i = t->free_pages.n; i-- > 0;) { /* with what is free before and behind */
		struct page_range *other = &t->free_pages.items[i];

		if (other->first + other->n != whole.first && whole.first + whole.n != other->first)
			continue;
		whole.first = other->first < whole.first ? other->first : whole.first;
		whole.n += other->n;
		*other = t->free_pages.items[--t->free_pages.n];
	}
	vec_push(&t->free_pages, whole); /* without memory for it they are lost */
}

static void unused(struct unwind_tables *t, struct loaded_module *l)
{
	l->unused_since = ++t->unused_clock;
	t->n_unused++;
}

static void module_use(struct unwind_tables *t, uint32_t id, int more)
{
	struct loaded_module *l = id && id <= t->loaded.n ? &t->loaded.items[id - 1] : NULL;

	if (!l)
		return;
	if (l->done && more > 0 && !l->users)
		t->n_unused--;
	l->users += (uint32_t)more;
	if (l->done && more < 0 && !l->users)
		unused(t, l);
}

/* BPF finds it no more by its file; then nobody does. */
static void module_unload(struct unwind_tables *t, struct loaded_module *l)
{
	if (l->has_key)
		map_delete(t->maps.files, &l->key);
	if (l->pages.n)
		pages_give_back(t, &l->pages);
	*l = (struct loaded_module){ 0 };
	t->n_unused--;
}

static struct loaded_module *longest_unused(struct unwind_tables *t)
{
	struct loaded_module *oldest = NULL;

	vec_foreach(l, &t->loaded)
		if (l->done && !l->users && (!oldest || l->unused_since < oldest->unused_since))
			oldest = l;
	return oldest;
}

struct mapped_modules {
	uint32_t n;
	uint32_t ids[];
};

/* Whose mappings are which modules, so far. */
static void mapped_end(struct unwind_tables *t, pid_t pid)
{
	const uint64_t *at = hashmap_get(&t->mapped, (uint64_t)pid);
	struct mapped_modules *m = at ? (struct mapped_modules *)(uintptr_t)*at : NULL;

	for (uint32_t i = 0; m && i < m->n; i++)
		module_use(t, m->ids[i], -1);
	hashmap_remove(&t->mapped, (uint64_t)pid);
	free(m);
}

static int mapped_begin(struct unwind_tables *t, pid_t pid, const struct lt_process *p,
			struct mapped_modules **ret)
{
	struct mapped_modules *m = malloc(sizeof(*m) + p->n_mappings * sizeof(m->ids[0]));

	if (!m)
		return -ENOMEM;
	m->n = p->n_mappings;
	for (uint32_t i = 0; i < m->n; i++) {
		m->ids[i] = p->mappings[i].module;
		module_use(t, m->ids[i], 1);
	}
	*ret = m;
	return 0;
}

int unwind_tables_use(struct unwind_tables *t, pid_t pid, const struct lt_process *p)
{
	struct mapped_modules *m = NULL;
	int r = p ? mapped_begin(t, pid, p, &m) : 0;

	if (r)
		return r;
	mapped_end(t, pid); /* last, so that what it still has is not unused in between */
	if (m && hashmap_put(&t->mapped, (uint64_t)pid, (uintptr_t)m)) {
		for (uint32_t i = 0; i < m->n; i++)
			module_use(t, m->ids[i], -1);
		free(m);
		r = -ENOMEM;
	}
	if (t->n_unused > UNUSED_MODULES_MAX)
		unwind_tables_drop_known(t);
	while (t->n_unused > UNUSED_MODULES_MAX)
		module_unload(t, longest_unused(t));
	return r;
}

/* -- writing rows ---------------------------------------------------------------------------- */

/* The pages of all that may be asked for: a module's executable segments, with rows or without. */
static void pages_needed(const struct elf_image *img, const struct cfi_rows *rows,
			 uint64_t *ret_first, uint64_t *ret_last)
{
	uint64_t first = rows->items[0].pc, last = rows->items[rows->n - 1].pc;

	for (const struct elf_segment *s = img->segments; s < img->segments + img->n_segments; s++) {
		if (!(s->flags & PF_X) || !s->memsz)
			continue;
		first = s->vaddr < first ? s->vaddr : first;
		last = s->vaddr + s->memsz - 1 > last ? s->vaddr + s->memsz - 1 : last;
	}
	*ret_first = first >> LT_PAGE_SHIFT;
	*ret_last = last >> LT_PAGE_SHIFT;
}

static int rows_write(struct unwind_tables *t, const struct elf_image *img,
		      const struct cfi_rows *rows, struct loaded_module *l)
{
	const struct cfi_row *row = rows->items, *end = row + rows->n;
	uint64_t first_page, last_page;
	struct page_range pages;
	uint32_t in_force = 0;
	int r = rule_id(t, &(struct lt_rule){ .cfa = LT_CFA_NONE }, &in_force);

	pages_needed(img, rows, &first_page, &last_page);
	if (!r)
		r = last_page - first_page < LT_MAX_PAGES
			    ? pages_take(t, (uint32_t)(last_page - first_page) + 1, &pages) : -ENOSPC;
	if (r)
		return r;
	for (uint64_t page = first_page; !r && page <= last_page; page++) {
		const struct cfi_row *from = row;

		while (row < end && row->pc >> LT_PAGE_SHIFT == page)
			row++;
		r = page_write(t, pages.first + (uint32_t)(page - first_page), from, row, &in_force);
	}
	if (r) {
		pages_give_back(t, &pages);
		return r;
	}
	l->pages = pages;
	l->page_base = pages.first - (uint32_t)first_page;
	return 0;
}

/* A module without rows, or one too many, is walked by frame pointer: no page is ever found. */
static int module_load(struct unwind_tables *t, pid_t pid, struct module *m, const struct elf_image *img,
		       struct loaded_module *l)
{
	struct cfi_rows rows = { 0 };
	int r = cfi_rows_build(img, &rows);
	const uint64_t cost = elf_image_bytes_read(img) + rows.n * sizeof(*rows.items);

	l->done = true;
	l->page_base = LT_MAX_PAGES;
	if (!l->users)
		unused(t, l);
	m->build_id_len = img->build_id_len;
	memcpy(m->build_id, img->build_id, sizeof(m->build_id));
	if (rows.cut)
		left_out_add(&t->modules->left_out, "unwind tables", m->path,
			     "they have more than 6,291,456 rows, or take too long to read");
	if (elf_image_damage(img))
		left_out_add(&t->modules->left_out, "a part", m->path, elf_image_damage(img));
	if (!r && rows.n > PRUNE_ABOVE_ROWS)
		r = cfi_rows_prune(img, &rows, NULL, 0);
	if (!r && rows.n)
		r = rows_write(t, img, &rows, l);
	cfi_rows_deinit(&rows);
	if (r == -ENOSPC && left_out_add(&t->modules->left_out, "unwind tables", m->path,
					 "there is no room for them, so stacks through it may be cut"))
		r = -ENOMEM;
	if (r && r != -ENOSPC)
		return r;
	return module_table_spend(t->modules, pid, cost);
}

int unwind_tables_module(struct unwind_tables *t, pid_t pid, struct module *m,
			 const struct elf_image *img, const struct table_progress *progress, struct loaded_module **ret)
{
	struct loaded_module *l;
	int r = 0;

	while (t->loaded.n < m->id && !r)
		r = vec_push(&t->loaded, (struct loaded_module){ 0 });
	if (r)
		return r;
	l = &t->loaded.items[m->id - 1];
	if (!l->done && progress && progress->module)
		progress->module(progress->ctx, m->path);
	if (!l->done)
		r = module_load(t, pid, m, img, l);
	*ret = l;
	return r;
}
