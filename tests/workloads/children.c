// SPDX-License-Identifier: Apache-2.0
/* Children made in every way, waited for in every way, or not; some run still. */
#include <sched.h>
#include <spawn.h>
#include <sys/syscall.h>
#include "held.h"

#define STAYS "child-stays" /* the argument of a child that is spawned to stay */

extern char **environ;

struct maker {
	pid_t (*make)(bool stays);
	struct held *running, *zombie;
} __attribute__((aligned(32)));

#define MAKER(name)                                                                                \
	static struct maker name##_maker __attribute__((section("makers"), used)) = {              \
		name, &running_##name, &zombie_##name                                              \
	}
extern struct maker __start_makers[], __stop_makers[];

static inline pid_t made(struct held *h, pid_t pid)
{
	expect(pid > 0, "no child was made");
	held_got(h);
	return pid;
}

#define MAKES(name, via)                                                                           \
	HELD(running_##name, "process/running", name, via);                                        \
	HELD(zombie_##name, "process/zombie", name, via);                                          \
	static pid_t name(bool stays);                                                             \
	MAKER(name);                                                                               \
	static NOINLINE pid_t name(bool stays)

/* -- ways to make one --------------------------------------------------------------------------- */
/* In the child. */
static pid_t in_child(pid_t parent, bool stays)
{
	if (stays)
		child_stays(parent);
	_exit(3);
}

#define FORKS(name, via, ...)                                                                      \
	MAKES(name, via)                                                                           \
	{                                                                                          \
		pid_t parent = getpid(), pid = (pid_t)(__VA_ARGS__);                               \
                                                                                                   \
		return pid ? made(&running_##name, pid) : in_child(parent, stays);                 \
	}

FORKS(by_fork, "fork", fork())
FORKS(by_underscore_fork, "_Fork", _Fork())
FORKS(by_sys_fork, "syscall|fork", syscall(SYS_fork))
FORKS(by_sys_clone, "syscall|clone", syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL))

static char *const stays_arguments[] = { "/proc/self/exe", STAYS, NULL };
static char *const true_arguments[] = { "true", NULL };

MAKES(by_vfork, "vfork")
{
	pid_t pid = vfork();

	if (!pid) {
		if (stays)
			execve(stays_arguments[0], stays_arguments, environ);
		_exit(3);
	}
	return made(&running_by_vfork, pid);
}

MAKES(by_posix_spawn, "posix_spawn")
{
	pid_t pid;
	int r = posix_spawn(&pid, "/proc/self/exe", NULL, NULL,
			    stays ? stays_arguments : true_arguments, environ);

	expect(!r, "posix_spawn failed");
	return made(&running_by_posix_spawn, pid);
}

MAKES(by_posix_spawnp, "posix_spawnp")
{
	pid_t pid;
	int r = posix_spawnp(&pid, stays ? "/proc/self/exe" : "true", NULL, NULL,
			     stays ? stays_arguments : true_arguments, environ);

	expect(!r, "posix_spawnp failed");
	return made(&running_by_posix_spawnp, pid);
}

struct clone_argument {
	pid_t parent;
	bool stays;
};

static int clone_main(void *p)
{
	const struct clone_argument *a = p;

	return in_child(a->parent, a->stays);
}

/* With a copy of the memory: its stack is a copy too. */
MAKES(by_clone, "clone")
{
	char stack[16384] __attribute__((aligned(16)));
	struct clone_argument a = { getpid(), stays };

	return made(&running_by_clone,
		    clone(clone_main, stack + sizeof(stack), SIGCHLD, &a));
}

/* -- those that the library waits for ------------------------------------------------------------- */
HELD(running_system, "process/running", by_system, "system");
HELD(zombie_system, "process/zombie", by_system, "system");
static NOINLINE void by_system(void)
{
	int status = system("exit 3");

	expect(WIFEXITED(status) && WEXITSTATUS(status) == 3, "system failed");
	held_got(&running_system);
	held_gave(&running_system);
	held_got(&zombie_system);
	held_gave(&zombie_system);
}

HELD(running_popen, "process/running", by_popen, "popen");
HELD(zombie_popen, "process/zombie", by_popen, "popen");
static NOINLINE void by_popen(bool waits)
{
	FILE *f = popen("exit 3", "r");

	expect(f != NULL, "popen failed");
	held_got(&running_popen);
	held_gave(&running_popen);
	held_got(&zombie_popen);
	if (!waits)
		return;
	expect(WEXITSTATUS(pclose(f)) == 3, "pclose failed");
	held_gave(&zombie_popen);
}

/* -- ways to wait --------------------------------------------------------------------------------- */
static void wait_waitpid(pid_t pid)
{
	expect(waitpid(pid, NULL, 0) == pid, "waitpid failed");
}

static void wait_wait4(pid_t pid)
{
	struct rusage usage;

	expect(wait4(pid, NULL, 0, &usage) == pid, "wait4 failed");
}

static void wait_waitid(pid_t pid)
{
	siginfo_t info;

	expect(!waitid(P_PID, (id_t)pid, &info, WEXITED), "waitid failed");
}

static void wait_nohang(pid_t pid)
{
	await_zombie(pid);
	expect(waitpid(pid, NULL, WNOHANG) == pid, "waitpid failed");
}

static void wait_sys(pid_t pid)
{
	expect(syscall(SYS_wait4, pid, NULL, 0, NULL) == pid, "wait4 failed");
}

static void *waiter(void *pid)
{
	wait_waitpid((pid_t)(long)pid);
	return NULL;
}

static void wait_in_thread(pid_t pid)
{
	pthread_t t;

	expect(!pthread_create(&t, NULL, waiter, (void *)(long)pid), "pthread_create failed");
	pthread_join(t, NULL);
}

/* -- all of it ------------------------------------------------------------------------------------ */
static void work(int thread)
{
	static void (*const waits[])(pid_t) = { wait_waitpid, wait_wait4, wait_waitid,
						wait_nohang,  wait_sys,	  wait_in_thread };
	size_t next = 0;

	for (struct maker *m = __start_makers; m < __stop_makers; m++) {
		for (int i = 0; i < 7; i++) {
			pid_t pid = m->make(i == 6);

			if (i == 6) /* it stays */
				continue;
			if (i < 4)
				waits[next++ % (sizeof(waits) / sizeof(waits[0]))](pid);
			else
				await_zombie(pid);
			held_gave(m->running);
			held_got(m->zombie);
			if (i < 4)
				held_gave(m->zombie);
		}
	}
	for (int i = 0; i < 5; i++) {
		by_system();
		by_popen(i % 2);
	}
}

static void prepare(void)
{
	say("before process/running 0\nbefore process/zombie 0\n");
}

/* popen's children end in their own time. */
static void finish(void)
{
	await_children();
	say_held();
}

int main(int argc, char **argv)
{
	struct workload_parts parts = { prepare, work, finish };

	if (argc > 1 && !strcmp(argv[1], STAYS))
		child_stays(getppid());
	if (!strcmp(argv[0], "true"))
		return 3;
	return workload_run_parts(argc, argv, parts);
}
