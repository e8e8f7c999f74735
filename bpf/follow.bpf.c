// SPDX-License-Identifier: GPL-2.0
/* Holds a process at its birth: it has returned from fork, and not to its program yet. */
#include "follow.bpf.h"

SEC("raw_tracepoint/sys_exit")
int birth(void *ctx)
{
	u32 tgid, *found, parent;

	if (!n_births)
		return 0;
	tgid = lt_tgid();
	found = bpf_map_lookup_elem(&births, &tgid);
	if (!found)
		return 0;
	parent = *found;
	if (lt_birth_over(tgid))
		lt_born_here(parent, tgid);
	return 0;
}
