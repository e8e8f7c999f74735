// SPDX-License-Identifier: Apache-2.0
/*
 * usage: upgraded TURNS PATH PLUGIN...
 *
 * Loads, calls and closes the library at PATH, of which each time another one of the plugins has become the
 * contents: another file, often of the same number, at the same addresses.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include "workload.h"

static void copy(const char *from, const char *to)
{
	static char bytes[1 << 20];
	int in = open(from, O_RDONLY), out;
	ssize_t n = read(in, bytes, sizeof(bytes));

	expect(n > 0 && n < (ssize_t)sizeof(bytes), from);
	unlink(to);
	out = open(to, O_WRONLY | O_CREAT | O_EXCL, 0755);
	expect(write(out, bytes, (size_t)n) == n, to);
	close(in);
	close(out);
}

static void use(const char *path)
{
	void *handle = dlopen(path, RTLD_NOW);
	void (*run)(void);

	expect(handle != NULL, path);
	*(void **)&run = dlsym(handle, "plugin_run");
	expect(run != NULL, "no plugin");
	run();
	dlclose(handle);
}

int main(int argc, char **argv)
{
	int turns, n = argc - 3;

	expect(n > 0, "usage: upgraded TURNS PATH PLUGIN...");
	turns = atoi(argv[1]);
	say("ready %d\n", getpid());
	await_line();
	for (int i = 0; i < turns; i++) {
		copy(argv[3 + i % n], argv[2]);
		use(argv[2]);
	}
	for (int i = 0; i < n; i++)
		say("loaded %s %d\n", argv[3 + i], turns / n + (i < turns % n));
	say("done\n");
	await_line();
	return 0;
}
