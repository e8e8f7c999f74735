// SPDX-License-Identifier: Apache-2.0
#include "report/notes.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/strbuf.h"
#include "base/units.h"

/* "4.8 s" or one part of "5m 12s" at `s`: how long it is, 0 when there is none. */
static size_t time_part(const char *s, double *ret)
{
	static const struct {
		const char *name;
		double seconds;
	} units[] = { { "ms", 1e-3 }, { "s", 1 }, { "m", 60 }, { "h", 3600 }, { "d", 86400 } };
	size_t n = strspn(s, "0123456789.");
	double number = n && isdigit((unsigned char)*s) ? strtod(s, NULL) : -1;

	if (number < 0)
		return 0;
	n += s[n] == ' ';
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		size_t len = strlen(units[i].name);

		if (strncmp(s + n, units[i].name, len) || isalnum((unsigned char)s[n + len]))
			continue;
		*ret = number * units[i].seconds;
		return n + len;
	}
	return 0;
}

/* The first time in words, as units_duration() writes it; its length is 0 when there is none. */
static const char *find_time(const char *note, size_t *ret_n, double *ret)
{
	for (const char *s = note; *s; s += strcspn(s, " "), s += strspn(s, " ")) {
		double first, second = 0;
		size_t n = time_part(s, &first), more;

		if (!n)
			continue;
		more = s[n] == ' ' ? time_part(s + n + 1, &second) : 0;
		*ret_n = n + (more ? 1 + more : 0);
		*ret = first + second;
		return s;
	}
	*ret_n = 0;
	*ret = 0;
	return note + strlen(note);
}

static int group_new(struct note_groups *g, const char *note, size_t before, const char *after,
		     struct note_group *group)
{
	group->before = strndup(note, before);
	group->after = strdup(after);
	if (group->before && group->after && !vec_push(g, *group))
		return 0;
	free(group->before);
	free(group->after);
	return -ENOMEM;
}

int note_groups_add(struct note_groups *g, const char *note)
{
	double seconds;
	size_t n;
	const char *at = find_time(note, &n, &seconds), *after = at + n;
	size_t before = (size_t)(at - note);
	struct note_group group = { .timed = n, .longest = seconds, .count = 1 };

	vec_foreach(x, g) {
		if (x->timed != group.timed || strlen(x->before) != before ||
		    strncmp(x->before, note, before) || strcmp(x->after, after))
			continue;
		x->differ |= seconds < x->longest || seconds > x->longest;
		x->longest = seconds > x->longest ? seconds : x->longest;
		x->count++;
		return 0;
	}
	return g->n < REPORT_NOTES_MAX ? group_new(g, note, before, after, &group) : 0;
}

static int compare_groups(const void *a, const void *b)
{
	const struct note_group *x = a, *y = b;
	int r;

	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	r = strcmp(x->before, y->before);
	return r ? r : strcmp(x->after, y->after);
}

int note_groups_finish(struct note_groups *g, struct arena *arena, struct report_stack *ret)
{
	ret->notes = arena_alloc(arena, (g->n + 1) * sizeof(*ret->notes));
	if (!ret->notes)
		return -ENOMEM;
	if (g->n)
		qsort(g->items, g->n, sizeof(*g->items), compare_groups);
	vec_foreach(x, g) {
		_cleanup_(strbuf_deinit) struct strbuf b = { 0 };

		strbuf_addf(&b, "%s%s%s%s", x->before, x->differ ? "up to " : "",
			    x->timed ? units_duration(x->longest).s : "", x->after);
		if (b.oom)
			return -ENOMEM;
		ret->notes[ret->n_notes].count = x->count;
		ret->notes[ret->n_notes].text = arena_strdup(arena, b.s);
		if (!ret->notes[ret->n_notes++].text)
			return -ENOMEM;
	}
	return 0;
}

void note_groups_deinit(struct note_groups *g)
{
	vec_foreach(x, g) {
		free(x->before);
		free(x->after);
	}
	vec_free(g);
}
