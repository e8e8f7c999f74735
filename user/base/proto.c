// SPDX-License-Identifier: Apache-2.0
#include "base/proto.h"

enum { WIRE_VARINT = 0, WIRE_BYTES = 2 };

static void add_varint(struct strbuf *b, uint64_t v)
{
	char bytes[10];
	size_t n = 0;

	do {
		bytes[n++] = (char)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
		v >>= 7;
	} while (v);
	strbuf_add(b, bytes, n);
}

void proto_uint(struct strbuf *b, unsigned int field, uint64_t v)
{
	if (!v)
		return;
	add_varint(b, (uint64_t)field << 3 | WIRE_VARINT);
	add_varint(b, v);
}

void proto_bytes(struct strbuf *b, unsigned int field, const void *bytes, size_t n)
{
	add_varint(b, (uint64_t)field << 3 | WIRE_BYTES);
	add_varint(b, n);
	if (n)
		strbuf_add(b, bytes, n);
}

void proto_packed(struct strbuf *b, unsigned int field, const uint64_t *v, size_t n)
{
	_cleanup_(strbuf_deinit) struct strbuf all = { 0 };

	if (!n)
		return;
	for (size_t i = 0; i < n; i++)
		add_varint(&all, v[i]);
	b->oom |= all.oom;
	if (!all.oom)
		proto_bytes(b, field, all.s, all.n);
}
