// SPDX-License-Identifier: Apache-2.0
#include "probe/object.h"
#include <bpf/bpf.h>
#include <string.h>
#include <unistd.h>
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual" /* generated code */
#include "leaktrace.skel.h"
#pragma GCC diagnostic pop

#define BATCH 4096

static int silent(enum libbpf_print_level level, const char *fmt, va_list args)
{
	return 0;
}

static int object_try(const struct object_options *options, const struct attach_kind *kind,
		      struct object *ret)
{
	struct object o = { .kind = kind, .skel = leaktrace_bpf__open() };
	int r;

	if (!o.skel)
		return -errno;
	o.skel->rodata->config = options->config;
	o.programs = (struct attach_programs){ o.skel->progs.memory_enter, o.skel->progs.memory_leave,
					       o.skel->progs.memory_session };
	bpf_program__set_expected_attach_type(o.programs.enter, kind->enter_type);
	bpf_program__set_expected_attach_type(o.programs.leave, kind->enter_type);
	bpf_program__set_expected_attach_type(o.programs.session, kind->session_type);
	bpf_program__set_autoload(o.programs.session, kind->session);
	bpf_program__set_autoload(o.programs.leave, !kind->session);
	r = leaktrace_bpf__load(o.skel);
	if (!r) {
		o.exec_link = bpf_program__attach(o.skel->progs.lifecycle_exec);
		r = o.exec_link ? 0 : -errno;
	}
	if (r)
		object_unload(&o);
	else
		*ret = o;
	return r;
}

static int object_explain(int r, struct err *e)
{
	if (access("/sys/kernel/btf/vmlinux", R_OK))
		return err_set(e, -ENOENT,
			       "this kernel has no BTF (/sys/kernel/btf/vmlinux is missing): a kernel "
			       "built with CONFIG_DEBUG_INFO_BTF=y is needed");
	if (r == -EPERM || r == -EACCES)
		return err_set(e, -EPERM,
			       "loading BPF programs is not permitted: run leaktrace as root, or with "
			       "CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE");
	return err_set(e, r, "this kernel refuses the BPF programs: %s", strerror(-r));
}

int object_load(const struct object_options *options, struct object *ret, struct err *e)
{
	const struct attach_kind *const *kind = attach_kinds();
	libbpf_print_fn_t before = libbpf_set_print(silent);
	int r = -EOPNOTSUPP;

	if (options->verbose)
		libbpf_set_print(before);
	while (options->after && *kind && *kind++ != options->after)
		;
	for (; *kind; kind++) {
		if (options->kind && strcmp((*kind)->name, options->kind))
			continue;
		r = object_try(options, *kind, ret);
		if (!r)
			break;
	}
	libbpf_set_print(before);
	return r ? object_explain(r, e) : 0;
}

void object_unload(struct object *o)
{
	bpf_link__destroy(o->exec_link);
	leaktrace_bpf__destroy(o->skel);
	*o = (struct object){ 0 };
}

void object_enable(struct object *o, bool on)
{
	o->skel->data->enabled = on;
}

void object_set_command(struct object *o, pid_t tgid, bool starting)
{
	o->skel->data->command_tgid = (uint32_t)tgid;
	o->skel->data->command_starting = starting;
}

void object_table_maps(const struct object *o, struct table_maps *ret)
{
	*ret = (struct table_maps){
		.chunks = bpf_map__fd(o->skel->maps.chunks),
		.pages = bpf_map__fd(o->skel->maps.pages),
		.rules = bpf_map__fd(o->skel->maps.rules),
		.processes = bpf_map__fd(o->skel->maps.processes),
	};
}

int object_ring(const struct object *o)
{
	return bpf_map__fd(o->skel->maps.events);
}

int object_counters(const struct object *o, struct bpf_counters *ret)
{
	int cpus = libbpf_num_possible_cpus();
	_cleanup_free_ struct bpf_counters *each = NULL;
	uint32_t zero = 0;

	if (cpus < 0)
		return cpus;
	each = calloc((size_t)cpus, sizeof(*each));
	if (!each)
		return -ENOMEM;
	if (bpf_map_lookup_elem(bpf_map__fd(o->skel->maps.counters), &zero, each))
		return -errno;
	*ret = (struct bpf_counters){ 0 };
	for (int cpu = 0; cpu < cpus; cpu++)
		for (int i = 0; i < LT_COUNT_MAX; i++)
			ret->n[i] += each[cpu].n[i];
	return 0;
}

int object_run_stats(const struct object *o, struct bpf_run_stats *ret)
{
	struct bpf_program *prog;

	*ret = (struct bpf_run_stats){ 0 };
	bpf_object__for_each_program(prog, o->skel->obj) {
		struct bpf_prog_info info = { 0 };
		uint32_t len = sizeof(info);

		if (bpf_program__fd(prog) < 0)
			continue;
		if (bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &len))
			return -errno;
		ret->runs += info.run_cnt;
		ret->ns += info.run_time_ns;
	}
	return 0;
}

/* Calls `each` with every key and value of a hash map. */
struct map_walk {
	int fd;
	size_t key_size, value_size;
	void (*each)(void *ctx, const void *key, const void *value);
	void *ctx;
};

static int map_walk(const struct map_walk *w)
{
	_cleanup_free_ char *keys = malloc(BATCH * w->key_size);
	_cleanup_free_ char *values = malloc(BATCH * w->value_size);
	uint64_t cursor = 0;
	uint32_t batch = BATCH, n;
	bool first = true;
	int r;

	if (!keys || !values)
		return -ENOMEM;
	do {
		n = batch;
		r = bpf_map_lookup_batch(w->fd, first ? NULL : &cursor, &cursor, keys, values, &n, NULL)
			    ? -errno : 0;
		if (r == -ENOSPC) { /* one bucket holds more than a batch */
			char *k = realloc(keys, 2 * batch * w->key_size);
			char *v = k ? realloc(values, 2 * batch * w->value_size) : NULL;

			keys = k ? k : keys;
			values = v ? v : values;
			if (!k || !v)
				return -ENOMEM;
			batch *= 2;
			r = 0;
			continue;
		}
		if (r && r != -ENOENT)
			return r;
		for (uint32_t i = 0; i < n; i++)
			w->each(w->ctx, keys + i * w->key_size, values + i * w->value_size);
		first = false;
	} while (!r);
	return 0;
}

static void each_totals(void *ctx, const void *key, const void *value)
{
	uint64_t id;

	memcpy(&id, key, sizeof(id));
	books_snapshot_totals(ctx, id, value);
}

static void each_holding(void *ctx, const void *key, const void *value)
{
	books_snapshot_holding(ctx, value);
}

int object_snapshot(const struct object *o, struct books *books, uint64_t now_ns, uint64_t older_ns)
{
	struct books_snapshot s;
	struct map_walk totals = {
		.fd = bpf_map__fd(o->skel->maps.totals),
		.key_size = sizeof(uint64_t),
		.value_size = sizeof(struct lt_totals),
		.each = each_totals,
		.ctx = &s,
	};
	struct map_walk outstanding = {
		.fd = bpf_map__fd(o->skel->maps.outstanding),
		.key_size = sizeof(struct lt_holding_key),
		.value_size = sizeof(struct lt_holding),
		.each = each_holding,
		.ctx = &s,
	};
	int r;

	books_snapshot_begin(&s, books, now_ns, older_ns);
	r = map_walk(&totals);
	if (!r)
		r = map_walk(&outstanding);
	books_snapshot_end(&s);
	return r;
}

struct forget {
	const struct object *object;
	uint32_t tgid;
};

static void each_forgotten(void *ctx, const void *key, const void *value)
{
	const struct lt_holding_key *k = key;
	const struct lt_holding *h = value;
	struct leaktrace_bpf *skel = ((struct forget *)ctx)->object->skel;
	struct lt_totals t;

	if (k->tgid != ((struct forget *)ctx)->tgid)
		return;
	bpf_map_delete_elem(bpf_map__fd(skel->maps.outstanding), k);
	if (bpf_map_lookup_elem(bpf_map__fd(skel->maps.totals), &h->stack, &t))
		return;
	t.released++;
	t.released_amount += h->amount;
	bpf_map_update_elem(bpf_map__fd(skel->maps.totals), &h->stack, &t, BPF_EXIST);
}

int object_forget(struct object *o, pid_t tgid)
{
	struct forget f = { .object = o, .tgid = (uint32_t)tgid };
	struct map_walk walk = {
		.fd = bpf_map__fd(o->skel->maps.outstanding),
		.key_size = sizeof(struct lt_holding_key),
		.value_size = sizeof(struct lt_holding),
		.each = each_forgotten,
		.ctx = &f,
	};

	return map_walk(&walk);
}

uint64_t object_memory(const struct object *o)
{
	struct bpf_map *map;
	uint64_t bytes = 0;

	bpf_object__for_each_map(map, o->skel->obj) {
		char path[64], line[128];
		_cleanup_fclose_ FILE *f = NULL;
		unsigned long long n;

		snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", bpf_map__fd(map));
		f = fopen(path, "re");
		while (f && fgets(line, sizeof(line), f))
			if (sscanf(line, "memlock: %llu", &n) == 1)
				bytes += n;
	}
	return bytes;
}
