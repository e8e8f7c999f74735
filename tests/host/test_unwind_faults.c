// SPDX-License-Identifier: GPL-2.0
/*
 * The BPF unwinder, natively, on recorded stacks with faults in them: every walk must end, with the
 * right reason, and be right up to there.
 */
#include "record.h"

#define TRAMPOLINE 0x7fffff000000ULL

/* Where the recording holds the return address that is frame `i` > 0: by the chain of frame
 * pointers, with which we are built. */
static uint64_t *recorded_return(struct recording *r, int i)
{
	uint64_t *rbp = &r->words[(r->regs.rbp - r->regs.sp) / 8];

	while (--i > 0)
		rbp = &r->words[(*rbp - r->regs.sp) / 8];
	return rbp + 1;
}

static struct lt_mapping *own_mapping(void)
{
	uint64_t pc = (uint64_t)own_mapping;

	for (uint32_t i = 0; i < host.process.n_mappings; i++)
		if (pc >= host.process.mappings[i].start && pc < host.process.mappings[i].end)
			return &host.process.mappings[i];
	fail();
	return NULL;
}

static void stops(struct recording *r, enum lt_stop why, int n)
{
	struct lt_walk *w = walk(&r->regs);

	assert_int_equal(w->out.stop, why);
	assert_int_equal(w->out.n, n);
	assert_int_equal(same_frames(w, r->truth, 0, n), n);
}

static void test_replay(void **state)
{
	struct recording *r = record(20);

	same_stack(walk(&r->regs), r->truth, r->depth);
}

static void test_unreadable(void **state)
{
	struct recording *r = record(200);
	size_t n = r->n_words;
	int last = r->depth;

	while (n > 0) { /* memory ends with a page */
		struct lt_walk *w;
		size_t end = (r->regs.sp + n * 8 - 1) & ~LT_PAGE_MASK;

		n = end > r->regs.sp ? (end - r->regs.sp) / 8 : 0;
		r->n_words = n;
		w = walk(&r->regs);
		assert_int_equal(same_frames(w, r->truth, 0, w->out.n), w->out.n);
		assert_true(w->out.stop == LT_STOP_UNREADABLE || w->out.n == r->depth);
		assert_true(w->out.n <= last);
		last = w->out.n;
	}
	assert_int_equal(last, 1);
}

static void test_corrupt_rbp(void **state)
{
	struct recording *r = record(3);

	r->regs.rbp = r->regs.sp - 64;
	stops(r, LT_STOP_BAD_SP, 1);
	r->regs.rbp = 0x1234;
	stops(r, LT_STOP_BAD_SP, 1);
	r->regs.rbp = 0xdeadbeef00000000ULL;
	stops(r, LT_STOP_UNREADABLE, 1);
	r->regs.rbp = ~0ULL - 8; /* the CFA wraps around */
	stops(r, LT_STOP_BAD_SP, 1);
}

/* A read that fails leaves no window behind that another address could hit. */
static void test_window_forgets(void **state)
{
	struct recording *r = record(3);
	u64 word;

	walk(&r->regs);
	r->n_words = 0;
	walk(&r->regs);
	for (uint64_t at = -2048ULL; at != 2048; at++)
		assert_int_not_equal(lt_read_word(&fx.walk, at, &word), 0);
}

static void test_no_mapping(void **state)
{
	struct recording *r = record(3);
	struct lt_mapping *m = own_mapping(), saved = *m;
	uint64_t *word;

	m->end = m->start;
	stops(r, LT_STOP_NO_MAPPING, 1);
	assert_int_equal(fx.walk.unknown, r->regs.pc);
	assert_true(fx.walk.late);
	assert_int_equal(fx.walk.out.frames[0], r->regs.pc | LT_FRAME_UNKNOWN);
	*m = saved;
	word = recorded_return(r, 1);
	*word = r->truth[1] = 8; /* not even an address */
	stops(r, LT_STOP_NO_MAPPING, 2);
	assert_false(fx.walk.late);
	*word = 0; /* how coroutines mark their end */
	stops(r, LT_STOP_NONE, 1);
}

/* Frames of a module without tables are walked by frame pointer, with which we are built. */
static void test_no_table(void **state)
{
	struct recording *r = record(20);
	struct lt_mapping *m = own_mapping(), saved = *m;

	m->page_base = LT_MAX_PAGES;
	same_stack(walk(&r->regs), r->truth, r->depth);
	assert_in_range(fx.walk.out.fp_frames, 22, r->depth);
	*recorded_return(r, 3) = r->regs.sp; /* not code, and never will be */
	stops(r, LT_STOP_NO_TABLE, 3);
	assert_int_equal(fx.walk.unknown, r->regs.sp);
	assert_false(fx.walk.late);
	*recorded_return(r, 3) = m->end + 4096; /* perhaps not yet */
	stops(r, LT_STOP_NO_TABLE, 3);
	assert_true(fx.walk.late);
	*recorded_return(r, 3) = m->end + (1ULL << 40); /* nor far from here */
	stops(r, LT_STOP_NO_TABLE, 3);
	assert_true(fx.walk.late);
	recorded_return(r, 3)[-1] = 0; /* but then there would be a frame */
	stops(r, LT_STOP_NO_TABLE, 3);
	assert_false(fx.walk.late);
	r = record(20);
	m->page_base = LT_MAX_PAGES;
	for (uint64_t off = 8; off < 72; off += 16) {
		r->regs.rbp = r->regs.sp - off;
		stops(r, LT_STOP_NO_TABLE, 1);
	}
	r->regs.rbp = fx.live.regs.rbp + 4;
	stops(r, LT_STOP_NO_TABLE, 1);
	r->regs.rbp = r->regs.sp + (9 << 20);
	stops(r, LT_STOP_NO_TABLE, 1);
	r->regs.rbp = 0; /* the ABI's mark of the outermost frame */
	stops(r, LT_STOP_NONE, 1);
	*m = saved;
}

static void test_jit(void **state)
{
	struct recording *r = record(20);
	struct lt_mapping *m = own_mapping(), saved = *m;

	m->module = 0;
	stops(r, LT_STOP_NO_TABLE, r->depth); /* even _start is JIT code now */
	assert_int_equal(fx.walk.out.frames[1], r->truth[1]); /* as it is */
	assert_int_equal(LT_FRAME_MODULE(fx.walk.out.frames[1]), 0);
	r->regs.rbp = 0;
	stops(r, LT_STOP_NO_TABLE, 1);
	*m = saved;
}

static void test_unsupported(void **state)
{
	/* r10 is what a call may change, and known only under a signal */
	static const uint8_t cfas[] = { LT_CFA_UNSUPPORTED, LT_CFA_R10 };
	struct recording *r = record(3);
	struct lt_rule *rule, saved;

	walk(&r->regs);
	fx.walk.map_end = 0;
	assert_int_equal(lt_find_mapping(&fx.walk, r->truth[1] - 1), 0);
	rule = lt_rule_at(lt_find_rule_id(&fx.walk, r->truth[1] - 1));
	assert_non_null(rule);
	saved = *rule;
	for (size_t i = 0; i < ARRAY_SIZE(cfas); i++) {
		rule->cfa = cfas[i];
		assert_int_equal(walk(&r->regs)->out.stop, LT_STOP_UNSUPPORTED);
		assert_in_range(fx.walk.out.n, 1, 2);
	}
	*rule = saved;
}

/* A walk in a copy of the stack sees what there is of it, and nothing else. */
static void test_copy(void **state)
{
	static char copy[LT_COPY_PAGES * LT_COPY_PAGE];
	struct recording *r = record(40);
	size_t off = 64, size = r->n_words * 8; /* the first frame is all in the first page */

	if (size > sizeof(copy) - off)
		size = sizeof(copy) - off;
	memcpy(copy + off, r->words, size);
	r->n_words = 0; /* the stack itself is gone */
	host.read = host_read_self;
	fx.walk.copy = (uint64_t)copy;
	fx.walk.copy_base = r->regs.sp - off;
	fx.walk.copy_size = sizeof(copy);
	fx.walk.copy_present = ~0U;
	same_stack(walk(&r->regs), r->truth, r->depth);
	fx.walk.copy_present = ~0U << 1;
	stops(r, LT_STOP_UNREADABLE, 1);
	fx.walk.copy_present = ~0U;
	for (uint64_t rbp = r->regs.sp - 16; rbp; rbp = rbp > 1 << 20 ? 0 : 1 << 20) {
		r->regs.rbp = rbp + sizeof(copy); /* behind it */
		assert_int_not_equal(walk(&r->regs)->out.stop, LT_STOP_NONE);
	}
	fx.walk.copy_size = (uint32_t)off;
	r->regs.rbp = fx.live.regs.rbp;
	stops(r, LT_STOP_UNREADABLE, 1);
}

/* An rt_sigframe that leads to itself: the walk is no longer than another one, though it goes in a cycle. */
static void test_signal_loop(void **state)
{
	struct recording *r = record(3);

	in_signal(record_here, NULL);
	r->regs.pc = r->truth[0] = fx.restorer;
	memset(r->words, 0, sizeof(r->words));
	r->words[(LT_SIGFRAME_RBP + 40) / 8] = r->regs.sp;
	r->words[(LT_SIGFRAME_RBP + 48) / 8] = fx.restorer;
	assert_int_equal(walk(&r->regs)->out.stop, LT_STOP_TOO_DEEP);
	assert_in_range(fx.walk.out.n + fx.walk.left_out, LT_FOLD_FROM, LT_MAX_FRAMES);
	r->n_words = (LT_SIGFRAME_RBP + 48) / 8;
	stops(r, LT_STOP_UNREADABLE, 1);
}

/* -- return probes of others ------------------------------------------------------------------------- */

/* Hides the return addresses of `n` frames, from frame `first` outwards, as return probes do. */
static void hide_returns(struct recording *r, int first, int n, struct return_instance *ri,
			 uint64_t trampoline)
{
	static struct xol_area area;
	static struct mm_struct mm;
	static struct uprobe_task utask;
	uint64_t *word;

	area.vaddr = trampoline;
	mm.uprobes_state.xol_area = &area;
	for (int i = 0; i < n; i++) {
		word = recorded_return(r, first + i);
		assert_int_equal(*word, r->truth[first + i]);
		ri[i].orig_ret_vaddr = *word;
		ri[i].stack = r->regs.sp + (uint64_t)(word - r->words) * 8;
		ri[i].next = i + 1 < n ? &ri[i + 1] : NULL;
		*word = trampoline;
	}
	utask.return_instances = ri;
	host.task.mm = &mm;
	host.task.utask = &utask;
}

static void test_hidden_returns(void **state)
{
	struct return_instance ri[LT_MAX_PENDING_RETURNS];
	struct recording *r = record(LT_MAX_PENDING_RETURNS);

	hide_returns(r, 1, LT_MAX_PENDING_RETURNS, ri, TRAMPOLINE);
	same_stack(walk(&r->regs), r->truth, r->depth);
	r = record(20);
	hide_returns(r, 4, 3, ri, TRAMPOLINE);
	same_stack(walk(&r->regs), r->truth, r->depth);
	ri[1].stack += 8; /* of a call that is not this one */
	r->truth[5] = TRAMPOLINE;
	stops(r, LT_STOP_NO_MAPPING, 6);
	r->truth[4] = TRAMPOLINE;
	host.task.utask = NULL;
	stops(r, LT_STOP_NO_MAPPING, 5);
	host.task.mm = NULL;
	stops(r, LT_STOP_NO_MAPPING, 5);
}

/* The trampoline lies in an executable mapping, [uprobes], and may have a neighbour. */
static void test_hidden_in_mapping(void **state)
{
	struct return_instance ri[3];
	struct recording *r = record(20);
	uint32_t n = host.process.n_mappings++;

	host.process.mappings[n] = (struct lt_mapping){ TRAMPOLINE - 4096, TRAMPOLINE + 4096, 0, 0, 0 };
	hide_returns(r, 4, 3, ri, TRAMPOLINE);
	same_stack(walk(&r->regs), r->truth, r->depth);
	host.process.n_mappings = n;
}

/* ... also where only the frame pointer leads on. */
static void test_hidden_without_table(void **state)
{
	struct return_instance ri[3];
	struct recording *r = record(20);
	struct lt_mapping *m = own_mapping(), saved = *m;

	m->page_base = LT_MAX_PAGES;
	hide_returns(r, 4, 3, ri, TRAMPOLINE);
	same_stack(walk(&r->regs), r->truth, r->depth);
	*m = saved;
}

/* Every hidden return costs a step: they must not use up those of a deep stack. */
static void test_hidden_and_deep(void **state)
{
	struct return_instance ri[LT_MAX_PENDING_RETURNS];
	struct recording *r = record(LT_MAX_FRAMES + 10);

	hide_returns(r, 3, LT_MAX_PENDING_RETURNS, ri, TRAMPOLINE);
	stops(r, LT_STOP_TOO_DEEP, LT_MAX_FRAMES);
}

/* -- whatever there is on the stack --------------------------------------------------------------------- */

static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void test_corrupt_stacks(void **state)
{
	struct recording *r = record(20);
	uint64_t random = 88172645463325252ULL;

	for (int i = 0; i < 20000; i++) {
		uint64_t k = random_next(&random), v = random_next(&random);
		uint64_t *word = &r->words[k % 200];

		if (i % 50 == 0)
			*r = fx.live;
		if (k >> 60 == 0)
			r->regs.rbp = r->regs.sp + v % 4096;
		*word = v % 3 == 0 ? v : v % 3 == 1 ? r->regs.sp + v % 2048 : *word + v % 64;
		walk(&r->regs);
	}
}

static void test_all_reasons_reached(void **state)
{
	for (int i = 0; i < LT_STOP_MAX; i++)
		assert_true(fx.reached[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_replay),
		TEST(test_unreadable),
		TEST(test_corrupt_rbp),
		TEST(test_window_forgets),
		TEST(test_no_mapping),
		TEST(test_no_table),
		TEST(test_jit),
		TEST(test_unsupported),
		TEST(test_copy),
		TEST(test_signal_loop),
		TEST(test_hidden_returns),
		TEST(test_hidden_in_mapping),
		TEST(test_hidden_without_table),
		TEST(test_hidden_and_deep),
		TEST(test_corrupt_stacks),
		TEST(test_all_reasons_reached),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
