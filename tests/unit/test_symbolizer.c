// SPDX-License-Identifier: Apache-2.0
#include <fnmatch.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "elf/symtab.h"
#include "sym/symbolizer.h"
#include "sym_fixture.h"

/* Prints where it is called from, as addresses of the file, under the name that it is given. */
static const char mark_source[] =
	"#include <stdio.h>\n"
	"extern char __executable_start;\n"
	"__attribute__((noinline)) void mark(const char *name) {\n"
	"	char *from = (char *)__builtin_return_address(0);\n"
	"	printf(\"%s %lx\\n\", name, (unsigned long)(from - &__executable_start) - 1); }\n";

/* The comments name lines. */
static const char cxx_source[] =
	"extern \"C\" void mark(const char *name);\n"
	"#define INLINE inline __attribute__((always_inline))\n"
	"#define NOINLINE __attribute__((noinline))\n"
	"int sink;\n"
	"namespace ns {\n"
	"namespace {\n"
	"INLINE int innermost(const char *s, unsigned long n) {\n"
	"	mark(\"chain\"); /*innermost*/\n"
	"	return s[n]; }\n"
	"}\n"
	"struct Foo {\n"
	"	int v;\n"
	"	INLINE int middle(int k) const {\n"
	"		return innermost(\"abc\", k) + v; /*middle*/ }\n"
	"	NOINLINE int outer(int k);\n"
	"	template <class T> NOINLINE T twice(T t) {\n"
	"		mark(\"template\"); /*twice*/\n"
	"		return t + t + sink; }\n"
	"};\n"
	"int Foo::outer(int k) {\n"
	"	sink += middle(k); /*outer*/\n"
	"	return sink; }\n"
	"}\n"
	"typedef int (*callback)(const void *, ...);\n"
	"static NOINLINE int local(short a, int (&b)[2], callback c) {\n"
	"	mark(\"local\"); /*local*/\n"
	"	return a + b[0] + (c ? sink++ : 0); }\n"
	"extern \"C\" NOINLINE int c_function(int a) {\n"
	"	auto f = [&](int x) __attribute__((always_inline)) {\n"
	"		mark(\"lambda\"); /*lambda*/\n"
	"		return a + x; };\n"
	"	return f(sink) + sink; /*c_function*/ }\n"
	"int main(int argc, char **argv) {\n"
	"	int two[2] = { argc, 1 };\n"
	"	ns::Foo foo = { argc };\n"
	"	return (foo.outer(argc) + foo.twice(argc) + local(argc, two, nullptr) +\n"
	"		c_function(argc)) > 1000000; }\n";

static const char rust_source[] =
	"extern \"C\" { fn mark(name: *const std::ffi::c_char); }\n"
	"mod inner {\n"
	"	pub struct Foo<T>(pub T);\n"
	"	impl<T: Clone> Foo<T> {\n"
	"		#[inline(always)] fn deep(&self) -> T {\n"
	"			unsafe { crate::mark(b\"rust\\0\".as_ptr().cast()) } /*deep*/\n"
	"			self.0.clone() }\n"
	"		#[inline(never)] pub fn outer(&self) -> Vec<T> {\n"
	"			vec![self.deep()] /*outer*/ }\n"
	"	}\n"
	"}\n"
	"fn main() { std::process::exit(inner::Foo(0).outer()[0]) }\n";

struct level {
	const char *function;	/* a pattern of fnmatch() */
	const char *short_name; /* where the debug information has only that of inlined functions */
	const char *line;	/* the comment in the source */
};

static const struct expectation {
	const char *mark;
	struct level levels[4]; /* innermost first */
} expectations[] = {
	{ "chain",
	  { { "ns::(anonymous namespace)::innermost(char const\\*, unsigned long)", "innermost",
	      "innermost" },
	    { "ns::Foo::middle(int) const", "middle", "middle" },
	    { "ns::Foo::outer(int)", NULL, "outer" } } },
	{ "template", { { "int ns::Foo::twice<int>(int)", NULL, "twice" } } },
	{ "local",
	  { { "local(short, int (&) \\[2\\], int (\\*)(void const\\*, ...))", NULL, "local" } } },
	{ "lambda",
	  { { "c_function::*::operator()(int) const", "operator()", "lambda" },
	    { "c_function", NULL, "c_function" } } },
};

enum oracle { NO_ORACLE, ADDR2LINE, LLVM_SYMBOLIZER };

static const struct build {
	const char *compiler, *flags;
	/* binutils 2.40 cannot follow all that clang and -fdebug-types-section write */
	enum oracle oracle;
	bool short_names; /* inlined functions have but their last name */
	bool only_lines;  /* the calls that are inlined are not told of */
} builds[] = {
	{ "g++", "-gdwarf-5", ADDR2LINE, false, false },
	{ "g++", "-gdwarf-4", ADDR2LINE, false, false },
	{ "g++", "-gdwarf-5 -gz", ADDR2LINE, false, false },
	{ "g++", "-gdwarf-4 -gz=zlib-gnu", ADDR2LINE, false, false },
	{ "g++", "-gdwarf-5 -fdebug-types-section", NO_ORACLE, false, false },
	{ "g++", "-gdwarf-4 -fdebug-types-section", NO_ORACLE, false, false },
	{ "g++", "-gdwarf-5 -flto -ffunction-sections", NO_ORACLE, false, false },
	{ "g++", "-gdwarf-5 -gsplit-dwarf", NO_ORACLE, false, true },
	{ "g++", "-gdwarf-4 -gsplit-dwarf", NO_ORACLE, false, true },
	{ "clang++", "-gdwarf-5", LLVM_SYMBOLIZER, false, false },
	{ "clang++", "-gdwarf-4", LLVM_SYMBOLIZER, false, false },
	{ "clang++", "-gline-tables-only", LLVM_SYMBOLIZER, true, false },
	{ "clang++", "-gdwarf-5 -gsplit-dwarf", NO_ORACLE, false, true },
};

static unsigned int line_of(const char *source, const char *name)
{
	char comment[64];
	const char *at;
	unsigned int line = 1;

	snprintf(comment, sizeof(comment), "/*%s*/", name);
	at = strstr(source, comment);
	assert_non_null(at);
	for (const char *p = source; p < at; p++)
		line += *p == '\n';
	return line;
}

static void check_level(const struct build *b, const struct level *want, const struct symbol *got,
			bool inlined)
{
	const char *function = b->short_names && inlined ? want->short_name : want->function;
	const char *slash;

	assert_non_null(got->function);
	if (fnmatch(function, got->function, 0))
		fail_msg("%s %s: %s instead of %s", b->compiler, b->flags, got->function, function);
	assert_non_null(got->file);
	slash = strrchr(got->file, '/');
	assert_true(slash && *got->file == '/');
	assert_string_equal(slash + 1, "a.cc");
	assert_int_equal(got->line, line_of(cxx_source, want->line));
	assert_int_equal(got->inlined, inlined);
}

/* Without the inlined calls: the function as the symbol table has it, the line where the code is
 * from. */
static void check_line_only(const struct level *inner, const struct level *outer,
			    const struct symbol *got)
{
	char *clone = strdup(got->function);

	assert_non_null(clone);
	if (strstr(clone, " [clone "))
		*strstr(clone, " [clone ") = '\0';
	assert_int_equal(fnmatch(outer->function, clone, 0), 0);
	assert_int_equal(got->line, line_of(cxx_source, inner->line));
	free(clone);
}

static void check_mark(struct symbolizer *s, const struct module *m, const struct build *b,
		       const struct expectation *want, uint64_t addr)
{
	struct symbol got[SYMBOLS_MAX], again[SYMBOLS_MAX];
	int n = 0;

	while (n < 4 && want->levels[n].function)
		n++;
	if (b->only_lines) {
		assert_int_equal(symbolizer_module(s, m, addr, got), 1);
		check_line_only(&want->levels[0], &want->levels[n - 1], got);
		return;
	}
	assert_int_equal(symbolizer_module(s, m, addr, got), n);
	for (int i = 0; i < n; i++)
		check_level(b, &want->levels[i], &got[i], i < n - 1);
	/* from the cache: the same strings */
	assert_int_equal(symbolizer_module(s, m, addr, again), n);
	for (int i = 0; i < n; i++) {
		assert_ptr_equal(again[i].function, got[i].function);
		assert_ptr_equal(again[i].file, got[i].file);
	}
}

static void check_marks(const struct sym_fixture *f, struct symbolizer *s, const struct module *m,
			const struct build *b)
{
	char path[PATH_MAX], name[32];
	_cleanup_fclose_ FILE *out = NULL;
	unsigned long addr;
	size_t seen = 0;

	fixture_run(f, "./a >marks");
	snprintf(path, sizeof(path), "%s/marks", f->dir);
	out = fopen(path, "re");
	assert_non_null(out);
	while (fscanf(out, "%31s %lx", name, &addr) == 2) {
		for (size_t i = 0; i < ARRAY_SIZE(expectations); i++) {
			if (strcmp(expectations[i].mark, name))
				continue;
			check_mark(s, m, b, &expectations[i], addr);
			seen++;
		}
	}
	assert_int_equal(seen, ARRAY_SIZE(expectations));
}

/* One line of addr2line -i or llvm-symbolizer: "path/file:LINE[:COLUMN] [...]". */
static unsigned int parse_line(char *text)
{
	char *end = text + strcspn(text, " \n"), *colon;
	unsigned int line;

	*end = '\0';
	colon = strrchr(text, ':');
	assert_non_null(colon);
	line = strtoul(colon + 1, NULL, 10);
	/* with a column: the number before is the line */
	*colon = '\0';
	colon = strrchr(text, ':');
	return colon && strspn(colon + 1, "0123456789") == strlen(colon + 1) && colon[1]
		       ? strtoul(colon + 1, NULL, 10)
		       : line;
}

/* What the oracle says of one address: the lines, innermost first. */
struct answer {
	uint64_t addr;
	unsigned int lines[SYMBOLS_MAX];
	int n;
};

/* 0 at the end. Every answer begins with the address, and answers are apart by empty lines at most.
 */
static int read_answer(FILE *oracle, struct answer *ret)
{
	char text[PATH_MAX];
	int c;

	ret->n = 0;
	if (!fgets(text, sizeof(text), oracle))
		return 0;
	ret->addr = strtoull(text, NULL, 16);
	while ((c = getc(oracle)) != EOF) {
		ungetc(c, oracle);
		if (c == '0')
			break;
		assert_non_null(fgets(text, sizeof(text), oracle));
		if (*text != '\n')
			ret->lines[ret->n++] = parse_line(text);
	}
	return 1;
}

static void check_answer(const struct build *b, const struct answer *want, const struct symbol *got,
			 int n)
{
	/* where it knows no line it may still know a file */
	if (want->n == 1 && !want->lines[0] && (!n || (n == 1 && !got[0].line)))
		return;
	for (int i = 0; i < n && i < want->n; i++)
		if (got[i].line != want->lines[i])
			fail_msg("%s %s: 0x%lx, level %d: line %u instead of %u", b->compiler,
				 b->flags, (unsigned long)want->addr, i, got[i].line,
				 want->lines[i]);
	if (n != want->n)
		fail_msg("%s %s: 0x%lx: %d levels instead of %d", b->compiler, b->flags,
			 (unsigned long)want->addr, n, want->n);
}

/* Every byte of .text: as many levels, and the same lines, as another symbolizer finds. */
static void check_oracle(const struct sym_fixture *f, struct symbolizer *s, const struct module *m,
			 const struct build *b)
{
	const char *command = b->oracle == ADDR2LINE
				      ? "addr2line -a -i -e a"
				      : "llvm-symbolizer -a -i -s --obj=a --functions=none";
	struct symbol got[SYMBOLS_MAX];
	_cleanup_fclose_ FILE *oracle = NULL;
	char path[PATH_MAX];
	struct answer answer;
	int n, known = 0;

	fixture_run(f, "%s <addresses >oracle", command);
	snprintf(path, sizeof(path), "%s/oracle", f->dir);
	oracle = fopen(path, "re");
	assert_non_null(oracle);
	while (read_answer(oracle, &answer)) {
		n = symbolizer_module(s, m, answer.addr, got);
		check_answer(b, &answer, got, n);
		known += n && got[0].line;
	}
	assert_true(known > 200);
}

static void write_addresses(const struct sym_fixture *f, const struct elf_image *img)
{
	const struct elf_section *text = elf_image_section(img, ".text");
	char path[PATH_MAX];
	FILE *out;

	assert_non_null(text);
	snprintf(path, sizeof(path), "%s/addresses", f->dir);
	out = fopen(path, "we");
	assert_non_null(out);
	for (uint64_t at = 0; at < text->size; at++)
		fprintf(out, "0x%lx\n", (unsigned long)(text->addr + at));
	fclose(out);
}

static void check_build(const struct sym_fixture *f, const struct build *b)
{
	struct symbolizer *s;
	struct elf_image img;
	struct module m;

	fixture_run(f, "%s -O2 %s -c a.cc && %s -fPIE -pie -O2 %s -o a a.o mark.o", b->compiler,
		    b->flags, b->compiler, b->flags);
	m = fixture_module(f, "a", NULL);
	assert_int_equal(symbolizer_create(&s), 0);
	check_marks(f, s, &m, b);
	assert_int_equal(elf_image_open_fd(m.fd, &img), 0);
	if (!strcmp(b->compiler, "clang++"))
		assert_null(elf_image_section(&img, ".debug_aranges"));
	write_addresses(f, &img);
	if (b->oracle != NO_ORACLE)
		check_oracle(f, s, &m, b);
	elf_image_deinit(&img);
	symbolizer_destroy(s);
	fixture_module_deinit(&m);
}

static void test_builds(void **state)
{
	const struct sym_fixture *f = *state;

	fixture_write_text(f, "a.cc", cxx_source);
	fixture_write_text(f, "mark.c", mark_source);
	fixture_run(f, "gcc -O2 -c mark.c");
	for (size_t i = 0; i < ARRAY_SIZE(builds); i++)
		check_build(f, &builds[i]);
}

static void test_rust(void **state)
{
	const struct sym_fixture *f = *state;
	struct symbol got[SYMBOLS_MAX];
	_cleanup_fclose_ FILE *out = NULL;
	char path[PATH_MAX];
	struct symbolizer *s;
	unsigned long addr;
	struct module m;

	if (!fixture_has_program(f, "rustc"))
		return;
	fixture_write_text(f, "mark.c", mark_source);
	fixture_write_text(f, "a.rs", rust_source);
	fixture_run(f, "gcc -O2 -c mark.c && rustc -g -O a.rs -C link-arg=mark.o && ./a >marks");
	snprintf(path, sizeof(path), "%s/marks", f->dir);
	out = fopen(path, "re");
	assert_non_null(out);
	assert_int_equal(fscanf(out, "rust %lx", &addr), 1);
	m = fixture_module(f, "a", NULL);
	assert_int_equal(symbolizer_create(&s), 0);
	assert_int_equal(symbolizer_module(s, &m, addr, got), 2);
	/* as the linker's names are mangled, legacy or v0 */
	assert_int_equal(fnmatch("*a::inner::Foo<*>*::deep", got[0].function, 0), 0);
	assert_int_equal(fnmatch("*a::inner::Foo<*>*::outer", got[1].function, 0), 0);
	assert_int_equal(got[0].line, line_of(rust_source, "deep"));
	assert_int_equal(got[1].line, line_of(rust_source, "outer"));
	assert_true(got[0].inlined && !got[1].inlined);
	symbolizer_destroy(s);
	fixture_module_deinit(&m);
}

static uint64_t address_of(const struct module *m, const char *name)
{
	struct elf_symtab table;
	struct elf_image img;
	const struct elf_symbol *s;
	uint64_t addr;

	assert_int_equal(elf_image_open_fd(m->fd, &img), 0);
	assert_int_equal(elf_symtab_load(&img, false, &table), 0);
	s = elf_symtab_named(&table, name);
	assert_non_null(s);
	addr = s->addr;
	elf_symtab_deinit(&table);
	elf_image_deinit(&img);
	return addr;
}

/* What symbols alone tell: all of them before strip, the exported ones after. */
static void test_symbols_only(void **state)
{
	const struct sym_fixture *f = *state;
	struct symbol got[SYMBOLS_MAX];
	struct module whole, stripped;
	struct symbolizer *s;
	uint64_t exported, hidden;

	fixture_write_text(
		f, "a.cc",
		"namespace ns { int shown(int x) { return x * 3; } }\n"
		"__attribute__((visibility(\"hidden\"))) int hidden(int x) { return x; }\n"
		"asm(\".globl first; .type first, @function; .symver first, old@V1, remove\\n\"\n"
		"    \"first: nop; ret; .size first, 2\\n\");\n");
	fixture_write_text(f, "map", "V1 { old; }; V2 { *; };");
	fixture_run(f, "g++ -O2 -fPIC -shared -Wl,--version-script=map -o a.so a.cc");
	fixture_run(f, "strip -o b.so a.so");
	whole = fixture_module(f, "a.so", NULL);
	stripped = fixture_module(f, "b.so", NULL);
	exported = address_of(&whole, "_ZN2ns5shownEi");
	hidden = address_of(&whole, "_Z6hiddeni");
	assert_int_equal(symbolizer_create(&s), 0);

	assert_int_equal(symbolizer_module(s, &whole, exported + 1, got), 1);
	assert_string_equal(got[0].function, "ns::shown(int)");
	assert_null(got[0].file);
	assert_int_equal(got[0].line, 0);
	assert_false(got[0].inlined);
	assert_int_equal(symbolizer_module(s, &whole, hidden, got), 1);
	assert_string_equal(got[0].function, "hidden(int)");
	assert_int_equal(symbolizer_module(s, &whole, address_of(&whole, "old@V1"), got), 1);
	assert_string_equal(got[0].function, "old");

	assert_int_equal(symbolizer_module(s, &stripped, exported, got), 1);
	assert_string_equal(got[0].function, "ns::shown(int)");
	assert_int_equal(symbolizer_module(s, &stripped, hidden, got), 0);
	assert_int_equal(symbolizer_module(s, &stripped, 0, got), 0);
	assert_int_equal(symbolizer_module(s, &stripped, UINT64_MAX, got), 0);
	symbolizer_destroy(s);
	fixture_module_deinit(&whole);
	fixture_module_deinit(&stripped);
}

static void test_no_elf_file(void **state)
{
	const struct sym_fixture *f = *state;
	struct symbol got[SYMBOLS_MAX];
	struct symbolizer *s;
	struct module m;

	fixture_write_text(f, "text",
			   "This is no ELF file, however long it goes on, and on, and on.");
	m = fixture_module(f, "text", NULL);
	assert_int_equal(symbolizer_create(&s), 0);
	assert_int_equal(symbolizer_module(s, &m, 0x1000, got), 0);
	assert_int_equal(symbolizer_module(s, &m, 0x1000, got), 0);
	symbolizer_destroy(s);
	symbolizer_destroy(NULL);
	fixture_module_deinit(&m);
}

#define FIXTURE_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_builds),
		FIXTURE_TEST(test_rust),
		FIXTURE_TEST(test_symbols_only),
		FIXTURE_TEST(test_no_elf_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
