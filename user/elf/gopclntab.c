// SPDX-License-Identifier: Apache-2.0
#include "elf/gopclntab.h"
#include <errno.h>

#define NO_OFFSET      UINT32_MAX
#define NAME_MAX_BYTES 65536
#define ABI0	       ".abi0" /* of a function in assembly that has a wrapper by its name */

/* Sizes and places in what the runtime calls _func and inlinedCall. */
static const struct layout {
	uint32_t size, id, flag, n_funcdata, call_size, call_id, call_name, call_parent;
} layouts[] = {
	[false] = { 44, 40, 41, 43, 16, 0, 4, 8 },
	[true] = { 40, 36, 37, 39, 20, 2, 12, 16 }, /* Go 1.18, 1.19 */
};

static uint32_t u32_at(const struct reader *part, uint64_t offset)
{
	struct reader r = *part;

	reader_skip(&r, offset);
	return reader_u32(&r);
}

const char *gopclntab_string(const struct reader *part, uint32_t offset)
{
	struct reader r = *part;

	reader_skip(&r, offset);
	if (reader_left(&r) > NAME_MAX_BYTES)
		r.end = r.p + NAME_MAX_BYTES;
	return reader_cstr(&r);
}

bool gopclntab_function(const struct gopclntab *t, uint32_t index, struct go_function *ret)
{
	const struct layout *layout = &layouts[t->early];
	struct reader r = t->functions;
	uint32_t entry, end, at;

	if (index >= t->n)
		return false;
	reader_skip(&r, index * 8ULL);
	entry = reader_u32(&r);
	at = reader_u32(&r);
	end = reader_u32(&r);
	r = t->functions;
	reader_skip(&r, at);
	r = reader_sub(&r, layout->size);
	if (r.bad || end <= entry)
		return false;
	*ret = (struct go_function){
		.entry = t->text + entry,
		.end = t->text + end,
		.name = gopclntab_string(&t->names, u32_at(&r, 4)),
		.pcsp = u32_at(&r, 16),
		.pcfile = u32_at(&r, 20),
		.pcln = u32_at(&r, 24),
		.n_pcdata = u32_at(&r, 28),
		.unit = u32_at(&r, 32),
		.id = r.start[layout->id],
		.flags = r.start[layout->flag],
		.n_funcdata = r.start[layout->n_funcdata],
		.pcdata = at + layout->size,
	};
	return ret->name && ret->n_pcdata < 64;
}

bool gopclntab_is_named(const struct go_function *f, const char *name)
{
	const size_t n = strlen(name);

	return !strncmp(f->name, name, n) && (!f->name[n] || !strcmp(f->name + n, ABI0));
}

/* What the runtime puts as the caller of the code that runs after C has called Go. */
bool gopclntab_is_resumed(const struct go_function *f)
{
	return f->flags & GO_FUNC_ASM && gopclntab_is_named(f, "runtime.systemstack_switch");
}

bool gopclntab_at(const struct gopclntab *t, uint64_t vaddr, struct go_function *ret)
{
	uint32_t low = 0, high = t->n, mid;
	const uint64_t offset = vaddr - t->text;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (u32_at(&t->functions, mid * 8ULL) <= offset)
			low = mid + 1;
		else
			high = mid;
	}
	return low && gopclntab_function(t, low - 1, ret) &&
	       vaddr - ret->entry < ret->end - ret->entry;
}

/* Where `name` is among the names, or NO_OFFSET. */
static uint32_t name_offset(const struct gopclntab *t, const char *name)
{
	const size_t n = strlen(name) + 1;
	const uint8_t *at = t->names.start;

	for (;; at++) {
		at = memmem(at, (size_t)(t->names.end - at), name, n);
		if (!at || (uint64_t)(at - t->names.start) >= NO_OFFSET)
			return NO_OFFSET;
		if (at == t->names.start || !at[-1])
			return (uint32_t)(at - t->names.start);
	}
}

bool gopclntab_named(const struct gopclntab *t, const char *name, struct go_function *ret)
{
	const uint32_t offset = name_offset(t, name);

	for (uint32_t i = 0; offset != NO_OFFSET && i < t->n; i++)
		if (u32_at(&t->functions, u32_at(&t->functions, i * 8ULL + 4) + 4ULL) == offset)
			return gopclntab_function(t, i, ret);
	return false;
}

struct go_values gopclntab_values(const struct gopclntab *t, const struct go_function *f,
				  uint32_t table)
{
	struct go_values v = {
		.table = t->values,
		.pc = f->entry,
		.value = -1,
		.quantum = t->quantum,
		.first = true,
	};

	if (table)
		reader_skip(&v.table, table);
	else
		reader_fail(&v.table);
	return v;
}

/* Pairs of a change of the value, folded to be unsigned, and the length it holds for. */
bool go_values_next(struct go_values *v)
{
	uint64_t change = reader_uleb128(&v->table), length;

	if (v->table.bad || (!change && !v->first))
		return false;
	length = reader_uleb128(&v->table);
	if (v->table.bad || length > UINT32_MAX)
		return false;
	v->first = false;
	v->value += (uint32_t)(change & 1 ? ~(change >> 1) : change >> 1);
	v->pc += length * v->quantum;
	return true;
}

int32_t gopclntab_value(const struct gopclntab *t, const struct go_function *f, uint32_t table,
			uint64_t vaddr)
{
	struct go_values v = gopclntab_values(t, f, table);

	while (go_values_next(&v))
		if (vaddr < v.pc)
			return v.value;
	return -1;
}

struct go_line gopclntab_line(const struct gopclntab *t, const struct go_function *f,
			      uint64_t vaddr)
{
	int32_t file = gopclntab_value(t, f, f->pcfile, vaddr), line = gopclntab_value(t, f, f->pcln, vaddr);
	struct go_line ret = { .line = line > 0 ? line : 0 };
	struct reader units = t->units;
	uint32_t name;

	reader_skip(&units, ((uint64_t)f->unit + (uint32_t)file) * 4);
	name = reader_u32(&units);
	if (file >= 0 && !units.bad && name != NO_OFFSET)
		ret.file = gopclntab_string(&t->files, name);
	return ret;
}

int32_t gopclntab_pcdata(const struct gopclntab *t, const struct go_function *f,
			 enum go_pcdata which, uint64_t vaddr)
{
	if (f->n_pcdata <= (uint32_t)which)
		return -1;
	return gopclntab_value(t, f, u32_at(&t->functions, f->pcdata + 4ULL * which), vaddr);
}

static uint32_t funcdata_offset(const struct gopclntab *t, const struct go_function *f,
				enum go_funcdata which)
{
	if (f->n_funcdata <= which)
		return NO_OFFSET;
	return u32_at(&t->functions, f->pcdata + 4ULL * (f->n_pcdata + which));
}

uint64_t gopclntab_funcdata(const struct gopclntab *t, const struct go_function *f,
			    enum go_funcdata which)
{
	const uint32_t offset = funcdata_offset(t, f, which);

	return t->gofunc && offset != NO_OFFSET ? t->gofunc + offset : 0;
}

/* The calls that are inlined need an index of the innermost one, too. */
static uint32_t inline_tree(const struct gopclntab *t, const struct go_function *f)
{
	if (f->n_pcdata <= GO_PCDATA_INLINED)
		return NO_OFFSET;
	return funcdata_offset(t, f, GO_FUNCDATA_INLINED);
}

bool gopclntab_has_inlined(const struct gopclntab *t, const struct go_function *f)
{
	return inline_tree(t, f) != NO_OFFSET;
}

bool gopclntab_call(const struct gopclntab *t, const struct go_function *f, int32_t index,
		    struct go_inlined *ret)
{
	const struct layout *layout = &layouts[t->early];
	const uint32_t tree = inline_tree(t, f);
	const uint8_t *call;
	struct reader r;
	uint32_t parent;

	if (!t->gofunc || tree == NO_OFFSET || index < 0)
		return false;
	call = elf_image_at(t->img, t->gofunc + tree + (uint64_t)index * layout->call_size,
			    layout->call_size);
	if (!call)
		return false;
	r = reader_make(call, layout->call_size);
	parent = u32_at(&r, layout->call_parent);
	ret->name = gopclntab_string(&t->names, u32_at(&r, layout->call_name));
	ret->caller = f->entry + parent;
	ret->id = call[layout->call_id];
	return ret->name && parent < f->end - f->entry;
}

bool gopclntab_inlined(const struct gopclntab *t, const struct go_function *f, uint64_t vaddr,
		       struct go_inlined *ret)
{
	if (!t->gofunc || !gopclntab_has_inlined(t, f))
		return false;
	return gopclntab_call(t, f, gopclntab_pcdata(t, f, GO_PCDATA_INLINED, vaddr), ret);
}
