// SPDX-License-Identifier: Apache-2.0
#include "probe/casts.h"
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include "base/cleanup.h"

static bool takes_cast(int function, int type, int tracepoint)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_1 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = type },
		{ .code = BPF_JMP | BPF_CALL, .src_reg = BPF_PSEUDO_KFUNC_CALL, .imm = function },
		{ .code = BPF_LDX | BPF_MEM | BPF_DW, .dst_reg = BPF_REG_0, .src_reg = BPF_REG_0 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_RAW_TP,
		    .attach_btf_id = (__u32)tracepoint);
	_cleanup_close_ int fd = bpf_prog_load(BPF_PROG_TYPE_TRACING, "leaktrace_try", "GPL", insns,
					       sizeof(insns) / sizeof(*insns), &opts);

	return fd >= 0;
}

bool kernel_takes_casts(void)
{
	struct btf *btf = btf__load_vmlinux_btf();
	int function = btf ? btf__find_by_name_kind(btf, "bpf_rdonly_cast", BTF_KIND_FUNC) : -1;
	int type = btf ? btf__find_by_name_kind(btf, "hlist_head", BTF_KIND_STRUCT) : -1;
	int tracepoint = btf ? btf__find_by_name_kind(btf, "btf_trace_sys_enter", BTF_KIND_TYPEDEF) : -1;

	btf__free(btf);
	return function > 0 && type > 0 && tracepoint > 0 && takes_cast(function, type, tracepoint);
}
