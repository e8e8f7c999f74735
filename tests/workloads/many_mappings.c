// SPDX-License-Identifier: Apache-2.0
/*
 * More mappings with code than leaktrace has room for, as of a JIT: their code, built with frame
 * pointers, calls malloc by way of the last ones; and main does.
 */
#include <sys/mman.h>
#include "workload.h"

#define MAPPINGS 3001
#define PAGE	 4096UL
#define AT	 0x200000000000UL

SITE(s_plain, plain, "malloc");
SITE(s_through, through, "malloc");

/* push %rbp; mov %rsp,%rbp; call *%rsi; pop %rbp; ret */
static const unsigned char code[] = { 0x55, 0x48, 0x89, 0xe5, 0xff, 0xd6, 0x5d, 0xc3 };

static NOINLINE void plain(void)
{
	got(&s_plain, malloc(103), 103);
}

static NOINLINE void through(int i)
{
	union {
		unsigned long address;
		void *(*call)(size_t, void *(*)(size_t));
	} code_at = { AT + 2 * PAGE * (unsigned long)i };

	got(&s_through, code_at.call(107, malloc), 107);
}

static void prepare(void)
{
	for (unsigned long i = 0; i < MAPPINGS; i++) {
		char *p = mmap((void *)(AT + 2 * PAGE * i), PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

		expect(p != MAP_FAILED, "mmap failed");
		memcpy(p, code, sizeof(code));
	}
}

static void work(int thread)
{
	for (int i = 0; i < 31; i++) {
		plain();
		through(i * 100);
	}
}

int main(int argc, char **argv)
{
	return workload_run_parts(argc, argv, (struct workload_parts){ prepare, work, NULL });
}
