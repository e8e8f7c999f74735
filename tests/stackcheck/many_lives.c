// SPDX-License-Identifier: Apache-2.0
/*
 * usage: many_lives N [LIBRARY DIRECTORY]
 *
 * Traces N processes, each of which is made when the one before has ended: it holds blocks, descriptors, sockets and
 * threads, is found to hold just these, and ends. With a library each loads a copy of its own. Prints "life N FIGURE VALUE" of all that might grow, after so many
 * lives and at the end.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "trace/tracer.h"

#define WARM	72 /* lives after which everything has its size */
#define KEPT	5  /* of those that have ended */
#define BLOCKS	101
#define FDS	7
#define THREADS 3
#define POLL_MS 5

static void die(const char *what)
{
	fprintf(stderr, "many_lives: %s\n", what);
	exit(1);
}

/* -- a life ---------------------------------------------------------------------------------- */

static void *wait_for_ever(void *arg)
{
	for (;;)
		pause();
	return arg;
}

/* Memory of which the compiler believes that it is used. */
static void *keep(void *p)
{
	__asm__ volatile("" : "+r"(p) : : "memory");
	return p;
}

static void connect_to_nobody(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM, 0), s = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(listener, (struct sockaddr *)&at, size) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&at, &size) || connect(s, (struct sockaddr *)&at, size))
		_exit(2);
	close(listener); /* the peer has gone, and the connection is held */
}

static void live(int go, int done, const char *library)
{
	pthread_t thread;
	char c;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (*library && !dlopen(library, RTLD_NOW))
		_exit(1);
	if (write(done, "", 1) != 1)
		_exit(1);
	if (read(go, &c, 1) != 1)
		_exit(1);
	for (int i = 0; i < BLOCKS; i++)
		keep(malloc(40));
	for (int i = 0; i < FDS; i++)
		if (open("/dev/null", O_RDONLY) < 0)
			_exit(1);
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&thread, NULL, wait_for_ever, NULL))
			_exit(1);
	connect_to_nobody();
	if (write(done, "", 1) != 1 || read(go, &c, 1) != 1)
		_exit(1);
	_exit(0);
}

/* -- what is held ---------------------------------------------------------------------------- */

struct held_now {
	uint64_t blocks, fds, threads, stacks;
};

static struct held_now look(struct tracer *t, pid_t pid)
{
	struct held_now n = { 0 };
	uint64_t now_ns;

	if (tracer_snapshot(t, 0, &now_ns))
		die("no snapshot");
	vec_foreach(s, &t->books.stacks) {
		if (s->tgid != (uint32_t)pid)
			continue;
		n.stacks++;
		if (s->kind == LT_KIND_MEMORY && s->held == BLOCKS)
			n.blocks += s->held;
		n.fds += s->kind == LT_KIND_FD ? s->held : 0;
		n.threads += s->kind == LT_KIND_THREAD ? s->held : 0;
	}
	return n;
}

static void check(struct tracer *t, pid_t pid)
{
	struct held_now n = look(t, pid);

	if (n.blocks != BLOCKS || n.fds != FDS + 1 || n.threads != THREADS) {
		fprintf(stderr, "many_lives: %" PRIu64 " blocks, %" PRIu64 " descriptors, %" PRIu64 " threads\n",
			n.blocks, n.fds, n.threads);
		die("the books are wrong");
	}
}

static void poll_until(struct tracer *t, size_t alive)
{
	for (int i = 0; tracer_alive(t) > alive; i++) {
		if (i > 10000 / POLL_MS)
			die("the end of a process is not heard of");
		if (tracer_poll(t, POLL_MS))
			die("poll");
	}
}

/* A file of its own: to leaktrace it is another library. */
static void copy(const char *library, const char *directory, int number, char ret[256])
{
	_cleanup_close_ int from = open(library, O_RDONLY | O_CLOEXEC), to = -1;
	off_t size = lseek(from, 0, SEEK_END), at = 0;

	snprintf(ret, 256, "%s/%d.so", directory, number);
	to = open(ret, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
	if (from < 0 || to < 0 || size <= 0 || sendfile(to, from, &at, (size_t)size) != size)
		die("the library cannot be copied");
}

static void one_life(struct tracer *t, bool while_it_lives, const char *library)
{
	int go[2], done[2];
	struct target target;
	struct err e = { "" };
	pid_t pid;
	char c;

	if (pipe2(go, O_CLOEXEC) || pipe2(done, O_CLOEXEC))
		die("pipe");
	pid = fork();
	if (!pid)
		live(go[0], done[1], library);
	if (pid < 0 || read(done[0], &c, 1) != 1 || target_open(pid, &target, &e) || tracer_add(t, &target, &e))
		die(e.text);
	if (write(go[1], "", 1) != 1 || read(done[0], &c, 1) != 1)
		die("the process did not live");
	tracer_poll(t, 0);
	if (while_it_lives)
		check(t, pid);
	if (write(go[1], "", 1) != 1 || waitpid(pid, NULL, 0) != pid)
		die("the process did not end");
	for (int i = 0; i < 2; i++) {
		close(go[i]);
		close(done[i]);
	}
	poll_until(t, 0);
	check(t, pid); /* its books stay */
}

/* -- what might grow ------------------------------------------------------------------------- */

static size_t entries(int map, size_t key_size)
{
	char key[64], next[64];
	size_t n = 0;

	if (map < 0 || key_size > sizeof(key))
		die("no such map");
	for (bool first = true; !bpf_map_get_next_key(map, first ? NULL : key, next); first = false) {
		memcpy(key, next, key_size);
		n++;
	}
	return n;
}

/* But for that of the kernel's statistics, which are on and off in turn. */
static size_t open_files(const struct tracer *t)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n - (t->cost.stats_fd >= 0);
}

static size_t used_slots(const struct tracer *t)
{
	size_t n = 0;

	for (size_t i = 0; i < LT_TRACED_SLOTS; i++)
		n += t->tables.traced[i] != 0;
	return n;
}

static size_t used_pages(const struct tracer *t)
{
	size_t n = 0;

	for (size_t i = 0; i < LT_MAX_PAGES; i++)
		n += t->tables.pages[i] != 0;
	return n;
}

/* Slots of stacks in BPF that have an id. */
static size_t used_stacks(const struct tracer *t)
{
	struct lt_stack s;
	size_t n = 0;

	for (uint32_t i = 0; i < LT_MAX_STACKS; i++)
		n += !bpf_map_lookup_elem(t->ledger.stacks, &i, &s) && s.id;
	return n;
}

static size_t outstanding(const struct tracer *t)
{
	struct ledger_entries all = { 0 };
	size_t n;

	if (ledger_list(&t->ledger, LT_KINDS_ALL, &all))
		die("no ledger");
	n = all.n;
	vec_free(&all);
	return n;
}

static void print_maps(const struct tracer *t, int life)
{
	static const struct {
		const char *name;
		size_t key_size;
	} maps[] = {
		{ "processes", 4 }, { "generations", 4 }, { "sharers", 4 }, { "shared_spaces", 4 },
		{ "children", 4 }, { "sockets", 8 },
		{ "pthreads", sizeof(struct lt_thread_key) }, { "pthread_tids", sizeof(struct lt_thread_key) },
		{ "files", sizeof(struct lt_file_key) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(maps); i++)
		printf("life %d map-%s %zu\n", life, maps[i].name,
		       entries(object_map(&t->object, maps[i].name), maps[i].key_size));
}

static void print_figures(const struct tracer *t, int life)
{
	const struct {
		const char *name;
		size_t value;
	} figures[] = {
		{ "heap-bytes", mallinfo2().uordblks },
		{ "open-files", open_files(t) },
		{ "handles", t->processes.n },
		{ "ids", t->processes.by_pid.n },
		{ "traced-slots", used_slots(t) },
		{ "stack-slots", used_stacks(t) },
		{ "outstanding", outstanding(t) },
		{ "stacks", t->books.stacks.n },
		{ "ids-of-stacks", t->books.stacks.by_id.n },
		{ "ranges", t->books.ranges.n },
		{ "biases", t->tables.bias.n },
		{ "moved", t->tables.moved.n },
		{ "read-in", t->tables.read_in.n },
		{ "chunks", t->tables.n_chunks },
		{ "pages", t->tables.n_pages },
		{ "used-pages", used_pages(t) },
		{ "loaded-unused", t->tables.n_unused },
		{ "rules", t->tables.n_rules },
		{ "modules", t->modules.n },
		{ "costs", t->modules.spent.n },
		{ "late", t->late.n },
		{ "events", t->events.n },
	};

	for (size_t i = 0; i < ARRAY_SIZE(figures); i++)
		printf("life %d %s %zu\n", life, figures[i].name, figures[i].value);
}

static void print_all(struct tracer *t, int life)
{
	detacher_wait(&t->detacher);
	print_figures(t, life);
	print_maps(t, life);
}

int main(int argc, char **argv)
{
	struct tracer_options options = {
		.kinds = LT_KINDS_ALL & ~LT_KINDS_GO,
		.max_amount = UINT64_MAX,
	};
	int lives = argc > 1 ? atoi(argv[1]) : 0;
	char library[256] = "";
	struct tracer *t;
	struct err e = { "" };

	if (lives <= WARM)
		die("usage: many_lives N [LIBRARY DIRECTORY], N > 72");
	if (tracer_create(&options, &t, &e))
		die(e.text);
	tracer_start(t);
	for (int i = 1; i <= lives; i++) {
		if (argc > 3)
			copy(argv[2], argv[3], i, library);
		one_life(t, i % 10 == 0, library);
		if (*library)
			unlink(library);
		if (tracer_remove_ended(t, KEPT) || t->processes.n > KEPT)
			die("removing failed");
		if (i == WARM || i == lives)
			print_all(t, i);
	}
	tracer_stop(t);
	tracer_destroy(t);
	return 0;
}
