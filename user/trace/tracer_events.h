/* SPDX-License-Identifier: Apache-2.0 */
/* What a tracer hears, and what it does about it. For user/trace/tracer*.c. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct target;
struct tracer;

/* For ring buffers: takes what BPF sends. Books are kept at once; what has happened to a process is only put down. */
int tracer_on_event(void *tracer, void *data, size_t size);
/* Deals with what has been put down, also with what is meanwhile. Whether there was any. Not while somebody goes
 * through the table of processes. */
bool tracer_handle_events(struct tracer *t);
/* Has it listen to BPF. 0 or a negative errno. */
int tracer_listen_to_ring(struct tracer *t);
/* Waits for at most `timeout_ms` until there is something to hear, of BPF or of a process that has ended; it is
 * put down, and what comes from BPF is taken. 0 or a negative errno. */
int tracer_listen(struct tracer *t, int timeout_ms);
/* Has it listen for the end of the process, or no more. 0 or a negative errno. */
int tracer_listen_to(struct tracer *t, const struct target *target);
void tracer_listen_no_more(struct tracer *t, const struct target *target);
