// SPDX-License-Identifier: Apache-2.0
#include "trace/facts.h"
#include <bpf/bpf.h>
#include <string.h>
#include "probe/seccomp.h"
#include "proc/caps.h"

/* "none [integrity] confidentiality": the mode that holds stands in brackets. */
static void read_lockdown(char *ret, size_t size)
{
	_cleanup_fclose_ FILE *f = fopen("/sys/kernel/security/lockdown", "re");
	char line[128], *from, *to;

	if (!f || !fgets(line, sizeof(line), f))
		return;
	from = strchr(line, '[');
	to = from ? strchr(from, ']') : NULL;
	if (!to)
		return;
	*to = '\0';
	if (strcmp(from + 1, "none"))
		snprintf(ret, size, "%s", from + 1);
}

static int try_statistics(void)
{
	int fd = bpf_enable_stats(BPF_STATS_RUN_TIME);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static void try_attach_kind(const struct tracer_options *options, const struct attach_kind *kind,
			    struct attach_fact *ret)
{
	struct object_options oo = {
		.config.kinds = options->kinds,
		.kind = kind->name,
	};
	_cleanup_(attachments_deinit) struct attachments links = { 0 };
	struct trap_cost cost;
	struct object o;

	ret->name = kind->name;
	ret->load = object_load(&oo, &o, NULL);
	if (ret->load)
		return;
	ret->use = trap_cost_measure(&o, &links, &cost);
	object_unload(&o);
}

/* All that is left is what the tracer itself finds. */
static void try_tracer(const struct tracer_options *options, struct host_facts *f)
{
	struct tracer *t;

	f->tracing = tracer_create(options, &t, &f->refusal);
	if (f->tracing) {
		if (!f->refusal.text[0])
			err_set(&f->refusal, f->tracing, "%s", strerror(-f->tracing));
		return;
	}
	f->attach_used = t->object.kind->name;
	f->all_syscalls = hooks_on_all_syscalls(&t->hooks);
	f->syscall_ns = t->cost.syscall_ns;
	f->return_probes_kill = seccomp_return_probe_kills(&t->object) == 1;
	tracer_destroy(t);
}

int host_facts_collect(const struct tracer_options *options, struct host_facts *ret)
{
	struct host_facts f = { 0 };
	int r = hooks_choose(options->kinds, options->hooks, &f.hooks);

	if (r == -ENOMEM)
		return r;
	uname(&f.system);
	f.btf = access("/sys/kernel/btf/vmlinux", R_OK) ? -errno : 0;
	f.caps = caps_check(&f.caps_missing);
	read_lockdown(f.lockdown, sizeof(f.lockdown));
	f.statistics = try_statistics();
	f.sock_diag = socket_table_try(getpid(), &f.sock_diag_file);
	for (const struct attach_kind *const *k = attach_kinds(); *k && f.n_attach < FACTS_ATTACH_MAX; k++)
		try_attach_kind(options, *k, &f.attach[f.n_attach++]);
	try_tracer(options, &f);
	if (f.caps) { /* checked before all else */
		f.tracing = f.caps;
		f.refusal = f.caps_missing;
	}
	*ret = f;
	return 0;
}

void host_facts_deinit(struct host_facts *f)
{
	hook_choices_deinit(&f->hooks);
}
