/* SPDX-License-Identifier: Apache-2.0 */
/* Protocol buffers' wire format, as far as it is written: messages grow in a strbuf, whose `oom`
 * tells at the end whether that went well. */
#pragma once
#include <stdint.h>
#include "base/strbuf.h"

/* A field of a number; 0, the default, is left out. Negative ones of int64 fields are cast. */
void proto_uint(struct strbuf *b, unsigned int field, uint64_t v);
/* A string, or a message that is complete. */
void proto_bytes(struct strbuf *b, unsigned int field, const void *bytes, size_t n);
/* A repeated number, packed; nothing when there is none. */
void proto_packed(struct strbuf *b, unsigned int field, const uint64_t *v, size_t n);
