// SPDX-License-Identifier: Apache-2.0
/*
 * usage: verifier
 *
 * Loads the programs for each way of attaching probes and hooks that this kernel has, and prints for
 * each program a line "WAY PROGRAM N": the instructions that the verifier went through.
 */
#include <bpf/bpf.h>
#include <string.h>
#include "probe/object.h"
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual" /* generated code */
#include "leaktrace.skel.h"
#pragma GCC diagnostic pop

static int print_programs(const char *way, const struct object *o)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, o->skel->obj) {
		struct bpf_prog_info info = { 0 };
		uint32_t size = sizeof(info);

		if (bpf_program__fd(program) < 0) /* of another kind */
			continue;
		if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size))
			return -errno;
		printf("%s %s %u\n", way, bpf_program__name(program), info.verified_insns);
	}
	return 0;
}

static int load(const char *way, struct object_options *options)
{
	struct object o;
	struct err e = { 0 };
	int r;

	if (object_load(options, &o, &e)) {
		fprintf(stderr, "%s: %s\n", way, e.text);
		return -EOPNOTSUPP;
	}
	r = print_programs(way, &o);
	object_unload(&o);
	return r;
}

/* The hooks, with probes of the plainest kind. A row that this kernel has not is none to verify. */
static int load_hooks(const char *way)
{
	struct hook_choices hooks;
	struct object_options options = {
		.kind = "perf",
		.hooks = &hooks,
		.config.kernel_stacks = 1, /* they do more with these */
	};
	int r = hooks_choose(UINT32_MAX, way, &hooks);

	if (r == -EOPNOTSUPP)
		fprintf(stderr, "%s: not on this kernel\n", way);
	else if (!r)
		r = load(way, &options);
	hook_choices_deinit(&hooks);
	return r == -EOPNOTSUPP ? 0 : r;
}

int main(void)
{
	const char *way;
	bool any = false;
	int r = 0;

	for (const struct attach_kind *const *kind = attach_kinds(); *kind; kind++)
		any |= !load((*kind)->name, &(struct object_options){ .kind = (*kind)->name });
	for (int i = 0; (way = hook_way_name((enum hook_way)i)) && !r; i++)
		r = load_hooks(way);
	if (r)
		fprintf(stderr, "verifier: %s\n", strerror(-r));
	return r || !any ? 1 : 0;
}
