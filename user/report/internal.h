/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands between the program and what it acquires: the frames of the allocator, of the C
 * library and of what C++ and Rust put around threads. They say nothing about the leak.
 */
#pragma once
#include <leaktrace/types.h>
#include "report/report.h"

struct internal_name {
	char s[64]; /* "": not known */
};

/* How many of the frames, leaf first, are internal: never all of them. `ret` is the function of the
 * C library that the program has called. */
size_t internal_frames(enum lt_kind kind, const struct report_frame *frames, size_t n,
		       struct internal_name *ret);
/* How many of the outermost say nothing, as they are at the end of every stack: never all. */
size_t outer_frames(enum lt_kind kind, const struct report_frame *frames, size_t n);
/* Whether the frame is of a function that Go's compiler has made to call another one: of a go or defer
 * statement, or a method. Its own traces leave such out as well. */
bool is_generated_frame(const struct report_frame *f);
/* The name by which programs call what the C library calls `function` itself: "fopen" for
 * "_IO_new_fopen". "" when it says nothing. */
struct internal_name internal_public_name(const char *function);
