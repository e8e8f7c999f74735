/* SPDX-License-Identifier: Apache-2.0 */
/* For whoever includes cmocka.h: the containers of a fixture's host. */
#pragma once
#include "container/container.h"
#include "container_fixture.h"

static inline struct container_list fixture_containers(const struct fixture *f)
{
	struct err e = { "" };
	struct container_list l;

	if (container_list_find(f->root, &l, &e))
		fail_msg("%s", e.text);
	return l;
}
