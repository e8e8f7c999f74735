// SPDX-License-Identifier: Apache-2.0
/*
 * Names of functions. Nearly all have a linkage name, which says everything. gcc gives none to
 * those that are local to a file, inlined ones among them: their names are put together here from
 * the entries around them and of their parameters, to look as the demangler would have written
 * them.
 */
#include <dwarf.h>
#include <errno.h>
#include <string.h>
#include "base/cleanup.h"
#include "sym/dwarf_file.h"
#include "sym/demangle.h"
#include "sym/source.h"

#define CHAIN_MAX	16 /* from an inlined call to the declaration of what it calls */
#define TYPE_DEPTH_MAX	16 /* pointers to pointers */
#define LOCAL_DEPTH_MAX 16 /* blocks and classes in a function */
#define FUNCTIONS_MAX	4  /* functions in classes in functions */
#define NAME_MAX_LEN	4096

struct namer {
	struct dwarf_file *file;
	struct strbuf out;
	int error;
	unsigned int functions; /* around each other that are being named */
	bool in_lambda;		/* a class without a name around the function is one */
};

static bool namer_full(const struct namer *nm)
{
	return nm->error || nm->out.n > NAME_MAX_LEN;
}

static const char *attr_string(Dwarf_Die *die, unsigned int name)
{
	Dwarf_Attribute attr;

	return dwarf_formstring(dwarf_attr_integrate(die, name, &attr));
}

static const char *linkage_name(Dwarf_Die *die)
{
	const char *name = attr_string(die, DW_AT_linkage_name);

	return name ? name : attr_string(die, DW_AT_MIPS_linkage_name);
}

/* The entry that `die` refers to by the attribute `name`. */
static bool refer(Dwarf_Die *die, unsigned int name, Dwarf_Die *ret)
{
	Dwarf_Attribute attr;

	return dwarf_attr(die, name, &attr) && dwarf_formref_die(&attr, ret);
}

static void declaration(Dwarf_Die *die, Dwarf_Die *ret)
{
	Dwarf_Die next;

	*ret = *die;
	for (int i = 0; i < CHAIN_MAX; i++) {
		if (!refer(ret, DW_AT_abstract_origin, &next) &&
		    !refer(ret, DW_AT_specification, &next))
			break;
		*ret = next;
	}
}

static void add_scope(struct namer *nm, Dwarf_Die *die)
{
	const char *name = dwarf_diename(die);

	if (!name && dwarf_tag(die) == DW_TAG_namespace)
		name = "(anonymous namespace)";
	else if (!name)
		name = nm->in_lambda ? "{lambda}" : "{unnamed}";
	strbuf_addf(&nm->out, "%.*s::", NAME_MAX_LEN, name);
}

/* Writes `scope` and those around it; the innermost one, or else the unit, to `ret`. */
static bool add_scopes(struct namer *nm, const struct dw_unit *u, uint32_t scope, Dwarf_Die *ret)
{
	Dwarf *dwarf = nm->file->view.dwarf;
	const struct dw_scope *s;

	if (!scope)
		return dwarf_offdie(dwarf, u->die, ret);
	s = &u->scopes.items[scope - 1];
	if (namer_full(nm) || !add_scopes(nm, u, s->outer, ret) ||
	    !dwarf_offdie(dwarf, u->start + s->begin, ret))
		return false;
	add_scope(nm, ret);
	return true;
}

static bool add_name(struct namer *nm, Dwarf_Die *die);

/* Writes the functions and local classes between the entry `die` and the one at `offset` in it. */
static void add_local_scopes(struct namer *nm, Dwarf_Die *die, Dwarf_Off offset)
{
	Dwarf_Die child, next;

	for (int i = 0; i < LOCAL_DEPTH_MAX && !namer_full(nm); i++) {
		if (dwarf_child(die, &child))
			return;
		while (!dwarf_siblingof(&child, &next) && dwarf_dieoffset(&next) <= offset)
			child = next;
		if (dwarf_dieoffset(&child) == offset)
			return;
		*die = child;
		switch (dwarf_tag(die)) {
		case DW_TAG_subprogram:
			if (nm->functions >= FUNCTIONS_MAX)
				return;
			nm->functions++;
			add_name(nm, die);
			nm->functions--;
			strbuf_adds(&nm->out, "::");
			break;
		case DW_TAG_structure_type:
		case DW_TAG_class_type:
		case DW_TAG_union_type:
			add_scope(nm, die);
			break;
		}
	}
}

/* The unit of the entry, with its tables; NULL for one in the supplementary file. */
static struct dw_unit *unit_of(struct namer *nm, Dwarf_Die *die)
{
	struct dw_unit *u = NULL;

	if (dwarf_cu_getdwarf(die->cu) == nm->file->view.dwarf)
		u = dwarf_file_unit_at(nm->file, dwarf_dieoffset(die));
	if (u && !nm->error)
		nm->error = dwarf_file_index_unit(nm->file, u);
	return u;
}

/* The tables know no classes inside functions: `local` has the entries searched for them. */
static void add_qualified(struct namer *nm, Dwarf_Die *die, const char *name, bool local)
{
	const struct dw_unit *u = unit_of(nm, die);
	const Dwarf_Off offset = dwarf_dieoffset(die);
	Dwarf_Die outer;

	if (u && add_scopes(nm, u, dw_scopes_at(&u->scopes, offset - u->start), &outer) && local)
		add_local_scopes(nm, &outer, offset);
	strbuf_addf(&nm->out, "%.*s", NAME_MAX_LEN, name ? name : "{unnamed}");
}

/* As the demangler calls what gcc calls otherwise. */
static const char *base_type_name(const char *name)
{
	static const char *const names[][2] = {
		{ "long int", "long" },
		{ "long unsigned int", "unsigned long" },
		{ "long long int", "long long" },
		{ "long long unsigned int", "unsigned long long" },
		{ "short int", "short" },
		{ "short unsigned int", "unsigned short" },
	};

	if (!name)
		return "?";
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(name, names[i][0]))
			return names[i][1];
	return name;
}

static void add_type_of(struct namer *nm, Dwarf_Die *die, const char *declarator, int depth);

static void add_parameters(struct namer *nm, Dwarf_Die *function, int depth)
{
	Dwarf_Attribute attr;
	const char *comma = "";
	bool artificial;
	Dwarf_Die die;
	int tag, r;

	strbuf_adds(&nm->out, "(");
	for (r = dwarf_child(function, &die); !r && !namer_full(nm);
	     r = dwarf_siblingof(&die, &die)) {
		tag = dwarf_tag(&die);
		artificial = dwarf_attr(&die, DW_AT_artificial, &attr);
		if ((tag != DW_TAG_formal_parameter || artificial) &&
		    tag != DW_TAG_unspecified_parameters)
			continue;
		strbuf_adds(&nm->out, comma);
		comma = ", ";
		if (tag == DW_TAG_formal_parameter)
			add_type_of(nm, &die, "", depth + 1);
		else
			strbuf_adds(&nm->out, "...");
	}
	strbuf_adds(&nm->out, ")");
}

/* A type that is made of the one it refers to, and what it adds behind that. */
static const char *type_suffix(int tag)
{
	static const struct {
		int tag;
		const char *suffix;
	} suffixes[] = {
		{ DW_TAG_pointer_type, "*" },
		{ DW_TAG_reference_type, "&" },
		{ DW_TAG_rvalue_reference_type, "&&" },
		{ DW_TAG_const_type, " const" },
		{ DW_TAG_volatile_type, " volatile" },
		{ DW_TAG_restrict_type, "" },
		{ DW_TAG_ptr_to_member_type, " {unnamed}::*" },
		{ DW_TAG_typedef, "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
		if (suffixes[i].tag == tag)
			return suffixes[i].suffix;
	return NULL;
}

static void add_bounds(struct namer *nm, Dwarf_Die *array)
{
	Dwarf_Attribute attr;
	Dwarf_Word n;
	Dwarf_Die die;
	int r;

	strbuf_adds(&nm->out, " ");
	for (r = dwarf_child(array, &die); !r && !namer_full(nm); r = dwarf_siblingof(&die, &die)) {
		if (dwarf_tag(&die) != DW_TAG_subrange_type)
			continue;
		if (!dwarf_formudata(dwarf_attr(&die, DW_AT_count, &attr), &n))
			strbuf_addf(&nm->out, "[%llu]", (unsigned long long)n);
		else if (!dwarf_formudata(dwarf_attr(&die, DW_AT_upper_bound, &attr), &n))
			strbuf_addf(&nm->out, "[%llu]", (unsigned long long)n + 1);
		else
			strbuf_adds(&nm->out, "[]");
	}
}

/* Whether a typedef is the only name that a type has. */
static bool names_its_type(Dwarf_Die *alias)
{
	Dwarf_Die target;

	if (dwarf_tag(alias) != DW_TAG_typedef || !refer(alias, DW_AT_type, &target))
		return false;
	switch (dwarf_tag(&target)) {
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
	case DW_TAG_union_type:
	case DW_TAG_enumeration_type:
		return !dwarf_diename(&target);
	default:
		return false;
	}
}

/* Writes `type` with `declarator` behind it, which is what was already seen of pointers to it. */
static void add_type(struct namer *nm, Dwarf_Die *type, const char *declarator, int depth)
{
	const int tag = dwarf_tag(type);
	const char *suffix = type_suffix(tag);
	char longer[TYPE_DEPTH_MAX * 16];

	if (tag == DW_TAG_subroutine_type || tag == DW_TAG_array_type) {
		add_type_of(nm, type, "", depth + 1);
		strbuf_addf(&nm->out, " (%s)", declarator);
		if (tag == DW_TAG_array_type)
			add_bounds(nm, type);
		else
			add_parameters(nm, type, depth + 1);
	} else if (suffix && !names_its_type(type)) {
		snprintf(longer, sizeof(longer), "%s%s", suffix, declarator);
		add_type_of(nm, type, longer, depth + 1);
	} else {
		if (tag == DW_TAG_base_type)
			strbuf_adds(&nm->out, base_type_name(dwarf_diename(type)));
		else
			add_qualified(nm, type, dwarf_diename(type), false);
		strbuf_adds(&nm->out, declarator);
	}
}

static void add_type_of(struct namer *nm, Dwarf_Die *die, const char *declarator, int depth)
{
	Dwarf_Die type;

	if (depth > TYPE_DEPTH_MAX || namer_full(nm))
		strbuf_adds(&nm->out, "?");
	else if (refer(die, DW_AT_type, &type))
		add_type(nm, &type, declarator, depth);
	else
		strbuf_addf(&nm->out, "void%s", declarator);
}

/* Whether a member function's hidden parameter points to a constant object. */
static bool is_const_member(Dwarf_Die *function)
{
	Dwarf_Die this, pointer, object;

	if (!refer(function, DW_AT_object_pointer, &this) || !refer(&this, DW_AT_type, &pointer))
		return false;
	/* the pointer itself is constant in the entry of a definition */
	if (dwarf_tag(&pointer) == DW_TAG_const_type && !refer(&pointer, DW_AT_type, &pointer))
		return false;
	return refer(&pointer, DW_AT_type, &object) && dwarf_tag(&object) == DW_TAG_const_type;
}

/* Languages that name things by scope, and whether parameters are part of a function's name. */
static bool has_scopes(int language, bool *ret_parameters)
{
	static const struct {
		int language;
		bool parameters;
	} languages[] = {
		{ DW_LANG_C_plus_plus, true },
		{ DW_LANG_C_plus_plus_03, true },
		{ DW_LANG_C_plus_plus_11, true },
		{ DW_LANG_C_plus_plus_14, true },
		{ 0x2b, true },
		/* C++17 */ { 0x2c, true }, /* C++20 */
		{ DW_LANG_Rust, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(languages); i++) {
		if (languages[i].language != language)
			continue;
		*ret_parameters = languages[i].parameters;
		return true;
	}
	return false;
}

/* Whether the debug information tells of parameters at all. */
static bool has_parameters(struct namer *nm, Dwarf_Die *decl)
{
	const struct dw_unit *u = unit_of(nm, decl);
	Dwarf_Attribute attr;

	return !u || u->has_types || dwarf_attr(decl, DW_AT_type, &attr);
}

/* A name as in C, or one put together for a function that has scopes: true. */
static bool add_plain_name(struct namer *nm, Dwarf_Die *die, const char *linkage)
{
	const char *name = attr_string(die, DW_AT_name);
	Dwarf_Attribute attr;
	Dwarf_Die decl, cu;
	bool parameters, outer;

	declaration(die, &decl);
	if (!dwarf_diecu(&decl, &cu, NULL, NULL) || !has_scopes(dwarf_srclang(&cu), &parameters) ||
	    (!linkage && dwarf_attr(&decl, DW_AT_external, &attr))) {
		/* C, or extern "C" */
		if (linkage || name)
			strbuf_addf(&nm->out, "%.*s", NAME_MAX_LEN, linkage ? linkage : name);
		return false;
	}
	if (!name)
		return true;
	/* _FUN is what a lambda converts to as a pointer to a function (gcc) */
	outer = nm->in_lambda;
	nm->in_lambda = !strcmp(name, "operator()") || !strcmp(name, "_FUN");
	add_qualified(nm, &decl, name,
		      nm->in_lambda || dwarf_attr(&decl, DW_AT_object_pointer, &attr));
	nm->in_lambda = outer;
	if (parameters && has_parameters(nm, &decl)) {
		add_parameters(nm, &decl, 0);
		if (is_const_member(&decl))
			strbuf_adds(&nm->out, " const");
	}
	return true;
}

/* Returns whether the name was put together. */
static bool add_name(struct namer *nm, Dwarf_Die *die)
{
	const char *linkage = linkage_name(die);
	const size_t start = nm->out.n;

	if (linkage && demangle(linkage, &nm->out))
		return false;
	nm->out.n = start;
	return add_plain_name(nm, die, linkage);
}

int dwarf_file_name(struct dwarf_file *f, Dwarf_Die *die, const char **ret, bool *ret_made_up)
{
	struct namer nm = { .file = f };
	const uint64_t *known;
	Dwarf_Die origin;
	int r = 0;

	/* all inlined calls of a function refer to one entry */
	if (!refer(die, DW_AT_abstract_origin, &origin))
		origin = *die;
	known = hashmap_get(&f->names, (uintptr_t)origin.addr);
	if (known) {
		*ret = (const char *)(uintptr_t)(*known & ~1ULL);
		*ret_made_up = *known & 1;
		return 0;
	}
	*ret = NULL;
	*ret_made_up = add_name(&nm, &origin);
	if (nm.out.oom || nm.error) {
		r = -ENOMEM;
	} else if (nm.out.n) {
		*ret = strpool_add(f->strings, nm.out.s, nm.out.n);
		r = *ret ? 0 : -ENOMEM;
	}
	strbuf_deinit(&nm.out);
	return r ? r
		 : hashmap_put(&f->names, (uintptr_t)origin.addr, (uintptr_t)*ret | *ret_made_up);
}
