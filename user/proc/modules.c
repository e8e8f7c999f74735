// SPDX-License-Identifier: Apache-2.0
#include "proc/modules.h"
#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "base/cleanup.h"
#include "proc/foreign.h"
#include "proc/taskdir.h"

#define PAGE 4096UL

#define VDSO_MAX 65536 /* bytes */

/* The vdso has no file. Ours is everybody's: that of another process is its to write to. */
static int module_open_vdso(void)
{
	const uint64_t at = getauxval(AT_SYSINFO_EHDR);
	_cleanup_free_ char *image = malloc(VDSO_MAX);
	_cleanup_close_ int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC), fd = -1;
	ssize_t n;

	if (!image)
		return -ENOMEM;
	n = mem < 0 ? -1 : pread(mem, image, VDSO_MAX, (off_t)at); /* as much as there is */
	if (n <= 0)
		return -ENOENT;
	fd = memfd_create("vdso", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	return write(fd, image, (size_t)n) == n ? take_fd(fd) : -EIO;
}

static struct module_identity module_identity(const struct map_entry *map, const struct stat *st)
{
	if (!map->inode) /* the vdso */
		return (struct module_identity){ 0 };
	return (struct module_identity){
		.dev = st->st_dev,
		.ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.mtime_s = st->st_mtim.tv_sec,
		.mtime_ns = st->st_mtim.tv_nsec,
	};
}

static uint64_t identity_hash(const struct module_identity *id)
{
	const uint8_t *p = (const uint8_t *)id;
	uint64_t h = 0xcbf29ce484222325ULL; /* FNV-1a */

	for (size_t i = 0; i < sizeof(*id); i++)
		h = (h ^ p[i]) * 0x100000001b3ULL;
	return h;
}

static bool is_same_place(const char *a, const char *b)
{
	uint64_t dev_a, ino_a, dev_b, ino_b;

	return !foreign_identity(a, &dev_a, &ino_a) && !foreign_identity(b, &dev_b, &ino_b) &&
	       dev_a == dev_b && ino_a == ino_b;
}

/* Whether the process lives in another root than we do, or sees other mounts there: then paths must go
 * through its own. */
static char *module_root(pid_t pid)
{
	const int task = (int)task_proc(pid);
	char root[64], mounts[64];

	snprintf(root, sizeof(root), "/proc/%d/root", task);
	snprintf(mounts, sizeof(mounts), "/proc/%d/ns/mnt", task);
	return strdup(is_same_place(root, "/") && is_same_place(mounts, "/proc/self/ns/mnt") ? "" : root);
}

/* -- keeping a file ------------------------------------------------------------------------------- */

static int open_kept(const void *page)
{
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx", (unsigned long)page,
		 (unsigned long)page + PAGE);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

/* A page of the file through which it can be opened again; NULL: there is no such way. */
static void *keep_page(int fd)
{
	void *page = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE, fd, 0);
	int again;

	if (page == MAP_FAILED)
		return NULL;
	again = open_kept(page);
	if (again < 0) {
		munmap(page, PAGE);
		return NULL;
	}
	close(again);
	return page;
}

static int duplicate(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	return copy < 0 ? -errno : copy;
}

int module_open_for_probes(const struct module *m)
{
	return m->kept ? open_kept(m->kept) : duplicate(m->fd);
}

int module_open(const struct module *m)
{
	return m->copy >= 0 ? duplicate(m->copy) : module_open_for_probes(m);
}

static void module_destroy(struct module *m)
{
	free(m->path);
	free(m->root);
	if (m->kept)
		munmap(m->kept, PAGE);
	cleanup_close(&m->fd);
	cleanup_close(&m->copy);
	free(m);
}

/* -- the table ------------------------------------------------------------------------------------ */

void module_table_init(struct module_table *t)
{
	*t = (struct module_table){ 0 };
	opener_init(&t->opener);
}

/* Takes the descriptors over on success. */
static int module_add(struct module_table *t, pid_t pid, const struct map_entry *map, uint64_t key,
		      const struct module_identity *id, struct opened_file *file, struct module **ret)
{
	struct module *m = calloc(1, sizeof(*m));
	int r = -ENOMEM;

	if (!m)
		return -ENOMEM;
	*m = (struct module){
		.id = (uint32_t)t->n + 1,
		.path = strdup(map->path),
		.root = module_root(pid),
		.fd = -1,
		.copy = -1,
		.identity = *id,
	};
	if (m->path && m->root)
		r = hashmap_put(&t->by_file, key, m->id);
	if (!r)
		r = vec_push(t, m);
	if (r) {
		module_destroy(m);
		return r;
	}
	m->copy = take_fd(file->copy);
	m->kept = m->copy < 0 ? keep_page(file->fd) : NULL;
	if (!m->kept)
		m->fd = take_fd(file->fd);
	*ret = m;
	return 0;
}

/* The module that is this very file. Who makes files can make two of one hash: then the second has the next
 * key. Sets `*ret_key` to where it is, or would be. */
static struct module *module_find(const struct module_table *t, const struct module_identity *id,
				  uint64_t *ret_key)
{
	const uint64_t *known;
	uint64_t key = identity_hash(id);
	struct module *m;

	for (; (known = hashmap_get(&t->by_file, key)); key++) {
		m = module_table_get(t, (uint32_t)*known);
		if (!memcmp(&m->identity, id, sizeof(*id)))
			return m;
	}
	*ret_key = key;
	return NULL;
}

static uint64_t number_of(const struct hashmap *m, pid_t pid)
{
	const uint64_t *n = hashmap_get(m, (uint64_t)pid);

	return n ? *n : 0;
}

static const char *why_not(int r)
{
	if (r == -EAGAIN)
		return "the file is under a lease (F_SETLEASE)";
	if (r == -ETIMEDOUT)
		return "its file system does not answer";
	if (r == -EFBIG)
		return "its file system may stop to answer, and it is too large to be copied";
	if (r == -ESTALE || r == -ENOENT)
		return "it was unmapped before it could be opened, and its path leads to something else";
	return strerror(-r);
}

static void close_file(struct opened_file *file)
{
	cleanup_close(&file->fd);
	cleanup_close(&file->copy);
}

int module_table_map(struct module_table *t, pid_t pid, const struct map_entry *map,
		     struct module **ret)
{
	bool vdso = !strcmp(map->path, "[vdso]");
	_cleanup_(close_file) struct opened_file file = { -1, -1 };
	struct module_identity id;
	struct stat st;
	uint64_t key = 0;
	pid_t living;
	int r = 0;

	if (!vdso && (!map->inode || map->path[0] != '/'))
		return -ENOENT;
	if (vdso)
		file.fd = module_open_vdso();
	else
		r = opener_mapping(&t->opener, pid, map, &file);
	if (!r && file.fd < 0)
		r = file.fd;
	if (!r && fstat(file.fd, &st))
		r = -errno;
	if (r) {
		if (r != -ESRCH && !task_living(pid, &living)) /* else nothing of it is missing: it is gone */
			left_out_add(&t->left_out, "the file", map->path, why_not(r));
		return r == -ENOENT ? -ESTALE : r;
	}
	id = module_identity(map, &st);
	*ret = module_find(t, &id, &key);
	if (*ret)
		return 0;
	if (number_of(&t->spent, pid) > MODULES_COST_MAX) {
		left_out_add(&t->left_out, "the file", map->path,
			     "the files of this process take more than any real ones do");
		return -E2BIG;
	}
	return module_add(t, pid, map, key, &id, &file, ret);
}

int module_table_spend(struct module_table *t, pid_t pid, uint64_t bytes)
{
	return hashmap_put(&t->spent, (uint64_t)pid, number_of(&t->spent, pid) + bytes);
}

void module_table_forget(struct module_table *t, pid_t pid)
{
	hashmap_remove(&t->spent, (uint64_t)pid);
	opener_forget(&t->opener, pid);
}

struct module *module_table_get(const struct module_table *t, uint32_t id)
{
	return id && id <= t->n ? t->items[id - 1] : NULL;
}

void module_table_deinit(struct module_table *t)
{
	vec_foreach(m, t)
		module_destroy(*m);
	vec_free(t);
	hashmap_deinit(&t->by_file);
	hashmap_deinit(&t->spent);
	opener_deinit(&t->opener);
	left_out_deinit(&t->left_out);
}
