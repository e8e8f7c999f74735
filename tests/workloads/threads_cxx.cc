// SPDX-License-Identifier: Apache-2.0
/* std::thread: joined, detached, and a pool that is never joined. */
#include <thread>
#include <vector>
#include <atomic>
#include <sys/syscall.h>
#include "held.h"

#define HELD_BY(function)                                                                          \
	HELD(running_##function, "thread/running", function, "pthread_create");                    \
	HELD_NET(unjoined_##function, "thread/unjoined", function, "pthread_create")

HELD_BY(start_pool);
HELD_BY(start_joined);
HELD_BY(start_detached);
HELD_BY(start_running);

static long threads_before;

static void ended(struct held *running, struct held *unjoined, bool gone)
{
	held_gave(running);
	held_got(unjoined);
	if (gone)
		held_gave(unjoined);
}

static NOINLINE void start_pool(std::vector<std::thread> &pool)
{
	for (int i = 0; i < 13; i++) {
		pool.emplace_back([] {});
		held_got(&running_start_pool);
	}
	for (int i = 0; i < 13; i++)
		ended(&running_start_pool, &unjoined_start_pool, false);
}

static NOINLINE void start_joined()
{
	for (int i = 0; i < 7; i++) {
		std::thread t([] {});

		held_got(&running_start_joined);
		t.join();
		ended(&running_start_joined, &unjoined_start_joined, true);
	}
}

static NOINLINE void start_detached()
{
	for (int i = 0; i < 5; i++) {
		std::thread t([] {});

		held_got(&running_start_detached);
		t.detach();
		ended(&running_start_detached, &unjoined_start_detached, true);
	}
}

static NOINLINE void start_running(std::vector<std::thread> &pool)
{
	for (int i = 0; i < 3; i++) {
		pool.emplace_back([] {
			for (;;)
				pause();
		});
		held_got(&running_start_running);
	}
}

static void work(int thread)
{
	auto *pool = new std::vector<std::thread>; /* never destroyed: that would end the program */

	start_pool(*pool);
	start_joined();
	start_detached();
	start_running(*pool);
}

static void prepare()
{
	threads_before = threads_running();
}

static void finish()
{
	AWAIT(threads_running() == threads_before + held_now("thread/running"), "wrong count");
	say("system thread/running %ld\n", threads_running());
	for (const char *f : { "start_pool", "start_joined", "start_detached", "start_running" })
		say("wrapped %s 1\n", f);
	say_held();
}

int main(int argc, char **argv)
{
	struct workload_parts parts = { prepare, work, finish };

	return workload_run_parts(argc, argv, parts);
}
