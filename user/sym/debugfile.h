/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the symbols and the debug information of a stripped file are: in a separate file, as gdb
 * looks for it ("Debugging Information in Separate Files" of its manual), in a compressed section
 * of the file itself (.gnu_debugdata), or, for what many files share, in a supplementary file of
 * dwz.
 */
#pragma once
#include <sys/types.h>
#include "elf/image.h"

/* A file that was found: its image, and a descriptor to map it from again. */
struct debugfile {
	struct elf_image image;
	int fd;
	char *path; /* as the traced process names it */
};

/*
 * The separate debug file of the image `img`, which is the file `path` below `root` (as in struct
 * module): by build-id, then by .gnu_debuglink. One whose build-id differs, or that has none and
 * whose CRC does not match, is passed over, and so is one that belongs neither to root nor to `owner`.
 * By build-id also in our own root. 0, -ENOENT or -ENOMEM.
 */
int debugfile_find(const struct elf_image *img, const char *path, const char *root, uid_t owner,
		   struct debugfile *ret);
/* The supplementary file that the .gnu_debugaltlink of the image `img` names; the image is the file
 * `path` below `root`. 0, -ENOENT or -ENOMEM. */
int debugfile_find_alt(const struct elf_image *img, const char *path, const char *root, uid_t owner,
		       struct debugfile *ret);
void debugfile_deinit(struct debugfile *f);

/* The ELF image in .gnu_debugdata, unpacked into `*ret_data` (freed by the caller after the image
 * is deinited). 0, -ENOENT when there is none that can be read, -E2BIG when it is larger than what is read, or
 * -ENOMEM. */
int debugfile_unpack(const struct elf_image *img, struct elf_image *ret, void **ret_data);
