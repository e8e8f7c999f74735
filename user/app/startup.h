/* SPDX-License-Identifier: Apache-2.0 */
/* How leaktrace was started: what it changes of that for itself, its commands get back. */
#pragma once
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>

struct startup {
	sigset_t mask;
	struct sigaction pipe, child; /* what SIGPIPE and SIGCHLD did */
	bool no_setxid;		      /* SIGSETXID was ignored: see startup.c */
	struct rlimit files;	      /* how many might be open */
};

/*
 * First of all. Descriptors 0 to 2 that are closed are taken, so that no file of ours becomes one of them:
 * reading and writing there fails as before. A reader that has gone is an error of write, children are
 * told of, and as many files may be open as are permitted at all.
 */
void startup_begin(struct startup *ret);
/* In a child, before it runs another program. */
void startup_restore(const struct startup *s);
