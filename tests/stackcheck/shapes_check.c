// SPDX-License-Identifier: Apache-2.0
/*
 * usage: shapes_check PROGRAM RETURN_PROBE_OBJECT KIND COUNT NAME... LATE
 *
 * Traces PROGRAM (tests/workloads/shapes) while it takes COUNT paths a round through functions of
 * every shape, and compares the stack of each block with what backtrace(3) said in its place. The
 * modules NAME lie beside PROGRAM; LATE is loaded while it is being traced. KIND is how probes are
 * attached (user/probe/attach.h).
 *
 * Every path is one allocation of a size of its own, which is held: so the size leads to the block,
 * and that to its stack. Prints a line for each round, "same ..." or "DIFFERENT ..."; exit status 1
 * unless all stacks are the same, 77 when this kernel does not have KIND.
 */
#include <bpf/bpf.h>
#include <inttypes.h>
#include <libgen.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include "trace/tracer.h"

#define FIRST_AMOUNT  20011 /* bytes: nothing else allocates as much */
#define SAME_FUNCTION 1024  /* bytes between two calls in the leaf */
#define UNTOLD_SHARE  100  /* at most one in so many */
#define SHOWN_MAX     5
#define LATE_COUNT    60 /* copies of so many stacks fit in the ring */
#define LATE_INCOMPLETE_SHARE 5

/* What there is to know of one block of a round. */
struct truth {
	uint64_t *frames;
	int n;
	uint64_t stack; /* leaktrace's; 0: it does not know of the block */
};

struct check {
	char *program;
	const char *dir; /* its own, and that of its modules */
	const char *kind;
	long count;	 /* of paths in a round */
	long may_be_incomplete;
	pid_t pid;
	FILE *to, *from;
	struct tracer *tracer;
	struct truth *truths; /* frames are those of the last round that told them */
	uint64_t restorer, outermost;
	uint64_t first; /* amount of this round's first block */
	int shown;
};

struct verdict {
	long equal, different, incomplete, missing, untold;
};

static struct check *current; /* for __wrap_books_snapshot_holding() */

/* -- the program ----------------------------------------------------------------------------------- */

static void die(const char *what)
{
	fprintf(stderr, "shapes_check: %s\n", what);
	exit(2);
}

static void program_start(struct check *c, const char *path)
{
	int in[2], out[2];

	if (pipe(in) || pipe(out))
		die("no pipe");
	c->pid = fork();
	if (c->pid < 0)
		die("no child");
	if (!c->pid) {
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		close(in[1]);
		close(out[0]);
		execl(path, path, NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	c->to = fdopen(in[1], "w");
	c->from = fdopen(out[0], "r");
	if (!c->to || !c->from)
		die("out of memory");
}

static struct truth *truth_of(struct check *c, uint64_t amount)
{
	return amount - c->first < (uint64_t)c->count ? &c->truths[amount - c->first] : NULL;
}

static void truth_read(struct check *c, char *line)
{
	uint64_t amount = strtoull(line, &line, 10), frames[512];
	struct truth *t;
	int n = 0;

	t = truth_of(c, amount);
	if (!t)
		die("the program tells of a block that is none of this round");
	while (*line == ' ' && n < 512)
		frames[n++] = strtoull(line, &line, 16);
	free(t->frames);
	t->frames = calloc((size_t)n + 1, sizeof(*frames));
	if (!t->frames)
		die("out of memory");
	memcpy(t->frames, frames, (size_t)n * sizeof(*frames));
	t->n = n;
}

/* Reads the program's answer up to its "done". */
static void program_answer(struct check *c)
{
	char line[16384];

	while (fgets(line, sizeof(line), c->from)) {
		if (!strcmp(line, "done\n"))
			return;
		if (!strncmp(line, "stack ", 6))
			truth_read(c, line + 6);
		else if (sscanf(line, "restorer %" SCNx64, &c->restorer) != 1 &&
			 sscanf(line, "outermost %" SCNx64, &c->outermost) != 1)
			die("the program says something else");
	}
	die("the program has ended");
}

static void program_load(struct check *c, const char *name)
{
	fprintf(c->to, "load %s/%s.so %s\n", c->dir, name, name);
	fflush(c->to);
	program_answer(c);
}

/* -- comparing --------------------------------------------------------------------------------------- */

/* Where frame `i` was in the process; what a signal has interrupted is recorded one byte on. */
static uint64_t frame_address(const struct check *c, const struct stack *s, int i)
{
	uint64_t address = LT_FRAME_OFFSET(s->frames[i]), bias = 0;

	if (LT_FRAME_MODULE(s->frames[i])) {
		unwind_tables_bias(&c->tracer->tables, c->pid, LT_FRAME_MODULE(s->frames[i]), &bias);
		address += bias;
	}
	if (i > 0 && c->restorer && frame_address(c, s, i - 1) == c->restorer)
		address--;
	return address;
}

static void show(struct check *c, uint64_t amount, const struct stack *s, const struct truth *t, int i)
{
	const struct module *m;

	if (c->shown++ >= SHOWN_MAX)
		return;
	printf("  block of %" PRIu64 ": %d frames of %d, stop %d, from frame %d on:\n", amount, s->n, t->n,
	       s->stop, i);
	for (int k = i > 1 ? i - 1 : 0; k < i + 3; k++) {
		m = k < s->n ? module_table_get(&c->tracer->modules, LT_FRAME_MODULE(s->frames[k])) : NULL;
		printf("    %#" PRIx64 " %s+%#llx, truth %#" PRIx64 "\n",
		       k < s->n ? frame_address(c, s, k) : 0, m ? m->path : "-",
		       k < s->n ? LT_FRAME_OFFSET(s->frames[k]) : 0, k < t->n ? t->frames[k] : 0);
	}
}

static void compare(struct check *c, uint64_t amount, const struct stack *s, const struct truth *t,
		    struct verdict *v)
{
	int i;

	for (i = 0; i < s->n && i < t->n; i++) {
		uint64_t off = t->frames[i] - frame_address(c, s, i);

		/* the leaf calls backtrace() and then malloc() */
		if (i ? off != 0 : off + SAME_FUNCTION >= 2 * SAME_FUNCTION)
			break;
	}
	if (i == s->n && s->stop)
		v->incomplete++;
	else if (i < s->n || i < t->n)
		v->different++;
	else
		v->equal++;
	if ((i < s->n || i < t->n || s->stop) && !c->may_be_incomplete)
		show(c, amount, s, t, i);
}

static bool verdict_print(const struct check *c, const char *round, const struct verdict *v)
{
	bool ok = v->equal + v->untold + v->incomplete == c->count &&
		  v->untold <= c->count / UNTOLD_SHARE && v->incomplete <= c->may_be_incomplete;

	printf("%s %s: %ld stacks, %ld equal, %ld different, %ld right but cut, %ld missing",
	       ok ? "same" : "DIFFERENT", round, c->count, v->equal, v->different, v->incomplete,
	       v->missing);
	printf(", %ld that backtrace(3) does not know\n", v->untold);
	return ok;
}

/* The linker puts this between the reader of leaktrace's tables and its books: the books know no
 * single block. */
void __real_books_snapshot_holding(struct books_snapshot *s, uint64_t stack, uint64_t amount,
				   uint64_t ns);
void __wrap_books_snapshot_holding(struct books_snapshot *s, uint64_t stack, uint64_t amount,
				   uint64_t ns);

void __wrap_books_snapshot_holding(struct books_snapshot *s, uint64_t stack, uint64_t amount,
				   uint64_t ns)
{
	struct truth *t = truth_of(current, amount);

	if (t)
		t->stack = stack;
	__real_books_snapshot_holding(s, stack, amount, ns);
}

/*
 * One round of a command that takes the first amount and the count, and what follows them.
 * `in_main_thread`: a truth that does not end where the main thread begins is none. (gcc 12 says of
 * the last two instructions of a function that realigns its stack that rbp is still saved.)
 */
static bool round_run(struct check *c, const char *round, const char *command, const char *rest,
		      bool in_main_thread)
{
	const struct stack *stack;
	const struct truth *t = c->truths;
	struct verdict v = { 0 };
	uint64_t now_ns;

	for (long i = 0; i < c->count; i++)
		c->truths[i].stack = 0;
	fprintf(c->to, "%s %" PRIu64 " %ld %s\n", command, c->first, c->count, rest);
	fflush(c->to);
	program_answer(c);
	tracer_poll(c->tracer, 0);
	current = c;
	if (tracer_snapshot(c->tracer, 0, &now_ns))
		die("no snapshot");
	for (uint64_t amount = c->first; amount < c->first + (uint64_t)c->count; amount++, t++) {
		stack = stack_table_get(&c->tracer->books.stacks, t->stack);
		if (!stack)
			v.missing++;
		else if (in_main_thread && t->frames[t->n - 1] != c->outermost)
			v.untold++;
		else
			compare(c, amount, stack, t, &v);
	}
	c->first += (uint64_t)c->count;
	return verdict_print(c, round, &v);
}

/* -- the rounds ---------------------------------------------------------------------------------------- */

static void trace(struct check *c)
{
	struct tracer_options options = { .kinds = 1U << LT_KIND_MEMORY,
					  .min_amount = FIRST_AMOUNT,
					  .max_amount = 1 << 30,
					  .attach_kind = c->kind };
	struct target target;
	struct err e = { 0 };

	if (tracer_create(&options, &c->tracer, &e)) {
		fprintf(stderr, "shapes_check: %s\n", e.text);
		exit(77);
	}
	if (target_open(c->pid, &target, &e) || tracer_add(c->tracer, &target, &e))
		die(e.text);
	tracer_start(c->tracer);
}

static void poll_for(struct check *c, double seconds)
{
	double until = tracer_seconds(c->tracer) + seconds;

	while (tracer_seconds(c->tracer) < until)
		tracer_poll(c->tracer, 20);
}

/* Return probes on functions that every path is full of: the kernel allows 64 to be pending. */
static bool round_with_return_probes(struct check *c, const char *program, const char *object)
{
	static const char *const functions[] = { "shape_next", "leaf" };
	struct bpf_link *links[ARRAY_SIZE(functions)];
	struct bpf_object *o = bpf_object__open_file(object, NULL);
	struct bpf_map *bss;
	uint32_t zero = 0;
	uint64_t hits = 0;
	bool ok;

	if (!o || bpf_object__load(o))
		die("the return probe's program cannot be loaded");
	bss = bpf_object__next_map(o, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
		LIBBPF_OPTS(bpf_uprobe_opts, opts, .retprobe = true, .func_name = functions[i]);

		links[i] = bpf_program__attach_uprobe_opts(bpf_object__next_program(o, NULL), c->pid,
							   program, 0, &opts);
		if (!links[i])
			die("a return probe cannot be attached");
	}
	ok = round_run(c, "with return probes of another tracer", "walk", "0 0", false);
	bpf_map_lookup_elem(bpf_map__fd(bss), &zero, &hits);
	if (hits < (uint64_t)c->count)
		die("the return probes were not hit");
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
		bpf_link__destroy(links[i]);
	bpf_object__close(o);
	return ok;
}

/*
 * Nothing has been read of the module when the stacks are taken: they are cut, and become whole
 * later. Except some that are larger than what is copied of a stack.
 */
static bool round_just_loaded(struct check *c)
{
	long count = c->count;
	bool ok;

	c->count = count < LATE_COUNT ? count : LATE_COUNT;
	c->may_be_incomplete = c->count / LATE_INCOMPLETE_SHARE;
	ok = round_run(c, "through a module loaded just now", "walk", "0 1", false);
	c->may_be_incomplete = 0;
	c->count = count;
	return ok;
}

static void check_init(struct check *c, char **argv)
{
	*c = (struct check){
		.program = strdup(argv[1]),
		.kind = argv[3],
		.count = atol(argv[4]),
		.first = FIRST_AMOUNT,
	};
	c->dir = c->program ? dirname(c->program) : NULL;
	c->truths = c->count > 0 ? calloc((size_t)c->count, sizeof(*c->truths)) : NULL;
	if (!c->truths)
		die("no number of paths");
	signal(SIGPIPE, SIG_IGN);
	program_start(c, argv[1]);
	program_answer(c);
}

static bool check_end(struct check *c)
{
	int status;

	tracer_stop(c->tracer);
	tracer_destroy(c->tracer);
	fclose(c->to);
	fclose(c->from);
	for (long i = 0; i < c->count; i++)
		free(c->truths[i].frames);
	free(c->truths);
	free(c->program);
	return waitpid(c->pid, &status, 0) == c->pid && status == 0;
}

int main(int argc, char **argv)
{
	const char *late = argv[argc - 1];
	struct check c;
	bool ok;

	if (argc < 6) {
		fprintf(stderr, "usage: shapes_check PROGRAM OBJECT KIND COUNT NAME... LATE\n");
		return 2;
	}
	check_init(&c, argv);
	for (int i = 5; i < argc - 1; i++)
		program_load(&c, argv[i]);
	trace(&c);
	ok = round_run(&c, "functions of every shape", "walk", "1 1", false);
	ok &= round_run(&c, "without other stacks", "walk", "0 1", false);
	ok &= round_with_return_probes(&c, argv[1], argv[2]);
	program_load(&c, late);
	ok &= round_just_loaded(&c);
	poll_for(&c, 0.5);
	ok &= round_run(&c, "with a module loaded meanwhile", "walk", "1 1", false);
	ok &= round_run(&c, "from signals anywhere in a computation", "interrupt", "", true);
	if (!check_end(&c)) {
		printf("the program did not end well\n");
		ok = false;
	}
	return ok ? 0 : 1;
}
