// SPDX-License-Identifier: Apache-2.0
/*
 * usage: jit [link TARGET|fifo|socket|dir|text LINE|lines N|nested N]
 *
 * Allocates from code that is in no file, as a JIT compiler's is, so that /tmp/perf-PID.map is
 * asked for names. What is there: a link to TARGET, something that is no file, a line with one
 * name, N lines, or N lines each of whose ranges lies in the one before.
 */
#include <sys/socket.h>
#include <sys/un.h>
#include "hostile.h"

static char path[64];

typedef void *(*code_fn)(void);

/* push rbp; mov rbp, rsp; mov edi, 32; mov rax, malloc; call rax; pop rbp; ret */
static code_fn make_code(void)
{
	unsigned char bytes[] = { 0x55, 0x48, 0x89, 0xe5, 0xbf, 32, 0, 0,    0,	   0x48, 0xb8, 0,
				  0,	0,    0,    0,	  0,	0,  0, 0xff, 0xd0, 0x5d, 0xc3 };
	void *(*allocate)(size_t) = malloc;
	void *at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0);
	code_fn code;

	expect(at != MAP_FAILED, "no page for code");
	memcpy(bytes + 11, &allocate, sizeof(allocate));
	memcpy(at, bytes, sizeof(bytes));
	memcpy(&code, &at, sizeof(code));
	return code;
}

static void write_lines(unsigned long code, long n, bool nested)
{
	FILE *f = fopen(path, "we");

	expect(f != NULL, path);
	for (long i = 0; i < n; i++)
		if (nested)
			fprintf(f, "%lx %lx n%ld\n", 0x1000UL + (unsigned long)i,
				0x7fffffff0000UL - 2 * (unsigned long)i, i);
		else
			fprintf(f, "%lx 1000 f%ld\n", code, i);
	expect(!fclose(f), path);
}

static void write_text(unsigned long code, const char *text)
{
	FILE *f = fopen(path, "we");

	expect(f && fprintf(f, "%lx 1000 %s\n", code, text) > 0 && !fclose(f), path);
}

static void bind_socket(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(name.sun_path, path, sizeof(path));
	expect(!bind(s, (struct sockaddr *)&name, sizeof(name)), "bind");
}

static void make_map(unsigned long code, const char *kind, const char *arg)
{
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", getpid());
	unlink(path);
	if (!strcmp(kind, "link"))
		expect(!symlink(arg, path), path);
	else if (!strcmp(kind, "fifo"))
		expect(!mkfifo(path, 0600), path);
	else if (!strcmp(kind, "dir"))
		expect(!mkdir(path, 0700), path);
	else if (!strcmp(kind, "socket"))
		bind_socket();
	else if (!strcmp(kind, "text"))
		write_text(code, arg);
	else
		write_lines(code, atol(arg), !strcmp(kind, "nested"));
}

int main(int argc, char **argv)
{
	code_fn code = make_code();

	if (argc > 1)
		make_map((unsigned long)code, argv[1], argc > 2 ? argv[2] : "");
	say("ready %d\n", getpid());
	while (!is_told_to_end(TURN_MS))
		keep(code());
	if (*path && unlink(path))
		rmdir(path);
	say("done\n");
	return 0;
}
