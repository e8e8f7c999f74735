# SPDX-License-Identifier: Apache-2.0
"""What the tracer itself needs: time to attach, memory."""
import glob, shutil, statistics, subprocess, time
from running import PATIENCE, die, progress, say, table

HELD = 1000000


def measure_attach(b):
    targets = {
        "python3": ["python3", "-c", "import ssl, json, decimal, sys; sys.stdin.read()"],
        "clang": ["clang", "-cc1", "-fsyntax-only", "-x", "c", "-"],
    }
    rows = [("", "attached after")]
    for name, argv in targets.items():
        progress(f"attaching to {name}")
        if not shutil.which(argv[0]):
            rows.append((name, "not installed"))
            continue
        target = b.start(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        time.sleep(1)
        times = []
        for _ in range(6):
            tracer = b.leaktrace([target.pid])
            times.append(tracer.attach_ms)
            tracer.report()
        rows.append((name, f"{statistics.median(times[1:]):.0f} ms"))  # the first reads the files
        target.stdin.close()
        target.wait(PATIENCE)
    table(*rows)


def maps_bytes(pid):
    sizes = {}
    for path in glob.glob(f"/proc/{pid}/fdinfo/*"):
        info = dict(line.split(":", 1) for line in open(path) if ":" in line)
        if "map_id" in info:
            sizes[int(info["map_id"])] = int(info["memlock"])
    return sum(sizes.values())


def measure_memory(b):
    progress("memory")
    program = b.program("bench", "hold", HELD)
    tracer = b.leaktrace([program.pid])
    empty = maps_bytes(tracer.p.pid)
    program.ask("")
    full = maps_bytes(tracer.p.pid)
    status = dict(line.split(":", 1) for line in open(f"/proc/{tracer.p.pid}/status"))
    began = time.monotonic()
    held = tracer.report()["resources"][0]["outstanding"]["count"]
    seconds = time.monotonic() - began
    program.end()
    if held != HELD:
        die(f"{held} blocks are outstanding, not {HELD}")
    say(f"Memory for {HELD} outstanding blocks:\n")
    table(("BPF maps, nothing held", "BPF maps", "leaktrace, resident", "time for the report"),
          (f"{empty >> 20} MiB", f"{full >> 20} MiB", f"{int(status['VmHWM'].split()[0]) >> 10} MiB",
           f"{seconds:.2f} s"))
