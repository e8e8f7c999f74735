// SPDX-License-Identifier: Apache-2.0
#include "proc/modules.h"
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "base/cleanup.h"

/* The vdso has no file: its image is copied out of the process. */
static int module_open_vdso(pid_t pid, const struct map_entry *map)
{
	size_t size = map->end - map->start;
	_cleanup_free_ char *image = malloc(size);
	_cleanup_close_ int mem = -1, fd = -1;
	char path[64];

	if (!image)
		return -ENOMEM;
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	mem = open(path, O_RDONLY | O_CLOEXEC);
	if (mem < 0)
		return -errno;
	if (pread(mem, image, size, (off_t)map->start) != (ssize_t)size)
		return -EIO;
	fd = memfd_create("vdso", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, image, size) != (ssize_t)size)
		return -EIO;
	return take_fd(fd);
}

/* The mapped file itself; by its path only where map_files may not be read. */
static int module_open_file(pid_t pid, const struct map_entry *map)
{
	char path[PATH_MAX + 64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, (int)pid, map->start,
		 map->end);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		snprintf(path, sizeof(path), "/proc/%d/root%s", (int)pid, map->path);
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	return fd < 0 ? -errno : fd;
}

static uint64_t hash_bytes(const void *data, size_t n, uint64_t h)
{
	const uint8_t *p = data; /* FNV-1a */

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * 0x100000001b3ULL;
	return h;
}

static uint64_t module_key(const struct map_entry *map, const struct stat *st)
{
	uint64_t id[] = { st->st_dev, map->inode ? st->st_ino : 0, (uint64_t)st->st_size,
			  (uint64_t)st->st_mtim.tv_sec, (uint64_t)st->st_mtim.tv_nsec };

	if (!map->inode) /* every vdso of one kernel is the same */
		return hash_bytes("vdso", 4, 0);
	return hash_bytes(id, sizeof(id), 0xcbf29ce484222325ULL);
}

/* Whether the process lives in another root than we do, so that paths must go through its own. */
static char *module_root(pid_t pid)
{
	char path[64];
	struct stat own, its;

	snprintf(path, sizeof(path), "/proc/%d/root", (int)pid);
	if (!stat("/", &own) && !stat(path, &its) && own.st_dev == its.st_dev &&
	    own.st_ino == its.st_ino)
		return strdup("");
	return strdup(path);
}

static int module_add(struct module_table *t, pid_t pid, const struct map_entry *map, uint64_t key,
		      int fd, struct module **ret)
{
	struct module *m = calloc(1, sizeof(*m));
	int r = -ENOMEM;

	if (!m)
		return -ENOMEM;
	m->fd = fd;
	m->id = (uint32_t)t->n + 1;
	m->path = strdup(map->path);
	m->root = module_root(pid);
	if (m->path && m->root)
		r = hashmap_put(&t->by_file, key, m->id);
	if (!r)
		r = vec_push(t, m);
	if (r) {
		free(m->path);
		free(m->root);
		free(m);
		return r;
	}
	*ret = m;
	return 0;
}

int module_table_map(struct module_table *t, pid_t pid, const struct map_entry *map,
		     struct module **ret)
{
	bool vdso = !strcmp(map->path, "[vdso]");
	_cleanup_close_ int fd = -1;
	struct stat st;
	uint64_t key, *id;
	int r;

	if (!vdso && (!map->inode || map->path[0] != '/'))
		return -ENOENT;
	fd = vdso ? module_open_vdso(pid, map) : module_open_file(pid, map);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st))
		return -errno;
	key = module_key(map, &st);
	id = hashmap_get(&t->by_file, key);
	if (id) {
		*ret = module_table_get(t, (uint32_t)*id);
		return 0;
	}
	r = module_add(t, pid, map, key, fd, ret);
	if (!r)
		fd = -1;
	return r;
}

struct module *module_table_get(const struct module_table *t, uint32_t id)
{
	return id && id <= t->n ? t->items[id - 1] : NULL;
}

void module_table_deinit(struct module_table *t)
{
	vec_foreach(m, t) {
		free((*m)->path);
		free((*m)->root);
		close((*m)->fd);
		free(*m);
	}
	vec_free(t);
	hashmap_deinit(&t->by_file);
}
