// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/helper.h"

#define SECOND	   1000000000ULL
#define PLENTY_MS  10000
#define HASTE_MS   100
#define LONG_BYTES 3000017

/* What the helper of these tests is told to do, by the first byte of a request. */
enum task { ECHO, COUNT, HANG, CRASH, GROW, GIVE_FD, TAKE_FD, COUNT_FDS };

static int start(void **ret)
{
	*ret = calloc(1, sizeof(unsigned int));
	return 0;
}

static int grow(void)
{
	for (int i = 0; i < 1024; i++) {
		/* not malloc(), which sanitizers have end the process */
		char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			return -ENOMEM;
		memset(p, 1, 1 << 20);
	}
	return 0;
}

static int count_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static int serve(void *state, const struct helper_message *request, struct helper_answer *answer)
{
	unsigned int *count = state;
	char byte = 0;

	++*count;
	switch (*(const char *)request->bytes) {
	case ECHO:
		strbuf_add(&answer->bytes, request->bytes, request->n);
		return 0;
	case COUNT:
		return (int)*count;
	case HANG:
		pause();
		return 0;
	case CRASH:
		raise(SIGKILL);
		return 0;
	case GROW:
		return grow();
	case GIVE_FD:
		answer->fds[1] = memfd_create("given", MFD_CLOEXEC);
		return write(answer->fds[1], "x", 1) == 1 ? 0 : -EIO;
	case TAKE_FD:
		if (pread(request->fds[0], &byte, 1, 0) != 1)
			return -EIO;
		close(request->fds[0]);
		return byte;
	default:
		return count_fds();
	}
}

static const struct helper_kind kind = {
	.name = "test-helper", .memory = 64 << 20, .start = start, .serve = serve,
};

static int call(struct helper *h, enum task task, int fd, int timeout_ms, struct helper_message *ret)
{
	char byte = (char)task;

	return helper_call(h, &(struct helper_message){ &byte, 1, { fd, -1 } }, timeout_ms, ret);
}

static int tell(struct helper *h, enum task task)
{
	struct helper_message answer;

	return call(h, task, -1, PLENTY_MS, &answer);
}

/* Also more than any socket's buffer holds. */
static void test_answers(void **state)
{
	struct helper h = { .kind = &kind };
	_cleanup_free_ char *bytes = malloc(LONG_BYTES);
	struct helper_message answer;

	assert_non_null(bytes);
	for (size_t i = 0; i < LONG_BYTES; i++)
		bytes[i] = (char)(i * i >> 7);
	bytes[0] = ECHO;
	assert_int_equal(helper_call(&h, &(struct helper_message){ bytes, LONG_BYTES, { -1, -1 } },
				     PLENTY_MS, &answer), 0);
	assert_int_equal(answer.n, LONG_BYTES);
	assert_memory_equal(answer.bytes, bytes, LONG_BYTES);
	assert_int_equal(answer.fds[0], -1);
	helper_deinit(&h);
}

static void test_descriptors_go_both_ways(void **state)
{
	struct helper h = { .kind = &kind };
	_cleanup_close_ int fd = memfd_create("taken", MFD_CLOEXEC);
	struct helper_message answer;
	char byte;

	assert_int_equal(write(fd, "A", 1), 1);
	assert_int_equal(call(&h, TAKE_FD, fd, PLENTY_MS, &answer), 'A');
	assert_int_equal(call(&h, GIVE_FD, -1, PLENTY_MS, &answer), 0);
	assert_int_equal(answer.fds[0], -1);
	assert_int_equal(pread(answer.fds[1], &byte, 1, 0), 1);
	assert_int_equal(byte, 'x');
	close(answer.fds[1]);
	helper_deinit(&h);
}

/* Else what is traced would stay so for as long as a helper hangs. */
static void test_has_no_descriptors_of_ours(void **state)
{
	struct helper h = { .kind = &kind };
	_cleanup_close_ int fd = memfd_create("ours", 0);

	assert_true(fd >= 0);
	assert_int_equal(tell(&h, COUNT_FDS), 4); /* the standard ones and the socket */
	helper_deinit(&h);
}

static void test_is_given_up_when_it_hangs(void **state)
{
	struct helper h = { .kind = &kind };
	uint64_t began_ns;
	struct helper_message answer;

	assert_int_equal(tell(&h, COUNT), 1);
	assert_int_equal(tell(&h, COUNT), 2);
	began_ns = clock_now();
	assert_int_equal(call(&h, HANG, -1, HASTE_MS, &answer), -ETIMEDOUT);
	assert_true(clock_now() - began_ns < SECOND);
	assert_int_equal(tell(&h, COUNT), 1); /* another one */
	helper_deinit(&h);
	assert_int_equal(h.given_up.n, 0);
}

static void test_survives_its_crash(void **state)
{
	struct helper h = { .kind = &kind };

	assert_int_equal(tell(&h, CRASH), -ECONNRESET);
	assert_int_equal(tell(&h, COUNT), 1);
	helper_deinit(&h);
}

static void test_memory_is_limited(void **state)
{
	struct helper h = { .kind = &kind };

	assert_int_equal(tell(&h, GROW), -ENOMEM);
	helper_stop(&h);
	assert_int_equal(tell(&h, COUNT), 1);
	helper_deinit(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_descriptors_go_both_ways),
		cmocka_unit_test(test_has_no_descriptors_of_ours),
		cmocka_unit_test(test_is_given_up_when_it_hangs),
		cmocka_unit_test(test_survives_its_crash),
		cmocka_unit_test(test_memory_is_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
