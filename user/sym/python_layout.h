/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the versions of CPython keep what names a thread's frames. To add a version that says nothing of
 * itself: a row in the table in python_layout.c. From 3.13 on the interpreter has a table of its own.
 */
#pragma once
#include <leaktrace/python.h>
#include "proc/memory.h"

#define PYTHON_VERSION(major, minor) ((major) << 8 | (minor))

struct python_layout {
	struct lt_python walk; /* .interpreters: its offset in _PyRuntime */
	uint16_t object_type;
	uint16_t code_filename, code_qualname, code_first_line, code_lines, code_instrs;
	uint16_t bytes_size, bytes_data;
	uint16_t string_length, string_state, string_ascii, string_compact; /* two: where the data is */
};

/* The layout in a process whose _PyRuntime is at `runtime`. 0, or -EOPNOTSUPP: that of this version is
 * not known. */
int python_layout_find(unsigned int version, const struct memory *memory, uint64_t runtime,
		       struct python_layout *ret);
