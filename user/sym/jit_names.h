/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the code of JIT compilers is called, as their maps say it (perfmap.h) at the time of the question.
 * The maps are read in a helper of their own: it is not kept waiting by the symbols of large modules, because
 * later the same address may be that of other code.
 */
#pragma once
#include "base/helper.h"
#include "base/left_out.h"
#include "sym/names_helper.h"
#include "sym/strpool.h"

struct jit_question {
	pid_t pid;
	uint32_t n;
	uint64_t addresses[NAMES_JIT_MAX];
};

struct jit_answer {
	const char *names[NAMES_JIT_MAX]; /* one for each address; NULL: the map has none. The pool's */
	uint64_t overridden; /* how often so far what was asked for was given another name in the process's map */
};

struct jit_names {
	struct helper helper;
	struct strpool *strings;
	struct left_out *left_out;
	bool asked;
	struct jit_question question; /* the one that is asked */
	uint64_t asked_ns;
	bool kept;
	struct {
		struct jit_question question;
		struct jit_answer answer;
		int r;
	} before; /* when kept: what was asked before, and its answer, which nobody has taken */
};

/* Neither the pool nor the list may go before the names do. The helper is started by the first question. */
void jit_names_init(struct jit_names *j, struct strpool *strings, struct left_out *left_out);
void jit_names_deinit(struct jit_names *j);
/* Asks, when nothing else is being asked or kept. 0 or a negative errno: it is not being asked. */
int jit_names_ask(struct jit_names *j, const struct jit_question *q);
/* The answer to `j->question`, which is asked no more. 0 or a negative errno; -EINPROGRESS: there is none in
 * that time, and it still is. */
int jit_names_take(struct jit_names *j, int timeout_ms, struct jit_answer *ret);
/* Nobody waits for an answer any longer. */
void jit_names_give_up(struct jit_names *j);
/* What is asked can wait, as something else is urgent: its answer is kept for jit_names_take_kept(). 0;
 * -EINPROGRESS: it is still being asked. */
int jit_names_keep(struct jit_names *j, int timeout_ms);
/* As jit_names_take(), of what was kept. -ENOENT: nothing was. */
int jit_names_take_kept(struct jit_names *j, struct jit_question *ret_question, struct jit_answer *ret);
