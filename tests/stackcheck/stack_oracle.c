// SPDX-License-Identifier: Apache-2.0
/*
 * usage: stack_oracle OBJECT PID SECONDS EVERY
 *
 * Compares the stacks that the BPF unwinder takes in a running process, at the return of one in
 * EVERY calls of malloc, calloc and realloc, with what libdwfl makes of copies of the same stacks.
 * Prints every kind of difference and a last line "samples N equal N ..."; exit status 1 when a
 * frame differs.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <elfutils/libdwfl.h>
#include <errno.h>
#include <inttypes.h>
#include <leaktrace/counters.h>
#include <string.h>
#include <time.h>
#include "probe/unwind_tables.h"
#include "sample.h"

#define FRAMES_MAX 1024
#define SHOWN_MAX  5
#define AGAIN_NS    1000000000ULL /* mappings are read again */
#define ENOUGH	    300		  /* samples: until then it goes on when its time is over, ... */
#define ONE_MORE_NS 1000000000ULL
#define PATIENCE_NS 60000000000ULL /* ... for so long at most */

/* What became of a sample. */
enum verdict {
	EQUAL,	     /* frame by frame, to the outermost */
	EQUAL_ENDED, /* frame by frame, and neither goes on although it is not the outermost */
	TOO_DEEP,    /* ... up to the most frames that are recorded */
	LATE,	     /* ... up to code that was mapped since the mappings were read */
	DWFL_CUT,    /* libdwfl ends where the copy does */
	DWFL_SHORT,  /* libdwfl ends for another reason, the walk goes on */
	WALK_SHORT,  /* the walk ends, libdwfl goes on */
	DIFFERENT,
	VERDICT_MAX
};

static const char *const verdict_names[VERDICT_MAX] = {
	"equal", "equal-ended", "too-deep", "late", "copy-cut", "dwfl-short", "walk-short", "different",
};

static const char *const allocators[] = { "malloc", "calloc", "realloc" };

struct reference {
	uint64_t pc[FRAMES_MAX];
	bool interrupted[FRAMES_MAX];
	int n;
	bool cut; /* the copy was too short */
};

struct oracle {
	pid_t pid;
	struct bpf_object *object;
	struct bpf_link *links[ARRAY_SIZE(allocators)];
	struct module_table modules;
	struct unwind_tables tables;
	struct lt_process process; /* its mappings, as the walk knows them */
	Dwfl *dwfl;
	const struct sample *sample;
	struct reference reference;
	uint64_t counts[VERDICT_MAX], stops[LT_STOP_MAX], samples, frames, deepest, fp;
	uint64_t recalled, misremembered;
	uint64_t shown[VERDICT_MAX];
	bool again; /* the mappings are to be read at once */
	uint64_t pause; /* when to leave the samples be */
};

static void die(const char *what)
{
	fprintf(stderr, "stack_oracle: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* -- libdwfl on a copy ------------------------------------------------------------------------------- */

static bool copy_read(Dwfl *dwfl, Dwarf_Addr at, Dwarf_Word *ret, void *arg)
{
	struct oracle *o = arg;
	const struct sample *s = o->sample;

	if (at < s->base)
		return false;
	if (at + sizeof(*ret) > s->base + s->pages * SAMPLE_PAGE) {
		o->reference.cut = true;
		return false;
	}
	memcpy(ret, s->stack + (at - s->base), sizeof(*ret));
	return true;
}

static pid_t copy_thread(Dwfl *dwfl, void *arg, void **thread)
{
	struct oracle *o = arg;

	if (*thread)
		return 0;
	*thread = o;
	return (pid_t)o->sample->tid;
}

static bool copy_registers(Dwfl_Thread *thread, void *arg)
{
	const struct oracle *o = arg;

	return dwfl_thread_state_registers(thread, 0, SAMPLE_REGS, (const Dwarf_Word *)o->sample->regs);
}

static int copy_frame(Dwfl_Frame *frame, void *arg)
{
	struct reference *ref = arg;
	bool activation;
	Dwarf_Addr pc;

	if (!dwfl_frame_pc(frame, &pc, &activation) || ref->n == FRAMES_MAX || !pc)
		return DWARF_CB_ABORT;
	ref->interrupted[ref->n] = ref->n > 0 && activation;
	ref->pc[ref->n++] = pc;
	return DWARF_CB_OK;
}

static int no_debuginfo(Dwfl_Module *m, void **data, const char *name, Dwarf_Addr base,
			const char *file, const char *link, GElf_Word crc, char **ret)
{
	return -1;
}

static void dwfl_update(struct oracle *o)
{
	uint32_t key = (uint32_t)o->pid;

	if (bpf_map_lookup_elem(o->tables.maps.processes, &key, &o->process) ||
	    (o->process.n_mappings > LT_FEW_MAPPINGS &&
	     bpf_map_lookup_elem(o->tables.maps.large_processes, &key, &o->process)))
		die("no mappings");
	dwfl_report_begin(o->dwfl);
	if (dwfl_linux_proc_report(o->dwfl, o->pid) || dwfl_report_end(o->dwfl, NULL, NULL))
		fprintf(stderr, "stack_oracle: %s\n", dwfl_errmsg(-1));
}

static void dwfl_start(struct oracle *o)
{
	static const Dwfl_Callbacks files = { .find_elf = dwfl_linux_proc_find_elf,
					      .find_debuginfo = no_debuginfo };
	static const Dwfl_Thread_Callbacks threads = { .next_thread = copy_thread,
						       .memory_read = copy_read,
						       .set_initial_registers = copy_registers };

	o->dwfl = dwfl_begin(&files);
	if (!o->dwfl)
		die("libdwfl");
	dwfl_update(o);
	if (!dwfl_attach_state(o->dwfl, NULL, o->pid, &threads, o)) {
		fprintf(stderr, "stack_oracle: %s\n", dwfl_errmsg(-1));
		exit(2);
	}
}

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

/* -- comparing --------------------------------------------------------------------------------------- */

/* libdwfl's frame `i` as the walk would record it. */
static uint64_t reference_frame(const struct oracle *o, int i)
{
	uint64_t pc = o->reference.pc[i], at = pc - (i > 0 && !o->reference.interrupted[i]);

	pc += o->reference.interrupted[i];
	for (uint32_t k = 0; k < o->process.n_mappings; k++) {
		const struct lt_mapping *m = &o->process.mappings[k];

		if (at >= m->start && at < m->end && m->module)
			return LT_FRAME(m->module, pc - m->bias);
	}
	return pc;
}

static const char *where(const struct oracle *o, uint64_t pc)
{
	Dwfl_Module *m = dwfl_addrmodule(o->dwfl, pc);
	const char *name = m ? dwfl_module_info(m, NULL, NULL, NULL, NULL, NULL, NULL, NULL) : NULL;
	const char *base = name ? strrchr(name, '/') : NULL;

	return base ? base + 1 : name ? name : "?";
}

static const char *function(const struct oracle *o, uint64_t pc)
{
	Dwfl_Module *m = dwfl_addrmodule(o->dwfl, pc);
	const char *name = m ? dwfl_module_addrname(m, pc - 1) : NULL;

	return name ? name : "?";
}

static void show(struct oracle *o, enum verdict v, int same)
{
	const struct reference *ref = &o->reference;
	int n = (int)o->sample->n;

	if (v == EQUAL || v == TOO_DEEP || v == LATE || o->shown[v]++ >= SHOWN_MAX)
		return;
	printf("%s: %d frames, libdwfl %d, stop %u, %d the same\n", verdict_names[v], n, ref->n,
	       o->sample->stop, same);
	for (int i = same > 2 ? same - 2 : 0; i < same + 2; i++) {
		uint64_t have = i < n ? o->sample->frames[i] : 0, pc = i < ref->n ? ref->pc[i] : 0;

		printf("  [%d] %#" PRIx64 "; libdwfl %#" PRIx64 ", that is %#" PRIx64 " in %s of %s\n",
		       i, have, i < ref->n ? reference_frame(o, i) : 0, pc, function(o, pc),
		       where(o, pc));
	}
}

static enum verdict judge(const struct oracle *o, int same)
{
	const struct reference *ref = &o->reference;
	const struct sample *s = o->sample;
	int n = (int)s->n;

	if (same < n && same < ref->n)
		return DIFFERENT;
	if (same == n && s->stop == LT_STOP_TOO_DEEP)
		return TOO_DEEP;
	if (same == n && s->late)
		return LATE;
	if (n == ref->n)
		return s->stop == LT_STOP_NONE ? EQUAL : EQUAL_ENDED;
	if (same == n)
		return WALK_SHORT;
	return ref->cut ? DWFL_CUT : DWFL_SHORT;
}

static int on_sample(void *ctx, void *data, size_t size)
{
	struct oracle *o = ctx;
	struct reference *ref = &o->reference;
	enum verdict v;
	int same = 0;

	o->sample = data;
	ref->n = 0;
	ref->cut = false;
	memset(ref->interrupted, 0, sizeof(ref->interrupted));
	dwfl_getthread_frames(o->dwfl, (pid_t)o->sample->tid, copy_frame, ref);
	while (same < ref->n && same < (int)o->sample->n &&
	       o->sample->frames[same] == reference_frame(o, same))
		same++;
	v = judge(o, same);
	show(o, v, same);
	o->counts[v]++;
	o->again |= v == LATE;
	o->stops[o->sample->stop]++;
	o->samples++;
	o->frames += o->sample->n;
	o->fp += o->sample->fp_frames > 0;
	o->recalled += o->sample->recalled;
	o->misremembered += o->sample->misremembered;
	if (o->sample->n > o->deepest)
		o->deepest = o->sample->n;
	return now() < o->pause ? 0 : -EINTR;
}

/* -- the process --------------------------------------------------------------------------------------- */

static int map_fd(const struct oracle *o, const char *name)
{
	return bpf_object__find_map_fd_by_name(o->object, name);
}

static void object_start(struct oracle *o, const char *path, uint32_t every)
{
	static const char *const unused[] = { "outstanding", "spilled", "stacks", "counters" };
	struct bpf_map *map;
	static uint32_t begun;
	struct table_maps maps;

	o->object = bpf_object__open_file(path, NULL);
	if (!o->object)
		die(path);
	for (size_t i = 0; i < ARRAY_SIZE(unused); i++) {
		map = bpf_object__find_map_by_name(o->object, unused[i]);
		if (map)
			bpf_map__set_autocreate(map, false);
	}
	bpf_object__for_each_map(map, o->object)
		if (strstr(bpf_map__name(map), ".rodata"))
			bpf_map__set_initial_value(map, &every, sizeof(every));
	if (bpf_object__load(o->object))
		die("the BPF program cannot be loaded");
	maps = (struct table_maps){
		.max_chunks = LT_MAX_CHUNKS,
		.chunks = map_fd(o, "chunks"),
		.pages = map_fd(o, "pages"),
		.rules = map_fd(o, "rules"),
		.processes = map_fd(o, "processes"),
		.large_processes = map_fd(o, "large_processes"),
		.traced = map_fd(o, "traced"),
		.begun = &begun,
	};
	module_table_init(&o->modules);
	if (unwind_tables_init(&o->tables, &maps, &o->modules))
		die("no tables");
}

/* Return probes on the allocator of the process's libc. */
static void object_attach(struct oracle *o)
{
	_cleanup_(maps_deinit) struct map_vec maps = { 0 };
	const struct bpf_program *program = bpf_object__next_program(o->object, NULL);
	char path[4200] = "";

	if (maps_read(o->pid, &maps))
		die("no such process");
	vec_foreach(m, &maps)
		if (m->exec && strstr(m->path, "/libc.so"))
			snprintf(path, sizeof(path), "/proc/%d/root%s", (int)o->pid, m->path);
	for (size_t i = 0; i < ARRAY_SIZE(allocators); i++) {
		LIBBPF_OPTS(bpf_uprobe_opts, opts, .retprobe = true, .func_name = allocators[i]);

		o->links[i] = bpf_program__attach_uprobe_opts(program, o->pid, path, 0, &opts);
		if (!o->links[i])
			die("no probe");
	}
}

/* A program that fills the ring as fast as it is read would keep a poll from ever returning. */
static void run(struct oracle *o, double seconds)
{
	struct ring_buffer *ring = ring_buffer__new(map_fd(o, "samples"), on_sample, o, NULL);
	uint64_t end = now() + (uint64_t)(seconds * 1e9), again = now() + AGAIN_NS;
	const uint64_t patience = end + PATIENCE_NS;
	int err = 0;

	if (!ring)
		die("no ring buffer");
	while (now() < end && (err >= 0 || err == -EINTR)) {
		o->pause = again < end ? again : end;
		err = ring_buffer__poll(ring, 50);
		if (now() >= end && o->samples < ENOUGH && end < patience)
			end += ONE_MORE_NS;
		if (now() < again && !o->again)
			continue;
		if (unwind_tables_update(&o->tables, o->pid, NULL))
			break;
		dwfl_update(o);
		again = now() + AGAIN_NS;
		o->again = false;
	}
	ring_buffer__free(ring);
}

static void oracle_free(struct oracle *o)
{
	for (size_t i = 0; i < ARRAY_SIZE(allocators); i++)
		bpf_link__destroy(o->links[i]);
	dwfl_end(o->dwfl);
	unwind_tables_deinit(&o->tables);
	module_table_deinit(&o->modules);
	bpf_object__close(o->object);
	free(o);
}

static void print(const struct oracle *o)
{
	printf("samples %" PRIu64, o->samples);
	for (int v = 0; v < VERDICT_MAX; v++)
		printf(" %s %" PRIu64, verdict_names[v], o->counts[v]);
	printf(" frames %.1f deepest %" PRIu64 " by-frame-pointer %" PRIu64,
	       o->samples ? (double)o->frames / (double)o->samples : 0, o->deepest, o->fp);
#define X(name, json, text) printf(" stop-" json " %" PRIu64, o->stops[LT_STOP_##name]);
	LT_STOPS(X)
#undef X
	printf(" recalled %" PRIu64 " misremembered %" PRIu64 "\n", o->recalled, o->misremembered);
}

int main(int argc, char **argv)
{
	struct oracle *o = calloc(1, sizeof(*o));
	bool ok;

	if (argc != 5 || !o) {
		fprintf(stderr, "usage: stack_oracle OBJECT PID SECONDS EVERY\n");
		return 2;
	}
	o->pid = atoi(argv[2]);
	object_start(o, argv[1], (uint32_t)strtoul(argv[4], NULL, 10));
	if (unwind_tables_update(&o->tables, o->pid, NULL) || unwind_tables_begin(&o->tables, o->pid))
		die("no such process");
	dwfl_start(o);
	object_attach(o);
	run(o, atof(argv[3]));
	print(o);
	ok = !o->counts[DIFFERENT];
	oracle_free(o);
	return ok ? 0 : 1;
}
