/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/err.h"

/* 0, or -EPERM with the names of the capabilities that we lack. */
int caps_check(struct err *e);
