// SPDX-License-Identifier: Apache-2.0
#include "sym/python.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/strbuf.h"
#include "elf/symtab.h"
#include "sym/python_lines.h"

#define STRING_MAX 4096	      /* characters that are taken of a string */
#define LINES_MAX  (1U << 20) /* bytes of a location table; a larger one is cut */
#define CODE_BYTES 512	      /* what is read of a code object: all offsets are below */
#define HEAD_BYTES 128	      /* the same of a string and of bytes */
#define CHECKS	   3	      /* the process runs on meanwhile */

/* -- the file ----------------------------------------------------------------------------------- */

static uint64_t *module_field(struct python_module *m, uint64_t *version_at, const char *name)
{
	if (!strcmp(name, "_PyRuntime"))
		return &m->runtime;
	if (!strcmp(name, "PyCode_Type"))
		return &m->code_type;
	return strcmp(name, "Py_Version") ? NULL : version_at;
}

int python_module_read(const struct elf_image *img, struct python_module *ret)
{
	struct elf_symtab symbols = { 0 };
	struct python_module m = { 0 };
	uint64_t version_at = 0;
	const uint8_t *version;
	int r = elf_symtab_load(img, true, &symbols);

	for (size_t i = 0; !r && i < symbols.n; i++) {
		uint64_t *field = module_field(&m, &version_at, symbols.symbols[i].name);

		if (field)
			*field = symbols.symbols[i].addr;
	}
	elf_symtab_deinit(&symbols);
	if (r)
		return r;
	version = version_at ? elf_image_at(img, version_at, 4) : NULL; /* PY_VERSION_HEX */
	if (version)
		m.version = PYTHON_VERSION((unsigned int)version[3], version[2]);
	*ret = m;
	return m.runtime && m.code_type ? 0 : -ENOENT;
}

/* -- objects ------------------------------------------------------------------------------------ */

static uint64_t get(const uint8_t *bytes, size_t size, unsigned int at, unsigned int n)
{
	uint64_t v = 0;

	if (at + n <= size)
		memcpy(&v, bytes + at, n);
	return v;
}

static void add_character(struct strbuf *b, uint32_t c)
{
	char s[4];

	if (!c || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		c = 0xfffd;
	if (c < 0x80) {
		s[0] = (char)c;
		strbuf_add(b, s, 1);
	} else if (c < 0x800) {
		s[0] = (char)(0xc0 | c >> 6);
		s[1] = (char)(0x80 | (c & 63));
		strbuf_add(b, s, 2);
	} else if (c < 0x10000) {
		s[0] = (char)(0xe0 | c >> 12);
		s[1] = (char)(0x80 | (c >> 6 & 63));
		s[2] = (char)(0x80 | (c & 63));
		strbuf_add(b, s, 3);
	} else {
		s[0] = (char)(0xf0 | c >> 18);
		s[1] = (char)(0x80 | (c >> 12 & 63));
		s[2] = (char)(0x80 | (c >> 6 & 63));
		s[3] = (char)(0x80 | (c & 63));
		strbuf_add(b, s, 4);
	}
}

/* Of struct PyASCIIObject's state: interned, kind (the bytes of a character), compact, ascii. */
#define STATE_KIND(state)    ((state) >> 2 & 7)
#define STATE_COMPACT(state) ((state) >> 5 & 1)
#define STATE_ASCII(state)   ((state) >> 6 & 1)

/* A str in UTF-8, from the pool. */
static int read_string(const struct python *p, uint64_t at, struct strpool *strings, const char **ret)
{
	const struct python_layout *l = &p->layout;
	_cleanup_(strbuf_deinit) struct strbuf b = { 0 };
	_cleanup_free_ uint8_t *data = NULL;
	uint8_t head[HEAD_BYTES / 2];
	uint64_t length, state, kind;

	if (memory_read(&p->memory, at, head, l->string_ascii < sizeof(head) ? l->string_ascii : sizeof(head)))
		return -ENOENT;
	length = get(head, sizeof(head), l->string_length, 8);
	state = get(head, sizeof(head), l->string_state, 4);
	kind = STATE_KIND(state);
	if (!length || length >> 31 || !STATE_COMPACT(state) || (kind != 1 && kind != 2 && kind != 4))
		return -ENOENT;
	length = length < STRING_MAX ? length : STRING_MAX;
	data = malloc(length * kind);
	if (!data)
		return -ENOMEM;
	if (memory_read(&p->memory, at + (STATE_ASCII(state) ? l->string_ascii : l->string_compact), data,
			length * kind))
		return -ENOENT;
	for (uint64_t i = 0; i < length; i++)
		add_character(&b, (uint32_t)get(data, length * kind, (unsigned int)(i * kind),
						(unsigned int)kind));
	if (b.oom)
		return -ENOMEM;
	*ret = strpool_add(strings, b.s, b.n);
	return *ret ? 0 : -ENOMEM;
}

/* The line of an instruction, by the bytes object of locations at `at`; 0 when it is not known. */
static int read_line(const struct python *p, uint64_t at, unsigned int first, uint64_t offset,
		     unsigned int *ret)
{
	const struct python_layout *l = &p->layout;
	_cleanup_free_ uint8_t *table = NULL;
	uint64_t size;

	*ret = 0;
	if (memory_read(&p->memory, at + l->bytes_size, &size, sizeof(size)) || !size || size >> 31)
		return 0;
	size = size < LINES_MAX ? size : LINES_MAX;
	table = malloc(size);
	if (!table)
		return -ENOMEM;
	if (!memory_read(&p->memory, at + l->bytes_data, table, size))
		*ret = python_line(table, size, first, offset);
	return 0;
}

static bool is_code(const struct python *p, uint64_t at)
{
	uint64_t type;

	return at && !memory_read(&p->memory, at + p->layout.object_type, &type, sizeof(type)) &&
	       type == p->code_type;
}

int python_symbol(const struct python *p, uint64_t code, uint64_t instr, struct strpool *strings,
		  struct symbol *ret)
{
	const struct python_layout *l = &p->layout;
	size_t size = l->code_instrs < CODE_BYTES ? l->code_instrs : CODE_BYTES;
	uint64_t first = code + l->code_instrs;
	uint8_t bytes[CODE_BYTES];
	struct symbol s = { 0 };
	int r;

	if (!is_code(p, code) || memory_read(&p->memory, code, bytes, size))
		return -ENOENT;
	r = read_string(p, get(bytes, size, l->code_qualname, 8), strings, &s.function);
	if (!r)
		r = read_string(p, get(bytes, size, l->code_filename, 8), strings, &s.file);
	if (!r) /* a frame that has not begun has its instruction before the first one */
		r = read_line(p, get(bytes, size, l->code_lines, 8),
			      (unsigned int)get(bytes, size, l->code_first_line, 4),
			      instr > first ? instr - first : 0, &s.line);
	if (r)
		return r;
	*ret = s;
	return 0;
}

/* -- the process -------------------------------------------------------------------------------- */

static uint64_t read_word(const struct python *p, uint64_t at)
{
	uint64_t word;

	return memory_read(&p->memory, at, &word, sizeof(word)) ? 0 : word;
}

/* A pthread_t is the address of the thread's control block, whose first word is the same. */
static bool is_pthread(const struct python *p, uint64_t id)
{
	return id && read_word(p, id) == id;
}

static bool thread_is_sound(const struct python *p, uint64_t thread)
{
	const struct lt_python *w = &p->layout.walk;
	uint64_t frame = read_word(p, thread + w->thread_frame);

	if (!is_pthread(p, read_word(p, thread + w->thread_id)))
		return false;
	if (frame && w->cframe_frame != LT_PYTHON_NO_CFRAME)
		frame = read_word(p, frame + w->cframe_frame);
	for (int i = 0; frame && i < LT_PYTHON_FRAMES; i++) {
		if (is_code(p, read_word(p, frame + w->frame_code)))
			return true;
		if (!w->entry_apart)
			return false;
		frame = read_word(p, frame + w->frame_previous);
	}
	return !frame; /* it runs no Python */
}

/* Whether there is a thread that is what it should be, or none at all yet. */
static bool python_is_sound(const struct python *p)
{
	const struct lt_python *w = &p->layout.walk;
	uint64_t interpreter = read_word(p, p->runtime + w->interpreters), thread;

	if (!interpreter)
		return true;
	thread = read_word(p, interpreter + w->interpreter_threads);
	if (!thread)
		return true;
	for (int i = 0; thread && i < LT_PYTHON_THREADS; i++) {
		if (thread_is_sound(p, thread))
			return true;
		thread = read_word(p, thread + w->thread_next);
	}
	return false;
}

int python_open(const struct python_module *m, uint64_t bias, const struct memory *memory,
		struct python *ret)
{
	struct python p = {
		.version = m->version,
		.memory = *memory,
		.runtime = m->runtime + bias,
		.code_type = m->code_type + bias,
	};
	int r = python_layout_find(m->version, memory, p.runtime, &p.layout);

	if (r)
		return r;
	for (int i = 0; i < CHECKS; i++) {
		if (!python_is_sound(&p))
			continue;
		*ret = p;
		return 0;
	}
	return -EAGAIN;
}

struct lt_python python_row(const struct python *p)
{
	struct lt_python row = p->layout.walk;

	row.interpreters += p->runtime;
	return row;
}
