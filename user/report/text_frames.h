/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdio.h>
#include "report/report.h"

/* Writes the frames as a table, one a line, fitted into style->width. 0 or -ENOMEM. */
int text_frames(const struct report_frame *frames, size_t n, const struct report_style *style, FILE *out);
