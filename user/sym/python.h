/* SPDX-License-Identifier: Apache-2.0 */
/* CPython in a process: what BPF needs to follow its frames, and what names them. */
#pragma once
#include "elf/image.h"
#include "sym/python_layout.h"
#include "sym/strpool.h"
#include "sym/symbolizer.h"

/* What the file of an interpreter tells; addresses are those in the file. */
struct python_module {
	unsigned int version; /* PYTHON_VERSION(); 0: of a time when it had no symbol */
	uint64_t runtime, code_type;
};

struct python {
	unsigned int version;
	struct memory memory;
	uint64_t runtime, code_type;
	struct python_layout layout;
};

/* 0, -ENOENT: it is none, or -ENOMEM. */
int python_module_read(const struct elf_image *img, struct python_module *ret);
/*
 * The interpreter whose file is loaded with this bias. It is held against the process: should there be a
 * thread in it already, its id must be a pthread_t, and its frames must lead to code. 0; -EOPNOTSUPP: the
 * version is not known; or -EAGAIN: what the process has there is something else, or is changing.
 */
int python_open(const struct python_module *m, uint64_t bias, const struct memory *memory,
		struct python *ret);
/* What BPF is to be told. */
struct lt_python python_row(const struct python *p);
/* The function, file and line of a frame, in strings of the pool. 0; -ENOENT: it is none (any more); or
 * -ENOMEM. */
int python_symbol(const struct python *p, uint64_t code, uint64_t instr, struct strpool *strings,
		  struct symbol *ret);
