// SPDX-License-Identifier: Apache-2.0
#include "sym/symbolizer.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "base/cleanup.h"
#include "base/hashmap.h"
#include "sym/perfmap.h"
#include "sym/source.h"

static const struct sym_source *const sources[] = {
	&sym_source_go,
	&sym_source_dwarf,
	&sym_source_elf,
};

#define SOURCES ARRAY_SIZE(sources)

/* What is known of one module. The files stay mapped: their pages are the page cache's. */
struct sym_module {
	struct sym_object object;
	void *states[SOURCES]; /* NULL: knows nothing of this module */
};

struct symbolizer {
	struct strpool strings;
	struct hashmap modules; /* module id -> struct sym_module */
	struct hashmap jits;	/* pid -> struct perfmap */
	struct left_out left_out;
};

int symbolizer_create(struct symbolizer **ret)
{
	struct symbolizer *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	*ret = s;
	return 0;
}

static void object_deinit(struct sym_object *o)
{
	elf_image_deinit(&o->packed);
	free(o->packed_data);
	debugfile_deinit(&o->debug);
	elf_image_deinit(&o->image);
}

static void sym_module_destroy(struct sym_module *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < SOURCES; i++)
		if (m->states[i])
			sources[i]->close(m->states[i]);
	object_deinit(&m->object);
	free(m);
}

static void cleanup_sym_module(struct sym_module **m)
{
	sym_module_destroy(*m);
}

static void *slot_ptr(const struct hashmap_slot *slot)
{
	return slot->used ? (void *)(uintptr_t)slot->value : NULL;
}

void symbolizer_destroy(struct symbolizer *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->modules.cap; i++)
		sym_module_destroy(slot_ptr(&s->modules.slots[i]));
	for (size_t i = 0; i < s->jits.cap; i++) {
		struct perfmap *map = slot_ptr(&s->jits.slots[i]);

		if (map)
			perfmap_deinit(map);
		free(map);
	}
	hashmap_deinit(&s->modules);
	hashmap_deinit(&s->jits);
	left_out_deinit(&s->left_out);
	strpool_deinit(&s->strings);
	free(s);
}

/* 0 (also when there is nothing to be had of it), or -ENOMEM. */
static int object_open(struct sym_object *o, bool plain)
{
	int r = elf_image_map_fd(o->fd, &o->image);
	struct stat st;
	bool named;

	if (r || plain)
		return r == -ENOMEM ? r : 0;
	if (!fstat(o->fd, &st))
		o->owner = st.st_uid;
	named = sym_has_section(&o->image, ".symtab");
	if (named && sym_has_section(&o->image, ".debug_info"))
		return 0;
	r = debugfile_find(&o->image, o->path, o->root, o->owner, &o->debug);
	if (r == -ENOENT && !named)
		r = debugfile_unpack(&o->image, &o->packed, &o->packed_data);
	if (r == -E2BIG)
		left_out_add(o->left_out, "packed symbols", o->path, "they unpack to more than 64 MiB");
	return r == -ENOMEM ? r : 0;
}

static int sym_module_create(struct symbolizer *s, const struct module *m, bool plain,
			     struct sym_module **ret)
{
	_cleanup_(cleanup_sym_module) struct sym_module *sm = calloc(1, sizeof(*sm));
	_cleanup_close_ int fd = module_open(m);
	int r;

	if (!sm)
		return -ENOMEM;
	sm->object = (struct sym_object){
		.path = m->path,
		.root = m->root,
		.fd = fd,
		.debug.fd = -1,
		.strings = &s->strings,
		.left_out = &s->left_out,
	};
	r = fd < 0 ? 0 : object_open(&sm->object, plain);
	if (r)
		return r;
	for (size_t i = 0; i < SOURCES && sm->object.image.data; i++) {
		if (plain && !sources[i]->plain)
			continue;
		r = sources[i]->open(&sm->object, &sm->states[i]);
		if (r == -ENOMEM)
			return r;
	}
	sm->object.path = sm->object.root = NULL;
	sm->object.fd = -1;
	*ret = take_ptr(sm);
	return 0;
}

static struct sym_module *sym_module_known(const struct symbolizer *s, uint32_t id)
{
	const uint64_t *known = hashmap_get(&s->modules, id);

	return known ? (struct sym_module *)(uintptr_t)*known : NULL;
}

static int sym_module_open(struct symbolizer *s, const struct module *m, bool plain)
{
	_cleanup_(cleanup_sym_module) struct sym_module *sm = NULL;
	int r = sym_module_create(s, m, plain, &sm);

	if (!r)
		r = hashmap_put(&s->modules, m->id, (uintptr_t)sm);
	if (!r)
		sm = NULL;
	return r;
}

bool symbolizer_knows(const struct symbolizer *s, uint32_t id)
{
	return sym_module_known(s, id);
}

int symbolizer_open_plainly(struct symbolizer *s, const struct module *m)
{
	return symbolizer_knows(s, m->id) ? 0 : sym_module_open(s, m, true);
}

static int sym_module_find(const struct sym_module *sm, uint64_t vaddr, struct sym_found *found)
{
	const struct symbol *last;
	int r = 0;

	for (size_t i = 0; i < SOURCES && !r; i++) {
		last = found->n ? &found->symbols[found->n - 1] : NULL;
		if (last && last->function && !found->made_up)
			break;
		if (sm->states[i])
			r = sources[i]->find(sm->states[i], vaddr, found);
	}
	return r;
}

int symbolizer_module(struct symbolizer *s, const struct module *m, uint64_t vaddr,
		      struct symbol ret[SYMBOLS_MAX])
{
	struct sym_found found;
	int r = symbolizer_knows(s, m->id) ? 0 : sym_module_open(s, m, false);

	found.n = 0;
	found.made_up = false;
	if (!r)
		r = sym_module_find(sym_module_known(s, m->id), vaddr, &found);
	if (r)
		return r;
	memcpy(ret, found.symbols, (size_t)found.n * sizeof(*ret));
	return found.n;
}

static int perfmap_get(struct symbolizer *s, pid_t pid, struct perfmap **ret)
{
	const uint64_t *known = hashmap_get(&s->jits, (uint64_t)pid);
	struct perfmap *map;
	int r;

	if (known) {
		*ret = (struct perfmap *)(uintptr_t)*known;
		return 0;
	}
	map = calloc(1, sizeof(*map));
	if (!map)
		return -ENOMEM;
	r = hashmap_put(&s->jits, (uint64_t)pid, (uintptr_t)map);
	if (r)
		free(map);
	else
		*ret = map;
	return r;
}

int symbolizer_jit(struct symbolizer *s, pid_t pid, const uint64_t *addresses, size_t n, const char **ret,
		   uint64_t *ret_overridden)
{
	struct perfmap *map;
	char path[48];
	int r = perfmap_get(s, pid, &map);

	if (!r)
		r = perfmap_refresh(map, pid);
	if (r)
		return r;
	if (perfmap_is_cut(map)) {
		snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)pid);
		left_out_add(&s->left_out, "the end", path, "it is longer than 48 MiB, or 2,097,152 lines");
	}
	for (size_t i = 0; i < n; i++) {
		const char *name = perfmap_at(map, addresses[i]);

		ret[i] = name ? strpool_add(&s->strings, name, strlen(name)) : NULL;
		if ((name && !ret[i]) || perfmap_watch(map, addresses[i]))
			return -ENOMEM;
	}
	*ret_overridden = map->overridden;
	return 0;
}

const struct left_out *symbolizer_left_out(const struct symbolizer *s)
{
	return &s->left_out;
}
