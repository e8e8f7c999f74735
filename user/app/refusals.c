// SPDX-License-Identifier: Apache-2.0
#include "app/refusals.h"
#include <string.h>
#include "base/cleanup.h"

#define AGAIN_NS    100000000ULL /* after that, and twice as long each time, up to ... */
#define AGAIN_TIMES 5		 /* ... so many times twice */
#define REASONS_MAX 32		 /* that are told apart */

static const char another[] = "for other reasons";

static void refusal_deinit(struct refusal *f)
{
	target_deinit(&f->who);
}

void refusals_deinit(struct refusals *r)
{
	vec_foreach(f, r)
		refusal_deinit(f);
	vec_foreach(reason, &r->reasons)
		free(reason->why);
	vec_free(&r->reasons);
	vec_free(r);
}

/* -- reasons ---------------------------------------------------------------------------------- */

/* "pid 7: no memory" and "pid 7 has no memory" without what is of this process alone. */
static const char *without_pid(const char *why)
{
	const char *rest;

	if (strncmp(why, "pid ", 4))
		return why;
	rest = why + 4 + strspn(why + 4, "0123456789");
	if (rest == why + 4)
		return why;
	rest += *rest == ':';
	return rest + strspn(rest, " ");
}

/* Its number, + 1; 0: there is no memory. */
static size_t reason_of(struct refusals *r, const char *words)
{
	const char *why = r->reasons.n < REASONS_MAX ? without_pid(words) : another;
	struct refusal_reason new = { 0 };

	for (size_t i = 0; i < r->reasons.n; i++)
		if (!strcmp(r->reasons.items[i].why, without_pid(words)) || !strcmp(r->reasons.items[i].why, why))
			return i + 1;
	new.why = strdup(why);
	if (!new.why || vec_push(&r->reasons, new)) {
		free(new.why);
		return 0;
	}
	return r->reasons.n;
}

int refusals_count(struct refusals *r, const char *why)
{
	size_t reason = reason_of(r, why);

	if (!reason)
		return -ENOMEM;
	r->reasons.items[reason - 1].count++;
	return 0;
}

static void count_no_more(struct refusals *r, const struct refusal *f)
{
	if (f->reason)
		r->reasons.items[f->reason - 1].count--;
}

/* -- processes -------------------------------------------------------------------------------- */

/* Where it is, or would be. */
static size_t place_of(const struct refusals *r, pid_t pid)
{
	size_t low = 0, high = r->n;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (r->items[middle].who.pid < pid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct refusal *refusals_find(const struct refusals *r, pid_t pid)
{
	const size_t i = place_of(r, pid);

	return i < r->n && r->items[i].who.pid == pid ? &r->items[i] : NULL;
}

/* NULL: there is no memory. */
static struct refusal *refusal_new(struct refusals *r, pid_t pid)
{
	const size_t i = place_of(r, pid);

	if (vec_reserve(r, 1))
		return NULL;
	memmove(r->items + i + 1, r->items + i, (r->n - i) * sizeof(*r->items));
	r->n++;
	r->items[i] = (struct refusal){ .who = { .pid = pid, .pidfd = -1 } };
	return &r->items[i];
}

int refusals_put(struct refusals *r, pid_t pid, const char *why, uint64_t now_ns)
{
	struct refusal *f = refusals_find(r, pid);
	size_t reason = 0;

	if (!f)
		f = refusal_new(r, pid);
	if (!f)
		return -ENOMEM;
	if (why) {
		reason = reason_of(r, why);
		if (!reason)
			return -ENOMEM;
		target_refresh(&f->who); /* or it is not known */
	}
	if (reason != f->reason) {
		count_no_more(r, f);
		f->reason = reason;
		if (reason)
			r->reasons.items[reason - 1].count++;
	}
	f->again_ns = now_ns + (AGAIN_NS << (f->times < AGAIN_TIMES ? f->times : AGAIN_TIMES));
	f->times++;
	return 0;
}

void refusals_drop(struct refusals *r, pid_t pid)
{
	struct refusal *f = refusals_find(r, pid);

	if (!f)
		return;
	count_no_more(r, f);
	refusal_deinit(f);
	memmove(f, f + 1, (size_t)(r->items + r->n - (f + 1)) * sizeof(*f));
	r->n--;
}

void refusals_keep(struct refusals *r, const struct number_vec *pids)
{
	size_t kept = 0, at = 0;

	for (size_t i = 0; i < r->n; i++) {
		while (at < pids->n && pids->items[at] < (uint64_t)r->items[i].who.pid)
			at++;
		if (at < pids->n && pids->items[at] == (uint64_t)r->items[i].who.pid)
			r->items[kept++] = r->items[i];
		else
			refusal_deinit(&r->items[i]);
	}
	r->n = kept;
}
