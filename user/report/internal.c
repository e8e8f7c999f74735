// SPDX-License-Identifier: Apache-2.0
#include "report/internal.h"
#include <fnmatch.h>
#include <string.h>
#include "base/cleanup.h"

/* -- the C library ---------------------------------------------------------------------------- */

/* Of the file's name. The parts of glibc that had files of their own count as well. */
static const char *const library_files[] = {
	"libc.so*", "libc-*.so*",  "libpthread[-.]*", "librt[-.]*", "libresolv[-.]*",
	"libnss_*", "libanl[-.]*", "ld-linux*",	      "libc.musl*", "ld-musl*",
};

/* What its functions are called internally. */
static const char *const prefixes[] = { "__GI_",  "_IO_new_", "_IO_", "__libc_",
					"__new_", "___",      "__" };
static const char *const suffixes[] = { "64", "_2_0", "_2_1", "_internal", "_nocancel" };

/* And where that has nothing in common with the public name; NULL: it says nothing. */
static const struct {
	const char *internal, *public;
} renamed[] = {
	{ "arch_fork", NULL },	      { "cp_begin", NULL },
	{ "cp_end", NULL },	      { "create_thread", NULL },
	{ "do_system", "system" },    { "file_fopen", "fopen" },
	{ "file_open", NULL },	      { "ftw_startup", "nftw" },
	{ "gen_tempname", NULL }, /* of mkstemp, mkostemp and others */
	{ "gen_tempname_len", NULL }, { "proc_open", "popen" },
	{ "spawni", "posix_spawn" },  { "spawnix", "posix_spawn" },
	{ "syscall_cp", NULL },	      { "syscall_cp_asm", NULL },
	{ "syscall_cp_c", NULL },     { "try_tempname_len", NULL },
};

/* What acquires. In a static program the library is known by these only. */
static const char *const functions[] = {
	"_Fork",	  "accept",	  "accept4",	    "clone",	    "clone3",
	"connect",	  "creat",	  "daemon",	    "dup",	    "dup2",
	"dup3",		  "epoll_create", "epoll_create1",  "eventfd",	    "fanotify_init",
	"fcntl",	  "fdopen",	  "fdopendir",	    "fopen",	    "fork",
	"forkpty",	  "freopen",	  "getaddrinfo",    "inotify_init", "inotify_init1",
	"listen",	  "memfd_create", "mkostemp",	    "mkostemps",    "mkstemp",
	"mkstemps",	  "mq_open",	  "nftw",	    "open",	    "open_by_handle_at",
	"openat",	  "opendir",	  "openpty",	    "pidfd_open",   "pipe",
	"pipe2",	  "popen",	  "posix_openpt",   "posix_spawn",  "posix_spawnp",
	"pthread_create", "recvmmsg",	  "recvmsg",	    "scandir",	    "sem_open",
	"shm_open",	  "signalfd",	  "socket",	    "socketpair",   "syscall",
	"system",	  "thrd_create",  "timerfd_create", "tmpfile",	    "vfork",
};

/* A function without a name that has called this one: where there is no debug information. */
static const struct {
	const char *called, *public;
} nameless[] = {
	{ "posix_spawn", "system" },
};

static bool is_library(const struct report_frame *f)
{
	const char *slash = f->module ? strrchr(f->module, '/') : NULL;
	const char *file = slash ? slash + 1 : f->module;

	for (size_t i = 0; file && i < ARRAY_SIZE(library_files); i++)
		if (!fnmatch(library_files[i], file, 0))
			return true;
	return false;
}

static bool same_module(const struct report_frame *a, const struct report_frame *b)
{
	return a->module == b->module || (a->module && b->module && !strcmp(a->module, b->module));
}

static bool strip_prefix(struct internal_name *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		size_t n = strlen(prefixes[i]);

		if (!strncmp(name->s, prefixes[i], n) && name->s[n]) {
			memmove(name->s, name->s + n, strlen(name->s + n) + 1);
			return true;
		}
	}
	return false;
}

static bool strip_suffix(struct internal_name *name)
{
	size_t len = strlen(name->s);

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		size_t n = strlen(suffixes[i]);

		if (len > n && !strcmp(name->s + len - n, suffixes[i])) {
			name->s[len - n] = '\0';
			return true;
		}
	}
	return false;
}

/* The function's name without what only stands in the library; "" when it is too long for one. */
static struct internal_name bare_name(const char *function)
{
	struct internal_name name = { "" };
	/* a version, "@@GLIBC_2.34", or what the compiler appends to its clones, ".part.0" */
	size_t n = strcspn(function, "@.");

	if (n >= sizeof(name.s))
		return name;
	memcpy(name.s, function, n);
	while (strip_prefix(&name) || strip_suffix(&name))
		;
	return name;
}

/* Puts the public name in place of it. Whether there is such a row. */
static bool rename_it(struct internal_name *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(renamed); i++) {
		const char *public = renamed[i].public ? renamed[i].public : "";

		if (strcmp(name->s, renamed[i].internal))
			continue;
		memcpy(name->s, public, strlen(public) + 1);
		return true;
	}
	return false;
}

struct internal_name internal_public_name(const char *function)
{
	struct internal_name name = bare_name(function);

	rename_it(&name);
	return name;
}

static bool is_library_function(const char *function)
{
	struct internal_name name = function ? bare_name(function) : (struct internal_name){ "" };
	bool known = rename_it(&name);

	for (size_t i = 0; !known && i < ARRAY_SIZE(functions); i++)
		known = !strcmp(name.s, functions[i]);
	return known;
}

/* How many of the leading frames are the library's: those in its file, or, in a static program,
 * those from a system call on that have the names of its functions. */
static size_t library_frames(const struct report_frame *frames, size_t n)
{
	size_t i = 0;

	while (i < n && is_library(&frames[i]))
		i++;
	if (i)
		return i;
	while (i < n && frames[0].module && same_module(&frames[0], &frames[i]) &&
	       is_library_function(frames[i].function))
		i++;
	return i;
}

/* The outermost of the library's frames that has a name which says something. */
static struct internal_name library_function(const struct report_frame *frames, size_t n)
{
	struct internal_name name = { "" };
	bool skipped = false;

	for (; n && !name.s[0]; n--) {
		const char *function = frames[n - 1].function;

		if (function)
			name = internal_public_name(function);
		skipped |= !function;
	}
	for (size_t i = 0; skipped && i < ARRAY_SIZE(nameless); i++)
		if (!strcmp(name.s, nameless[i].called))
			memcpy(name.s, nameless[i].public, strlen(nameless[i].public) + 1);
	return name;
}

/* -- what languages put around it ------------------------------------------------------------- */

#define KIND(k)	     (1U << LT_KIND_##k)
#define KIND_THREADS (KIND(THREAD) | KIND(UNJOINED))

/* How a function's name begins, or all of it, that is internal for these kinds. */
static const struct {
	uint32_t kinds;
	const char *name;
	bool whole;
} wrappers[] = {
	{ KIND(MEMORY), "operator new(", false },
	{ KIND(MEMORY), "operator new[](", false },
	{ KIND(MEMORY), "operator new", true },
	{ KIND(MEMORY), "operator new[]", true },
	{ KIND(MEMORY), "std::__new_allocator<", false },
	{ KIND(MEMORY), "__gnu_cxx::new_allocator<", false },
	{ KIND(MEMORY), "std::allocator<", false },
	{ KIND(MEMORY), "std::allocator_traits<", false },
	{ KIND(MEMORY), "std::__allocate_guarded<", false },
	{ LT_KINDS_SYSTEM, "internal/runtime/syscall", false },
	{ LT_KINDS_SYSTEM, "runtime/internal/syscall.", false },
	{ LT_KINDS_SYSTEM, "internal/syscall/unix.", false },
	{ LT_KINDS_SYSTEM, "syscall.", false },
	{ LT_KINDS_GO, "runtime.", false },
	{ LT_KINDS_GO, "internal/runtime/", false },
	/* C++ */
	{ KIND_THREADS, "__gthread_create", false },
	{ KIND_THREADS, "decltype (::new ((void*)(0)) std::thread(", false },
	{ KIND_THREADS, "decltype (::new ((void*)(0)) std::jthread(", false },
	{ KIND_THREADS, "std::thread::_M_start_thread", false },
	{ KIND_THREADS, "std::thread::thread<", false },
	{ KIND_THREADS, "std::thread std::jthread::_S_create<", false },
	{ KIND_THREADS, "std::jthread::jthread<", false },
	{ KIND_THREADS, "std::jthread::_S_create<", false },
	{ KIND_THREADS, "std::__1::__libcpp_thread_create", false },
	{ KIND_THREADS, "std::__1::thread::thread<", false },
	/* ... and all that std::async is made of */
	{ KIND_THREADS, "std::__future_base::", false },
	{ KIND_THREADS, "void std::_Construct<std::__future_base::", false },
	{ KIND_THREADS, "void std::allocator_traits<", false },
	{ KIND_THREADS, "void __gnu_cxx::new_allocator<", false },
	{ KIND_THREADS, "std::_Sp_counted_ptr_inplace<std::__future_base::", false },
	{ KIND_THREADS, "std::__shared_count<", false },
	{ KIND_THREADS, "std::__shared_ptr<std::__future_base::", false },
	{ KIND_THREADS, "std::shared_ptr<std::__future_base::", false },
	{ KIND_THREADS, "std::future<", false },
	/* Rust */
	{ KIND_THREADS, "<std::sys::thread::", false },
	{ KIND_THREADS, "std::sys::thread::", false },
	{ KIND_THREADS, "std::sys::pal::unix::thread::", false },
	{ KIND_THREADS, "std::sys::unix::thread::", false },
	{ KIND_THREADS, "std::thread::lifecycle::", false },
	{ KIND_THREADS, "std::thread::builder::Builder::spawn", false },
	{ KIND_THREADS, "std::thread::Builder::spawn", false },
	{ KIND_THREADS, "std::thread::functions::spawn", false },
	{ KIND_THREADS, "std::thread::spawn", false },
	{ KIND_THREADS, "std::thread::scoped::<impl", false },
	{ KIND_THREADS, "std::thread::scoped::Scope", false },
};

static bool is_wrapper(enum lt_kind kind, const char *function)
{
	for (size_t i = 0; function && i < ARRAY_SIZE(wrappers); i++) {
		size_t n = strlen(wrappers[i].name);

		if (wrappers[i].kinds >> kind & 1 && !strncmp(function, wrappers[i].name, n) &&
		    (!wrappers[i].whole || !function[n]))
			return true;
	}
	return false;
}

/* The loader calls the allocator that the program has through functions of the same names, of which there is
 * nothing to be seen but in debug information (glibc: include/rtld-malloc.h). */
static bool is_loader_wrapper(enum lt_kind kind, const struct report_frame *f)
{
	static const char *const names[] = { "malloc", "calloc", "realloc" };
	const char *slash = f->module ? strrchr(f->module, '/') : NULL;

	if (kind != LT_KIND_MEMORY || !f->inlined || !slash || fnmatch("ld-linux*", slash + 1, 0))
		return false;
	for (size_t i = 0; f->function && i < ARRAY_SIZE(names); i++)
		if (!strcmp(f->function, names[i]))
			return true;
	return false;
}

bool is_generated_frame(const struct report_frame *f)
{
	static const char mark[] = ".gowrap";
	const char *number = f->function ? strstr(f->function, mark) : NULL;

	if (f->file && !strcmp(f->file, "<autogenerated>"))
		return true;
	number = number ? number + strlen(mark) : NULL;
	return number && *number && !number[strspn(number, "0123456789")];
}

size_t internal_frames(enum lt_kind kind, const struct report_frame *frames, size_t n,
		       struct internal_name *ret)
{
	size_t library = LT_KINDS_SYSTEM >> kind & 1 ? library_frames(frames, n) : 0, all;

	*ret = (struct internal_name){ "" };
	if (library && library == n)
		return 0;
	*ret = library_function(frames, library);
	for (all = library; all + 1 < n; all++)
		if (!is_wrapper(kind, frames[all].function) && !is_loader_wrapper(kind, &frames[all]))
			break;
	/* of what Go's runtime does for itself, all is shown (runtime/pprof: printStackRecord) */
	if (LT_KINDS_GO >> kind & 1 && n && all == n - 1 && is_wrapper(kind, frames[all].function))
		return 0;
	return all;
}

size_t outer_frames(enum lt_kind kind, const struct report_frame *frames, size_t n)
{
	size_t outer = 0;

	while (LT_KINDS_GO >> kind & 1 && outer + 1 < n && frames[n - 1 - outer].function &&
	       !strcmp(frames[n - 1 - outer].function, "runtime.goexit"))
		outer++;
	return outer;
}
