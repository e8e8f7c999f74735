/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SIGINT, SIGTERM, SIGHUP and SIGQUIT, at every moment of leaktrace's life: they are blocked in all threads,
 * and a thread of ours waits for them, whatever the others are doing or hang in. What the first one means
 * depends on the phase:
 *
 *	INTERRUPT_ENDS       nothing is being traced yet: what must not stay is undone, and leaktrace dies by
 *	                     the signal, as any program would
 *	INTERRUPT_WINDOW     interrupt_signal() tells, and the last report is made. A second one ends
 *	                     leaktrace at once, without a report; so does time, if the window does not end
 *	INTERRUPT_REPORT     a report between others is being made: it is finished, then the same
 *	INTERRUPT_LAST       the window had ended by itself; the report has a moment to be finished
 *	INTERRUPT_WRITTEN    the last report is there: leaktrace ends at once as it would have
 *
 * SIGQUIT (Ctrl-\) ends leaktrace at once in any phase; SIGHUP is left alone where nohup asked for that.
 */
#pragma once
#include <signal.h>
#include "app/terminal.h"
#include "base/err.h"
#include "base/undo.h"

enum interrupt_phase {
	INTERRUPT_ENDS,
	INTERRUPT_WINDOW,
	INTERRUPT_REPORT,
	INTERRUPT_LAST,
	INTERRUPT_WRITTEN,
	INTERRUPT_OVER, /* nobody waits for signals any more */
};

struct interrupt;

/*
 * Begins in the first phase. `command`: one will be started, which is to have what is typed at the terminal.
 * Before there are other threads; all that are created later have the signals blocked.
 */
int interrupt_create(bool command, struct interrupt **ret, struct err *e);
void interrupt_destroy(struct interrupt *i);

void interrupt_phase(struct interrupt *i, enum interrupt_phase phase);
/* The last report has been written; `status` is what leaktrace ends with. */
void interrupt_written(struct interrupt *i, int status);
/* The signal that came, 0: none has. */
int interrupt_signal(const struct interrupt *i);
/* When leaktrace has to be done with what it does, CLOCK_MONOTONIC; 0 until the first signal. */
const _Atomic uint64_t *interrupt_end_ns(const struct interrupt *i);
/* The same of finding out which goroutines are leaked, so that time is left for names. */
const _Atomic uint64_t *interrupt_verdict_ns(const struct interrupt *i);
/* What is to be undone when leaktrace ends at once. */
struct undo_list *interrupt_undo(struct interrupt *i);
/* The process group of the command that has been started, 0 when that has ended; what is typed at the terminal
 * goes there too. */
void interrupt_command(struct interrupt *i, pid_t group);
const struct terminal *interrupt_terminal(const struct interrupt *i);
/* Waits until a child has changed its state, at most for so long; it may also return before. */
void interrupt_await_child(unsigned int ms);
