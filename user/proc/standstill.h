/* SPDX-License-Identifier: Apache-2.0 */
/* A process that cannot run at all, whatever it would like to do. */
#pragma once
#include <sys/types.h>

/* Why it stands still, and what has it go on, in words: "stopped ...", "frozen ..."; NULL: it does not, as far
 * as can be told. */
const char *standstill_words(pid_t pid);
