# SPDX-License-Identifier: Apache-2.0
"""Loads many modules when told to: each allocates as soon as it is there."""
import importlib
import os
import sys

MODULES = """ssl sqlite3 decimal json lzma bz2 ctypes hashlib socket select multiprocessing curses
readline csv zoneinfo unicodedata array struct math random""".split()

print("ready", os.getpid(), flush=True)
if "wait" in sys.argv:
    sys.stdin.readline()
loaded = []
for name in MODULES:
    try:
        loaded.append(importlib.import_module(name))
    except ImportError:
        pass
print("done", flush=True)
if "wait" in sys.argv:
    sys.stdin.readline()
