#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A small HTTP server that works for each answer and remembers some of it. usage: server.py PORT"""
import hashlib
import http.server
import json
import sys

remembered = []


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        rows = [{"n": i, "digest": hashlib.sha256(str(i).encode()).hexdigest()} for i in range(50)]
        body = json.dumps(rows).encode()
        remembered.append(bytearray(600 + len(remembered) % 7))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
print("ready", flush=True)
server.serve_forever()
