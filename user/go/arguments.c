// SPDX-License-Identifier: Apache-2.0
/*
 * The words of arguments on a stack, by the tables that the compiler makes for stack traces
 * (printArgs() in src/runtime/traceback.go). Some were only passed in registers: those are marked
 * as not certain.
 */
#include <errno.h>
#include <string.h>
#include "base/strbuf.h"
#include "go/trace.h"

#define WINDOW	  65536 /* bytes of a stack; what is deeper is not printed */
#define BYTES_MAX 256	/* of what describes the arguments; the runtime's own limit is 171 */

/* What stands in it: where a word is on the stack and its size, or one of these. */
enum { TOO_LARGE = 0xfb, DOTS = 0xfc, END_AGGREGATE = 0xfd, AGGREGATE = 0xfe, END = 0xff };

struct walk {
	const struct elf_image *img;
	const struct go_stack *stack;
	uint64_t at;	     /* of the first on the stack */
	uint64_t live;	     /* where it says which are live; 0: all */
	uint64_t live_bits;  /* of the address; 0: all */
	uint8_t live_offset; /* from this offset on */
	unsigned int slot;
	bool comma;
};

static uint8_t byte_at(const struct elf_image *img, uint64_t vaddr)
{
	const uint8_t *at = elf_image_at(img, vaddr, 1);

	return at ? *at : END;
}

static bool is_live(const struct walk *a, uint8_t offset)
{
	if (!a->live || !a->live_bits || offset < a->live_offset)
		return true;
	return byte_at(a->img, a->live_bits + a->slot / 8) >> a->slot % 8 & 1;
}

static bool print_word(struct walk *a, uint8_t offset, unsigned int size, struct strbuf *b)
{
	const struct go_stack *s = a->stack;
	const uint64_t at = a->at + offset;
	uint64_t word = 0;

	if (!size || size > 8 || at < s->at || at - s->at + size > s->size)
		return false;
	memcpy(&word, s->bytes + (at - s->at), size);
	strbuf_addf(b, "0x%llx%s", (unsigned long long)word, is_live(a, offset) ? "" : "?");
	a->slot += offset >= a->live_offset;
	return true;
}

static void separate(struct walk *a, struct strbuf *b)
{
	if (a->comma)
		strbuf_adds(b, ", ");
}

static bool print_all(struct walk *a, uint64_t info, struct strbuf *b)
{
	for (uint64_t i = info; i < info + BYTES_MAX; i++) {
		const uint8_t op = byte_at(a->img, i);

		if (op == END)
			return true;
		if (op != END_AGGREGATE)
			separate(a, b);
		a->comma = op != AGGREGATE;
		if (op == AGGREGATE)
			strbuf_adds(b, "{");
		else if (op == END_AGGREGATE)
			strbuf_adds(b, "}");
		else if (op == DOTS)
			strbuf_adds(b, "...");
		else if (op == TOO_LARGE)
			strbuf_adds(b, "_");
		else if (!print_word(a, op, byte_at(a->img, ++i), b))
			return false;
	}
	return false;
}

bool go_arguments_print(const struct go_runtime *rt, const struct goroutine_list *l,
			const struct goroutine *g, const struct go_frame *f,
			const struct go_arguments *arguments, struct strbuf *b)
{
	const struct go_function *function = &f->at->function;
	const uint64_t info = gopclntab_funcdata(&rt->table, function, GO_FUNCDATA_ARGS_INFO);
	struct walk a = {
		.img = &rt->image,
		.stack = &arguments->stack,
		.at = l->arguments.items[g->pcs + f->pc],
		.live = gopclntab_funcdata(&rt->table, function, GO_FUNCDATA_ARGS_LIVE),
		.live_offset = 0xff,
	};
	const int32_t index =
		gopclntab_pcdata(&rt->table, function, GO_PCDATA_ARGS_LIVE, f->at->vaddr);
	const size_t before = b->n;

	if (!info)
		return true;
	if (a.live)
		a.live_offset = byte_at(&rt->image, a.live);
	if (index > 0)
		a.live_bits = a.live + (uint64_t)index;
	if (print_all(&a, info, b))
		return true;
	b->n = before;
	if (b->s)
		b->s[b->n] = 0;
	return false;
}

/* -- reading ------------------------------------------------------------------------------------- */
/* Whether it still stands where it stood when the list was made. */
static bool stands(const struct go_runtime *rt, const struct goroutine *g)
{
	const struct go_layout *l = rt->layout;
	uint8_t bytes[1024];
	uint64_t sp;

	if (l->g.size > sizeof(bytes) || memory_read(&rt->memory, g->address, bytes, l->g.size))
		return false;
	sp = go_field(bytes, sizeof(bytes), l->g.syscallsp, 8);
	if (!sp)
		sp = go_field(bytes, sizeof(bytes), l->g.sched + l->gobuf.sp, 8);
	return sp == g->sp && go_field(bytes, sizeof(bytes), l->g.goid, 8) == g->id &&
	       go_field(bytes, sizeof(bytes), l->g.trackingSeq, 1) == g->switches;
}

int go_arguments_read(const struct go_runtime *rt, const struct goroutine_list *l,
		      const struct goroutine *g, struct go_arguments *ret)
{
	uint64_t at, size;

	ret->stack = (struct go_stack){ 0 };
	at = g->n_pcs ? l->arguments.items[g->pcs] : UINT64_MAX;
	if (at >= g->stack_end)
		return 0;
	if (!ret->bytes)
		ret->bytes = malloc(WINDOW);
	if (!ret->bytes)
		return -ENOMEM;
	size = g->stack_end - at < WINDOW ? g->stack_end - at : WINDOW;
	if (!memory_read(&rt->memory, at, ret->bytes, size) && stands(rt, g))
		ret->stack = (struct go_stack){ ret->bytes, at, size, g->stack_end };
	return 0;
}

void go_arguments_deinit(struct go_arguments *a)
{
	free(a->bytes);
	*a = (struct go_arguments){ 0 };
}
