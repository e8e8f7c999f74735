// SPDX-License-Identifier: Apache-2.0
/*
 * A JIT compiler: writes code to where other code was, and the name of each in /tmp/perf-PID.map. Then waits
 * until everybody has had the time to read that: LATER_MS, or 400 ms.
 */
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include "workload.h"

#define LATER_MS 400
#define AT_STAYS 1024 /* where in the page the code is that stays */

SITE(s_early, jit_early, "malloc");
SITE(s_late, jit_late, "malloc");
SITE(s_stays, jit_stays, "malloc");
SITE(s_plain, in_c, "malloc");

typedef void *(*code_fn)(void);

static char *page, path[64];
static int map = -1;

/* push rbp; mov rbp, rsp; mov edi, size; mov rax, malloc; call rax; pop rbp; ret */
static void compile(char *at, unsigned int size, const char *name)
{
	unsigned char bytes[] = { 0x55, 0x48, 0x89, 0xe5, 0xbf, 0, 0, 0,    0,	  0x48, 0xb8, 0,
				  0,	0,    0,    0,	  0,	0, 0, 0xff, 0xd0, 0x5d, 0xc3 };
	void *(*allocate)(size_t) = malloc;
	const char *ms = getenv("LATER_MS");
	char line[128];
	int n = snprintf(line, sizeof(line), "%lx %zx %s\n", (unsigned long)(uintptr_t)at, sizeof(bytes), name);

	memcpy(bytes + 5, &size, sizeof(size));
	memcpy(bytes + 11, &allocate, sizeof(allocate));
	memcpy(at, bytes, sizeof(bytes));
	expect(write(map, line, (size_t)n) == n, "the map cannot be written");
	usleep(1000 * (useconds_t)(ms ? atoi(ms) : LATER_MS));
}

static NOINLINE void run(char *at, int times, struct site *site, size_t size)
{
	code_fn code;

	memcpy(&code, &at, sizeof(code));
	for (int i = 0; i < times; i++)
		got(site, code(), size);
}

static NOINLINE void in_c(void)
{
	got(&s_plain, malloc(43), 43);
}

static void work(int thread)
{
	compile(page + AT_STAYS, 71, "jit_stays");
	for (int i = 0; i < 3; i++) {
		compile(page, 31, "jit_early");
		run(page, 13, &s_early, 31);
		compile(page + AT_STAYS + 64, 31, "jit_never_called");
		compile(page, 37, "jit_late");
		run(page, 17, &s_late, 37);
		run(page + AT_STAYS, 7, &s_stays, 71);
		in_c();
		compile(page + AT_STAYS + 64, 31, "jit_never_called");
	}
	unlink(path);
	for (size_t i = 0; i < 3; i++)
		say("compiled %s 1\n", (const char *const[]){ "jit_early", "jit_late", "jit_stays" }[i]);
}

static void prepare(void)
{
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	map = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	expect(map >= 0 && page != MAP_FAILED, "there is no place for code, or for its map");
}

int main(int argc, char **argv)
{
	return workload_run_parts(argc, argv, (struct workload_parts){ prepare, work, NULL });
}
