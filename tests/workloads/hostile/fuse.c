// SPDX-License-Identifier: Apache-2.0
/*
 * usage: fuse DIR
 *
 * A file system in DIR with one file, which the program itself has mapped as code; from then on
 * nobody who asks it for anything gets an answer, as from a server that is gone. "lib.so" is two
 * pages of nothing.
 */
#include <errno.h>
#include <linux/fuse.h>
#include <sys/mount.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include "hostile.h"

#define FILE_ID	  2
#define FILE_SIZE (2 * PAGE)

struct request {
	struct fuse_in_header header;
	char body[1 << 17];
};

static void answer(int fd, const struct request *rq, int error, const void *data, size_t size)
{
	struct fuse_out_header out = {
		.len = (uint32_t)(sizeof(out) + size),
		.error = -error,
		.unique = rq->header.unique,
	};
	struct iovec parts[] = { { &out, sizeof(out) }, { (void *)(size_t)data, size } };

	if (writev(fd, parts, 2) < 0 && errno != ENOENT)
		fail("writing to /dev/fuse");
}

static struct fuse_attr attributes(uint64_t id)
{
	return (struct fuse_attr){
		.ino = id,
		.size = id == FILE_ID ? FILE_SIZE : 0,
		.mode = id == FILE_ID ? S_IFREG | 0755 : S_IFDIR | 0755,
		.nlink = 1,
		.blksize = PAGE,
	};
}

static void serve_one(int fd, const struct request *rq)
{
	static const char zeros[FILE_SIZE];
	const struct fuse_init_in *asked = (const struct fuse_init_in *)(const void *)rq->body;
	const struct fuse_read_in *part = (const struct fuse_read_in *)(const void *)rq->body;
	struct fuse_init_out init = { .major = FUSE_KERNEL_VERSION, .max_write = PAGE };
	struct fuse_entry_out entry = { .nodeid = FILE_ID, .attr = attributes(FILE_ID) };
	struct fuse_attr_out attr = { .attr = attributes(rq->header.nodeid) };
	struct fuse_open_out opened = { .fh = 1 };

	switch (rq->header.opcode) {
	case FUSE_INIT:
		init.minor = asked->minor;
		answer(fd, rq, 0, &init, sizeof(init));
		break;
	case FUSE_LOOKUP:
		answer(fd, rq, 0, &entry, sizeof(entry));
		break;
	case FUSE_GETATTR:
		answer(fd, rq, 0, &attr, sizeof(attr));
		break;
	case FUSE_OPEN:
		answer(fd, rq, 0, &opened, sizeof(opened));
		break;
	case FUSE_READ:
		answer(fd, rq, 0, zeros, part->size < FILE_SIZE ? part->size : FILE_SIZE);
		break;
	case FUSE_FORGET:
	case FUSE_INTERRUPT:
		break;
	default:
		answer(fd, rq, ENOSYS, NULL, 0);
	}
}

/* Until there is something to read from `mapped`; then it sleeps on what it is asked. */
static void serve(int fd, int mapped)
{
	static struct request rq;
	struct pollfd both[] = { { fd, POLLIN, 0 }, { mapped, POLLIN, 0 } };

	while (poll(both, 2, -1) > 0 && !both[1].revents)
		if (read(fd, &rq, sizeof(rq)) >= (ssize_t)sizeof(rq.header))
			serve_one(fd, &rq);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	int fd = open("/dev/fuse", O_RDWR), done[2], file;
	char options[128], path[4096];
	volatile char *code;
	pid_t server;

	if (argc != 2 || fd < 0 || pipe(done))
		fail("usage: fuse DIR, with /dev/fuse");
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other",
		 fd);
	if (mount("leaktrace-test", argv[1], "fuse", MS_NOSUID | MS_NODEV, options))
		fail("cannot mount");
	server = fork();
	if (!server)
		serve(fd, done[0]);
	snprintf(path, sizeof(path), "%s/lib.so", argv[1]);
	file = open_or_fail(path, O_RDONLY);
	code = (volatile char *)map_code(file, 0, FILE_SIZE);
	expect(!code[0] && !code[PAGE], "the file");
	close(fd);
	expect(write(done[1], "", 1) == 1, "a pipe");
	live();
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	umount2(argv[1], MNT_DETACH);
	return 0;
}
