// SPDX-License-Identifier: Apache-2.0
/*
 * The interpreter has a function that runs Python code, and calls itself no more for what Python code
 * calls: each of its native frames stands for as many Python frames as there are up to the one that C
 * has called. The outermost takes what is left, should some of them not have been found.
 */
#include "report/python.h"
#include <string.h>

#define RUNS_CODE  "_PyEval_EvalFrameDefault" /* and what the compiler appends to its parts */
#define EXTENSIONS "/lib-dynload/"	      /* modules that come with the interpreter */

bool python_is_known(const struct stack *s)
{
	for (unsigned int i = 0; i < s->n_python; i++)
		if (s->python[i].function)
			return true;
	return false;
}

static bool is_interpreter(const struct report_frame *f, const char *interpreter)
{
	return f->module && (!strcmp(f->module, interpreter) || strstr(f->module, EXTENSIONS));
}

static bool runs_code(const struct report_frame *f, const char *interpreter)
{
	return is_interpreter(f, interpreter) && f->function &&
	       !strncmp(f->function, RUNS_CODE, strlen(RUNS_CODE));
}

static size_t count_runs(const struct frame_vec *native, const char *interpreter)
{
	size_t n = 0;

	vec_foreach(f, native)
		n += runs_code(f, interpreter);
	return n;
}

/* Adds the Python frames from `next` on, up to the one that C has called, or all. */
static int add_python(const struct stack *s, struct python_at *next, bool all, struct arena *arena,
		      struct frame_vec *ret)
{
	const struct python_frame *f;
	bool done = false, entry;
	int r = 0;

	while (!done && !r && (f = stack_python_next(s, next, &entry))) {
		struct report_frame frame = { .line = f->line };

		done = entry && !all;
		if (!f->function)
			continue;
		frame.function = arena_strdup(arena, f->function);
		frame.file = arena_strdup(arena, f->file);
		r = frame.function && frame.file ? vec_push(ret, frame) : -ENOMEM;
	}
	return r;
}

int python_mix(const struct stack *s, const char *interpreter, const struct frame_vec *native, bool all,
	       struct arena *arena, struct frame_vec *ret)
{
	size_t runs = count_runs(native, interpreter);
	struct python_at next = { 0 };
	int r = 0;

	for (size_t i = 0; i < native->n && !r; i++) {
		const struct report_frame *f = &native->items[i];

		if (runs_code(f, interpreter))
			r = add_python(s, &next, !--runs, arena, ret);
		if (!r && (all || !is_interpreter(f, interpreter)))
			r = vec_push(ret, *f);
	}
	return r ? r : add_python(s, &next, true, arena, ret);
}
