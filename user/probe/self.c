// SPDX-License-Identifier: Apache-2.0
#include "probe/self.h"
#include <elf.h>
#include "elf/image.h"

int self_function_offset(int fd, void (*fn)(void), uint64_t *ret)
{
	extern const char __executable_start[]; /* by the linker: where the program is loaded */
	struct elf_image img;
	int r = elf_image_open_fd(fd, &img);
	uint64_t vaddr = (uint64_t)(uintptr_t)fn;

	if (r)
		return r;
	if (img.type == ET_DYN)
		vaddr -= (uint64_t)(uintptr_t)__executable_start;
	r = elf_vaddr_to_offset(&img, vaddr, ret);
	elf_image_deinit(&img);
	return r;
}
