// SPDX-License-Identifier: Apache-2.0
/*
 * The frames inside the C library of this machine, with and without its debug information. A child
 * calls each function, is stopped at every system call that acquires something, and libdwfl walks
 * its stack.
 */
#include <dirent.h>
#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/cleanup.h"
#include "base/strbuf.h"
#include "base/vec.h"
#include "report/internal.h"
#include "sym/symbolizer.h"

#define LIBC "/usr/lib/x86_64-linux-gnu/libc.so.6"

/* -- what the child calls --------------------------------------------------------------------- */

static void *thread_main(void *arg)
{
	return arg;
}

static int clone_main(void *arg)
{
	return 0;
}

static void call_mkstemp(void)
{
	char path[] = "/tmp/leaktrace-XXXXXX";

	close(mkstemp(path));
	unlink(path);
}

static void call_pthread_create(void)
{
	pthread_t t;

	pthread_create(&t, NULL, thread_main, NULL);
}

static void call_thrd_create(void)
{
	thrd_t t;

	thrd_create(&t, clone_main, NULL);
}

static void call_vfork(void)
{
	if (!vfork())
		_exit(0);
}

static char *none[] = { NULL };

static void call_posix_spawn(void)
{
	pid_t pid;

	posix_spawn(&pid, "/bin/true", NULL, NULL, none, none);
}

static void call_posix_spawnp(void)
{
	pid_t pid;

	posix_spawnp(&pid, "true", NULL, NULL, none, none);
}

static void call_clone(void)
{
	static char stack[16384] __attribute__((aligned(16)));

	clone(clone_main, stack + sizeof(stack), SIGCHLD, NULL);
}

static void call_getaddrinfo(void)
{
	struct addrinfo *a;

	getaddrinfo("127.0.0.1", "80", NULL, &a);
}

static void call_signalfd(void)
{
	sigset_t set;

	sigemptyset(&set);
	signalfd(-1, &set, 0);
}

static int pair[2];
static struct msghdr message;
static struct sockaddr address;

/* The statement may leave what it returns. */
#define CALL(name, ...)                                \
	static void call_##name(void)                  \
	{                                              \
		__auto_type r = (__VA_ARGS__);         \
		__asm__ volatile("" : : "g"(r));       \
	}

CALL(open, open("/dev/null", O_RDONLY))
CALL(openat, openat(AT_FDCWD, "/dev/null", O_RDONLY))
CALL(creat, creat("/dev/null", 0600))
CALL(fopen, fopen("/dev/null", "r"))
CALL(freopen, freopen("/dev/null", "r", stdin))
CALL(fdopen, fdopen(0, "r"))
CALL(popen, popen("true", "r"))
CALL(opendir, opendir("/"))
CALL(tmpfile, tmpfile())
CALL(socket, socket(AF_UNIX, SOCK_STREAM, 0))
CALL(connect, connect(-1, &address, sizeof(address)))
CALL(accept, accept(-1, NULL, NULL))
CALL(accept4, accept4(-1, NULL, NULL, 0))
CALL(socketpair, socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
CALL(pipe, pipe(pair))
CALL(pipe2, pipe2(pair, O_CLOEXEC))
CALL(dup, dup(0))
CALL(dup2, dup2(0, 9))
CALL(dup3, dup3(0, 9, O_CLOEXEC))
CALL(fcntl, fcntl(0, F_DUPFD, 9))
CALL(eventfd, eventfd(0, 0))
CALL(epoll_create1, epoll_create1(0))
CALL(timerfd_create, timerfd_create(CLOCK_MONOTONIC, 0))
CALL(inotify_init1, inotify_init1(0))
CALL(memfd_create, memfd_create("x", 0))
CALL(recvmsg, recvmsg(-1, &message, 0))
CALL(fork, fork())
CALL(_Fork, _Fork())
CALL(system, system("true"))
CALL(syscall, syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY))

static const struct call {
	const char *name;
	void (*call)(void);
	const char *via; /* NULL: the name */
} calls[] = {
#define ROW(name) { #name, call_##name, NULL }
	ROW(open),
	ROW(openat),
	ROW(creat),
	ROW(fopen),
	ROW(freopen),
	ROW(popen),
	ROW(opendir),
	ROW(tmpfile),
	ROW(socket),
	ROW(connect),
	ROW(accept),
	ROW(accept4),
	ROW(socketpair),
	ROW(pipe),
	ROW(pipe2),
	ROW(dup),
	ROW(dup2),
	ROW(dup3),
	ROW(fcntl),
	ROW(fdopen),
	ROW(eventfd),
	ROW(epoll_create1),
	ROW(timerfd_create),
	ROW(signalfd),
	ROW(inotify_init1),
	ROW(memfd_create),
	ROW(recvmsg),
	ROW(getaddrinfo),
	ROW(pthread_create),
	ROW(thrd_create),
	ROW(fork),
	ROW(_Fork),
#ifdef __SANITIZE_THREAD__ /* makes a fork of it */
	{ "vfork", call_vfork, "fork" },
#else
	ROW(vfork),
#endif
	ROW(posix_spawn),
	ROW(posix_spawnp),
	ROW(system),
	ROW(clone),
	ROW(syscall),
	/* as mkostemp and others it jumps to what they share */
	{ "mkstemp", call_mkstemp, "open" },
#undef ROW
};

static const long acquiring[] = {
	SYS_open, SYS_openat, SYS_creat, SYS_socket, SYS_connect, SYS_accept, SYS_accept4,
	SYS_socketpair, SYS_pipe, SYS_pipe2, SYS_dup, SYS_dup2, SYS_dup3, SYS_fcntl, SYS_eventfd2,
	SYS_epoll_create1, SYS_timerfd_create, SYS_signalfd4, SYS_inotify_init1, SYS_memfd_create,
	SYS_recvmsg, SYS_clone, SYS_clone3, SYS_fork, SYS_vfork,
};

static bool is_acquiring(long number)
{
	for (size_t i = 0; i < ARRAY_SIZE(acquiring); i++)
		if (acquiring[i] == number)
			return true;
	return false;
}

/* -- its stacks ------------------------------------------------------------------------------- */

struct library {
	struct symbolizer *symbolizer;
	struct module module; /* the C library, or the copy without debug information */
};

struct walk {
	const struct library *library;
	Dwfl *dwfl;
	struct {
		VEC_OF(struct report_frame);
	} frames;
};

static void walk_address(struct walk *w, Dwarf_Addr pc, bool activation)
{
	struct symbol symbols[SYMBOLS_MAX];
	Dwfl_Module *m = dwfl_addrmodule(w->dwfl, pc);
	Dwarf_Addr bias = 0;
	const char *path = "";
	int n = 0;

	if (m) {
		dwfl_module_getelf(m, &bias);
		dwfl_module_info(m, NULL, NULL, NULL, NULL, NULL, &path, NULL);
	}
	if (path && !strcmp(strrchr(path, '/') ? strrchr(path, '/') + 1 : path, "libc.so.6"))
		n = symbolizer_module(w->library->symbolizer, &w->library->module,
				      pc - bias - !activation, symbols);
	for (int i = 0; i < n; i++)
		assert_int_equal(vec_push(&w->frames,
					  (struct report_frame){ .function = symbols[i].function,
								 .module = LIBC }), 0);
	if (!n)
		assert_int_equal(vec_push(&w->frames,
					  (struct report_frame){ .module = path ? path : "" }), 0);
}

static int walk_frame(Dwfl_Frame *frame, void *arg)
{
	bool activation;
	Dwarf_Addr pc;

	if (!dwfl_frame_pc(frame, &pc, &activation))
		return DWARF_CB_ABORT;
	walk_address(arg, pc, activation);
	return DWARF_CB_OK;
}

/* The library ends the unwind information of these before the system call, as what it says would
 * not hold for the child. Nothing is on the stack there but the return address. */
static void walk_out_of_clone(struct walk *w, pid_t pid, struct user_regs_struct regs)
{
	walk_address(w, regs.rip, true);
	regs.rip = (unsigned long long)ptrace(PTRACE_PEEKDATA, pid, (void *)regs.rsp, NULL);
	regs.rsp += 8;
	assert_int_equal(ptrace(PTRACE_SETREGS, pid, NULL, &regs), 0);
}

/* Checks the stack of the stopped child. */
static void check_stack(const struct library *library, const struct call *c, pid_t pid,
			struct user_regs_struct *regs)
{
	static const Dwfl_Callbacks callbacks = { .find_elf = dwfl_linux_proc_find_elf,
						  .find_debuginfo = dwfl_standard_find_debuginfo };
	struct walk w = { .library = library, .dwfl = dwfl_begin(&callbacks) };
	const char *want = c->via ? c->via : c->name;
	_cleanup_(strbuf_deinit) struct strbuf shown = { 0 };
	struct internal_name via;
	size_t skip;

	assert_int_equal(dwfl_linux_proc_report(w.dwfl, pid), 0);
	assert_int_equal(dwfl_report_end(w.dwfl, NULL, NULL), 0);
	assert_int_equal(dwfl_linux_proc_attach(w.dwfl, pid, true), 0);
	if (regs->orig_rax == SYS_clone3 || (regs->orig_rax == SYS_clone && regs->rsi))
		walk_out_of_clone(&w, pid, *regs);
	dwfl_getthread_frames(w.dwfl, pid, walk_frame, &w);
	skip = internal_frames(LT_KIND_FD, w.frames.items, w.frames.n, &via);
	vec_foreach(f, &w.frames)
		strbuf_addf(&shown, " %s", f->function ? f->function : f->module);
	if (!skip || skip >= w.frames.n || strstr(w.frames.items[skip].module, "libc.so") ||
	    strcmp(via.s, want))
		fail_msg("%s: via '%s' behind %zu of%s", c->name, via.s, skip, shown.s);
	vec_free(&w.frames);
	dwfl_end(w.dwfl);
}

/* Children of the child are none of ours; they would only run on. */
static bool is_making_process(long number)
{
	return number == SYS_clone || number == SYS_clone3 || number == SYS_fork ||
	       number == SYS_vfork;
}

static unsigned int check_call(const struct library *library, const struct call *c)
{
	struct user_regs_struct regs;
	unsigned int checked = 0;
	bool begun = false;
	int status;
	pid_t pid = fork();

	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		syscall(SYS_getpid); /* it begins behind this */
		c->call();
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
	for (bool entry = true; ; entry = !entry) {
		assert_int_equal(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (!WIFSTOPPED(status))
			break;
		assert_int_equal(WSTOPSIG(status), SIGTRAP | 0x80);
		assert_int_equal(ptrace(PTRACE_GETREGS, pid, NULL, &regs), 0);
		begun |= regs.orig_rax == SYS_getpid;
		if (!entry || !begun || !is_acquiring((long)regs.orig_rax))
			continue;
		check_stack(library, c, pid, &regs);
		checked++;
		if (is_making_process((long)regs.orig_rax))
			regs.orig_rax = (unsigned long long)-1;
		assert_int_equal(ptrace(PTRACE_SETREGS, pid, NULL, &regs), 0);
	}
	return checked;
}

static void check_library(const char *path)
{
	struct library library = { .module = {
					   .id = 1, .path = strdup(path), .root = strdup("") } };

	library.module.fd = open(path, O_RDONLY | O_CLOEXEC);
	library.module.copy = -1;
	assert_true(library.module.fd >= 0);
	assert_int_equal(symbolizer_create(&library.symbolizer), 0);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		if (!check_call(&library, &calls[i]))
			fail_msg("%s makes none of the system calls", calls[i].name);
	symbolizer_destroy(library.symbolizer);
	close(library.module.fd);
	free(library.module.path);
	free(library.module.root);
}

static void test_libc_of_this_machine(void **state)
{
	check_library(LIBC);
}

/* The same without what leads to its debug information. */
static void test_libc_without_debug_information(void **state)
{
	char directory[] = "/tmp/leaktrace-internal-XXXXXX";
	char command[512], path[64];

	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/libc.so.6", directory);
	snprintf(command, sizeof(command),
		 "objcopy --strip-debug -R .note.gnu.build-id -R .gnu_debuglink -R "
		 ".note.gnu.property "
		 "%s %s 2>/dev/null",
		 LIBC, path);
	assert_int_equal(system(command), 0);
	check_library(path);
	unlink(path);
	rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_libc_of_this_machine),
		cmocka_unit_test(test_libc_without_debug_information),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
