// SPDX-License-Identifier: Apache-2.0
#include "probe/hooks.h"
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/syscall.h>
#include <leaktrace/types.h>
#include "base/cleanup.h"
#include "probe/casts.h"
#include "probe/preempt.h"

static size_t row_points(const struct hook_row *row)
{
	size_t n = 0;

	while (n < HOOK_POINTS && row->points[n].program)
		n++;
	return n;
}

/* The points from `first` on that share its program. */
static size_t row_same_program(const struct hook_row *row, size_t first)
{
	size_t n = first;

	while (n < HOOK_POINTS && row->points[n].program &&
	       !strcmp(row->points[n].program, row->points[first].program))
		n++;
	return n - first;
}

/* -- trying ---------------------------------------------------------------------------------- */

static int try_load(enum bpf_prog_type type, enum bpf_attach_type attach, uint32_t btf_id)
{
	static const struct bpf_insn nothing[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K }, /* r0 = 0 */
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = attach, .attach_btf_id = btf_id);
	int fd = bpf_prog_load(type, "leaktrace_try", "GPL", nothing, ARRAY_SIZE(nothing), &opts);

	return fd < 0 ? -errno : fd;
}

static int link_result(int link)
{
	if (link < 0)
		return -errno;
	close(link);
	return 0;
}

static int try_fentry(const struct hook_point *point)
{
	enum bpf_attach_type type = point->returns ? BPF_TRACE_FEXIT : BPF_TRACE_FENTRY;
	int id = libbpf_find_vmlinux_btf_id(point->function, type);
	_cleanup_close_ int prog = -1;

	if (id < 0)
		return id;
	prog = try_load(BPF_PROG_TYPE_TRACING, type, (uint32_t)id);
	return prog < 0 ? prog : link_result(bpf_raw_tracepoint_open(NULL, prog));
}

static int try_kprobe_multi(const struct hook_point *point)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts);
	_cleanup_close_ int prog = try_load(BPF_PROG_TYPE_KPROBE, BPF_TRACE_KPROBE_MULTI, 0);
	const char *function = point->function;

	if (prog < 0)
		return prog;
	opts.kprobe_multi.cnt = 1;
	opts.kprobe_multi.syms = &function;
	opts.kprobe_multi.flags = point->returns ? BPF_F_KPROBE_MULTI_RETURN : 0;
	return link_result(bpf_link_create(prog, 0, BPF_TRACE_KPROBE_MULTI, &opts));
}

static int try_kprobe(const struct hook_point *point)
{
	_cleanup_fclose_ FILE *f = fopen("/sys/bus/event_source/devices/kprobe/type", "re");
	struct perf_event_attr attr = { .size = sizeof(attr) };
	unsigned int type;

	if (!f || fscanf(f, "%u", &type) != 1)
		return -EOPNOTSUPP;
	attr.type = type;
	attr.config = point->returns;
	attr.config1 = (uint64_t)(uintptr_t)point->function;
	return link_result((int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC));
}

static int try_tracepoint(const struct hook_point *point)
{
	_cleanup_close_ int prog = try_load(BPF_PROG_TYPE_RAW_TRACEPOINT, 0, 0);

	return prog < 0 ? prog : link_result(bpf_raw_tracepoint_open(point->function, prog));
}

/* -- attaching ------------------------------------------------------------------------------- */

/* Where its section says. */
static struct bpf_link *attach_itself(const struct bpf_program *prog, const struct hook_point *points,
				      size_t n)
{
	return bpf_program__attach(prog);
}

static struct bpf_link *attach_kprobe_multi(const struct bpf_program *prog,
					    const struct hook_point *points, size_t n)
{
	const char *functions[HOOK_POINTS];
	LIBBPF_OPTS(bpf_kprobe_multi_opts, opts, .syms = functions, .cnt = n,
		    .retprobe = points->returns);

	for (size_t i = 0; i < n; i++)
		functions[i] = points[i].function;
	return bpf_program__attach_kprobe_multi_opts(prog, NULL, &opts);
}

static struct bpf_link *attach_kprobe(const struct bpf_program *prog, const struct hook_point *points,
				      size_t n)
{
	return bpf_program__attach_kprobe(prog, points->returns, points->function);
}

/* -- ways ------------------------------------------------------------------------------------ */

static const struct way {
	const char *name;
	bool many; /* one link for all points of a program */
	bool preempted; /* its programs are, where the kernel preempts */
	enum bpf_attach_type type; /* of its programs; 0: as their sections say */
	int (*try)(const struct hook_point *point);
	struct bpf_link *(*attach)(const struct bpf_program *prog, const struct hook_point *points,
				   size_t n);
} ways[HOOK_WAY_MAX] = {
	[HOOK_FENTRY] = { "fentry", false, true, 0, try_fentry, attach_itself },
	[HOOK_KPROBE_MULTI] = { "kprobe-multi", true, false, BPF_TRACE_KPROBE_MULTI, try_kprobe_multi,
				attach_kprobe_multi },
	[HOOK_KPROBE] = { "kprobe", false, false, 0, try_kprobe, attach_kprobe },
	[HOOK_TRACEPOINT] = { "tracepoint", false, true, 0, try_tracepoint, attach_itself },
};

const char *hook_way_name(enum hook_way way)
{
	return way < HOOK_WAY_MAX ? ways[way].name : NULL;
}

/* -- choosing -------------------------------------------------------------------------------- */

/* Whether an earlier point of the row is of the same sort, so that what works for it works for this. */
static bool is_tried(const struct hook_row *row, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (row->points[k].returns == row->points[i].returns &&
		    (row->way == HOOK_FENTRY || !strcmp(row->points[k].program, row->points[i].program)))
			return true;
	return false;
}

static int try_row(const struct hook_row *row)
{
	int r = 0;

	for (size_t i = 0; i < row_points(row) && !r; i++)
		if (!row->points[i].spare && !is_tried(row, i))
			r = ways[row->way].try(&row->points[i]);
	return r;
}

static bool has_way(const struct hook *hook, const char *way)
{
	for (size_t i = 0; i < hook->n_rows; i++)
		if (!strcmp(ways[hook->rows[i].way].name, way))
			return true;
	return false;
}

/* Chooses the best row that works, of those whose programs are preempted here or of the others. */
static void choose_of(const struct hook *hook, const char *only, bool preempts, bool preempted,
		      struct hook_choice *ret)
{
	for (size_t i = 0; i < hook->n_rows && !ret->row; i++) {
		const struct hook_row *row = &hook->rows[i];

		if ((preempts && ways[row->way].preempted) != preempted)
			continue;
		if (only && has_way(hook, only) && strcmp(ways[row->way].name, only))
			continue;
		ret->refused[i] = try_row(row);
		if (!ret->refused[i])
			ret->row = row;
	}
	for (size_t i = 0; i < hook->n_rows && ret->row; i++)
		if (hook->rows[i].way == ret->row->way)
			ret->refused[i] = 0; /* the way works, if with fewer points */
}

static void choose(const struct hook *hook, const char *only, enum preemption preemption,
		   struct hook_choice *ret)
{
	bool preempts = preemption != PREEMPTION_NEVER;

	ret->hook = hook;
	ret->spares = preemption == PREEMPTION_SURE;
	choose_of(hook, only, preempts, false, ret);
	if (!ret->row) {
		choose_of(hook, only, preempts, true, ret);
		return;
	}
	for (size_t i = 0; i < hook->n_rows && preempts && !only; i++)
		if (ways[hook->rows[i].way].preempted && &hook->rows[i] < ret->row)
			ret->refused[i] = HOOK_PREEMPTED;
}

int hooks_choose(uint32_t kinds, const char *only, struct hook_choices *ret)
{
	struct hook_choices all = { 0 };
	enum preemption preemption = kernel_preemption();
	size_t n;
	const struct hook *hooks = hooks_all(&n);
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		struct hook_choice one = { 0 };

		if (hooks[i].kinds && !(hooks[i].kinds & kinds))
			continue;
		choose(&hooks[i], only, preemption, &one);
		if (!one.row && hooks[i].optional)
			continue;
		if (vec_push(&all, one)) {
			vec_free(&all);
			return -ENOMEM;
		}
		if (!one.row)
			r = -EOPNOTSUPP;
	}
	*ret = all;
	return r;
}

bool hooks_on_all_syscalls(const struct hook_choices *c)
{
	vec_foreach(one, c)
		if (one->hook->all_syscalls_at_worst && one->row && one->row->way == HOOK_TRACEPOINT)
			return true;
	return false;
}

int hook_choice_refusal(const struct hook_choice *c)
{
	int r = -EOPNOTSUPP;

	for (size_t i = 0; i < c->hook->n_rows; i++)
		if (c->refused[i])
			r = c->refused[i];
	return r;
}

void hook_choices_deinit(struct hook_choices *c)
{
	vec_free(c);
}

/* -- the real programs ----------------------------------------------------------------------- */

/* The same program for kernels that take casts, if there is one: PROGRAM_typed. */
static struct bpf_program *typed_program(const struct bpf_object *object, const char *name)
{
	char typed[64];

	snprintf(typed, sizeof(typed), "%s_typed", name);
	return bpf_object__find_program_by_name(object, typed);
}

static void prepare_row(const struct hook_row *row, struct bpf_object *object, bool chosen, bool spares,
			bool casts)
{
	for (size_t i = 0; i < row_points(row); i++) {
		const struct hook_point *point = &row->points[i];
		struct bpf_program *prog = bpf_object__find_program_by_name(object, point->program);
		struct bpf_program *typed = typed_program(object, point->program);
		bool load = chosen && (spares || !point->spare);

		if (!prog)
			continue;
		bpf_program__set_autoload(prog, load && !(typed && casts));
		if (typed)
			bpf_program__set_autoload(typed, load && casts);
		if (chosen && ways[row->way].type)
			bpf_program__set_expected_attach_type(prog, ways[row->way].type);
	}
}

void hooks_prepare(const struct hook_choices *c, struct bpf_object *object)
{
	bool casts = c && kernel_takes_casts();
	size_t n;
	const struct hook *hooks = hooks_all(&n);

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < hooks[i].n_rows; k++)
			prepare_row(&hooks[i].rows[k], object, false, false, false);
	if (!c)
		return;
	vec_foreach(one, c) /* last: rows share programs */
		if (one->row)
			prepare_row(one->row, object, true, one->spares, casts);
}

static int attach_row(const struct hook_choice *c, struct bpf_object *object, struct hook_links *ret,
		      const char **ret_failed)
{
	const struct hook_row *row = c->row;
	const struct way *way = &ways[row->way];
	size_t n;

	for (size_t i = 0; i < row_points(row); i += n) {
		const struct hook_point *point = &row->points[i];
		struct bpf_program *prog = bpf_object__find_program_by_name(object, point->program);
		struct bpf_link *link;
		int r;

		n = way->many ? row_same_program(row, i) : 1;
		if (point->spare && !c->spares)
			continue;
		*ret_failed = point->program;
		if (!prog)
			return -ENOENT;
		if (!bpf_program__autoload(prog))
			prog = typed_program(object, point->program);
		link = way->attach(prog, point, n);
		if (!link)
			return -errno;
		r = vec_push(ret, link);
		if (r) {
			bpf_link__destroy(link);
			return r;
		}
	}
	return 0;
}

int hooks_attach(const struct hook_choices *c, struct bpf_object *object, struct hook_links *ret,
		 const char **ret_failed)
{
	vec_foreach(one, c) {
		int r = one->row ? attach_row(one, object, ret, ret_failed) : 0;

		if (r)
			return r;
	}
	return 0;
}

/* Of struct bpf_link_info (include/uapi/linux/bpf.h), whose counts of misses came with Linux 6.7. */
struct link_info {
	__u32 type, id, prog_id, reserved;
	union {
		struct {
			__u64 addresses;
			__u32 count, flags;
			__u64 missed;
		} multi;
		struct {
			__u32 type, reserved;
			__u64 name;
			__u32 name_size, offset;
			__u64 address, missed;
		} perf;
	};
};

uint64_t hook_links_missed(const struct hook_links *l)
{
	uint64_t missed = 0;

	vec_foreach(link, l) {
		struct link_info info = { 0 };
		__u32 size = sizeof(info);

		if (bpf_obj_get_info_by_fd(bpf_link__fd(*link), &info, &size))
			continue;
		if (info.type == BPF_LINK_TYPE_KPROBE_MULTI)
			missed += info.multi.missed;
		if (info.type == BPF_LINK_TYPE_PERF_EVENT)
			missed += info.perf.missed;
	}
	return missed;
}

void hook_links_deinit(struct hook_links *l)
{
	vec_foreach(link, l)
		bpf_link__destroy(*link);
	vec_free(l);
}
