// SPDX-License-Identifier: Apache-2.0
/* Threads made in every way that are joined, detached, left, or run still. */
#include <linux/sched.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <threads.h>
#include "held.h"

#define HELD_BY(function, via)                                                                     \
	HELD(running_##function, "thread/running", function, via);                                 \
	HELD_NET(unjoined_##function, "thread/unjoined", function, via)

/* -- what they do ------------------------------------------------------------------------------- */
struct gate {
	int open; /* the thread ends when it is */
	pid_t tid;
};

static void *ends(void *p)
{
	struct gate *gate = p;

	__atomic_store_n(&gate->tid, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
	AWAIT(__atomic_load_n(&gate->open, __ATOMIC_ACQUIRE), "the gate stays closed");
	return NULL;
}

static int ends_c11(void *p)
{
	ends(p);
	return 0;
}

static void *stays(void *unused)
{
	for (;;)
		pause();
	return NULL;
}

static void await_end(struct gate *gate)
{
	pid_t tid;

	__atomic_store_n(&gate->open, 1, __ATOMIC_RELEASE);
	AWAIT((tid = __atomic_load_n(&gate->tid, __ATOMIC_ACQUIRE)), "the thread did not start");
	AWAIT(syscall(SYS_tgkill, getpid(), tid, 0) && errno == ESRCH, "the thread did not end");
}

static void made(struct held *running, int r)
{
	expect(!r, "no thread was made");
	held_got(running);
}

/* The thread has ended; `gone`: it was joined or detached. */
static void ended(struct held *running, struct held *unjoined, bool gone)
{
	held_gave(running);
	held_got(unjoined);
	if (gone)
		held_gave(unjoined);
}

/* -- joined --------------------------------------------------------------------------------------- */
static struct timespec in_a_moment(clockid_t clock, bool never)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	ts.tv_sec += never ? -1 : 3600;
	return ts;
}

static int join(pthread_t t)
{
	return pthread_join(t, NULL);
}

static int tryjoin(pthread_t t)
{
	int r;

	AWAIT((r = pthread_tryjoin_np(t, NULL)) != EBUSY, "tryjoin never succeeds");
	return r;
}

static int timedjoin(pthread_t t)
{
	struct timespec ts = in_a_moment(CLOCK_REALTIME, false);

	return pthread_timedjoin_np(t, NULL, &ts);
}

static int clockjoin(pthread_t t)
{
	struct timespec ts = in_a_moment(CLOCK_MONOTONIC, false);

	return pthread_clockjoin_np(t, NULL, CLOCK_MONOTONIC, &ts);
}

/* These fail while it runs. */
static void too_early(pthread_t t)
{
	struct timespec past = in_a_moment(CLOCK_REALTIME, true);

	expect(pthread_tryjoin_np(t, NULL) == EBUSY, "tryjoin of one that runs");
	expect(pthread_timedjoin_np(t, NULL, &past) == ETIMEDOUT, "timedjoin of one that runs");
	past = in_a_moment(CLOCK_MONOTONIC, true);
	expect(pthread_clockjoin_np(t, NULL, CLOCK_MONOTONIC, &past) == ETIMEDOUT,
	       "clockjoin of one that runs");
}

typedef int join_fn(pthread_t t);

/* `left`: how many of the threads nobody joins. */
#define JOINED(name, how, times, left)                                                             \
	HELD_BY(name, "pthread_create");                                                           \
	static NOINLINE void name(void)                                                            \
	{                                                                                          \
		for (int i = 0; i < (times); i++) {                                                \
			struct gate gate = { 0 };                                                  \
			pthread_t t;                                                               \
                                                                                                   \
			made(&running_##name, pthread_create(&t, NULL, ends, &gate));              \
			too_early(t);                                                              \
			if (i & 1) /* it has ended before it is joined */                          \
				await_end(&gate);                                                  \
			__atomic_store_n(&gate.open, 1, __ATOMIC_RELEASE);                         \
			if (i >= (left))                                                           \
				expect(!how(t), #how " failed");                                   \
			await_end(&gate);                                                          \
			ended(&running_##name, &unjoined_##name, i >= (left));                     \
		}                                                                                  \
	}

JOINED(create_joined, join, 7, 0)
JOINED(create_tryjoined, tryjoin, 5, 0)
JOINED(create_timedjoined, timedjoin, 5, 2)
JOINED(create_clockjoined, clockjoin, 5, 1)
JOINED(create_unjoined, join, 13, 13)

/* -- detached ------------------------------------------------------------------------------------- */
HELD_BY(create_detached, "pthread_create");
static NOINLINE void create_detached(void)
{
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	for (int i = 0; i < 5; i++) {
		struct gate gate = { 0 };
		pthread_t t;

		made(&running_create_detached, pthread_create(&t, &attr, ends, &gate));
		await_end(&gate);
		ended(&running_create_detached, &unjoined_create_detached, true);
	}
	pthread_attr_destroy(&attr);
}

HELD_BY(create_then_detach, "pthread_create");
static NOINLINE void create_then_detach(void)
{
	for (int i = 0; i < 7; i++) {
		struct gate gate = { 0 };
		pthread_t t;

		made(&running_create_then_detach, pthread_create(&t, NULL, ends, &gate));
		if (i % 2 == 0)
			pthread_detach(t);
		await_end(&gate);
		if (i % 2 && i < 5) /* it has ended */
			pthread_detach(t);
		ended(&running_create_then_detach, &unjoined_create_then_detach, i < 5 || i == 6);
	}
}

/* The attribute says so of some only: it has to be followed for each thread. */
HELD_BY(create_attribute, "pthread_create");
static NOINLINE void create_attribute(void)
{
	static const int states[] = { PTHREAD_CREATE_DETACHED, PTHREAD_CREATE_JOINABLE };
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	for (int i = 0; i < 7; i++) {
		struct gate gate = { 0 };
		pthread_t t;

		pthread_attr_setdetachstate(&attr, states[i % 2]);
		made(&running_create_attribute, pthread_create(&t, &attr, ends, &gate));
		await_end(&gate);
		ended(&running_create_attribute, &unjoined_create_attribute, i % 2 == 0);
	}
	pthread_attr_destroy(&attr);
}

static void *ends_detached(void *p)
{
	pthread_detach(pthread_self());
	return ends(p);
}

HELD_BY(create_self_detached, "pthread_create");
static NOINLINE void create_self_detached(void)
{
	for (int i = 0; i < 3; i++) {
		struct gate gate = { 0 };
		pthread_t t;

		made(&running_create_self_detached, pthread_create(&t, NULL, ends_detached, &gate));
		await_end(&gate);
		ended(&running_create_self_detached, &unjoined_create_self_detached, true);
	}
}

/* -- running, C11, joined by another thread --------------------------------------------------------- */
HELD(running_create_running, "thread/running", create_running, "pthread_create");
static NOINLINE void create_running(void)
{
	pthread_t t;

	for (int i = 0; i < 5; i++)
		made(&running_create_running, pthread_create(&t, NULL, stays, NULL));
}

HELD_BY(create_c11, "thrd_create");
static NOINLINE void create_c11(void)
{
	for (int i = 0; i < 7; i++) {
		struct gate gate = { 0 };
		thrd_t t;

		made(&running_create_c11, thrd_create(&t, ends_c11, &gate) != thrd_success);
		await_end(&gate);
		if (i < 3)
			expect(thrd_join(t, NULL) == thrd_success, "thrd_join failed");
		else if (i < 5)
			expect(thrd_detach(t) == thrd_success, "thrd_detach failed");
		ended(&running_create_c11, &unjoined_create_c11, i < 5);
	}
}

static void *joins(void *p)
{
	expect(!pthread_join(*(pthread_t *)p, NULL), "pthread_join failed");
	return NULL;
}

HELD_BY(create_joined_elsewhere, "pthread_create");
static NOINLINE void create_joined_elsewhere(void)
{
	struct gate gate = { 0 };
	pthread_t t, joiner;

	made(&running_create_joined_elsewhere, pthread_create(&t, NULL, ends, &gate));
	made(&running_create_joined_elsewhere, pthread_create(&joiner, NULL, joins, &t));
	await_end(&gate);
	expect(!pthread_join(joiner, NULL), "pthread_join failed");
	for (int i = 0; i < 2; i++)
		ended(&running_create_joined_elsewhere, &unjoined_create_joined_elsewhere, true);
}

/* -- without libpthread: nobody has to join these ----------------------------------------------------- */
#define RAW_FLAGS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)
#define RAW_STACK 65536

static char *raw_stack(void)
{
	char *p = mmap(NULL, RAW_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	expect(p != MAP_FAILED, "mmap failed");
	return p;
}

/* With no thread's own data: neither errno nor a library call. */
static int raw_main(void *p)
{
	struct gate *gate = p;
	long r;

	__asm__ volatile("syscall" : "=a"(r) : "0"(SYS_gettid) : "rcx", "r11", "memory");
	__atomic_store_n(&gate->tid, (pid_t)r, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&gate->open, __ATOMIC_ACQUIRE))
		__asm__ volatile("syscall" : "=a"(r) : "0"(SYS_sched_yield) : "rcx", "r11", "memory");
	__asm__ volatile("syscall" : : "a"(SYS_exit), "D"(0) : "rcx", "r11", "memory");
	return 0;
}

HELD(running_raw_clone, "thread/running", raw_clone, "clone");
static NOINLINE void raw_clone(void)
{
	for (int i = 0; i < 3; i++) {
		struct gate gate = { 0 };

		made(&running_raw_clone, clone(raw_main, raw_stack() + RAW_STACK, RAW_FLAGS, &gate) < 0);
		await_end(&gate);
		held_gave(&running_raw_clone);
	}
}

HELD(running_raw_clone3, "thread/running", raw_clone3, "clone3");
static NOINLINE void raw_clone3(void)
{
	for (int i = 0; i < 3; i++) {
		struct gate gate = { 0 };
		struct clone_args args = { .flags = RAW_FLAGS,
					   .stack = (uintptr_t)raw_stack(),
					   .stack_size = RAW_STACK };
		register struct gate *in_child __asm__("r12") = &gate;
		long r;

		__asm__ volatile("syscall\n\t"
				 "test %%rax, %%rax\n\t"
				 "jnz 1f\n\t"
				 "mov %%r12, %%rdi\n\t"
				 "call *%[main]\n"
				 "1:"
				 : "=a"(r)
				 : "0"(SYS_clone3), "D"(&args), "S"(sizeof(args)),
				   [main] "r"(raw_main), "r"(in_child)
				 : "rcx", "r11", "memory");
		if (r == -ENOSYS)
			return;
		made(&running_raw_clone3, r < 0);
		await_end(&gate);
		held_gave(&running_raw_clone3);
	}
}

/* -- all of it ------------------------------------------------------------------------------------------ */
static long threads_before;

static void work(int thread)
{
	create_joined();
	create_tryjoined();
	create_timedjoined();
	create_clockjoined();
	create_unjoined();
	create_detached();
	create_then_detach();
	create_attribute();
	create_self_detached();
	create_running();
	create_c11();
	create_joined_elsewhere();
	raw_clone();
	raw_clone3();
}

static void prepare(void)
{
	threads_before = threads_running();
}

static void finish(void)
{
	AWAIT(threads_running() == threads_before + held_now("thread/running"), "wrong count");
	say("system thread/running %ld\n", threads_running());
	say_held();
}

int main(int argc, char **argv)
{
	struct workload_parts parts = { prepare, work, finish };

	return workload_run_parts(argc, argv, parts);
}
