#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usage: measure.py LIMIT_SECONDS COMMAND ARG...

Runs the command and prints on a line of its own, as the last on stderr,

    measured SECONDS PEAK_KIB STATUS

PEAK_KIB is the memory of the command and of all that it starts: the highest sum of what each of
them has had resident at most (VmHWM), looked at every few milliseconds, and no less than what the
largest of them was found to have had when it had ended. One that takes longer than the limit is
killed, and its status is 124.
"""
import os
import resource
import signal
import subprocess
import sys
import time

INTERVAL = 0.004


def children_of(pid):
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children") as f:
                yield from f.read().split()
    except OSError:
        pass


def tree(pid):
    yield pid
    for child in children_of(pid):
        yield from tree(child)


def peak_kib(pid):
    try:
        with open(f"/proc/{pid}/status") as f:
            return next((int(line.split()[1]) for line in f if line.startswith("VmHWM:")), 0)
    except OSError:
        return 0


def main():
    limit = float(sys.argv[1])
    begin = time.monotonic()
    child = subprocess.Popen(sys.argv[2:])
    peak = 0
    killed = False
    while child.poll() is None:
        peak = max(peak, sum(map(peak_kib, tree(child.pid))))
        if time.monotonic() - begin > limit and not killed:
            for pid in list(tree(child.pid)):
                os.kill(int(pid), signal.SIGKILL)
            killed = True
        time.sleep(INTERVAL)
    seconds = time.monotonic() - begin
    peak = max(peak, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
    status = 124 if killed else child.returncode
    print(f"measured {seconds:.2f} {peak} {status if status >= 0 else 128 - status}", file=sys.stderr)


main()
