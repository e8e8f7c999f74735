// SPDX-License-Identifier: Apache-2.0
/* Telling BPF which module a file is, by what the kernel knows the file by: see bpf/mapping.bpf.h. */
#include <bpf/bpf.h>
#include <elf.h>
#include <string.h>
#include <sys/mman.h>
#include "base/strbuf.h"
#include "probe/map.h"
#include "probe/unwind_tables.h"

#define LT_DEV_MINOR_BITS 20 /* as the kernel keeps numbers of devices */

/* What the kernel knows the file by. 0 or a negative errno. */
static int file_identify(const struct unwind_tables *t, int fd, struct lt_file_key *ret)
{
	__u64 args[1];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = args, .ctx_size_in = sizeof(args));
	size_t size = LT_PAGE_BYTES;
	uint32_t zero = 0;
	void *p;
	int r = 0;

	if (!t->maps.identify)
		return -EOPNOTSUPP;
	p = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0); /* it is never looked at */
	if (p == MAP_FAILED)
		return -errno;
	args[0] = (uintptr_t)p;
	if (bpf_prog_test_run_opts(t->maps.identify, &opts) || opts.retval ||
	    map_lookup(t->maps.identified, &zero, ret))
		r = -EIO;
	munmap(p, size);
	return r;
}

static void file_put(struct unwind_tables *t, const struct lt_file_key *key, const struct lt_file *f)
{
	map_update(t->maps.files, key, f, BPF_ANY);
}

/* Where in the file the module's code is. False: in too many places, or at addresses that are too high
 * for a frame; then only the tables of mappings know it. */
static bool file_describe(const struct elf_image *img, struct lt_file *ret)
{
	for (const struct elf_segment *s = img->segments; s < img->segments + img->n_segments; s++) {
		uint64_t head = s->offset & (LT_PAGE_BYTES - 1);

		if (!(s->flags & PF_X) || !s->filesz)
			continue;
		if (ret->n_segments == LT_FILE_SEGMENTS ||
		    (s->vaddr + s->memsz + LT_PAGE_BYTES) >> LT_OFFSET_BITS)
			return false;
		ret->segments[ret->n_segments++] = (struct lt_file_segment){
			.offset = s->offset - head,
			.end = s->offset + s->filesz,
			.delta = s->vaddr - s->offset,
		};
	}
	return true;
}

/* What the kernel knows the module's file by. */
static int module_identify(const struct unwind_tables *t, const struct module *m, struct lt_file_key *ret)
{
	_cleanup_close_ int fd = module_open_for_probes(m);

	return fd < 0 ? fd : file_identify(t, fd, ret);
}

void unwind_tables_know(struct unwind_tables *t, const struct module *m, const struct elf_image *img,
			struct loaded_module *l)
{
	struct lt_file f = { .state = LT_FILE_MODULE, .module = m->id, .page_base = l->page_base };
	struct lt_file_key key = { .dev = LT_DEV_VDSO };

	if (strcmp(m->path, "[vdso]") && module_identify(t, m, &key))
		return;
	if (!t->maps.files || !file_describe(img, &f))
		return;
	l->key = key;
	l->has_key = true;
	file_put(t, &key, &f);
}

/* -- files that BPF has met ------------------------------------------------------------------------- */

/* The path of the event, whose parts come last first. NULL: no memory, or it makes no sense. */
static char *event_path(const struct lt_event_file *e)
{
	_cleanup_(strbuf_deinit) struct strbuf b = { 0 };
	const char *end = e->path + e->n_bytes;

	if (!e->n_bytes || end[-1])
		return NULL;
	while (end > e->path) {
		const char *part = end - 1;

		while (part > e->path && part[-1])
			part--;
		strbuf_addf(&b, "/%s", part);
		end = part;
	}
	return b.oom ? NULL : strbuf_steal(&b);
}

/* The module that the file is: the table opens it by where it is mapped, or by its path. -ENOENT: that is
 * another file by now. */
static int event_module(struct unwind_tables *t, const struct lt_event_file *e, const char *path,
			struct module **ret)
{
	const struct map_entry map = {
		.start = e->at.start,
		.end = e->at.end,
		.offset = e->at.offset,
		.inode = e->at.file.inode,
		.dev_major = e->at.file.dev >> LT_DEV_MINOR_BITS,
		.dev_minor = e->at.file.dev & ((1U << LT_DEV_MINOR_BITS) - 1),
		.exec = true,
		.path = path,
	};
	struct lt_file_key its;
	int r = module_table_map(t->modules, (pid_t)e->head.tgid, &map, ret);

	if (!r)
		r = module_identify(t, *ret, &its);
	return r || !memcmp(&its, &e->at.file, sizeof(its)) ? r : -ENOENT;
}

/* What the file is. -ENOEXEC: no module. */
static int event_file(struct unwind_tables *t, const struct lt_event_file *e, const char *path,
		      struct lt_file *ret)
{
	_cleanup_close_ int fd = -1;
	struct elf_image img;
	struct loaded_module *l;
	struct module *m;
	int r = event_module(t, e, path, &m);

	if (r)
		return r;
	fd = module_open(m);
	r = fd < 0 ? fd : elf_image_open_fd(fd, &img);
	if (r)
		return r;
	r = img.machine == EM_X86_64 ? unwind_tables_module(t, (pid_t)e->head.tgid, m, &img, NULL, &l) : -ENOEXEC;
	if (!r && !file_describe(&img, ret))
		r = -E2BIG;
	if (!r) {
		ret->state = LT_FILE_MODULE;
		ret->module = m->id;
		ret->page_base = l->page_base;
		l->key = e->at.file;
		l->has_key = true;
	}
	elf_image_deinit(&img);
	return r;
}

int unwind_tables_learn(struct unwind_tables *t, const void *event, size_t size)
{
	const struct lt_event_file *e = event;
	struct lt_file f = { 0 };
	_cleanup_free_ char *path = NULL;
	int r;

	if (size < offsetof(struct lt_event_file, path) || e->n_bytes > sizeof(e->path) ||
	    size - offsetof(struct lt_event_file, path) < e->n_bytes)
		return -EBADMSG;
	path = event_path(e);
	r = event_file(t, e, path ? path : "/", &f);
	if (r == -ENOMEM)
		return r;
	if (r)
		f = (struct lt_file){ .state = r == -ENOEXEC ? LT_FILE_PLAIN : LT_FILE_UNREADABLE };
	file_put(t, &e->at.file, &f);
	return 0;
}
