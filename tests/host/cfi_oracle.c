// SPDX-License-Identifier: Apache-2.0
/*
 * Compares our unwind rows with libdw's reading of the same .eh_frame: cfi_oracle FILE...
 * At every place a return address can point behind (the last byte of every call and syscall found
 * by linear decoding) the full and the pruned rows must say what libdw says; so must the full rows
 * at the start of every row. Exit status: 0 equal, 1 different, 2 a file cannot be read.
 */
#include <Zydis/Zydis.h>
#include <dwarf.h>
#include <elf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "elf/cfi.h"
#include "elf/cfi_parse.h"

#define SHOWN_MAX    10 /* differences printed per file */
#define UCONTEXT_RSP 160
enum { RBP = 6, RSP = 7, R10 = 10 };

struct oracle {
	const char *path;
	struct elf_image img;
	struct cfi_records records; /* for the starts of functions */
	struct cfi_rows full, pruned;
	Dwarf_CFI *cfi;
	ZydisDecoder decoder;
	uint64_t sites, without_fde, unread, rows, shown;
	uint64_t kinds[LT_CFA_UNSUPPORTED + 1];
	uint64_t full_bad, pruned_bad, rows_bad;
};

static bool is_breg(const Dwarf_Op *op, int *reg, int64_t *offset)
{
	bool indexed = op->atom == DW_OP_bregx;

	if (!indexed && (op->atom < DW_OP_breg0 || op->atom > DW_OP_breg31))
		return false;
	*reg = indexed ? (int)op->number : op->atom - DW_OP_breg0;
	*offset = (int64_t)(indexed ? op->number2 : op->number);
	return true;
}

static bool is_plt(const Dwarf_Op *op, size_t n, int32_t *ret)
{
	static const uint8_t atoms[] = { DW_OP_breg7, DW_OP_breg16, DW_OP_lit15,
					 DW_OP_and,   0,	    DW_OP_ge,
					 DW_OP_lit3,  DW_OP_shl,    DW_OP_plus };

	if (n != sizeof(atoms) || op[0].number != 8 || op[1].number != 0 ||
	    op[4].atom < DW_OP_lit0 || op[4].atom > DW_OP_lit15)
		return false;
	for (size_t i = 0; i < n; i++)
		if (atoms[i] && op[i].atom != atoms[i])
			return false;
	*ret = op[4].atom - DW_OP_lit0;
	return true;
}

/* Sets cfa and cfa_offset; false: not one of our kinds. */
static bool expect_cfa(Dwarf_Frame *frame, struct lt_rule *rule)
{
	int64_t offset, add = 0;
	Dwarf_Op *op;
	size_t n;
	int reg;

	if (dwarf_frame_cfa(frame, &op, &n) || !n)
		return false;
	rule->cfa = LT_CFA_PLT;
	if (is_plt(op, n, &rule->cfa_offset))
		return true;
	if (!is_breg(&op[0], &reg, &offset) || (reg != RSP && reg != RBP && reg != R10))
		return false;
	rule->cfa = reg == R10 ? LT_CFA_R10 : reg == RSP ? LT_CFA_RSP : LT_CFA_RBP;
	rule->cfa_offset = (int32_t)offset;
	if (n == 1)
		return offset == (int32_t)offset;
	if (reg == R10 || n > 3 || op[1].atom != DW_OP_deref || (n == 3 && op[2].atom != DW_OP_plus_uconst))
		return false;
	if (n == 3)
		add = (int64_t)op[2].number;
	rule->cfa = reg == RSP ? LT_CFA_DEREF_RSP : LT_CFA_DEREF_RBP;
	rule->cfa_offset = (int32_t)(((uint32_t)add << 16) | ((uint32_t)offset & 0xffff));
	return offset == (int16_t)offset && add == (int16_t)add;
}

/* Where libdw says a register is saved: true with its offset from the CFA. */
static bool is_at_cfa(const Dwarf_Op *op, size_t n, int64_t *offset)
{
	if (!n || n > 2 || op[0].atom != DW_OP_call_frame_cfa)
		return false;
	if (n == 2 && op[1].atom != DW_OP_plus_uconst)
		return false;
	*offset = n == 2 ? (int64_t)op[1].number : 0;
	return true;
}

static void expect_rbp(Dwarf_Frame *frame, struct lt_rule *rule)
{
	int64_t offset = 0;
	Dwarf_Op mem[3], *op;
	int reg;
	size_t n;

	rule->rbp = LT_RBP_UNKNOWN;
	if (dwarf_frame_register(frame, RBP, mem, &op, &n))
		return;
	if (!n && !op)
		rule->rbp = LT_RBP_SAME;
	else if (is_at_cfa(op, n, &offset))
		rule->rbp = LT_RBP_CFA;
	else if (n == 2 && is_breg(&op[1], &reg, &offset) && reg == RBP)
		rule->rbp = LT_RBP_DEREF_RBP; /* op[0]: the CFA, pushed first */
	if (offset != (int16_t)offset) {
		rule->rbp = LT_RBP_UNKNOWN;
		offset = 0;
	}
	rule->rbp_offset = rule->rbp == LT_RBP_UNKNOWN ? 0 : (int16_t)offset;
}

static bool is_no_match(void)
{
	return !strcmp(dwarf_errmsg(dwarf_errno()), "no matching address range");
}

/* The rule at `pc` as libdw has it: LT_CFA_NONE where it knows of no FDE. False when libdw cannot
 * read what is there: a limit of libdw's, as readelf shows. */
static bool expect(struct oracle *o, uint64_t pc, struct lt_rule *ret)
{
	_cleanup_free_ Dwarf_Frame *frame = NULL;
	struct lt_rule rule = { 0 };
	Dwarf_Op mem[3], *op;
	Dwarf_Addr start, end;
	bool signal, supported;
	int64_t offset;
	size_t n;
	int ra;

	*ret = rule;
	if (dwarf_cfi_addrframe(o->cfi, pc, &frame)) {
		bool none = is_no_match();

		o->unread += !none;
		return none;
	}
	ret->cfa = LT_CFA_UNSUPPORTED;
	ra = dwarf_frame_info(frame, &start, &end, &signal);
	supported = expect_cfa(frame, &rule);
	if (dwarf_frame_register(frame, ra, mem, &op, &n))
		return true;
	if (signal && rule.cfa == LT_CFA_DEREF_RSP && rule.cfa_offset == UCONTEXT_RSP)
		ret->cfa = LT_CFA_SIGNAL;
	else if (!n && op)
		ret->cfa = LT_CFA_STOP;
	if (ret->cfa != LT_CFA_UNSUPPORTED || !supported)
		return true;
	if (is_at_cfa(op, n, &offset) && offset == -8) {
		expect_rbp(frame, &rule);
		*ret = rule;
	}
	return true;
}

static struct lt_rule rule_at(const struct cfi_rows *rows, uint64_t pc)
{
	const struct cfi_row *row = cfi_rows_at(rows, pc);

	return row ? row->rule : (struct lt_rule){ .cfa = LT_CFA_NONE };
}

/* Counts and shows a difference. */
static void compare(struct oracle *o, const char *what, uint64_t pc, struct lt_rule want,
		    struct lt_rule have, uint64_t *bad)
{
	if (!memcmp(&want, &have, sizeof(want)))
		return;
	++*bad;
	if (o->shown++ >= SHOWN_MAX)
		return;
	printf("  %s row at %#" PRIx64 ": libdw cfa %u%+d rbp %u%+d, ours cfa %u%+d rbp %u%+d\n",
	       what, pc, want.cfa, want.cfa_offset, want.rbp, want.rbp_offset, have.cfa,
	       have.cfa_offset, have.rbp, have.rbp_offset);
}

static void check_site(struct oracle *o, uint64_t pc)
{
	struct lt_rule want;

	if (!expect(o, pc, &want))
		return;
	o->sites++;
	o->without_fde += want.cfa == LT_CFA_NONE;
	o->kinds[want.cfa]++;
	compare(o, "full", pc, want, rule_at(&o->full, pc), &o->full_bad);
	compare(o, "pruned", pc, want, rule_at(&o->pruned, pc), &o->pruned_bad);
}

static void check_stretch(struct oracle *o, uint64_t vaddr, uint64_t size)
{
	const uint8_t *code = elf_image_at(&o->img, vaddr, size);
	ZydisDecodedInstruction insn;
	uint64_t length;

	for (uint64_t at = 0; code && at < size; at += length) {
		length = 1;
		if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&o->decoder, NULL, code + at,
								size - at, &insn)))
			continue;
		length = insn.length;
		if (insn.mnemonic == ZYDIS_MNEMONIC_CALL || insn.mnemonic == ZYDIS_MNEMONIC_SYSCALL)
			check_site(o, vaddr + at + length - 1);
	}
}

/* Decoding starts anew at every FDE: data before a function may look like the head of an
 * instruction that reaches into it. */
static void check_code(struct oracle *o, uint64_t vaddr, uint64_t size)
{
	const struct cfi_fde_vec *fdes = &o->records.fdes;
	uint64_t at = vaddr, next;
	size_t i = 0;

	while (at - vaddr < size) {
		while (i < fdes->n && fdes->items[i].start <= at)
			i++;
		next = vaddr + size;
		if (i < fdes->n && fdes->items[i].start < next)
			next = fdes->items[i].start;
		check_stretch(o, at, next - at);
		at = next;
	}
}

static void check_sites(struct oracle *o)
{
	const struct elf_image *img = &o->img;

	elf_foreach_section(s, img)
		if ((s->flags & SHF_EXECINSTR) && (s->flags & SHF_ALLOC))
			check_code(o, s->addr, s->size);
	if (img->n_sections)
		return;
	elf_foreach_segment(s, img)
		if (s->flags & PF_X)
			check_code(o, s->vaddr, s->filesz);
}

/* Rows that start one byte before their FDE are ours alone: those are compared one byte on. */
static void check_rows(struct oracle *o)
{
	struct lt_rule want;
	bool early;

	vec_foreach(row, &o->full)
	{
		if (!expect(o, row->pc, &want))
			continue;
		early = want.cfa == LT_CFA_NONE && row->rule.cfa == LT_CFA_SIGNAL;
		if (early && !expect(o, row->pc + 1, &want))
			continue;
		if (want.cfa == LT_CFA_NONE && row->rule.cfa == LT_CFA_STOP)
			continue; /* before the start of a context: no FDE says so */
		o->rows++;
		compare(o, "start of", row->pc, want, row->rule, &o->rows_bad);
	}
}

static int oracle_prepare(struct oracle *o)
{
	int r = cfi_rows_build(&o->img, &o->full);

	if (!r)
		r = cfi_records_read(&o->img, &o->records);
	if (!r)
		r = cfi_rows_build(&o->img, &o->pruned);
	if (!r)
		r = cfi_rows_prune(&o->img, &o->pruned, NULL, 0);
	ZydisDecoderInit(&o->decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	return r;
}

static void oracle_deinit(struct oracle *o)
{
	cfi_records_deinit(&o->records);
	cfi_rows_deinit(&o->full);
	cfi_rows_deinit(&o->pruned);
	elf_image_deinit(&o->img);
}

static void oracle_print(const struct oracle *o)
{
	const uint64_t *k = o->kinds;

	printf("%s: %" PRIu64 " sites (%" PRIu64 " without FDE), %zu rows, %zu pruned;"
	       " different: full %" PRIu64 " pruned %" PRIu64 " row starts %" PRIu64
	       "; not read by libdw %" PRIu64 "\n",
	       o->path, o->sites, o->without_fde, o->full.n, o->pruned.n, o->full_bad,
	       o->pruned_bad, o->rows_bad, o->unread);
	printf("  sites by rule: rsp %" PRIu64 " rbp %" PRIu64 " plt %" PRIu64 " *rsp %" PRIu64
	       " *rbp %" PRIu64 " signal %" PRIu64 " stop %" PRIu64 " unsupported %" PRIu64 "\n",
	       k[LT_CFA_RSP], k[LT_CFA_RBP], k[LT_CFA_PLT], k[LT_CFA_DEREF_RSP],
	       k[LT_CFA_DEREF_RBP], k[LT_CFA_SIGNAL], k[LT_CFA_STOP], k[LT_CFA_UNSUPPORTED]);
}

static int check_file(const char *path)
{
	_cleanup_(oracle_deinit) struct oracle o = { .path = path };
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	int r = fd < 0 ? -errno : elf_image_open_fd(fd, &o.img);
	Elf *elf;

	if (!r)
		r = oracle_prepare(&o);
	if (r) {
		fprintf(stderr, "cfi_oracle: %s: %s\n", path, strerror(-r));
		return 2;
	}
	elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	o.cfi = dwarf_getcfi_elf(elf);
	if (o.cfi) {
		check_sites(&o);
		check_rows(&o);
		dwarf_cfi_end(o.cfi);
	}
	if (!o.cfi && o.full.n) {
		fprintf(stderr, "cfi_oracle: %s: libdw finds no .eh_frame\n", path);
		o.full_bad++;
	}
	elf_end(elf);
	oracle_print(&o);
	return o.full_bad || o.pruned_bad || o.rows_bad ? 1 : 0;
}

int main(int argc, char **argv)
{
	int status = 0, r;

	if (argc < 2) {
		fprintf(stderr, "usage: cfi_oracle FILE...\n");
		return 2;
	}
	elf_version(EV_CURRENT);
	for (int i = 1; i < argc; i++) {
		r = check_file(argv[i]);
		status = r > status ? r : status;
	}
	return status;
}
