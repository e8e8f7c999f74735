/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Asking the kernel for the mapping at an address in the current process, and user space for a file of
 * which nothing is known. Part of mapping.bpf.h.
 */
#pragma once

#define LT_VM_EXEC   4
#define LT_EBUSY     16
#define LT_FILE_DESKS 4

enum bpf_func_id___find_vma { BPF_FUNC_find_vma___find_vma = 180 };

/* -- what the kernel says ----------------------------------------------------------------------- */

static __always_inline u64 lt_mtime_ns(struct inode *inode)
{
	struct inode___67 *later = (void *)inode;
	struct inode___611 *latest = (void *)inode;

	if (bpf_core_field_exists(latest->i_mtime_sec))
		return latest->i_mtime_sec * 1000000000ULL + latest->i_mtime_nsec;
	if (bpf_core_field_exists(later->__i_mtime))
		return later->__i_mtime.tv_sec * 1000000000ULL + later->__i_mtime.tv_nsec;
	return inode->i_mtime.tv_sec * 1000000000ULL + inode->i_mtime.tv_nsec;
}

/* What the kernel hands on, which must lie on the stack. */
struct lt_vma_call {
	struct lt_vma *ret;
};

/* Called by bpf_find_vma() while it keeps the mapping from changing. */
static long lt_vma_read(struct task_struct *task, struct vm_area_struct *vma, struct lt_vma_call *call)
{
	struct lt_vma *ret = call->ret;
	struct file *file = vma->vm_file;
	struct inode *inode;

	ret->seen.start = vma->vm_start;
	ret->seen.end = vma->vm_end;
	ret->seen.offset = vma->vm_pgoff * LT_PAGE_BYTES;
	ret->code = !bpf_core_field_exists(vma->vm_flags) || vma->vm_flags & LT_VM_EXEC;
	if (!file) {
		struct mm_struct *mm = vma->vm_mm;

		if (mm && (u64)mm->context.vdso == vma->vm_start) {
			ret->seen.file.dev = LT_DEV_VDSO;
			ret->seen.offset = 0;
		}
		return 0;
	}
	ret->path.dentry = file->f_path.dentry;
	ret->path.mnt = file->f_path.mnt;
	inode = file->f_inode;
	if (!inode)
		return 0;
	ret->seen.file.inode = inode->i_ino;
	ret->seen.file.size = inode->i_size;
	ret->seen.file.mtime_ns = lt_mtime_ns(inode);
	ret->seen.file.generation = inode->i_generation;
	ret->seen.file.dev = inode->i_sb->s_dev;
	return 0;
}

/* bpf_loop() came with it. */
static __always_inline bool lt_can_ask(void)
{
	return bpf_core_enum_value_exists(enum bpf_func_id___find_vma, BPF_FUNC_find_vma___find_vma) &&
	       ask_kernel;
}

/* The mapping at an address in the current process. 0 when there is code, or LT_NO_CODE (with no end where
 * nothing is mapped at all), or LT_NOT_KNOWN. */
static __always_inline int lt_vma_ask(struct lt_vma *v, u64 at)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct lt_vma_call call = { v };
	long err;

	if (!lt_can_ask())
		return LT_NOT_KNOWN;
	__builtin_memset(v, 0, sizeof(*v));
	err = bpf_find_vma(task, at, lt_vma_read, &call, 0);
	if (err)
		return err == -LT_EBUSY ? LT_NOT_KNOWN : LT_NO_CODE;
	return v->code ? 0 : LT_NO_CODE;
}

__weak __noinline int lt_vma_find(struct lt_vma *v, u64 at)
{
	return v ? lt_vma_ask(v, at) : LT_NOT_KNOWN;
}

static __always_inline bool lt_is_no_code(const struct lt_no_code *n, u64 at)
{
	return at - n->stack < n->stack_size || at - n->start < n->size;
}

/* `seen` is 0 where nothing is mapped at all. */
static __always_inline void lt_no_code_take(struct lt_no_code *n, const struct lt_seen_mapping *seen)
{
	n->start = seen->start;
	n->size = seen->end - seen->start;
}

/* Begins with the stack's own mapping. */
static __always_inline void lt_no_code_begin(struct lt_no_code *n, struct lt_vma *v, u64 sp)
{
	n->start = n->size = n->stack_size = 0;
	if (lt_vma_find(v, sp) != LT_NO_CODE)
		return;
	n->stack = v->seen.start;
	n->stack_size = v->seen.end - v->seen.start;
}

/* -- what user space is asked -------------------------------------------------------------------- */

struct lt_file_desk {
	u32 taken;
	struct lt_path at, root; /* how far the path has been followed, and to where */
	struct lt_file asked;
	struct lt_event_file event;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LT_FILE_DESKS);
	__type(key, u32);
	__type(value, struct lt_file_desk);
} file_desks __weak SEC(".maps");

/* Adds a part of the path, and goes up. Returns 1 where the root is reached. */
__weak __noinline int lt_path_part(struct lt_file_desk *d)
{
	struct dentry *dentry, *parent;
	struct vfsmount *mnt;
	u32 at;
	long n;

	if (!d)
		return 1;
	dentry = d->at.dentry;
	mnt = d->at.mnt;
	at = d->event.n_bytes;
	parent = BPF_CORE_READ(dentry, d_parent);
	if (dentry == d->root.dentry && mnt == d->root.mnt)
		return 1;
	if (dentry == BPF_CORE_READ(mnt, mnt_root)) {
		struct mount *m = (void *)mnt - bpf_core_field_offset(struct mount, mnt);
		struct mount *up = BPF_CORE_READ(m, mnt_parent);

		d->at.dentry = BPF_CORE_READ(m, mnt_mountpoint);
		d->at.mnt = (void *)up + bpf_core_field_offset(struct mount, mnt);
		return up == m;
	}
	if (dentry == parent || !parent || at >= LT_PATH_BYTES)
		return 1;
	barrier_var(at); /* or clang drops what tells the verifier of its bounds */
	n = bpf_probe_read_kernel_str(&d->event.path[at & (LT_PATH_BYTES - 1)], LT_NAME_BYTES,
				      BPF_CORE_READ(dentry, d_name.name));
	if (n <= 0)
		return 1;
	d->event.n_bytes = at + n;
	d->event.n_parts++;
	d->at.dentry = parent;
	return 0;
}

static __always_inline struct lt_file_desk *lt_file_desk_take(void)
{
	for (u32 i = 0; i < LT_FILE_DESKS; i++) {
		u32 key = i;
		struct lt_file_desk *d = bpf_map_lookup_elem(&file_desks, &key);

		if (d && !__sync_lock_test_and_set(&d->taken, 1))
			return d;
	}
	return 0;
}

/* Tells user space of the file, which is now at this desk. */
static __always_inline long lt_send_file(struct lt_file_desk *d, u32 tgid, const struct lt_vma *v)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	u32 n;

	d->event.head.type = LT_EVENT_FILE;
	d->event.head.tgid = tgid;
	d->event.at = v->seen;
	d->event.n_parts = d->event.n_bytes = 0;
	d->at = v->path;
	d->root.dentry = BPF_CORE_READ(task, fs, root.dentry);
	d->root.mnt = BPF_CORE_READ(task, fs, root.mnt);
	for (int i = 0; i < LT_PATH_PARTS; i++)
		if (lt_path_part(d))
			break;
	n = d->event.n_bytes;
	if (n > sizeof(d->event.path))
		n = sizeof(d->event.path);
	return bpf_ringbuf_output(&events, &d->event, __builtin_offsetof(struct lt_event_file, path) + n,
				  BPF_RB_FORCE_WAKEUP);
}

/* Asks user space for the file of the kernel's latest answer, once. */
__weak __noinline int lt_ask_file(struct lt_walk *w)
{
	struct lt_file_desk *d = w ? lt_file_desk_take() : 0;
	struct lt_file_key key;

	if (!w || !d)
		return 0;
	key = w->vma.seen.file;
	d->asked.state = LT_FILE_ASKED;
	if (!bpf_map_update_elem(&files, &key, &d->asked, BPF_NOEXIST) && lt_send_file(d, w->tgid, &w->vma))
		bpf_map_delete_elem(&files, &key);
	__sync_lock_test_and_set(&d->taken, 0);
	return 0;
}

/* -- both ------------------------------------------------------------------------------------------ */

/* The same place in the same file is the same number. */
static __always_inline u64 lt_stranger_id(const struct lt_seen_mapping *seen, u64 pc)
{
	const struct lt_file_key *k = &seen->file;
	u64 h = lt_hash_frame(k->inode, (u64)k->dev << 32 | k->generation);

	h = lt_hash_frame(lt_hash_frame(h, k->size), k->mtime_ns);
	return lt_hash_frame(h, pc - seen->start + seen->offset);
}

static __always_inline bool lt_is_file(const struct lt_file_key *k)
{
	return k->inode || k->dev;
}

/* Asks the kernel for the mapping of `pc`, for lt_find_mapping(). */
static __always_inline int lt_ask_mapping(struct lt_walk *w, u64 pc)
{
	struct lt_mapping m = { 0 };
	struct lt_file_key key;
	struct lt_file *f;
	int r;

	r = lt_vma_ask(&w->vma, pc);
	if (r == LT_NO_CODE)
		lt_no_code_take(&w->no_code, &w->vma.seen);
	if (r)
		return r;
	key = w->vma.seen.file;
	m.start = w->vma.seen.start;
	m.end = w->vma.seen.end;
	if (lt_is_file(&key)) {
		f = bpf_map_lookup_elem(&files, &key);
		w->asks = !f;
		if (!f || lt_file_mapping(f, &w->vma.seen, &m)) {
			w->stranger = lt_stranger_id(&w->vma.seen, pc);
			return LT_STRANGER;
		}
	}
	lt_take_mapping(w, &m);
	return 0;
}
