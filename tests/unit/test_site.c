// SPDX-License-Identifier: Apache-2.0
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "base/cleanup.h"
#include "probe/site.h"

struct site_case {
	const char *name;
	const char *code;
	size_t size;
	uint32_t offset;
	uint16_t sp_delta;
	bool emulated;
};

#define CODE(bytes) .code = (bytes), .size = sizeof(bytes) - 1

static const struct site_case cases[] = {
	/* glibc 2.36 as Debian 12 ships it */
	{ "malloc: push %r12",
	  CODE("\x41\x54\x55\x53\x48\x89\xfb\x48\x83\xec\x10\x80\x3d\x46\x1b\x14\x00\x00"), 0, 0,
	  true },
	{ "free: test %rdi,%rdi; je",
	  CODE("\x48\x85\xff\x0f\x84\xbf\x00\x00\x00\x55\x48\x8d\x77\xf0\x53"), 3, 0, true },
	{ "posix_memalign: cmpb; push %r12",
	  CODE("\x80\x3d\x01\x02\x14\x00\x00\x41\x54\x49\x89\xd4\x55"), 7, 0, true },
	{ "memalign: cmpb; je",
	  CODE("\x80\x3d\x71\x0e\x14\x00\x00\x74\x07\xe9\x32\xf6\xff\xff\x66\x90"), 7, 0, true },
	{ "mremap: sub $0x58,%rsp; ...; ja",
	  CODE("\x48\x83\xec\x58\x4c\x89\x44\x24\x40\x64\x48\x8b\x04\x25\x28\x00\x00\x00\x48\x89"
	       "\x44\x24\x18\x31\xc0\x83\xf9\x07\x77\x5a\x41\x89\xca"), 28, 0x58, true },
	{ "reallocarray: mul writes rdx",
	  CODE("\x48\x89\xf0\x48\xf7\xe2\x48\x89\xc6\x70\x05\xe9\x40\xb8\xf8\xff"), 0, 0, false },
	{ "mmap: mov %ecx,%r10d; test; jne",
	  CODE("\x41\x89\xca\x41\xf7\xc1\xff\x0f\x00\x00\x75\x14\xb8\x09\x00\x00\x00\x0f\x05"), 10, 0,
	  true },
	{ "munmap: syscall before any jump",
	  CODE("\xb8\x0b\x00\x00\x00\x0f\x05\x48\x3d\x01\xf0\xff\xff\x73\x01\xc3"), 0, 0, false },

	/* what the kernel emulates */
	{ "endbr64; push %rbp", CODE("\xf3\x0f\x1e\xfa\x55\x48\x89\xe5\xc3"), 4, 0, true },
	{ "endbr64; push %r15", CODE("\xf3\x0f\x1e\xfa\x41\x57\xc3"), 4, 0, true },
	{ "endbr64; jmp rel32", CODE("\xf3\x0f\x1e\xfa\xe9\x00\x10\x00\x00"), 4, 0, true },
	{ "endbr64; jmp rel8", CODE("\xf3\x0f\x1e\xfa\xeb\x40"), 4, 0, true },
	{ "endbr64; nop", CODE("\xf3\x0f\x1e\xfa\x90\xc3"), 4, 0, true },
	{ "endbr64; xchg %ax,%ax", CODE("\xf3\x0f\x1e\xfa\x66\x90\xc3"), 4, 0, true },
	{ "endbr64; nopl 0x0(%rax)", CODE("\xf3\x0f\x1e\xfa\x0f\x1f\x40\x00\xc3"), 4, 0, true },

	/* what it does not, though it looks like it */
	{ "a 5-byte nop is passed over", CODE("\xf3\x0f\x1e\xfa\x0f\x1f\x44\x00\x00\x53\xc3"), 9, 0,
	  true },
	{ "xchg %rax,%r8 is no nop", CODE("\xf3\x0f\x1e\xfa\x49\x90\x53\xc3"), 0, 0, false },
	{ "push %rbp with a rex.W", CODE("\xf3\x0f\x1e\xfa\x48\x55\x53\xc3"), 6, 8, true },
	{ "push $1 and push mem count as pushed", CODE("\x6a\x01\xff\x37\x53\xc3"), 4, 16, true },
	{ "jrcxz", CODE("\xf3\x0f\x1e\xfa\xe3\x01\x53\xc3"), 0, 0, false },
	{ "jmp with a 16-bit prefix", CODE("\xf3\x0f\x1e\xfa\x66\xe9\x00\x00\x00\x00"), 0, 0, false },
	{ "indirect jmp", CODE("\xf3\x0f\x1e\xfa\xff\xe0\x53"), 0, 0, false },
	{ "call", CODE("\xf3\x0f\x1e\xfa\xe8\x00\x10\x00\x00\x53\xc3"), 0, 0, false },
	{ "ret", CODE("\xf3\x0f\x1e\xfa\xc3\x53\xc3"), 0, 0, false },
	{ "ud2", CODE("\xf3\x0f\x1e\xfa\x0f\x0b\x53\xc3"), 0, 0, false },
	{ "int3", CODE("\xf3\x0f\x1e\xfa\xcc\x53\xc3"), 0, 0, false },

	/* arguments */
	{ "mov %rsi,%rdi", CODE("\x48\x89\xf7\x53\xc3"), 0, 0, false },
	{ "mov $1,%r9b", CODE("\x41\xb1\x01\x53\xc3"), 0, 0, false },
	{ "mov $1,%ch", CODE("\xb5\x01\x53\xc3"), 0, 0, false },
	{ "cmove %rax,%rdx", CODE("\x48\x0f\x44\xd0\x53\xc3"), 0, 0, false },
	{ "rep stos", CODE("\xf3\xaa\x53\xc3"), 0, 0, false },
	{ "mov %rdi,%rax; mov %rsi,%r10", CODE("\x48\x89\xf8\x49\x89\xf2\x53\xc3"), 6, 0, true },
	{ "mov %rdi,(%rsi)", CODE("\x48\x89\x3e\x53\xc3"), 3, 0, true },

	/* the stack pointer */
	{ "sub $0x1000,%rsp; push %rbx", CODE("\x48\x81\xec\x00\x10\x00\x00\x53"), 7, 0x1000, true },
	{ "sub $0x10000,%rsp", CODE("\x48\x81\xec\x00\x00\x01\x00\x53"), 0, 0, false },
	{ "sub $-0x80,%rsp", CODE("\x48\x83\xec\x80\x53"), 0, 0, false },
	{ "sub %rax,%rsp", CODE("\x48\x29\xc4\x53"), 0, 0, false },
	{ "and $-32,%rsp", CODE("\x48\x83\xe4\xe0\x53"), 0, 0, false },
	{ "lea -8(%rsp),%rsp", CODE("\x48\x8d\x64\x24\xf8\x53"), 0, 0, false },
	{ "pop %rax", CODE("\x58\x53"), 0, 0, false },
	{ "enter", CODE("\xc8\x10\x00\x00\x53"), 0, 0, false },
	{ "lea 8(%rsp),%r10", CODE("\x4c\x8d\x54\x24\x08\x53"), 5, 0, true },

	/* jumps back */
	{ "a loop to the site", CODE("\x48\x85\xff\x53\x5b\x75\xfc\xc3"), 0, 0, false },
	{ "a loop to before the site", CODE("\x48\x31\xc0\x48\x85\xff\x53\x5b\x75\xf9\xc3"), 0, 0,
	  false },
	{ "the site jumps to itself", CODE("\x48\x85\xff\x74\xfe\xc3"), 0, 0, false },
	{ "a loop to after the site", CODE("\x48\x85\xff\x53\x5b\x48\xff\xcf\x75\xfa\xc3"), 3, 0, true },
	{ "a loop to the entry", CODE("\x48\x85\xff\x53\x5b\x75\xf9\xc3"), 3, 0, true },
	{ "a jump behind bytes that are no code", CODE("\x48\x85\xff\x53\x5b\xc3\x06\x75\xfa\xc3"), 0,
	  0, false },

	/* broken input */
	{ "nothing", CODE(""), 0, 0, false },
	{ "cut in the first instruction", CODE("\x48\x85"), 0, 0, false },
	{ "cut in the second", CODE("\x48\x85\xff\x0f\x84"), 0, 0, false },
	{ "no instruction", CODE("\x06\x53"), 0, 0, false },
};

static void test_choice(void **state)
{
	struct probe_site s;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct site_case *c = &cases[i];

		s = probe_site_choose((const uint8_t *)c->code, c->size,
				      PROBE_SITE_ALL_ARGS);
		if (s.offset != c->offset || s.sp_delta != c->sp_delta || s.emulated != c->emulated)
			fail_msg("%s: +%u, sp_delta %u, emulated %d; not +%u, %u, %d", c->name,
				 s.offset, s.sp_delta, s.emulated, c->offset, c->sp_delta,
				 c->emulated);
	}
}

/* An argument that the function does not have may be overwritten: mov %rdi,%rcx; push %rbx. */
static void test_only_its_own_arguments(void **state)
{
	static const uint8_t code[] = { 0x48, 0x89, 0xf9, 0x53 };

	assert_int_equal(probe_site_choose(code, sizeof(code), PROBE_SITE_ALL_ARGS).offset, 0);
	assert_int_equal(probe_site_choose(code, sizeof(code), 1 << 3).offset, 0);
	assert_int_equal(probe_site_choose(code, sizeof(code), 1 << 0).offset, 3);
	assert_true(probe_site_choose(code, sizeof(code), 1 << 0).emulated);
}

/* Only the arguments that are asked for must be intact. */
static void test_arguments(void **state)
{
	static const char code[] = "\x48\x89\xf0\x48\xf7\xe2\x48\x89\xc6\x70\x05\xc3";
	const uint8_t *reallocarray = (const uint8_t *)code; /* mov; mul (rdx); mov (rsi); jo */

	assert_int_equal(probe_site_choose(reallocarray, sizeof(code) - 1, 1 << 0).offset, 9);
	assert_int_equal(probe_site_choose(reallocarray, sizeof(code) - 1, 1 << 3).offset, 9);
	assert_int_equal(probe_site_choose(reallocarray, sizeof(code) - 1, 1 << 1).offset, 0);
	assert_int_equal(probe_site_choose(reallocarray, sizeof(code) - 1, 1 << 2).offset, 0);
	assert_int_equal(probe_site_choose(reallocarray, sizeof(code) - 1, 1 << 2 | 1).offset, 0);
	assert_int_equal(probe_site_choose(reallocarray, sizeof(code) - 1, 0).offset, 9);
}

/* Every prefix of every case, in memory of exactly its size: for the sanitizers. */
static void test_prefixes(void **state)
{
	struct probe_site s;
	uint8_t *copy;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (size_t n = 1; n <= cases[i].size; n++) {
			copy = malloc(n);
			assert_non_null(copy);
			memcpy(copy, cases[i].code, n);
			s = probe_site_choose(copy, n, PROBE_SITE_ALL_ARGS);
			assert_true(s.offset < n);
			free(copy);
		}
	}
}

/* The allocator functions of the libc that is installed: most must come out cheap. */
static void test_installed_libc(void **state)
{
	static const char *const names[] = {
		"malloc",   "calloc",	     "realloc", "reallocarray", "free", "posix_memalign",
		"memalign", "aligned_alloc", "valloc",	"pvalloc",	"mmap", "munmap",
		"mremap",
	};
	size_t cheap = 0;
	void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);

	assert_non_null(libc);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const uint8_t *code = dlsym(libc, names[i]);
		struct probe_site s;
		ElfW(Sym) *sym;
		Dl_info info;

		assert_non_null(code);
		assert_int_not_equal(dladdr1(code, &info, (void **)&sym, RTLD_DL_SYMENT), 0);
		s = probe_site_choose(code, sym->st_size, PROBE_SITE_ALL_ARGS);
		assert_true(s.offset < sym->st_size);
		print_message("# %s+%u sp_delta %u %s\n", names[i], s.offset, s.sp_delta,
			      s.emulated ? "emulated" : "single-stepped");
		cheap += s.emulated;
	}
	dlclose(libc);
	assert_in_range(cheap, ARRAY_SIZE(names) * 2 / 3, ARRAY_SIZE(names));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choice),
		cmocka_unit_test(test_only_its_own_arguments),
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_installed_libc),
	};

	return cmocka_run_group_tests_name("site", tests, NULL, NULL);
}
