// SPDX-License-Identifier: Apache-2.0
/*
 * Any bytes as the file of a module and as a file that it refers to: by its build-id, by
 * .gnu_debuglink and by .gnu_debugaltlink, in a root of its own. The first four bytes are where the
 * second file begins, and what is made to fit so that it is read at all: see FITS_*.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include "base/cleanup.h"
#include "elf/image.h"
#include "sym/symbolizer.h"
#include "sections.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

#define EXPECT(condition)         \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

#define FITS_CRC 1 /* .gnu_debuglink's checksum is that of the second file */
#define FITS_ID	 2 /* the second file is where the module's build-id leads */
#define HEAD	 4
#define SPREAD	 48
#define STRIDE	 23

static char root[] = "/dev/shm/leaktrace-fuzz-XXXXXX";
/* What the seeds call the second file; it is all of them at once. */
static const char *const names[] = { "/dir/x", "/dir/y" };

static void root_path(char to[PATH_MAX], const char *path)
{
	EXPECT(snprintf(to, PATH_MAX, "%s%s", root, path) < PATH_MAX);
}

static void make_dirs(const char *path)
{
	char all[PATH_MAX];

	root_path(all, path);
	for (char *p = all + sizeof(root); (p = strchr(p, '/')); p++) {
		*p = '\0';
		mkdir(all, 0700);
		*p = '/';
	}
}

static void remove_root(void)
{
	char command[sizeof(root) + 16];

	snprintf(command, sizeof(command), "rm -rf %s", root);
	EXPECT(!system(command));
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	if (!mkdtemp(root)) {
		memcpy(root, "/tmp/lt-fuzz-debugfile-XXXXXX",
		       sizeof("/tmp/lt-fuzz-debugfile-XXXXXX"));
		EXPECT(mkdtemp(root));
	}
	atexit(remove_root);
	make_dirs("/dir/x");
	return 0;
}

struct input {
	const uint8_t *module, *other;
	size_t module_size, other_size;
	uint8_t fits;
};

static bool input_split(const uint8_t *data, size_t size, struct input *ret)
{
	size_t at;

	if (size < HEAD)
		return false;
	at = data[0] | (size_t)data[1] << 8 | (size_t)data[2] << 16;
	if (at > size - HEAD)
		at = size - HEAD;
	*ret = (struct input){
		.module = data + HEAD,
		.module_size = at,
		.other = data + HEAD + at,
		.other_size = size - HEAD - at,
		.fits = data[3],
	};
	return true;
}

static void write_file(const char *path, const void *data, size_t size)
{
	char all[PATH_MAX];
	int fd;

	root_path(all, path);
	fd = open(all, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	EXPECT(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	close(fd);
}

/* The checksum stands behind the name and its padding. */
static void fit_crc(uint8_t *module, const struct elf_image *img, const struct input *in)
{
	const struct elf_section *s = elf_image_section(img, ".gnu_debuglink");
	const uint8_t *link = s ? elf_image_section_data(img, s) : NULL;
	const uint32_t crc = (uint32_t)crc32(0, in->other, (unsigned int)in->other_size);
	size_t n = link ? strnlen((const char *)link, s->size) : 0;

	n = (n + 4) & ~(size_t)3;
	if (link && n + 4 <= s->size)
		memcpy(module + (link - img->data) + n, &crc, sizeof(crc));
}

/* Where the second file is, besides under its fixed names; "" when nowhere. */
static void place_by_id(const struct elf_image *img, const struct input *in, char ret[PATH_MAX])
{
	size_t n;

	*ret = '\0';
	if (!(in->fits & FITS_ID) || img->build_id_len < 2)
		return;
	n = (size_t)snprintf(ret, PATH_MAX, "/usr/lib/debug/.build-id/%02x/", img->build_id[0]);
	for (unsigned int i = 1; i < img->build_id_len; i++)
		n += (size_t)snprintf(ret + n, PATH_MAX - n, "%02x", img->build_id[i]);
	snprintf(ret + n, PATH_MAX - n, ".debug");
	make_dirs(ret);
	write_file(ret, in->other, in->other_size);
}

static void look_up(const struct elf_image *img, int fd)
{
	static char path[] = "/dir/program";
	struct module m = { .id = 1, .path = path, .root = root, .fd = fd, .copy = -1 };
	struct symbol found[SYMBOLS_MAX];
	struct symbolizer *s;
	int n;

	EXPECT(!symbolizer_create(&s));
	for (size_t i = 0; i < img->n_segments && i < 2; i++)
		for (size_t k = 0; k < SPREAD; k++) {
			n = symbolizer_module(s, &m, img->segments[i].vaddr + k * STRIDE, found);
			EXPECT(n >= 0 && n <= SYMBOLS_MAX);
			for (int j = 0; j < n; j++)
				EXPECT(!found[j].function || strlen(found[j].function) < 1 << 20);
		}
	symbolizer_destroy(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(elf_image_deinit) struct elf_image img = { 0 };
	_cleanup_close_ int fd = memfd_create("fuzz_debugfile", MFD_CLOEXEC);
	_cleanup_free_ uint8_t *module = NULL;
	char by_id[PATH_MAX], all[PATH_MAX];
	struct input in;

	if (!input_split(data, size, &in))
		return 0;
	module = malloc(in.module_size + 1);
	memcpy(module, in.module, in.module_size);
	if (elf_image_open_mem(module, in.module_size, &img))
		return 0;
	if (in.fits & FITS_CRC)
		fit_crc(module, &img, &in);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		write_file(names[i], in.other, in.other_size);
	place_by_id(&img, &in, by_id);
	EXPECT(fd >= 0 && write(fd, module, in.module_size) == (ssize_t)in.module_size);
	look_up(&img, fd);
	if (*by_id) {
		root_path(all, by_id);
		unlink(all);
	}
	return 0;
}

/* Mostly changes one of the files so that they still belong together. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	_cleanup_(elf_image_deinit) struct elf_image img = { 0 };
	struct input in;
	bool other = seed & 1;

	if (seed % 16 && input_split(data, size, &in) &&
	    !elf_image_open_mem(other ? in.other : in.module, other ? in.other_size : in.module_size, &img) &&
	    section_mutate(&img, seed / 16))
		return size;
	return LLVMFuzzerMutate(data, size, max_size);
}
