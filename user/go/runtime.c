// SPDX-License-Identifier: Apache-2.0
#include "go/runtime.h"
#include <elf.h>
#include <errno.h>
#include <string.h>
#include <time.h>
#include "base/reader.h"
#include "proc/refusal.h"

#define BUILD_MAGIC	  "\xff Go buildinf:" /* src/debug/buildinfo */
#define BUILD_MAGIC_SIZE  14
#define BUILD_FLAGS	  15
#define BUILD_FLAG_INLINE 2 /* the version follows at 32 */
#define BUILD_VERSION	  32
#define SLICE_MAX	  (1ULL << 32)
#define STARTS		  20 /* times that a process is looked at that is only starting */
#define START_NS	  5000000

uint64_t go_field(const uint8_t *bytes, size_t size, uint32_t offset, unsigned int n)
{
	uint64_t v = 0;

	if (offset != GO_NONE && offset + (uint64_t)n <= size)
		memcpy(&v, bytes + offset, n);
	return v;
}

uint64_t go_read_word(const struct go_runtime *rt, uint64_t at)
{
	uint64_t v;

	return memory_read(&rt->memory, at, &v, sizeof(v)) ? 0 : v;
}

struct go_slice go_read_slice(const struct go_runtime *rt, uint64_t at)
{
	uint64_t words[3]; /* where, length, capacity */

	if (!at || memory_read(&rt->memory, at, words, sizeof(words)) || !words[0] ||
	    words[0] & 7 || words[1] > words[2] || words[2] > SLICE_MAX)
		return (struct go_slice){ 0 };
	return (struct go_slice){ words[0], words[1] };
}

/* -- the version ------------------------------------------------------------------------------ */
static bool version_at(struct reader r, char *ret, size_t size)
{
	const uint8_t *start = r.p;
	const char *text;
	uint64_t n;

	if (reader_left(&r) <= BUILD_VERSION || !(start[BUILD_FLAGS] & BUILD_FLAG_INLINE))
		return false;
	reader_skip(&r, BUILD_VERSION);
	n = reader_uleb128(&r);
	text = reader_bytes(&r, n);
	if (!text || !n || n >= size)
		return false;
	memcpy(ret, text, n);
	ret[n] = 0;
	for (size_t i = 0; i < n; i++)
		if (ret[i] < ' ' || ret[i] > '~')
			return false;
	return true;
}

/* Whether the file says of itself that Go built it; its version is "" when it does not say which.
 */
static bool find_version(const struct elf_image *img, char *ret, size_t size)
{
	const uint8_t *data, *at;
	bool found = false;

	*ret = 0;
	elf_foreach_segment(s, img)
	{
		data = s->filesz && !(s->flags & PF_X) ? elf_image_at(img, s->vaddr, s->filesz)
						       : NULL;
		for (at = data; at; at++) {
			at = memmem(at, (size_t)(data + s->filesz - at), BUILD_MAGIC,
				    BUILD_MAGIC_SIZE);
			if (!at)
				break;
			found = true;
			if (version_at(reader_make(at, (size_t)(data + s->filesz - at)), ret, size))
				return true;
			*ret = 0;
		}
	}
	return found;
}

/* "go1.23.5", "devel go1.24-af5cd1a", "go1.22.1 X:boringcrypto": 23, 24, 22; 0: none of these */
static unsigned int version_minor(const char *version)
{
	const char *at = strstr(version, "go1.");
	unsigned long minor = at ? strtoul(at + 4, NULL, 10) : 0;

	return minor < 1000 ? (unsigned int)minor : 0;
}

/* -- opening ---------------------------------------------------------------------------------- */
static int try_layout(struct go_runtime *rt, const struct go_layout *l, struct err *e)
{
	int r;

	rt->layout = l;
	rt->at = (struct go_addresses){ 0 };
	rt->n_reasons = 0;
	r = go_variables_find(rt);
	return r ? err_set(e, r, "%s", strerror(-r)) : go_check(rt, e);
}

/* Tries the rows of the release on the process: the first that it bears out is it, its heap
 * included if there is such a one. Why the first is not is told. */
static int find_layout(struct go_runtime *rt, struct err *e)
{
	const struct go_layout *l = NULL, *sound = NULL;
	struct err first = { "" };
	int r = -EOPNOTSUPP;

	while ((l = go_layout_next(rt->minor, l))) {
		struct err why = { "" };

		r = try_layout(rt, l, &why);
		if (!r && rt->at.mheap)
			return 0;
		if (!r && !sound)
			sound = l;
		if (r && !first.text[0])
			first = why;
		if (r && r != -EOPNOTSUPP)
			break;
	}
	if (sound)
		return rt->layout == sound && !r ? 0 : try_layout(rt, sound, e);
	return err_set(e, r, "%s", first.text);
}

static int check_version(const struct go_runtime *rt, struct err *e)
{
	unsigned int first, last;

	go_layout_range(&first, &last);
	if (go_layout_next(rt->minor, NULL))
		return 0;
	if (!rt->version[0])
		return err_set(
			e, -EOPNOTSUPP,
			"a Go program that does not say which release built it; known are Go 1.%u "
			"to 1.%u",
			first, last);
	return err_set(e, -EOPNOTSUPP,
		       "built by %s, whose runtime is not known here; known are Go 1.%u to 1.%u",
		       rt->version, first, last);
}

static int open_image(struct go_runtime *rt, int elf_fd, struct err *e)
{
	int r = elf_image_open_fd(elf_fd, &rt->image);
	bool is_go;

	if (r == -ENOEXEC)
		return -ENOENT;
	if (r)
		return err_set(e, r, "its program cannot be read: %s", strerror(-r));
	is_go = find_version(&rt->image, rt->version, sizeof(rt->version));
	rt->minor = version_minor(rt->version);
	r = gopclntab_find(&rt->image, &rt->table);
	if (r && r != -ENOENT)
		return err_set(e, r, "its program cannot be read: %s", strerror(-r));
	if (r && !is_go)
		return -ENOENT;
	if (rt->image.machine != EM_X86_64)
		return err_set(e, -EOPNOTSUPP, "a Go program for another processor than x86-64");
	if (check_version(rt, e))
		return -EOPNOTSUPP;
	if (r)
		return err_set(e, -EOPNOTSUPP,
			       "built by %s, but its table of functions is not to be found",
			       rt->version);
	return 0;
}

int go_cannot_read(int r, struct err *e)
{
	if (r == -ESRCH || r == -ENOENT)
		return err_set(e, -ESRCH, "there is no such process, or it has just ended");
	if (r == -EPERM || r == -EACCES)
		return err_set(e, -EPERM, "its memory must not be read: %s", refusal_why());
	return err_set(e, r, "%s", strerror(-r));
}

/* Can the process's memory be read at all? Its end, above all, looks like anything. */
static int check_memory(const struct go_runtime *rt, struct err *e)
{
	uint64_t word;
	int r = memory_read(&rt->memory, rt->table.module + rt->bias, &word, sizeof(word));

	return r && r != -EFAULT ? go_cannot_read(r, e) : 0;
}

int go_runtime_open_memory(const struct memory *m, int elf_fd, uint64_t bias,
			   struct go_runtime **ret, struct err *e)
{
	struct go_runtime *rt = calloc(1, sizeof(*rt));
	int r;

	if (!rt)
		return err_set(e, -ENOMEM, "out of memory");
	rt->memory = *m;
	rt->bias = bias;
	r = open_image(rt, elf_fd, e);
	if (!r)
		r = check_memory(rt, e);
	for (int i = 0; !r; i++) {
		r = find_layout(rt, e);
		if (r)
			r = check_memory(rt, e) ?: r;
		if (r != -EAGAIN || i == STARTS || m->pid <= 0)
			break;
		r = 0;
		nanosleep(&(struct timespec){ .tv_nsec = START_NS }, NULL);
	}
	if (r) {
		go_runtime_close(rt);
		return r;
	}
	*ret = rt;
	return 0;
}

void go_runtime_close(struct go_runtime *rt)
{
	if (!rt)
		return;
	hashmap_deinit(&rt->frames);
	elf_image_deinit(&rt->image);
	free(rt);
}

const char *go_runtime_version(const struct go_runtime *rt)
{
	return rt->version;
}
