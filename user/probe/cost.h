/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tracing costs. The time inside the BPF programs comes from the kernel's own statistics,
 * which are switched on for short moments only, as they cost something themselves. The traps around
 * them are paid before the program's clock starts: what one costs is measured on ourselves.
 */
#pragma once
#include "probe/object.h"

struct trap_cost { /* ns for each hit, without the BPF program */
	double emulated, stepped, returning;
};

/*
 * Attaches the object's own programs to functions of this very process and calls them from a second
 * thread. The probes stay in `links`: taking them away would take longer than all else. -ENOTSUP:
 * the hits of that thread were not seen, the attach kind is of no use (before kernel 6.10,
 * uprobe_multi filters by thread); or another negative errno.
 */
int trap_cost_measure(const struct object *o, struct attachments *links, struct trap_cost *ret);

/*
 * Hooks on all system calls: what one costs each of them, in ns. In all processes of the machine, as
 * measured on ourselves, who are not traced.
 */
struct syscall_cost {
	double ns;
	double program_ns; /* of that, in one run of a program; with statistics on */
};

/* What a system call that does next to nothing takes, in ns. */
double syscall_time_measure(void);
/* The programs' time in one, once the hooks are attached. */
double syscall_program_measure(const struct object *o);

struct cost_meter {
	struct trap_cost trap;
	struct syscall_cost syscall;
	uint64_t runs, ns;    /* measured at probes */
	uint64_t hook_runs, hook_ns, events; /* measured at hooks */
	uint64_t events_before;
	int stats_fd;	      /* statistics are on while it is open; -1 */
	uint64_t switch_ns;   /* when to switch them next */
	struct bpf_run_stats before;
};

void cost_meter_init(struct cost_meter *m, const struct trap_cost *trap);
/* To be called often: switches the statistics on and off in turn. */
void cost_meter_tick(struct cost_meter *m, const struct object *o, uint64_t now_ns);
void cost_meter_stop(struct cost_meter *m, const struct object *o);
/* ns of the target's CPU time that the counted hits have cost; < 0: not known. */
double cost_meter_ns(const struct cost_meter *m, const struct bpf_counters *c);
