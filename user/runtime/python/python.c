// SPDX-License-Identifier: Apache-2.0
#include "runtime/python/python.h"
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include "probe/map.h"

void python_processes_deinit(struct python_processes *all)
{
	vec_free(&all->candidates);
	vec_free(&all->processes);
	strpool_deinit(&all->strings);
}

static struct python_process *python_find(const struct python_processes *all, pid_t pid)
{
	vec_foreach(p, &all->processes)
		if (p->pid == pid)
			return p;
	return NULL;
}

const struct python_process *python_process_of(const struct python_processes *all, pid_t pid)
{
	return python_find(all, pid);
}

/* What is known of a module's file, which is read once. */
static int candidate_get(struct python_processes *all, const struct module *m,
			 const struct python_candidate **ret)
{
	struct python_candidate *c;
	struct elf_image img;
	int r = 0, fd;

	while (all->candidates.n < m->id && !r)
		r = vec_push(&all->candidates, (struct python_candidate){ 0 });
	if (r)
		return r;
	c = &all->candidates.items[m->id - 1];
	fd = c->read ? -1 : module_open(m);
	if (fd >= 0 && !elf_image_open_fd(fd, &img)) {
		r = python_module_read(&img, &c->module);
		c->is_python = !r;
		elf_image_deinit(&img);
	}
	cleanup_close(&fd);
	c->read = true;
	*ret = c;
	return r == -ENOMEM ? r : 0;
}

/* Holds the module against the process, and tells BPF. */
static void process_open(struct python_processes *all, struct python_process *p,
			 const struct python_candidate *c, uint64_t bias)
{
	struct memory memory = memory_of(p->pid);
	uint32_t key = (uint32_t)p->pid;
	struct lt_python row;
	int r = python_open(&c->module, bias, &memory, &p->python);

	p->python.version = c->module.version;
	p->refused = r == -EOPNOTSUPP;
	if (r)
		return;
	row = python_row(&p->python);
	p->known = !map_update(all->map, &key, &row, BPF_ANY);
}

int python_look(struct python_processes *all, pid_t pid)
{
	struct python_process *p = python_find(all, pid);

	for (uint32_t i = 0; i < all->modules->n; i++) {
		const struct module *m = all->modules->items[i];
		const struct python_candidate *c;
		uint64_t bias;
		int r;

		if (p && (p->known || p->refused))
			break;
		if (!unwind_tables_bias(all->tables, pid, m->id, &bias))
			continue;
		r = candidate_get(all, m, &c);
		if (!r && c->is_python && !p)
			r = vec_push(&all->processes, (struct python_process){ .pid = pid });
		if (r)
			return r;
		if (!c->is_python)
			continue;
		p = python_find(all, pid);
		p->module = m->id;
		process_open(all, p, c, bias);
	}
	return 0;
}

void python_forget(struct python_processes *all, pid_t pid)
{
	struct python_process *p = python_find(all, pid);
	uint32_t key = (uint32_t)pid;

	if (!p)
		return;
	map_delete(all->map, &key);
	*p = all->processes.items[--all->processes.n];
}

int python_name(struct python_processes *all, struct stack *s)
{
	const struct python_process *p = python_find(all, (pid_t)s->tgid);

	if (!p || !p->known)
		return 0;
	s->python_module = p->module;
	for (unsigned int i = 0; i < s->n_python; i++) {
		struct python_frame *f = &s->python[i];
		struct symbol symbol;
		int r = f->function ? -ENOENT
				    : python_symbol(&p->python, f->code, f->instr, &all->strings, &symbol);

		if (r == -ENOMEM)
			return r;
		if (r)
			continue;
		f->function = symbol.function;
		f->file = symbol.file;
		f->line = symbol.line;
		f->offset = f->instr - f->code;
	}
	return 0;
}
