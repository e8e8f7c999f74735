/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where output goes. A regular file is replaced as a whole, by a new one that is written beside it and has its
 * mode and owner: until the first report is there the file stays what it was, and whoever reads it never sees a
 * part. Standard output, devices, FIFOs and what cannot be replaced are written in place. Later reports are
 * appended.
 */
#pragma once
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include "app/interrupt.h"
#include "base/err.h"

struct outfile {
	const char *name; /* as it was named: for messages */
	struct interrupt *interrupt;
	char *path; /* what is to be replaced; NULL: it is written in place, or has been replaced */
	char *part; /* what is to replace it, while that is written */
	struct stat old; /* what is there now; st_mode 0: nothing */
	int fd;		 /* -1: not open yet */
	bool shared;	 /* the descriptor is not ours to close */
	bool empty_it;	 /* written in place: without what is there now */
	FILE *stream;	 /* between begin and end */
	int error;	 /* the first one there, a negative errno */
};

#define OUTFILE_NONE ((struct outfile){ .fd = -1 })

/* `path` NULL: standard output. Checks that it can be written, and changes nothing. */
int outfile_open(const char *path, struct interrupt *interrupt, struct outfile *ret, struct err *e);
/* The descriptor when it is a terminal, else -1. */
int outfile_terminal(const struct outfile *f);
/* A report begins: what is written to the stream goes there. */
int outfile_begin(struct outfile *f, FILE **ret, struct err *e);
/* It is over; `r` is 0 or what went wrong with it. Closes the stream. */
int outfile_end(struct outfile *f, int r, struct err *e);
/* -EIO when something that was written has not arrived. */
int outfile_close(struct outfile *f, struct err *e);
