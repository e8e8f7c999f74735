/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include "base/err.h"

/* 0, or -EPERM with the names of the capabilities that we lack. */
int caps_check(struct err *e);
/* Whether we have CAP_SYS_ADMIN, which some kernels ask for beyond those. */
bool caps_have_sys_admin(void);
/* Whether we have CAP_SYS_PTRACE; true where that cannot be told. */
bool caps_have_ptrace(void);
