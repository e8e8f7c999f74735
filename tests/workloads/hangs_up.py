#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A server that answers each connection and hangs up. Prints its port."""
import socket

server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
while True:
    connection, _ = server.accept()
    with connection:
        connection.recv(4096)
        connection.sendall(b"!")
