// SPDX-License-Identifier: Apache-2.0
/* The mappings of processes, and in which generation they were read: see probe/unwind_tables.h. */
#include <bpf/bpf.h>
#include <elf.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include "probe/map.h"
#include "probe/unwind_tables.h"
#include "proc/taskdir.h"

#define KNOWN_MAPPINGS_MAX 16384
#define READ_TRIES	   3 /* of mappings that change meanwhile */
#define REMOVED_MAX	   64 /* processes whose mappings are still among the known ones */

/* -- generations --------------------------------------------------------------------------------- */

/* A process is in its slot by its id, with LT_TRACED_WAITING until it begins. */
static uint64_t *slot_of(const struct unwind_tables *t, uint32_t id)
{
	return &t->traced[id % LT_TRACED_SLOTS];
}

static uint32_t generation_of_id(const struct unwind_tables *t, uint32_t id)
{
	uint64_t there = __atomic_load_n(slot_of(t, id), __ATOMIC_ACQUIRE);
	uint32_t generation;

	if ((uint32_t)there == id)
		return (uint32_t)(there >> 32);
	if (!LT_TRACED_IS_MANY(there) || map_lookup(t->maps.generations, &id, &generation))
		return 0;
	return generation;
}

static uint32_t generation_of(const struct unwind_tables *t, uint32_t tgid)
{
	uint32_t generation = generation_of_id(t, tgid);

	return generation ? generation : generation_of_id(t, tgid | LT_TRACED_WAITING);
}

/* Of a process that has none yet. From here on BPF knows it. */
static int generation_begin(struct unwind_tables *t, uint32_t id, uint32_t *ret)
{
	uint64_t *slot = slot_of(t, id), there, now;

	*ret = lt_first_generation(__atomic_add_fetch(t->maps.begun, 1, __ATOMIC_RELAXED));
	do {
		uint32_t other, others_generation;
		bool many;

		there = __atomic_load_n(slot, __ATOMIC_ACQUIRE);
		many = LT_TRACED_IS_MANY(there);
		other = (uint32_t)there;
		others_generation = lt_next_generation((uint32_t)(there >> 32));
		now = there ? LT_TRACED_MANY(many ? (there >> 32) + 1 : 2) : LT_TRACED(id, *ret);
		if (there && map_update(t->maps.generations, &id, ret, BPF_ANY))
			return -errno;
		if (there && !many && map_update(t->maps.generations, &other, &others_generation, BPF_ANY))
			return -errno;
	} while (!__atomic_compare_exchange_n(slot, &there, now, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
	return 0;
}

/* As lt_trace_end() in bpf/maps.bpf.h. */
static void generation_end(struct unwind_tables *t, uint32_t id)
{
	uint64_t *slot = slot_of(t, id), there = __atomic_load_n(slot, __ATOMIC_ACQUIRE), left;
	bool known = false;

	do {
		if (LT_TRACED_IS_MANY(there) && !known && map_delete(t->maps.generations, &id))
			return;
		known |= LT_TRACED_IS_MANY(there);
		if (!known && (uint32_t)there != id)
			return;
		left = known && there >> 32 > 1 ? LT_TRACED_MANY((there >> 32) - 1) : 0;
	} while (!__atomic_compare_exchange_n(slot, &there, left, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
}

int unwind_tables_begin(struct unwind_tables *t, pid_t pid)
{
	uint32_t tgid = (uint32_t)pid, waiting = tgid | LT_TRACED_WAITING, generation;
	uint64_t *slot = slot_of(t, tgid), there = __atomic_load_n(slot, __ATOMIC_ACQUIRE);

	while ((uint32_t)there == waiting)
		if (__atomic_compare_exchange_n(slot, &there, LT_TRACED(tgid, there >> 32), false,
						__ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			return 0;
	if (!LT_TRACED_IS_MANY(there) || map_lookup(t->maps.generations, &waiting, &generation))
		return -ENOENT;
	if (map_update(t->maps.generations, &tgid, &generation, BPF_ANY))
		return -errno;
	if (!map_delete(t->maps.generations, &waiting))
		return 0;
	map_delete(t->maps.generations, &tgid); /* it has just run exec */
	return -ENOENT;
}

bool unwind_tables_stale(const struct unwind_tables *t, pid_t pid)
{
	const uint64_t *read_in = hashmap_get(&t->read_in, (uint64_t)pid);
	uint32_t generation = generation_of(t, (uint32_t)pid);

	return generation && (!read_in || *read_in != generation);
}

void unwind_tables_changed(struct unwind_tables *t, pid_t pid)
{
	uint32_t tgid = (uint32_t)pid, generation;
	uint64_t *slot = slot_of(t, tgid), there = __atomic_load_n(slot, __ATOMIC_ACQUIRE);

	while ((uint32_t)there == tgid) {
		generation = lt_next_generation((uint32_t)(there >> 32));
		if (__atomic_compare_exchange_n(slot, &there, LT_TRACED(tgid, generation), false,
						__ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			return;
	}
	if (!LT_TRACED_IS_MANY(there) || map_lookup(t->maps.generations, &tgid, &generation))
		return;
	generation = lt_next_generation(generation);
	map_update(t->maps.generations, &tgid, &generation, BPF_EXIST);
}

/* -- where modules are ----------------------------------------------------------------------------- */

static uint64_t bias_key(pid_t pid, uint32_t module)
{
	return (uint64_t)(uint32_t)pid << 32 | module;
}

bool unwind_tables_bias(const struct unwind_tables *t, pid_t pid, uint32_t module, uint64_t *ret)
{
	uint64_t *bias = hashmap_get(&t->bias, bias_key(pid, module));

	if (bias)
		*ret = *bias;
	return bias != NULL;
}

int unwind_tables_biases(const struct unwind_tables *t, struct hashmap *ret)
{
	struct hashmap biases = { 0 };
	int r = 0;

	for (size_t i = 0; i < t->bias.cap && !r; i++) {
		const struct hashmap_slot *s = &t->bias.slots[i];

		if (s->used && !hashmap_get(&t->moved, s->key))
			r = hashmap_put(&biases, s->key, s->value);
	}
	if (r)
		hashmap_deinit(&biases);
	else
		*ret = biases;
	return r;
}

static bool process_maps(const struct lt_process *p, uint32_t module, uint64_t bias)
{
	for (uint32_t i = 1; i < p->n_mappings; i++)
		if (p->mappings[i].module == module && p->mappings[i].bias == bias)
			return true;
	return false;
}

/* A module may be mapped twice (V8 maps its own code once more, close to what it compiles): it is said
 * to be where it has been, or where the first of them is. */
static int process_biases(struct unwind_tables *t, pid_t pid, const struct lt_process *p)
{
	int r = 0;

	for (uint32_t i = 1; i < p->n_mappings && !r; i++) {
		const struct lt_mapping *m = &p->mappings[i];
		uint64_t bias;
		bool known = m->module && unwind_tables_bias(t, pid, m->module, &bias);

		if (!m->module || (known && process_maps(p, m->module, bias)))
			continue;
		r = hashmap_put(&t->bias, bias_key(pid, m->module), m->bias);
		if (!r && known)
			r = hashmap_put(&t->moved, bias_key(pid, m->module), 1);
	}
	return r;
}

/* -- mappings ---------------------------------------------------------------------------------------- */

static int module_mapping(struct unwind_tables *t, pid_t pid, struct module *m,
			  const struct map_entry *map, const struct table_progress *progress,
			  struct lt_mapping *ret)
{
	_cleanup_close_ int fd = module_open(m);
	struct elf_image img;
	struct loaded_module *l;
	bool first = t->loaded.n < m->id || !t->loaded.items[m->id - 1].done;
	uint64_t vaddr;
	int r = fd < 0 ? fd : elf_image_open_fd(fd, &img);

	if (r)
		return r;
	if (img.machine == EM_X86_64)
		r = elf_offset_to_vaddr(&img, strcmp(map->path, "[vdso]") ? map->offset : 0, &vaddr);
	else
		r = -ENOEXEC;
	if (!r && (vaddr + (map->end - map->start)) >> LT_OFFSET_BITS) /* no frame could say so */
		r = -ENOEXEC;
	if (!r)
		r = unwind_tables_module(t, pid, m, &img, progress, &l);
	if (!r && first)
		unwind_tables_know(t, m, &img, l);
	if (!r) {
		ret->bias = map->start - vaddr;
		ret->page_base = l->page_base;
		ret->module = m->id;
	}
	elf_image_deinit(&img);
	return r;
}

/* What is mapped there now, which may be something else than when `map` was read. Nothing, where the
 * kernel does not tell us. */
static struct module_identity mapped_file(pid_t pid, const struct map_entry *map)
{
	struct statx st;
	char path[96];

	snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, (int)task_proc(pid),
		 map->start, map->end);
	/* without asking a file system that may not answer */
	if (!map->inode || statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &st))
		return (struct module_identity){ 0 };
	return (struct module_identity){
		.dev = makedev(st.stx_dev_major, st.stx_dev_minor),
		.ino = st.stx_ino,
		.size = st.stx_size,
		.mtime_s = st.stx_mtime.tv_sec,
		.mtime_ns = st.stx_mtime.tv_nsec,
	};
}

/* Files are opened once for each place where they are mapped: the maps are read again and again. */
static uint64_t mapping_key(pid_t pid, const struct map_entry *map, const struct module_identity *file)
{
	const uint64_t id[] = { (uint64_t)pid, map->start, map->end, map->offset, map->inode,
				(uint64_t)map->dev_major << 32 | map->dev_minor, file->dev, file->ino,
				file->size, (uint64_t)file->mtime_s, (uint64_t)file->mtime_ns };
	uint64_t h = 0xcbf29ce484222325ULL; /* FNV-1a, by words */

	for (size_t i = 0; i < ARRAY_SIZE(id); i++) {
		h = (h ^ id[i]) * 0x100000001b3ULL;
		h ^= h >> 29;
	}
	return h;
}

/* The module behind the mapping, should it be in the file that we have looked at. */
static int mapping_module(struct unwind_tables *t, pid_t pid, const struct map_entry *map,
			  const struct module_identity *file, struct module **ret)
{
	int r = module_table_map(t->modules, pid, map, ret);

	if (!r && file->ino && (file->ino != (*ret)->identity.ino || file->dev != (*ret)->identity.dev))
		r = -ESTALE;
	return r;
}

void unwind_tables_drop_known(struct unwind_tables *t)
{
	hashmap_deinit(&t->known);
	vec_free(&t->mappings);
}

/* The mapping's entry; when its module cannot be read, one that is walked by frame pointer. */
static int mapping_make(struct unwind_tables *t, pid_t pid, const struct map_entry *map,
			const struct table_progress *progress, struct lt_mapping *ret)
{
	struct module_identity file = mapped_file(pid, map);
	uint64_t key = mapping_key(pid, map, &file), *known = hashmap_get(&t->known, key);
	struct module *m;
	int r;

	if (known) {
		*ret = t->mappings.items[*known];
		return 0;
	}
	*ret = (struct lt_mapping){ .start = map->start, .end = map->end };
	r = mapping_module(t, pid, map, &file, &m);
	if (!r)
		r = module_mapping(t, pid, m, map, progress, ret);
	if (r && map->inode && r != -ENOEXEC)
		ret->page_base = LT_PAGES_UNREADABLE;
	if (r) /* perhaps another time */
		return r == -ENOMEM ? r : 0;
	if (t->mappings.n >= KNOWN_MAPPINGS_MAX)
		unwind_tables_drop_known(t);
	r = vec_push(&t->mappings, *ret);
	return r ? r : hashmap_put(&t->known, key, t->mappings.n - 1);
}

/* -- processes --------------------------------------------------------------------------------------- */

struct mapping_vec {
	VEC_OF(struct lt_mapping);
};

static void mapping_vec_deinit(struct mapping_vec *v)
{
	vec_free(v);
}

/* Of no file, and not one that could not be read: a JIT's, as its neighbours are. */
static bool is_plain(const struct lt_mapping *m)
{
	return !m->module && m->page_base != LT_PAGES_UNREADABLE;
}

static int mapping_add(struct mapping_vec *v, const struct lt_mapping *m)
{
	struct lt_mapping *last = v->n ? &v->items[v->n - 1] : NULL;

	if (!last || !is_plain(last) || !is_plain(m) || last->end != m->start)
		return vec_push(v, *m);
	last->end = m->end;
	return 0;
}

/* Takes what there is room for: all that are of files first. Of the others the kernel is asked. */
static void process_fill(struct lt_process *p, const struct mapping_vec *v)
{
	size_t room = LT_MAX_MAPPINGS - 1, plain = 0;

	vec_foreach(m, v)
		plain += is_plain(m);
	room -= v->n - plain < room ? v->n - plain : room;
	p->n_mappings = 1; /* the sentinel */
	vec_foreach(m, v) {
		if (is_plain(m) && !room)
			continue;
		room -= is_plain(m);
		if (p->n_mappings < LT_MAX_MAPPINGS)
			p->mappings[p->n_mappings++] = *m;
	}
}

static int process_read(struct unwind_tables *t, pid_t pid, const struct table_progress *progress,
			struct lt_process *p)
{
	_cleanup_(maps_deinit) struct map_vec maps = { 0 };
	_cleanup_(mapping_vec_deinit) struct mapping_vec all = { 0 };
	struct lt_mapping m;
	int r = maps_read(pid, &maps);

	vec_foreach(map, &maps) {
		if (r)
			return r;
		/* [vsyscall] is the kernel's: its address is negative, as a search in BPF sees it */
		if (!map->exec || map->start >> 63)
			continue;
		r = mapping_make(t, pid, map, progress, &m);
		if (!r)
			r = mapping_add(&all, &m);
	}
	if (!r && !all.n) /* it has no memory any more */
		r = -ESRCH;
	if (r)
		return r;
	process_fill(p, &all);
	return process_biases(t, pid, p);
}

/* The same, of a generation that is still on when all has been read: what has been read of one that is over may be of
 * the next one, and stacks of the one before are still to be walked. */
static int process_read_whole(struct unwind_tables *t, pid_t pid, const struct table_progress *progress,
			      struct lt_process *p)
{
	int r = 0;

	for (int i = 0; i < READ_TRIES && !r; i++) {
		r = process_read(t, pid, progress, p);
		if (r || generation_of(t, (uint32_t)pid) == p->generation)
			return r;
		p->generation = generation_of(t, (uint32_t)pid);
	}
	p->generation = 0; /* nobody believes it */
	return r;
}

/* In an order in which BPF finds one of them whole at any moment. */
static int process_write(struct unwind_tables *t, uint32_t tgid, const struct lt_process *p)
{
	bool large = p->n_mappings > LT_FEW_MAPPINGS;

	if ((large && map_update(t->maps.large_processes, &tgid, p, BPF_ANY)) ||
	    map_update(t->maps.processes, &tgid, p, BPF_ANY))
		return -errno;
	if (!large)
		map_delete(t->maps.large_processes, &tgid);
	return 0;
}

int unwind_tables_update(struct unwind_tables *t, pid_t pid, const struct table_progress *progress)
{
	_cleanup_free_ struct lt_process *p = calloc(1, sizeof(*p));
	uint32_t key = (uint32_t)pid;
	bool begins = false;
	int r = 0;

	if (!p)
		return -ENOMEM;
	p->generation = generation_of(t, key);
	if (!p->generation) {
		begins = true;
		r = generation_begin(t, key | LT_TRACED_WAITING, &p->generation);
	}
	if (!r)
		r = process_read_whole(t, pid, progress, p);
	if (!r)
		r = process_write(t, key, p);
	if (!r)
		r = unwind_tables_use(t, pid, p);
	if (!r)
		r = hashmap_put(&t->read_in, key, p->generation);
	if (r && begins)
		unwind_tables_remove(t, pid);
	return r;
}

void unwind_tables_remove(struct unwind_tables *t, pid_t pid)
{
	uint32_t key = (uint32_t)pid;

	module_table_forget(t->modules, pid);
	generation_end(t, key);
	generation_end(t, key | LT_TRACED_WAITING);
	map_delete(t->maps.processes, &key);
	map_delete(t->maps.large_processes, &key);
	unwind_tables_use(t, pid, NULL);
	hashmap_remove(&t->read_in, key);
	if (++t->removed < REMOVED_MAX)
		return;
	t->removed = 0;
	unwind_tables_drop_known(t);
}

void unwind_tables_forget(struct unwind_tables *t, pid_t pid)
{
	for (uint32_t module = 1; module <= t->modules->n; module++) {
		hashmap_remove(&t->bias, bias_key(pid, module));
		hashmap_remove(&t->moved, bias_key(pid, module));
	}
}
