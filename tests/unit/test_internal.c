// SPDX-License-Identifier: Apache-2.0
/* The frames inside libraries: names, and made-up stacks. test_internal_libc.c has real ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base/cleanup.h"
#include "report/internal.h"

#define LIBC  "/usr/lib/x86_64-linux-gnu/libc.so.6"
#define LIBCC "/usr/lib/x86_64-linux-gnu/libstdc++.so.6"

/* -- names ------------------------------------------------------------------------------------ */

static void test_public_names(void **state)
{
	static const char *const names[][2] = {
		{ "__GI___open64", "open" },
		{ "__libc_open64", "open" },
		{ "__open64_nocancel", "open" },
		{ "__GI___open64_nocancel", "open" },
		{ "_IO_new_fopen", "fopen" },
		{ "_IO_new_file_fopen", "fopen" },
		{ "__fopen_internal", "fopen" },
		{ "fopen64", "fopen" },
		{ "__pthread_create_2_1", "pthread_create" },
		{ "pthread_create@@GLIBC_2.34", "pthread_create" },
		{ "__libc_fork", "fork" },
		{ "__GI__Fork", "_Fork" },
		{ "__socket", "socket" },
		{ "__libc_connect", "connect" },
		{ "__posix_spawn", "posix_spawn" },
		{ "__spawni", "posix_spawn" },
		{ "do_system", "system" },
		{ "do_system.part.0", "system" },
		{ "accept4", "accept4" },
		{ "epoll_create1", "epoll_create1" },
		{ "__GI___pipe2", "pipe2" },
		{ "__GI___libc_fcntl64", "fcntl" },
		{ "___dlopen", "dlopen" },
		{ "__scandir64", "scandir" },
		{ "__clone_internal", "clone" },
		{ "__gen_tempname", "" },
		{ "__", "__" },
		{ "64", "64" },
		{ "", "" },
		{ "a_name_that_no_function_of_a_library_has_because_nobody_could_remember_it", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_string_equal(internal_public_name(names[i][0]).s, names[i][1]);
}

/* -- made-up stacks --------------------------------------------------------------------------- */

#define STACK_MAX 12

#define F(name)		 { .function = (name) }
#define LOADER		 "/lib64/ld-linux-x86-64.so.2"
#define INLINED(library, name) { .function = (name), .module = (library), .inlined = true }
#define IN(library, name) { .function = (name), .module = (library) }

static const struct made_up {
	enum lt_kind kind;
	struct report_frame frames[STACK_MAX];
	size_t skip;
	const char *via;
} made_up[] = {
	/* the library's, and of those only the leading ones */
	{ LT_KIND_FD,
	  { IN(LIBC, "__libc_open64"), IN(LIBC, "_IO_new_fopen"), IN("/srv/a", "main"),
	    IN(LIBC, "__libc_start_main") },
	  2,
	  "fopen" },
	{ LT_KIND_FD, { IN("/srv/a", "main"), IN(LIBC, "__libc_start_main") }, 0, "" },
	/* all of it in the library */
	{ LT_KIND_FD, { IN(LIBC, "__libc_open64"), IN(LIBC, "start_thread") }, 0, "" },
	/* names that are not known */
	{ LT_KIND_FD, { IN(LIBC, NULL), IN("/srv/a", "main") }, 1, "" },
	{ LT_KIND_FD, { IN(LIBC, "open"), IN(LIBC, NULL), IN("/srv/a", "main") }, 2, "open" },
	{ LT_KIND_ZOMBIE,
	  { IN(LIBC, "clone"), IN(LIBC, "posix_spawn"), IN(LIBC, NULL), IN("/srv/a", "main") },
	  3,
	  "system" },
	/* files of other names */
	{ LT_KIND_FD, { IN("/lib/ld-musl-x86_64.so.1", "open"), IN("a", "main") }, 1, "open" },
	{ LT_KIND_FD, { IN("/lib/libpthread-2.31.so", "open"), IN("a", "main") }, 1, "open" },
	{ LT_KIND_FD, { IN("/lib/libc.so.6 (deleted)", "open"), IN("a", "main") }, 1, "open" },
	{ LT_KIND_FD, { IN("/lib/libcrypto.so.3", "f"), IN("a", "main") }, 0, "" },
	{ LT_KIND_FD, { IN("/lib/libc.so/x", "f"), F("main") }, 0, "" },
	/* static programs, where names are all there is */
	{ LT_KIND_FD,
	  { IN("a", "__open64_nocancel"), IN("a", "__opendir"), IN("a", "main") }, 2, "opendir" },
	{ LT_KIND_FD,
	  { IN("a", "open64"), IN("a", "__gen_tempname"), IN("a", "make_file"), IN("a", "main") }, 2,
	  "open" },
	{ LT_KIND_CHILD,
	  { IN("a", "__clone3"), IN("a", "__clone_internal"), IN("a", "__spawnix"),
	    IN("a", "__spawni"), IN("a", "posix_spawn"), IN("a", "_IO_new_proc_open"),
	    IN("a", "_IO_new_popen"), IN("a", "main") }, 7, "popen" },
	{ LT_KIND_CONNECTION,
	  { IN("a", "__syscall_cp_asm"), IN("a", "__syscall_cp_c"), IN("a", "connect"),
	    IN("a", "main") }, 3, "connect" },
	{ LT_KIND_FD, { IN("a", "syscall"), IN("a", "my_open"), IN("a", "open") }, 1, "syscall" },
	{ LT_KIND_FD, { IN("a", "socket"), IN("b", "connect"), IN("a", "main") }, 1, "socket" },
	{ LT_KIND_FD, { IN("a", NULL), IN("a", "main") }, 0, "" },
	{ LT_KIND_FD, { F("internal/runtime/syscall.Syscall6"), F("syscall.open"), F("os.Open") }, 2, "" },
	{ LT_KIND_MEMORY, { F("syscall.mmap"), F("main.main") }, 0, "" },
	{ LT_KIND_GOROUTINE, { F("runtime.gopark"), F("runtime.chansend1"), F("main.main") }, 2, "" },
	{ LT_KIND_GOROUTINE, { F("runtime.gopark"), F("runtime.bgsweep"), F("runtime.goexit") }, 0, "" },
	{ LT_KIND_GO_HEAP, { F("internal/runtime/maps.newTable"), F("runtime.makemap"), F("main.main") }, 2, "" },
	/* memory's are the allocator's, which is no place that anybody asks for */
	{ LT_KIND_MEMORY, { IN(LIBC, "__strdup"), IN("/srv/a", "main") }, 0, "" },
	{ LT_KIND_MEMORY,
	  { IN(LIBCC, "operator new(unsigned long)"),
	    F("std::allocator<int>::allocate(unsigned long)"), F("operator new_leaf"), F("main") },
	  2,
	  "" },
	{ LT_KIND_MEMORY, { F("operator new(unsigned long)") }, 0, "" },
	{ LT_KIND_FD, { F("operator new(unsigned long)"), F("main") }, 0, "" },
	/* the loader's own calls of the program's allocator, as debug information shows them */
	{ LT_KIND_MEMORY, { INLINED(LOADER, "calloc"), IN(LOADER, "allocate_dtv"), F("main") }, 1, "" },
	{ LT_KIND_MEMORY, { IN(LOADER, "calloc"), IN(LOADER, "_dl_new_object"), F("main") }, 0, "" },
	{ LT_KIND_MEMORY, { INLINED("/srv/a", "malloc"), IN("/srv/a", "main") }, 0, "" },
	{ LT_KIND_MEMORY, { INLINED(LOADER, "allocate_dtv"), F("main") }, 0, "" },
	/* threads of C++ */
	{ LT_KIND_UNJOINED,
	  { IN(LIBC, "clone3"), IN(LIBC, "__pthread_create_2_1"), IN(LIBCC, "__gthread_create"),
	    IN(LIBCC,
	       "std::thread::_M_start_thread(std::unique_ptr<std::thread::_State>, void (*)())"),
	    F("std::thread::thread<void (&)(), , void>(void (&)())"), F("Pool::add()"), F("main") },
	  5,
	  "pthread_create" },
	{ LT_KIND_THREAD,
	  { IN(LIBC, "pthread_create"), F("std::thread::_M_start_thread(x)"),
	    F("std::thread::thread<void>(x)"),
	    F("std::__future_base::_Async_state_impl<X, int>::_Async_state_impl<X>(X)"),
	    F("void std::_Construct<std::__future_base::_Async_state_impl<X> >(X)"),
	    F("void std::allocator_traits<std::allocator<void> >::construct<X>(X)"),
	    F("std::_Sp_counted_ptr_inplace<std::__future_base::_Async_state_impl<X> >::X(X)"),
	    F("std::__shared_count<(__gnu_cxx::_Lock_policy)2>::__shared_count<X>(X)"),
	    F("std::shared_ptr<std::__future_base::X> std::make_shared<X>(X)"),
	    F("std::future<int> std::async<X>(std::launch, X)"), F("main") },
	  10,
	  "pthread_create" },
	/* ... within another's function, which the compiler has inlined */
	{ LT_KIND_THREAD,
	  { IN(LIBC, "pthread_create"), F("std::thread::thread<X>(X)"),
	    F("std::thread::_State_impl<std::thread::_Invoker<main::{lambda()#1}> >::_M_run()"),
	    F("execute_native_thread_routine") },
	  2,
	  "pthread_create" },
	/* threads of Rust */
	{ LT_KIND_THREAD,
	  { IN(LIBC, "pthread_create"), F("<std::sys::thread::unix::Thread>::new"),
	    F("std::thread::lifecycle::spawn_unchecked"),
	    F("std::thread::builder::Builder::spawn_unchecked"),
	    F("std::thread::builder::Builder::spawn"), F("std::thread::functions::spawn"),
	    F("th::main") },
	  6,
	  "pthread_create" },
	{ LT_KIND_THREAD,
	  { IN(LIBC, "pthread_create"), F("std::sys::pal::unix::thread::Thread::new"),
	    F("std::thread::Builder::spawn_unchecked_"), F("std::thread::spawn"), F("th::main") },
	  4,
	  "pthread_create" },
};

static void test_made_up_stacks(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(made_up); i++) {
		const struct made_up *m = &made_up[i];
		struct internal_name via;
		size_t n = 0, skip;

		while (n < STACK_MAX && (m->frames[n].function || m->frames[n].module))
			n++;
		skip = internal_frames(m->kind, m->frames, n, &via);
		if (skip != m->skip || strcmp(via.s, m->via))
			fail_msg("stack %zu: skips %zu, via '%s'", i, skip, via.s);
	}
}

static void test_generated_frames(void **state)
{
	static const struct {
		const char *function, *file;
		bool generated;
	} rows[] = {
		{ "main.main.gowrap1", "/srv/a.go", true },
		{ "main.(*server).serve.func2.gowrap13", "/srv/a.go", true },
		{ "main.gowrapper", "/srv/a.go", false },
		{ "main.main.gowrap", "/srv/a.go", false },
		{ "main.main.gowrap1.func1", "/srv/a.go", false },
		{ "main.(*T).M", "<autogenerated>", true },
		{ "main.main", "/srv/a.go", false },
		{ NULL, NULL, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct report_frame f = { .function = rows[i].function, .file = rows[i].file };

		if (is_generated_frame(&f) != rows[i].generated)
			fail_msg("row %zu", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_public_names),
		cmocka_unit_test(test_made_up_stacks),
		cmocka_unit_test(test_generated_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
