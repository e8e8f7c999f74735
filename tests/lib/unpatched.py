#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usage: unpatched.py PID

Prints where the code of a process is not that of the files that it maps: what a probe has left.
"""
import sys

CHUNK = 1 << 20


def code_mappings(pid):
    with open(f"/proc/{pid}/maps") as f:
        for line in f:
            span, flags, offset, _, inode, *path = line.split(maxsplit=5)
            if flags[2] == "x" and flags[1] != "w" and inode != "0":
                start, end = (int(x, 16) for x in span.split("-"))
                yield f"{start:x}-{end:x}", start, end - start, int(offset, 16), path[0].strip()


def main():
    pid = sys.argv[1]
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for span, start, size, offset, path in code_mappings(pid):
            with open(f"/proc/{pid}/map_files/{span}", "rb") as file:
                for at in range(0, size, CHUNK):
                    file.seek(offset + at)
                    memory.seek(start + at)
                    want = file.read(min(CHUNK, size - at))
                    got = memory.read(len(want))
                    if got != want:
                        i = next(i for i in range(len(want)) if got[i:i + 1] != want[i:i + 1])
                        print(f"{path} at {offset + at + i:#x}")


main()
