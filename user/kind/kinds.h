/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of the table in kind.c. */
#pragma once
#include "kind/kind.h"

extern const struct kind kind_connection, kind_listener;
extern const struct kind kind_fd;
extern const struct kind kind_thread, kind_unjoined;
extern const struct kind kind_child, kind_zombie;
extern const struct kind kind_goroutine;
