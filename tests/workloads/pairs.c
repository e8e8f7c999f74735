// SPDX-License-Identifier: Apache-2.0
/*
 * What system calls cost: `pairs DEPTH NAME` prints "ready PID" and then, for every line on stdin, what
 * one round of NAME, a row of the table below, has taken (slices.h). The stack above the C library has
 * DEPTH frames in all.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <signal.h>
#include "slices.h"

#define BATCH	     64
#define OUTER_FRAMES 4 /* *_rounds, measure_thread, start_thread, clone3: the others are inlined */

static int listener, zero, to_child, from_child, clients[BATCH];

/* The address of the listener, or of nobody's UDP port. */
static union {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_un un;
} address;
static socklen_t address_size;

/* -- descriptors --------------------------------------------------------------------------------- */

static inline void open_close(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	expect(fd >= 0, "open failed");
	close(fd);
}

/* -- connections --------------------------------------------------------------------------------- */

static void address_in(void)
{
	address_size = sizeof(address.in);
	address.in = (struct sockaddr_in){ .sin_family = AF_INET,
					   .sin_addr = { htonl(INADDR_LOOPBACK) },
					   .sin_port = htons(9) };
}

static void listen_here(void)
{
	/* inherited by what is accepted, which then leaves no port in TIME_WAIT */
	struct linger reset = { .l_onoff = 1 };

	listener = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	expect(listener >= 0, "socket failed");
	setsockopt(listener, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	expect(!bind(listener, &address.any, address_size) && !listen(listener, 4 * BATCH), "listen failed");
	address_size = sizeof(address);
	expect(!getsockname(listener, &address.any, &address_size), "getsockname failed");
}

static void listen_tcp(void)
{
	address_in();
	address.in.sin_port = 0;
	listen_here();
}

static void listen_unix(void)
{
	address.un.sun_family = AF_UNIX;
	address_size = sizeof(sa_family_t); /* the kernel gives it a name */
	listen_here();
}

static inline int connected(int type)
{
	int fd = socket(address.any.sa_family, type | SOCK_CLOEXEC, 0);

	expect(fd >= 0 && !connect(fd, &address.any, address_size), "connect failed");
	return fd;
}

static inline void connect_stream(void)
{
	close(connected(SOCK_STREAM));
}

static inline void connect_udp(void)
{
	close(connected(SOCK_DGRAM));
}

static inline void accept_close(void)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	expect(fd >= 0, "accept4 failed");
	close(fd);
}

static void accept_all(void)
{
	for (int i = 0; i < BATCH; i++)
		accept_close();
}

static void connect_all(void)
{
	for (int i = 0; i < BATCH; i++)
		clients[i] = connected(SOCK_STREAM);
}

static void close_all(void)
{
	for (int i = 0; i < BATCH; i++)
		close(clients[i]);
}

/* -- other system calls -------------------------------------------------------------------------- */

static inline void get_ppid(void)
{
	syscall(SYS_getppid);
}

static void open_zero(void)
{
	zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	expect(zero >= 0, "open failed");
}

static inline void read_zero(void)
{
	char c;

	expect(read(zero, &c, 1) == 1, "read failed");
}

/* A child that sends back what it gets. */
static void start_echo(void)
{
	int there[2], back[2];
	char c;

	expect(!pipe2(there, O_CLOEXEC) && !pipe2(back, O_CLOEXEC), "pipe2 failed");
	to_child = there[1];
	from_child = back[0];
	if (fork())
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (read(there[0], &c, 1) == 1 && write(back[1], &c, 1) == 1)
		;
	_exit(0);
}

static inline void ping_pong(void)
{
	char c = 0;

	expect(write(to_child, &c, 1) == 1 && read(from_child, &c, 1) == 1, "the child has ended");
}

/* -- measuring ----------------------------------------------------------------------------------- */

/* No function of its own between the stack and the system calls. */
#define ROUNDS(function)                                                                           \
	static NOINLINE void function##_rounds(void)                                               \
	{                                                                                          \
		for (int i = 0; i < BATCH; i++)                                                    \
			function();                                                                \
		keep(&listener); /* no tail call */                                                \
	}

ROUNDS(open_close)
ROUNDS(connect_stream)
ROUNDS(connect_udp)
ROUNDS(accept_close)
ROUNDS(get_ppid)
ROUNDS(read_zero)
ROUNDS(ping_pong)

static const struct work {
	const char *name;
	void (*rounds)(void);	      /* measured: BATCH rounds */
	void (*setup)(void);	      /* once */
	void (*before)(void), (*after)(void); /* the rounds, not measured */
} works[] = {
	{ "open", open_close_rounds, NULL, NULL, NULL },
	{ "tcp-connect", connect_stream_rounds, listen_tcp, NULL, accept_all },
	{ "tcp-accept", accept_close_rounds, listen_tcp, connect_all, close_all },
	{ "udp-connect", connect_udp_rounds, address_in, NULL, NULL },
	{ "unix-connect", connect_stream_rounds, listen_unix, NULL, accept_all },
	{ "getppid", get_ppid_rounds, NULL, NULL, NULL },
	{ "zero", read_zero_rounds, open_zero, NULL, NULL },
	{ "echo", ping_pong_rounds, start_echo, NULL, NULL },
};

static const struct work *work;
static int depth;

static unsigned long measured_batch(void)
{
	unsigned long start = now_ns();

	work->rounds();
	return now_ns() - start;
}

static NOINLINE double pairs(int frames, unsigned long span_ns)
{
	unsigned long start = now_ns(), ns = 0, n = 0;

	if (frames > 1) {
		double r = pairs(frames - 1, span_ns);

		keep(&frames); /* no tail call */
		return r;
	}
	do {
		if (work->before)
			work->before();
		ns += measured_batch();
		n += BATCH;
		if (work->after)
			work->after();
	} while (now_ns() - start < span_ns);
	return (double)ns / (double)n;
}

static double pairs_deep(unsigned long span_ns)
{
	return pairs(depth - OUTER_FRAMES, span_ns);
}

static void *measure_thread(void *arg)
{
	serve_slices(pairs_deep);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t t;

	expect(argc == 3, "usage: pairs DEPTH NAME");
	depth = atoi(argv[1]);
	for (size_t i = 0; i < sizeof(works) / sizeof(*works); i++)
		if (!strcmp(works[i].name, argv[2]))
			work = &works[i];
	expect(work, "there is no such work");
	if (work->setup)
		work->setup();
	say("ready %d\n", getpid());
	expect(!pthread_create(&t, NULL, measure_thread, NULL), "pthread_create failed");
	pthread_join(t, NULL);
	return 0;
}
