// SPDX-License-Identifier: Apache-2.0
/*
 * Two processes, both traced: one passes descriptors and connections to the other by SCM_RIGHTS, and
 * closes its own. They share their books: the truth is that of both.
 */
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include "held.h"

#define TIMES 7

/* Shared, unlike `struct held`: the other process counts in it as well. */
struct books {
	long files_got, files_gave, tcp_got, tcp_gave, clients;
	long received_files, received_sockets, received_gave;
	long fds[2];
};

static struct books *books;
static int post[2];

/* -- the one that sends --------------------------------------------------------------------------- */
static NOINLINE int open_file(void)
{
	int fd = open("/dev/null", O_RDONLY);

	expect(fd >= 0, "open failed");
	books->files_got++;
	return fd;
}

static NOINLINE int connect_client(const struct sockaddr_in *a)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	expect(fd >= 0 && !connect(fd, (const void *)a, sizeof(*a)), "connect failed");
	books->clients++;
	return fd;
}

static NOINLINE int accept_server(int listener)
{
	int fd = accept(listener, NULL, NULL);

	expect(fd >= 0, "accept failed");
	books->tcp_got++;
	return fd;
}

static NOINLINE int listen_any(struct sockaddr_in *a)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t n = sizeof(*a);

	*a = (struct sockaddr_in){ .sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	expect(!bind(fd, (void *)a, n) && !listen(fd, 16), "listen failed");
	expect(!getsockname(fd, (void *)a, &n), "getsockname failed");
	return fd;
}

union control {
	struct cmsghdr header;
	char room[CMSG_SPACE(2 * sizeof(int))];
};

static struct msghdr message(struct iovec *iov, union control *c, int n)
{
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 1, .msg_control = c };

	m.msg_controllen = CMSG_LEN((size_t)n * sizeof(int));
	c->header.cmsg_level = SOL_SOCKET;
	c->header.cmsg_type = SCM_RIGHTS;
	c->header.cmsg_len = m.msg_controllen;
	return m;
}

/* Waits for the answer: then it has been received. */
static void send_two(int file, int socket_fd)
{
	struct iovec iov = { "x", 1 };
	union control c = { 0 };
	struct msghdr m = message(&iov, &c, 2);
	char answer;

	memcpy(CMSG_DATA(&c.header), (int[]){ file, socket_fd }, 2 * sizeof(int));
	expect(sendmsg(post[0], &m, 0) == 1, "sendmsg failed");
	expect(read(post[0], &answer, 1) == 1, "no answer");
}

static void work(int thread)
{
	struct sockaddr_in a;
	int listener = listen_any(&a);

	for (int i = 0; i < TIMES; i++) {
		int file = open_file(), client = connect_client(&a), server;

		server = accept_server(listener);
		send_two(file, server);
		if (i < 5) { /* moved; the others are held by both */
			close(file);
			books->files_gave++;
			close(server);
			books->tcp_gave++;
		}
		expect(write(client, "x", 1) == 1, "the connection is broken");
	}
	expect(!shutdown(post[0], SHUT_WR), "shutdown failed");
	AWAIT(__atomic_load_n(&books->fds[1], __ATOMIC_ACQUIRE), "the other does not end");
}

/* -- the one that receives ------------------------------------------------------------------------ */
static NOINLINE bool receive_two(int *fd)
{
	char byte;
	struct iovec iov = { &byte, 1 };
	union control c = { 0 };
	struct msghdr m = message(&iov, &c, 2);

	if (recvmsg(post[1], &m, 0) != 1)
		return false;
	memcpy(fd, CMSG_DATA(&c.header), 2 * sizeof(int));
	books->received_files++;
	books->received_sockets++;
	return true;
}

static void receiver(pid_t parent)
{
	int fd[2];
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(post[0]);
	say("peer %d\n", getpid());
	for (int i = 0; receive_two(fd); i++) {
		expect(write(post[1], "y", 1) == 1, "no answer could be sent");
		expect(read(fd[1], &byte, 1) == 1, "the connection did not arrive");
		if (i % 3 == 0) {
			close(fd[0]);
			close(fd[1]);
			books->received_gave++;
		}
	}
	__atomic_store_n(&books->fds[1], fds_held(), __ATOMIC_RELEASE);
	child_stays(parent);
}

/* -- both ------------------------------------------------------------------------------------------ */
static void prepare(void)
{
	pid_t parent = getpid();

	books = mmap(NULL, sizeof(*books), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	expect(books != MAP_FAILED, "mmap failed");
	expect(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, post), "socketpair failed");
	if (!fork())
		receiver(parent);
	close(post[1]);
	books->fds[0] = fds_held();
}

static void finish(void)
{
	const struct books *b = books;
	const char *kinds[] = { "fd", "connection/open" };

	expect(fds_held() - books->fds[0] ==
		       1 + b->files_got - b->files_gave + b->clients + b->tcp_got - b->tcp_gave,
	       "the workload's own count is wrong");
	say("held fd open_file open|open64 %ld %ld\n", b->files_got, b->files_gave);
	say("held fd listen_any socket 1 0\n");
	say("held connection/listening listen_any listen 1 0\n");
	say("held fd connect_client socket %ld 0\n", b->clients);
	say("held connection/open connect_client connect %ld 0\n", b->clients);
	for (int i = 0; i < 2; i++)
		say("held %s accept_server accept %ld %ld\n", kinds[i], b->tcp_got, b->tcp_gave);
	say("held fd receive_two recvmsg %ld %ld\n", b->received_files + b->received_sockets,
	    2 * b->received_gave);
	say("held connection/open receive_two recvmsg %ld %ld\n", b->received_sockets,
	    b->received_gave);
	say("before connection/open 2\n"); /* through which they are passed */
	say("system fd %ld\n", fds_held() + b->fds[1]);
}

int main(int argc, char **argv)
{
	struct workload_parts parts = { prepare, work, finish };

	return workload_run_parts(argc, argv, parts);
}
