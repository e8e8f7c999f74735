/* SPDX-License-Identifier: Apache-2.0 */
/* A directory for the files of a test, and programs that make them. Include cmocka.h first. */
#pragma once
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "proc/module.h"

struct sym_fixture {
	char dir[64];
};

/* Runs a shell command in the directory and returns its exit status. */
__printf(2, 3) static inline int fixture_try(const struct sym_fixture *f, const char *fmt, ...)
{
	char command[4096];
	va_list ap;
	int n = snprintf(command, sizeof(command), "cd %s && ", f->dir);

	va_start(ap, fmt);
	vsnprintf(command + n, sizeof(command) - n, fmt, ap);
	va_end(ap);
	return system(command);
}

/* The same for one that must succeed. */
#define fixture_run(f, ...) assert_int_equal(fixture_try(f, __VA_ARGS__), 0)

static inline bool fixture_has_program(const struct sym_fixture *f, const char *name)
{
	return !fixture_try(f, "command -v %s >/dev/null", name);
}

static inline int fixture_setup(void **state)
{
	struct sym_fixture *f = malloc(sizeof(*f));

	strcpy(f->dir, "/tmp/leaktrace-sym-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	*state = f;
	return 0;
}

static inline int fixture_teardown(void **state)
{
	struct sym_fixture *f = *state;

	fixture_run(f, "chmod -R u+rwX . && rm -rf '%s'", f->dir);
	free(f);
	return 0;
}

static inline void fixture_write(const struct sym_fixture *f, const char *name, const void *data,
				 size_t size)
{
	char path[PATH_MAX];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

static inline void fixture_write_text(const struct sym_fixture *f, const char *name,
				      const char *text)
{
	fixture_write(f, name, text, strlen(text));
}

static inline int fixture_open_file(const struct sym_fixture *f, const char *name)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

/* The file NAME as a module of a process whose root is ROOT in the fixture's directory, or with
 * NULL of one that shares our own root. */
static inline struct module fixture_module(const struct sym_fixture *f, const char *name,
					   const char *root)
{
	static uint32_t ids;
	struct module m = { .id = ++ids, .fd = fixture_open_file(f, name), .copy = -1 };
	const char *below = name;

	if (root) {
		assert_int_equal(asprintf(&m.root, "%s/%s", f->dir, root) < 0, 0);
		assert_int_equal(strncmp(name, root, strlen(root)), 0);
		m.path = strdup(below + strlen(root));
	} else {
		m.root = strdup("");
		assert_int_equal(asprintf(&m.path, "%s/%s", f->dir, name) < 0, 0);
	}
	return m;
}

static inline void fixture_module_deinit(struct module *m)
{
	free(m->path);
	free(m->root);
	close(m->fd);
}
