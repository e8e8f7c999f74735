// SPDX-License-Identifier: Apache-2.0
#include "sym/names.h"
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/hashmap.h"
#include "base/reader.h"
#include "proc/procfs.h"
#include "sym/names_helper.h"
#include "sym/strpool.h"

/* For all questions about one module together. What real files need is a fraction of it; what is made to
 * need more ends by its memory or by the limits of what is read. */
#define PATIENCE_MS 10000
/* For all modules that are opened for one report. */
#define REPORT_PATIENCE_MS 20000
/* When that time is cut short (names_begin()): so often it is looked whether it is, and so much CPU time the
 * helper has then before it counts as slow, unless it does not get it in so much more time. Meanwhile it goes
 * before others. It has HURRY_LEAST_NS also when the time was over before: what is found at once is found. */
#define LOOK_MS	      50
#define HURRY_CPU_NS  300000000
#define HURRY_MORE_NS 2500000000
#define HURRY_LEAST_NS 150000000
#define HURRY_NICE    (-10)

/* How the names of a module are had: from one to the next when it fails. */
enum module_state { MODULE_FULL, MODULE_PLAIN, MODULE_REFUSED };

struct names_module {
	enum module_state state;
	bool opened; /* something was asked of it */
	uint64_t spent_ms;
	struct hashmap found; /* vaddr -> index into names.results << 8 | how many */
};

struct names {
	struct helper helper;
	struct jit_names jits;
	struct left_out *left_out;
	struct strpool strings;
	struct hashmap modules; /* id -> struct names_module */
	struct hashmap silent;	/* pids whose JIT's map could not be read */
	struct {
		VEC_OF(struct symbol);
	} results;
	struct kallsyms kernel;
	uint64_t report_ms; /* spent on what was new to this report */
	const _Atomic uint64_t *until_ns; /* of this report; NULL: no end */
	uint64_t hurry_ns, hurry_cpu_ns; /* when that was first seen to be set, and helpers_cpu_ns() then */
	struct {
		const struct module *module; /* NULL: nothing is being asked */
		uint64_t vaddr, began_ns;
	} ahead;
};

int names_create(struct left_out *left_out, struct names **ret)
{
	struct names *n = calloc(1, sizeof(*n));
	int r;

	if (!n)
		return -ENOMEM;
	n->left_out = left_out;
	n->helper.kind = &names_helper;
	jit_names_init(&n->jits, &n->strings, left_out);
	r = helper_start(&n->helper);
	if (r)
		free(n);
	else
		*ret = n;
	return r;
}

void names_begin(struct names *n, const _Atomic uint64_t *until_ns)
{
	n->report_ms = 0;
	n->until_ns = until_ns;
}

void names_destroy(struct names *n)
{
	if (!n)
		return;
	helper_deinit(&n->helper);
	jit_names_deinit(&n->jits);
	for (size_t i = 0; i < n->modules.cap; i++) {
		struct names_module *m = (struct names_module *)(uintptr_t)n->modules.slots[i].value;

		if (!n->modules.slots[i].used)
			continue;
		hashmap_deinit(&m->found);
		free(m);
	}
	hashmap_deinit(&n->modules);
	hashmap_deinit(&n->silent);
	vec_free(&n->results);
	kallsyms_deinit(&n->kernel);
	strpool_deinit(&n->strings);
	free(n);
}

/* -- asking --------------------------------------------------------------------------------------- */

/* Every string of an answer ends with a NUL; an empty one stands for none. */
static int read_string(struct reader *r, struct strpool *strings, const char **ret)
{
	const char *s = reader_cstr(r);

	*ret = NULL;
	if (!s || !*s)
		return 0;
	*ret = strpool_add(strings, s, strlen(s));
	return *ret ? 0 : -ENOMEM;
}

static int read_left_out(struct reader *r, struct left_out *to)
{
	const char *what = reader_cstr(r), *of = reader_cstr(r), *why = reader_cstr(r);

	return r->bad ? -EBADMSG : left_out_add(to, what, of, why);
}

/* How many symbols there were, or a negative errno. */
static int read_answer(struct names *n, const struct helper_message *answer, struct symbol *ret)
{
	struct reader r = reader_make(answer->bytes, answer->n);
	const uint32_t n_symbols = reader_u32(&r), n_left_out = reader_u32(&r);
	int err = n_symbols > SYMBOLS_MAX ? -EBADMSG : 0;

	for (uint32_t i = 0; !err && i < n_symbols; i++) {
		ret[i] = (struct symbol){ .line = reader_u32(&r), .inlined = reader_u8(&r) };
		err = read_string(&r, &n->strings, &ret[i].function);
		if (!err)
			err = read_string(&r, &n->strings, &ret[i].file);
	}
	for (uint32_t i = 0; !err && i < n_left_out; i++)
		err = read_left_out(&r, n->left_out);
	if (!err && r.bad)
		err = -EBADMSG;
	return err ? err : (int)n_symbols;
}

/* Sends the question; with a module goes its file. 0 or a negative errno. */
static int send_question(struct names *n, const struct names_question *q, const struct module *m,
			 int timeout_ms)
{
	_cleanup_(strbuf_deinit) struct strbuf b = { 0 };
	_cleanup_close_ int fd = -1;

	strbuf_add(&b, (const char *)q, sizeof(*q));
	if (m) {
		fd = module_open(m);
		if (fd < 0)
			return fd;
		strbuf_add(&b, m->path, strlen(m->path) + 1);
		strbuf_add(&b, m->root, strlen(m->root) + 1);
	}
	if (b.oom)
		return -ENOMEM;
	return helper_send(&n->helper, &(struct helper_message){ b.s, b.n, { fd, -1 } }, timeout_ms);
}

/* CPU time of all helpers so far, the one that runs included. */
static uint64_t helpers_cpu_ns(const struct names *n)
{
	uint64_t current = 0, jits;
	struct rusage u;

	if (n->helper.pid)
		procfs_cpu_ns(n->helper.pid, &current);
	if (n->jits.helper.pid && !procfs_cpu_ns(n->jits.helper.pid, &jits))
		current += jits;
	getrusage(RUSAGE_CHILDREN, &u);
	return current + ((uint64_t)u.ru_utime.tv_sec + (uint64_t)u.ru_stime.tv_sec) * 1000000000 +
	       ((uint64_t)u.ru_utime.tv_usec + (uint64_t)u.ru_stime.tv_usec) * 1000;
}

/* Whether the report has had its time. It gets more when that was not enough because others had the CPU. */
static bool is_over(struct names *n)
{
	const uint64_t until_ns = n->until_ns ? *n->until_ns : 0, now_ns = clock_now();

	if (!until_ns)
		return false;
	if (!n->hurry_ns) {
		n->hurry_ns = now_ns;
		n->hurry_cpu_ns = helpers_cpu_ns(n);
		if (n->helper.pid)
			setpriority(PRIO_PROCESS, (id_t)n->helper.pid, HURRY_NICE);
	}
	if (now_ns < until_ns)
		return false;
	return helpers_cpu_ns(n) - n->hurry_cpu_ns >= HURRY_CPU_NS ||
	       (now_ns >= until_ns + HURRY_MORE_NS && now_ns >= n->hurry_ns + HURRY_LEAST_NS);
}

/* So long may be waited for an answer to what has taken `spent_ms` already, until it is looked again; 0: not
 * at all. */
static int patience_ms(struct names *n, uint64_t spent_ms)
{
	if (spent_ms >= PATIENCE_MS || is_over(n))
		return 0;
	return PATIENCE_MS - spent_ms < LOOK_MS ? (int)(PATIENCE_MS - spent_ms) : LOOK_MS;
}

/* How many symbols were found, or a negative errno. -EINPROGRESS: there is no answer yet. */
static int receive_answer(struct names *n, int timeout_ms, struct symbol *ret)
{
	struct helper_message answer;
	int r = helper_receive(&n->helper, timeout_ms, &answer);

	if (r == -ENOMEM) /* it can do no more */
		helper_stop(&n->helper);
	return r ? r : read_answer(n, &answer, ret);
}

/* As receive_answer(), for as long as there is patience for what has been asked at `asked_ns` and had taken
 * `spent_ms` before. */
static int await_answer(struct names *n, uint64_t asked_ns, uint64_t spent_ms, struct symbol *ret)
{
	int ms, r;

	do {
		ms = patience_ms(n, spent_ms + (clock_now() - asked_ns) / 1000000);
		r = receive_answer(n, ms, ret);
	} while (r == -EINPROGRESS && ms);
	return r;
}

/* Sends the question and waits for the answer; the module's file goes with it when the helper does not
 * know the module yet. How many symbols were found, or a negative errno. */
static int ask(struct names *n, const struct names_question *q, const struct module *m, uint64_t spent_ms,
	       struct symbol *ret)
{
	const uint64_t asked_ns = clock_now();
	int r = -ENOKEY;

	for (int tries = 0; r == -ENOKEY && tries < 2; tries++) {
		r = send_question(n, q, tries ? m : NULL, PATIENCE_MS);
		if (!r)
			r = await_answer(n, asked_ns, spent_ms, ret);
	}
	if (r != -EINPROGRESS)
		return r;
	helper_stop(&n->helper);
	return -ETIMEDOUT;
}

/* -- modules -------------------------------------------------------------------------------------- */

static int module_get(struct names *n, uint32_t id, struct names_module **ret)
{
	const uint64_t *known = hashmap_get(&n->modules, id);
	struct names_module *m;
	int r;

	if (known) {
		*ret = (struct names_module *)(uintptr_t)*known;
		return 0;
	}
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	r = hashmap_put(&n->modules, id, (uintptr_t)m);
	if (r)
		free(m);
	else
		*ret = m;
	return r;
}

static const char *why_not(int r)
{
	switch (r) {
	case -ETIMEDOUT:
		return "reading it took more than 10 seconds";
	case -ENOMEM:
		return "reading it took more than 160 MiB of memory";
	case -ECONNRESET:
		return "reading it took more than 160 MiB of memory, or it was changed meanwhile";
	default:
		return strerror(-r);
	}
}

/* Goes on with less of the module. */
static void module_fail(struct names *n, struct names_module *nm, const struct module *m, int why)
{
	left_out_add(n->left_out, nm->state == MODULE_FULL ? "debug information" : "symbols", m->path,
		     why_not(why));
	nm->state++;
	nm->spent_ms = 0;
}

/* Whether there is time left for a module that nothing was asked of yet. */
static bool may_open(struct names *n, struct names_module *nm, const struct module *m)
{
	nm->opened |= n->report_ms < REPORT_PATIENCE_MS;
	if (!nm->opened)
		left_out_add(n->left_out, "symbols", m->path,
			     "reading those of others took 20 seconds; the next report tries again");
	return nm->opened;
}

static int remember(struct names *n, struct names_module *nm, uint64_t vaddr, const struct symbol *symbols,
		    int count)
{
	int r = vec_reserve(&n->results, (size_t)count);

	if (!r)
		r = hashmap_put(&nm->found, vaddr, (uint64_t)n->results.n << 8 | (uint8_t)count);
	for (int i = 0; !r && i < count; i++)
		n->results.items[n->results.n++] = symbols[i];
	return r ? r : count;
}

/* -- ahead ---------------------------------------------------------------------------------------- */

/* Deals with the outcome of what was asked ahead. Other errors than time are left to the question that is
 * asked when the answer is needed. */
static void ahead_received(struct names *n, const struct symbol *symbols, int r)
{
	const struct module *m = n->ahead.module;
	const uint64_t waited_ns = clock_now() - n->ahead.began_ns;
	struct names_module *nm;

	n->ahead.module = NULL;
	if (r == -EINPROGRESS)
		helper_stop(&n->helper);
	if (module_get(n, m->id, &nm))
		return;
	if (r >= 0)
		remember(n, nm, n->ahead.vaddr, symbols, r);
	else if (r == -EINPROGRESS && waited_ns >= PATIENCE_MS * 1000000ULL)
		module_fail(n, nm, m, -ETIMEDOUT);
}

/* Something else is to be asked. */
static void ahead_finish(struct names *n)
{
	struct symbol symbols[SYMBOLS_MAX];

	if (n->ahead.module)
		ahead_received(n, symbols, await_answer(n, n->ahead.began_ns, 0, symbols));
}

bool names_ahead(struct names *n, const struct module *m, uint64_t vaddr)
{
	const struct names_question q = { .what = NAMES_MODULE, .module = m->id, .address = vaddr };
	struct symbol symbols[SYMBOLS_MAX];
	struct names_module *nm;
	int r;

	if (n->ahead.module) {
		r = receive_answer(n, 0, symbols);
		if (r == -EINPROGRESS && clock_now() - n->ahead.began_ns < PATIENCE_MS * 1000000ULL)
			return false;
		ahead_received(n, symbols, r);
	}
	if (module_get(n, m->id, &nm) || nm->opened)
		return true;
	nm->opened = true;
	if (send_question(n, &q, m, PATIENCE_MS))
		return true;
	n->ahead.module = m;
	n->ahead.vaddr = vaddr;
	n->ahead.began_ns = clock_now();
	return true;
}

/* -- modules' symbols ----------------------------------------------------------------------------- */

/* The report has no time left. */
static int leave_out(struct names *n, const char *what, const char *of)
{
	return left_out_add(n->left_out, what, of, "tracing was to end: they would have taken longer than a second");
}

/* How many symbols, or a negative errno. -ETIMEDOUT: not in the time for this report. */
static int module_ask(struct names *n, struct names_module *nm, const struct module *m, uint64_t vaddr,
		      struct symbol *ret)
{
	struct names_question q = { .what = NAMES_MODULE, .module = m->id, .address = vaddr };
	uint64_t began_ns;
	bool fresh;
	int r = 0;

	ahead_finish(n);
	while (nm->state != MODULE_REFUSED) {
		if (!patience_ms(n, nm->spent_ms))
			return leave_out(n, "symbols", m->path) ? -ENOMEM : -ETIMEDOUT;
		fresh = !n->helper.pid;
		q.plain = nm->state == MODULE_PLAIN;
		began_ns = clock_now();
		r = ask(n, &q, m, nm->spent_ms, ret);
		nm->spent_ms += (clock_now() - began_ns) / 1000000;
		n->report_ms += (clock_now() - began_ns) / 1000000;
		if (r >= 0 && nm->spent_ms < PATIENCE_MS)
			return r;
		if (r == -ETIMEDOUT && nm->spent_ms < PATIENCE_MS)
			continue; /* it was the report's time */
		if (r >= 0)
			r = -ETIMEDOUT;
		/* memory that other modules took is not this one's fault */
		if (r == -ENOMEM && !fresh)
			continue;
		module_fail(n, nm, m, r);
		helper_stop(&n->helper); /* it knows the module as it was */
	}
	return 0;
}

int names_module(struct names *n, const struct module *m, uint64_t vaddr, struct symbol ret[SYMBOLS_MAX])
{
	struct names_module *nm;
	const uint64_t *known;
	int count, r = module_get(n, m->id, &nm);

	if (r)
		return r;
	known = hashmap_get(&nm->found, vaddr);
	if (!known && !may_open(n, nm, m))
		return 0;
	if (!known) {
		count = module_ask(n, nm, m, vaddr, ret);
		if (count == -ETIMEDOUT)
			return 0;
		return count < 0 ? count : remember(n, nm, vaddr, ret, count);
	}
	count = *known & 0xff;
	if (count)
		memcpy(ret, n->results.items + (*known >> 8), (size_t)count * sizeof(*ret));
	return count;
}

/* -- the rest ------------------------------------------------------------------------------------- */

struct jit_names *names_of_jits(struct names *n)
{
	return &n->jits;
}

/* Waits for what is being asked; `ret` NULL: the answer is kept. */
static int await_jit(struct names *n, struct jit_answer *ret)
{
	struct jit_names *j = &n->jits;
	int ms, r;

	do {
		ms = patience_ms(n, (clock_now() - j->asked_ns) / 1000000);
		r = ret ? jit_names_take(j, ms, ret) : jit_names_keep(j, ms);
	} while (r == -EINPROGRESS && ms);
	if (r != -EINPROGRESS)
		return r;
	jit_names_give_up(j);
	return -ETIMEDOUT;
}

static int ask_jit(struct names *n, pid_t pid, uint64_t address, const char **ret)
{
	const struct jit_question q = { .pid = pid, .n = 1, .addresses = { address } };
	struct jit_answer answer;
	int r = patience_ms(n, 0) ? 0 : -ETIMEDOUT;

	if (!r && n->jits.asked)
		r = await_jit(n, NULL);
	if (!r)
		r = jit_names_ask(&n->jits, &q);
	if (!r)
		r = await_jit(n, &answer);
	if (!r)
		*ret = answer.names[0];
	return r;
}

int names_jit(struct names *n, pid_t pid, uint64_t address, struct symbol ret[SYMBOLS_MAX])
{
	const char *name = NULL;
	char path[48];
	int r;

	if (hashmap_get(&n->silent, (uint64_t)pid))
		return 0;
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)pid);
	r = ask_jit(n, pid, address, &name);
	if (!r && name)
		ret[0] = (struct symbol){ .function = name };
	if (!r)
		return name != NULL;
	if (r == -ETIMEDOUT && !patience_ms(n, 0))
		return leave_out(n, "the JIT's symbols", path);
	if (left_out_add(n->left_out, "the JIT's symbols", path, why_not(r)))
		return -ENOMEM;
	return hashmap_put(&n->silent, (uint64_t)pid, 1);
}

int names_kernel(struct names *n, uint64_t address, struct kernel_place *ret)
{
	int r = kallsyms_load(&n->kernel);

	if (!r)
		*ret = kallsyms_at(&n->kernel, address);
	return r;
}
