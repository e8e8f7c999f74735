// SPDX-License-Identifier: Apache-2.0
/*
 * usage: go_check PROGRAM TWIN
 *
 * What leaktrace reads from the Go program TWIN, which may be stripped, against what the debug
 * information of PROGRAM, the same code, says through libdw: for every function its name, and at
 * many of its addresses file, line, inlined calls and the size of the frame. Prints a line with
 * figures.
 */
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "elf/cfi.h"
#include "elf/gopclntab.h"
#include "elf/symtab.h"
#include "proc/module.h"
#include "sym/symbolizer.h"

#define STEP	  5  /* bytes from one address to the next */
#define SHOWN_MAX 12 /* differences printed of each sort */
#define RSP	  7

enum sort { NAME, LINE, CHAIN, FRAME, N_SORTS };

struct unit {
	uint64_t start, end;
	Dwarf_Off die;
};

struct check {
	struct elf_image img, twin;
	struct elf_symtab symtab;
	struct gopclntab table;
	struct cfi_rows rows;
	struct module module;
	struct symbolizer *symbolizer;
	Dwarf *dwarf;
	Dwarf_CFI *cfi;
	struct {
		VEC_OF(struct unit);
	} units;
	uint64_t functions, inlined, compared[N_SORTS], different[N_SORTS];
};

static const char *const sorts[] = { "names", "lines", "chains", "frames" };

__printf(4, 5) static void compare(struct check *c, enum sort sort, bool equal, const char *fmt,
				   ...)
{
	va_list ap;

	c->compared[sort]++;
	if (equal || c->different[sort]++ >= SHOWN_MAX)
		return;
	printf("%s: ", sorts[sort]);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

/* Without the types of a generic function and the assembler's marks. */
static void plain_name(const char *name, char *ret, size_t size)
{
	const char *open = strchr(name, '['), *close = strrchr(name, ']');
	char *mark;

	if (open && close && open < close)
		snprintf(ret, size, "%.*s[...]%s", (int)(open - name), name, close + 1);
	else
		snprintf(ret, size, "%s", name);
	mark = strstr(ret, ".abi0");
	if (mark && !mark[5])
		*mark = 0;
	while ((mark = strstr(ret, "·"))) {
		*mark = '.';
		memmove(mark + 1, mark + 2, strlen(mark + 2) + 1);
	}
}

static bool same_name(const char *a, const char *b)
{
	char x[1024], y[1024];

	plain_name(a, x, sizeof(x));
	plain_name(b, y, sizeof(y));
	return !strcmp(x, y);
}

/* Go writes no index of addresses. */
static int list_units(struct check *c)
{
	Dwarf_CU *cu = NULL;
	Dwarf_Addr base, start, end;
	Dwarf_Die die;
	ptrdiff_t at;
	int r = 0;

	while (!r && !dwarf_get_units(c->dwarf, cu, &cu, NULL, NULL, &die, NULL))
		for (at = 0; !r && (at = dwarf_ranges(&die, at, &base, &start, &end)) > 0;)
			r = vec_push(&c->units, (struct unit){ start, end, dwarf_dieoffset(&die) });
	return r;
}

static bool unit_at(const struct check *c, uint64_t pc, Dwarf_Die *ret)
{
	vec_foreach(u, &c->units)
		if (pc >= u->start && pc < u->end)
			return dwarf_offdie(c->dwarf, u->die, ret);
	return false;
}

/* The function, call or block directly in `die` that holds the address. */
static bool scope_in(Dwarf_Die *die, uint64_t pc, Dwarf_Die *ret)
{
	int r = dwarf_child(die, ret);

	for (; !r; r = dwarf_siblingof(ret, ret))
		if ((dwarf_tag(ret) == DW_TAG_subprogram ||
		     dwarf_tag(ret) == DW_TAG_lexical_block ||
		     dwarf_tag(ret) == DW_TAG_inlined_subroutine) &&
		    dwarf_haspc(ret, pc) > 0)
			return true;
	return false;
}

static const char *name_of(Dwarf_Die *die)
{
	Dwarf_Attribute attr;

	return dwarf_formstring(dwarf_attr_integrate(die, DW_AT_name, &attr));
}

static unsigned int line_of_call(Dwarf_Die *die)
{
	Dwarf_Attribute attr;
	Dwarf_Word line = 0;

	dwarf_formudata(dwarf_attr(die, DW_AT_call_line, &attr), &line);
	return line;
}

/* Names from the function inwards, and the lines of calls. */
static void check_chain(struct check *c, uint64_t pc, Dwarf_Die function,
			const struct symbol *symbols, int n)
{
	const char *name = name_of(&function);
	bool equal = name && same_name(name, symbols[n - 1].function);
	int depth = 1;
	Dwarf_Die die;

	for (; scope_in(&function, pc, &die); function = die) {
		if (dwarf_tag(&die) != DW_TAG_inlined_subroutine)
			continue;
		name = name_of(&die);
		equal = equal && depth < n && name &&
			same_name(name, symbols[n - 1 - depth].function) &&
			line_of_call(&die) == symbols[n - depth].line;
		depth++;
	}
	c->inlined += n > 1;
	compare(c, CHAIN, equal && depth == n, "%" PRIx64 ": %s and %d more, not %s and %d more",
		pc, symbols[0].function, n - 1, name ? name : "?", depth - 1);
}

static void check_line(struct check *c, uint64_t pc, Dwarf_Die *cu, const struct symbol *s)
{
	Dwarf_Line *line = dwarf_getsrc_die(cu, pc);
	const char *file = line ? dwarf_linesrc(line, NULL, NULL) : NULL;
	int n = 0;

	if (!file || dwarf_lineno(line, &n))
		return;
	if (!strncmp(file, "./", 2))
		file += 2;
	compare(c, LINE, s->file && !strcmp(file, s->file) && s->line == (unsigned int)n,
		"%" PRIx64 ": %s:%u, not %s:%d", pc, s->file ? s->file : "?", s->line, file, n);
}

static bool is_rsp(const Dwarf_Op *op, int64_t *ret)
{
	const bool indexed = op->atom == DW_OP_bregx;

	*ret = (int64_t)(indexed ? op->number2 : op->number);
	return indexed ? op->number == RSP : op->atom == DW_OP_breg0 + RSP;
}

/* Those of functions that change stacks are not in the debug information. */
static bool is_plain(const struct lt_rule *rule)
{
	return rule->cfa != LT_CFA_STOP && rule->cfa != LT_CFA_SWITCH &&
	       rule->cfa != LT_CFA_DEREF_RSP;
}

static void check_frame(struct check *c, uint64_t pc)
{
	const struct cfi_row *row = cfi_rows_at(&c->rows, pc);
	Dwarf_Frame *frame = NULL;
	int64_t offset;
	Dwarf_Op *op;
	size_t n;

	if (dwarf_cfi_addrframe(c->cfi, pc, &frame))
		return;
	if (!dwarf_frame_cfa(frame, &op, &n) && n == 1 && is_rsp(op, &offset) && row &&
	    is_plain(&row->rule))
		compare(c, FRAME,
			row->rule.cfa == LT_CFA_RSP && row->rule.cfa_offset == offset,
			"%" PRIx64 ": kind %d %+d, not rsp%+" PRId64, pc, row->rule.cfa,
			row->rule.cfa_offset, offset);
	free(frame);
}

static void check_symbols(struct check *c, uint64_t pc, Dwarf_Die *cu, Dwarf_Die *function)
{
	struct symbol symbols[SYMBOLS_MAX];
	int n = symbolizer_module(c->symbolizer, &c->module, pc, symbols);

	if (n <= 0)
		return;
	check_line(c, pc, cu, &symbols[0]);
	if (function)
		check_chain(c, pc, *function, symbols, n);
}

static void check_function(struct check *c, const struct go_function *f)
{
	const struct elf_symbol *symbol = elf_symtab_at(&c->symtab, f->entry);
	const uint64_t end = symbol ? symbol->addr + symbol->size : f->end;
	Dwarf_Die cu, function;
	bool known, described;

	c->functions++;
	if (!f->pcln || !symbol)
		return;
	compare(c, NAME, same_name(f->name, symbol->name) || symbol->addr != f->entry,
		"%" PRIx64 ": %s, not %s", f->entry, f->name, symbol->name);
	known = unit_at(c, f->entry, &cu);
	described = known && scope_in(&cu, f->entry, &function);
	for (uint64_t pc = f->entry; pc < end && pc < f->end; pc += STEP) {
		check_frame(c, pc);
		if (known)
			check_symbols(c, pc, &cu, described ? &function : NULL);
	}
}

static int open_check(struct check *c, const char *program, char *twin)
{
	static char no_root[] = "";
	int fd = open(program, O_RDONLY | O_CLOEXEC);

	c->module = (struct module){
		.id = 1,
		.path = twin,
		.root = no_root,
		.fd = open(twin, O_RDONLY | O_CLOEXEC),
		.copy = -1,
	};
	if (fd < 0 || c->module.fd < 0 || elf_image_open_fd(fd, &c->img) ||
	    elf_image_open_fd(c->module.fd, &c->twin) ||
	    elf_symtab_load(&c->img, false, &c->symtab) || cfi_rows_build(&c->twin, &c->rows) || symbolizer_create(&c->symbolizer))
		return -EIO;
	c->dwarf = dwarf_begin(fd, DWARF_C_READ);
	c->cfi = c->dwarf ? dwarf_getcfi(c->dwarf) : NULL;
	if (!c->cfi)
		return -ENODATA;
	if (list_units(c))
		return -ENOMEM;
	return gopclntab_find(&c->twin, &c->table);
}

int main(int argc, char **argv)
{
	static struct check c;
	struct go_function f;
	int r = argc == 3 ? open_check(&c, argv[1], argv[2]) : -EINVAL;

	if (r) {
		fprintf(stderr, "go_check: %s\n", strerror(-r));
		return 2;
	}
	for (uint32_t i = 0; i < c.table.n; i++)
		if (gopclntab_function(&c.table, i, &f))
			check_function(&c, &f);
	printf("functions %" PRIu64 " rows %zu inlined %" PRIu64, c.functions, c.rows.n, c.inlined);
	for (int i = 0; i < N_SORTS; i++)
		printf(" %s %" PRIu64 "/%" PRIu64, sorts[i], c.different[i], c.compared[i]);
	putchar('\n');
	return 0;
}
