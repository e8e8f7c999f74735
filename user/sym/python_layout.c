// SPDX-License-Identifier: Apache-2.0
#include "sym/python_layout.h"
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include "base/cleanup.h"

/* -- versions without a table of their own ------------------------------------------------------ */

#define OWNED_BY_C_STACK 3 /* Include/internal/pycore_frame.h */

/*
 * From the headers in Include/internal: pycore_runtime.h, pycore_interp.h, pycore_frame.h, and
 * cpython/pystate.h, cpython/code.h, cpython/unicodeobject.h. Never changed within a minor version.
 */
static const struct {
	unsigned int version;
	struct python_layout layout;
} versions[] = {
	{ PYTHON_VERSION(3, 11),
	  { .walk = { .interpreters = 40, .interpreter_next = 0, .interpreter_threads = 16,
		      .thread_next = 8, .thread_id = 152, .thread_frame = 56, .cframe_frame = 8,
		      .frame_code = 32, .frame_previous = 48, .frame_instr = 56,
		      .frame_entry = 68, .entry = 1 },
	    .object_type = 8,
	    .code_filename = 112, .code_qualname = 128, .code_first_line = 72, .code_lines = 136,
	    .code_instrs = 184,
	    .bytes_size = 16, .bytes_data = 32,
	    .string_length = 16, .string_state = 32, .string_ascii = 48, .string_compact = 72 } },
	{ PYTHON_VERSION(3, 12),
	  { .walk = { .interpreters = 40, .interpreter_next = 0, .interpreter_threads = 72,
		      .thread_next = 8, .thread_id = 136, .thread_frame = 56, .cframe_frame = 0,
		      .frame_code = 0, .frame_previous = 8, .frame_instr = 56,
		      .frame_entry = 70, .entry = OWNED_BY_C_STACK, .entry_apart = 1 },
	    .object_type = 8,
	    .code_filename = 112, .code_qualname = 128, .code_first_line = 68, .code_lines = 136,
	    .code_instrs = 192,
	    .bytes_size = 16, .bytes_data = 32,
	    .string_length = 16, .string_state = 32, .string_ascii = 40, .string_compact = 56 } },
};

/* -- _Py_DebugOffsets (Include/internal/pycore_runtime.h), which _PyRuntime begins with ---------- */

#define DEBUG_COOKIE "xdebugpy"
#define DEBUG_WORDS  71

/* Those words of 3.13's that are of interest. */
enum debug_word {
	DEBUG_INTERPRETERS = 5,
	DEBUG_INTERPRETER_NEXT = 8,
	DEBUG_INTERPRETER_THREADS = 9,
	DEBUG_THREAD_NEXT = 21,
	DEBUG_THREAD_FRAME = 23,
	DEBUG_THREAD_ID = 24,
	DEBUG_FRAME_PREVIOUS = 29,
	DEBUG_FRAME_CODE = 30,
	DEBUG_FRAME_INSTR = 31,
	DEBUG_FRAME_OWNER = 33,
	DEBUG_CODE_FILENAME = 35,
	DEBUG_CODE_QUALNAME = 37,
	DEBUG_CODE_LINES = 38,
	DEBUG_CODE_FIRST_LINE = 39,
	DEBUG_CODE_INSTRS = 43,
	DEBUG_OBJECT_TYPE = 45,
	DEBUG_BYTES_SIZE = 65,
	DEBUG_BYTES_DATA = 66,
	DEBUG_STRING_STATE = 68,
	DEBUG_STRING_LENGTH = 69,
	DEBUG_STRING_ASCII = 70,
};

#define COMPACT_EXTRA 16 /* PyCompactUnicodeObject has a length and a pointer more than the ASCII one */
#define OFFSET_MAX    4096 /* of structures that are small */
#define RUNTIME_MAX   (1U << 20)

static int layout_from_words(const uint64_t w[DEBUG_WORDS], struct python_layout *ret)
{
	static const uint8_t small[] = {
		DEBUG_CODE_FILENAME, DEBUG_CODE_QUALNAME, DEBUG_CODE_LINES, DEBUG_CODE_FIRST_LINE,
		DEBUG_CODE_INSTRS, DEBUG_OBJECT_TYPE, DEBUG_BYTES_SIZE, DEBUG_BYTES_DATA,
		DEBUG_STRING_STATE, DEBUG_STRING_LENGTH, DEBUG_STRING_ASCII,
		DEBUG_THREAD_NEXT, DEBUG_THREAD_FRAME, DEBUG_THREAD_ID,
		DEBUG_FRAME_PREVIOUS, DEBUG_FRAME_CODE, DEBUG_FRAME_INSTR, DEBUG_FRAME_OWNER,
	};

	for (size_t i = 0; i < ARRAY_SIZE(small); i++)
		if (w[small[i]] > OFFSET_MAX)
			return -EOPNOTSUPP;
	if (w[DEBUG_INTERPRETERS] > RUNTIME_MAX || w[DEBUG_INTERPRETER_NEXT] > RUNTIME_MAX ||
	    w[DEBUG_INTERPRETER_THREADS] > RUNTIME_MAX)
		return -EOPNOTSUPP;
#define AT(name) (uint16_t)w[DEBUG_##name]
	*ret = (struct python_layout){
		.walk = { .interpreters = w[DEBUG_INTERPRETERS],
			  .interpreter_next = (uint32_t)w[DEBUG_INTERPRETER_NEXT],
			  .interpreter_threads = (uint32_t)w[DEBUG_INTERPRETER_THREADS],
			  .thread_next = AT(THREAD_NEXT), .thread_id = AT(THREAD_ID),
			  .thread_frame = AT(THREAD_FRAME), .cframe_frame = LT_PYTHON_NO_CFRAME,
			  .frame_code = AT(FRAME_CODE), .frame_previous = AT(FRAME_PREVIOUS),
			  .frame_instr = AT(FRAME_INSTR), .frame_entry = AT(FRAME_OWNER),
			  .entry = OWNED_BY_C_STACK, .entry_apart = 1 },
		.object_type = AT(OBJECT_TYPE),
		.code_filename = AT(CODE_FILENAME), .code_qualname = AT(CODE_QUALNAME),
		.code_first_line = AT(CODE_FIRST_LINE), .code_lines = AT(CODE_LINES),
		.code_instrs = AT(CODE_INSTRS),
		.bytes_size = AT(BYTES_SIZE), .bytes_data = AT(BYTES_DATA),
		.string_length = AT(STRING_LENGTH), .string_state = AT(STRING_STATE),
		.string_ascii = AT(STRING_ASCII),
		.string_compact = (uint16_t)(AT(STRING_ASCII) + COMPACT_EXTRA),
	};
#undef AT
	return 0;
}

static int layout_read(const struct memory *memory, uint64_t runtime, struct python_layout *ret)
{
	uint64_t words[DEBUG_WORDS];

	if (memory_read(memory, runtime, words, sizeof(words)) ||
	    memcmp(words, DEBUG_COOKIE, strlen(DEBUG_COOKIE)))
		return -EOPNOTSUPP;
	return layout_from_words(words, ret);
}

/* -- either of them ----------------------------------------------------------------------------- */

static bool lies_in(unsigned int at, unsigned int size, unsigned int limit)
{
	return at % size == 0 && at + size <= limit;
}

/* Whether BPF will find all of it in what it reads at a time. */
static bool can_be_walked(const struct lt_python *w)
{
	return lies_in(w->thread_next, 8, LT_PYTHON_THREAD_BYTES) &&
	       lies_in(w->thread_id, 8, LT_PYTHON_THREAD_BYTES) &&
	       lies_in(w->thread_frame, 8, LT_PYTHON_THREAD_BYTES) &&
	       lies_in(w->frame_code, 8, LT_PYTHON_FRAME_BYTES) &&
	       lies_in(w->frame_previous, 8, LT_PYTHON_FRAME_BYTES) &&
	       lies_in(w->frame_instr, 8, LT_PYTHON_FRAME_BYTES) &&
	       lies_in(w->frame_entry, 1, LT_PYTHON_FRAME_BYTES);
}

int python_layout_find(unsigned int version, const struct memory *memory, uint64_t runtime,
		       struct python_layout *ret)
{
	int r = -EOPNOTSUPP;

	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		if (versions[i].version != version)
			continue;
		*ret = versions[i].layout;
		r = 0;
	}
	if (version == PYTHON_VERSION(3, 13))
		r = layout_read(memory, runtime, ret);
	return !r && can_be_walked(&ret->walk) ? 0 : -EOPNOTSUPP;
}
