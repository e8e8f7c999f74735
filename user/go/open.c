// SPDX-License-Identifier: Apache-2.0
/* Where in a process Go is: in its program, or in a library that a program in another language has
 * loaded (go build -buildmode=c-shared). */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include "base/reader.h"
#include "go/runtime.h"
#include "proc/maps.h"
#include "proc/procfs.h"

/* The address of the program's entry, as the kernel told the process: it says how far it was moved.
 */
static int find_entry(pid_t pid, uint64_t *ret)
{
	_cleanup_free_ char *auxv = NULL;
	size_t size;
	struct reader r;
	int err = procfs_read(pid, "auxv", &auxv, &size);

	if (err)
		return err;
	r = reader_make(auxv, size);
	while (reader_left(&r) >= 16) {
		uint64_t type = reader_u64(&r), value = reader_u64(&r);

		if (type == AT_ENTRY) {
			*ret = value;
			return 0;
		}
	}
	return -ESRCH;
}

static int open_program(const struct memory *m, struct go_runtime **ret, struct err *e)
{
	_cleanup_close_ int fd = -1;
	Elf64_Ehdr eh;
	char path[64];
	uint64_t entry;
	int r;

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)m->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return go_cannot_read(-errno, e);
	r = find_entry(m->pid, &entry);
	if (r)
		return go_cannot_read(r, e);
	if (pread(fd, &eh, sizeof(eh), 0) != sizeof(eh) || memcmp(eh.e_ident, ELFMAG, SELFMAG))
		return -ENOENT;
	return go_runtime_open_memory(m, fd, entry - eh.e_entry, ret, e);
}

/* -- libraries ----------------------------------------------------------------------------------- */
/* The mapped file itself; by its path only where map_files may not be read. */
static int open_mapped(pid_t pid, const struct map_entry *map)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, (int)pid,
		 map->start, map->end);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	snprintf(path, sizeof(path), "/proc/%d/root%s", (int)pid, map->path);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* Whether it has Go's table of functions; then by how much its addresses are moved. */
static bool is_go(int fd, const struct map_entry *map, uint64_t *ret_bias)
{
	_cleanup_(elf_image_deinit) struct elf_image img = { 0 };
	struct gopclntab table;
	uint64_t vaddr;

	if (elf_image_open_fd(fd, &img) || gopclntab_find(&img, &table) ||
	    elf_offset_to_vaddr(&img, map->offset, &vaddr))
		return false;
	*ret_bias = map->start - vaddr;
	return true;
}

static int open_library(const struct memory *m, const struct map_entry *map,
			struct go_runtime **ret, struct err *e)
{
	_cleanup_close_ int fd = open_mapped(m->pid, map);
	uint64_t bias;

	if (fd < 0 || !is_go(fd, map, &bias))
		return -ENOENT;
	return go_runtime_open_memory(m, fd, bias, ret, e);
}

/* The first in which there is Go. */
static int open_libraries(const struct memory *m, struct go_runtime **ret, struct err *e)
{
	_cleanup_(maps_deinit) struct map_vec maps = { 0 };
	uint64_t previous = 0;
	int r = maps_read(m->pid, &maps);

	if (r)
		return go_cannot_read(r, e);
	r = -ENOENT;
	for (size_t i = 0; i < maps.n && r == -ENOENT; i++) {
		const struct map_entry *map = &maps.items[i];

		if (!map->exec || map->path[0] != '/' || map->inode == previous)
			continue;
		previous = map->inode;
		r = open_library(m, map, ret, e);
	}
	return r;
}

int go_runtime_open(pid_t pid, struct go_runtime **ret, struct err *e)
{
	const struct memory m = memory_of(pid);
	int r = open_program(&m, ret, e);

	return r == -ENOENT ? open_libraries(&m, ret, e) : r;
}
