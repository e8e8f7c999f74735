// SPDX-License-Identifier: Apache-2.0
#include "elf/cfi.h"
#include <errno.h>
#include <string.h>
#include "base/cleanup.h"
#include "elf/cfi_exec.h"
#include "elf/cfi_go.h"
#include "elf/cfi_parse.h"
#include "elf/cfi_prune.h"

/* Compilers align functions to 16 bytes: a gap that is shorter is padding. */
#define FUNCTION_ALIGN 16

static const struct lt_rule rule_none = { .cfa = LT_CFA_NONE };
static const struct lt_rule rule_stop = { .cfa = LT_CFA_STOP };

struct builder {
	const struct elf_image *img;
	struct cfi_rows rows;
	uint64_t end; /* up to here the rows are complete */
	uint64_t work; /* bytes of programs that were run */
};

static int put(struct builder *b, uint64_t pc, struct lt_rule rule)
{
	struct cfi_rows *rows = &b->rows;

	if (rows->n && !memcmp(&rows->items[rows->n - 1].rule, &rule, sizeof(rule)))
		return 0;
	rows->cut |= rows->n >= CFI_ROWS_MAX;
	if (rows->cut && rule.cfa != LT_CFA_NONE) /* that is what ends them */
		return 0;
	return vec_push(&b->rows, (struct cfi_row){ .pc = pc, .rule = rule });
}

/* Closes the code before `next`. Padding is left to the row before it: that saves nearly one row
 * per function. */
static int put_gap(struct builder *b, uint64_t next)
{
	uint64_t size = next - b->end;

	if (!b->rows.n || !size)
		return 0;
	if (size < FUNCTION_ALIGN && !cfi_has_call(b->img, b->end, next))
		return 0;
	return put(b, b->end, rule_none);
}

/*
 * Does a context of makecontext() return to `pc`? It is put there as a return address although no
 * call stands before it, so it is looked up in the byte before the function. Known by its first
 * instruction, mov %rbx,%rsp: a function that is called cannot lose its stack so.
 */
static bool is_context_start(const struct elf_image *img, uint64_t pc)
{
	static const uint8_t endbr64[] = { 0xf3, 0x0f, 0x1e, 0xfa };
	static const uint8_t mov_store[] = { 0x48, 0x89, 0xdc }, mov_load[] = { 0x48, 0x8b, 0xe3 };
	const uint8_t *code = elf_image_at(img, pc, sizeof(endbr64) + sizeof(mov_store));

	if (!code)
		return false;
	if (!memcmp(code, endbr64, sizeof(endbr64)))
		code += sizeof(endbr64);
	return !memcmp(code, mov_store, sizeof(mov_store)) ||
	       !memcmp(code, mov_load, sizeof(mov_load));
}

/* The first row of an FDE. Return addresses are looked up at the byte before them, so what is
 * returned to without having called starts one byte early. */
static int put_first(struct builder *b, uint64_t pc, struct lt_rule rule)
{
	bool context = is_context_start(b->img, pc);
	bool early = pc > b->end && (context || rule.cfa == LT_CFA_SIGNAL);
	int r = put_gap(b, pc - early);

	if (!r && early)
		r = put(b, pc - 1, context ? rule_stop : rule);
	return r ? r : put(b, pc, rule);
}

/* The rows of an FDE up to `limit`, where the next one starts. 0, -EINVAL or -ENOMEM. */
static int put_fde(struct builder *b, struct cfi_machine *m, const struct cfi_fde *fde,
		   uint64_t limit)
{
	struct lt_rule rule;
	uint64_t pc;
	int r = 0, err = 0;

	cfi_machine_start(m, fde);
	while (!err && !b->rows.cut && (r = cfi_machine_row(m, &pc, &rule)) > 0 && pc < limit)
		err = pc == fde->start ? put_first(b, pc, rule) : put(b, pc, rule);
	return err ? err : r < 0 ? r : 0;
}

/* What cannot be understood is code without a rule. */
static int put_bad_fde(struct builder *b, const struct cfi_fde *fde, size_t n_before)
{
	int r;

	b->rows.n = n_before;
	b->rows.bad_fdes++;
	r = put_gap(b, fde->start);
	return r ? r : put(b, fde->start, rule_none);
}

static int put_records(struct builder *b, struct cfi_machine *m, const struct cfi_records *records)
{
	const struct cfi_fde *fde, *fdes = records->fdes.items;
	const size_t n = records->fdes.n;
	uint32_t cie = UINT32_MAX;
	uint64_t limit;
	size_t n_before;
	int r, ready = -EINVAL;

	for (size_t i = 0, next; i < n && !b->rows.cut; i = next) {
		fde = &fdes[i];
		for (next = i + 1; next < n && fdes[next].start == fde->start;)
			next++;
		limit = next < n && fdes[next].start < fde->end ? fdes[next].start : fde->end;
		b->work += fde->program_size;
		if (fde->cie != cie)
			b->work += reader_left(&records->cies.items[fde->cie].program);
		b->rows.cut |= b->work > CFI_WORK_MAX;
		if (b->rows.cut)
			break;
		if (fde->cie != cie) {
			cie = fde->cie;
			ready = cfi_machine_init(m, &records->section, &records->cies.items[cie]);
		}
		n_before = b->rows.n;
		r = ready ? ready : put_fde(b, m, fde, limit);
		if (r == -EINVAL)
			r = put_bad_fde(b, fde, n_before);
		if (r)
			return r;
		b->end = limit;
	}
	return b->rows.n ? put(b, b->end, rule_none) : 0;
}

int cfi_rows_build(const struct elf_image *img, struct cfi_rows *ret)
{
	_cleanup_(cfi_records_deinit) struct cfi_records records = { 0 };
	_cleanup_free_ struct cfi_machine *m = malloc(sizeof(*m));
	struct builder b = { .img = img };
	int r = m ? cfi_records_read(img, &records) : -ENOMEM;

	if (!r) {
		b.rows.fdes = records.fdes.n;
		b.rows.bad_fdes = records.bad_fdes;
		r = put_records(&b, m, &records);
		b.rows.cut |= records.cut;
	}
	if (!r)
		r = cfi_go_add(img, &b.rows);
	if (r) {
		cfi_rows_deinit(&b.rows);
		return r;
	}
	*ret = b.rows;
	return 0;
}

const struct cfi_row *cfi_rows_at(const struct cfi_rows *rows, uint64_t pc)
{
	size_t low = 0, high = rows->n, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (rows->items[mid].pc <= pc)
			low = mid + 1;
		else
			high = mid;
	}
	return low ? &rows->items[low - 1] : NULL;
}

void cfi_rows_deinit(struct cfi_rows *rows)
{
	vec_free(rows);
}
