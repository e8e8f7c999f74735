// SPDX-License-Identifier: Apache-2.0
/*
 * Foreign names in a report: whatever symbol tables hold, the output is well-formed, has no control
 * characters, and the lines of a table fit the terminal. The first byte is the width, the second
 * chooses the kind of each line that follows: a frame's function, its file or its module. The
 * functions are also what items say, and their notes.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/strbuf.h"
#include "base/utf8.h"
#include "report/internal.h"
#include "report/notes.h"
#include "report/shorten.h"
#include "report/writer.h"

#define FRAMES_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define check(condition)                                                        \
	do {                                                                    \
		if (!(condition)) {                                             \
			fprintf(stderr, "line %d: %s\n", __LINE__, #condition); \
			abort();                                                \
		}                                                               \
	} while (0)

static void check_output(const struct report *r, const struct report_writer *w,
			 const struct report_style *style)
{
	char *text = NULL;
	const char *at;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);
	uint32_t c;

	check(f && !w->write(r, style, f) && !fclose(f));
	check(strlen(text) == n);
	for (at = text; (c = utf8_next(&at));)
		check(c != UTF8_INVALID && (c == '\n' || !utf8_is_unsafe(c)));
	if (style->one_line && w == &report_writer_json)
		check(strchr(text, '\n') == text + n - 1);
	free(text);
}

static void check_shortened(const char *name, size_t width)
{
	static void (*const shorten[])(struct strbuf *, const char *, size_t) = {
		shorten_middle,
		shorten_function,
		shorten_path,
	};
	struct strbuf safe = { 0 };

	utf8_add_printable(&safe, name);
	strbuf_adds(&safe, "");
	for (size_t i = 0; i < ARRAY_SIZE(shorten); i++) {
		struct strbuf b = { 0 };

		shorten[i](&b, safe.s, width);
		check(!width || !b.s || utf8_columns(b.s) <= width);
		check(width || !strcmp(b.s ? b.s : "", safe.s));
		strbuf_deinit(&b);
	}
	strbuf_deinit(&safe);
}

static size_t fill_frames(char *text, unsigned int kind, struct report_frame *frames)
{
	size_t n = 0;

	for (char *line; n < FRAMES_MAX && (line = strsep(&text, "\n")); n++) {
		const char **const fields[] = { &frames[n].function, &frames[n].file,
						&frames[n].module, &frames[n].build_id };

		*fields[kind++ % ARRAY_SIZE(fields)] = line;
		*fields[kind % ARRAY_SIZE(fields)] = line;
		frames[n].line = (unsigned int)strlen(line);
		frames[n].inlined = kind & 1;
	}
	return n;
}

static void check_internal(const struct report_stack *s)
{
	for (int kind = 0; kind < LT_KIND_MAX; kind++) {
		struct internal_name via;
		size_t n = internal_frames((enum lt_kind)kind, s->frames, s->n_frames, &via);

		check(!n || n < s->n_frames);
		check(strlen(via.s) < sizeof(via.s));
	}
}

/* Every function is an item, with the one before it as its note. */
static void fill_items(struct report_stack *s, struct item *items, struct arena *arena)
{
	struct note_groups notes = { 0 };
	uint64_t sum = 0;

	for (size_t i = 0; i < s->n_frames; i++) {
		const char *line = s->frames[i].function, *last = i ? items[i - 1].text : NULL;

		items[i] =
			(struct item){ .age_seconds = (double)i - 1, .text = line, .note = last };
		items[i].fields[0] = (struct item_field){ .key = "target", .string = line };
		items[i].fields[1] =
			(struct item_field){ .key = "fd", .number = i, .has_number = i };
		items[i].n_fields = 2;
		check(!last || !note_groups_add(&notes, last));
		s->n_noted += last != NULL;
	}
	check(!note_groups_finish(&notes, arena, s));
	for (size_t i = 0; i < s->n_notes; i++)
		sum += s->notes[i].count;
	check(sum <= s->n_noted && s->n_notes <= REPORT_NOTES_MAX);
	note_groups_deinit(&notes);
	s->items = items;
	s->n_items = s->n_items_all = s->n_frames;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct item items[FRAMES_MAX];
	struct report_frame frames[FRAMES_MAX] = { 0 };
	struct report_stack stack = { .pid = 1, .outstanding = { 1, 1 }, .frames = frames };
	struct report_resource fds = { .kind = "fd",
				       .state = "open",
				       .unit = "descriptors",
				       .outstanding = { 1, 1 },
				       .stacks = &stack,
				       .n_stacks = 1,
				       .n_stacks_all = 1 };
	struct report r = { .resources = &fds, .n_resources = 1 };
	struct report_style style = { 0 };
	struct arena arena = { 0 };
	char *text;

	if (size < 2)
		return 0;
	style.width = data[0];
	style.one_line = data[1] & 1;
	text = strndup((const char *)data + 2, size - 2);
	check_shortened(text, data[0]);
	stack.n_frames = fill_frames(text, data[1] >> 1, frames);
	check_internal(&stack);
	fill_items(&stack, items, &arena);
	stack.origin = (enum report_origin)((data[1] >> 1) % ORIGIN_MAX);
	stack.via = stack.stop = r.target.comm = r.target.exe = r.filter = fds.method = text;
	stack.state = data[1] & 2 ? text : NULL;
	stack.place = frames;
	stack.n_place = stack.n_frames;
	for (size_t i = 0; report_writers()[i]; i++)
		check_output(&r, report_writers()[i], &style);
	arena_deinit(&arena);
	free(text);
	return 0;
}
