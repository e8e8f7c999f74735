// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include "sym/demangle.h"

static void check(const char *name, const char *want, bool demangled)
{
	struct strbuf got = { 0 };

	assert_int_equal(demangle(name, &got), demangled);
	assert_string_equal(got.s, want);
	strbuf_deinit(&got);
}

static void test_cxx(void **state)
{
	check("_Z3fooi", "foo(int)", true);
	check("_ZN2ns3Foo3barEi", "ns::Foo::bar(int)", true);
	check("_ZNK2ns3Foo3barEv", "ns::Foo::bar() const", true);
	check("_ZN3FooC2Ev", "Foo::Foo()", true);
	check("_ZN3FooC4Ev", "Foo::Foo()", true);
	check("_ZN3FooD1Ev", "Foo::~Foo()", true);
	check("_ZN12_GLOBAL__N_13barEv", "(anonymous namespace)::bar()", true);
	check("_ZZ4mainENKUliE_clEi", "main::{lambda(int)#1}::operator()(int) const", true);
	check("_ZNSt6vectorIiSaIiEE9push_backEOi",
	      "std::vector<int, std::allocator<int> >::push_back(int&&)", true);
	check("_Z3fooi.part.0", "foo(int) [clone .part.0]", true);
	check("_Znwm", "operator new(unsigned long)", true);
}

static void test_rust(void **state)
{
	check("_ZN4core3fmt5write17h0123456789abcdefE", "core::fmt::write", true);
	check("_ZN4core3fmt5write17h0123456789abcdefE.llvm.1234567890", "core::fmt::write", true);
	check("_ZN60_$LT$alloc..string..String$u20$as$u20$core..fmt..Display$GT$"
	      "3fmt17h0123456789abcdefE",
	      "<alloc::string::String as core::fmt::Display>::fmt", true);
	check("_RNvCs1234_7mycrate3foo", "mycrate::foo", true);
	check("_RINvNtC3std3mem8align_ofdE", "std::mem::align_of::<f64>", true);
	check("_RNvXs5_NtCsd4VYFwevHkG_4core3fmtuNtB5_5Debug3fmt.llvm.1",
	      "<() as core::fmt::Debug>::fmt", true);
}

/* The grammar of RFC 2603, rule by rule. */
static void test_rust_v0(void **state)
{
	check("_RNvNtCs1234_7mycrate3foo3bar", "mycrate::foo::bar", true);
	check("_RNCNvC4main4mains_0", "main::main::{closure#1}", true);
	check("_RNSNvC1a1b6vtable", "a::b::{shim:vtable#0}", true);
	check("_RNvMNtC1a1bNtB2_3Foo3new", "<a::b::Foo>::new", true);
	check("_RNvXC1ahNtC1b5Trait3run", "<u8 as b::Trait>::run", true);
	check("_RNvYhNtC1b5Trait3run", "<u8 as b::Trait>::run", true);
	check("_RINvC1a1fReQSlAhj4_PTE"
	      "OTcEE",
	      "a::f::<&str, &mut [i32], [u8; 4], *const (), *mut (char,)>", true);
	check("_RINvC1a1fL_FUKCjEuFK8fastcallEhE",
	      "a::f::<'_, unsafe extern \"C\" fn(usize), "
	      "extern \"fastcall\" fn() -> u8>",
	      true);
	check("_RINvC1a1fFG_RL0_hRL0_tEuE", "a::f::<for<'a> fn(&'a u8, &'a u16)>", true);
	check("_RINvC1a1fDINtC1b4IterhEp4ItemtNtC1b4SendEL_E",
	      "a::f::<dyn b::Iter<u8, Item = u16> + b::Send>", true);
	check("_RINvC1a1fKj7b_Kan1_Kb1_Kc41_Kc0_KpE", "a::f::<123, -1, true, 'A', '\\u{0}', _>",
	      true);
	check("_RINvC1a1fKn80000000000000000000000000000000_E",
	      "a::f::<0x80000000000000000000000000000000>", true);
	check("_RNvC1au3abc", "a::punycode{abc}", true);
	check("_RNvC1a3foo.cold", "a::foo", true);
	check("_RINvC1a1fhEC1b", "a::f::<u8>", true);

	check("_RNvC1a4foo", "_RNvC1a4foo", false);
	check("_RNvC1a3foo?", "_RNvC1a3foo?", false);
	check("_R0NvC1a3foo", "_R0NvC1a3foo", false);
	check("_RNvB_1a", "_RNvB_1a", false);
	check("_RINvC1a1fkE", "_RINvC1a1fkE", false);
	check("_RINvC1a1fRL0_hE", "_RINvC1a1fRL0_hE", false);
	check("_RINvC1a1fKb__", "_RINvC1a1fKb__", false);
}

static void test_others(void **state)
{
	check("malloc", "malloc", false);
	check("foo.constprop.0", "foo.constprop.0", false);
	check("helper.llvm.123", "helper", false);
	check("main", "main", false);
	check("", "", false);
	check("_", "_", false);
	check("_Z", "_Z", false);
	check("_ZN", "_ZN", false);
	check("_RNv", "_RNv", false);
	check("_Z3fo", "_Z3fo", false);
	check("i", "i", false); /* the mangled form of a type, but a name like any other */
}

/* What is in the buffer before stays there. */
static void test_append(void **state)
{
	struct strbuf got = { 0 };

	strbuf_adds(&got, "a ");
	assert_true(demangle("_Z3foov", &got));
	strbuf_adds(&got, " ");
	assert_false(demangle("_Zbar", &got));
	assert_string_equal(got.s, "a foo() _Zbar");
	strbuf_deinit(&got);
}

/* libiberty's own limit is at 1,024 characters, which C++ exceeds. */
static void test_long_names(void **state)
{
	char name[DEMANGLE_INPUT_MAX + 64], want[DEMANGLE_INPUT_MAX + 64];

	memset(name, 'n', sizeof(name));
	memcpy(name, "_Z4000", 6);
	strcpy(name + 6 + 4000, "i");
	memset(want, 'n', 4000);
	strcpy(want + 4000, "(int)");
	check(name, want, true);

	memset(name, 'n', sizeof(name));
	memcpy(name, "_Z4096", 6);
	strcpy(name + 6 + 4096, "i");
	check(name, name, false);
}

#define DIGITS "0123456789"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define LOWER  "abcdefghijklmnopqrstuvwxyz"

/* Writes an index in the way of both manglings: one less, in the base of the digits, then "_". */
static size_t put_index(char *to, unsigned int n, const char *digits)
{
	const unsigned int base = strlen(digits);
	size_t len = 0;

	if (n > base)
		to[len++] = digits[(n - 1) / base];
	if (n)
		to[len++] = digits[(n - 1) % base];
	to[len++] = '_';
	to[len] = '\0';
	return len;
}

/* Each parameter is a pointer to a function of three of the one before: 3^n types. */
static void make_cxx_bomb(char *name, int levels)
{
	size_t n = sprintf(name, "_Z1fPFvvE");

	for (int i = 0; i < levels; i++) {
		n += sprintf(name + n, "PFv");
		for (int k = 0; k < 3; k++) {
			name[n++] = 'S';
			n += put_index(name + n, 2 * i + 1, DIGITS UPPER);
		}
		n += sprintf(name + n, "E");
	}
}

/* Each tuple is of two of the one before: 2^n of them. */
static void make_rust_bomb(char *name, int levels)
{
	size_t n = sprintf(name, "_RINvC1a1fThhE"), last = n - 4, at;

	for (int i = 0; i < levels; i++, last = at) {
		at = n;
		n += sprintf(name + n, "T");
		for (int k = 0; k < 2; k++) {
			name[n++] = 'B';
			n += put_index(name + n, last - 2, DIGITS LOWER UPPER);
		}
		n += sprintf(name + n, "E");
	}
	sprintf(name + n, "E");
}

static void check_bomb(void (*make)(char *name, int levels), int tame)
{
	char name[1024];
	struct strbuf got = { 0 };

	/* few enough levels are a name as any other */
	make(name, tame);
	assert_true(demangle(name, &got));
	assert_in_range(got.n, 500, DEMANGLE_OUTPUT_MAX);
	strbuf_deinit(&got);
	make(name, 40);
	check(name, name, false);
}

static void test_bombs(void **state)
{
	char name[256] = "_Z1fIJiEEvDTspcl1g";
	struct timespec from, to;

	clock_gettime(CLOCK_MONOTONIC, &from);
	check_bomb(make_cxx_bomb, 5);
	check_bomb(make_rust_bomb, 8);
	/* "++" behind its operand, of which there are two: nothing of it is ever written */
	for (int i = 0; i < 80; i++)
		strcat(name, "pp");
	check(strcat(name, "fp_EE"), name, false);
	/* lifetimes without number, in a place that is not written */
	check("_RNvXIC1aFGzzzzzzzzz_uEhNtC1b1T1f", "_RNvXIC1aFGzzzzzzzzz_uEhNtC1b1T1f", false);
	clock_gettime(CLOCK_MONOTONIC, &to);
	assert_in_range(to.tv_sec - from.tv_sec, 0, 5);
}

/* The deepest nesting that a name of the greatest length can hold. */
static void test_depth(void **state)
{
	char name[DEMANGLE_INPUT_MAX + 1];
	struct strbuf got = { 0 };

	strcpy(name, "_Z1f");
	memset(name + 4, 'P', DEMANGLE_INPUT_MAX - 5);
	strcpy(name + DEMANGLE_INPUT_MAX - 1, "i");
	demangle(name, &got);
	assert_non_null(got.s);
	strbuf_deinit(&got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cxx),	cmocka_unit_test(test_rust),
		cmocka_unit_test(test_rust_v0), cmocka_unit_test(test_others),
		cmocka_unit_test(test_append),	cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_bombs),	cmocka_unit_test(test_depth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
