// SPDX-License-Identifier: Apache-2.0
#include "sym/perfmap.h"
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include "base/cleanup.h"
#include "elf/sort.h"
#include "proc/procfs.h"
#include "proc/taskdir.h"
#include "proc/foreign.h"

#define READ_SIZE (1U << 20) /* longer lines are skipped */

/* Reads a hexadecimal number and the blanks after it; false when there is none. */
static bool parse_hex(const char **p, const char *end, uint64_t *ret)
{
	const char *s = *p;
	uint64_t v = 0;
	bool any = false;
	int digit;

	if (end - s > 2 && s[0] == '0' && (s[1] | 0x20) == 'x')
		s += 2;
	for (; s < end; s++, any = true) {
		if (*s >= '0' && *s <= '9')
			digit = *s - '0';
		else if ((*s | 0x20) >= 'a' && (*s | 0x20) <= 'f')
			digit = (*s | 0x20) - 'a' + 10;
		else
			break;
		if (v >> 60)
			return false;
		v = v << 4 | digit;
	}
	if (!any || s == end || *s != ' ')
		return false;
	while (s < end && *s == ' ')
		s++;
	*p = s;
	*ret = v;
	return true;
}

/* -- what was asked for ------------------------------------------------------------------------ */

/* FNV-1a */
static uint64_t hash_name(const char *s, size_t n)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)s[i]) * 0x100000001b3ULL;
	return h;
}

/* The first that is watched from the address on. */
static size_t first_watched(const struct perfmap *m, uint64_t address)
{
	size_t low = 0, high = m->watched.n, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (m->watched.items[mid].address < address)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

int perfmap_watch(struct perfmap *m, uint64_t address)
{
	const size_t at = first_watched(m, address);
	const char *name = perfmap_at(m, address);
	struct perfmap_watch w = { address, name ? hash_name(name, strlen(name)) : 0 };
	int r;

	/* what has no name yet can be given one without being other code */
	if (!name || (at < m->watched.n && m->watched.items[at].address == address))
		return 0;
	r = vec_push(&m->watched, w);
	if (r)
		return r;
	memmove(m->watched.items + at + 1, m->watched.items + at, (m->watched.n - 1 - at) * sizeof(w));
	m->watched.items[at] = w;
	return 0;
}

static void note_overridden(struct perfmap *m, const struct perfmap_entry *e, const char *s, size_t n)
{
	uint64_t name;

	for (size_t i = first_watched(m, e->start); i < m->watched.n && m->watched.items[i].address < e->end; i++) {
		name = hash_name(s, n);
		m->overridden += m->watched.items[i].name != name;
		m->watched.items[i].name = name;
	}
}

/* -- lines --------------------------------------------------------------------------------------- */

static int parse_line(struct perfmap *m, const char *s, const char *end)
{
	struct perfmap_entry e = { .name = m->names.n, .order = m->n + 1 };
	uint64_t size;

	if (!parse_hex(&s, end, &e.start) || !parse_hex(&s, end, &size) || s == end || !size ||
	    size > UINT64_MAX - e.start || memchr(s, '\0', end - s))
		return 0;
	e.end = e.start + size;
	note_overridden(m, &e, s, (size_t)(end - s));
	strbuf_add(&m->names, s, end - s);
	strbuf_add(&m->names, "", 1);
	return m->names.oom ? -ENOMEM : vec_push(m, e);
}

ssize_t perfmap_parse(struct perfmap *m, const char *text, size_t n)
{
	const char *p = text, *newline;
	int r;

	while ((newline = memchr(p, '\n', n - (p - text)))) {
		r = parse_line(m, p, newline);
		if (r)
			return r;
		p = newline + 1;
	}
	return p - text;
}

/* The entries that hold at one address, as a heap: the latest on top. */
struct active {
	VEC_OF(struct perfmap_entry);
};

static void active_swap(struct active *a, size_t i, size_t k)
{
	const struct perfmap_entry e = a->items[i];

	a->items[i] = a->items[k];
	a->items[k] = e;
}

static int active_push(struct active *a, const struct perfmap_entry *e)
{
	int r = vec_push(a, *e);

	for (size_t i = a->n - 1; !r && i && a->items[i].order > a->items[(i - 1) / 2].order;
	     i = (i - 1) / 2)
		active_swap(a, i, (i - 1) / 2);
	return r;
}

static void active_pop(struct active *a)
{
	size_t i = 0, child;

	a->items[0] = a->items[--a->n];
	while ((child = 2 * i + 1) < a->n) {
		child += child + 1 < a->n && a->items[child + 1].order > a->items[child].order;
		if (a->items[i].order > a->items[child].order)
			break;
		active_swap(a, i, child);
		i = child;
	}
}

/* Cuts the sorted entries of `m` into disjoint ones: a sweep over the addresses. */
static int perfmap_flatten(const struct perfmap *m, struct active *active, struct active *ret)
{
	struct perfmap_entry piece;
	uint64_t at = 0;
	size_t i = 0;
	int r = 0;

	while (!r && (i < m->n || active->n)) {
		if (!active->n && m->items[i].start > at)
			at = m->items[i].start;
		for (; !r && i < m->n && m->items[i].start <= at; i++)
			r = active_push(active, &m->items[i]);
		while (active->n && active->items[0].end <= at)
			active_pop(active);
		if (r || !active->n)
			continue;
		piece = active->items[0];
		piece.start = at;
		if (i < m->n && m->items[i].start < piece.end)
			piece.end = m->items[i].start;
		at = piece.end;
		if (ret->n && ret->items[ret->n - 1].name == piece.name &&
		    ret->items[ret->n - 1].end == piece.start)
			ret->items[ret->n - 1].end = piece.end;
		else
			r = vec_push(ret, piece);
	}
	return r;
}

static bool is_disjoint(const struct perfmap *m)
{
	for (size_t i = 1; i < m->n; i++)
		if (m->items[i].start < m->items[i - 1].end)
			return false;
	return true;
}

int perfmap_settle(struct perfmap *m)
{
	struct active active = { 0 }, flat = { 0 };
	int r = sort_by_address(m->items, m->n, sizeof(*m->items));

	if (r)
		return r;
	if (!is_disjoint(m)) {
		r = perfmap_flatten(m, &active, &flat);
		vec_free(&active);
		if (r) {
			vec_free(&flat);
			return r;
		}
		free(m->items);
		m->items = flat.items;
		m->n = flat.n;
		m->cap = flat.cap;
	}
	/* older than all that follow */
	vec_foreach(e, m)
		e->order = 0;
	return 0;
}

/* The number that the process has in its innermost namespace, and its user. */
static int read_identity(pid_t pid, int *ret_pid, uid_t *ret_uid)
{
	_cleanup_free_ char *text = NULL;
	const char *line;
	int r = procfs_read(pid, "status", &text, NULL), inner;

	if (r)
		return r;
	inner = (int)procfs_inner_id(text);
	*ret_pid = inner ? inner : pid;
	line = strstr(text, "\nUid:");
	*ret_uid = line ? strtoul(line + sizeof("\nUid:") - 1, NULL, 10) : 0;
	return 0;
}

static int perfmap_open(pid_t pid, struct stat *ret_stat)
{
	char root[32], path[48];
	_cleanup_close_ int fd = -1;
	uid_t uid;
	int inner, r = read_identity(pid, &inner, &uid);

	if (r)
		return r;
	snprintf(root, sizeof(root), "/proc/%d/root", (int)task_proc(pid));
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", inner);
	fd = foreign_open_path(root, path);
	if (fd < 0 || fstat(fd, ret_stat))
		return -ENOENT;
	/* anybody may write into /tmp */
	if (!foreign_is_owned(ret_stat, uid))
		return -ENOENT;
	return take_fd(fd);
}

bool perfmap_is_cut(const struct perfmap *m)
{
	return m->consumed >= PERFMAP_TEXT_MAX || m->n >= PERFMAP_ENTRIES_MAX;
}

static int perfmap_read(struct perfmap *m, int fd)
{
	_cleanup_free_ char *buf = malloc(READ_SIZE);
	ssize_t n, used = 0;

	if (!buf)
		return -ENOMEM;
	while (!perfmap_is_cut(m) && (n = pread(fd, buf, READ_SIZE, m->consumed)) > 0) {
		used = perfmap_parse(m, buf, n);
		if (used < 0)
			return used;
		if (!used && n < READ_SIZE)
			break; /* a line that is still being written */
		m->consumed += used ? used : n;
	}
	return perfmap_settle(m);
}

/* Whether this is the file that was read before with more behind it, and not one written anew. */
static bool is_longer(const struct perfmap *m, int fd, const struct stat *st)
{
	char last;

	if (m->device != st->st_dev || m->inode != st->st_ino || m->size >= (uint64_t)st->st_size)
		return false;
	return !m->consumed || (pread(fd, &last, 1, m->consumed - 1) == 1 && last == '\n');
}

/* Another file. It may say of what is watched what the old one said. */
static void perfmap_forget(struct perfmap *m)
{
	struct perfmap old = *m;

	*m = (struct perfmap){ .overridden = old.overridden };
	m->watched.items = old.watched.items;
	m->watched.n = old.watched.n;
	m->watched.cap = old.watched.cap;
	old.watched.items = NULL;
	old.watched.n = 0;
	perfmap_deinit(&old);
}

int perfmap_refresh(struct perfmap *m, pid_t pid)
{
	struct stat st;
	_cleanup_close_ int fd = perfmap_open(pid, &st);
	int64_t mtime_ns;

	if (fd < 0)
		return fd == -ENOMEM ? fd : 0;
	mtime_ns = st.st_mtim.tv_sec * 1000000000LL + st.st_mtim.tv_nsec;
	if (m->device == st.st_dev && m->inode == st.st_ino && m->size == (uint64_t)st.st_size &&
	    m->mtime_ns == mtime_ns)
		return 0;
	if (!is_longer(m, fd, &st))
		perfmap_forget(m);
	m->device = st.st_dev;
	m->inode = st.st_ino;
	m->size = st.st_size;
	m->mtime_ns = mtime_ns;
	return perfmap_read(m, fd);
}

const char *perfmap_at(const struct perfmap *m, uint64_t address)
{
	size_t low = 0, high = m->n, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (m->items[mid].start <= address)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low || address >= m->items[low - 1].end)
		return NULL;
	return m->names.s + m->items[low - 1].name;
}

void perfmap_deinit(struct perfmap *m)
{
	vec_free(m);
	vec_free(&m->watched);
	strbuf_deinit(&m->names);
	*m = (struct perfmap){ 0 };
}
