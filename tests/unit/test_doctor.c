// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "app/doctor.h"
#include "app/doctor_words.h"

static const struct host_facts root = { .attach_used = "perf" };

static void assert_says(struct doctor_words w, const char *why, const char *remedy)
{
	assert_non_null(w.why);
	if (!strstr(w.why, why))
		fail_msg("'%s' is not in '%s'", why, w.why);
	if (remedy)
		assert_non_null(w.remedy);
	if (remedy && !strstr(w.remedy, remedy))
		fail_msg("'%s' is not in '%s'", remedy, w.remedy);
}

/* -- words ------------------------------------------------------------------------------------ */

/* Each error that kernels give. */
static void test_hook_words(void **state)
{
	static const struct {
		enum hook_way way;
		int error;
		const char *why;
	} cases[] = {
		{ HOOK_FENTRY, ENOENT, "BTF" },
		{ HOOK_FENTRY, ESRCH, "BTF" },
		{ HOOK_FENTRY, 524, "CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS" },
		{ HOOK_FENTRY, EOPNOTSUPP, "CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS" },
		{ HOOK_FENTRY, EINVAL, "trampolines" },
		{ HOOK_FENTRY, EBUSY, "live patch" },
		{ HOOK_FENTRY, ENODEV, "switched off" },
		{ HOOK_KPROBE_MULTI, EINVAL, "5.18" },
		{ HOOK_KPROBE_MULTI, EOPNOTSUPP, "CONFIG_FPROBE" },
		{ HOOK_KPROBE_MULTI, ESRCH, "no such function" },
		{ HOOK_KPROBE, EOPNOTSUPP, "CONFIG_KPROBES" },
		{ HOOK_KPROBE, ENOENT, "no such function" },
		{ HOOK_TRACEPOINT, ENOENT, "without this tracepoint" },
		{ HOOK_TRACEPOINT, EINVAL, "CONFIG_BPF_EVENTS" },
		{ HOOK_FENTRY, -HOOK_PREEMPTED, "may preempt" },
		{ HOOK_TRACEPOINT, -HOOK_PREEMPTED, "may preempt" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_says(doctor_hook_words(cases[i].way, -cases[i].error, &root), cases[i].why, NULL);
}

static void test_what_is_not_permitted(void **state)
{
	struct host_facts nobody = { .caps = -EPERM }, locked = { .lockdown = "confidentiality" };

	for (int way = 0; way < HOOK_WAY_MAX; way++) {
		assert_says(doctor_hook_words((enum hook_way)way, -EPERM, &nobody), "permissions", NULL);
		assert_says(doctor_hook_words((enum hook_way)way, -EACCES, &nobody), "permissions", NULL);
		assert_says(doctor_hook_words((enum hook_way)way, -EPERM, &locked), "locked down",
			    "Secure Boot");
		assert_says(doctor_hook_words((enum hook_way)way, -EPERM, &root), "even to root", "seccomp");
	}
}

/* An error that nobody has thought of is told as the system tells it. */
static void test_other_errors(void **state)
{
	assert_says(doctor_hook_words(HOOK_KPROBE, -EMLINK, &root), strerror(EMLINK), NULL);
	assert_null(doctor_hook_words(HOOK_KPROBE, -EMLINK, &root).remedy);
}

static void test_attach_words(void **state)
{
	static const struct {
		struct attach_fact fact;
		const char *why;
	} cases[] = {
		{ { "session", -EINVAL, 0 }, "6.13" },
		{ { "session", 0, -EINVAL }, "6.13" },
		{ { "multi", 0, -EINVAL }, "6.6" },
		{ { "multi", 0, -ENOTSUP }, "6.10" },
		{ { "perf", 0, -ENOENT }, "CONFIG_UPROBES" },
		{ { "perf", -E2BIG, 0 }, "verifier" },
	};
	struct attach_fact works = { "perf", 0, 0 };

	assert_null(doctor_attach_words(&works, &root).why);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_says(doctor_attach_words(&cases[i].fact, &root), cases[i].why, NULL);
}

static void test_host_words(void **state)
{
	struct host_facts f = { .statistics = -EINVAL, .sock_diag = -ENOENT };

	assert_says(doctor_statistics_words(&f), "too old", NULL);
	assert_says(doctor_sock_diag_words(&f), "module", "modprobe");
	assert_null(doctor_statistics_words(&root).why);
	assert_null(doctor_sock_diag_words(&root).why);
}

static void test_target_words(void **state)
{
	struct host_facts kills = { .return_probes_kill = true };
	struct target_facts confined = { .seccomp = 2, .allocator = true }, bare = { 0 };
	uint32_t memory = 1U << LT_KIND_MEMORY, fd = 1U << LT_KIND_FD;

	assert_says(doctor_target_words(&confined, memory | fd, &kills), "seccomp", "-w connection,fd");
	assert_null(doctor_target_words(&confined, fd, &kills).why);
	assert_null(doctor_target_words(&confined, memory | fd, &root).why);
	assert_says(doctor_target_words(&bare, memory, &root), "allocator", "-w");
	assert_null(doctor_target_words(&bare, memory | fd, &root).why);
}

/* -- text ------------------------------------------------------------------------------------- */

static char *text_of(const struct doctor *d)
{
	struct report_style style = { 0 };
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	assert_non_null(out);
	doctor_text(d, &style, out);
	fclose(out);
	return text;
}

/* Every hook stands there, with the way that it got and why not the better ones. */
static void test_hooks_in_text(void **state)
{
	struct options o = { .kinds = ~0U };
	struct doctor d = { .options = &o, .host = root };
	size_t n;
	const struct hook *all = hooks_all(&n);
	_cleanup_free_ char *text = NULL;

	for (size_t i = 0; i < n; i++) {
		struct hook_choice c = { .hook = &all[i], .row = i ? &all[i].rows[all[i].n_rows - 1] : NULL };

		c.refused[0] = i ? 0 : -EOPNOTSUPP;
		assert_int_equal(vec_push(&d.host.hooks, c), 0);
	}
	d.host.all_syscalls = true;
	d.host.syscall_ns = 71.3;
	text = text_of(&d);
	for (size_t i = 0; i < n; i++)
		assert_non_null(strstr(text, all[i].what));
	assert_non_null(strstr(text, "descriptors     none works"));
	assert_non_null(strstr(text, "not fentry: this kernel is built without"));
	assert_non_null(strstr(text, "waits           tracepoint"));
	assert_non_null(strstr(text, "71 ns each"));
	vec_free(&d.host.hooks);
}

/* Names of files may hold anything. */
static void test_foreign_names(void **state)
{
	struct options o = { .kinds = ~0U };
	struct doctor d = { .options = &o, .host = root };
	char comm[] = "a\033[2J", exe[] = "/tmp/x\ny";
	struct doctor_target t = { .target = { .pid = 7, .comm = comm, .exe = exe } };
	struct module_fact m = { .path = "/tmp/b\033c", .allocator = "glibc", .n_allocator = 1 };
	_cleanup_free_ char *text = NULL;

	assert_int_equal(vec_push(&t.facts.code, m), 0);
	assert_int_equal(vec_push(&d.targets, t), 0);
	text = text_of(&d);
	assert_null(strchr(text, '\033'));
	assert_null(strstr(text, "x\ny"));
	assert_non_null(strstr(text, "glibc in /tmp/b\\x1bc: 1 function\n"));
	assert_non_null(strstr(text, "none  /tmp/b"));
	vec_free(&d.targets);
	vec_free(&t.facts.code);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hook_words),
		cmocka_unit_test(test_what_is_not_permitted),
		cmocka_unit_test(test_other_errors),
		cmocka_unit_test(test_attach_words),
		cmocka_unit_test(test_host_words),
		cmocka_unit_test(test_target_words),
		cmocka_unit_test(test_hooks_in_text),
		cmocka_unit_test(test_foreign_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
