// SPDX-License-Identifier: Apache-2.0
#include "sym/debugfile.h"
#include <errno.h>
#include <limits.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>
#include "base/reader.h"
#include "base/strbuf.h"
#include "proc/foreign.h"

#define DEBUG_DIR    "/usr/lib/debug"
#define UNPACKED_MAX (64UL << 20)
#define LZMA_MEM_MAX (64UL << 20)
#define CRC_MAX	     (256L << 20) /* bytes of a file whose checksum is made */
#define CRC_PIECE    65536

/* What makes a file the right one. */
struct identity {
	const uint8_t *build_id;
	size_t build_id_len; /* 0: unknown */
	const uint32_t *crc; /* NULL: none to compare */
	uid_t owner;	     /* who may own it, besides root */
};

static bool same_build_id(const struct elf_image *img, const struct identity *want)
{
	return img->build_id_len == want->build_id_len &&
	       !memcmp(img->build_id, want->build_id, want->build_id_len);
}

static bool same_crc(int fd, off_t size, uint32_t want)
{
	uint8_t piece[CRC_PIECE];
	uint32_t crc = 0;
	off_t at = 0;
	ssize_t n;

	while (size <= CRC_MAX && at < size && (n = pread(fd, piece, sizeof(piece), at)) > 0) {
		crc = crc32(crc, piece, (uInt)n);
		at += n;
	}
	return at && at == size && crc == want;
}

/* Other copies of a stripped file have its build-id, too; they are of no use. */
static bool has_more(const struct elf_image *img)
{
	static const char *const names[] = { ".debug_info", ".zdebug_info", ".symtab" };
	const struct elf_section *s;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		s = elf_image_section(img, names[i]);
		if (s && elf_image_section_data(img, s))
			return true;
	}
	return false;
}

/* The checksum is of the whole file: it is made only where no build-id decides. */
static bool is_wanted(const struct elf_image *img, int fd, const struct identity *want)
{
	if (!has_more(img))
		return false;
	if (img->build_id_len && want->build_id_len)
		return same_build_id(img, want);
	return want->crc && same_crc(fd, (off_t)img->size, *want->crc);
}

static int debugfile_try(const char *root, const char *path, const struct identity *want,
			 struct debugfile *ret)
{
	_cleanup_(elf_image_deinit) struct elf_image img = { 0 };
	_cleanup_close_ int fd = foreign_open_path(root, path);
	struct stat st;
	char *copy;
	int r;

	if (fd < 0 || fstat(fd, &st) || !foreign_is_owned(&st, want->owner))
		return -ENOENT;
	r = elf_image_map_fd(fd, &img);
	if (r)
		return r == -ENOMEM ? r : -ENOENT;
	if (!is_wanted(&img, fd, want))
		return -ENOENT;
	/* most are found through a link, and what they refer to lies beside the file itself */
	r = foreign_path_of(root, fd, &copy);
	if (r == -ENOENT) {
		copy = strdup(path);
		r = copy ? 0 : -ENOMEM;
	}
	if (r)
		return r;
	*ret = (struct debugfile){ .image = img, .fd = take_fd(fd), .path = copy };
	img = (struct elf_image){ 0 };
	return 0;
}

/* Consumes the path in `b`. */
static int debugfile_try_built(const char *root, struct strbuf *b, const struct identity *want,
			       struct debugfile *ret)
{
	_cleanup_free_ char *path = strbuf_steal(b);

	return path ? debugfile_try(root, path, want, ret) : -ENOMEM;
}

static int find_by_build_id(const char *root, const struct identity *want, struct debugfile *ret)
{
	const char *roots[] = { root, "" };
	const size_t n_roots = *root ? 2 : 1;
	struct strbuf path = { 0 };
	int r = -ENOENT;

	if (want->build_id_len < 2)
		return -ENOENT;
	for (size_t i = 0; i < n_roots && r == -ENOENT; i++) {
		strbuf_addf(&path, DEBUG_DIR "/.build-id/%02x/", want->build_id[0]);
		for (size_t k = 1; k < want->build_id_len; k++)
			strbuf_addf(&path, "%02x", want->build_id[k]);
		strbuf_adds(&path, ".debug");
		r = debugfile_try_built(roots[i], &path, want, ret);
	}
	return r;
}

/* .gnu_debuglink: a file name without directory, padding to 4 bytes, a CRC32. */
static const char *read_debuglink(const struct elf_image *img, uint32_t *ret_crc)
{
	const struct elf_section *s = elf_image_section(img, ".gnu_debuglink");
	const uint8_t *data = s ? elf_image_section_data(img, s) : NULL;
	struct reader r = reader_make(data, data ? s->size : 0);
	const char *name = reader_cstr(&r);

	if (!name)
		return NULL;
	reader_skip(&r, -reader_offset(&r) & 3);
	*ret_crc = reader_u32(&r);
	return r.bad || !*name || strlen(name) > NAME_MAX || strchr(name, '/') ? NULL : name;
}

static int find_by_debuglink(const struct elf_image *img, const char *path, const char *root, uid_t owner,
			     struct debugfile *ret)
{
	/* before and after the directory of the file itself */
	static const struct {
		const char *before, *after;
	} places[] = {
		{ "", "" },
		{ "", ".debug/" },
		{ DEBUG_DIR, "" },
	};
	const char *slash = strrchr(path, '/');
	struct strbuf built = { 0 };
	struct identity want = {
		.build_id = img->build_id,
		.build_id_len = img->build_id_len,
		.owner = owner,
	};
	uint32_t crc;
	const char *name = read_debuglink(img, &crc);
	int r = -ENOENT;

	if (!name || *path != '/')
		return -ENOENT;
	want.crc = &crc;
	for (size_t i = 0; i < ARRAY_SIZE(places) && r == -ENOENT; i++) {
		strbuf_addf(&built, "%s%.*s%s%s", places[i].before, (int)(slash - path + 1), path,
			    places[i].after, name);
		r = debugfile_try_built(root, &built, &want, ret);
	}
	return r;
}

int debugfile_find(const struct elf_image *img, const char *path, const char *root, uid_t owner,
		   struct debugfile *ret)
{
	struct identity want = {
		.build_id = img->build_id,
		.build_id_len = img->build_id_len,
		.owner = owner,
	};
	int r = find_by_build_id(root, &want, ret);

	return r == -ENOENT ? find_by_debuglink(img, path, root, owner, ret) : r;
}

int debugfile_find_alt(const struct elf_image *img, const char *path, const char *root, uid_t owner,
		       struct debugfile *ret)
{
	const struct elf_section *s = elf_image_section(img, ".gnu_debugaltlink");
	const uint8_t *data = s ? elf_image_section_data(img, s) : NULL;
	struct reader rd = reader_make(data, data ? s->size : 0);
	const char *name = reader_cstr(&rd), *slash = strrchr(path, '/');
	struct identity want = { .build_id = rd.p, .build_id_len = reader_left(&rd), .owner = owner };
	struct strbuf built = { 0 };
	int r;

	if (!name || !*name || strlen(name) > PATH_MAX || !want.build_id_len)
		return -ENOENT;
	r = find_by_build_id(root, &want, ret);
	if (r != -ENOENT)
		return r;
	if (*name != '/' && slash)
		strbuf_add(&built, path, slash - path + 1);
	strbuf_adds(&built, name);
	return debugfile_try_built(root, &built, &want, ret);
}

void debugfile_deinit(struct debugfile *f)
{
	elf_image_deinit(&f->image);
	cleanup_close(&f->fd);
	free(f->path);
	*f = (struct debugfile){ .fd = -1 };
}

/* Unpacks an .xz stream of unknown size. 0 and the data, owned by the caller, -ENOENT, -E2BIG or -ENOMEM. */
static int unpack_xz(const uint8_t *data, size_t size, uint8_t **ret, size_t *ret_size)
{
	_cleanup_(lzma_end) lzma_stream xz = LZMA_STREAM_INIT;
	_cleanup_free_ uint8_t *out = NULL;
	size_t cap = 0, n = 0;
	lzma_ret status = lzma_stream_decoder(&xz, LZMA_MEM_MAX, 0);
	uint8_t *more;

	xz.next_in = data;
	xz.avail_in = size;
	while (status == LZMA_OK) {
		cap = cap ? cap * 2 : size * 4 + 4096;
		if (cap > UNPACKED_MAX)
			return -E2BIG;
		more = realloc(out, cap);
		if (!more)
			return -ENOMEM;
		out = more;
		xz.next_out = out + n;
		xz.avail_out = cap - n;
		status = lzma_code(&xz, LZMA_FINISH);
		n = cap - xz.avail_out;
	}
	if (status == LZMA_MEM_ERROR)
		return -ENOMEM;
	if (status == LZMA_MEMLIMIT_ERROR)
		return -E2BIG;
	if (status != LZMA_STREAM_END)
		return -ENOENT;
	*ret = take_ptr(out);
	*ret_size = n;
	return 0;
}

int debugfile_unpack(const struct elf_image *img, struct elf_image *ret, void **ret_data)
{
	const struct elf_section *s = elf_image_section(img, ".gnu_debugdata");
	const uint8_t *packed = s ? elf_image_section_data(img, s) : NULL;
	_cleanup_free_ uint8_t *data = NULL;
	size_t size;
	int r;

	if (!packed || !s->size)
		return -ENOENT;
	if (s->size > UNPACKED_MAX / 4)
		return -E2BIG;
	r = unpack_xz(packed, s->size, &data, &size);
	if (r)
		return r;
	r = elf_image_open_mem(data, size, ret);
	if (r)
		return r == -ENOMEM ? r : -ENOENT;
	*ret_data = take_ptr(data);
	return 0;
}
