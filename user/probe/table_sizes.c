// SPDX-License-Identifier: Apache-2.0
#include "probe/table_sizes.h"
#include <bpf/libbpf.h>
#include <errno.h>
#include <leaktrace/books.h>
#include <leaktrace/go.h>
#include <leaktrace/go_net.h>
#include <leaktrace/system.h>
#include "base/cleanup.h"

#define BIT(kind)	(1U << LT_KIND_##kind)
#define ALL		LT_KINDS_ALL
#define CHUNK_BYTES	(LT_CHUNK_ROWS * sizeof(uint32_t))
#define CHUNKS_LEAST	16U /* 1 million rows: a program and a dozen libraries */
#define CHUNKS_SHARE	4 /* of a limit, the unwind tables' */
#define FIXED_BYTES	(6ULL << 20) /* of all tables that are not below */

/*
 * What is sized. An entry takes `taken` bytes at once, and `full` when it is in use; there are `most` of them
 * where one of the kinds is traced, else `idle`. They are halved until all fit, but there are never
 * fewer than `least`. All are powers of two.
 */
static const struct table_row {
	const char *name; /* in bpf/ */
	uint32_t kinds, taken, full, most, idle, least;
} rows[TABLE_MAX] = {
	[TABLE_OUTSTANDING] = { "outstanding", BIT(MEMORY), 256, 256, LT_HOLDING_SETS, LT_HOLDING_SETS / 4, 1024 },
	[TABLE_SPILLED] = { "spilled", BIT(MEMORY), 16, 112, LT_MAX_SPILLED, LT_MAX_SPILLED / 4, 8192 },
	[TABLE_STACKS] = { "stacks", BIT(MEMORY), 40, 40, LT_MAX_STACKS, LT_MAX_STACKS / 4, 4096 },
	[TABLE_EVENTS] = { "events", BIT(MEMORY), 1, 1, 16U << 20, 4U << 20, 512U << 10 },
	[TABLE_COPIES] = { "copies", ALL, 1, 1, 8U << 20, 8U << 20, 512U << 10 },
	[TABLE_FILES] = { "files", ALL, 16, 192, 65536, 65536, 2048 },
	[TABLE_SOCKETS] = { "sockets", BIT(CONNECTION) | BIT(LISTENER), 80, 80, LT_MAX_SOCKETS, 64, 2048 },
	[TABLE_CHILDREN] = { "children", BIT(CHILD) | BIT(ZOMBIE), 16, 96, LT_MAX_TASKS, 64, 2048 },
	[TABLE_PTHREADS] = { "pthreads", BIT(THREAD) | BIT(UNJOINED), 16, 96, LT_MAX_TASKS, 64, 2048 },
	[TABLE_PTHREAD_TIDS] = { "pthread_tids", BIT(THREAD) | BIT(UNJOINED), 16, 80, LT_MAX_TASKS, 64, 2048 },
	/* these are not halved: what user space does goes by their size */
	[TABLE_GO_SPANS] = { "go_spans", BIT(GO_HEAP), 16, 160, LT_GO_SPANS, 64, LT_GO_SPANS },
	[TABLE_GO_MADE] = { "go_made", BIT(GOROUTINE), 112, 112, LT_GO_MADE, 1024, LT_GO_MADE },
	[TABLE_GO_CONNS] = { "go_conns", BIT(CONNECTION), 120, 120, LT_GO_CONNS, 1024, LT_GO_CONNS },
};

static uint32_t entries_of(const struct table_row *row, uint32_t kinds, unsigned int halvings)
{
	uint32_t most = row->kinds & kinds ? row->most : row->idle, n = most >> halvings;

	if (n >= row->least)
		return n;
	return most < row->least ? most : row->least;
}

/* All but the chunks. Whether it is any smaller than with one halving less. */
static bool sizes_of(uint32_t kinds, unsigned int halvings, struct table_sizes *ret)
{
	bool smaller = !halvings;

	*ret = (struct table_sizes){ .bytes = FIXED_BYTES, .bytes_full = FIXED_BYTES };
	for (size_t i = 0; i < TABLE_MAX; i++) {
		const uint64_t n = entries_of(&rows[i], kinds, halvings);

		smaller |= halvings && n < entries_of(&rows[i], kinds, halvings - 1);
		ret->entries[i] = (uint32_t)n;
		ret->bytes += n * rows[i].taken;
		ret->bytes_full += n * rows[i].full;
	}
	return smaller;
}

static void add_chunks(struct table_sizes *s, uint64_t bytes)
{
	const uint64_t n = bytes / CHUNK_BYTES;

	s->chunks = n < LT_MAX_CHUNKS ? (uint32_t)n : LT_MAX_CHUNKS;
	s->bytes_full += s->chunks * (uint64_t)CHUNK_BYTES;
}

/* What is left of so many bytes is for tables that have been halved once too often. */
static void use_rest(uint32_t kinds, unsigned int halvings, uint64_t bytes, struct table_sizes *s)
{
	for (size_t i = 0; halvings && i < TABLE_MAX; i++) {
		const uint64_t more = entries_of(&rows[i], kinds, halvings - 1) - s->entries[i];

		if (s->bytes_full + more * rows[i].full > bytes)
			continue;
		s->entries[i] += (uint32_t)more;
		s->bytes += more * rows[i].taken;
		s->bytes_full += more * rows[i].full;
	}
}

int table_sizes_choose(uint32_t kinds, uint64_t limit, struct table_sizes *ret)
{
	uint64_t share = limit / CHUNKS_SHARE;

	if (limit && limit < table_sizes_least(kinds))
		return -ERANGE;
	share = limit - (share < CHUNKS_LEAST * CHUNK_BYTES ? CHUNKS_LEAST * CHUNK_BYTES : share);
	for (unsigned int halvings = 0; sizes_of(kinds, halvings, ret); halvings++) {
		if (limit && ret->bytes_full > share)
			continue;
		use_rest(kinds, halvings, share, ret);
		add_chunks(ret, limit ? limit - ret->bytes_full : UINT64_MAX);
		return 0;
	}
	add_chunks(ret, limit - ret->bytes_full); /* the least fits */
	return 0;
}

uint64_t table_sizes_least(uint32_t kinds)
{
	unsigned int halvings = 0;
	struct table_sizes s;

	while (sizes_of(kinds, halvings, &s))
		halvings++;
	return s.bytes_full + CHUNKS_LEAST * CHUNK_BYTES;
}

int table_sizes_set(const struct table_sizes *s, struct bpf_object *object)
{
	for (size_t i = 0; i < TABLE_MAX; i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(object, rows[i].name);
		int r = map ? bpf_map__set_max_entries(map, s->entries[i]) : -ENOENT;

		if (r)
			return r;
	}
	return 0;
}
