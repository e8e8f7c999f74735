// SPDX-License-Identifier: Apache-2.0
/* C11's thrd_create, thrd_join and thrd_detach, and std::thread, go through these. */
#include "kind/pthread.h"
#include "base/cleanup.h"

#define NO LT_ARG_NONE

static const struct alloc_function functions[] = {
	/* name                   role            size count id  out flags via */
	{ "pthread_create",	  LT_ROLE_CREATE, NO, NO, 1, NO, NO, NULL },
	{ "pthread_join",	  LT_ROLE_JOIN,	  NO, NO, 0, NO, NO, NULL },
	{ "pthread_tryjoin_np",	  LT_ROLE_JOIN,	  NO, NO, 0, NO, NO, NULL },
	{ "pthread_timedjoin_np", LT_ROLE_JOIN,	  NO, NO, 0, NO, NO, NULL },
	{ "pthread_clockjoin_np", LT_ROLE_JOIN,	  NO, NO, 0, NO, NO, NULL },
	{ "thrd_join",		  LT_ROLE_JOIN,	  NO, NO, 0, NO, NO, NULL },
	{ "pthread_detach",	  LT_ROLE_DETACH, NO, NO, 0, NO, NO, NULL },
};

const struct alloc_function *pthread_functions(size_t *ret_n)
{
	*ret_n = ARRAY_SIZE(functions);
	return functions;
}
