/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tracing costs. The time inside the BPF programs at probes comes from the kernel's own
 * statistics; those at hooks, which run in all processes, time what they do in the traced ones. Both
 * are switched on for short moments only, as they cost something themselves. What is paid before a
 * program's clock starts, at a trap or at any system call, is measured on ourselves.
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

/* What a system call that does next to nothing takes, in ns. */
double syscall_time_measure(void);
/*
 * What hooks on all system calls, which are attached and enabled, add to one of a process, which took `before_ns`
 * without them: where it is not traced, and where it is. At least what their programs take by the kernel's
 * statistics: between the two, other tracers that come and go make calls slower and faster by more than that.
 */
void syscall_cost_measure(const struct object *o, double before_ns, double *ret_untraced, double *ret_traced);

struct cost_meter {
	struct trap_cost trap;
	double syscall_ns;    /* what hooks on all system calls cost each of them, in all processes ... */
	double traced_syscall_ns; /* ... and in those that are traced, when there is nothing to do */
	uint64_t runs, ns;    /* measured at probes */
	int stats_fd;	      /* statistics are on while it is open; -1 */
	bool timed;	      /* they have been */
	uint64_t began_ns, switch_ns; /* when that began, and when to switch them next */
	struct bpf_run_stats before;
};

void cost_meter_init(struct cost_meter *m, const struct trap_cost *trap);
/* To be called often: switches the statistics on and off in turn. */
void cost_meter_tick(struct cost_meter *m, const struct object *o, uint64_t now_ns);
void cost_meter_stop(struct cost_meter *m, const struct object *o);
/* ns of the target's CPU time that the counted hits have cost; < 0: not known. */
double cost_meter_ns(const struct cost_meter *m, const struct bpf_counters *c);
