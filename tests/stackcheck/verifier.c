// SPDX-License-Identifier: Apache-2.0
/*
 * usage: verifier
 *
 * Loads the programs for each way of attaching that this kernel has, and prints for each program a
 * line "KIND PROGRAM N": the instructions that the verifier went through.
 */
#include <bpf/bpf.h>
#include <string.h>
#include "probe/object.h"
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual" /* generated code */
#include "leaktrace.skel.h"
#pragma GCC diagnostic pop

static int print_programs(const struct object *o)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, o->skel->obj) {
		struct bpf_prog_info info = { 0 };
		uint32_t size = sizeof(info);

		if (bpf_program__fd(program) < 0) /* of another kind */
			continue;
		if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size))
			return -errno;
		printf("%s %s %u\n", o->kind->name, bpf_program__name(program), info.verified_insns);
	}
	return 0;
}

int main(void)
{
	int r = -EOPNOTSUPP;

	for (const struct attach_kind *const *kind = attach_kinds(); *kind; kind++) {
		struct object_options options = { .kind = (*kind)->name };
		struct object o;
		struct err e = { 0 };

		if (object_load(&options, &o, &e)) {
			fprintf(stderr, "%s: %s\n", (*kind)->name, e.text);
			continue;
		}
		r = print_programs(&o);
		object_unload(&o);
		if (r)
			break;
	}
	if (r)
		fprintf(stderr, "verifier: %s\n", strerror(-r));
	return r ? 1 : 0;
}
