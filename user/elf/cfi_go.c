// SPDX-License-Identifier: Apache-2.0
/*
 * Unwind rows of Go's functions, from the sizes of frames that Go keeps for its own stack traces.
 *
 * A few functions of the runtime leave the stack that they were called on. They are known by name:
 * the walk goes on there, or ends where what is on the old stack did not ask for what is done.
 */
#include "elf/cfi_go.h"
#include <errno.h>
#include <string.h>
#include "base/cleanup.h"
#include "elf/gopclntab.h"

#define PUSH_RBP 0x55

static const struct lt_rule rule_none = { .cfa = LT_CFA_NONE };
static const struct lt_rule rule_stop = { .cfa = LT_CFA_STOP };

enum special {
	PLAIN,
	SWITCHES, /* calls on the system stack, with rbp on the old one */
	CALLS_C,  /* the same */
	ALIGNS,	  /* calls C with rsp rounded down, and what it was at its top */
	ENDS,	  /* the same, but for the scheduler's or the stack's own sake */
};

static const struct {
	const char *name;
	enum special special;
} specials[] = {
	{ "runtime.systemstack", SWITCHES },	    { "runtime.asmcgocall", CALLS_C },
	{ "runtime.mcall", ENDS },		    { "runtime.morestack", ENDS },
	{ "runtime.callCgoMmap", ALIGNS },	    { "runtime.callCgoMunmap", ALIGNS },
};

struct go_builder {
	const struct elf_image *img;
	struct gopclntab table;
	const struct cfi_rows *frames; /* of .eh_frame: for what is not Go's */
	struct cfi_rows rows;
	uint64_t work; /* entries of tables that were gone through */
};

/* How a function deals with rbp. */
struct frame {
	bool saves_rbp;
	uint64_t saved_at; /* the address from which on it has */
};

static enum special special_of(const struct go_function *f)
{
	if (f->flags & GO_FUNC_TOP)
		return ENDS;
	for (size_t i = 0; i < ARRAY_SIZE(specials); i++)
		if ((f->flags & GO_FUNC_ASM) && gopclntab_is_named(f, specials[i].name))
			return specials[i].special;
	return PLAIN;
}

static int put(struct go_builder *b, uint64_t pc, struct lt_rule rule)
{
	struct cfi_rows *rows = &b->rows;

	while (rows->n && rows->items[rows->n - 1].pc >= pc)
		rows->n--;
	rows->cut |= rows->n >= CFI_ROWS_MAX || b->work > CFI_WORK_MAX;
	if (rows->n && !memcmp(&rows->items[rows->n - 1].rule, &rule, sizeof(rule)))
		return 0;
	if (rows->cut && rule.cfa != LT_CFA_NONE) /* that is what ends them */
		return 0;
	return vec_push(rows, (struct cfi_row){ .pc = pc, .rule = rule });
}

/* Between Go's functions, [from, to), holds what .eh_frame says. */
static int put_frames(struct go_builder *b, uint64_t from, uint64_t to)
{
	const struct cfi_rows *frames = b->frames;
	const struct cfi_row *row = cfi_rows_at(frames, from);
	size_t next = row ? (size_t)(row - frames->items) + 1 : 0;
	int r = 0;

	if (from >= to)
		return 0;
	if (b->rows.n || row)
		r = put(b, from, row ? row->rule : rule_none);
	for (; !r && next < frames->n && frames->items[next].pc < to; next++)
		r = put(b, frames->items[next].pc, frames->items[next].rule);
	return r;
}

/* -- frames ---------------------------------------------------------------------------------- */
static struct lt_rule rule_at(const struct frame *frame, uint64_t pc, int32_t size)
{
	struct lt_rule rule = { .cfa = LT_CFA_RSP, .cfa_offset = size + 8 };

	if (frame->saves_rbp && size >= 8 && pc >= frame->saved_at) {
		rule.rbp = LT_RBP_CFA;
		rule.rbp_offset = -16;
	}
	return rule;
}

/*
 * Does the code before or at `pc`, where the frame has grown to `size`, save rbp below the return
 * address? As of Go 1.21: push %rbp. Before: sub $size,%rsp; mov %rbp,size-8(%rsp).
 */
static struct frame frame_at(const struct go_builder *b, uint64_t pc, int32_t size)
{
	static const uint8_t near[] = { 0x48, 0x89, 0x6c, 0x24 };
	static const uint8_t far[] = { 0x48, 0x89, 0xac, 0x24 };
	const uint8_t *code = elf_image_at(b->img, pc - 1, 1 + sizeof(far) + 4);
	int32_t offset;

	if (!code)
		return (struct frame){ 0 };
	if (*code == PUSH_RBP && size == 8)
		return (struct frame){ .saves_rbp = true, .saved_at = pc };
	code++;
	if (!memcmp(code, near, sizeof(near)) && (int8_t)code[4] == size - 8)
		return (struct frame){ .saves_rbp = true, .saved_at = pc + sizeof(near) + 1 };
	memcpy(&offset, code + sizeof(far), sizeof(offset));
	if (!memcmp(code, far, sizeof(far)) && offset == size - 8)
		return (struct frame){ .saves_rbp = true, .saved_at = pc + sizeof(far) + 4 };
	return (struct frame){ 0 };
}

static int put_plain(struct go_builder *b, const struct go_function *f)
{
	struct go_values v = gopclntab_values(&b->table, f, f->pcsp);
	struct frame frame = { 0 };
	uint64_t pc = f->entry;
	int32_t before = 0;
	int r = 0;

	while (!r && !b->rows.cut && pc < f->end && go_values_next(&v)) {
		b->work++;
		if (v.value < -8 || v.value >= INT32_MAX - 8)
			return put(b, pc, rule_none);
		if (!before && v.value > 0 && !frame.saves_rbp)
			frame = frame_at(b, pc, v.value);
		r = put(b, pc, rule_at(&frame, pc, v.value));
		if (!r && pc < frame.saved_at && frame.saved_at < v.pc && frame.saved_at < f->end)
			r = put(b, frame.saved_at, rule_at(&frame, frame.saved_at, v.value));
		before = v.value;
		pc = v.pc;
	}
	return r ? r : pc == f->entry ? put(b, pc, rule_none) : 0;
}

/* -- what leaves its stack ------------------------------------------------------------------- */
/* The size of the frame of the function that asmcgocall() is called by. */
static int32_t size_of_cgocall(const struct go_builder *b)
{
	struct go_function f;
	struct go_values v;
	int32_t size = 0;

	for (uint32_t i = 0; i < b->table.n; i++) {
		if (!gopclntab_function(&b->table, i, &f) || strcmp(f.name, "runtime.cgocall"))
			continue;
		v = gopclntab_values(&b->table, &f, f.pcsp);
		while (go_values_next(&v))
			if (v.value > size && v.value < INT16_MAX)
				size = v.value;
		break;
	}
	return size;
}

/* With a frame of its own (Go 1.21), rbp leads to its caller; without, to the caller's caller,
 * unless the caller is known. */
static struct lt_rule switch_rule(const struct go_builder *b, bool calls_c, bool framed)
{
	int32_t size = calls_c && !framed ? size_of_cgocall(b) : 0;

	if (size)
		return (struct lt_rule){ .cfa = LT_CFA_SWITCH, .cfa_offset = 8 - size };
	return (struct lt_rule){
		.cfa = LT_CFA_SWITCH,
		.cfa_offset = 16,
		.rbp = LT_RBP_CFA,
		.rbp_offset = -16,
	};
}

/* On the system stack already, as where threads are made, asmcgocall() stays there: it keeps rsp in its
 * frame and gets it back from there. False where it does not look like this. */
static bool find_nosave(const struct go_builder *b, const struct go_function *f, uint64_t *ret,
			uint64_t *ret_end)
{
	static const uint8_t keeps[] = { 0x48, 0x89, 0x54, 0x24, 0x28 }; /* mov %rdx, 40(%rsp) */
	static const uint8_t gets[] = { 0x48, 0x8b, 0x74, 0x24, 0x28 };	 /* mov 40(%rsp), %rsi */
	const size_t size = f->end - f->entry;
	const uint8_t *code = elf_image_at(b->img, f->entry, size), *from, *to;

	from = code ? memmem(code, size, keeps, sizeof(keeps)) : NULL;
	to = from ? memmem(from, size - (size_t)(from - code), gets, sizeof(gets)) : NULL;
	if (!to)
		return false;
	*ret = f->entry + (uint64_t)(from - code) + sizeof(keeps);
	*ret_end = f->entry + (uint64_t)(to - code) + sizeof(gets);
	return true;
}

static int put_nosave(struct go_builder *b, const struct go_function *f, struct lt_rule behind)
{
	const struct lt_rule kept = { .cfa = LT_CFA_DEREF_RSP, .cfa_offset = 40 | 8 << 16 };
	uint64_t pc, end;
	int r;

	if (!find_nosave(b, f, &pc, &end))
		return 0;
	r = put(b, pc, kept);
	return r ? r : put(b, end, behind);
}

static int put_switch(struct go_builder *b, const struct go_function *f, bool calls_c)
{
	const uint8_t *code = elf_image_at(b->img, f->entry, 1);
	const bool framed = code && *code == PUSH_RBP;
	const struct lt_rule outside = { .cfa = LT_CFA_RSP, .cfa_offset = 8 };
	const struct lt_rule inside = switch_rule(b, calls_c, framed);
	struct go_values v = gopclntab_values(&b->table, f, f->pcsp);
	uint64_t pc = f->entry;
	int r = 0;

	for (; !r && pc < f->end && go_values_next(&v); pc = v.pc)
		r = put(b, pc, !framed || v.value >= 8 ? inside : outside);
	return r || framed || !calls_c ? r : put_nosave(b, f, inside);
}

static int put_aligned(struct go_builder *b, const struct go_function *f)
{
	struct go_values v = gopclntab_values(&b->table, f, f->pcsp);
	struct lt_rule rule = { .cfa = LT_CFA_DEREF_RSP, .rbp = LT_RBP_CFA, .rbp_offset = -16 };
	int r = put_plain(b, f);

	for (uint64_t pc = f->entry; !r && pc < f->end && go_values_next(&v); pc = v.pc) {
		rule.cfa_offset = (v.value + 8) << 16;
		if (v.value > 8 && v.value < INT16_MAX - 8)
			return put(b, pc, rule);
	}
	return r;
}

static int put_function(struct go_builder *b, const struct go_function *f)
{
	const enum special special = special_of(f);
	int r = 0;

	switch (special) {
	case ENDS:
		return put(b, f->entry, rule_stop);
	case SWITCHES:
	case CALLS_C:
		return put_switch(b, f, special == CALLS_C);
	case ALIGNS:
		return put_aligned(b, f);
	default:
		if (gopclntab_is_resumed(f) && f->entry)
			r = put(b, f->entry - 1, rule_at(&(struct frame){ 0 }, f->entry, 0));
		return r ? r : put_plain(b, f);
	}
}

static int put_all(struct go_builder *b)
{
	struct go_function f;
	uint64_t pc = 0;
	int r = 0;

	for (uint32_t i = 0; !r && !b->rows.cut && i < b->table.n; i++) {
		/* what has no sizes is C that was linked in */
		if (!gopclntab_function(&b->table, i, &f) || !f.pcsp || f.entry < pc ||
		    !elf_image_is_code(b->img, f.entry, f.end - f.entry))
			continue;
		r = put_frames(b, pc, f.entry);
		if (!r)
			r = put_function(b, &f);
		pc = f.end;
	}
	if (!r)
		r = b->rows.cut ? put(b, pc, rule_none) : put_frames(b, pc, UINT64_MAX);
	return r;
}

int cfi_go_add(const struct elf_image *img, struct cfi_rows *rows)
{
	struct go_builder b = { .img = img, .frames = rows };
	int r = gopclntab_find(img, &b.table) ? -ENOENT : put_all(&b);

	if (r) {
		vec_free(&b.rows);
		return r == -ENOENT ? 0 : r;
	}
	b.rows.fdes = rows->fdes;
	b.rows.bad_fdes = rows->bad_fdes;
	b.rows.cut |= rows->cut;
	cfi_rows_deinit(rows);
	*rows = b.rows;
	return 0;
}
