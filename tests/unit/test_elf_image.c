// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "elf_fixture.h"

#define TEXT 0x1000 /* file offset; loaded at TEXT_VADDR */
#define TEXT_VADDR 0x401000
#define TEXT_SIZE 0x800

static void make_plain(struct elf_fixture *f)
{
	fixture_init(f);
	fixture_phdr(f, PT_LOAD, 0, 0x400000, TEXT, PF_R);
	fixture_phdr(f, PT_LOAD, TEXT, TEXT_VADDR, TEXT_SIZE, PF_R | PF_X);
}

static int setup(void **state)
{
	struct elf_fixture *f = malloc(sizeof(*f));

	make_plain(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static void test_reads_segments_and_sections(void **state)
{
	_cleanup_(elf_image_deinit) struct elf_image img = { 0 };
	struct elf_fixture *f = *state;
	const struct elf_section *s;

	fixture_put(f, TEXT, "code", 4);
	fixture_section(f, ".text", SHT_PROGBITS, TEXT, TEXT_VADDR, TEXT_SIZE);
	fixture_section(f, ".bss", SHT_NOBITS, TEXT, 0x500000, 0x100);
	assert_int_equal(fixture_open(f, &img), 0);
	assert_int_equal(img.n_segments, 2);
	assert_int_equal(img.segments[1].flags, PF_R | PF_X);
	assert_int_equal(img.n_sections, 4);
	s = elf_image_section(&img, ".text");
	assert_non_null(s);
	assert_int_equal(s->addr, TEXT_VADDR);
	assert_memory_equal(elf_image_section_data(&img, s), "code", 4);
	assert_null(elf_image_section_data(&img, elf_image_section(&img, ".bss")));
	assert_null(elf_image_section(&img, ".tex"));
}

static void test_refuses_what_is_not_elf64_le(void **state)
{
	static const struct {
		size_t at;
		uint8_t byte;
	} cases[] = { { 0, 'E' }, { EI_CLASS, ELFCLASS32 }, { EI_DATA, ELFDATA2MSB } };
	struct elf_image img = { .machine = 0xabcd };
	struct elf_fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		make_plain(f);
		f->bytes[cases[i].at] = cases[i].byte;
		assert_int_equal(fixture_open(f, &img), -ENOEXEC);
	}
	assert_int_equal(elf_image_open_mem(f->bytes, sizeof(Elf64_Ehdr) - 1, &img), -ENOEXEC);
	assert_int_equal(elf_image_open_mem("", 0, &img), -ENOEXEC);
	assert_int_equal(img.machine, 0xabcd); /* untouched on failure */
}

static void test_refuses_bad_program_headers(void **state)
{
	struct elf_fixture *f = *state;
	struct elf_image img;

	f->ehdr->e_phentsize--;
	assert_int_equal(fixture_open(f, &img), -ENOEXEC);
	make_plain(f);
	f->ehdr->e_phoff = UINT64_MAX - 8;
	assert_int_equal(fixture_open(f, &img), -ENOEXEC);
	make_plain(f);
	f->ehdr->e_phoff = sizeof(f->bytes) - sizeof(Elf64_Phdr); /* the second one is outside */
	assert_int_equal(fixture_open(f, &img), -ENOEXEC);
	make_plain(f);
	f->ehdr->e_phnum = 0xfffe;
	assert_int_equal(fixture_open(f, &img), -ENOEXEC);
}

/* Program headers suffice: bad section headers are as good as none. */
static void test_survives_bad_section_headers(void **state)
{
	struct elf_fixture *f = *state;

	for (int i = 0; i < 4; i++) {
		_cleanup_(elf_image_deinit) struct elf_image img = { 0 };

		make_plain(f);
		fixture_section(f, ".text", SHT_PROGBITS, TEXT, TEXT_VADDR, TEXT_SIZE);
		if (i == 0)
			f->ehdr->e_shoff = UINT64_MAX - 64;
		else if (i == 1)
			f->ehdr->e_shnum = 0xf000;
		else if (i == 2)
			f->ehdr->e_shentsize = 40;
		else
			f->shdrs[0].sh_size = UINT64_MAX, f->ehdr->e_shnum = 0;
		assert_int_equal(fixture_open(f, &img), 0);
		assert_int_equal(img.n_sections, 0);
		assert_int_equal(img.n_segments, 2);
	}
}

static void test_section_bounds(void **state)
{
	_cleanup_(elf_image_deinit) struct elf_image img = { 0 };
	struct elf_fixture *f = *state;

	fixture_section(f, ".past", SHT_PROGBITS, sizeof(f->bytes) - 4, 0, 5);
	fixture_section(f, ".wraps", SHT_PROGBITS, 16, 0, UINT64_MAX);
	fixture_section(f, ".last", SHT_PROGBITS, sizeof(f->bytes) - 4, 0, 4);
	fixture_section(f, ".unnamed", SHT_PROGBITS, 0, 0, 4)->sh_name = 0xffffff;
	assert_int_equal(fixture_open(f, &img), 0);
	assert_null(elf_image_section_data(&img, elf_image_section(&img, ".past")));
	assert_null(elf_image_section_data(&img, elf_image_section(&img, ".wraps")));
	assert_non_null(elf_image_section_data(&img, elf_image_section(&img, ".last")));
	assert_null(img.sections[5].name);
}

static void test_unterminated_section_names(void **state)
{
	_cleanup_(elf_image_deinit) struct elf_image img = { 0 };
	struct elf_fixture *f = *state;

	fixture_section(f, ".text", SHT_PROGBITS, TEXT, TEXT_VADDR, TEXT_SIZE);
	fixture_section(f, ".data", SHT_PROGBITS, TEXT, TEXT_VADDR, TEXT_SIZE);
	f->shdrs[1].sh_size--; /* cuts the NUL of the last name */
	assert_int_equal(fixture_open(f, &img), 0);
	assert_string_equal(img.sections[2].name, ".text");
	assert_null(img.sections[3].name);
}

/* More sections than 16 bits can count. */
static void test_extended_numbering(void **state)
{
	_cleanup_(elf_image_deinit) struct elf_image img = { 0 };
	struct elf_fixture *f = *state;

	fixture_section(f, ".text", SHT_PROGBITS, TEXT, TEXT_VADDR, TEXT_SIZE);
	f->shdrs[0].sh_size = f->ehdr->e_shnum;
	f->shdrs[0].sh_link = f->ehdr->e_shstrndx;
	f->ehdr->e_shnum = 0;
	f->ehdr->e_shstrndx = SHN_XINDEX;
	assert_int_equal(fixture_open(f, &img), 0);
	assert_int_equal(img.n_sections, 3);
	assert_non_null(elf_image_section(&img, ".text"));
}

static void test_addresses(void **state)
{
	_cleanup_(elf_image_deinit) struct elf_image img = { 0 };
	struct elf_fixture *f = *state;

	fixture_phdr(f, PT_LOAD, 0x2000, 0x600000, 0x100, PF_R | PF_W)->p_memsz = 0x1000;
	assert_int_equal(fixture_open(f, &img), 0);
	assert_ptr_equal(elf_image_at(&img, TEXT_VADDR, TEXT_SIZE), f->bytes + TEXT);
	assert_null(elf_image_at(&img, TEXT_VADDR, TEXT_SIZE + 1));
	assert_null(elf_image_at(&img, TEXT_VADDR + 1, UINT64_MAX));
	assert_null(elf_image_at(&img, TEXT_VADDR + TEXT_SIZE, 1));
	assert_ptr_equal(elf_image_at(&img, TEXT_VADDR + TEXT_SIZE - 1, 1),
			 f->bytes + TEXT + TEXT_SIZE - 1);
	assert_int_equal(elf_image_left(&img, TEXT_VADDR + 1), TEXT_SIZE - 1);
	assert_int_equal(elf_image_left(&img, TEXT_VADDR + TEXT_SIZE), 0);
	assert_int_equal(elf_image_left(&img, 0x600100), 0); /* in memory, not in the file */
	assert_true(elf_image_is_code(&img, TEXT_VADDR, TEXT_SIZE));
	assert_false(elf_image_is_code(&img, TEXT_VADDR, TEXT_SIZE + 1));
	assert_false(elf_image_is_code(&img, TEXT_VADDR + 1, UINT64_MAX));
	assert_false(elf_image_is_code(&img, 0x600000, 1));
}

static void test_segments_beyond_the_file(void **state)
{
	_cleanup_(elf_image_deinit) struct elf_image img = { 0 };
	struct elf_fixture *f = *state;

	fixture_phdr(f, PT_LOAD, sizeof(f->bytes) - 16, 0x700000, 0x1000, PF_R);
	fixture_phdr(f, PT_LOAD, UINT64_MAX - 4, 0x800000, 0x1000, PF_R);
	fixture_phdr(f, PT_LOAD, 0, UINT64_MAX - 0xf, 0x1000, PF_R);
	assert_int_equal(fixture_open(f, &img), 0);
	assert_non_null(elf_image_at(&img, 0x700000, 16));
	assert_null(elf_image_at(&img, 0x700000, 17));
	assert_null(elf_image_at(&img, 0x800000, 1));
	assert_non_null(elf_image_at(&img, UINT64_MAX - 0xf, 15));
	assert_null(elf_image_at(&img, UINT64_MAX - 0xf, 32));
}

static void test_offsets_and_addresses(void **state)
{
	_cleanup_(elf_image_deinit) struct elf_image img = { 0 };
	struct elf_fixture *f = *state;
	uint64_t v;

	/* the file's head is mapped as data together with the code that follows it */
	f->phdrs[0].p_vaddr = 0x200000;
	f->phdrs[0].p_filesz = f->phdrs[0].p_memsz = TEXT + TEXT_SIZE;
	/* as lld lays files out: two segments share the page at offset 0x3000 */
	fixture_phdr(f, PT_LOAD, 0x2000, 0x800000, 0x1234, PF_R);
	fixture_phdr(f, PT_LOAD, 0x3234, 0x802234, 0x1000, PF_R | PF_X);
	assert_int_equal(fixture_open(f, &img), 0);
	assert_int_equal(elf_vaddr_to_offset(&img, TEXT_VADDR + 8, &v), 0);
	assert_int_equal(v, TEXT + 8);
	assert_int_equal(elf_vaddr_to_offset(&img, 0x123, &v), -ENOENT);
	assert_int_equal(elf_offset_to_vaddr(&img, TEXT + 8, &v), 0);
	assert_int_equal(v, TEXT_VADDR + 8);
	assert_int_equal(elf_offset_to_vaddr(&img, 0x10, &v), 0);
	assert_int_equal(v, 0x200010);
	assert_int_equal(elf_offset_to_vaddr(&img, 0x3234, &v), 0);
	assert_int_equal(v, 0x802234);
	assert_int_equal(elf_offset_to_vaddr(&img, 0x3000, &v), 0);
	assert_int_equal(v, 0x802000);
	assert_int_equal(elf_offset_to_vaddr(&img, 0x2fff, &v), 0);
	assert_int_equal(v, 0x800fff);
	assert_int_equal(elf_offset_to_vaddr(&img, 0x9000, &v), -ENOENT);
}

/* A note with its padding; returns the offset behind it. */
static uint64_t put_note(struct elf_fixture *f, uint64_t at, uint32_t type, const char *name,
			 const void *desc, uint32_t size, uint64_t align)
{
	const Elf64_Nhdr note = { .n_namesz = strlen(name) + 1, .n_descsz = size, .n_type = type };

	fixture_put(f, at, &note, sizeof(note));
	fixture_put(f, at + sizeof(note), name, note.n_namesz);
	at += (sizeof(note) + note.n_namesz + align - 1) & -align;
	fixture_put(f, at, desc, size);
	return at + ((size + align - 1) & -align);
}

static void test_build_id_in_segment(void **state)
{
	static const char id[] = "0123456789abcdefghij";
	_cleanup_(elf_image_deinit) struct elf_image img = { 0 };
	struct elf_fixture *f = *state;
	uint64_t at;

	at = put_note(f, 0x3000, 5, "GNU", "propertyproperty!", 17, 8);
	at = put_note(f, at, NT_GNU_BUILD_ID, "XYZ", "not this one", 12, 8);
	at = put_note(f, at, NT_GNU_BUILD_ID, "GNU", id, 20, 8);
	fixture_phdr(f, PT_NOTE, 0x3000, 0, at - 0x3000, PF_R)->p_align = 8;
	assert_int_equal(fixture_open(f, &img), 0);
	assert_int_equal(img.build_id_len, 20);
	assert_memory_equal(img.build_id, id, 20);
}

static void test_build_id_in_section(void **state)
{
	_cleanup_(elf_image_deinit) struct elf_image img = { 0 };
	struct elf_fixture *f = *state;

	put_note(f, 0x3000, NT_GNU_BUILD_ID, "GNU", "abcde", 5, 4);
	/* the last note may lack its padding */
	fixture_section(f, ".note.gnu.build-id", SHT_NOTE, 0x3000, 0, 16 + 5);
	assert_int_equal(fixture_open(f, &img), 0);
	assert_int_equal(img.build_id_len, 5);
	assert_memory_equal(img.build_id, "abcde", 5);
}

static void test_bad_notes(void **state)
{
	static const char id[32] = "longer than any build id";
	struct elf_fixture *f = *state;

	for (int i = 0; i < 3; i++) {
		_cleanup_(elf_image_deinit) struct elf_image img = { 0 };

		make_plain(f);
		put_note(f, 0x3000, NT_GNU_BUILD_ID, "GNU", id, i ? 20 : 32, 4);
		fixture_phdr(f, PT_NOTE, 0x3000, 0, i == 1 ? 35 : 100, PF_R);
		if (i == 2)
			((Elf64_Nhdr *)(f->bytes + 0x3000))->n_namesz = UINT32_MAX;
		assert_int_equal(fixture_open(f, &img), 0);
		assert_int_equal(img.build_id_len, 0);
	}
}

static void test_interpreter(void **state)
{
	struct elf_fixture *f = *state;
	static const char path[] = "/lib64/ld.so";

	for (size_t cut = 0; cut < 2; cut++) {
		_cleanup_(elf_image_deinit) struct elf_image img = { 0 };

		make_plain(f);
		fixture_put(f, 0x3000, path, sizeof(path));
		fixture_phdr(f, PT_INTERP, 0x3000, 0, sizeof(path) - cut, PF_R);
		assert_int_equal(fixture_open(f, &img), 0);
		if (cut)
			assert_null(img.interp);
		else
			assert_string_equal(img.interp, path);
	}
}

/* Every head of a file is either refused or read within its bounds (the sanitizers look on). */
static void test_truncated(void **state)
{
	struct elf_fixture *f = *state;
	struct elf_image img;
	uint8_t *copy;

	fixture_section(f, ".note.gnu.build-id", SHT_NOTE, 0x3000, 0, 36);
	put_note(f, 0x3000, NT_GNU_BUILD_ID, "GNU", "0123456789abcdefghij", 20, 4);
	fixture_phdr(f, PT_NOTE, 0x3000, 0, 36, PF_R);
	for (size_t size = 0; size <= sizeof(f->bytes); size += size < 0x200 ? 1 : 0x3b) {
		copy = malloc(size);
		memcpy(copy, f->bytes, size);
		if (!elf_image_open_mem(copy, size, &img)) {
			assert_true(size >= sizeof(Elf64_Ehdr) + 3 * sizeof(Elf64_Phdr));
			assert_null(elf_image_at(&img, TEXT_VADDR, size + 1));
			elf_image_deinit(&img);
		}
		free(copy);
	}
}

static int own_segment(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct elf_image *img = arg;
	size_t n = 0;

	for (int i = 0; i < info->dlpi_phnum; i++) {
		if (info->dlpi_phdr[i].p_type != PT_LOAD)
			continue;
		assert_true(n < img->n_segments);
		assert_int_equal(img->segments[n].vaddr, info->dlpi_phdr[i].p_vaddr);
		assert_int_equal(img->segments[n].memsz, info->dlpi_phdr[i].p_memsz);
		n++;
	}
	assert_int_equal(n, img->n_segments);
	return 1; /* the program itself comes first */
}

/* This very program, against what the dynamic linker knows of it. */
static void test_open_fd(void **state)
{
	_cleanup_(elf_image_deinit) struct elf_image img = { 0 };
	_cleanup_close_ int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int dir = open("/", O_RDONLY | O_CLOEXEC);
	struct elf_image none;
	uint64_t offset;

	assert_int_equal(elf_image_open_fd(fd, &img), 0);
	assert_int_equal(dl_iterate_phdr(own_segment, &img), 1);
	assert_non_null(img.interp);
	assert_int_equal(elf_vaddr_to_offset(&img, img.entry, &offset), 0);
	assert_ptr_equal(elf_image_at(&img, img.entry, 1), img.data + offset);
	assert_int_equal(elf_image_open_fd(dir, &none), -ENOEXEC);
	assert_int_equal(elf_image_open_fd(-1, &none), -EBADF);
}

/* The file is copied where it is looked at: what was seen once stays so, and what has gone is told. */
static void test_a_file_that_changes(void **state)
{
	struct elf_fixture *f = *state;
	_cleanup_(elf_image_deinit) struct elf_image img = { 0 };
	_cleanup_close_ int fd = memfd_create("elf", MFD_CLOEXEC);
	const uint64_t far = 1 << 20; /* in the file, from a segment's start */
	const uint8_t *seen;

	make_plain(f);
	fixture_phdr(f, PT_LOAD, 0x3000, 0x900000, far + 16, PF_R);
	assert_int_equal(write(fd, f->bytes, sizeof(f->bytes)), sizeof(f->bytes));
	assert_int_equal(pwrite(fd, "before", 6, 0x3000), 6);
	assert_int_equal(ftruncate(fd, 0x3000 + (off_t)far + 16), 0);
	assert_int_equal(elf_image_open_fd(fd, &img), 0);
	seen = elf_image_at(&img, 0x900000, 6);
	assert_memory_equal(seen, "before", 6);
	assert_int_equal(pwrite(fd, "after!", 6, 0x3000), 6);
	assert_memory_equal(seen, "before", 6);
	assert_null(elf_image_damage(&img));
	assert_int_equal(ftruncate(fd, 0x3000), 0);
	assert_memory_equal(elf_image_at(&img, 0x900000, 6), "before", 6);
	assert_null(elf_image_at(&img, 0x900000 + far, 16));
	assert_non_null(elf_image_damage(&img));
}

/* A sparse file costs what is looked at, and that has its limit. */
static void test_a_huge_file(void **state)
{
	struct elf_fixture *f = *state;
	_cleanup_(elf_image_deinit) struct elf_image img = { 0 };
	_cleanup_close_ int fd = memfd_create("elf", MFD_CLOEXEC);
	const uint64_t size = 3ULL << 30;
	struct elf_image none;

	make_plain(f);
	fixture_phdr(f, PT_LOAD, 0x3000, 0x900000, size, PF_R);
	assert_int_equal(write(fd, f->bytes, sizeof(f->bytes)), sizeof(f->bytes));
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	assert_int_equal(elf_image_open_fd(fd, &img), 0);
	assert_non_null(elf_image_at(&img, 0x900000 + (2ULL << 30), 4096));
	assert_null(elf_image_damage(&img));
	assert_null(elf_image_at(&img, 0x900000, FILE_COPY_MAX + 1));
	assert_non_null(elf_image_damage(&img));
	assert_int_equal(ftruncate(fd, (off_t)FILE_SIZE_MAX + 1), 0);
	assert_int_equal(elf_image_open_fd(fd, &none), -EFBIG);
}

static void test_too_many_sections(void **state)
{
	struct elf_fixture *f = *state;
	_cleanup_close_ int fd = memfd_create("elf", MFD_CLOEXEC);
	_cleanup_(elf_image_deinit) struct elf_image img = { 0 };
	Elf64_Ehdr eh;
	Elf64_Shdr first = { .sh_size = 40000000 };

	make_plain(f);
	memcpy(&eh, f->bytes, sizeof(eh));
	eh.e_shoff = sizeof(f->bytes);
	eh.e_shnum = 0;
	eh.e_shentsize = sizeof(Elf64_Shdr);
	memcpy(f->bytes, &eh, sizeof(eh));
	assert_int_equal(write(fd, f->bytes, sizeof(f->bytes)), sizeof(f->bytes));
	assert_int_equal(write(fd, &first, sizeof(first)), sizeof(first));
	assert_int_equal(ftruncate(fd, 3LL << 30), 0);
	assert_int_equal(elf_image_open_fd(fd, &img), 0);
	assert_int_equal(img.n_sections, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_reads_segments_and_sections),
		TEST(test_refuses_what_is_not_elf64_le),
		TEST(test_refuses_bad_program_headers),
		TEST(test_survives_bad_section_headers),
		TEST(test_section_bounds),
		TEST(test_unterminated_section_names),
		TEST(test_extended_numbering),
		TEST(test_addresses),
		TEST(test_segments_beyond_the_file),
		TEST(test_offsets_and_addresses),
		TEST(test_build_id_in_segment),
		TEST(test_build_id_in_section),
		TEST(test_bad_notes),
		TEST(test_interpreter),
		TEST(test_truncated),
		TEST(test_open_fd),
		TEST(test_a_file_that_changes),
		TEST(test_a_huge_file),
		TEST(test_too_many_sections),
	};

	return cmocka_run_group_tests_name("elf_image", tests, NULL, NULL);
}
