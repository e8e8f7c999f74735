/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What works on this host, and in a process, and what does not and why: found by trying, as tracing
 * itself finds it. For `leaktrace doctor`; nothing here changes the host or touches the process.
 */
#pragma once
#include <sys/utsname.h>
#include "trace/tracer.h"

#define FACTS_ATTACH_MAX 4

/* A way to attach probes to the functions of processes. */
struct attach_fact {
	const char *name; /* of the kind */
	int load;	  /* 0; why the kernel refuses its programs */
	int use;	  /* 0; why it is of no use although they are loaded: see trap_cost_measure() */
};

struct host_facts {
	struct utsname system;
	int btf;		  /* 0, or a negative errno, as all that follow */
	int caps;
	struct err caps_missing;  /* which */
	char lockdown[32];	  /* the mode of the kernel's lockdown; "": none, or not to be known */
	int statistics;		  /* of BPF programs */
	int sock_diag;
	const char *sock_diag_file; /* of /proc/PID, which is read in its place */
	struct hook_choices hooks;
	struct attach_fact attach[FACTS_ATTACH_MAX];
	size_t n_attach;
	const char *attach_used;  /* NULL: none, or no probes are needed */
	bool all_syscalls;	  /* every system call of the machine passes through us ... */
	double syscall_ns;	  /* ... and takes so much longer */
	bool return_probes_kill;  /* processes under seccomp: see seccomp_return_probe_kills() */
	int tracing;		  /* 0: it works */
	struct err refusal;	  /* what the tracer says, if it does not */
};

/* Which of all that is wanted is told by the options. 0 or -ENOMEM. */
int host_facts_collect(const struct tracer_options *options, struct host_facts *ret);
void host_facts_deinit(struct host_facts *f);

/* A file that the process runs code of. */
struct module_fact {
	const char *path;
	const char *allocator;		/* whose functions it has; NULL: none */
	size_t n_allocator, n_threads;	/* functions of it, and those that make and join threads */
	uint64_t unwind_entries;	/* 0: its frames are found by frame pointer */
};

struct namespace_fact {
	const char *name; /* "net" */
	bool ours;
};

#define FACTS_NAMESPACES 8

struct target_facts {
	struct module_table modules; /* owns the paths */
	struct {
		VEC_OF(struct module_fact);
	} code;
	uint64_t anonymous_code; /* executable mappings of no file: a JIT compiler's */
	const char *stranger;	 /* a module with a malloc that is not known; NULL: none */
	bool allocator, pthread; /* found */
	struct {
		bool is_go, readable, profile; /* profile: the program keeps one of its heap */
		char version[64];	       /* "go1.23.5" */
		struct err refusal;	       /* why it cannot be read */
	} go;
	uint64_t threads;
	uint64_t seccomp; /* its mode: 0 none */
	struct namespace_fact namespaces[FACTS_NAMESPACES];
	size_t n_namespaces;
};

/* Looks at what the kinds (bits of enum lt_kind) need of the process. 0 or a negative errno. */
int target_facts_collect(pid_t pid, uint32_t kinds, struct target_facts *ret);
void target_facts_deinit(struct target_facts *f);
