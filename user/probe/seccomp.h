/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "probe/object.h"

/*
 * From Linux 6.11 until it was mended (cf6cb56ef244), a return probe made a process under a seccomp
 * filter run a system call that the filter did not know, and die of it. Whether this kernel does so
 * is tried on a child of our own: 1 it kills, 0 it does not, or a negative errno.
 */
int seccomp_return_probe_kills(const struct object *o);
