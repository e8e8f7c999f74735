// SPDX-License-Identifier: Apache-2.0
/* As runtime/pprof writes the profile "goroutine": how many there are of each stack and labels,
 * those of the runtime itself left out. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include "app/goroutines.h"
#include "proc/maps.h"
#include "report/pprof.h"

#define LINES_MAX 64

struct profile {
	struct goroutines *g;
	struct pprof *p;
	uint64_t mapping;
	struct {
		VEC_OF(uint64_t);
	} locations;
};

/* The program's code, as it is mapped. */
static int add_mapping(struct profile *f)
{
	const struct go_runtime *rt = f->g->rt;
	struct map_vec maps = { 0 };
	char id[2 * ELF_BUILD_ID_MAX + 1] = "";
	int r = maps_read(f->g->pid, &maps);

	if (r == -ENOMEM)
		return r;
	for (unsigned int i = 0; i < rt->image.build_id_len; i++)
		snprintf(id + 2 * i, 3, "%02x", rt->image.build_id[i]);
	vec_foreach(m, &maps) {
		struct pprof_mapping mapping = { m->start, m->end, m->offset, m->path, id };

		if (m->exec && m->start <= rt->at.text && rt->at.text < m->end)
			f->mapping = pprof_add_mapping(f->p, &mapping);
	}
	maps_deinit(&maps);
	return 0;
}

/* The address, with what is inlined there; wrappers are left out. Names have their types: pprof
 * itself shortens them as it likes. */
static int add_location(struct profile *f, const struct go_frame *first, const struct go_frame *end)
{
	const struct go_runtime *rt = f->g->rt;
	struct pprof_line lines[LINES_MAX];
	size_t n = 0;

	for (const struct go_frame *frame = first; frame < end && n < LINES_MAX; frame++) {
		const struct go_place *p = frame->place;

		if (strcmp(p->name, "runtime.goexit") &&
		    (frame->shown || p->id != rt->layout->wrapper))
			lines[n++] = (struct pprof_line){ p->name, p->file, p->line };
	}
	if (!n)
		return 0;
	return vec_push(&f->locations, pprof_add_location(f->p, f->mapping,
							  first->at->vaddr + rt->bias, lines, n));
}

static int add_locations(struct profile *f, const struct goroutine *item)
{
	struct go_trace *t = &f->g->trace;
	int r = go_trace_of(&f->g->symbols, &f->g->list, item, t);

	f->locations.n = 0;
	for (size_t i = 0, end; i < t->n && !r; i = end) {
		for (end = i; end < t->n && t->items[end].pc == t->items[i].pc; end++)
			;
		r = add_location(f, t->items + i, t->items + end);
	}
	return r;
}

static int add_sample(struct profile *f, const struct goroutine *item, int64_t count)
{
	const struct goroutine_list *l = &f->g->list;
	struct pprof_label labels[256];
	int r = add_locations(f, item);

	if (r)
		return r;
	for (size_t i = 0; i < item->n_labels; i++)
		labels[i] = (struct pprof_label){ .key = l->labels.items[item->labels + i].key,
						  .text = l->labels.items[item->labels + i].value };
	pprof_add_sample(f->p, &(struct pprof_sample){ .locations = f->locations.items,
						       .n_locations = f->locations.n,
						       .values = &count,
						       .labels = labels,
						       .n_labels = item->n_labels });
	return 0;
}

/* By labels and stack, so that equal ones are neighbours. */
static int compare(const void *a, const void *b, void *list)
{
	const struct goroutine *x = *(struct goroutine *const *)a,
			       *y = *(struct goroutine *const *)b;
	const struct goroutine_list *l = list;

	if (x->labels != y->labels || x->n_labels != y->n_labels)
		return x->labels != y->labels ? (x->labels < y->labels ? -1 : 1)
					      : (x->n_labels < y->n_labels ? -1 : 1);
	if (x->n_pcs != y->n_pcs)
		return x->n_pcs < y->n_pcs ? -1 : 1;
	return x->n_pcs ? memcmp(l->pcs.items + x->pcs, l->pcs.items + y->pcs,
				 x->n_pcs * sizeof(uint64_t))
			: 0;
}

static int add_samples(struct profile *f)
{
	struct goroutine_list *l = &f->g->list;
	_cleanup_free_ const struct goroutine **all = calloc(l->n + 1, sizeof(*all));
	size_t n = 0;
	int r = 0;

	if (!all)
		return -ENOMEM;
	vec_foreach(item, l)
		if (!item->system && goroutines_shows(f->g, item))
			all[n++] = item;
	qsort_r(all, n, sizeof(*all), compare, l);
	for (size_t i = 0, end; i < n && !r; i = end) {
		for (end = i + 1; end < n && !compare(&all[i], &all[end], l); end++)
			;
		r = add_sample(f, all[i], (int64_t)(end - i));
	}
	return r;
}

int goroutines_pprof(struct goroutines *g, FILE *out)
{
	static const struct pprof_type type = { "goroutine", "count" };
	const struct pprof_options o = {
		.types = &type,
		.n_types = 1,
		.period_type = type,
		.period = 1,
		.time_ns = g->time_ns,
	};
	struct profile f = { .g = g };
	int r = pprof_create(&o, &f.p);

	if (!r)
		r = add_mapping(&f);
	if (!r)
		r = add_samples(&f);
	if (!r)
		r = pprof_write(f.p, out);
	pprof_destroy(f.p);
	vec_free(&f.locations);
	return r;
}
