// SPDX-License-Identifier: Apache-2.0
#include "probe/object.h"
#include <bpf/bpf.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "probe/map.h"
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual" /* generated code */
#include "leaktrace.skel.h"
#pragma GCC diagnostic pop

/* The programs of one pair, in the shapes that the kind needs. */
static void prepare_programs(const struct attach_programs *p, const struct attach_kind *kind)
{
	bpf_program__set_expected_attach_type(p->enter, kind->enter_type);
	bpf_program__set_expected_attach_type(p->leave, kind->enter_type);
	bpf_program__set_expected_attach_type(p->session, kind->session_type);
	bpf_program__set_autoload(p->session, kind->session);
	bpf_program__set_autoload(p->leave, !kind->session);
}

/* Those for sharers are loaded for the attach kinds that do not see them, and attached by one that does. */
static void prepare_sharers(struct object *o)
{
	o->sharers = (struct attach_programs){ o->skel->progs.sharer_enter, o->skel->progs.sharer_leave, NULL };
	bpf_program__set_expected_attach_type(o->sharers.enter, 0);
	bpf_program__set_expected_attach_type(o->sharers.leave, 0);
	bpf_program__set_autoload(o->sharers.enter, !o->kind->by_space);
	bpf_program__set_autoload(o->sharers.leave, !o->kind->by_space);
	o->skel->data->sees_sharers = o->kind->by_space;
}

static bool is_at_probe(const struct bpf_program *prog)
{
	return bpf_program__type(prog) == BPF_PROG_TYPE_KPROBE &&
	       !strncmp(bpf_program__section_name(prog), "uprobe", strlen("uprobe"));
}

/*
 * Whether there are descriptors for all maps and programs. Asked before they are loaded: when libbpf runs out of
 * them in the middle, it takes its own trials of what the kernel can do for failed, and loads what is refused.
 */
static int check_descriptors(const struct bpf_object *obj)
{
	struct bpf_program *prog;
	struct bpf_map *map;
	struct rlimit limit;
	size_t need = 0, left = 0;

	bpf_object__for_each_program(prog, obj)
		need += bpf_program__autoload(prog);
	bpf_object__for_each_map(map, obj)
		need++;
	if (getrlimit(RLIMIT_NOFILE, &limit))
		return 0;
	for (int fd = 0; (rlim_t)fd < limit.rlim_cur && left < need; fd++)
		left += fcntl(fd, F_GETFD) < 0;
	return left < need ? -EMFILE : 0;
}

/* Maps with an entry for each process: one more is for LT_COPYS_TABLE. */
static int make_room(const struct leaktrace_bpf *skel, uint32_t processes)
{
	struct bpf_map *const maps[] = { skel->maps.processes, skel->maps.large_processes,
					 skel->maps.generations, skel->maps.pythons,
					 skel->maps.go_programs, skel->maps.go_heaps, skel->maps.go_seen };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(maps) && processes && !r; i++)
		r = bpf_map__set_max_entries(maps[i], processes + 1);
	return r;
}

static int object_try(const struct object_options *options, const struct attach_kind *kind,
		      struct object *ret)
{
	struct object o = { .kind = kind, .skel = leaktrace_bpf__open() };
	struct bpf_program *prog;
	int r;

	if (!o.skel)
		return -errno;
	r = table_sizes_choose(options->config.kinds, options->memory, &o.sizes);
	if (!r)
		r = table_sizes_set(&o.sizes, o.skel->obj);
	if (r) {
		object_unload(&o);
		return r;
	}
	o.skel->rodata->config = options->config;
	o.skel->rodata->config.set_mask = o.sizes.entries[TABLE_OUTSTANDING] - 1;
	o.skel->rodata->config.stack_mask = o.sizes.entries[TABLE_STACKS] - 1;
	o.memory = (struct attach_programs){ o.skel->progs.memory_enter, o.skel->progs.memory_leave,
					     o.skel->progs.memory_session };
	o.pthread = (struct attach_programs){ o.skel->progs.pthread_enter, o.skel->progs.pthread_leave,
					      o.skel->progs.pthread_session };
	bpf_object__for_each_program(prog, o.skel->obj)
		if (is_at_probe(prog))
			bpf_program__set_expected_attach_type(prog, kind->enter_type);
	prepare_programs(&o.memory, kind);
	prepare_programs(&o.pthread, kind);
	prepare_sharers(&o);
	hooks_prepare(options->hooks, o.skel->obj);
	r = make_room(o.skel, options->max_processes);
	if (!r)
		r = check_descriptors(o.skel->obj);
	if (!r)
		r = leaktrace_bpf__load(o.skel);
	if (r)
		object_unload(&o);
	else
		*ret = o;
	return r;
}

static int object_explain(int r, struct err *e)
{
	struct utsname host = { 0 };

	if (access("/sys/kernel/btf/vmlinux", R_OK))
		return err_set(e, -ENOENT,
			       "this kernel has no BTF (/sys/kernel/btf/vmlinux is missing): a kernel "
			       "built with CONFIG_DEBUG_INFO_BTF=y is needed");
	if (r == -EPERM) /* -EACCES is the verifier's */
		return err_set(e, r, "loading BPF programs is not permitted");
	if (r == -ENOMEM || r == -EMFILE)
		return err_set(e, r, "the BPF programs cannot be loaded: %s", strerror(-r));
	uname(&host);
	return err_set(e, r, "Linux %s refuses the BPF programs: %s. Linux 5.15 or newer is needed; "
		       "--verbose prints what the kernel says", host.release, strerror(-r));
}

int object_load(const struct object_options *options, struct object *ret, struct err *e)
{
	const struct attach_kind *const *kind = attach_kinds();
	int r = -EOPNOTSUPP;

	while (options->after && *kind && *kind++ != options->after)
		;
	for (; *kind; kind++) {
		if (options->kind && strcmp((*kind)->name, options->kind))
			continue;
		r = object_try(options, *kind, ret);
		if (!r)
			break;
	}
	return r ? object_explain(r, e) : 0;
}

void object_unload(struct object *o)
{
	hook_links_deinit(&o->hooks);
	bpf_link__destroy(o->births);
	leaktrace_bpf__destroy(o->skel);
	*o = (struct object){ 0 };
}

int object_attach_hooks(struct object *o, const struct hook_choices *hooks, struct err *e)
{
	const char *program;
	int r = hooks_attach(hooks, o->skel->obj, &o->hooks, &program);

	return r ? err_set(e, r, "the hook %s cannot be attached: %s", program, strerror(-r)) : 0;
}

int object_set_syscall(const struct object *o, unsigned int nr, const struct lt_syscall *row)
{
	return map_update(bpf_map__fd(o->skel->maps.syscalls), &nr, row, BPF_ANY) ? -errno : 0;
}

void object_forget_socket(const struct object *o, uint64_t inode)
{
	if (!map_delete(bpf_map__fd(o->skel->maps.sockets), &inode))
		__atomic_fetch_sub(&o->skel->data->peers_closed, 1, __ATOMIC_RELAXED);
}

static void forget_threads_in(int map, const struct hashmap *pids)
{
	struct lt_thread_key key, next;
	bool more = !bpf_map_get_next_key(map, NULL, &next);

	for (int i = 0; more && i < LT_MAX_TASKS; i++) {
		key = next;
		more = !bpf_map_get_next_key(map, &key, &next);
		if (hashmap_get(pids, key.tgid))
			map_delete(map, &key);
	}
}

void object_forget_threads(const struct object *o, const struct hashmap *pids)
{
	forget_threads_in(bpf_map__fd(o->skel->maps.pthreads), pids);
	forget_threads_in(bpf_map__fd(o->skel->maps.pthread_tids), pids);
}

void object_watch_child(const struct object *o, pid_t child, pid_t tgid)
{
	uint32_t pid = (uint32_t)child; /* its id is the same in the initial namespace, if we are there */
	struct lt_child c = { .tgid = (uint32_t)tgid, .pid = pid, .zombie_stack = LT_STACK_BEFORE,
			      .parent = (uint32_t)tgid };

	if (!o->skel->rodata->config.pidns_ino)
		map_update(bpf_map__fd(o->skel->maps.children), &pid, &c, BPF_NOEXIST);
}

uint32_t object_sharers(const struct object *o)
{
	return __atomic_load_n(&o->skel->data->n_sharers, __ATOMIC_ACQUIRE);
}

void object_look_at_sharer(const struct object *o, uint32_t tgid, bool seen)
{
	__u64 args[LT_LOOK_MAX] = { [LT_LOOK_TGID] = tgid, [LT_LOOK_SEEN] = seen };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = args, .ctx_size_in = sizeof(args));

	bpf_prog_test_run_opts(bpf_program__fd(o->skel->progs.sharer_look), &opts);
}

void object_add_sharer(const struct object *o, uint32_t tgid, const struct lt_sharer *s)
{
	if (map_update(bpf_map__fd(o->skel->maps.sharers), &tgid, s, BPF_NOEXIST))
		return;
	__atomic_fetch_add(&o->skel->data->n_sharers, 1, __ATOMIC_RELAXED);
	if (s->files)
		__atomic_fetch_add(&o->skel->data->n_file_sharers, 1, __ATOMIC_RELAXED);
}

void object_forget_sharer(const struct object *o, uint32_t tgid)
{
	struct lt_sharer s;
	int map = bpf_map__fd(o->skel->maps.sharers);

	if (map_lookup(map, &tgid, &s) || map_delete(map, &tgid))
		return;
	__atomic_fetch_sub(&o->skel->data->n_sharers, 1, __ATOMIC_RELAXED);
	if (s.files)
		__atomic_fetch_sub(&o->skel->data->n_file_sharers, 1, __ATOMIC_RELAXED);
}

uint64_t object_peer_closed_ns(const struct object *o, uint64_t inode)
{
	uint64_t ns;

	return map_lookup(bpf_map__fd(o->skel->maps.sockets), &inode, &ns) ? 0 : ns;
}

struct bpf_program *object_program(const struct object *o, const char *name)
{
	return bpf_object__find_program_by_name(o->skel->obj, name);
}

int object_map(const struct object *o, const char *name)
{
	return bpf_object__find_map_fd_by_name(o->skel->obj, name);
}

void object_set_go(const struct object *o, bool any)
{
	o->skel->data->go_programs_any = any;
}

void object_enable(struct object *o, bool on)
{
	o->skel->data->enabled = on;
}

void object_trace_self(const struct object *o, bool on)
{
	int cpus = libbpf_num_possible_cpus();
	_cleanup_free_ struct bpf_counters *none =
		calloc(cpus > 0 ? (size_t)cpus : 1, sizeof(struct bpf_counters));
	uint32_t self = (uint32_t)getpid(), slot = self % LT_TRACED_SLOTS, zero = 0;
	uint64_t traced = on ? LT_TRACED(self, 1) : 0;

	bpf_map_update_elem(bpf_map__fd(o->skel->maps.traced), &slot, &traced, BPF_ANY);
	if (!on && none && cpus > 0)
		bpf_map_update_elem(bpf_map__fd(o->skel->maps.counters), &zero, none, BPF_ANY);
}

void object_set_jit_epoch(const struct object *o, uint32_t epoch)
{
	o->skel->data->jit_epoch = epoch;
}

void object_time_events(const struct object *o, bool on)
{
	o->skel->data->timing = on;
}

int object_attach_births(struct object *o)
{
	o->births = bpf_program__attach_raw_tracepoint(o->skel->progs.birth, "sys_exit");
	return o->births ? 0 : -errno;
}

void object_follow(struct object *o)
{
	o->skel->data->hold = o->births != NULL;
	o->skel->data->follow = 1;
}

void object_hold_no_more(struct object *o)
{
	o->skel->data->hold = 0;
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
		.large_processes = bpf_map__fd(o->skel->maps.large_processes),
		.traced = bpf_map__fd(o->skel->maps.traced),
		.generations = bpf_map__fd(o->skel->maps.generations),
		.files = bpf_map__fd(o->skel->maps.files),
		.max_chunks = o->sizes.chunks,
		.begun = (uint32_t *)&o->skel->data->n_begun,
		.identify = o->asks_kernel ? bpf_program__fd(o->skel->progs.identify) : 0,
		.identified = bpf_map__fd(o->skel->maps.identified),
	};
}

int object_ring(const struct object *o)
{
	return bpf_map__fd(o->skel->maps.events);
}

int object_copies(const struct object *o)
{
	return bpf_map__fd(o->skel->maps.copies);
}

int object_pythons(const struct object *o)
{
	return bpf_map__fd(o->skel->maps.pythons);
}

void object_follow_python(const struct object *o)
{
	o->skel->data->follow_python = 1;
}

/* Whether bpf_find_vma() answers: on a mapping of our own. */
static bool object_can_ask(const struct object *o)
{
	__u64 args[1] = { (uintptr_t)o };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = args, .ctx_size_in = sizeof(args));

	return !bpf_prog_test_run_opts(bpf_program__fd(o->skel->progs.identify), &opts) && !opts.retval;
}

void object_ask_kernel(struct object *o, bool on)
{
	o->skel->data->ask_kernel = on;
	o->asks_kernel = on && object_can_ask(o);
	o->skel->data->ask_kernel = o->asks_kernel;
}

static int compare_mappings(const void *a, const void *b)
{
	const struct lt_mapping *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Makes a table of the mappings that came with the copy, of files that are known. */
static int object_take_mappings(const struct object *o, const struct lt_event_copy *copy)
{
	_cleanup_free_ struct lt_process *p = calloc(1, sizeof(*p));
	uint32_t key = LT_COPYS_TABLE;

	if (!p)
		return -ENOMEM;
	p->generation = copy->generation;
	p->n_mappings = 1; /* the sentinel */
	for (uint32_t i = 0; i < copy->n_mappings && i < LT_COPY_MAPPINGS; i++) {
		const struct lt_seen_mapping *seen = &copy->mappings[i];
		struct lt_file f = { .state = LT_FILE_PLAIN };

		if ((seen->file.inode || seen->file.dev) &&
		    map_lookup(bpf_map__fd(o->skel->maps.files), &seen->file, &f))
			continue;
		p->n_mappings += !lt_file_mapping(&f, seen, &p->mappings[p->n_mappings]);
	}
	qsort(p->mappings + 1, p->n_mappings - 1, sizeof(p->mappings[0]), compare_mappings);
	_Static_assert(LT_COPY_MAPPINGS < LT_FEW_MAPPINGS, "the head is all");
	return map_update(bpf_map__fd(o->skel->maps.processes), &key, p, BPF_ANY) ? -errno : 0;
}

int object_walk_again(const struct object *o, const struct lt_event_copy *copy,
		      struct lt_event_stack *ret)
{
	__u64 args[LT_AGAIN_MAX] = {
		[LT_AGAIN_TGID] = copy->head.tgid,
		[LT_AGAIN_KIND] = copy->kind,
		[LT_AGAIN_VIA] = copy->via,
		[LT_AGAIN_RIP] = copy->rip,
		[LT_AGAIN_RSP] = copy->rsp,
		[LT_AGAIN_RBP] = copy->rbp,
		[LT_AGAIN_COPY] = (__u64)(uintptr_t)copy->stack,
		[LT_AGAIN_BASE] = copy->base,
		[LT_AGAIN_SIZE] = copy->size,
		[LT_AGAIN_PRESENT] = copy->present,
		[LT_AGAIN_GENERATION] = copy->generation,
		[LT_AGAIN_TABLE] = copy->n_mappings ? LT_COPYS_TABLE : copy->head.tgid,
	};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = args, .ctx_size_in = sizeof(args));
	uint32_t zero = 0;
	int r = copy->n_mappings ? object_take_mappings(o, copy) : 0;

	if (r)
		return r;
	if (bpf_prog_test_run_opts(bpf_program__fd(o->skel->progs.walk_again), &opts) ||
	    map_lookup(bpf_map__fd(o->skel->maps.walked_again), &zero, ret))
		return -errno;
	return ret->n ? 0 : -ENODATA;
}

static int program_info(const struct bpf_program *prog, struct bpf_prog_info *ret)
{
	uint32_t len = sizeof(*ret);

	*ret = (struct bpf_prog_info){ 0 };
	if (bpf_program__fd(prog) < 0)
		return -ENOENT;
	return bpf_obj_get_info_by_fd(bpf_program__fd(prog), ret, &len) ? -errno : 0;
}

/* How often the kernel has passed over it; not when its spare ran instead. */
static uint64_t program_missed(const struct object *o, const struct bpf_program *prog)
{
	static const char suffix[] = "_spare";
	const char *name = bpf_program__name(prog);
	size_t n = strlen(name);
	char spare_name[64];
	const struct bpf_program *spare;
	struct bpf_prog_info info, other;

	if (n >= strlen(suffix) && !strcmp(name + n - strlen(suffix), suffix))
		return 0;
	if (program_info(prog, &info))
		return 0;
	snprintf(spare_name, sizeof(spare_name), "%s%s", name, suffix);
	spare = bpf_object__find_program_by_name(o->skel->obj, spare_name);
	if (!spare || program_info(spare, &other))
		return info.recursion_misses;
	return info.recursion_misses < other.recursion_misses ? info.recursion_misses
							      : other.recursion_misses;
}

int object_counters(const struct object *o, struct bpf_counters *ret)
{
	int cpus = libbpf_num_possible_cpus();
	_cleanup_free_ struct bpf_counters *each = NULL;
	struct bpf_program *prog;
	uint32_t zero = 0;

	if (cpus < 0)
		return cpus;
	each = calloc((size_t)cpus, sizeof(*each));
	if (!each)
		return -ENOMEM;
	if (map_lookup(bpf_map__fd(o->skel->maps.counters), &zero, each))
		return -errno;
	*ret = (struct bpf_counters){ 0 };
	for (int cpu = 0; cpu < cpus; cpu++)
		for (int i = 0; i < LT_COUNT_MAX; i++)
			ret->n[i] += each[cpu].n[i];
	bpf_object__for_each_program(prog, o->skel->obj)
		ret->n[LT_COUNT_LOST_MISSED_HOOK] += program_missed(o, prog);
	ret->n[LT_COUNT_LOST_MISSED_HOOK] += hook_links_missed(&o->hooks);
	return 0;
}

static bool is_at_syscalls(const struct bpf_program *prog)
{
	return !strncmp(bpf_program__section_name(prog), "tp_btf/sys_", strlen("tp_btf/sys_"));
}

/* What those programs have run that the predicate is true of. */
static int sum_run_stats(const struct object *o, bool (*of)(const struct bpf_program *), struct bpf_run_stats *ret)
{
	struct bpf_program *prog;
	struct bpf_prog_info info;

	*ret = (struct bpf_run_stats){ 0 };
	bpf_object__for_each_program(prog, o->skel->obj) {
		int r = of(prog) ? program_info(prog, &info) : -ENOENT;

		if (r == -ENOENT)
			continue;
		if (r)
			return r;
		ret->runs += info.run_cnt;
		ret->ns += info.run_time_ns;
	}
	return 0;
}

int object_run_stats(const struct object *o, struct bpf_run_stats *ret)
{
	int r = sum_run_stats(o, is_at_probe, ret);
	struct bpf_counters c;

	if (!r && !object_counters(o, &c))
		ret->passed = c.n[LT_COUNT_PASSED];
	return r;
}

int object_syscall_run_stats(const struct object *o, struct bpf_run_stats *ret)
{
	return sum_run_stats(o, is_at_syscalls, ret);
}

void object_ledger_maps(const struct object *o, struct ledger_maps *ret)
{
	*ret = (struct ledger_maps){
		.outstanding = bpf_map__fd(o->skel->maps.outstanding),
		.spilled = bpf_map__fd(o->skel->maps.spilled),
		.stacks = bpf_map__fd(o->skel->maps.stacks),
		.n_sets = o->sizes.entries[TABLE_OUTSTANDING],
		.n_stacks = o->sizes.entries[TABLE_STACKS],
	};
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
