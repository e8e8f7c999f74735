/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdio.h>
#include "report/report.h"

/* Writes the frames of `s` as a table, one a line, fitted into style->width. 0 or -ENOMEM. */
int text_frames(const struct report_stack *s, const struct report_style *style, FILE *out);
