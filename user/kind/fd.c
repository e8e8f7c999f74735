// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include "base/cleanup.h"
#include "base/units.h"
#include "kind/fields.h"
#include "kind/kinds.h"
#include "kind/socket_words.h"

/* What the kernel makes the link say of descriptors that have no path. */
static const struct {
	const char *prefix, *suffix, *type;
} links[] = {
	{ "socket:[", "]", "socket" },	      { "pipe:[", "]", "pipe" },
	{ "/memfd:", " (deleted)", "memfd" }, { "/secretmem", " (deleted)", "secretmem" },
	{ "/dmabuf:", "", "dmabuf" },	      { "pidfd:[", "]", "pidfd" },
	{ "mnt:[", "]", "namespace" },	      { "net:[", "]", "namespace" },
	{ "pid:[", "]", "namespace" },	      { "ipc:[", "]", "namespace" },
	{ "uts:[", "]", "namespace" },	      { "user:[", "]", "namespace" },
	{ "time:[", "]", "namespace" },	      { "cgroup:[", "]", "namespace" },
};

#define ANON "anon_inode:"

/* Anonymous inodes whose own name is not the one that people know; others keep theirs. */
static const struct {
	const char *kernel, *type;
} anon[] = {
	{ "eventpoll", "epoll" },	 { "bpf_link", "bpf-link" },   { "bpf_iter", "bpf-iter" },
	{ "bpf_iter_link", "bpf-link" }, { "bpf-token", "bpf-token" },
};

static const struct {
	mode_t format;
	const char *type;
} formats[] = {
	{ S_IFREG, "file" },	{ S_IFDIR, "directory" }, { S_IFCHR, "device" },
	{ S_IFBLK, "device" },	{ S_IFIFO, "pipe" },	  { S_IFSOCK, "socket" },
	{ S_IFLNK, "symlink" },
};

static bool matches(const char *s, const char *prefix, const char *suffix)
{
	const size_t n = strlen(s), head = strlen(prefix), tail = strlen(suffix);

	return n >= head + tail && !strncmp(s, prefix, head) && !strcmp(s + n - tail, suffix);
}

/* "anon_inode:[eventfd]", "anon_inode:inotify": the name with or without brackets. */
static const char *anon_type(const char *name, struct arena *arena)
{
	const bool brackets = matches(name, "[", "]");
	char *type = arena_printf(arena, "%.*s", (int)strlen(name) - 2 * brackets, name + brackets);

	for (size_t i = 0; type && i < ARRAY_SIZE(anon); i++)
		if (!strcmp(anon[i].kernel, type))
			return anon[i].type;
	return type;
}

static const char *format_type(mode_t format)
{
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if (formats[i].format == format)
			return formats[i].type;
	return NULL;
}

/* 0 or -ENOMEM; a type that is not known is NULL. */
static int fd_type(const struct census_fd *f, struct arena *arena, const char **ret)
{
	*ret = NULL;
	for (size_t i = 0; f->target && i < ARRAY_SIZE(links); i++)
		if (matches(f->target, links[i].prefix, links[i].suffix))
			*ret = links[i].type;
	if (f->target && matches(f->target, ANON, "")) {
		*ret = anon_type(f->target + strlen(ANON), arena);
		return *ret ? 0 : -ENOMEM;
	}
	if (!*ret)
		*ret = format_type(f->format);
	return 0;
}

static int fd_list(const struct census *c, struct id_vec *ret)
{
	int r = vec_reserve(ret, c->fds.n);

	for (size_t i = 0; !r && i < c->fds.n; i++)
		r = vec_push(ret, c->fds.items[i].fd);
	return r;
}

static bool fd_holds(const struct census *c, uint64_t id)
{
	return id <= UINT32_MAX && census_fd(c, (unsigned int)id);
}

static int fd_fields(const struct census *c, const struct census_fd *f, struct arena *arena,
		     struct item *i)
{
	const char *type, *target = arena_strdup(arena, f->target), *what = target;
	struct socket_words w = { 0 };
	int r = fd_type(f, arena, &type);

	if (!r && f->socket)
		r = socket_words(c, f->socket, -1, arena, &w);
	if (r || (f->target && !target))
		return -ENOMEM;
	if (w.unconnected_tcp)
		w.state = "not connected";
	if (w.text)
		what = w.state && strcmp(w.state, "ESTABLISHED")
			       ? arena_printf(arena, "%s, %s", w.text, w.state)
			       : w.text;
	if (w.text && !what)
		return -ENOMEM;
	item_string(i, "type", type);
	item_string(i, "target", target);
	item_number(i, "memory_bytes", f->memory, f->memory > 0);
	if (what && f->memory)
		what = arena_printf(arena, "%s, %s of memory", what, units_bytes(f->memory).s);
	if (f->memory && !what)
		return -ENOMEM;
	i->text = what ? arena_printf(arena, "%u -> %s", f->fd, what)
		       : arena_printf(arena, "%u", f->fd);
	i->note = w.note;
	return 0;
}

static int fd_describe(const struct census *c, const struct holding *h, struct arena *arena,
		       struct item *ret)
{
	const struct census_fd *f =
		c && h->id <= UINT32_MAX ? census_fd(c, (unsigned int)h->id) : NULL;
	struct item i = item_make(h);
	int r;

	item_number(&i, "fd", h->id, true);
	if (f) {
		r = fd_fields(c, f, arena, &i);
		if (r)
			return r;
	} else {
		item_string(&i, "type", NULL);
		item_string(&i, "target", NULL);
		item_number(&i, "memory_bytes", 0, false);
		i.text = arena_printf(arena, "%" PRIu64, h->id);
	}
	return item_finish(&i, ret);
}

const struct kind kind_fd = {
	.id = LT_KIND_FD,
	.list = fd_list,
	.holds = fd_holds,
	.describe = fd_describe,
};
