/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of our own to try probes on. */
#pragma once
#include <stdint.h>

/* A function that consists of just these instructions. */
#define SELF_FUNCTION(name, code)                                                                  \
	__attribute__((naked, noinline)) static void name(void)                                    \
	{                                                                                          \
		__asm__ volatile(code);                                                            \
	}

/* The file offset of `fn` in our own program, open as `fd`. 0 or a negative errno. */
int self_function_offset(int fd, void (*fn)(void), uint64_t *ret);
