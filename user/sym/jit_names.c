// SPDX-License-Identifier: Apache-2.0
#include "sym/jit_names.h"
#include <errno.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/reader.h"

#define SEND_MS 1000

void jit_names_init(struct jit_names *j, struct strpool *strings, struct left_out *left_out)
{
	*j = (struct jit_names){ .helper.kind = &names_helper, .strings = strings, .left_out = left_out };
}

void jit_names_deinit(struct jit_names *j)
{
	helper_deinit(&j->helper);
}

int jit_names_ask(struct jit_names *j, const struct jit_question *q)
{
	_cleanup_(strbuf_deinit) struct strbuf b = { 0 };
	const struct names_question head = { .what = NAMES_JIT, .pid = q->pid, .n = q->n };
	int r;

	strbuf_add(&b, (const char *)&head, sizeof(head));
	strbuf_add(&b, (const char *)q->addresses, q->n * sizeof(q->addresses[0]));
	if (b.oom)
		return -ENOMEM;
	r = helper_send(&j->helper, &(struct helper_message){ b.s, b.n, { -1, -1 } }, SEND_MS);
	if (r)
		return r;
	j->question = *q;
	j->asked = true;
	j->asked_ns = clock_now();
	return 0;
}

static int read_answer(struct jit_names *j, const struct helper_message *message, struct jit_answer *ret)
{
	struct reader r = reader_make(message->bytes, message->n);
	const uint32_t n = reader_u32(&r), n_left_out = reader_u32(&r);
	int err = n != j->question.n ? -EBADMSG : 0;

	ret->overridden = reader_u64(&r);
	for (uint32_t i = 0; !err && i < n; i++) {
		const char *name = reader_cstr(&r);

		ret->names[i] = name && *name ? strpool_add(j->strings, name, strlen(name)) : NULL;
		if (!name || (*name && !ret->names[i]))
			err = name ? -ENOMEM : -EBADMSG;
	}
	for (uint32_t i = 0; !err && i < n_left_out; i++) {
		const char *what = reader_cstr(&r), *of = reader_cstr(&r), *why = reader_cstr(&r);

		err = r.bad ? -EBADMSG : left_out_add(j->left_out, what, of, why);
	}
	return !err && r.bad ? -EBADMSG : err;
}

int jit_names_take(struct jit_names *j, int timeout_ms, struct jit_answer *ret)
{
	struct helper_message answer;
	int r = helper_receive(&j->helper, timeout_ms, &answer);

	if (r == -EINPROGRESS)
		return r;
	j->asked = false;
	if (r == -ENOMEM) /* it can do no more */
		helper_stop(&j->helper);
	return r ? r : read_answer(j, &answer, ret);
}

void jit_names_give_up(struct jit_names *j)
{
	helper_stop(&j->helper);
	j->asked = false;
}

int jit_names_keep(struct jit_names *j, int timeout_ms)
{
	int r = jit_names_take(j, timeout_ms, &j->before.answer);

	if (r == -EINPROGRESS)
		return r;
	j->before.question = j->question;
	j->before.r = r;
	j->kept = true;
	return 0;
}

int jit_names_take_kept(struct jit_names *j, struct jit_question *ret_question, struct jit_answer *ret)
{
	if (!j->kept)
		return -ENOENT;
	j->kept = false;
	*ret_question = j->before.question;
	*ret = j->before.answer;
	return j->before.r;
}
