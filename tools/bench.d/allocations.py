# SPDX-License-Identifier: Apache-2.0
"""
What malloc and free cost. Every program runs once for each way of tracing it, and slices of a few
hundredths of a second alternate between them on one CPU, so that whatever else the machine does hits
all alike. Each has its own copy of libc: probes belong to a file, and nobody's may disturb another's.
"""
import statistics, time
from running import Missing, die, progress, say, table

DEPTHS = (3, 16, 40)
BARS = {3: 0.30, 16: 0.40}  # of the peer's cost
KINDS = ("session", "multi", "perf")
WORK = 8000  # rounds of arithmetic between two pairs: a program that does more than allocate
MEMORY = ("-w", "memory")


def alternate(programs, seconds):
    """The median cost of a pair in each of the programs, which are given slices in turn."""
    slices = {name: [] for name in programs}
    for p in programs.values():
        p.slice_ns()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for name, p in programs.items():
            slices[name].append(p.slice_ns())
    return {name: statistics.median(s) for name, s in slices.items()}


def depth_of(report):
    stacks = report["resources"][0]["stacks"]
    return max((sum(not f["inlined"] for f in s["frames"]) for s in stacks), default=0)


def costs(b, depth, seconds, tracers, *args):
    """The cost of a pair by tracer, and what the tracers report. A tracer makes one for a program."""
    programs = {name: b.program("bench", depth, *args) for name in tracers}
    running, reports = {}, {}
    for name, make in tracers.items():
        if make:
            running[name] = make(programs[name])
    ns = alternate(programs, seconds)
    for name, tracer in running.items():
        reports[name] = tracer.report()
    for p in programs.values():
        p.end()
    return ns, reports


def measure_peer(b, seconds):
    """Whether leaktrace costs more than its share of what the peer costs."""
    missed = False
    rows = [("frames", "untraced", "memleak", "leaktrace", "leaktrace / memleak", "at most")]
    for depth in DEPTHS:
        progress(f"{depth} frames")
        tracers = {"none": None, "leaktrace": lambda p: b.leaktrace([p.pid], *MEMORY)}
        if b.peer:
            tracers["memleak"] = b.memleak
        ns, reports = costs(b, depth, seconds / len(DEPTHS), tracers)
        if depth_of(reports["leaktrace"]) != depth:
            die(f"{depth_of(reports['leaktrace'])} frames were recorded, not {depth}")
        theirs, ratio, bar = "none found", "", BARS.get(depth)
        if b.peer:
            theirs, ratio = f"{ns['memleak']:.0f} ns", ns["leaktrace"] / ns["memleak"]
            missed |= bool(bar) and ratio > bar
            ratio = f"{ratio:.2f}"
        rows.append((depth, f"{ns['none']:.0f} ns", theirs, f"{ns['leaktrace']:.0f} ns", ratio,
                     bar or ""))
    say("A pair of malloc and free, by the depth of the stack:\n")
    table(*rows)
    return missed


def measure_kinds(b, seconds):
    rows = [("probes", *(f"{depth} frames" for depth in DEPTHS))]
    kinds = []
    for kind in KINDS:
        program = b.program("bench", 3)
        try:
            b.leaktrace([program.pid], *MEMORY, "--attach", kind).report()
            kinds.append(kind)
        except Missing:
            rows.append((kind, *("not on this kernel" for _ in DEPTHS)))
        program.end()
    ns = {}
    for depth in DEPTHS:
        progress(f"kinds of probes, {depth} frames")
        tracers = {k: lambda p, k=k: b.leaktrace([p.pid], *MEMORY, "--attach", k) for k in kinds}
        ns[depth] = costs(b, depth, seconds / len(DEPTHS), tracers)[0]
    for kind in kinds:
        rows.append((kind, *(f"{ns[depth][kind]:.0f} ns" for depth in DEPTHS)))
    say("The same by the kind of probe:\n")
    table(*rows)


def measure_honesty(b, seconds):
    tracers = {"none": None, "leaktrace": lambda p: b.leaktrace([p.pid], *MEMORY)}
    rows = [("frames", "a pair and some work", "traced", "slowdown", "reported")]
    for depth in (3, 40):
        progress(f"cost reported, {depth} frames")
        ns, reports = costs(b, depth, seconds / 2, tracers, WORK)
        share = 100 * (1 - ns["none"] / ns["leaktrace"])
        reported = reports["leaktrace"]["coverage"]["overhead_percent"]
        rows.append((depth, f"{ns['none']:.0f} ns", f"{ns['leaktrace']:.0f} ns", f"{share:.1f} %",
                     f"{reported:.1f} %"))
    say("What the report says tracing cost, in percent of the target's CPU time:\n")
    table(*rows)
