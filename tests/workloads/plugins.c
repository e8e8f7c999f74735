// SPDX-License-Identifier: Apache-2.0
/*
 * usage: plugins THREADS TURNS MICROSECONDS PLUGIN...
 *
 * Loads plugins (plugin/plugin.c) in turn, each of which gets the addresses of the one before, calls each
 * once, keeps it for so long and closes it. Every thread has plugins of its own. TURNS is a number, or
 * ends in s: so many seconds. The truth is a line "loaded PLUGIN N" for each.
 */
#include <dlfcn.h>
#include "workload.h"

#define PLUGINS_MAX 64

static struct {
	int threads, n;
	long turns, us;
	unsigned long ns;
	char **paths;
	long loaded[PLUGINS_MAX];
} plugins;

static void plugin_use(int i)
{
	void *handle = dlopen(plugins.paths[i], RTLD_NOW);
	void (*run)(void);

	expect(handle != NULL, plugins.paths[i]);
	*(void **)&run = dlsym(handle, "plugin_run");
	expect(run != NULL, "no plugin");
	run();
	if (plugins.us)
		usleep((useconds_t)plugins.us);
	dlclose(handle);
	plugins.loaded[i]++;
}

static void *work(void *arg)
{
	int first = (int)(long)arg, i = first;
	unsigned long end = now_ns() + plugins.ns;

	for (long turn = 0; plugins.ns ? now_ns() < end : turn < plugins.turns; turn++) {
		plugin_use(i);
		i += plugins.threads;
		if (i >= plugins.n)
			i = first;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[PLUGINS_MAX];

	expect(argc > 4, "usage: plugins THREADS TURNS MICROSECONDS PLUGIN...");
	plugins.threads = atoi(argv[1]);
	plugins.turns = atol(argv[2]);
	if (argv[2][strlen(argv[2]) - 1] == 's')
		plugins.ns = (unsigned long)plugins.turns * 1000000000UL;
	plugins.us = atol(argv[3]);
	plugins.paths = argv + 4;
	plugins.n = argc - 4;
	expect(plugins.n <= PLUGINS_MAX && plugins.threads <= plugins.n, "too many");
	say("ready %d\n", getpid());
	await_line();
	for (long i = 1; i < plugins.threads; i++)
		expect(!pthread_create(&threads[i], NULL, work, (void *)i), "pthread_create failed");
	work(NULL);
	for (int i = 1; i < plugins.threads; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < plugins.n; i++)
		say("loaded %s %ld\n", plugins.paths[i], plugins.loaded[i]);
	say("done\n");
	await_line();
	return 0;
}
