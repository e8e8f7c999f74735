/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all workloads share. A workload acquires and releases prime numbers of things, counts them
 * itself and prints the truth, which the harness compares with leaktrace's report:
 *
 *	site FUNCTION VIA COUNT BYTES COUNT BYTES	acquired, released by FUNCTION through VIA
 *	NAME VALUE					anything else (see tests/lib/books.py), added up
 *
 * `PROGRAM [THREADS]` just runs. `PROGRAM wait [THREADS]` prints "ready PID", waits for a line on
 * stdin, does its work, prints the truth and "done", and lives on until the next line: so its books
 * can be compared while it holds what it holds. Nothing here allocates after "ready".
 */
#pragma once
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))

struct site {
	const char *function;
	const char *via; /* as the report names it; a|b: functions that share one address */
	long got, got_bytes, gave, gave_bytes;
} __attribute__((aligned(64))); /* or the compiler chooses one, and the section is no array */

/* Names a place that acquires: SITE(variable, function, "malloc"). */
#define SITE(id, function, via)                                                                    \
	static struct site id __attribute__((section("sites"), used)) = { #function, via, 0, 0, 0, 0 }

#define WEAK __attribute__((weak)) /* a program may have none of these */
extern struct site __start_sites[] WEAK, __stop_sites[] WEAK;

/* The compiler must believe that the block is used. */
static inline void *keep(void *p)
{
	__asm__ volatile("" : "+r"(p) : : "memory");
	return p;
}

static inline bool refused(void *p)
{
	return !keep(p);
}

/* Also hides the number from the compiler, which warns of sizes that must fail. */
static inline size_t opaque(size_t n)
{
	__asm__ volatile("" : "+r"(n));
	return n;
}

static inline void fail(const char *what)
{
	fprintf(stderr, "workload: %s\n", what);
	_exit(99);
}

static inline void expect(bool ok, const char *what)
{
	if (!ok)
		fail(what);
}

static inline void *got(struct site *s, void *p, size_t bytes)
{
	expect(p != NULL, "an allocation failed");
	__atomic_fetch_add(&s->got, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&s->got_bytes, bytes, __ATOMIC_RELAXED);
	return keep(p);
}

static inline void gave(struct site *s, size_t bytes)
{
	__atomic_fetch_add(&s->gave, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&s->gave_bytes, bytes, __ATOMIC_RELAXED);
}

/* A part of a mapping that is still there. */
static inline void gave_part(struct site *s, size_t bytes)
{
	__atomic_fetch_add(&s->gave_bytes, bytes, __ATOMIC_RELAXED);
}

static inline unsigned long now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (unsigned long)ts.tv_sec * 1000000000UL + (unsigned long)ts.tv_nsec;
}

__attribute__((format(printf, 1, 2))) static inline void say(const char *fmt, ...)
{
	char line[256];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	expect(write(STDOUT_FILENO, line, (size_t)n) == n, "stdout is closed");
}

static inline void await_line(void)
{
	char c;

	while (read(STDIN_FILENO, &c, 1) == 1 && c != '\n')
		;
}

static inline void say_truth(void)
{
	for (struct site *s = __start_sites; s < __stop_sites; s++)
		say("site %s %s %ld %ld %ld %ld\n", s->function, s->via, s->got, s->got_bytes,
		    s->gave, s->gave_bytes);
}

struct workload_parts {
	void (*prepare)(void); /* before "ready"; NULL: nothing */
	void (*work)(int thread);
	void (*finish)(void); /* after all of the work, before the truth is told; NULL: nothing */
};

struct workload {
	bool wait;
	int threads;
	struct workload_parts parts;
	pthread_barrier_t begin, end;
	int next;
};

static inline void workload_parse(struct workload *w, int argc, char **argv)
{
	w->threads = 1;
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "wait"))
			w->wait = true;
		else
			w->threads = atoi(argv[i]);
	}
	expect(w->threads > 0, "usage: PROGRAM [wait] [THREADS]");
}

static inline void workload_ready(const struct workload *w)
{
	if (w->parts.prepare)
		w->parts.prepare();
	if (!w->wait)
		return;
	say("ready %d\n", getpid());
	await_line();
}

static inline void workload_done(const struct workload *w)
{
	if (w->parts.finish)
		w->parts.finish();
	say_truth();
	say("done\n");
	if (w->wait)
		await_line();
}

static inline void *workload_thread(void *arg)
{
	struct workload *w = (struct workload *)arg;
	int thread = __atomic_fetch_add(&w->next, 1, __ATOMIC_RELAXED);

	pthread_barrier_wait(&w->begin);
	w->parts.work(thread);
	pthread_barrier_wait(&w->end);
	for (;;) /* a thread's end frees what glibc holds for it */
		pause();
	return NULL;
}

/* Runs the work in as many threads as asked for: one is the main thread. Returns main's status. */
static inline int workload_run_parts(int argc, char **argv, struct workload_parts parts)
{
	static struct workload w;
	pthread_t t;

	workload_parse(&w, argc, argv);
	w.parts = parts;
	if (w.threads == 1) {
		workload_ready(&w);
		parts.work(0);
		workload_done(&w);
		return 0;
	}
	pthread_barrier_init(&w.begin, NULL, (unsigned int)w.threads + 1);
	pthread_barrier_init(&w.end, NULL, (unsigned int)w.threads + 1);
	for (int i = 0; i < w.threads; i++)
		expect(!pthread_create(&t, NULL, workload_thread, &w), "pthread_create failed");
	workload_ready(&w);
	pthread_barrier_wait(&w.begin);
	pthread_barrier_wait(&w.end);
	workload_done(&w);
	return 0;
}

static inline int workload_run(int argc, char **argv, void (*work)(int thread))
{
	struct workload_parts parts = { NULL, work, NULL };

	return workload_run_parts(argc, argv, parts);
}
