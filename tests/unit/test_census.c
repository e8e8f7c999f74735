// SPDX-License-Identifier: Apache-2.0
/* What the test holds itself, against what it knows and what /proc shows. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include "census_check.h"
#include "proc/procfs.h"
#include "proc/taskdir.h"

/* -- descriptors ---------------------------------------------------------------------------------
 */

/* Each number in /proc/self/fd is in the census; it may have the directory that it read besides. */
static void test_descriptors_as_in_proc(void **state)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0, extra = 0;
	struct dirent *e;
	struct census c;

	assert_non_null(d);
	take(&c);
	while ((e = readdir(d))) {
		if (*e->d_name == '.')
			continue;
		n++;
		assert_true(holds(&c, LT_KIND_FD, strtoul(e->d_name, NULL, 10)));
		assert_true(listed(&c, LT_KIND_FD, strtoul(e->d_name, NULL, 10)));
	}
	vec_foreach(f, &c.fds)
		extra += f->target && strstr(f->target, "/fd") && f->fd != (unsigned int)dirfd(d);
	assert_int_equal(list_size(&c, LT_KIND_FD), n + extra);
	assert_in_range(extra, 0, 1);
	closedir(d);
	assert_false(holds(&c, LT_KIND_FD, 999999));
	assert_false(holds(&c, LT_KIND_FD, UINT64_MAX));
	census_deinit(&c);
}

static int open_perf_event(void)
{
	struct perf_event_attr a = { .type = PERF_TYPE_SOFTWARE, .size = sizeof(a) };

	return (int)syscall(SYS_perf_event_open, &a, 0, -1, -1, 0UL);
}

static int open_bpf_map(void)
{
	union bpf_attr a = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1
	};

	return (int)syscall(SYS_bpf, BPF_MAP_CREATE, &a, sizeof(a));
}

static int open_deleted(void)
{
	char path[] = "/tmp/leaktrace-test-XXXXXX";
	const int fd = mkstemp(path);

	unlink(path);
	return fd;
}

/* What a host refuses to make is left out. */
static void test_descriptor_types(void **state)
{
	char uring[256] = { 0 }; /* struct io_uring_params, which is smaller */
	int pipes[2], pair[2];
	sigset_t none;

	sigemptyset(&none);
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);

	const struct {
		int fd;
		const char *type, *target; /* NULL: not looked at */
	} table[] = {
		{ open("/etc/passwd", O_RDONLY), "file", "/etc/passwd" },
		{ open("/etc", O_RDONLY), "directory", "/etc" },
		{ open("/etc", O_PATH), "directory", "/etc" },
		{ open("/dev/null", O_RDONLY), "device", "/dev/null" },
		{ open("/proc/self/exe", O_PATH | O_NOFOLLOW), "symlink", NULL },
		{ open_deleted(), "file", NULL },
		{ pipes[0], "pipe", NULL },
		{ pipes[1], "pipe", NULL },
		{ pair[0], "socket", NULL },
		{ socket(AF_NETLINK, SOCK_RAW, 0), "socket", NULL },
		{ eventfd(0, 0), "eventfd", "anon_inode:[eventfd]" },
		{ epoll_create1(0), "epoll", "anon_inode:[eventpoll]" },
		{ timerfd_create(CLOCK_MONOTONIC, 0), "timerfd", "anon_inode:[timerfd]" },
		{ signalfd(-1, &none, 0), "signalfd", "anon_inode:[signalfd]" },
		{ inotify_init1(0), "inotify", NULL },
		{ (int)syscall(SYS_fanotify_init, 0, O_RDONLY), "fanotify", NULL },
		{ memfd_create("a memfd", 0), "memfd", "/memfd:a memfd (deleted)" },
		{ (int)syscall(SYS_userfaultfd, 1 /* user mode only */), "userfaultfd", NULL },
		{ open_perf_event(), "perf_event", NULL },
		{ open_bpf_map(), "bpf-map", NULL },
		{ (int)syscall(SYS_io_uring_setup, 1, uring), "io_uring", NULL },
		{ (int)syscall(SYS_pidfd_open, getpid(), 0), "pidfd", NULL },
		{ open("/proc/self/ns/net", O_RDONLY), "namespace", NULL },
	};
	struct arena arena = { 0 };
	struct census c;

	take(&c);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char text[256];

		if (table[i].fd < 0)
			continue;
		struct item item = describe(&c, LT_KIND_FD, (uint64_t)table[i].fd, &arena);

		assert_field_number(&item, "fd", table[i].fd);
		assert_field(&item, "type", table[i].type);
		if (table[i].target) {
			snprintf(text, sizeof(text), "%d -> %s", table[i].fd, table[i].target);
			assert_field(&item, "target", table[i].target);
			assert_string_equal(item.text, text);
		}
		assert_null(item.note);
		close(table[i].fd);
	}
	assert_non_null(
		strstr(describe(&c, LT_KIND_FD, (uint64_t)table[9].fd, &arena).text, " -> "));
	close(pair[1]);
	census_deinit(&c);
	arena_deinit(&arena);
}

/* The deleted file keeps its mark; bytes of a name stay as they are. */
static void test_descriptor_names(void **state)
{
	const int deleted = open_deleted(), odd = memfd_create("x\ny \xff", 0);
	struct arena arena = { 0 };
	struct census c;
	struct item item;

	take(&c);
	item = describe(&c, LT_KIND_FD, (uint64_t)deleted, &arena);
	assert_non_null(strstr(field(&item, "target")->string, " (deleted)"));
	item = describe(&c, LT_KIND_FD, (uint64_t)odd, &arena);
	assert_field(&item, "target", "/memfd:x\ny \xff (deleted)");
	close(deleted);
	close(odd);
	census_deinit(&c);
	arena_deinit(&arena);
}

/* Files that lie in memory alone say how much they take; no others do. */
static void test_descriptors_of_memory(void **state)
{
	const int memory = memfd_create("cache", 0), empty = memfd_create("empty", 0);
	const int shared = shm_open("/leaktrace-test", O_RDWR | O_CREAT, 0600), file = open_deleted();
	char megabyte[1 << 20] = "x", text[128];
	struct arena arena = { 0 };
	struct census c;
	struct item item;

	shm_unlink("/leaktrace-test");
	for (int i = 0; i < 3; i++)
		assert_int_equal(write(memory, megabyte, sizeof(megabyte)), sizeof(megabyte));
	assert_int_equal(write(shared, megabyte, 8192), 8192);
	assert_int_equal(write(file, megabyte, 8192), 8192);
	take(&c);
	item = describe(&c, LT_KIND_FD, (uint64_t)memory, &arena);
	assert_field_number(&item, "memory_bytes", 3 << 20);
	snprintf(text, sizeof(text), "%d -> /memfd:cache (deleted), 3.0 MiB of memory", memory);
	assert_string_equal(item.text, text);
	item = describe(&c, LT_KIND_FD, (uint64_t)shared, &arena);
	assert_field_number(&item, "memory_bytes", 8192);
	item = describe(&c, LT_KIND_FD, (uint64_t)empty, &arena);
	assert_false(field(&item, "memory_bytes")->has_number);
	item = describe(&c, LT_KIND_FD, (uint64_t)file, &arena);
	assert_false(field(&item, "memory_bytes")->has_number);
	close(memory);
	close(empty);
	close(shared);
	close(file);
	census_deinit(&c);
	arena_deinit(&arena);
}

/* One socket in many descriptors is one connection, and nothing here takes quadratic time. */
static void test_many_descriptors(void **state)
{
	struct rlimit limit, before;
	size_t open_before, n = 0;
	struct census c;
	struct stat st;
	int pair[2], *fds;

	getrlimit(RLIMIT_NOFILE, &before);
	limit = before;
	limit.rlim_cur = limit.rlim_max > 50000 ? 50000 : limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	fds = calloc(limit.rlim_cur, sizeof(*fds));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	take(&c);
	open_before = c.fds.n;
	census_deinit(&c);
	/* some left for the census itself */
	while (open_before + n + 20 < limit.rlim_cur && (fds[n] = dup(pair[0])) >= 0)
		n++;
	take(&c);
	assert_in_range(c.fds.n, open_before + n, open_before + n + 1);
	assert_int_equal(fstat(pair[0], &st), 0);
	assert_true(listed(&c, LT_KIND_CONNECTION, st.st_ino));
	assert_int_equal(census_socket_fd(&c, st.st_ino)->fd, pair[0]);
	vec_foreach(f, &c.fds)
		assert_ptr_equal(census_fd(&c, f->fd), f);
	census_deinit(&c);
	close(pair[0]);
	while (n--)
		close(fds[n]);
	take(&c);
	assert_false(holds(&c, LT_KIND_CONNECTION, st.st_ino));
	census_deinit(&c);
	close(pair[1]);
	free(fds);
	setrlimit(RLIMIT_NOFILE, &before);
}

/* -- threads -------------------------------------------------------------------------------------
 */

#define THREADS 7

struct sleeper {
	pthread_t thread;
	pthread_barrier_t *started, *end;
	pid_t tid;
};

static void *sleeper(void *arg)
{
	struct sleeper *s = arg;

	s->tid = gettid();
	prctl(PR_SET_NAME, "a) Z\n(\xff\\n");
	pthread_barrier_wait(s->started);
	pthread_barrier_wait(s->end);
	return NULL;
}

static void test_threads(void **state)
{
	struct sleeper s[THREADS];
	pthread_barrier_t started, end;
	struct arena arena = { 0 };
	struct item item;
	struct census c;
	uint64_t threads, now;

	pthread_barrier_init(&started, NULL, THREADS + 1);
	pthread_barrier_init(&end, NULL, THREADS + 1);
	for (size_t i = 0; i < THREADS; i++) {
		s[i] = (struct sleeper){ .started = &started, .end = &end };
		assert_int_equal(pthread_create(&s[i].thread, NULL, sleeper, &s[i]), 0);
	}
	pthread_barrier_wait(&started);
	take(&c);
	assert_int_equal(procfs_status(getpid(), "Threads", &threads), 0);
	assert_int_equal(list_size(&c, LT_KIND_THREAD), threads);
	assert_true(holds(&c, LT_KIND_THREAD, (uint64_t)getpid()));
	for (size_t i = 0; i < THREADS; i++) {
		assert_true(listed(&c, LT_KIND_THREAD, (uint64_t)s[i].tid));
		item = describe(&c, LT_KIND_THREAD, (uint64_t)s[i].tid, &arena);
		assert_field(&item, "name", "a) Z\n(\xff\\n");
		assert_field_number(&item, "tid", s[i].tid);
	}
	census_deinit(&c);
	pthread_barrier_wait(&end);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(s[i].thread, NULL);
	do /* a thread that can be joined is not quite gone yet */
		assert_int_equal(procfs_status(getpid(), "Threads", &now), 0);
	while (now > threads - THREADS);
	take(&c);
	assert_int_equal(list_size(&c, LT_KIND_THREAD), now);
	assert_false(holds(&c, LT_KIND_THREAD, (uint64_t)s[0].tid));
	census_deinit(&c);
	arena_deinit(&arena);
}

static void test_unjoined(void **state)
{
	struct arena arena = { 0 };
	struct item item;
	struct census c;

	take(&c);
	assert_int_equal(list_size(&c, LT_KIND_UNJOINED), 0);
	assert_true(holds(&c, LT_KIND_UNJOINED, 4711));
	item = describe(&c, LT_KIND_UNJOINED, 4711, &arena);
	assert_field_number(&item, "tid", 4711);
	assert_string_equal(item.note,
			    "ended, never joined or detached: its stack is not given back");
	census_deinit(&c);
	arena_deinit(&arena);
}

static void *tell_and_sleep(void *arg)
{
	struct timespec a_millisecond = { .tv_nsec = 1000000 };
	struct task_stat leader;

	do
		nanosleep(&a_millisecond, NULL);
	while (task_stat_read(getpid(), &leader) || leader.state != 'Z');
	if (write(*(int *)arg, "", 1) != 1)
		_exit(1);
	pause();
	return NULL;
}

/* /proc/PID/fd of a process whose first thread has ended shows none of its descriptors. */
static void test_first_thread_ended(void **state)
{
	uint64_t threads;
	struct census c;
	pthread_t t;
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork_child();
	if (!pid) {
		pthread_create(&t, NULL, tell_and_sleep, &ready[1]);
		syscall(SYS_exit, 0); /* of this thread only */
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(census_take(pid, UINT32_MAX, &c), 0);
	assert_true(holds(&c, LT_KIND_FD, (uint64_t)ready[1]));
	assert_int_equal(procfs_status(pid, "Threads", &threads), 0);
	assert_true(threads >= 2); /* a sanitizer may have one of its own */
	assert_int_equal(list_size(&c, LT_KIND_THREAD), threads);
	census_deinit(&c);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(ready[0]);
	close(ready[1]);
}

/* -- children ------------------------------------------------------------------------------------
 */

static void test_children(void **state)
{
	struct arena arena = { 0 };
	struct item item;
	struct census c;
	pid_t zombie, child[3];
	siginfo_t info;
	int named[2];
	char byte;

	assert_int_equal(pipe(named), 0);
	for (size_t i = 0; i < 3; i++) {
		child[i] = fork_child();
		if (!child[i]) {
			prctl(PR_SET_NAME, "b) Z 1 (\n\\");
			if (write(named[1], "", 1) == 1)
				pause();
			_exit(1);
		}
		assert_int_equal(read(named[0], &byte, 1), 1);
	}
	zombie = child[1];
	take(&c);
	assert_int_equal(list_size(&c, LT_KIND_CHILD), 3);
	assert_int_equal(list_size(&c, LT_KIND_ZOMBIE), 0);
	assert_true(listed(&c, LT_KIND_CHILD, (uint64_t)zombie));
	item = describe(&c, LT_KIND_CHILD, (uint64_t)zombie, &arena);
	assert_field(&item, "name", "b) Z 1 (\n\\");
	assert_field_number(&item, "pid", zombie);
	assert_null(item.note);
	census_deinit(&c);

	kill(zombie, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)zombie, &info, WEXITED | WNOWAIT), 0);
	take(&c);
	assert_int_equal(list_size(&c, LT_KIND_CHILD), 2);
	assert_false(holds(&c, LT_KIND_CHILD, (uint64_t)zombie));
	assert_true(holds(&c, LT_KIND_ZOMBIE, (uint64_t)zombie));
	assert_true(listed(&c, LT_KIND_ZOMBIE, (uint64_t)zombie));
	assert_false(holds(&c, LT_KIND_ZOMBIE, (uint64_t)child[0]));
	item = describe(&c, LT_KIND_ZOMBIE, (uint64_t)zombie, &arena);
	assert_field(&item, "state", "zombie");
	assert_string_equal(item.note, "ended, never waited for");
	census_deinit(&c);

	/* of a process that has ended, there is no census */
	assert_int_equal(census_take(zombie, UINT32_MAX, &c), -ESRCH);
	waitpid(zombie, NULL, 0);
	assert_int_equal(census_take(zombie, UINT32_MAX, &c), -ESRCH);
	for (size_t i = 0; i < 3; i++) {
		kill(child[i], SIGKILL);
		waitpid(child[i], NULL, 0);
	}
	take(&c);
	assert_int_equal(list_size(&c, LT_KIND_CHILD) + list_size(&c, LT_KIND_ZOMBIE), 0);
	census_deinit(&c);
	close(named[0]);
	close(named[1]);
	arena_deinit(&arena);
}

static void *fork_and_wait(void *arg)
{
	pthread_barrier_t *steps = arg;
	pid_t pid = fork_child();

	if (!pid) {
		pause();
		_exit(1);
	}
	pthread_barrier_wait(steps);
	pthread_barrier_wait(steps);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return NULL;
}

static void test_child_of_a_thread(void **state)
{
	pthread_barrier_t steps;
	struct census c;
	pthread_t t;

	pthread_barrier_init(&steps, NULL, 2);
	assert_int_equal(pthread_create(&t, NULL, fork_and_wait, &steps), 0);
	pthread_barrier_wait(&steps);
	take(&c);
	assert_int_equal(list_size(&c, LT_KIND_CHILD), 1);
	census_deinit(&c);
	pthread_barrier_wait(&steps);
	pthread_join(t, NULL);
}

static void test_stat_lines(void **state)
{
	static const char good[] = "12 (a) b) c\\nd\\\\) Z 7 12 12 0 -1 ...";
	static const char kernels[] = "9 (kworker/0:1) I 2 0 0 0 -1 69238880 0 0";
	static const char ending[] = "9 (a) R 2 0 0 0 -1 4194308 0 0";
	static const char *const bad[] = { "",		 "12",	       "12 (a",
					   "12 a) Z 7",	 "12 (a) Z",   "x (a) Z 7",
					   "12 (a) Z x", "-1 (a) Z 7", "12 )a( Z 7" };
	struct task_stat t;

	assert_int_equal(task_stat_parse(good, strlen(good), &t), 0);
	assert_int_equal(t.pid, 12);
	assert_int_equal(t.ppid, 7);
	assert_true(task_stat_ended(&t));
	assert_string_equal(t.name, "a) b) c\nd\\");
	assert_false(task_stat_is_kernels(&t));
	assert_int_equal(task_stat_parse(kernels, strlen(kernels), &t), 0);
	assert_true(task_stat_is_kernels(&t) && !task_stat_is_ending(&t) && !task_stat_ended(&t));
	assert_int_equal(task_stat_parse(ending, strlen(ending), &t), 0);
	assert_true(!task_stat_is_kernels(&t) && task_stat_is_ending(&t) && !task_stat_ended(&t));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(task_stat_parse(bad[i], strlen(bad[i]), &t), -EBADMSG);
}

/* -- all of it -----------------------------------------------------------------------------------
 */

static void test_only_what_is_needed(void **state)
{
	struct census c;

	assert_int_equal(census_take(getpid(), 1U << LT_KIND_THREAD, &c), 0);
	assert_int_equal(c.fds.n, 0);
	assert_int_equal(c.sockets.n, 0);
	assert_true(c.threads.n >= 1);
	assert_true(c.began_ns > 0);
	census_deinit(&c);
	assert_int_equal(census_take(getpid(), 1U << LT_KIND_FD, &c), 0);
	assert_true(c.fds.n >= 3);
	assert_int_equal(c.threads.n, 0);
	census_deinit(&c);
	assert_int_equal(census_take(999999999, UINT32_MAX, &c), -ESRCH);
}

static void test_every_kind(void **state)
{
	const struct holding h = { .id = 3, .acquired_ns = 5000000000, .now_ns = 6500000000 };
	struct arena arena = { 0 };
	struct item item;

	assert_null(kind_of(LT_KIND_MEMORY));
	for (int k = 0; k < LT_KIND_MAX; k++) {
		if (LT_KINDS_MEMORY >> k & 1)
			continue;
		assert_int_equal(kind_of(k)->id, k);
		/* the process has ended */
		assert_int_equal(kind_of(k)->describe(NULL, &h, &arena, &item), 0);
		assert_non_null(item.text);
		assert_true(item.age_seconds == 1.5);
		for (size_t i = 0; i < item.n_fields; i++)
			assert_null(item.fields[i].string);
		assert_true(describe(NULL, k, 3, &arena).age_seconds < 0);
	}
	arena_deinit(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_descriptors_as_in_proc),
		cmocka_unit_test(test_descriptor_types),
		cmocka_unit_test(test_descriptor_names),
		cmocka_unit_test(test_descriptors_of_memory),
		cmocka_unit_test(test_many_descriptors),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_unjoined),
		cmocka_unit_test(test_first_thread_ended),
		cmocka_unit_test(test_children),
		cmocka_unit_test(test_child_of_a_thread),
		cmocka_unit_test(test_stat_lines),
		cmocka_unit_test(test_only_what_is_needed),
		cmocka_unit_test(test_every_kind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
