/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What workloads share that hold descriptors, connections, threads and children. Their truth:
 *
 *	held KIND FUNCTION VIA GOT GAVE [net]	acquired by FUNCTION through VIA, and released again
 *	before KIND N				held when the work began
 *	system KIND N				held now, as the system itself says
 *
 * KIND is "fd", or a kind and its state: "connection/open". With `net` only the difference is sure: how
 * often a state is passed through depends on who is faster.
 */
#pragma once
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include "workload.h"

#define FDS_MAX 16384

struct held {
	const char *kind, *function, *via;
	long got, gave;
	bool net;
} __attribute__((aligned(64)));

#define HELD(id, kind, function, via)                                                              \
	static struct held id __attribute__((section("helds"), used)) = { kind, #function, via, 0,  \
									  0,    false }
#define HELD_NET(id, kind, function, via)                                                          \
	static struct held id __attribute__((section("helds"), used)) = { kind, #function, via, 0,  \
									  0,    true }

extern struct held __start_helds[] WEAK, __stop_helds[] WEAK;

static inline void held_got(struct held *h)
{
	__atomic_fetch_add(&h->got, 1, __ATOMIC_RELAXED);
}

static inline void held_gave(struct held *h)
{
	__atomic_fetch_add(&h->gave, 1, __ATOMIC_RELAXED);
}

static inline long held_now(const char *kind)
{
	long n = 0;

	for (struct held *h = __start_helds; h < __stop_helds; h++)
		n += strcmp(h->kind, kind) ? 0 : h->got - h->gave;
	return n;
}

/* What this system refused is no part of the truth. */
static inline void say_held(void)
{
	for (struct held *h = __start_helds; h < __stop_helds; h++)
		if (h->got || h->gave || h->net)
			say("held %s %s %s %ld %ld%s\n", h->kind, h->function, h->via, h->got, h->gave,
			    h->net ? " net" : "");
}

/* Repeats until the system shows what must be: what ends does so in its own time. */
#define AWAIT(condition, what)                                                                     \
	do {                                                                                       \
		for (int await_i = 0; !(condition); await_i++) {                                   \
			expect(await_i < 600000, what);                                            \
			usleep(100);                                                               \
		}                                                                                  \
	} while (0)

/* -- descriptors and the connections behind them -------------------------------------------------- */
struct connection {
	struct held *held; /* NULL: a socket that is not connected */
	long copies;
};

struct descriptor {
	struct held *held; /* NULL: none, or one that was there before */
	struct connection *connection;
};

static struct descriptor descriptors[FDS_MAX];
static struct connection connections[FDS_MAX];
static int n_connections;
static long fds_before, fds_before_lost;

/* A descriptor has come. False when the system refused. */
static inline bool took_fd(struct held *h, int fd)
{
	if (fd < 0)
		return false;
	expect(fd < FDS_MAX && !descriptors[fd].held, "a descriptor's number is wrong");
	held_got(h);
	descriptors[fd].held = h;
	return true;
}

/* ... of a new socket. */
static inline bool took_socket(struct held *h, int fd)
{
	int i;

	if (!took_fd(h, fd))
		return false;
	i = __atomic_fetch_add(&n_connections, 1, __ATOMIC_RELAXED);
	expect(i < FDS_MAX, "too many sockets");
	connections[i].copies = 1;
	descriptors[fd].connection = &connections[i];
	return true;
}

/* ... of the socket that `of` is one of, too. */
static inline bool took_copy(struct held *h, int fd, int of)
{
	if (!took_fd(h, fd))
		return false;
	descriptors[fd].connection = descriptors[of].connection;
	__atomic_fetch_add(&descriptors[fd].connection->copies, 1, __ATOMIC_RELAXED);
	return true;
}

static inline void connected(struct held *h, int fd)
{
	held_got(h);
	descriptors[fd].connection->held = h;
}

static inline void disconnected(int fd)
{
	held_gave(descriptors[fd].connection->held);
	descriptors[fd].connection->held = NULL;
}

/* A descriptor is about to go: before it does, for then another thread may get its number. */
static inline int losing_fd(int fd)
{
	struct descriptor *d = &descriptors[fd];
	struct connection *c = d->connection;

	if (d->held)
		held_gave(d->held);
	else
		__atomic_fetch_add(&fds_before_lost, 1, __ATOMIC_RELAXED);
	if (c && !__atomic_sub_fetch(&c->copies, 1, __ATOMIC_RELAXED) && c->held)
		held_gave(c->held);
	d->held = NULL;
	d->connection = NULL;
	return fd;
}

/* Without opening one. */
static inline long fds_held(void)
{
	long n = 0;

	for (int fd = 0; fd < FDS_MAX; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static inline void fds_prepare(void)
{
	struct rlimit limit = { FDS_MAX, FDS_MAX };

	mallopt(M_ARENA_MAX, 4); /* or a thread's first malloc opens a file to count the CPUs */
	expect(!setrlimit(RLIMIT_NOFILE, &limit), "setrlimit failed");
	signal(SIGPIPE, SIG_IGN);
	fds_before = fds_held();
	say("before fd %ld\n", fds_before);
}

/* The workload's own books must be right before leaktrace's are compared with them. */
static inline void fds_finish(void)
{
	long n = fds_held();

	if (n != fds_before - fds_before_lost + held_now("fd")) {
		fprintf(stderr, "%ld descriptors are held, not %ld - %ld + %ld\n", n, fds_before,
			fds_before_lost, held_now("fd"));
		fail("the workload's own count is wrong");
	}
	if (fds_before_lost)
		say("unmatched %ld\n", fds_before_lost);
	say("system fd %ld\n", n);
	say_held();
}

/* -- threads -------------------------------------------------------------------------------------- */
static inline long threads_running(void)
{
	char line[256];
	long n = 0;
	FILE *f = fopen("/proc/self/status", "re");

	expect(f != NULL, "/proc/self/status is not there");
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, "Threads:", 8))
			n = atol(line + 8);
	fclose(f);
	return n;
}

/* -- children ------------------------------------------------------------------------------------- */
/* Ends with its parent. */
static inline void child_stays(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (getppid() == parent)
		pause();
	_exit(0);
}

/* Waits until the child has ended, without reaping it. */
static inline void await_zombie(pid_t pid)
{
	siginfo_t info;

	expect(!waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), "waitid failed");
}

/* Counts those that are in `state` ('Z'), or in any other. */
static inline long children_in(char state, bool any_other)
{
	DIR *proc = opendir("/proc");
	const pid_t self = getpid();
	struct dirent *entry;
	long n = 0;

	expect(proc != NULL, "/proc is not there");
	while ((entry = readdir(proc))) {
		char path[300], line[512] = "", *end, is;
		FILE *f;
		int parent;

		snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
		f = *entry->d_name >= '1' && *entry->d_name <= '9' ? fopen(path, "re") : NULL;
		if (!f)
			continue;
		end = fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
		fclose(f);
		if (end && sscanf(end, ") %c %d", &is, &parent) == 2 && parent == self)
			n += (is == state) != any_other;
	}
	closedir(proc);
	return n;
}

/* Until as many have ended and run as the workload's own books say. */
static inline void await_children(void)
{
	AWAIT(children_in('Z', false) == held_now("process/zombie"), "wrong count of zombies");
	AWAIT(children_in('Z', true) == held_now("process/running"), "wrong count of children");
	say("system process/zombie %ld\n", children_in('Z', false));
	say("system process/running %ld\n", children_in('Z', true));
}
