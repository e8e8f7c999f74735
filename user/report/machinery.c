// SPDX-License-Identifier: Apache-2.0
#include "report/machinery.h"
#include <stdbool.h>
#include <string.h>
#include "base/cleanup.h"

/* How the names of such functions begin. */
static const char *const prefixes[] = {
	"bpf_prog_",	     "__bpf_prog_",	  "bpf_trampoline_",  "__bpf_tramp_",
	"bpf_get_stack",     "bpf_trace_run",	  "__bpf_trace_",     "__traceiter_",
	"trace_call_bpf",    "perf_call_bpf",	  "perf_trace_",      "__perf_",
	"kprobe_",	     "kretprobe_",	  "__kretprobe_",     "arch_rethook_",
	"rethook_",	     "__rethook_",	  "fprobe_",	      "__fprobe_",
	"ftrace_",	     "__ftrace_",	  "arch_ftrace_",     "opt_pre_handler",
	"optimized_callback", "aggr_",		  "function_trace_",  "asm_exc_int3",
	"exc_int3",	     "do_int3",		  "setup_detour_execution",
};

static bool is_machinery(const char *function)
{
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (!strncmp(function, prefixes[i], strlen(prefixes[i])))
			return true;
	return false;
}

size_t machinery_frames(const struct report_frame *frames, size_t n)
{
	size_t machinery = 0;

	/* code without a name between such frames is a BPF program: net.core.bpf_jit_kallsyms=0 */
	for (size_t i = 0; i < n; i++) {
		if (frames[i].function && !is_machinery(frames[i].function))
			break;
		if (frames[i].function)
			machinery = i + 1;
	}
	return machinery;
}
