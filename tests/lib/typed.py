#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a command at a terminal of its own and types.

usage: typed.py COMMAND ARG... <SCRIPT

Each line of SCRIPT is `WORDS => KEYS`: once WORDS have appeared, KEYS are typed (Python's escapes). Prints all
that appeared, and at last "status N"; a command that does not end in 30 s is killed.
"""
import os, pty, select, signal, sys, time

script = [line.rstrip("\n").split(" => ") for line in sys.stdin if " => " in line]
pid, fd = pty.fork()
if pid == 0:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell that started us behind & has it ignored
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    os.execvp(sys.argv[1], sys.argv[1:])
seen, end = b"", time.monotonic() + 30
while time.monotonic() < end:
    if script and script[0][0].encode() in seen:
        os.write(fd, script.pop(0)[1].encode().decode("unicode_escape").encode())
    if not select.select([fd], [], [], 0.1)[0]:
        continue
    try:
        more = os.read(fd, 65536)
    except OSError:
        break
    if not more:
        break
    seen += more
else:
    os.kill(pid, signal.SIGKILL)
sys.stdout.write(seen.decode(errors="replace").replace("\r\n", "\n"))
status = os.waitpid(pid, 0)[1]
print("status", os.waitstatus_to_exitcode(status))
