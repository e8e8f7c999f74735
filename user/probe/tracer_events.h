/* SPDX-License-Identifier: Apache-2.0 */
/* What a tracer hears, and what it does about it. For user/probe/tracer*.c. */
#pragma once
#include <stddef.h>

struct tracer;

/* For ring buffers: takes what BPF sends. Books are kept at once; what has happened to a process is only put down. */
int tracer_on_event(void *tracer, void *data, size_t size);
/* Deals with what has been put down, also with what is meanwhile. Not while somebody goes through the table of
 * processes. */
void tracer_handle_events(struct tracer *t);
