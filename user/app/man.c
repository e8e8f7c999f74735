// SPDX-License-Identifier: Apache-2.0
/* leaktrace(8), with OPTIONS made of the options table. */
#include "app/help.h"
#include <errno.h>
#include <string.h>

static const char before_options[] =
	".Dd November 21, 2026\n"
	".Dt LEAKTRACE 8\n"
	".Os leaktrace " LEAKTRACE_VERSION "\n"
	".Sh NAME\n"
	".Nm leaktrace\n"
	".Nd find what a running process leaks, and the code that leaks it\n"
	".Sh SYNOPSIS\n"
	".Nm\n"
	".Op Ar options\n"
	".Fl p Ar PID Ns Op , Ns Ar PID ...\n"
	".Nm\n"
	".Op Ar options\n"
	".Fl -cgroup Ar PATH | Fl -container Ar NAME | Fl a\n"
	".Nm\n"
	".Op Ar options\n"
	".Fl -\n"
	".Ar CMD ARG ...\n"
	".Nm\n"
	".Cm doctor\n"
	".Op Fl p Ar PID Ns Op , Ns Ar PID ...\n"
	".Op Fl w Ar LIST\n"
	".Op Fl f Ar FORMAT\n"
	".Op Fl o Ar FILE\n"
	".Nm\n"
	".Cm goroutines\n"
	".Fl p Ar PID\n"
	".Op Fl -leaks\n"
	".Op Fl f Cm text | json | pprof\n"
	".Op Fl o Ar FILE\n"
	".Nm\n"
	".Cm containers\n"
	".Op Fl f Cm text | json\n"
	".Op Fl o Ar FILE\n"
	".Sh DESCRIPTION\n"
	".Nm\n"
	"watches a process from outside, with eBPF.\n"
	"The process is not restarted, rebuilt or asked for its cooperation, and its memory is "
	"only\n"
	"read, unless\n"
	".Fl -go-enable-profile\n"
	"asks for the one exception.\n"
	"Whatever it acquires is recorded with its whole call stack, every release strikes one "
	"off;\n"
	"what remains is reported, added up by stack.\n"
	".Bl -tag -width connection\n"
	".It Li memory\n"
	"blocks of allocators, and mappings; the heap of Go programs is told apart.\n"
	".It Li connection\n"
	"TCP connections, connected UDP sockets and unix streams, as long as the process has a\n"
	"descriptor of them, whatever their state; those that listen are told apart.\n"
	".It Li fd\n"
	"descriptors of any type.\n"
	".It Li thread\n"
	"threads; those that have ended but were never joined or detached are told apart.\n"
	".It Li process\n"
	"children; those that have ended but were never waited for are told apart.\n"
	".It Li goroutine\n"
	"goroutines of Go programs, by what they do, where they stand and what started them; read\n"
	"from memory once a second.\n"
	"Those that nobody can wake any more are\n"
	".Em LOST .\n"
	".El\n"
	".Pp\n"
	"Tracing ends after\n"
	".Fl -duration ,\n"
	"at Ctrl-C, or when the target ends.\n"
	"A last report is written then, and the target runs on as before.\n"
	"A command that was started behind\n"
	".Fl -\n"
	"keeps its input, its output and its exit status, which the report tells.\n"
	"One that still runs when tracing ends is sent SIGTERM, and so is its process group.\n"
	".Pp\n"
	"SIGINT, SIGTERM and SIGHUP end\n"
	".Nm\n"
	"at any moment.\n"
	"While it traces, the first one ends that with a last report, and a second one ends it at\n"
	"once, without a report and with status 1.\n"
	"Before that it dies by the signal, as\n"
	".Cm doctor ,\n"
	".Cm goroutines\n"
	"and\n"
	".Cm containers\n"
	"do; SIGQUIT has it do so at any moment.\n"
	".Pp\n"
	"Reports go to standard output, messages to standard error.\n"
	".Sh OPTIONS\n"
	".Ar TIME\n"
	"is a number with one of\n"
	".Li ms , s , m\n"
	"and\n"
	".Li h ;\n"
	"without one it is in seconds.\n"
	".Ar N\n"
	"of a size takes\n"
	".Li K , M\n"
	"and\n"
	".Li G ,\n"
	"powers of 1024.\n";

static const char after_options[] =
	".Sh REPORT\n"
	"The report begins with what was traced, for how long, and whether the numbers are exact.\n"
	"For each kind of resource there is a line of totals, and then the stacks:\n"
	".Bd -literal -offset indent\n"
	"#1   61.2 %  16.1 KiB (16,529 bytes) in 129 allocations\n"
	"     malloc, oldest 4.8 s, 129 of 129 still held, keeps 1.6 KiB/s\n"
	"       leaky             /src/leak.c:6      server\n"
	"       append (inlined)  /src/list.h:88     server\n"
	"       handle_request    /src/server.c:120  server\n"
	".Ed\n"
	".Pp\n"
	"The share is that of all that is outstanding.\n"
	"The second line names the function that was called, the age of the oldest holding,\n"
	"how many of all that were ever acquired there are still held,\n"
	"and how much is kept of each second of tracing.\n"
	"Where all or nearly all is still held and the oldest holding is old, look for a leak;\n"
	"where few of many are held, for a cache or for work in progress.\n"
	"Frames follow, the caller of the library's function first.\n"
	"Where no line is known, the module and the address in its file are shown,\n"
	"as\n"
	".Xr addr2line 1\n"
	"takes it.\n"
	".Pp\n"
	"Of anything but memory, single holdings are shown below the frames, with their ages:\n"
	".Bd -literal -offset indent\n"
	"#1   63.6 %  7 connections\n"
	"     connect, oldest 5m 20s, 7 of 50 still held, keeps 7.0/h\n"
	"     7 of 7: peer closed up to 5m 12s ago, this side never called close\n"
	"       backend_open  /srv/app/src/backend.c:88  pool\n"
	"       main          /srv/app/src/main.c:30     pool\n"
	"     ! 5m 20s  tcp 10.0.0.5:41234 to 10.0.0.9:5432, CLOSE_WAIT\n"
	"     ! 5m 18s  tcp 10.0.0.5:41236 to 10.0.0.9:5432, CLOSE_WAIT\n"
	"       and 5 more\n"
	".Ed\n"
	".Pp\n"
	"What is wrong with them, as far as that can be told, stands above the frames;\n"
	"it is said of those that are marked with\n"
	".Sq \\&! .\n"
	"What was held since before tracing is listed behind the stacks, and so is what the "
	"system\n"
	"shows to be held although no probe saw it acquired; neither has frames.\n"
	"Together they are as many as the system counts.\n"
	".Pp\n"
	"The report ends with its coverage: how many events were recorded and how many were lost, "
	"by\n"
	"cause; how many stacks are whole; releases of what was acquired before tracing;\n"
	"and what tracing has cost the target.\n"
	".Pp\n"
	"In JSON, a report is a document of the schema\n"
	".Li leaktrace.report/1 .\n"
	"Fields are added to it, never renamed or dropped; what is not known is\n"
	".Li null .\n"
	".Sh DOCTOR\n"
	".Nm Cm doctor\n"
	"tells what works on this host, what does not, and why: permissions, BTF, and the ways to\n"
	"follow what happens in the kernel and in programs, each by trying; also what it costs all\n"
	"other processes where the only way is the tracepoints of all system calls.\n"
	"Of processes that are named with\n"
	".Fl p\n"
	"it tells which allocators and pthread functions were found, which of their files have unwind\n"
	"information, and how they are confined; they are only looked at.\n"
	"Its exit status is 0 when tracing works, 77 when it does not.\n"
	".Sh GOROUTINES\n"
	".Nm Cm goroutines\n"
	"prints the goroutines of a Go program once, with their whole stacks, as\n"
	".Li net/http/pprof\n"
	"does at\n"
	".Pa /debug/pprof/goroutine?debug=2 ,\n"
	"or as JSON, or as a profile for\n"
	".Li go tool pprof .\n"
	"The program need not know of it, and is not stopped.\n"
	"With\n"
	".Fl -leaks ,\n"
	"only those are printed that nobody can wake any more.\n"
	".Sh CONTAINERS\n"
	".Nm Cm containers\n"
	"lists the containers that have processes: name, id, runtime, how many processes are in it\n"
	"and in containers within it, its Kubernetes pod, its image, and its control group, as far as\n"
	"that is known.\n"
	"They are found by their control groups and by what runc and crun keep in\n"
	".Pa /run ;\n"
	"their names by the files of docker, containerd, CRI\\-O, podman and nerdctl, by the logs of\n"
	"Kubernetes, and by asking Docker at its socket, which is waited for one second.\n"
	"Of those that people gave an id, as of LXC and systemd\\-nspawn, it is the name as well.\n"
	"In JSON it is a document of the schema\n"
	".Li leaktrace.containers/1 .\n"
	".Sh EXIT STATUS\n"
	".Bl -tag -width 4n\n"
	".It 0\n"
	"Done.\n"
	".It 1\n"
	"Failure; the reason is on standard error.\n"
	".It 2\n"
	"Usage error.\n"
	".It 77\n"
	"This host cannot trace; the reason is on standard error.\n"
	".El\n"
	".Sh REQUIREMENTS\n"
	"Linux 5.15 or later on x86-64, with BPF, uprobes and BTF\n"
	".Pq Pa /sys/kernel/btf/vmlinux .\n"
	"Root, or the capabilities\n"
	".Dv CAP_BPF , CAP_PERFMON\n"
	"and\n"
	".Dv CAP_SYS_PTRACE ;\n"
	"before Linux 6.13\n"
	".Dv CAP_SYS_ADMIN\n"
	"as well, without which the cost of tracing is not known either.\n"
	"The target needs no frame pointers and no debug information;\n"
	"with debug information the report has files, lines and inlined calls.\n"
	"It is looked for as\n"
	".Xr gdb 1\n"
	"does: in the file, by build id and by debug link below\n"
	".Pa /usr/lib/debug .\n"
	".Sh EXAMPLES\n"
	"What a running server keeps, with a report every 10 seconds until Ctrl-C:\n"
	".Pp\n"
	".Dl # leaktrace -p 4242\n"
	".Pp\n"
	"One report after 5 minutes, only of what has been held for more than one:\n"
	".Pp\n"
	".Dl # leaktrace -p 4242 -d 5m --older 1m\n"
	".Pp\n"
	"Connections and descriptors that a server has held for more than an hour:\n"
	".Pp\n"
	".Dl # leaktrace -p 4242 -w connection,fd -d 2h --older 1h\n"
	".Pp\n"
	"A program from its first instruction to its end, as JSON:\n"
	".Pp\n"
	".Dl # leaktrace -o report.json -- ./tests --verbose\n"
	".Sh LIMITS\n"
	"Targets are 64-bit x86-64 processes.\n"
	"The allocators followed are those of glibc, which C++ new and delete go through, and\n"
	"jemalloc as a shared library.\n"
	"Memory that was acquired before tracing is not known; its releases are counted as such.\n"
	"Stacks are recorded up to 256 frames.\n"
	"Code without unwind tables is walked by frame pointer; where that leads nowhere, the "
	"stack is\n"
	"marked as incomplete, with the reason.\n"
	"Child processes are not followed: name their process ids.\n"
	"The tables that hold what is outstanding have a fixed size; what finds no room is counted "
	"as\n"
	"lost.\n"
	".Sh SEE ALSO\n"
	".Xr bpftool 8 ,\n"
	".Xr gdb 1 ,\n"
	".Xr perf 1 ,\n"
	".Xr valgrind 1\n";

/* Text for troff: no hyphen in place of a minus, no escapes, no requests. */
static void print_text(FILE *out, const char *s)
{
	if (strchr(".'", *s))
		fputs("\\&", out);
	for (; *s; s++) {
		if (*s == '-')
			fputs("\\-", out);
		else if (*s == '\\')
			fputs("\\e", out);
		else
			fputc(*s, out);
	}
}

static int print_row(FILE *out, const struct options_row *row)
{
	_cleanup_free_ char *text = help_text(row);

	if (!text)
		return -ENOMEM;
	fputs(".It ", out);
	if (row->letter)
		fprintf(out, "Fl %c , ", row->letter);
	fprintf(out, "Fl -%s", row->name);
	if (row->arg)
		fprintf(out, " Ar %s", row->arg);
	fputc('\n', out);
	print_text(out, text);
	fputc('\n', out);
	return 0;
}

int man_print(FILE *out)
{
	fputs(before_options, out);
	for (int s = 0; s < SECTION_MAX; s++) {
		const char *title = options_section_title((enum options_section)s);

		if (!title)
			continue;
		fprintf(out, ".Ss %s\n.Bl -tag -width indent\n", title);
		for (size_t i = 0; i < options_table_n; i++)
			if ((int)options_table[i].section == s && print_row(out, &options_table[i]))
				return -ENOMEM;
		fputs(".El\n", out);
	}
	fputs(after_options, out);
	return 0;
}
