/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where to probe Go functions. Never a return probe: Go walks its own stacks, and ends the program when
 * it meets the address of one. And not at a function's first instruction: a goroutine whose stack is
 * too small for the function comes by twice, and the instruction is single-stepped. Behind it there is
 * one that the kernel emulates, where the arguments still are in their registers (rax, rbx, rcx, rdi,
 * rsi, r8, r9, r10, r11; goroutine: r14) and rsp points to the return address.
 *
 *	program in bpf/	LT_UPROBE(go_something) { if (lt_go_skip(ctx, &cookie)) return 0; ... }
 *	plan		go_sites_plan() with a row for each function
 *	attach		go_sites_attach() with the object's program
 */
#pragma once
#include "base/err.h"
#include "elf/gopclntab.h"
#include "probe/plan.h"

/* A function to probe. */
struct go_probe {
	const char *function; /* as Go's table has it: "runtime.(*mcache).refill" */
	/* NULL: where the function begins. Else where its first call of this one has returned, and the
	 * result still is in rax; or, `at_call`, at this call, with the arguments in their registers. Then
	 * the stack is that of the middle of the function. */
	const char *callee;
	uint8_t id;    /* lt_cookie.via, for the program to tell its sites apart */
	bool optional; /* a program need not have it */
	bool at_call;
};

/*
 * Adds the sites of the functions, of which there are `n`, in the program that the image and its table
 * are of; no two with the same offset. 0; -ENOENT: a function that is not optional, or its site, is not
 * there, and `e` says which; or -ENOMEM.
 */
int go_sites_plan(const struct elf_image *img, const struct gopclntab *table, const struct go_probe *probes,
		  size_t n, struct plan_points *ret, struct err *e);

/* Attaches the program to the points, in the file `fd` as the process has mapped it. 0 or a negative errno. */
int go_sites_attach(const struct attach_kind *kind, struct bpf_program *program, pid_t pid, int fd,
		    const struct plan_points *points, struct attachments *ret);

/* -- for tests -------------------------------------------------------------------------------- */

/* The site in a function of these bytes; *ret_checking: see lt_cookie. */
struct probe_site go_site_choose(const uint8_t *code, size_t size, bool *ret_checking);
