// SPDX-License-Identifier: Apache-2.0
#include "kind/alloc/allocator.h"

const struct allocator *const *allocators(void)
{
	static const struct allocator *const table[] = {
		&allocator_glibc,
		&allocator_jemalloc,
		NULL,
	};

	return table;
}

bool lt_role_returns(enum lt_role role)
{
	static const bool returns[LT_ROLE_MAX] = {
		[LT_ROLE_TRY] = true,
		[LT_ROLE_ACQUIRE] = true,
		[LT_ROLE_RESIZE] = true,
		[LT_ROLE_MAP] = true,
		[LT_ROLE_REMAP] = true,
		[LT_ROLE_SHMAT] = true,
		[LT_ROLE_JOIN] = true,
	};

	return role < LT_ROLE_MAX && returns[role];
}
