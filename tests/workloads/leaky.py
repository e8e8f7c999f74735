#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Asks a server 50 times, which hangs up after each answer, and forgets to close 7 of the connections.
usage: leaky.py PORT

Says "ready PID", waits for a line, asks, says "done" when the server has hung up on all, and waits again.
"""
import os
import socket
import sys

ASKED, LEAKED = 50, 7
forgotten = []


def ask(port, leaks):
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(b"?")
    while connection.recv(4096):
        pass
    if leaks:
        forgotten.append(connection)
    else:
        connection.close()


print("ready", os.getpid(), flush=True)
sys.stdin.readline()
for i in range(ASKED):
    ask(int(sys.argv[1]), leaks=i % 7 == 6)
assert len(forgotten) == LEAKED
print("done", flush=True)
sys.stdin.readline()
