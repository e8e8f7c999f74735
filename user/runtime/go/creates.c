// SPDX-License-Identifier: Apache-2.0
#include "runtime/go/creates.h"
#include <Zydis/Zydis.h>
#include <errno.h>
#include <string.h>

#define CALL	  0xe8 /* call rel32 */
#define CALL_SIZE 5
#define CODE_MAX  (1U << 20)

/*
 * Functions by the beginnings of their names; of those that fit the longest counts. To follow another
 * library from the first connection on: a row here. What is not here is followed from the moment on that
 * one of its goroutines is seen; what is not rare, as it is done for each request, never.
 */
static const struct {
	const char *name;
	bool rare;
} functions[] = {
	{ "net/http.(*connReader).", false },
	{ "net/http.(*Transport).", true },
	{ "net/http.(*http2Transport).", true },
	{ "net/http.(*http2clientConnPool).", true },
	{ "net/http.(*http2ClientConn).", true },
	{ "net/http.(*http2ClientConn).RoundTrip", false },
	{ "net/http.(*http2ClientConn).roundTrip", false },
	{ "net/http/internal/http2.(*Transport).", true },
	{ "net/http/internal/http2.(*clientConnPool).", true },
	{ "golang.org/x/net/http2.(*Transport).", true },
	{ "golang.org/x/net/http2.(*clientConnPool).", true },
	{ "net.(*sysDialer).", true },
	{ "google.golang.org/grpc", true },
	{ "google.golang.org/grpc.(*Server).", false },
	{ "google.golang.org/grpc.newClientStream", false },
	{ "google.golang.org/grpc.(*clientStream).", false },
	{ "google.golang.org/grpc/internal/transport.(*http2Server).", false },
	{ "google.golang.org/grpc/internal/transport.(*serverHandlerTransport).", false },
	{ "database/sql.OpenDB", true },
	{ "database/sql.(*DB).", true },
	{ "database/sql.(*DB).beginDC", false },
};

enum rarity { UNKNOWN, RARE, FREQUENT };

static enum rarity rarity_of(const char *function)
{
	enum rarity r = UNKNOWN;
	size_t longest = 0;

	for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
		size_t n = strlen(functions[i].name);

		if (n < longest || strncmp(function, functions[i].name, n))
			continue;
		longest = n;
		r = functions[i].rare ? RARE : FREQUENT;
	}
	return r;
}

uint64_t go_creates_newproc(const struct gopclntab *table)
{
	struct go_function f;

	return gopclntab_named(table, "runtime.newproc", &f) ? f.entry : 0;
}

/* Is there a call of newproc at the address, in code that is `left` bytes long? */
static bool is_call(const uint8_t *code, size_t left, uint64_t address, uint64_t newproc)
{
	int32_t distance;

	if (left < CALL_SIZE || code[0] != CALL)
		return false;
	memcpy(&distance, code + 1, sizeof(distance));
	return address + CALL_SIZE + (uint64_t)(int64_t)distance == newproc;
}

static bool has_call(const uint8_t *code, size_t size, uint64_t address, uint64_t newproc)
{
	for (size_t i = 0; i < size; i++)
		if (is_call(code + i, size - i, address + i, newproc))
			return true;
	return false;
}

static const uint8_t *code_of(const struct elf_image *img, const struct go_function *f, size_t *ret_size)
{
	*ret_size = f->end - f->entry < CODE_MAX ? f->end - f->entry : CODE_MAX;
	return elf_image_at(img, f->entry, *ret_size);
}

/* Instruction by instruction: the bytes of a call may also stand inside of another one. */
static int add_calls(const struct elf_image *img, const struct go_function *f, uint64_t newproc,
		     struct go_creates *ret)
{
	ZydisDecodedInstruction in;
	ZydisDecoder decoder;
	size_t size, at = 0;
	const uint8_t *code = code_of(img, f, &size);

	if (!code || !has_call(code, size, f->entry, newproc) ||
	    !ZYAN_SUCCESS(ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)))
		return 0;
	while (at < size &&
	       ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, NULL, code + at, size - at, &in))) {
		struct go_create c = { .pc = f->entry + at + CALL_SIZE };

		if (is_call(code + at, size - at, f->entry + at, newproc) &&
		    !elf_vaddr_to_offset(img, f->entry + at, &c.offset) && vec_push(ret, c))
			return -ENOMEM;
		at += in.length;
	}
	return 0;
}

int go_creates_rare(const struct elf_image *img, const struct gopclntab *table, struct go_creates *ret)
{
	uint64_t newproc = go_creates_newproc(table);
	struct go_function f;
	int r = newproc ? 0 : -ENOENT;

	for (uint32_t i = 0; i < table->n && !r; i++)
		if (gopclntab_function(table, i, &f) && rarity_of(f.name) == RARE)
			r = add_calls(img, &f, newproc, ret);
	return r;
}

bool go_creates_at(const struct elf_image *img, const struct gopclntab *table, uint64_t newproc, uint64_t pc,
		   struct go_create *ret)
{
	struct go_creates calls = { 0 };
	struct go_function f;
	bool found = false;

	if (!newproc || !gopclntab_at(table, pc - 1, &f) || rarity_of(f.name) == FREQUENT ||
	    add_calls(img, &f, newproc, &calls))
		return false;
	vec_foreach(c, &calls)
		if (c->pc == pc) {
			*ret = *c;
			found = true;
		}
	vec_free(&calls);
	return found;
}
