#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Interrupts leaktrace at many moments: how long it takes to end, and how.

usage: interrupt.py [-n TIMES] [-s SEED] [-c WORDS] [-t SECONDS | -b] LEAKTRACE ARG...

First it is measured how long it takes until leaktrace traces, unless SECONDS says it; then it is started
TIMES times and gets a SIGINT, SIGTERM or SIGHUP at a moment that is chosen by chance, a third of them after
that; with -b, once it is blocked opening a FIFO, when it must end by the signal. Each run must have ended within a second: by the signal, with a line that says so and no report, or with
status 0 and a report. With -c, no process with these WORDS in its command line may be left. Prints what is
wrong, a line each.
"""
import getopt, os, random, signal, subprocess, sys, time

LIMIT = 1.0


def start(args):
    return subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def time_to_trace(args):
    began = time.monotonic()
    p = subprocess.Popen(args[:1] + ["-v"] + args[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                         stderr=subprocess.PIPE)
    for line in p.stderr:
        if line.startswith(b"leaktrace: tracing "):
            break
    took = time.monotonic() - began
    p.terminate()
    p.communicate()
    return took


def left(words):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                if words.encode() in f.read().replace(b"\0", b" ") and int(pid) != os.getpid():
                    found.append(int(pid))
        except OSError:
            pass
    return found


def await_blocked(pid):
    for _ in range(1200):
        with open(f"/proc/{pid}/wchan") as f:
            where = f.read()
        if "partner" in where or "fifo" in where:
            return
        time.sleep(0.05)


def once(args, after, sig):
    p = start(args)
    if after is None:
        await_blocked(p.pid)
    else:
        time.sleep(after)
    at = time.monotonic()
    p.send_signal(sig)
    try:
        out, err = p.communicate(timeout=20)
    except subprocess.TimeoutExpired:
        p.kill()
        p.communicate()
        return "never ends", "hung"
    took = time.monotonic() - at
    said = b"interrupted: no report\n" in err
    if took > LIMIT:
        return f"takes {took:.2f} s", "late"
    if p.returncode == 0 and out and not said and after is not None:
        return None, "report"
    if p.returncode == -sig and not out and (said or not err):
        return None, "interrupted" if said else "killed before it could say so"
    return f"status {p.returncode}, {len(out)} bytes, says {err[-200:]}", None


def main():
    options, args = getopt.getopt(sys.argv[1:], "n:s:c:t:b")
    o = dict(options)
    times, seed, words = int(o.get("-n", 20)), int(o.get("-s", os.getpid())), o.get("-c")
    chance = random.Random(seed)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # or it would be left alone
    span = 0 if "-b" in o else 1.5 * (float(o["-t"]) if "-t" in o else time_to_trace(args))
    ends = {}
    for i in range(times):
        after = None if "-b" in o else chance.uniform(0.01, span)
        sig = chance.choice((signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
        wrong, end = once(args, after, sig)
        if not wrong and words:
            time.sleep(0.05)
            pids = left(words)
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            wrong = f"leaves {pids}" if pids else None
        if wrong:
            print(f"{sig.name} after {after} of {span:.3f} s: {wrong}")
        ends[end] = ends.get(end, 0) + 1
    print(f"seed {seed}, ends: {ends}", file=sys.stderr)


main()
