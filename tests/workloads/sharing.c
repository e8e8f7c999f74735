// SPDX-License-Identifier: Apache-2.0
/*
 * sharing wait MODE: children that share this process's memory, by clone with CLONE_VM and without
 * CLONE_THREAD, and acquire and release what is its own. This process waits for each, as both use one
 * thread's state of the C library.
 *
 *
 * "Their time" is 300 ms, or LATER_MS in the environment.
 *
 *	at-once    the first child does so at once: nobody can have seen it coming
 *	later      the first ones take their time
 *	vforked    the same with CLONE_VFORK
 *	files      the first ones share descriptors as well, or do not
 *	many       the first takes its time, and 4,099 come after it
 *	execs      children that only exec, in every way that there is, and some that fail to
 *	before     one is there before "ready", and does its work with the others
 */
#include <errno.h>
#include <sched.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/mman.h>
#include "held.h"

#define STACK	  (256 << 10)
#define LATER_MS  300
#define BLOCKS	  101 /* that this process gives to each child */
#define FREED	  61
#define MADE	  41
#define MAPPED	  7
#define MANY	  4099
#define EXECS	  53
#define FDS	  13
#define FDS_GIVEN 5

SITE(s_given, give, "malloc");
SITE(s_own, child_makes, "malloc");
SITE(s_grown, child_grows, "realloc");
SITE(s_mapped, child_maps, "mmap");
HELD(h_given, "fd", open_given, "openat");
HELD(h_opened, "fd", child_opens, "openat");

static void *blocks[BLOCKS], *own[MADE];
static int fds[FDS];
static const char *mode;
static char *stack;
static useconds_t later_us;
static pid_t first_child;
static int execed; /* children, which others do not see from then on */
static int begin[2]; /* a pipe on which it waits */

extern char **environ;

/* -- in the child ----------------------------------------------------------------------------- */

static NOINLINE void child_makes(int n, size_t size)
{
	for (int i = 0; i < n; i++)
		own[i] = got(&s_own, malloc(size), size);
}

static NOINLINE void child_grows(void)
{
	void *p = got(&s_grown, realloc(NULL, 67), 67);

	gave(&s_grown, 67);
	got(&s_grown, realloc(p, 131), 131);
}

static NOINLINE void child_maps(void)
{
	for (int i = 0; i < MAPPED; i++) {
		void *p = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		expect(p != MAP_FAILED, "mmap failed");
		got(&s_mapped, p, 8192);
		if (i % 3)
			continue;
		gave(&s_mapped, 8192);
		munmap(p, 8192);
	}
}

static NOINLINE void child_frees(int n)
{
	for (int i = 0; i < n; i++) {
		gave(&s_given, 59);
		free(blocks[i]);
	}
}

static NOINLINE void child_opens(bool shared)
{
	for (int i = 0; i < FDS; i++) {
		int fd = openat(AT_FDCWD, "/dev/null", O_RDONLY);

		expect(fd >= 0, "open failed");
		if (shared)
			expect(took_fd(&h_opened, fd), "a descriptor is missing");
	}
	for (int i = 0; i < FDS_GIVEN; i++)
		close(shared ? losing_fd(fds[i]) : fds[i]);
}

static int in_child(void *arg)
{
	child_frees(FREED);
	child_makes(MADE, 37);
	child_grows();
	child_maps();
	_exit(0);
}

static int in_later_child(void *arg)
{
	usleep(later_us);
	return in_child(arg);
}

static int in_small_child(void *arg)
{
	child_frees(1);
	child_makes(1, 23);
	_exit(0);
}

static int in_sharing_child(void *arg)
{
	child_opens(true);
	_exit(0);
}

static int in_other_child(void *arg)
{
	child_opens(false);
	_exit(0);
}

static int in_execing_child(void *arg)
{
	char *const argv[] = { (char *)arg, NULL };

	execve(argv[0], argv, environ);
	_exit(1);
}

static int in_waiting_child(void *arg)
{
	char byte;

	expect(read(begin[0], &byte, 1) == 1, "the parent has gone");
	child_opens(true);
	return in_child(arg);
}

/* -- in the parent ---------------------------------------------------------------------------- */

static NOINLINE void give(int n)
{
	for (int i = 0; i < n; i++)
		blocks[i] = got(&s_given, malloc(59), 59);
}

static NOINLINE void open_given(void)
{
	for (int i = 0; i < FDS; i++) {
		fds[i] = openat(AT_FDCWD, "/dev/null", O_RDONLY);
		expect(took_fd(&h_given, fds[i]), "a descriptor is missing");
	}
}

static pid_t child_of(int (*fn)(void *), int flags, const void *arg)
{
	pid_t pid = clone(fn, stack + STACK, CLONE_VM | SIGCHLD | flags, (void *)(uintptr_t)arg);

	expect(pid > 0, "clone failed");
	return pid;
}

static void await_child(pid_t pid)
{
	int status;

	expect(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) != 99,
	       "a child failed");
}

static void run_child(int (*fn)(void *), int flags, const void *arg)
{
	await_child(child_of(fn, flags, arg));
}

static void spawn(const char *path)
{
	char *const argv[] = { (char *)(uintptr_t)path, NULL };
	pid_t pid;

	if (posix_spawn(&pid, path, NULL, NULL, argv, environ))
		return;
	expect(waitpid(pid, NULL, 0) == pid, "waitpid failed");
	execed++;
}

static void vfork_and_exec(const char *path)
{
	pid_t pid = vfork();
	int status = -1;

	if (pid == 0)
		in_execing_child((void *)(uintptr_t)path);
	expect(pid > 0 && waitpid(pid, &status, 0) == pid, "vfork failed");
	execed += status == 0;
}

static void run_children(int first_flags)
{
	give(BLOCKS);
	run_child(in_later_child, first_flags, NULL);
	for (int i = 0; i < 3; i++) { /* these are expected by now */
		give(BLOCKS);
		run_child(in_child, i & 1 ? 0 : CLONE_VFORK, NULL);
	}
}

static void work_files(void)
{
	open_given();
	run_child(in_sharing_child, CLONE_FILES, NULL);
	open_given();
	run_child(in_other_child, 0, NULL);
	run_child(in_execing_child, CLONE_FILES, "/bin/true");
	execed++;
}

static void work_many(void)
{
	run_children(0);
	for (int i = 0; i < MANY; i++) {
		give(1);
		run_child(in_small_child, CLONE_VFORK, NULL);
	}
}

static void work_execs(void)
{
	for (int i = 0; i < EXECS; i++) {
		spawn("/bin/true");
		spawn("/nonexistent");
		vfork_and_exec("/bin/true");
		vfork_and_exec("/nonexistent");
		run_child(in_execing_child, CLONE_VFORK, "/bin/true");
		execed++;
	}
	give(BLOCKS);
}

static void work_before(void)
{
	give(BLOCKS);
	open_given();
	expect(write(begin[1], "", 1) == 1, "the pipe is closed");
	await_child(first_child);
}

static void work(int thread)
{
	if (!strcmp(mode, "at-once")) {
		give(BLOCKS);
		run_child(in_child, CLONE_VFORK, NULL);
	} else if (!strcmp(mode, "later")) {
		run_children(0);
	} else if (!strcmp(mode, "vforked")) {
		run_children(CLONE_VFORK);
	} else if (!strcmp(mode, "files")) {
		work_files();
	} else if (!strcmp(mode, "many")) {
		work_many();
	} else if (!strcmp(mode, "before")) {
		work_before();
	} else if (!strcmp(mode, "execs")) {
		work_execs();
	} else {
		fail("no such mode");
	}
	say("untraced_children %d\n", execed);
}

static void prepare(void)
{
	const char *ms = getenv("LATER_MS");

	later_us = 1000 * (useconds_t)(ms ? atoi(ms) : LATER_MS);
	stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	expect(stack != MAP_FAILED, "mmap failed");
	expect(!pipe(begin), "pipe failed");
	fds_prepare();
	if (!strcmp(mode, "before"))
		first_child = child_of(in_waiting_child, CLONE_FILES, NULL);
}

int main(int argc, char **argv)
{
	struct workload_parts parts = { prepare, work, fds_finish };

	expect(argc > 1, "usage: sharing [wait] MODE");
	mode = argv[argc - 1];
	return workload_run_parts(argc - 1, argv, parts);
}
