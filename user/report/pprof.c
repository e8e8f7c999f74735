// SPDX-License-Identifier: Apache-2.0
#include "report/pprof.h"
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include "base/gzip.h"
#include "base/hashmap.h"
#include "base/proto.h"
#include "base/vec.h"

/* Fields of its messages. */
enum {
	PROFILE_SAMPLE_TYPE = 1,
	PROFILE_SAMPLE,
	PROFILE_MAPPING,
	PROFILE_LOCATION,
	PROFILE_FUNCTION,
	PROFILE_STRING,
	PROFILE_TIME = 9,
	PROFILE_DURATION,
	PROFILE_PERIOD_TYPE,
	PROFILE_PERIOD,
	PROFILE_COMMENT
};
enum { TYPE_TYPE = 1, TYPE_UNIT };
enum { SAMPLE_LOCATION = 1, SAMPLE_VALUE, SAMPLE_LABEL };
enum { LABEL_KEY = 1, LABEL_STRING, LABEL_NUMBER, LABEL_UNIT };
enum {
	MAPPING_ID = 1,
	MAPPING_START,
	MAPPING_LIMIT,
	MAPPING_OFFSET,
	MAPPING_FILE,
	MAPPING_BUILD_ID,
	MAPPING_HAS_FUNCTIONS
};
enum { LOCATION_ID = 1, LOCATION_MAPPING, LOCATION_ADDRESS, LOCATION_LINE };
enum { LINE_FUNCTION = 1, LINE_LINE };
enum { FUNCTION_ID = 1, FUNCTION_NAME, FUNCTION_SYSTEM_NAME, FUNCTION_FILE };

struct text {
	uint64_t next; /* index + 1 of the next with the same hash */
	size_t at, n;  /* in `strings` */
};

struct pprof {
	struct strbuf message; /* all but the strings */
	struct strbuf strings; /* their bytes, one behind the other */
	struct {
		VEC_OF(struct text);
	} texts;
	struct hashmap by_text, by_address, by_function;
	size_t n_types;
	uint64_t n_mappings, n_locations, n_functions;
	bool oom;
};

static uint64_t hash_text(const char *s, size_t n)
{
	uint64_t h = 0xcbf29ce484222325ULL; /* FNV-1a */

	for (size_t i = 0; i < n; i++)
		h = (h ^ (uint8_t)s[i]) * 0x100000001b3ULL;
	return h;
}

/* The index of a string in the profile's table. */
static uint64_t text(struct pprof *p, const char *s)
{
	const size_t n = s ? strlen(s) : 0;
	const uint64_t hash = hash_text(s ? s : "", n);
	const uint64_t *known = hashmap_get(&p->by_text, hash);
	struct text t = { .next = known ? *known : 0, .at = p->strings.n, .n = n };

	for (uint64_t i = t.next; i; i = p->texts.items[i - 1].next)
		if (p->texts.items[i - 1].n == n &&
		    !memcmp(p->strings.s + p->texts.items[i - 1].at, s ? s : "", n))
			return i - 1;
	strbuf_add(&p->strings, s ? s : "", n);
	if (p->strings.oom || vec_push(&p->texts, t) ||
	    hashmap_put(&p->by_text, hash, p->texts.n)) {
		p->oom = true;
		return 0;
	}
	return p->texts.n - 1;
}

static void add_message(struct pprof *p, unsigned int field, struct strbuf *message)
{
	p->oom |= message->oom;
	if (!message->oom)
		proto_bytes(&p->message, field, message->s, message->n);
	strbuf_deinit(message);
}

static void add_type(struct pprof *p, unsigned int field, struct pprof_type t)
{
	struct strbuf b = { 0 };

	proto_uint(&b, TYPE_TYPE, text(p, t.type));
	proto_uint(&b, TYPE_UNIT, text(p, t.unit));
	add_message(p, field, &b);
}

int pprof_create(const struct pprof_options *o, struct pprof **ret)
{
	struct pprof *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	text(p, ""); /* the first string has to be empty */
	p->n_types = o->n_types;
	for (size_t i = 0; i < o->n_types; i++)
		add_type(p, PROFILE_SAMPLE_TYPE, o->types[i]);
	proto_uint(&p->message, PROFILE_TIME, o->time_ns);
	proto_uint(&p->message, PROFILE_DURATION, o->duration_ns);
	add_type(p, PROFILE_PERIOD_TYPE, o->period_type);
	proto_uint(&p->message, PROFILE_PERIOD, o->period);
	if (o->comment)
		proto_uint(&p->message, PROFILE_COMMENT, text(p, o->comment));
	*ret = p;
	return 0;
}

void pprof_destroy(struct pprof *p)
{
	if (!p)
		return;
	strbuf_deinit(&p->message);
	strbuf_deinit(&p->strings);
	vec_free(&p->texts);
	hashmap_deinit(&p->by_text);
	hashmap_deinit(&p->by_address);
	hashmap_deinit(&p->by_function);
	free(p);
}

uint64_t pprof_add_mapping(struct pprof *p, const struct pprof_mapping *m)
{
	struct strbuf b = { 0 };

	proto_uint(&b, MAPPING_ID, ++p->n_mappings);
	proto_uint(&b, MAPPING_START, m->start);
	proto_uint(&b, MAPPING_LIMIT, m->limit);
	proto_uint(&b, MAPPING_OFFSET, m->offset);
	proto_uint(&b, MAPPING_FILE, text(p, m->file));
	proto_uint(&b, MAPPING_BUILD_ID, text(p, m->build_id));
	proto_uint(&b, MAPPING_HAS_FUNCTIONS, 1);
	add_message(p, PROFILE_MAPPING, &b);
	return p->n_mappings;
}

static uint64_t function(struct pprof *p, const struct pprof_line *line)
{
	const uint64_t name = text(p, line->function), file = text(p, line->file);
	const uint64_t key = name << 32 | file;
	const uint64_t *known = hashmap_get(&p->by_function, key);
	struct strbuf b = { 0 };

	if (known)
		return *known;
	proto_uint(&b, FUNCTION_ID, ++p->n_functions);
	proto_uint(&b, FUNCTION_NAME, name);
	proto_uint(&b, FUNCTION_SYSTEM_NAME, name);
	proto_uint(&b, FUNCTION_FILE, file);
	add_message(p, PROFILE_FUNCTION, &b);
	p->oom |= hashmap_put(&p->by_function, key, p->n_functions) != 0;
	return p->n_functions;
}

uint64_t pprof_add_location(struct pprof *p, uint64_t mapping, uint64_t address,
			    const struct pprof_line *lines, size_t n_lines)
{
	const uint64_t *known = hashmap_get(&p->by_address, address);
	struct strbuf b = { 0 };

	if (known)
		return *known;
	proto_uint(&b, LOCATION_ID, ++p->n_locations);
	proto_uint(&b, LOCATION_MAPPING, mapping);
	proto_uint(&b, LOCATION_ADDRESS, address);
	for (size_t i = 0; i < n_lines; i++) {
		_cleanup_(strbuf_deinit) struct strbuf line = { 0 };

		proto_uint(&line, LINE_FUNCTION, function(p, &lines[i]));
		proto_uint(&line, LINE_LINE, lines[i].line);
		p->oom |= line.oom;
		if (!line.oom)
			proto_bytes(&b, LOCATION_LINE, line.s, line.n);
	}
	add_message(p, PROFILE_LOCATION, &b);
	p->oom |= hashmap_put(&p->by_address, address, p->n_locations) != 0;
	return p->n_locations;
}

static void add_label(struct pprof *p, const struct pprof_label *l, struct strbuf *sample)
{
	_cleanup_(strbuf_deinit) struct strbuf b = { 0 };

	proto_uint(&b, LABEL_KEY, text(p, l->key));
	if (l->text)
		proto_uint(&b, LABEL_STRING, text(p, l->text));
	else
		proto_uint(&b, LABEL_NUMBER, (uint64_t)l->number);
	if (l->unit)
		proto_uint(&b, LABEL_UNIT, text(p, l->unit));
	sample->oom |= b.oom;
	if (!b.oom)
		proto_bytes(sample, SAMPLE_LABEL, b.s, b.n);
}

void pprof_add_sample(struct pprof *p, const struct pprof_sample *s)
{
	struct strbuf b = { 0 };

	proto_packed(&b, SAMPLE_LOCATION, s->locations, s->n_locations);
	proto_packed(&b, SAMPLE_VALUE, (const uint64_t *)s->values, p->n_types);
	for (size_t i = 0; i < s->n_labels; i++)
		add_label(p, &s->labels[i], &b);
	add_message(p, PROFILE_SAMPLE, &b);
}

int pprof_write(struct pprof *p, FILE *out)
{
	vec_foreach(t, &p->texts)
		proto_bytes(&p->message, PROFILE_STRING, p->strings.s + t->at, t->n);
	p->texts.n = 0; /* it is written once */
	if (p->oom || p->message.oom || p->strings.oom)
		return -ENOMEM;
	return gzip_write(out, p->message.s, p->message.n);
}
