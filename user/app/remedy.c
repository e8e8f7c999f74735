// SPDX-License-Identifier: Apache-2.0
#include "app/remedy.h"
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "base/units.h"
#include "probe/table_sizes.h"
#include "proc/caps.h"
#include "proc/procfs.h"
#include "proc/refusal.h"

#define OWN_MEMORY (35ULL << 20) /* of leaktrace and its helpers, with what is read of a small process */

/* -- memory ----------------------------------------------------------------------------------- */

/* What leaktrace takes with these options. */
static uint64_t memory_needed(const struct options *o)
{
	struct table_sizes sizes = { .bytes = 0 };

	table_sizes_choose(o->kinds, o->memory, &sizes);
	return (o->memory ? sizes.bytes_full : sizes.bytes) + OWN_MEMORY;
}

/* The number in the file; UINT64_MAX when there is none: "max". */
static uint64_t read_limit(const char *path)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	uint64_t limit;

	return f && fscanf(f, "%" SCNu64, &limit) == 1 ? limit : UINT64_MAX;
}

/* Of the group and of all that it is in. */
static uint64_t limit_of_groups(const char *mount, char *group, const char *file)
{
	uint64_t least = UINT64_MAX;

	for (;;) {
		char path[PATH_MAX], *last = strrchr(group, '/');
		uint64_t limit;

		snprintf(path, sizeof(path), "%s%s/%s", mount, group, file);
		limit = read_limit(path);
		least = limit < least ? limit : least;
		if (!last)
			return least;
		*last = '\0';
	}
}

/* What our memory cgroup may take; UINT64_MAX: there is no limit, or it is not known. */
static uint64_t memory_limit(void)
{
	_cleanup_free_ char *groups = NULL;
	uint64_t least = UINT64_MAX, limit;
	char *rest, *line;

	if (procfs_read(getpid(), "cgroup", &groups, NULL))
		return least;
	for (rest = groups; (line = strsep(&rest, "\n"));) {
		char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;

		if (!group)
			continue;
		*group++ = '\0';
		if (!strcmp(controllers + 1, "memory"))
			limit = limit_of_groups("/sys/fs/cgroup/memory", group, "memory.limit_in_bytes");
		else if (!controllers[1])
			limit = limit_of_groups("/sys/fs/cgroup", group, "memory.max");
		else
			continue;
		least = limit < least ? limit : least;
	}
	return least;
}

/* What helps in a group that may take so much. */
static void words_of_group(const struct options *o, uint64_t limit, char *buf, size_t size)
{
	const uint64_t left = limit > OWN_MEMORY ? limit - OWN_MEMORY : 0;
	const char *raise = "raise that, or start leaktrace in another";

	if (left < table_sizes_least(o->kinds) || o->memory)
		snprintf(buf, size, "%s", raise);
	else
		snprintf(buf, size, "%s, or give it less room (--memory %lluM)", raise, (unsigned long long)left >> 20);
}

static void words_of_memory(const struct options *o, char *buf, size_t size)
{
	const uint64_t limit = memory_limit(), need = memory_needed(o);
	struct rlimit space = { RLIM_INFINITY, RLIM_INFINITY };
	char group[128];

	getrlimit(RLIMIT_AS, &space);
	words_of_group(o, limit, group, sizeof(group));
	if (space.rlim_cur != RLIM_INFINITY)
		snprintf(buf, size, "leaktrace may have %s of address space: lift that (ulimit -v unlimited)", units_bytes(space.rlim_cur).s);
	else if (limit < 1ULL << 40)
		snprintf(buf, size, "leaktrace takes %s and more, most of it tables in the kernel, and its memory cgroup "
			 "may take %s: %s", units_bytes(need).s, units_bytes(limit).s, group);
	else
		snprintf(buf, size, "leaktrace takes %s and more, most of it tables in the kernel: give it less room (--memory)",
			 units_bytes(need).s);
}

/* -- the rest --------------------------------------------------------------------------------- */

static void words_of_files(const struct options *o, char *buf, size_t size)
{
	struct rlimit files = { 0, 0 };

	getrlimit(RLIMIT_NOFILE, &files);
	snprintf(buf, size, "leaktrace may have %llu files open, and needs about 100, and 10 more for each process: raise "
		 "that (ulimit -n 1024; LimitNOFILE= of a service)", (unsigned long long)files.rlim_cur);
}

static bool always(void)
{
	return true;
}

static bool under_lockdown(void)
{
	_cleanup_fclose_ FILE *f = fopen("/sys/kernel/security/lockdown", "re");
	char line[128];

	return f && fgets(line, sizeof(line), f) && !strstr(line, "[none]");
}

static bool lacks_sys_admin(void)
{
	return !caps_have_sys_admin();
}

/* The first that applies. */
static const struct remedy {
	int r;
	bool (*applies)(void);
	const char *words;
	void (*write)(const struct options *o, char *buf, size_t size); /* instead of them */
} remedies[] = {
	{ -EMFILE, always, NULL, words_of_files },
	{ -ENOMEM, always, NULL, words_of_memory },
	{ -EPERM, refusal_in_user_namespace,
	  "leaktrace runs in a user namespace, whose root must not do this: start it as root of the host (of a container: "
	  "without a user namespace, as with --userns=host)", NULL },
	{ -EPERM, refusal_under_seccomp,
	  "leaktrace runs under seccomp, as in a container: its profile must permit bpf and perf_event_open", NULL },
	{ -EPERM, under_lockdown, "the kernel is locked down (lockdown=confidentiality)", NULL },
	{ -EPERM, lacks_sys_admin, "this kernel asks for CAP_SYS_ADMIN as well: run leaktrace as root", NULL },
};

void remedy_add(const struct options *o, struct err *e, int r)
{
	size_t n = strlen(e->text);

	if (r == -EACCES || (r == -EOPNOTSUPP && refusal_in_user_namespace()))
		r = -EPERM;
	for (size_t i = 0; i < ARRAY_SIZE(remedies); i++) {
		const struct remedy *m = &remedies[i];
		char buf[sizeof(e->text)];

		if (m->r != r || !m->applies())
			continue;
		if (m->write)
			m->write(o, buf, sizeof(buf));
		else
			snprintf(buf, sizeof(buf), "%s", m->words);
		snprintf(e->text + n, sizeof(e->text) - n, ": %s", buf);
		return;
	}
}

int remedy_check_proc(struct err *e)
{
	if (!access("/proc/self/status", R_OK))
		return 0;
	return err_set(e, -ENOENT, "/proc is not mounted here, and whatever is known of processes comes from it: mount it "
		       "(mount -t proc proc /proc)");
}

int remedy_check_system(const struct options *o, struct err *e)
{
	uint64_t limit;

	if (access("/sys/kernel", X_OK))
		return err_set(e, -ENOENT, "/sys is not mounted here, where the kernel tells its types and events: mount it "
			       "(mount -t sysfs sysfs /sys)");
	limit = memory_limit();
	if (limit < memory_needed(o)) { /* to be killed for it explains nothing */
		err_set(e, -ENOMEM, "there is too little memory");
		remedy_add(o, e, -ENOMEM);
		return -ENOMEM;
	}
	return 0;
}
