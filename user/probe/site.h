/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where to put a probe on a function. A uprobe on an instruction that the kernel emulates costs one
 * trap; any other is single-stepped and costs two, about ten times as much inside a virtual machine.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct probe_site {
	uint32_t offset; /* from the function's first byte */
	/*
	 * Bytes pushed since entry: the slot of the return address is rsp + sp_delta. A return
	 * probe may only stand where it is 0: the kernel swaps whatever rsp points at.
	 */
	uint16_t sp_delta;
	bool emulated; /* the kernel emulates the instruction there */
};

/*
 * Chooses the site in `code`, the function's `size` bytes: the first instruction on the straight
 * line from entry that the kernel emulates, reached by every call, with rsp known and the arguments
 * intact whose bits are set in `args` (1 << number, in registers by the calling convention); else
 * the entry. Never fails: code that cannot be decoded gives the entry.
 */
struct probe_site probe_site_choose(const uint8_t *code, size_t size, unsigned int args);

#define PROBE_SITE_ALL_ARGS 0x3fu

/*
 * Chooses a site at the first call of `callee`: `at_call`, the call itself, where its arguments are in their
 * registers; else the first instruction behind it that the kernel emulates, on the straight line, where
 * rax still is what the call has returned. `code` are `size` bytes that lie at `address`. False: there is
 * none. Where the stack stands is not told.
 */
bool probe_site_of_call(const uint8_t *code, size_t size, uint64_t address, uint64_t callee, bool at_call,
			struct probe_site *ret);
