// SPDX-License-Identifier: Apache-2.0
#include "go/code.h"
#include <Zydis/Zydis.h>

#define CODE_MAX (1U << 20) /* bytes of a function; the runtime's have some thousand */

static int add_operand(const ZydisDecodedInstruction *in, const ZydisDecodedOperand *op,
		       uint64_t at, struct go_operands *ret)
{
	uint64_t target;

	if (op->type != ZYDIS_OPERAND_TYPE_MEMORY || op->mem.base != ZYDIS_REGISTER_RIP ||
	    !ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(in, op, at, &target)))
		return 0;
	return vec_push(ret, (struct go_operand){
				     .target = target,
				     .bits = op->size,
				     .address = op->mem.type == ZYDIS_MEMOP_TYPE_AGEN,
				     .reads = op->actions & ZYDIS_OPERAND_ACTION_MASK_READ,
				     .writes = op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE,
			     });
}

int go_operands_of(const struct gopclntab *t, const char *name, struct go_operands *ret)
{
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction in;
	ZydisDecoder decoder;
	struct go_function f;
	const uint8_t *code;
	uint64_t size, at;
	int r = 0;

	if (!gopclntab_named(t, name, &f))
		return -ENOENT;
	size = f.end - f.entry < CODE_MAX ? f.end - f.entry : CODE_MAX;
	code = elf_image_at(t->img, f.entry, size);
	if (!code || !ZYAN_SUCCESS(ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64,
						    ZYDIS_STACK_WIDTH_64)))
		return -ENOENT;
	for (at = 0; !r && at < size; at += in.length) {
		if (!ZYAN_SUCCESS(
			    ZydisDecoderDecodeFull(&decoder, code + at, size - at, &in, ops))) {
			in.length = 1;
			continue;
		}
		for (unsigned int i = 0; !r && i < in.operand_count; i++)
			r = add_operand(&in, &ops[i], f.entry + at, ret);
	}
	return r;
}

bool go_operands_have(const struct go_operands *operands, uint64_t target)
{
	vec_foreach(o, operands)
		if (o->target == target)
			return true;
	return false;
}

void go_operands_deinit(struct go_operands *operands)
{
	vec_free(operands);
}
