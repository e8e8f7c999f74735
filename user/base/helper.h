/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A helper: a process of our own for work that may never end or may crash, because others have chosen
 * what it works on. It shares nothing with us but a socket, so it can be given up at any moment: when it
 * does not answer in time, when it takes more memory than it may, when a file that it has mapped shrinks.
 * A new one is started with the next call.
 *
 * (The idea is that of OpenSSH's privilege separation; here it is time, memory and crashes that are
 * separated.)
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/strbuf.h"
#include "base/vec.h"

#define HELPER_FDS 2

/* A request, or the answer to one. */
struct helper_message {
	const void *bytes;
	size_t n;
	int fds[HELPER_FDS]; /* that go with it; -1: none */
};

/* What an answer is put together in, within the helper; its descriptors are closed once it is sent. */
struct helper_answer {
	struct strbuf bytes;
	int fds[HELPER_FDS];
};

struct helper_kind {
	const char *name; /* of the process, at most 15 characters */
	uint64_t memory;  /* bytes of data that it may have beyond what it starts with */
	/* Both run in the helper. `start` makes the state that lives as long as the process does; `serve`
	 * answers a request, whose descriptors are its own to close. 0 or a negative errno. */
	int (*start)(void **ret);
	int (*serve)(void *state, const struct helper_message *request, struct helper_answer *answer);
};

struct helper {
	const struct helper_kind *kind;
	pid_t pid;  /* 0: none runs */
	int socket; /* while one runs */
	struct {
		VEC_OF(pid_t);
	} given_up; /* killed, and perhaps not gone yet: a process that waits for a dead disk stays */
	struct strbuf received;
};

/*
 * Sends the request and waits for the answer, `timeout_ms` at most. Returns what `serve` has returned, then
 * with the answer in `*ret`: its bytes are the helper's, until the next call, its descriptors the
 * caller's to close. -ETIMEDOUT or -ECONNRESET: the helper did not answer in time, or has died; it was given
 * up. Or another negative errno: none could be started.
 */
int helper_call(struct helper *h, const struct helper_message *request, int timeout_ms,
		struct helper_message *ret);
/* The two halves of it, to do other things in between: */
int helper_send(struct helper *h, const struct helper_message *request, int timeout_ms);
/* -EINPROGRESS when nothing has come within `timeout_ms`: call it again, or give the helper up. */
int helper_receive(struct helper *h, int timeout_ms, struct helper_message *ret);
/* Starts the helper ahead of the first call, while we are small. 0 or a negative errno. */
int helper_start(struct helper *h);
/* Calls this process `name`, for ps as well: else it would show the command line that leaktrace was called with. */
void helper_name(const char *name);
/* Gives the helper up: with it goes all that it has kept. The next call starts a new one. */
void helper_stop(struct helper *h);
void helper_deinit(struct helper *h);
