// SPDX-License-Identifier: Apache-2.0
/*
 * What container runtimes keep of their containers: the first byte says what the rest is. Whatever comes of it has no
 * word that is longer than words may be, and no id with a '/'.
 */
#include <json-c/json.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "container/host.h"
#include "container/names.h"
#include "container/oci.h"

#define ID "3f4c8b1d5e6a7980c1d2e3f405162738495a6b7c8d9eafb0c1d2e3f405162738"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_word(const char *word)
{
	if (word && (!*word || strlen(word) > CONTAINER_WORD_MAX))
		abort();
}

static void check_words(const struct container_words *w)
{
	check_word(w->name);
	check_word(w->pod);
	check_word(w->namespace);
	check_word(w->image);
	check_word(w->runtime);
}

static void state(struct json_object *o, bool runc)
{
	struct oci_state s;

	if (runc ? oci_parse_runc(o, &s) : oci_parse_crun(o, "web", &s))
		return;
	if (!s.id || !*s.id || strchr(s.id, '/') || s.pid <= 0)
		abort();
	vec_foreach(group, &s.groups)
		if (**group != '/')
			abort();
	check_words(&s.words);
	oci_state_deinit(&s);
}

/* A list with one container. */
static void names(const char *text, size_t n, struct json_object *storage)
{
	struct container c = { .id = strdup(ID) };
	struct container_list l = { .items = &c, .n = 1 };

	if (!c.id || container_list_index(&l))
		abort();
	if (storage)
		container_names_of_storage(&l, storage);
	else
		container_names_of_docker(&l, text, n);
	check_words(&c.words);
	container_words_deinit(&c.words);
	free(c.id);
	hashmap_deinit(&l.by_id);
	hashmap_deinit(&l.by_group);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data + 1;
	struct container_words words = { 0 };
	struct json_object *o = NULL;

	if (!size)
		return 0;
	if (*data == 'd') {
		names(text, size - 1, NULL);
		return 0;
	}
	if (host_parse_json(text, size - 1, &o))
		return 0;
	switch (*data) {
	case 'r':
	case 'c':
		state(o, *data == 'r');
		break;
	case 's':
		names(NULL, 0, o);
		break;
	default:
		oci_config(o, &words);
		check_words(&words);
		container_words_deinit(&words);
	}
	json_object_put(o);
	return 0;
}
