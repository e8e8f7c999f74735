// SPDX-License-Identifier: Apache-2.0
/* Where in a process Go is: in its program, or in a library that a program in another language has
 * loaded (go build -buildmode=c-shared). */
#include <elf.h>
#include <errno.h>
#include <string.h>
#include "base/reader.h"
#include "go/runtime.h"
#include "proc/maps.h"
#include "proc/procfs.h"
#include "proc/refusal.h"
#include "proc/taskdir.h"

/* The address of the program's entry, as the kernel told the process: it says how far it was moved.
 */
static int find_entry(pid_t pid, uint64_t *ret)
{
	_cleanup_free_ char *auxv = NULL;
	size_t size;
	struct reader r;
	int err = procfs_read(task_proc(pid), "auxv", &auxv, &size);

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

static void close_file(struct opened_file *file)
{
	cleanup_close(&file->fd);
	cleanup_close(&file->copy);
}

static int readable(const struct opened_file *file)
{
	return file->copy >= 0 ? file->copy : file->fd;
}

static int open_program(const struct memory *m, struct opener *opener, struct go_runtime **ret,
			struct err *e)
{
	_cleanup_(close_file) struct opened_file file = { -1, -1 };
	int r = opener_program(opener, m->pid, &file);
	Elf64_Ehdr eh;
	uint64_t entry;

	if (r == -EACCES && !refusal_is_of_process(m->pid))
		return err_set(e, r, "its program cannot be opened: %s", strerror(-r));
	if (r)
		return go_cannot_read(r, e);
	r = find_entry(m->pid, &entry);
	if (r)
		return go_cannot_read(r, e);
	if (pread(readable(&file), &eh, sizeof(eh), 0) != sizeof(eh) || memcmp(eh.e_ident, ELFMAG, SELFMAG))
		return -ENOENT;
	return go_runtime_open_memory(m, readable(&file), entry - eh.e_entry, ret, e);
}

/* -- libraries ----------------------------------------------------------------------------------- */
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

static int open_library(const struct memory *m, struct opener *opener, const struct map_entry *map,
			struct go_runtime **ret, struct err *e)
{
	_cleanup_(close_file) struct opened_file file = { -1, -1 };
	uint64_t bias;

	if (opener_mapping(opener, m->pid, map, &file) || !is_go(readable(&file), map, &bias))
		return -ENOENT;
	return go_runtime_open_memory(m, readable(&file), bias, ret, e);
}

/* The first in which there is Go. */
static int open_libraries(const struct memory *m, struct opener *opener, struct go_runtime **ret,
			  struct err *e)
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
		r = open_library(m, opener, map, ret, e);
	}
	return r;
}

int go_runtime_open(pid_t pid, struct opener *opener, struct go_runtime **ret, struct err *e)
{
	const struct memory m = memory_of(pid);
	int r = open_program(&m, opener, ret, e);

	return r == -ENOENT ? open_libraries(&m, opener, ret, e) : r;
}
