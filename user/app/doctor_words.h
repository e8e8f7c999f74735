/* SPDX-License-Identifier: Apache-2.0 */
/* What `leaktrace doctor` has found, in words. */
#pragma once
#include "app/options.h"
#include "trace/facts.h"

struct doctor_words {
	const char *why;
	const char *remedy; /* NULL: there is none, or another way does as well */
};

/* Why hooks cannot be attached in this way: `error` is a negative errno. */
struct doctor_words doctor_hook_words(enum hook_way way, int error, const struct host_facts *f);
/* Why a kind of probes is of no use; of one that is, why is NULL. */
struct doctor_words doctor_attach_words(const struct attach_fact *a, const struct host_facts *f);
/* Why there are no statistics of BPF programs, or why sockets are looked up in /proc. */
struct doctor_words doctor_statistics_words(const struct host_facts *f);
struct doctor_words doctor_sock_diag_words(const struct host_facts *f);
/* Why the process cannot be traced, though this host can trace; of one that can, why is NULL. */
struct doctor_words doctor_target_words(const struct target_facts *t, uint32_t kinds,
					const struct host_facts *f);
/* What can be told of a Go program whose runtime can be read. */
const char *doctor_go_words(const struct target_facts *t);
/* What it means that a process has a namespace of its own. */
const char *doctor_namespace_words(const char *name);
