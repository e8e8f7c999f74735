/* SPDX-License-Identifier: Apache-2.0 */
/* The functions by which threads are made, joined and detached. */
#pragma once
#include "kind/alloc/allocator.h"

/* All of them; `ret_n`: how many. */
const struct alloc_function *pthread_functions(size_t *ret_n);
