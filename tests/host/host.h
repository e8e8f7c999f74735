/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the unwinder finds around it when it runs natively: memory to walk, and the tables of this
 * very process, brought in by the loader of user/probe/unwind_tables.c through stand-ins for bpf(2).
 * Included once per program.
 */
#pragma once
#define LT_HOST
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>
#include "memo.bpf.h"
#include "probe/unwind_tables.h"

#define HOST_CHUNKS_FD	  (-11) /* any numbers that are no descriptors */
#define HOST_PROCESSES_FD (-12)
#define HOST_LARGE_FD	  (-13)

struct host {
	bool (*read)(void *to, size_t size, uint64_t at);
	struct task_struct task;
	struct lt_process process;
	struct lt_chunk *chunks[LT_MAX_CHUNKS];
	struct module_table modules;
	struct unwind_tables tables;
	int pages_fd, rules_fd, traced_fd;
};

static struct host host;

/* -- the helpers that the unwinder calls ------------------------------------------------------- */

static long host_probe_read(void *to, __u32 size, const void *from)
{
	if (host.read(to, size, (uint64_t)from))
		return 0;
	memset(to, 0, size); /* as the kernel does */
	return -14;
}

static void *host_current_task(void)
{
	return &host.task;
}

static void *host_map_lookup(const void *map, const void *key)
{
	uint32_t i;

	memcpy(&i, key, sizeof(i));
	if (map == &processes || map == &large_processes)
		return i == (uint32_t)getpid() ? &host.process : NULL;
	if (map == &traced)
		return i < LT_TRACED_SLOTS ? &host.tables.traced[i] : NULL;
	if (map == &pages)
		return i < LT_MAX_PAGES ? &host.tables.pages[i] : NULL;
	if (map == &rules)
		return i < LT_MAX_RULES ? &host.tables.rules[i] : NULL;
	if (map == &chunks)
		return i < LT_MAX_CHUNKS ? host.chunks[i] : NULL;
	for (uint32_t c = 0; c < LT_MAX_CHUNKS && host.chunks[c]; c++)
		if (map == host.chunks[c])
			return i ? NULL : host.chunks[c];
	return NULL;
}

/* -- the calls that the loader makes ------------------------------------------------------------- */

int bpf_map_create(enum bpf_map_type type, const char *name, __u32 key_size, __u32 value_size,
		   __u32 max_entries, const struct bpf_map_create_opts *opts)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	if (fd >= 0 && ftruncate(fd, (off_t)value_size * max_entries)) {
		close(fd);
		return -1;
	}
	return fd;
}

int bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags)
{
	uint32_t i;
	int inner;
	void *p;

	if (fd == HOST_PROCESSES_FD || fd == HOST_LARGE_FD) {
		memcpy(&host.process, value, sizeof(host.process));
		return 0;
	}
	memcpy(&i, key, sizeof(i));
	memcpy(&inner, value, sizeof(inner));
	p = mmap(NULL, sizeof(struct lt_chunk), PROT_READ, MAP_SHARED, inner, 0);
	if (fd != HOST_CHUNKS_FD || i >= LT_MAX_CHUNKS || p == MAP_FAILED)
		return -1;
	host.chunks[i] = p;
	return 0;
}

int bpf_map_delete_elem(int fd, const void *key)
{
	if (fd == HOST_PROCESSES_FD)
		memset(&host.process, 0, sizeof(host.process));
	return 0;
}

/* -- memory ------------------------------------------------------------------------------------ */

/* Our own, through the kernel: an address that cannot be read fails, and no sanitizer minds. Copies
 * what there is, and returns how much. */
static size_t host_copy_self(void *to, size_t size, uint64_t at)
{
	struct iovec local = { to, size };
	struct iovec remote = { (void *)(uintptr_t)at, size };
	ssize_t n = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);

	return n > 0 ? (size_t)n : 0;
}

static bool host_read_self(void *to, size_t size, uint64_t at)
{
	return host_copy_self(to, size, at) == size;
}

/* -- life ---------------------------------------------------------------------------------------- */

static int host_init(void)
{
	static uint32_t begun;
	struct table_maps maps = { .chunks = HOST_CHUNKS_FD, .processes = HOST_PROCESSES_FD,
				   .large_processes = HOST_LARGE_FD,
				   .max_chunks = LT_MAX_CHUNKS, .begun = &begun };
	int r;

	host.read = host_read_self;
	host.pages_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "pages", 4, 8, LT_MAX_PAGES, NULL);
	host.rules_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "rules", 4, 8, LT_MAX_RULES, NULL);
	host.traced_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "traced", 4, 8, LT_TRACED_SLOTS, NULL);
	maps.pages = host.pages_fd;
	maps.rules = host.rules_fd;
	maps.traced = host.traced_fd;
	module_table_init(&host.modules);
	r = unwind_tables_init(&host.tables, &maps, &host.modules);
	if (!r)
		r = unwind_tables_update(&host.tables, getpid(), NULL);
	return r ? r : unwind_tables_begin(&host.tables, getpid());
}

static void host_deinit(void)
{
	for (uint32_t i = 0; i < LT_MAX_CHUNKS && host.chunks[i]; i++)
		munmap(host.chunks[i], sizeof(struct lt_chunk));
	unwind_tables_deinit(&host.tables);
	module_table_deinit(&host.modules);
	close(host.pages_fd);
	close(host.rules_fd);
	close(host.traced_fd);
}

/* The address in this process that a frame stands for. */
static uint64_t host_address(uint64_t frame)
{
	uint64_t bias = 0;

	if (!LT_FRAME_MODULE(frame))
		return LT_FRAME_OFFSET(frame);
	unwind_tables_bias(&host.tables, getpid(), LT_FRAME_MODULE(frame), &bias);
	return bias + LT_FRAME_OFFSET(frame);
}
