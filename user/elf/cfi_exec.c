// SPDX-License-Identifier: Apache-2.0
/* Call frame instructions: DWARF 5, section 6.4.2, and the LSB's GNU additions. */
#include "elf/cfi_exec.h"
#include <dwarf.h>
#include <errno.h>
#include <string.h>

#define PRIMARY_MASK 0xc0 /* of the instructions that keep an operand in their low bits */
#define PRIMARY_BIT  0x40

/* Of the interrupted rsp in the ucontext, which is at rsp when a handler returns. */
#define UCONTEXT_RSP 160

enum operand {
	NONE,
	U8,
	U16,
	U32,
	ADDRESS,
	ULEB,
	FACTORED_ULEB, /* times the CIE's data factor */
	FACTORED_SLEB,
	BLOCK,
};

struct instruction {
	uint8_t op;
	uint64_t arg[2];
	struct reader block;
};

/* The operands of each instruction; those in which `known` is not set are malformed. */
static const struct {
	uint8_t known, arg[2];
} formats[PRIMARY_BIT] = {
	[DW_CFA_nop] = { 1, { NONE } },
	[DW_CFA_set_loc] = { 1, { ADDRESS } },
	[DW_CFA_advance_loc1] = { 1, { U8 } },
	[DW_CFA_advance_loc2] = { 1, { U16 } },
	[DW_CFA_advance_loc4] = { 1, { U32 } },
	[DW_CFA_offset_extended] = { 1, { ULEB, FACTORED_ULEB } },
	[DW_CFA_offset_extended_sf] = { 1, { ULEB, FACTORED_SLEB } },
	[DW_CFA_GNU_negative_offset_extended] = { 1, { ULEB, FACTORED_ULEB } },
	[DW_CFA_restore_extended] = { 1, { ULEB } },
	[DW_CFA_undefined] = { 1, { ULEB } },
	[DW_CFA_same_value] = { 1, { ULEB } },
	[DW_CFA_register] = { 1, { ULEB, ULEB } },
	[DW_CFA_remember_state] = { 1, { NONE } },
	[DW_CFA_restore_state] = { 1, { NONE } },
	[DW_CFA_def_cfa] = { 1, { ULEB, ULEB } },
	[DW_CFA_def_cfa_sf] = { 1, { ULEB, FACTORED_SLEB } },
	[DW_CFA_def_cfa_register] = { 1, { ULEB } },
	[DW_CFA_def_cfa_offset] = { 1, { ULEB } },
	[DW_CFA_def_cfa_offset_sf] = { 1, { FACTORED_SLEB } },
	[DW_CFA_def_cfa_expression] = { 1, { BLOCK } },
	[DW_CFA_expression] = { 1, { ULEB, BLOCK } },
	[DW_CFA_val_expression] = { 1, { ULEB, BLOCK } },
	[DW_CFA_val_offset] = { 1, { ULEB, FACTORED_ULEB } },
	[DW_CFA_val_offset_sf] = { 1, { ULEB, FACTORED_SLEB } },
	[DW_CFA_GNU_args_size] = { 1, { ULEB } },
};

static uint64_t read_operand(struct cfi_machine *m, enum operand kind, struct reader *block)
{
	const uint64_t factor = (uint64_t)m->cie->data_factor;
	struct reader *r = &m->program;

	switch (kind) {
	case NONE:
		return 0;
	case U8:
		return reader_u8(r);
	case U16:
		return reader_u16(r);
	case U32:
		return reader_u32(r);
	case ADDRESS:
		return cfi_read_address(r, m->cie->encoding, m->section);
	case ULEB:
		return reader_uleb128(r);
	case FACTORED_ULEB:
		return reader_uleb128(r) * factor;
	case FACTORED_SLEB:
		return (uint64_t)reader_sleb128(r) * factor;
	case BLOCK:
		*block = reader_sub(r, reader_uleb128(r));
		return 0;
	}
	return 0;
}

static int read_instruction(struct cfi_machine *m, struct instruction *i)
{
	uint8_t byte = reader_u8(&m->program), low = byte & ~PRIMARY_MASK;

	i->op = byte & PRIMARY_MASK ? byte & PRIMARY_MASK : byte;
	if (byte & PRIMARY_MASK) {
		i->arg[0] = low;
		if (i->op == DW_CFA_offset)
			i->arg[1] = read_operand(m, FACTORED_ULEB, NULL);
	} else {
		if (!formats[byte].known)
			return -EINVAL;
		i->arg[0] = read_operand(m, formats[byte].arg[0], &i->block);
		i->arg[1] = read_operand(m, formats[byte].arg[1], &i->block);
	}
	return m->program.bad ? -EINVAL : 0;
}

/* breg R, offset; then any of plus_uconst N, deref (once): the forms that compilers emit. Sums wrap
 * around as those of addresses do. */
static struct cfi_location parse_expression(struct reader r)
{
	const struct cfi_location other = { .how = CFI_OTHER };
	uint8_t op = reader_u8(&r);
	struct cfi_location ret = { .how = CFI_OFFSET, .reg = op - DW_OP_breg0 };
	int64_t *sum = &ret.offset;

	if (op < DW_OP_breg0 || op > DW_OP_breg31)
		return other;
	ret.offset = reader_sleb128(&r);
	while (reader_left(&r)) {
		op = reader_u8(&r);
		if (op == DW_OP_plus_uconst) {
			*sum = (int64_t)((uint64_t)*sum + reader_uleb128(&r));
		} else if (op == DW_OP_deref && ret.how == CFI_OFFSET) {
			ret.how = CFI_DEREF;
			sum = &ret.add;
		} else {
			return other;
		}
	}
	return r.bad ? other : ret;
}

/* rsp + 8 + ((rip & 15) >= N) * 8: what linkers write for lazy-binding stubs. */
static bool parse_plt_expression(struct reader r, struct cfi_location *ret)
{
	static const uint8_t before[] = { DW_OP_breg7, 8, DW_OP_breg16, 0, DW_OP_lit15, DW_OP_and };
	static const uint8_t after[] = { DW_OP_ge, DW_OP_lit3, DW_OP_shl, DW_OP_plus };
	uint8_t n;

	if (reader_left(&r) != sizeof(before) + 1 + sizeof(after))
		return false;
	n = r.p[sizeof(before)];
	if (memcmp(r.p, before, sizeof(before)) || n < DW_OP_lit0 || n > DW_OP_lit15 ||
	    memcmp(r.p + sizeof(before) + 1, after, sizeof(after)))
		return false;
	*ret = (struct cfi_location){ .how = CFI_PLT, .offset = n - DW_OP_lit0 };
	return true;
}

static struct cfi_location *column(struct cfi_machine *m, struct cfi_columns *c, uint64_t reg)
{
	if (reg == m->cie->ra_column)
		return &c->ra;
	return reg == CFI_RBP ? &c->rbp : &m->ignored;
}

static struct cfi_location register_location(const struct instruction *i)
{
	struct cfi_location ret = { .how = CFI_OTHER };

	switch (i->op) {
	case DW_CFA_offset:
	case DW_CFA_offset_extended:
	case DW_CFA_offset_extended_sf:
		return (struct cfi_location){ .how = CFI_AT_CFA, .offset = (int64_t)i->arg[1] };
	case DW_CFA_GNU_negative_offset_extended:
		return (struct cfi_location){ .how = CFI_AT_CFA, .offset = (int64_t)-i->arg[1] };
	case DW_CFA_undefined:
		return (struct cfi_location){ .how = CFI_UNDEFINED };
	case DW_CFA_same_value:
		return (struct cfi_location){ .how = CFI_SAME };
	case DW_CFA_expression:
		ret = parse_expression(i->block);
		ret.how = ret.how == CFI_OFFSET ? CFI_AT_REG : CFI_OTHER;
		return ret;
	}
	return ret; /* in another register, or a value: DW_CFA_register, DW_CFA_val_... */
}

/* A CFA by register and offset. Changing one of the two needs the other to be in force. */
static void set_cfa(struct cfi_location *cfa, const struct instruction *i)
{
	switch (i->op) {
	case DW_CFA_def_cfa:
	case DW_CFA_def_cfa_sf:
		cfa->how = CFI_OFFSET;
		cfa->reg = i->arg[0];
		cfa->offset = (int64_t)i->arg[1];
		return;
	case DW_CFA_def_cfa_register:
		cfa->reg = i->arg[0];
		break;
	default: /* DW_CFA_def_cfa_offset, DW_CFA_def_cfa_offset_sf */
		cfa->offset = (int64_t)i->arg[0];
	}
	if (cfa->how != CFI_OFFSET)
		cfa->how = CFI_OTHER;
}

static void advance(struct cfi_machine *m, uint64_t delta)
{
	if (__builtin_mul_overflow(delta, m->cie->code_factor, &delta) || delta > m->end - m->pc)
		delta = m->end - m->pc;
	m->pc += delta;
}

static int apply(struct cfi_machine *m, const struct instruction *i)
{
	struct cfi_columns *now = &m->now;

	switch (i->op) {
	case DW_CFA_nop:
	case DW_CFA_GNU_args_size:
		return 0;
	case DW_CFA_advance_loc:
	case DW_CFA_advance_loc1:
	case DW_CFA_advance_loc2:
	case DW_CFA_advance_loc4:
		advance(m, i->arg[0]);
		return 0;
	case DW_CFA_set_loc:
		if (i->arg[0] < m->pc)
			return -EINVAL;
		m->pc = i->arg[0] < m->end ? i->arg[0] : m->end;
		return 0;
	case DW_CFA_remember_state:
		if (m->depth == CFI_REMEMBER_MAX)
			return -EINVAL;
		m->remembered[m->depth++] = *now;
		return 0;
	case DW_CFA_restore_state:
		if (!m->depth)
			return -EINVAL;
		*now = m->remembered[--m->depth];
		return 0;
	case DW_CFA_restore:
	case DW_CFA_restore_extended:
		*column(m, now, i->arg[0]) = *column(m, &m->initial, i->arg[0]);
		return 0;
	case DW_CFA_def_cfa:
	case DW_CFA_def_cfa_sf:
	case DW_CFA_def_cfa_register:
	case DW_CFA_def_cfa_offset:
	case DW_CFA_def_cfa_offset_sf:
		set_cfa(&now->cfa, i);
		return 0;
	case DW_CFA_def_cfa_expression:
		if (!parse_plt_expression(i->block, &now->cfa))
			now->cfa = parse_expression(i->block);
		return 0;
	}
	*column(m, now, i->arg[0]) = register_location(i);
	return 0;
}

static bool lower_cfa(const struct cfi_location *cfa, struct lt_rule *rule)
{
	if (cfa->how == CFI_PLT) {
		rule->cfa = LT_CFA_PLT;
		rule->cfa_offset = cfa->offset;
		return true;
	}
	if (cfa->reg == CFI_R10 && cfa->how == CFI_OFFSET) {
		rule->cfa = LT_CFA_R10;
		rule->cfa_offset = (int32_t)cfa->offset;
		return cfa->offset == (int32_t)cfa->offset;
	}
	if (cfa->reg != CFI_RSP && cfa->reg != CFI_RBP)
		return false;
	if (cfa->how == CFI_OFFSET) {
		rule->cfa = cfa->reg == CFI_RSP ? LT_CFA_RSP : LT_CFA_RBP;
		rule->cfa_offset = (int32_t)cfa->offset;
		return cfa->offset == (int32_t)cfa->offset;
	}
	if (cfa->how == CFI_DEREF) {
		rule->cfa = cfa->reg == CFI_RSP ? LT_CFA_DEREF_RSP : LT_CFA_DEREF_RBP;
		rule->cfa_offset = (int32_t)((uint16_t)cfa->offset | (uint32_t)cfa->add << 16);
		return cfa->offset == (int16_t)cfa->offset && cfa->add == (int16_t)cfa->add;
	}
	return false;
}

static void lower_rbp(const struct cfi_location *rbp, struct lt_rule *rule)
{
	if (rbp->how == CFI_SAME) {
		rule->rbp = LT_RBP_SAME;
		return;
	}
	rule->rbp = LT_RBP_UNKNOWN;
	if (rbp->offset != (int16_t)rbp->offset)
		return;
	if (rbp->how == CFI_AT_CFA)
		rule->rbp = LT_RBP_CFA;
	else if (rbp->how == CFI_AT_REG && rbp->reg == CFI_RBP)
		rule->rbp = LT_RBP_DEREF_RBP;
	if (rule->rbp != LT_RBP_UNKNOWN)
		rule->rbp_offset = (int16_t)rbp->offset;
}

static struct lt_rule lower(const struct cfi_machine *m)
{
	const struct cfi_location *cfa = &m->now.cfa, *ra = &m->now.ra;
	struct lt_rule rule = { 0 };

	if (m->cie->signal && cfa->how == CFI_DEREF && cfa->reg == CFI_RSP &&
	    cfa->offset == UCONTEXT_RSP && !cfa->add)
		return (struct lt_rule){ .cfa = LT_CFA_SIGNAL };
	if (ra->how == CFI_UNDEFINED)
		return (struct lt_rule){ .cfa = LT_CFA_STOP };
	if (ra->how != CFI_AT_CFA || ra->offset != -8 || !lower_cfa(cfa, &rule))
		return (struct lt_rule){ .cfa = LT_CFA_UNSUPPORTED };
	lower_rbp(&m->now.rbp, &rule);
	return rule;
}

static int step(struct cfi_machine *m)
{
	struct instruction i = { 0 };
	int r = read_instruction(m, &i);

	return r ? r : apply(m, &i);
}

int cfi_machine_init(struct cfi_machine *m, const struct cfi_section *section,
		     const struct cfi_cie *cie)
{
	int r = 0;

	m->section = section;
	m->cie = cie;
	m->program = cie->program;
	m->pc = 0;
	m->end = UINT64_MAX;
	m->depth = 0;
	m->now = (struct cfi_columns){ .cfa.how = CFI_OTHER };
	m->initial = m->now;
	m->ignored = (struct cfi_location){ 0 };
	while (!r && reader_left(&m->program))
		r = step(m);
	m->initial = m->now;
	return r;
}

void cfi_machine_start(struct cfi_machine *m, const struct cfi_fde *fde)
{
	m->program = reader_make(fde->program, fde->program_size);
	m->pc = fde->start;
	m->end = fde->end;
	m->depth = 0;
	m->now = m->initial;
}

int cfi_machine_row(struct cfi_machine *m, uint64_t *ret_pc, struct lt_rule *ret_rule)
{
	uint64_t start = m->pc;
	int r;

	if (start == m->end)
		return 0;
	while (m->pc == start && reader_left(&m->program)) {
		r = step(m);
		if (r)
			return r;
	}
	*ret_pc = start;
	*ret_rule = lower(m);
	if (m->pc == start)
		m->pc = m->end;
	return 1;
}
