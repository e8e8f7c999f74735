/* SPDX-License-Identifier: Apache-2.0 */
/* Python frames in a stack: they take the place of the frames of the interpreter that runs them. */
#pragma once
#include "base/arena.h"
#include "leak/stacks.h"
#include "report/fold.h"

/* Whether any of the stack's Python frames is known by name. */
bool python_is_known(const struct stack *s);
/*
 * The native frames with the Python frames where the interpreter runs them. `interpreter` is the path of
 * its module, whose own frames are left out unless `all`. 0 or -ENOMEM.
 */
int python_mix(const struct stack *s, const char *interpreter, const struct frame_vec *native, bool all,
	       struct arena *arena, struct frame_vec *ret);
