/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the C and C++ runtimes acquire once for themselves and keep to the end: it is in every report and leaks
 * nothing. It is known by where it comes from, and only as long as it does not come again and again. To
 * add some: a row in furniture.c.
 */
#pragma once
#include "report/report.h"

/* Which of it a stack of memory is, in words; NULL: none. */
const char *furniture_words(const struct report_stack *s);
