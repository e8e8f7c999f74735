// SPDX-License-Identifier: Apache-2.0
#include "app/doctor_words.h"
#include <errno.h>
#include <string.h>

#define KERNEL_ENOTSUPP 524 /* of the kernel's own, which has got out: include/linux/errno.h */

#define ANY	  ~0U
#define WAY(name) (1U << HOOK_##name)

/* When a row applies, besides its error. */
enum when { ALWAYS, WITHOUT_CAPS, LOCKED_DOWN };

struct row {
	unsigned int what; /* bits of what was tried */
	int error;
	enum when when;
	struct doctor_words words;
};

/* The first that applies is taken. */
static const struct row permissions[] = {
	{ ANY, EPERM, WITHOUT_CAPS, { "it takes more permissions", NULL } }, /* see `permissions` */
	{ ANY, EACCES, WITHOUT_CAPS, { "it takes more permissions", NULL } },
	{ ANY, EPERM, LOCKED_DOWN,
	  { "the kernel is locked down", "boot without lockdown (Secure Boot switches it on)" } },
	{ ANY, EPERM, ALWAYS,
	  { "this kernel, or a security policy, does not permit it even to root",
	    "in a container, look at its seccomp profile; else at the security modules of the host" } },
};

static const struct row hook_rows[] = {
	{ WAY(FENTRY) | WAY(TRACEPOINT), EAGAIN, ALWAYS,
	  { "this kernel may preempt programs there, and passes over those that it has: events would be missed",
	    NULL } },
	{ WAY(FENTRY), ENOENT, ALWAYS, { "the kernel's BTF does not know the function", NULL } },
	{ WAY(FENTRY), ESRCH, ALWAYS, { "the kernel's BTF does not know the function", NULL } },
	{ WAY(FENTRY), KERNEL_ENOTSUPP, ALWAYS,
	  { "this kernel is built without CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS", NULL } },
	{ WAY(FENTRY), EOPNOTSUPP, ALWAYS,
	  { "this kernel is built without CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS", NULL } },
	{ WAY(FENTRY), EINVAL, ALWAYS, { "this kernel has no BPF trampolines", NULL } },
	{ WAY(FENTRY), ENODEV, ALWAYS,
	  { "ftrace has been switched off", "sysctl kernel.ftrace_enabled=1, or reboot" } },
	{ WAY(FENTRY), EBUSY, ALWAYS,
	  { "somebody else has changed the function (a live patch), or this kernel is built without "
	    "CONFIG_FUNCTION_TRACER", NULL } },
	{ WAY(KPROBE_MULTI), EINVAL, ALWAYS,
	  { "this kernel is older than 5.18, or built without CONFIG_FPROBE", NULL } },
	{ WAY(KPROBE_MULTI), EOPNOTSUPP, ALWAYS,
	  { "this kernel is built without CONFIG_FPROBE", NULL } },
	{ WAY(KPROBE), EOPNOTSUPP, ALWAYS,
	  { "this kernel is built without CONFIG_KPROBES, or /sys is not mounted", NULL } },
	{ WAY(KPROBE) | WAY(KPROBE_MULTI), ENOENT, ALWAYS,
	  { "the kernel has no such function, or it cannot be probed", NULL } },
	{ WAY(KPROBE) | WAY(KPROBE_MULTI), ESRCH, ALWAYS,
	  { "the kernel has no such function, or it cannot be probed", NULL } },
	{ WAY(KPROBE), EADDRNOTAVAIL, ALWAYS,
	  { "the kernel has no such function, or it cannot be probed", NULL } },
	{ WAY(TRACEPOINT), ENOENT, ALWAYS,
	  { "this kernel is built without this tracepoint",
	    "a kernel with CONFIG_FTRACE_SYSCALLS=y is needed" } },
	{ WAY(TRACEPOINT), EINVAL, ALWAYS,
	  { "this kernel is built without CONFIG_BPF_EVENTS",
	    "a kernel with CONFIG_BPF_EVENTS=y is needed" } },
};

/* Which kinds of probes, as bits. */
#define SESSION 1
#define MULTI	2
#define PERF	4

static const struct row attach_rows[] = {
	{ SESSION, EINVAL, ALWAYS, { "this kernel has no such probes; Linux 6.13 and newer have", NULL } },
	{ MULTI, EINVAL, ALWAYS, { "this kernel has no such probes; Linux 6.6 and newer have", NULL } },
	{ SESSION | MULTI, EOPNOTSUPP, ALWAYS,
	  { "hits are seen in one thread of a process only; Linux 6.10 mended that", NULL } },
	{ PERF, EINVAL, ALWAYS,
	  { "this kernel refuses the programs or cookies for them",
	    "Linux 5.15 or newer is needed" } },
	{ PERF, ENOENT, ALWAYS,
	  { "this kernel is built without CONFIG_UPROBES, or /sys is not mounted",
	    "a kernel with CONFIG_UPROBE_EVENTS=y is needed" } },
	{ ANY, E2BIG, ALWAYS,
	  { "the verifier of this kernel gives up on the programs", "--verbose prints what it says" } },
	{ ANY, EACCES, ALWAYS,
	  { "the verifier of this kernel refuses the programs", "--verbose prints what it says" } },
};

static const struct row statistics_rows[] = {
	{ ANY, EINVAL, ALWAYS, { "this kernel is too old", NULL } },
};

static const struct row sock_diag_rows[] = {
	{ ANY, ENOENT, ALWAYS,
	  { "a module of the kernel is missing", "modprobe -a inet_diag tcp_diag udp_diag unix_diag" } },
	{ ANY, EPROTONOSUPPORT, ALWAYS,
	  { "this kernel is built without CONFIG_INET_DIAG", NULL } },
};

static bool applies(const struct row *row, unsigned int what, int error, const struct host_facts *f)
{
	if (!(row->what & what) || row->error != -error)
		return false;
	return row->when == ALWAYS || (row->when == WITHOUT_CAPS && f->caps) ||
	       (row->when == LOCKED_DOWN && f->lockdown[0]);
}

static const struct row *find(const struct row *rows, size_t n, unsigned int what, int error,
			      const struct host_facts *f)
{
	for (size_t i = 0; i < n; i++)
		if (applies(&rows[i], what, error, f))
			return &rows[i];
	return NULL;
}

static struct doctor_words explain(const struct row *rows, size_t n, unsigned int what, int error,
				   const struct host_facts *f)
{
	const struct row *row = find(permissions, ARRAY_SIZE(permissions), what, error, f);

	if (!row)
		row = find(rows, n, what, error, f);
	return row ? row->words : (struct doctor_words){ strerror(-error), NULL };
}

struct doctor_words doctor_hook_words(enum hook_way way, int error, const struct host_facts *f)
{
	return explain(hook_rows, ARRAY_SIZE(hook_rows), 1U << way, error, f);
}

struct doctor_words doctor_attach_words(const struct attach_fact *a, const struct host_facts *f)
{
	static const char *const names[] = { "session", "multi", "perf" };
	int error = a->load ? a->load : a->use;
	unsigned int what = 0;

	if (!error)
		return (struct doctor_words){ NULL, NULL };
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(a->name, names[i]))
			what = 1U << i;
	return explain(attach_rows, ARRAY_SIZE(attach_rows), what, error, f);
}

struct doctor_words doctor_statistics_words(const struct host_facts *f)
{
	if (!f->statistics)
		return (struct doctor_words){ NULL, NULL };
	return explain(statistics_rows, ARRAY_SIZE(statistics_rows), ANY, f->statistics, f);
}

struct doctor_words doctor_sock_diag_words(const struct host_facts *f)
{
	if (!f->sock_diag)
		return (struct doctor_words){ NULL, NULL };
	return explain(sock_diag_rows, ARRAY_SIZE(sock_diag_rows), ANY, f->sock_diag, f);
}

struct doctor_words doctor_target_words(const struct target_facts *t, uint32_t kinds,
					const struct host_facts *f)
{
	uint32_t probed = 1U << LT_KIND_MEMORY | 1U << LT_KIND_UNJOINED;

	if (t->seccomp && f->return_probes_kill && kinds & probed)
		return (struct doctor_words){
			"it runs under seccomp, and this kernel kills such a process at its first return "
			"probe (mended in Linux by cf6cb56ef244)",
			"trace what needs no probes in it: -w connection,fd,process",
		};
	if (!t->allocator && !t->go.readable && !(kinds & ~LT_KINDS_MEMORY))
		return (struct doctor_words){
			"no known allocator (glibc, jemalloc) is mapped in it",
			"trace other kinds of resources: -w connection,fd,thread,process",
		};
	return (struct doctor_words){ NULL, NULL };
}

const char *doctor_go_words(const struct target_facts *t)
{
	if (t->go.profile)
		return "goroutines, and the heap as the program's own profile has it";
	return "goroutines; the program keeps no profile of its heap, which is estimated by span";
}

const char *doctor_namespace_words(const char *name)
{
	static const struct {
		const char *name, *words;
	} rows[] = {
		{ "mnt", "its files are opened through its own root" },
		{ "net", "its sockets are listed there" },
		{ "pid", "it has other process ids inside; reports show those that leaktrace sees" },
		{ "user", "it may be root there only" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (!strcmp(rows[i].name, name))
			return rows[i].words;
	return "";
}
