// SPDX-License-Identifier: GPL-2.0
/*
 * The BPF unwinder, natively: it walks the stacks of this very process, which must be what libgcc's
 * unwinder says.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <ucontext.h>
#include "record.h"

/* -- places to be called from -------------------------------------------------------------------- */

static int place_compare(const void *a, const void *b, void *arg)
{
	struct place *p = arg;

	if (p->depth-- == 0)
		p->leaf(p->arg);
	return 0;
}

static void in_qsort(leaf_fn *leaf, void *arg)
{
	struct place p = { .leaf = leaf, .arg = arg };
	int items[9] = { 0 };

	qsort_r(items, 9, sizeof(items[0]), place_compare, &p);
}

static void in_recursion(leaf_fn *leaf, void *arg)
{
	at_depth(30, leaf, arg);
}

/*
 * A function that realigns its stack, as gcc does it, and is interrupted while only r10 knows where
 * the frame is.
 */
__asm__(".pushsection .text\n"
	".type prologue, @function\n"
	"prologue:\n"
	".cfi_startproc\n"
	"lea 8(%rsp), %r10\n"
	".cfi_def_cfa r10, 0\n"
	"and $-64, %rsp\n"
	"push -8(%r10)\n"
	"int3\n"
	"lea -8(%r10), %rsp\n"
	".cfi_def_cfa rsp, 8\n"
	"ret\n"
	".cfi_endproc\n"
	".size prologue, . - prologue\n"
	".popsection");
void prologue(void);

static void in_prologue(leaf_fn *leaf, void *arg)
{
	struct sigaction action = { .sa_handler = on_signal }, before;

	signal_place = (struct place){ .leaf = leaf, .arg = arg, .depth = 3 };
	sigaction(SIGTRAP, &action, &before);
	prologue();
	sigaction(SIGTRAP, &before, NULL);
}

static void on_alternate_stack(leaf_fn *leaf, void *arg)
{
	static char stack[256 << 10];
	stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) }, before;
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_ONSTACK };

	signal_place = (struct place){ .leaf = leaf, .arg = arg, .depth = 3 };
	sigaltstack(&alternate, &before);
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	sigaltstack(&before, NULL);
}

static void *place_thread(void *arg)
{
	place_recurse(arg);
	return NULL;
}

static void in_thread(leaf_fn *leaf, void *arg)
{
	struct place p = { .leaf = leaf, .arg = arg, .depth = 5 };
	pthread_t t;

	assert_int_equal(pthread_create(&t, NULL, place_thread, &p), 0);
	pthread_join(t, NULL);
}

static ucontext_t context_back;

static void context_main(int high, int low)
{
	place_recurse((struct place *)((uint64_t)(uint32_t)high << 32 | (uint32_t)low));
	NOT_INLINED;
}

static void in_context(leaf_fn *leaf, void *arg)
{
	static char stack[256 << 10];
	struct place p = { .leaf = leaf, .arg = arg, .depth = 4 };
	ucontext_t context;

	getcontext(&context);
	context.uc_stack.ss_sp = stack;
	context.uc_stack.ss_size = sizeof(stack);
	context.uc_link = &context_back;
	makecontext(&context, (void (*)(void))context_main, 2, (int)((uint64_t)&p >> 32),
		    (int)(uint64_t)&p);
	swapcontext(&context_back, &context);
}

/* -- live stacks --------------------------------------------------------------------------------- */

static NOINLINE void check_here(void *arg)
{
	uint64_t truth[DEPTH_MAX];
	struct regs r;
	int depth = truth_get(truth);

	regs_get(&r);
	truth[0] = r.pc;
	same_stack(walk(&r), truth, depth);
	++*(int *)arg;
}

static void test_live_stacks(void **state)
{
	static void (*const places[])(leaf_fn *leaf, void *arg) = {
		in_recursion, in_qsort, in_signal, in_prologue, on_alternate_stack, in_thread, in_context,
	};
	int checked = 0;

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		places[i](check_here, &checked);
		assert_int_equal(checked, i + 1);
	}
}

/* -- stacks known by heart ------------------------------------------------------------------------- */

static int recall(const struct regs *r)
{
	lt_walk_begin(&fx.walk, (uint32_t)getpid(), r->pc, r->sp, r->rbp, 1, 0);
	return lt_memo_recall(&fx.walk);
}

/* The word of the stack that the walk has read last. */
static uint64_t *highest_word(const struct regs *r)
{
	const struct lt_memo *m = &fx.walk.memos[fx.walk.memo & (LT_MEMOS - 1)];

	return (uint64_t *)((r->sp & ~7ULL) + 8ULL * m->last);
}

/* What has just been walked is recalled as long as all is as it was. */
static void check_recall(const struct regs *r, bool expected)
{
	struct regs other = { r->pc, r->sp + 16, r->rbp };
	struct lt_walk *w = walk_again(r); /* from now on it is known how wide the stack is */
	uint64_t hash = w->hash, *word;
	unsigned int n = w->out.n;

	recall(r);
	lt_walk_on(w, r->sp);
	lt_memo_keep(w, r->pc, r->sp, r->rbp);
	assert_int_equal(recall(r), expected);
	if (!expected)
		return;
	assert_int_equal(w->hash, hash);
	assert_int_equal(w->out.n, n);
	assert_false(recall(&other));
	assert_true(recall(r));
	word = highest_word(r);
	*word ^= 8;
	assert_false(recall(r));
	*word ^= 8;
	assert_true(recall(r));
	walk_again(r);
	assert_int_equal(w->hash, hash);
	w->generation = 0;
	assert_false(recall(r));
}

static NOINLINE void check_recalled(void *arg)
{
	struct regs r;

	regs_get(&r);
	check_recall(&r, *(bool *)arg);
	NOT_INLINED;
}

/* Where the stack is wider than the window it is not, nor where it depends on more than its words: on what
 * a signal has saved. */
static void test_known_by_heart(void **state)
{
	static const struct {
		void (*place)(leaf_fn *leaf, void *arg);
		bool expected;
	} places[] = {
		{ in_thread, true },	{ in_context, true },	       { in_recursion, false },
		{ in_signal, false },	{ on_alternate_stack, false }, { in_prologue, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		bool expected = places[i].expected;

		places[i].place(check_recalled, &expected);
	}
}

/* -- too deep -------------------------------------------------------------------------------------- */

static void test_too_deep(void **state)
{
	struct recording *r = record(0);
	int base = r->depth;

	r = record(LT_MAX_FRAMES - base);
	assert_int_equal(r->depth, LT_MAX_FRAMES);
	same_stack(walk(&r->regs), r->truth, LT_MAX_FRAMES);
}

static NOINLINE void check_deep(void *arg)
{
	uint64_t truth[DEPTH_MAX];
	struct regs r;

	truth_get(truth);
	regs_get(&r);
	truth[0] = r.pc;
	walk(&r);
	assert_int_equal(fx.walk.out.stop, LT_STOP_TOO_DEEP);
	assert_int_equal(fx.walk.out.n, LT_MAX_FRAMES);
	assert_int_equal(same_frames(&fx.walk, truth, 0, LT_MAX_FRAMES), LT_MAX_FRAMES);
	++*(int *)arg;
}

static void test_one_too_deep(void **state)
{
	struct recording *r = record(0);
	int checked = 0, base = r->depth - 1; /* record() is one of them */

	host.read = host_read_self;
	for (int depth = LT_MAX_FRAMES + 1; depth < LT_MAX_FRAMES + 100; depth += 49)
		at_depth(depth - base, check_deep, &checked);
	assert_int_equal(checked, 3);
}

/* -- recursion ------------------------------------------------------------------------------------- */

struct turns {
	int calls, cycle;
	leaf_fn *leaf;
	void *arg;
};

static void turn(struct turns *t);

/* Functions that call each other in turn, as many as there may be and one more. */
#define TURN(i)                                                                                    \
	static NOINLINE void turn_##i(struct turns *t)                                             \
	{                                                                                          \
		turn(t);                                                                           \
		NOT_INLINED;                                                                       \
	}
TURN(0) TURN(1) TURN(2) TURN(3) TURN(4) TURN(5) TURN(6)

static inline __attribute__((always_inline)) void turn(struct turns *t)
{
	static void (*const functions[])(struct turns *) = { turn_0, turn_1, turn_2, turn_3,
							     turn_4, turn_5, turn_6 };

	if (t->calls-- > 0)
		functions[t->calls % t->cycle](t);
	else
		t->leaf(t->arg);
}

static NOINLINE void in_turn(int calls, int cycle, leaf_fn *leaf, void *arg)
{
	struct turns t = { calls, cycle, leaf, arg };

	turn_6(&t);
	NOT_INLINED;
}

/* Puts the frames that the walk has left out in their places. */
static int unfold(const struct lt_walk *w, uint64_t *ret)
{
	uint64_t backwards[DEPTH_MAX];
	int n = 0;

	for (int i = w->out.n - 1; i >= 0; i--) {
		const uint64_t frame = w->out.frames[i];

		if (!LT_IS_LEFT_OUT(frame)) {
			assert_in_range(n, 0, DEPTH_MAX - 1);
			backwards[n++] = frame;
			continue;
		}
		for (uint32_t k = 0; k < LT_LEFT_OUT_FRAMES(frame); k++, n++) {
			assert_in_range(n, LT_LEFT_OUT_PERIOD(frame), DEPTH_MAX - 1);
			backwards[n] = backwards[n - (int)LT_LEFT_OUT_PERIOD(frame)];
		}
	}
	for (int i = 0; i < n; i++)
		ret[i] = backwards[n - 1 - i];
	return n;
}

struct deep_check {
	int checked, folded;
};

/* All frames are known, and the stack's id is of them all. */
static NOINLINE void check_unfolded(void *arg)
{
	static uint64_t truth[DEPTH_MAX], all[DEPTH_MAX];
	struct deep_check *c = arg;
	struct lt_walk *w = &fx.walk;
	struct regs r;
	uint64_t hash = 0;
	int depth = truth_get(truth), n;

	regs_get(&r);
	truth[0] = r.pc;
	walk(&r);
	assert_int_equal(w->out.stop, LT_STOP_NONE);
	n = unfold(w, all);
	assert_int_equal(n, depth);
	for (int i = 0; i < n; i++) {
		assert_int_equal(host_address(all[i]), truth[i]);
		hash = lt_hash_frame(hash, all[i]);
	}
	assert_int_equal(w->hash, hash);
	c->folded += w->out.n < depth;
	c->checked++;
}

static void test_recursion(void **state)
{
	struct deep_check c = { 0 };
	int expected = 0;

	for (int cycle = 1; cycle <= LT_CYCLE_MAX; cycle++)
		for (int calls = 100; calls < DEPTH_MAX - 50; calls += calls < 460 ? 1 : 37, expected++)
			in_turn(calls, cycle, check_unfolded, &c);
	assert_int_equal(c.checked, expected);
	assert_in_range(c.folded, expected - 6 * 40, expected - 6);
}

struct around {
	int above, calls;
	leaf_fn *leaf;
	void *arg;
};

static NOINLINE void in_turn_again(void *arg)
{
	const struct around *a = arg;

	in_turn(a->calls, 2, a->leaf, a->arg);
	NOT_INLINED;
}

/* In one another, with other frames before, between and behind. */
static NOINLINE void recursion_in_recursion(void *arg)
{
	const struct around *a = arg;

	at_depth(a->above, in_turn_again, arg);
	NOT_INLINED;
}

static void test_recursion_in_recursion(void **state)
{
	struct deep_check c = { 0 };

	for (int above = 0; above < 30; above++) {
		struct around a = { above, 300 + above, check_unfolded, &c };

		in_turn(200 + 7 * above, 3, recursion_in_recursion, &a);
	}
	assert_int_equal(c.checked, 30);
	assert_int_equal(c.folded, 30);
}

/* A cycle of more functions is none. */
static void test_long_cycle(void **state)
{
	int checked = 0;

	in_turn(LT_MAX_FRAMES + 7, LT_CYCLE_MAX + 1, check_deep, &checked);
	assert_int_equal(checked, 1);
}

/* -- tables ------------------------------------------------------------------------------------------ */

/* Code without any unwind information, behind all other code of this program. */
__asm__(".pushsection tail_text, \"ax\", @progbits\n"
	"lt_tail: .fill 1 << 18, 1, 0x90\n"
	".popsection");
extern const char lt_tail[];

/* The pages of the tables lie back to back: beyond a module's last row is not its neighbour's first. */
static void test_code_beyond_rows(void **state)
{
	struct lt_rule *rule;

	walk(&record(1)->regs);
	for (uint64_t pc = (uint64_t)lt_tail; pc < (uint64_t)lt_tail + (1 << 18); pc += 4096) {
		fx.walk.map_start = fx.walk.map_end = 0;
		assert_int_equal(lt_find_mapping(&fx.walk, pc), 0);
		rule = lt_rule_at(lt_find_rule_id(&fx.walk, pc));
		assert_true(!rule || rule->cfa == LT_CFA_NONE);
	}
}

static void test_tables_of_all_sizes(void **state)
{
	static const uint32_t sizes[] = { 2, 3, LT_FEW_MAPPINGS - 1, LT_FEW_MAPPINGS, LT_FEW_MAPPINGS + 1, 1021,
					  LT_MAX_MAPPINGS - 1, LT_MAX_MAPPINGS };
	const struct lt_process before = host.process;
	struct lt_process *p = &host.process;

	for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
		p->n_mappings = sizes[s];
		for (uint32_t i = 1; i < sizes[s]; i++)
			p->mappings[i] = (struct lt_mapping){ .start = i << 20, .end = (i << 20) + 8192, .module = i };
		for (uint32_t i = 1; i < sizes[s]; i++) {
			assert_int_equal(lt_find_in_table(&fx.walk, p->mappings[i].start, true), 0);
			assert_int_equal(fx.walk.module, i);
			assert_int_equal(lt_find_in_table(&fx.walk, p->mappings[i].end - 1, true), 0);
			assert_int_equal(fx.walk.module, i);
			assert_int_not_equal(lt_find_in_table(&fx.walk, p->mappings[i].end, true), 0);
		}
		assert_int_not_equal(lt_find_in_table(&fx.walk, (uint64_t)sizes[s] << 20, true), 0);
	}
	*p = before;
}

static void test_mapping_borders(void **state)
{
	struct lt_process *p = &host.process;

	walk(&record(1)->regs);
	assert_in_range(p->n_mappings, 4, LT_MAX_MAPPINGS);
	for (uint32_t i = 1; i < p->n_mappings; i++) {
		assert_int_equal(lt_find_mapping(&fx.walk, p->mappings[i].start), 0);
		assert_int_equal(fx.walk.map_start, p->mappings[i].start);
		assert_int_equal(lt_find_mapping(&fx.walk, p->mappings[i].end - 1), 0);
		assert_int_equal(fx.walk.map_end, p->mappings[i].end);
		if (p->mappings[i].start != p->mappings[i - 1].end)
			assert_int_not_equal(lt_find_mapping(&fx.walk, p->mappings[i].start - 1), 0);
	}
	assert_int_not_equal(lt_find_mapping(&fx.walk, 0), 0);
	assert_int_not_equal(lt_find_mapping(&fx.walk, ~0ULL), 0);
}

/* One step by `rule`, from `sp` with `rbp`. */
static int step(struct lt_rule rule, const u64 *sp, const u64 *rbp)
{
	struct lt_walk *w = &fx.walk;

	w->sp = (u64)sp;
	w->rbp = (u64)rbp;
	w->rbp_slot = w->window_size = 0;
	return lt_step_rule(w, &rule);
}

/* Callers lie higher, unless they are on another stack or have popped where they go on. */
static void test_lower_callers(void **state)
{
	u64 stack[8] = { (u64)&stack[6], 0x1234, 0, 0x5678 };
	struct lt_rule rule = { LT_CFA_SWITCH, LT_RBP_CFA, -16, 16 };

	walk(&record(1)->regs);
	host.read = host_read_self;
	assert_int_equal(step(rule, &stack[4], &stack[0]), 0);
	assert_int_equal(fx.walk.pc, 0x1234);
	assert_int_equal(fx.walk.sp, (u64)&stack[2]);
	assert_int_equal(fx.walk.rbp_slot, (u64)&stack[0]);
	rule.cfa = LT_CFA_RBP;
	assert_int_equal(step(rule, &stack[4], &stack[0]), 1);
	assert_int_equal(fx.walk.out.stop, LT_STOP_BAD_SP);
	rule = (struct lt_rule){ .cfa = LT_CFA_RSP };
	assert_int_equal(step(rule, &stack[4], NULL), 0);
	assert_int_equal(fx.walk.pc, 0x5678);
	rule.cfa_offset = -8;
	assert_int_equal(step(rule, &stack[4], NULL), 1);
	assert_int_equal(fx.walk.out.stop, LT_STOP_BAD_SP);
}

/* Maps this program's code once more, of a file that is the same; closes it. */
static void *map_code_of(int fd)
{
	struct map_vec maps = { 0 };
	void *p = MAP_FAILED;

	assert_int_equal(maps_read(getpid(), &maps), 0);
	vec_foreach(m, &maps)
		if (m->exec && m->start <= (uint64_t)map_code_of && m->end > (uint64_t)map_code_of)
			p = mmap(NULL, m->end - m->start, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd,
				 (off_t)m->offset);
	assert_ptr_not_equal(p, MAP_FAILED);
	maps_deinit(&maps);
	close(fd);
	return p;
}

/* Code of a module that is mapped once more is the module's as well, which stays where it was. */
static void test_second_mapping(void **state)
{
	uint64_t bias, again, pc = (uint64_t)map_code_of, second;
	struct lt_walk *w = walk(&record(1)->regs);
	uint32_t module = LT_FRAME_MODULE(w->out.frames[0]);

	assert_true(unwind_tables_bias(&host.tables, getpid(), module, &bias));
	second = (uint64_t)map_code_of(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
	assert_int_equal(unwind_tables_update(&host.tables, getpid(), NULL), 0);
	assert_true(unwind_tables_bias(&host.tables, getpid(), module, &again));
	assert_int_equal(again, bias);
	assert_int_equal(lt_find_mapping(w, pc), 0);
	second += pc - w->map_start;
	assert_int_equal(lt_find_mapping(w, second), 0);
	assert_int_equal(w->module, module);
	assert_int_equal(second - w->bias, pc - bias);
}

/* What a walk remembers of the tables is used, and not for longer than the mappings stay. */
static void test_steps_remembered(void **state)
{
	struct recording *r = record(40);

	same_stack(walk(&r->regs), r->truth, r->depth);
	for (int i = 0; i < LT_STEPS; i++)
		fx.walk.steps[i].frame ^= 1;
	assert_int_equal(unwind_tables_update(&host.tables, getpid(), NULL), 0);
	assert_in_range(same_frames(walk_again(&r->regs), r->truth, 0, r->depth), 0, r->depth - 1);
	unwind_tables_changed(&host.tables, getpid());
	assert_int_equal(unwind_tables_update(&host.tables, getpid(), NULL), 0);
	same_stack(walk_again(&r->regs), r->truth, r->depth);
}

/* A table of another generation says nothing of now: its modules may have gone, and others come. */
static void test_other_generation(void **state)
{
	struct recording *r = record(7);

	same_stack(walk(&r->regs), r->truth, r->depth);
	unwind_tables_changed(&host.tables, getpid());
	assert_true(unwind_tables_stale(&host.tables, getpid()));
	assert_int_equal(walk_again(&r->regs)->out.stop, LT_STOP_NO_MAPPING);
	assert_int_equal(fx.walk.out.n, 1);
	assert_int_equal(fx.walk.out.frames[0], r->regs.pc | LT_FRAME_UNKNOWN);
	assert_int_equal(unwind_tables_update(&host.tables, getpid(), NULL), 0);
	assert_false(unwind_tables_stale(&host.tables, getpid()));
	same_stack(walk_again(&r->regs), r->truth, r->depth);
}

static void change_once(void *ctx, const char *path)
{
	bool *changed = ctx;

	if (!*changed)
		unwind_tables_changed(&host.tables, getpid());
	*changed = true;
}

/* What is read while mappings change is of no generation that has gone: stacks of that one are still to be walked. */
static void test_changes_while_read(void **state)
{
	struct recording *r = record(7);
	bool changed = false;
	const struct table_progress progress = { change_once, &changed };
	const uint32_t before = host.process.generation;
	char path[] = "/tmp/leaktrace-test.XXXXXX";
	int own = open("/proc/self/exe", O_RDONLY), copy = mkstemp(path);
	struct stat st;

	assert_true(own >= 0 && copy >= 0 && !fstat(own, &st));
	assert_int_equal(sendfile(copy, own, NULL, (size_t)st.st_size), st.st_size); /* a module that is new */
	close(own);
	map_code_of(copy);
	assert_int_equal(unwind_tables_update(&host.tables, getpid(), &progress), 0);
	unlink(path);
	assert_true(changed);
	assert_int_not_equal(host.process.generation, before);
	assert_false(unwind_tables_stale(&host.tables, getpid()));
	same_stack(walk_again(&r->regs), r->truth, r->depth);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_live_stacks),	 TEST(test_too_deep),	    TEST(test_one_too_deep),
		TEST(test_recursion),	 TEST(test_recursion_in_recursion), TEST(test_long_cycle),
		TEST(test_tables_of_all_sizes), TEST(test_mapping_borders), TEST(test_code_beyond_rows),
		TEST(test_lower_callers),	 TEST(test_known_by_heart),
		TEST(test_steps_remembered), TEST(test_other_generation),
		TEST(test_second_mapping),	 TEST(test_changes_while_read),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
