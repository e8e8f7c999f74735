/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>
#include "report/report.h"

/* How many of the kernel's frames, leaf first, are what calls leaktrace's own hooks: BPF programs,
 * trampolines, ftrace, tracepoints. */
size_t machinery_frames(const struct report_frame *frames, size_t n);
