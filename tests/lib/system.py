#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usage: system.py PID...

Prints what the system itself says that these processes hold, as `outside KIND N`: see books.py.
Connections only where there is `ss`.
"""
import collections
import os
import re
import shutil
import subprocess
import sys


def status(pid, key):
    with open(f"/proc/{pid}/status") as f:
        return next(line.split()[1] for line in f if line.startswith(key + ":"))


def children(parents):
    """The state of each process that has one of these as its parent."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as f:
                state, parent = f.read().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if parent in parents:
            yield state


def sockets(pids):
    """(protocol, state) of each socket of each of the processes."""
    for line in subprocess.run(["ss", "-Htuxnap"], stdout=subprocess.PIPE, text=True,
                               check=True).stdout.splitlines():
        for pid in pids & set(re.findall(r"pid=(\d+),", line)):
            yield tuple(line.split()[:2])


def main(*pids):
    pids = set(pids)
    held = collections.Counter({"fd": 0, "thread/running": 0, "process/zombie": 0, "process/running": 0})
    for pid in pids:
        held["fd"] += len(os.listdir(f"/proc/{pid}/fd"))
        held["thread/running"] += int(status(pid, "Threads"))
    for state in children(pids):
        held["process/zombie" if state == "Z" else "process/running"] += 1
    if shutil.which("ss"):
        held.update({"connection/open": 0, "connection/listening": 0})
        for protocol, state in sockets(pids):
            if state == "LISTEN":
                held["connection/listening"] += 1
            elif state != "UNCONN" and protocol in ("tcp", "udp", "u_str", "u_seq"):
                held["connection/open"] += 1
    for kind, n in held.items():
        print(f"outside {kind} {n}")


main(*sys.argv[1:])
