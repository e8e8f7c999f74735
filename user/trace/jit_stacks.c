// SPDX-License-Identifier: Apache-2.0
#include "trace/jit_stacks.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "trace/tracer.h"

#define LOOK_NS	      15000000ULL
#define SCAN_AGAIN_NS 1000000000ULL
#define PATIENCE_NS   10000000000ULL
#define FINISH_NS     500000000ULL
#define WAIT_MS	      10
#define STACKS_ASKED  NAMES_JIT_MAX /* with one question */

static bool is_jit(uint64_t frame)
{
	return !(frame & (LT_FRAME_IN_MODULE | LT_FRAME_UNKNOWN | LT_FRAME_LEFT_OUT));
}

/* The byte before a frame's address is one of the code that ran. */
static uint64_t code_of(uint64_t frame)
{
	return LT_FRAME_OFFSET(frame) - 1;
}

static bool has_jit(const struct stack *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (is_jit(s->frames[i]))
			return true;
	return false;
}

/* -- epochs ------------------------------------------------------------------------------------ */

static void epoch_begin(struct tracer *t, pid_t pid)
{
	char path[48];

	/* half of the room is for what is new in this epoch */
	if (t->jits.epoch < LT_EPOCHS_MAX && t->books.stacks.by_id.n < t->ledger.n_stacks / 2) {
		object_set_jit_epoch(&t->object, ++t->jits.epoch);
		return;
	}
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)pid);
	t->books.oom += left_out_add(&t->modules.left_out, "later names", path,
				     "code took the place of other code too often") == -ENOMEM;
}

static bool has_names(const struct jit_question *q, const struct jit_answer *a)
{
	for (uint32_t i = 0; i < q->n; i++)
		if (a->names[i])
			return true;
	return false;
}

static void note_overridden(struct tracer *t, const struct jit_question *q, const struct jit_answer *a)
{
	struct jit_stacks *j = &t->jits;
	const pid_t pid = q->pid, helper = names_of_jits(t->names)->helper.pid;
	const uint64_t *known = hashmap_get(&j->overridden, (uint64_t)pid), overridden = a->overridden;

	if (!known && !has_names(q, a)) /* there is no map to look at */
		return;
	/* another helper has not seen what the one before was asked for */
	if ((known && *known != overridden) || (j->helper && j->helper != helper))
		epoch_begin(t, pid);
	j->helper = helper;
	if (process_table_find(&t->processes, pid))
		t->books.oom += hashmap_put(&j->overridden, (uint64_t)pid, overridden) == -ENOMEM;
}

/* -- answers ----------------------------------------------------------------------------------- */

static const char *name_of(const struct jit_question *q, const struct jit_answer *a, uint64_t address)
{
	for (uint32_t i = 0; i < q->n; i++)
		if (q->addresses[i] == address)
			return a->names[i];
	return NULL;
}

/* Stacks of the same frames and names are one, in whatever epochs they were taken. */
static int merge_likes(struct tracer *t, const struct stack *s)
{
	uint32_t epoch;
	uint64_t id = stack_common_id(s, t->jits.epoch, &epoch);

	if (!id)
		return 0;
	for (size_t i = 0; s->jit && i < s->n; i++)
		for (const char *c = s->jit[i]; c && *c; c++)
			id = lt_hash_frame(id, (uint64_t)(unsigned char)*c | (uint64_t)i << 8);
	return stack_table_merge(&t->books.stacks, s->id, id);
}

static int stack_name(struct tracer *t, struct stack *s, const struct jit_question *q,
		      const struct jit_answer *a)
{
	free(s->jit);
	s->jit = calloc((size_t)s->n + 1, sizeof(*s->jit));
	if (!s->jit)
		return -ENOMEM;
	for (size_t i = 0; i < s->n; i++)
		if (is_jit(s->frames[i]))
			s->jit[i] = name_of(q, a, code_of(s->frames[i]));
	return merge_likes(t, s);
}

static void take_answer(struct tracer *t, const struct jit_question *q, const struct jit_answer *a)
{
	vec_foreach(id, &t->jits.asked) {
		struct stack *s = stack_table_get(&t->books.stacks, *id);

		if (s && !s->jit)
			t->books.oom += stack_name(t, s, q, a) == -ENOMEM;
	}
	t->jits.asked.n = 0;
	note_overridden(t, q, a);
}

/* Whether something is still being asked. */
static bool is_busy(struct tracer *t, int timeout_ms)
{
	struct jit_names *names = names_of_jits(t->names);
	struct jit_question question;
	struct jit_answer answer;
	int r = jit_names_take_kept(names, &question, &answer);

	if (r == -ENOENT && !names->asked)
		return false;
	if (r == -ENOENT) {
		question = names->question;
		r = jit_names_take(names, timeout_ms, &answer);
	}
	if (r == -EINPROGRESS && clock_now() - names->asked_ns < PATIENCE_NS)
		return true;
	if (r == -EINPROGRESS)
		jit_names_give_up(names);
	if (!r)
		take_answer(t, &question, &answer);
	t->jits.asked.n = 0;
	return false;
}

/* -- questions --------------------------------------------------------------------------------- */

static bool is_in(const struct jit_question *q, uint64_t address)
{
	for (uint32_t i = 0; i < q->n; i++)
		if (q->addresses[i] == address)
			return true;
	return false;
}

/* Adds what is to be asked of the stack; false: there is no room for it. */
static bool question_add(struct jit_question *q, const struct stack *s)
{
	const uint32_t n = q->n;

	if (n && q->pid != (pid_t)s->tgid)
		return false;
	q->pid = (pid_t)s->tgid;
	for (size_t i = 0; i < s->n; i++) {
		if (!is_jit(s->frames[i]) || is_in(q, code_of(s->frames[i])))
			continue;
		if (q->n == NAMES_JIT_MAX) {
			q->n = n;
			return false;
		}
		q->addresses[q->n++] = code_of(s->frames[i]);
	}
	return true;
}

/* Collects from the stacks that have not been looked at; those without a JIT's code need no names. */
static void collect(struct tracer *t, struct jit_question *q)
{
	struct jit_stacks *j = &t->jits;

	while (j->scanned < t->books.stacks.n && j->asked.n < STACKS_ASKED) {
		struct stack *s = &t->books.stacks.items[j->scanned];
		const size_t n = t->books.stacks.n;

		if (!s->jit_asked && has_jit(s)) {
			if (!question_add(q, s) || vec_push(&j->asked, s->id))
				return;
		} else if (!s->jit_asked && j->epoch) {
			s->jit_asked = true;
			t->books.oom += merge_likes(t, s) == -ENOMEM;
			if (t->books.stacks.n < n) /* another one has taken its place */
				continue;
		}
		t->books.stacks.items[j->scanned++].jit_asked = true;
	}
}

/* Whether there was something to ask. */
static bool ask(struct tracer *t)
{
	struct jit_question q = { .n = 0 };

	collect(t, &q);
	if (!q.n)
		return false;
	if (jit_names_ask(names_of_jits(t->names), &q))
		t->jits.asked.n = 0;
	return true;
}

/* One of whose code something has been asked, in turn; NULL: there is none. */
static const struct traced_process *next_process(struct tracer *t)
{
	size_t i = 0;

	process_foreach(p, &t->processes) {
		if (i++ < t->jits.looked_at || p->state == PROCESS_ENDED ||
		    !hashmap_get(&t->jits.overridden, (uint64_t)p->target.pid))
			continue;
		t->jits.looked_at = i;
		return p;
	}
	t->jits.looked_at = 0;
	return NULL;
}

/* Whether there is something new in its map. */
static void look(struct tracer *t, uint64_t now_ns)
{
	const struct traced_process *p;
	struct jit_question q = { .n = 0 };

	if (!t->jits.overridden.n || now_ns - t->jits.looked_ns < LOOK_NS)
		return;
	t->jits.looked_ns = now_ns;
	p = next_process(t);
	if (!p)
		p = next_process(t);
	if (!p)
		return;
	q.pid = p->target.pid;
	jit_names_ask(names_of_jits(t->names), &q);
}

void jit_stacks_tick(struct tracer *t, uint64_t now_ns)
{
	struct jit_stacks *j = &t->jits;

	if (now_ns - j->scan_again_ns >= SCAN_AGAIN_NS) { /* stacks that were put together from others */
		j->scan_again_ns = now_ns;
		j->scanned = 0;
	}
	while (!is_busy(t, 0))
		if (!ask(t)) {
			look(t, now_ns);
			return;
		}
}

void jit_stacks_finish(struct tracer *t)
{
	const uint64_t until_ns = clock_now() + FINISH_NS;

	t->jits.scanned = 0;
	while (clock_now() < until_ns)
		if (!is_busy(t, WAIT_MS) && !ask(t))
			return;
}

void jit_stacks_forget(struct tracer *t, pid_t pid)
{
	hashmap_remove(&t->jits.overridden, (uint64_t)pid);
}

void jit_stacks_deinit(struct jit_stacks *j)
{
	vec_free(&j->asked);
	hashmap_deinit(&j->overridden);
}
