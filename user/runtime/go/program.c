// SPDX-License-Identifier: Apache-2.0
#include "runtime/go/program.h"
#include <errno.h>
#include <string.h>
#include "base/cleanup.h"
#include "go/code.h"

#define CALL	    0xe8 /* call rel32 */
#define JUMP	    0xe9 /* jmp rel32 */
#define BRANCH_SIZE 5
#define WRAPPER_MAX 4096

/* What struct go_layout has not: src/runtime/runtime2.go, struct p; src/net/http/transport.go, struct
 * persistConn. From this release on: */
static const struct row {
	unsigned int minor;
	uint16_t p_goidcache, conn;
} rows[] = {
	{ 26, 384, 80 },
	{ 23, 376, 80 },
	{ 19, 384, 80 },
};

/* The address of runtime.sched.goidgen: newproc1 takes that of it and of sched.ngsys. */
static uint64_t find_goidgen(const struct go_runtime *rt)
{
	const struct go_layout *l = rt->layout;
	struct go_operands operands = { 0 };
	uint64_t found = 0;

	if (!go_operands_of(&rt->table, "runtime.newproc1", &operands))
		vec_foreach(o, &operands)
			if (o->address &&
			    go_operands_have(&operands, o->target - l->schedt.goidgen + l->schedt.ngsys))
				found = o->target + rt->bias;
	go_operands_deinit(&operands);
	return found;
}

int go_program_row(const struct go_runtime *rt, struct lt_go_program *ret)
{
	const struct go_layout *l = rt->layout;
	size_t i = 0;

	while (i < ARRAY_SIZE(rows) && rt->minor < rows[i].minor)
		i++;
	if (i == ARRAY_SIZE(rows))
		return -EOPNOTSUPP;
	*ret = (struct lt_go_program){
		.goidgen = find_goidgen(rt),
		.g_m = (uint16_t)l->g.m,
		.g_goid = (uint16_t)l->g.goid,
		.g_gopc = (uint16_t)l->g.gopc,
		.g_parent = l->g.parentGoid == GO_NONE ? 0 : (uint16_t)l->g.parentGoid,
		.m_p = (uint16_t)l->m.p,
		.p_goidcache = rows[i].p_goidcache,
		.conn = rows[i].conn,
	};
	return ret->goidgen ? 0 : -EOPNOTSUPP;
}

size_t go_program_callees(const struct go_runtime *rt, const struct go_function *f, uint64_t *ret, size_t max)
{
	uint64_t size = f->end - f->entry < WRAPPER_MAX ? f->end - f->entry : WRAPPER_MAX;
	const uint8_t *code = elf_image_at(&rt->image, f->entry, size);
	size_t n = 0;

	for (uint64_t i = 0; code && i + BRANCH_SIZE <= size && n < max; i++) {
		struct go_function callee;
		int32_t distance;
		uint64_t to;

		if (code[i] != CALL && code[i] != JUMP)
			continue;
		memcpy(&distance, code + i + 1, sizeof(distance));
		to = f->entry + i + BRANCH_SIZE + (uint64_t)(int64_t)distance;
		if (gopclntab_at(&rt->table, to, &callee) && callee.entry == to &&
		    strncmp(callee.name, "runtime.", strlen("runtime.")))
			ret[n++] = to;
	}
	return n;
}
