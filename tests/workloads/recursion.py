# SPDX-License-Identifier: Apache-2.0
"""Opens files at the end of recursion that is deeper than Python frames are recorded. Prints "ready PID", waits for a
line, opens them, prints what a report must have (see tests/e2e/recursion.t), and waits for another line."""
import os
import sys

CALLS = 907
held = []


def hold():
    held.append(os.open("/dev/null", os.O_RDONLY))


def direct(calls):
    if calls == 1:
        return hold()
    return direct(calls - 1)


def ping(calls):
    if calls == 1:
        return hold()
    return pong(calls - 1)


def pong(calls):
    if calls == 1:
        return hold()
    return ping(calls - 1)


def shallow(calls):
    if calls == 1:
        return hold()
    return shallow(calls - 1)


print("ready", os.getpid(), flush=True)
sys.stdin.readline()
for _ in range(7):
    direct(CALLS)
for _ in range(5):
    ping(CALLS)
for _ in range(3):
    shallow(17)
print(f"(('direct', 1, {CALLS - 2}),) 7")
print(f"(('{'ping' if CALLS % 2 else 'pong'}', 2, {(CALLS - 1) // 2 - 1}),) 5")
print("() 3")
print("done", flush=True)
sys.stdin.readline()
