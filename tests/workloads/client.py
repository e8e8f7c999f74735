#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Asks server.py for SECONDS and checks every answer. usage: client.py PORT SECONDS"""
import http.client
import json
import sys
import time

connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=30)
end = time.monotonic() + float(sys.argv[2])
asked = 0
while time.monotonic() < end:
    connection.request("GET", "/")
    answer = connection.getresponse()
    rows = json.loads(answer.read())
    if answer.status != 200 or [row["n"] for row in rows] != list(range(50)):
        sys.exit(f"answer {asked} is wrong")
    asked += 1
print(f"answered all of {asked}")
