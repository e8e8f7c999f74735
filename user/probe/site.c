// SPDX-License-Identifier: Apache-2.0
#include "probe/site.h"

#include <string.h>
#include <Zydis/Zydis.h>
#include "base/cleanup.h"

#define NOP5_LENGTH 5

struct insn {
	ZydisDecodedInstruction in;
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
	const uint8_t *bytes;
	uint32_t offset;
};

struct code {
	ZydisDecoder decoder;
	const uint8_t *bytes;
	size_t size;
	ZydisRegister arguments[6]; /* that must stay intact */
	size_t n_arguments;
};

static bool code_init(struct code *c, const uint8_t *bytes, size_t size, unsigned int args)
{
	static const ZydisRegister registers[] = {
		ZYDIS_REGISTER_RDI, ZYDIS_REGISTER_RSI, ZYDIS_REGISTER_RDX,
		ZYDIS_REGISTER_RCX, ZYDIS_REGISTER_R8,	ZYDIS_REGISTER_R9,
	};

	*c = (struct code){ .bytes = bytes, .size = size };
	for (size_t i = 0; i < ARRAY_SIZE(registers); i++)
		if (args >> i & 1)
			c->arguments[c->n_arguments++] = registers[i];
	return ZYAN_SUCCESS(ZydisDecoderInit(&c->decoder, ZYDIS_MACHINE_MODE_LONG_64,
					     ZYDIS_STACK_WIDTH_64));
}

static bool code_decode(const struct code *c, uint32_t offset, struct insn *ret)
{
	if (offset >= c->size)
		return false;
	ret->bytes = c->bytes + offset;
	ret->offset = offset;
	return ZYAN_SUCCESS(ZydisDecoderDecodeFull(&c->decoder, ret->bytes, c->size - offset,
						   &ret->in, ret->ops));
}

/* The kernel compares with its own table of nops (asm/nops.h), byte for byte. */
static bool is_kernel_nop(const struct insn *i)
{
	static const uint8_t nops[][8] = {
		{ 0x90 },
		{ 0x66, 0x90 },
		{ 0x0f, 0x1f, 0x00 },
		{ 0x0f, 0x1f, 0x40, 0x00 },
		{ 0x0f, 0x1f, 0x44, 0x00, 0x00 },
		{ 0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00 },
		{ 0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00 },
		{ 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00 },
	};

	return i->in.length <= ARRAY_SIZE(nops) &&
	       !memcmp(i->bytes, nops[i->in.length - 1], i->in.length);
}

static bool is_kernel_push(const struct insn *i)
{
	uint8_t opcode = i->bytes[i->in.length - 1];

	return i->in.mnemonic == ZYDIS_MNEMONIC_PUSH && opcode >= 0x50 && opcode <= 0x57 &&
	       (i->in.length == 1 || (i->in.length == 2 && i->bytes[0] == 0x41));
}

static bool is_kernel_jump(const struct insn *i)
{
	bool jump = i->in.meta.category == ZYDIS_CATEGORY_UNCOND_BR ||
		    i->in.meta.category == ZYDIS_CATEGORY_COND_BR;
	uint8_t op = i->in.opcode;

	if (!jump || (i->in.attributes & ZYDIS_ATTRIB_HAS_OPERANDSIZE))
		return false;
	if (i->in.opcode_map == ZYDIS_OPCODE_MAP_0F)
		return op >= 0x80 && op <= 0x8f;
	return i->in.opcode_map == ZYDIS_OPCODE_MAP_DEFAULT &&
	       (op == 0xeb || op == 0xe9 || (op >= 0x70 && op <= 0x7f));
}

static bool kernel_emulates(const struct insn *i)
{
	return is_kernel_push(i) || is_kernel_nop(i) || is_kernel_jump(i);
}

/* Linux 6.18 turns a 5-byte nop into a call, which overwrites a live red zone. */
static bool is_candidate(const struct insn *i)
{
	return kernel_emulates(i) && !(is_kernel_nop(i) && i->in.length == NOP5_LENGTH);
}

static ZydisRegister enclosing(ZydisRegister reg)
{
	return ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);
}

static bool insn_writes(const struct insn *i, const ZydisRegister *regs, size_t n)
{
	for (size_t o = 0; o < i->in.operand_count; o++) {
		const ZydisDecodedOperand *op = &i->ops[o];

		if (op->type != ZYDIS_OPERAND_TYPE_REGISTER ||
		    !(op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
			continue;
		for (size_t r = 0; r < n; r++)
			if (enclosing(op->reg.value) == regs[r])
				return true;
	}
	return false;
}

/* After it either another instruction than the next runs, or the arguments are gone. */
static bool ends_line(const struct code *c, const struct insn *i)
{
	switch (i->in.meta.category) {
	case ZYDIS_CATEGORY_CALL:
	case ZYDIS_CATEGORY_COND_BR:
	case ZYDIS_CATEGORY_INTERRUPT:
	case ZYDIS_CATEGORY_RET:
	case ZYDIS_CATEGORY_SYSCALL:
	case ZYDIS_CATEGORY_SYSRET:
	case ZYDIS_CATEGORY_SYSTEM:
	case ZYDIS_CATEGORY_UNCOND_BR:
		return true;
	default:
		break;
	}
	switch (i->in.mnemonic) {
	case ZYDIS_MNEMONIC_UD0:
	case ZYDIS_MNEMONIC_UD1:
	case ZYDIS_MNEMONIC_UD2:
		return true;
	default:
		return insn_writes(i, c->arguments, c->n_arguments);
	}
}

/* Adds what `i` pushes to *sp_delta. False: rsp is not known after it. */
static bool follow_sp(const struct insn *i, uint16_t *sp_delta)
{
	static const ZydisRegister rsp[] = { ZYDIS_REGISTER_RSP };
	const ZydisDecodedOperand *imm = &i->ops[1];
	uint64_t grown = 0;

	if (!insn_writes(i, rsp, ARRAY_SIZE(rsp)))
		return true;
	if (i->in.mnemonic == ZYDIS_MNEMONIC_PUSH)
		grown = i->in.operand_width / 8;
	else if (i->in.mnemonic == ZYDIS_MNEMONIC_SUB && i->in.operand_width == 64 &&
		 imm->type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
		grown = imm->imm.value.u;
	if (!grown || grown + *sp_delta > UINT16_MAX)
		return false;
	*sp_delta += (uint16_t)grown;
	return true;
}

/* Does a direct jump or call in the function land after its entry, up to and including `site`? */
static bool is_jump_target(const struct code *c, uint32_t site)
{
	struct insn i;
	int64_t target;

	for (uint32_t at = 0; at < c->size;) {
		if (!code_decode(c, at, &i)) {
			at++;
			continue;
		}
		at += i.in.length;
		if (!i.in.operand_count || i.ops[0].type != ZYDIS_OPERAND_TYPE_IMMEDIATE ||
		    !i.ops[0].imm.is_relative)
			continue;
		target = (int64_t)at + i.ops[0].imm.value.s;
		if (target > 0 && target <= site)
			return true;
	}
	return false;
}

static bool find_candidate(const struct code *c, uint32_t from, struct probe_site *ret)
{
	struct probe_site s = { .offset = from, .emulated = true };
	struct insn i;

	while (code_decode(c, s.offset, &i)) {
		if (is_candidate(&i)) {
			*ret = s;
			return true;
		}
		if (ends_line(c, &i) || !follow_sp(&i, &s.sp_delta))
			return false;
		s.offset += i.in.length;
	}
	return false;
}

struct probe_site probe_site_choose(const uint8_t *code, size_t size, unsigned int args)
{
	struct probe_site entry = { 0 }, site;
	struct code c;
	struct insn i;

	if (!code_init(&c, code, size, args))
		return entry;
	entry.emulated = code_decode(&c, 0, &i) && kernel_emulates(&i);
	if (find_candidate(&c, 0, &site) && !is_jump_target(&c, site.offset))
		return site;
	return entry;
}

/* The first call of the address; false: there is none. */
static bool find_call(const struct code *c, uint64_t address, uint64_t callee, struct insn *ret)
{
	for (uint32_t at = 0; code_decode(c, at, ret); at += ret->in.length)
		if (ret->in.meta.category == ZYDIS_CATEGORY_CALL && ret->ops[0].imm.is_relative &&
		    ret->ops[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
		    address + at + ret->in.length + (uint64_t)ret->ops[0].imm.value.s == callee)
			return true;
	return false;
}

bool probe_site_of_call(const uint8_t *code, size_t size, uint64_t address, uint64_t callee, bool at_call,
			struct probe_site *ret)
{
	struct probe_site site;
	struct code c;
	struct insn call;

	if (!code_init(&c, code, size, 0) || !find_call(&c, address, callee, &call))
		return false;
	site.offset = call.offset;
	c.arguments[c.n_arguments++] = ZYDIS_REGISTER_RAX;
	if (!at_call && !find_candidate(&c, call.offset + call.in.length, &site))
		return false;
	/* the kernel emulates calls, too: it pushes the address and goes there */
	*ret = (struct probe_site){ .offset = site.offset, .emulated = true };
	return true;
}
