#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds things, and tells by which of its own lines: "held KIND FUNCTION:LINE ...", leaf first.

Each is acquired on the line on which hold() is called, so the interpreter's own view of the stack is
the truth for both."""
import asyncio
import functools
import os
import socket
import subprocess
import sys
import threading
import time

kept = []
lock = threading.Lock()


def hold(kind, thing=None):
    frame, lines = sys._getframe(1), []
    while frame:
        if frame.f_code.co_filename == __file__:
            lines.append(f"{frame.f_code.co_qualname}:{frame.f_lineno}")
        frame = frame.f_back
    with lock:
        kept.append(thing)
        print("held", kind, *lines, flush=True)


def forever():
    threading.Event().wait()


def connect(port):
    for _ in range(7):
        hold("connection", socket.create_connection(("127.0.0.1", port)))


def plain_connect(port):
    s = socket.socket()
    hold("connection", s.connect(("127.0.0.1", port)))
    kept.append(s)


def accept(server):
    for _ in range(8):
        hold("connection", server.accept()[0])


def recurse(depth):
    if depth:
        return recurse(depth - 1)
    hold("fd", os.open("/dev/null", os.O_RDONLY))


def generator():
    for _ in range(3):
        hold("fd", open("/dev/null"))
        yield 1
    yield from inner()


def inner():
    hold("fd", os.dup(0))
    yield 2


class Opener:
    def __init__(self):
        self.file = None

    def __lt__(self, other):
        hold("fd", open("/dev/zero"))
        return False

    @property
    def opened(self):
        return hold("fd", os.memfd_create("x"))


def through_c():
    sorted([Opener(), Opener()])
    functools.reduce(lambda a, b: hold("fd", os.open("/", os.O_RDONLY)), [1, 2])
    list(map(Opener.opened.fget, [Opener()]))
    [hold("fd", os.eventfd(0)) for _ in range(2)]


def compare(a, b):
    hold("fd", os.open("/dev/full", os.O_WRONLY))
    return 0


def through_qsort():
    """The C library calls Python here: its frames lie between."""
    try:
        import ctypes
    except ImportError:
        return
    pair = (ctypes.c_int * 2)(1, 2)
    callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)(compare)
    ctypes.CDLL(None).qsort(pair, ctypes.c_size_t(2), ctypes.c_size_t(4), callback)


async def outer_coroutine():
    await asyncio.sleep(0)
    await inner_coroutine()


async def inner_coroutine():
    await asyncio.sleep(0.01)
    hold("fd", os.open("/dev/null", os.O_WRONLY))


def threads():
    for _ in range(3):
        t = threading.Thread(target=forever, daemon=True)
        hold("thread", t.start())
    workers = [threading.Thread(target=work, args=(f,)) for f in (recurse_some, through_c, some_of_a_generator)]
    for t in workers:
        t.start()
    for t in workers:
        t.join()


def recurse_some():
    for depth in 0, 5, 30:
        recurse(depth)


def some_of_a_generator():
    for _ in generator():
        time.sleep(0.01)


def work(f):
    f()


def ended(child):
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    return child


def processes():
    hold("child", subprocess.Popen(["sleep", "1000"]))
    for _ in range(2):
        hold("zombie", ended(subprocess.Popen(["true"])))


def main():
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    acceptor = threading.Thread(target=accept, args=(server,))
    acceptor.start()
    connect(port)
    plain_connect(port)
    acceptor.join()
    threads()
    recurse_some()
    some_of_a_generator()
    through_c()
    through_qsort()
    asyncio.run(outer_coroutine())
    processes()
    time.sleep(0.2)


if __name__ == "__main__":
    if sys.argv[1:] == ["wait"]:
        print("ready", os.getpid(), flush=True)
        sys.stdin.readline()
    main()
    print("done", flush=True)
    if sys.argv[1:] == ["wait"]:
        sys.stdin.readline()
    next(k for k in kept if isinstance(k, subprocess.Popen)).kill()
    os._exit(0)
