/* SPDX-License-Identifier: GPL-2.0 */
/* What every program includes. Natively (tests/host), shim.h stands in for the kernel. */
#pragma once
#ifdef LT_HOST
#include "shim.h"
#else
#include "core_types.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#endif

typedef __u8 u8;
typedef __u16 u16;
typedef __s16 s16;
typedef __u32 u32;
typedef __s32 s32;
typedef __u64 u64;
typedef __s64 s64;
