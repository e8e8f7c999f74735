/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which goroutines are leaked is found out by going over the heap several times (user/go/leak.h), which takes a
 * second for each GiB. A thread does so while tracing goes on, of all Go programs in turn, so that the last report
 * does not wait for it.
 */
#pragma once
#include "go/leak.h"

struct go_judges;
/* Of one program. */
struct go_judge;

/* Starts the thread. 0 or a negative errno. */
int go_judges_create(struct go_judges **ret);
/* After all that were added have been removed. */
void go_judges_destroy(struct go_judges *js);
/* `rt` is taken over on success, and must be nobody else's: what it reads is kept in it. 0 or a negative errno. */
int go_judges_add(struct go_judges *js, struct go_runtime *rt, struct go_judge **ret);
/* Waits until nothing reads its memory any more. NULL: nothing. */
void go_judge_remove(struct go_judge *j);
/*
 * go_leaks_settle(), by the caller: the thread leaves this program alone from then on. `until_ns`: as struct
 * go_leak_limits has it, may be NULL. A negative errno: there are no
 * verdicts, `e` says why.
 */
int go_judge_settle(struct go_judge *j, const _Atomic uint64_t *until_ns, struct err *e);
/* go_leaks_judge(), from the passes so far; `rt` is the caller's own. */
void go_judge_verdicts(struct go_judge *j, const struct go_runtime *rt, const struct goroutine_list *l,
		       enum go_verdict *ret, struct go_leak_summary *ret_summary);
