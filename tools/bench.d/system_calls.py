# SPDX-License-Identifier: Apache-2.0
"""
What tracing costs a server that opens and closes, or connects and closes, and what it costs others.

Hooks on all system calls are passed by every process, also by the one that is there for comparison. So
rounds without any tracer alternate with rounds under each; within a round, programs have a few slices of
some milliseconds in turn, of which the best tenth counts: others need the CPU as well. A tracer that runs
elsewhere meanwhile spoils all: its hooks are passed here, and the kernel's statistics are for all.

One thread has both ends of a connection, on one CPU: nobody has to be woken on another one, which in a
virtual machine costs microseconds, more or less as that CPU is busy or idle.
"""
import os, shutil, socket, statistics, subprocess, time
from running import PATIENCE, die, progress, say, table

DEPTHS = (5, 16)  # frames
BAR_NS = {5: 1500}  # for each pair
PAIRS = {
    "open": "open, close",
    "tcp-connect": "socket, connect, close: TCP, loopback",
    "tcp-accept": "accept, close: TCP, loopback",
    "udp-connect": "socket, connect, close: UDP, loopback",
    "unix-connect": "socket, connect, close: unix",
}
OTHERS = {
    "getppid": "getppid",
    "zero": "read of a byte of /dev/zero",
    "echo": "a byte to another process and back, by pipes",
}
WAYS = {"all kinds": (), "-w fd,connection": ("-w", "fd,connection")}
UNTRACED = None
SLICE_MS = 4
SLICES = 12  # of each program in a round
ROUNDS = 3  # at least
NGINX_SECONDS = 2
NGINX = "nginx, CPU time for a request of 612 bytes"


def slices_into(times, programs, way):
    for name, p in programs.items():
        p.slice_ns(SLICE_MS)
    for _ in range(SLICES):
        for name, p in programs.items():
            times.setdefault((name, way), []).append(p.slice_ns(SLICE_MS))


def best_tenth(times):
    return statistics.quantiles(times, n=10)[0]


def in_turns(ways, seconds, trace, measure):
    """Measures without a tracer, and under that of each way, again and again. The last reports."""
    reports, end, rounds = {}, time.monotonic() + seconds, 0
    while rounds < ROUNDS or time.monotonic() < end:
        measure(UNTRACED)
        for way, args in ways.items():
            tracer = trace(args)
            measure(way)
            reports[way] = tracer.report()
        rounds += 1
    return reports


def row_of_pair(ns, name):
    """What a pair costs more when it is traced, and whether that is more than it may be."""
    off = {depth: ns[(name, depth), UNTRACED] for depth in DEPTHS}
    more = {(depth, way): ns[(name, depth), way] - off[depth] for depth in DEPTHS for way in WAYS}
    missed = any(m > BAR_NS.get(depth, m) for (depth, _), m in more.items())
    return (PAIRS[name], f"{off[DEPTHS[0]]:.0f} ns", *(f"{m:.0f} ns" for m in more.values())), missed


def row_of_other(ns, name):
    off, on = ns[name, UNTRACED], min(ns[name, way] for way in WAYS)
    return OTHERS[name], f"{off:.0f} ns", f"{on:.0f} ns", f"{on - off:.0f} ns", f"x {on / off:.2f}"


def measure_pairs(b, seconds):
    """Whether a pair costs more than it may. What other processes pay as well."""
    progress("pairs of system calls")
    pairs = {(name, depth): b.program("pairs", depth, name) for name in PAIRS for depth in DEPTHS}
    programs = {**pairs, **{name: b.program("pairs", DEPTHS[0], name) for name in OTHERS}}
    times = {}
    reports = in_turns(WAYS, seconds, lambda args: b.leaktrace([p.pid for p in pairs.values()], *args),
                       lambda way: slices_into(times, programs, way))
    for p in programs.values():
        p.end()
    ns = {key: best_tenth(t) for key, t in times.items()}
    rows = [row_of_pair(ns, name) for name in PAIRS]
    say(f"What tracing adds to a pair; at {DEPTHS[0]} frames it may be {BAR_NS[DEPTHS[0]]} ns:\n")
    table(("", "untraced", *(f"{way}, {depth} frames" for depth in DEPTHS for way in WAYS)),
          *(row for row, _ in rows))
    said = statistics.median(r["coverage"]["syscall_ns"] for r in reports.values())
    say(f"What processes pay that are not traced; the report says {said:.0f} ns for each system call:\n")
    table(("", "nothing traced", "another process traced", "more", ""),
          *(row_of_other(ns, name) for name in OTHERS), measure_nginx(b))
    return any(missed for _, missed in rows)


# -- what the report says -------------------------------------------------------------------------
def measure_reported(b, seconds):
    rows = [("", "untraced", "traced", "slowdown", "reported")]
    for name in ("open", "udp-connect"):
        progress(f"cost reported, {name}")
        program, times = b.program("pairs", DEPTHS[-1], name), {}

        def busily(way):
            slices_into(times, {name: program}, way)
            if way:  # long enough for the cost to be sampled
                program.slice_ns(2000)

        reports = in_turns({"all": ()}, seconds / 2, lambda args: b.leaktrace([program.pid], *args), busily)
        program.end()
        off, on = best_tenth(times[name, UNTRACED]), best_tenth(times[name, "all"])
        rows.append((PAIRS[name], f"{off:.0f} ns", f"{on:.0f} ns", f"{100 * (1 - off / on):.1f} %",
                     f"{reports['all']['coverage']['overhead_percent']:.1f} %"))
    say("What the report says tracing cost, in percent of the target's CPU time:\n")
    table(*rows)


# -- a real server --------------------------------------------------------------------------------
class Nginx:
    """One worker on the last CPU, under wrk on another."""

    def __init__(self, b):
        directory = f"{b.tmp}/nginx"
        os.makedirs(f"{directory}/root")
        os.chmod(b.tmp, 0o755)  # the worker is not root
        with open(f"{directory}/root/index.html", "w") as f:
            f.write("x" * 611 + "\n")
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        with open(f"{directory}/nginx.conf", "w") as f:
            f.write(f"daemon off; pid {directory}/pid; error_log {directory}/log; worker_processes 1;\n"
                    f"events {{}} http {{ access_log off; keepalive_requests 1000000000;\n"
                    f"server {{ listen 127.0.0.1:{self.port}; root {directory}/root; }} }}\n")
        self.b = b
        self.p = b.start(["nginx", "-p", directory, "-c", f"{directory}/nginx.conf"], True,
                         stderr=subprocess.DEVNULL)
        self.worker = self.find_worker()

    def find_worker(self):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            workers = open(f"/proc/{self.p.pid}/task/{self.p.pid}/children").read().split()
            if workers:
                return workers[0]
            time.sleep(0.1)
        die("nginx has no worker")

    def cpu_ns(self):
        return int(open(f"/proc/{self.worker}/schedstat").read().split()[0])

    def request_ns(self):
        before = self.cpu_ns()
        wrk = self.b.start(["wrk", "-t1", "-c8", f"-d{NGINX_SECONDS}s", f"http://127.0.0.1:{self.port}/"],
                           stdout=subprocess.PIPE)
        said = wrk.communicate(timeout=PATIENCE)[0]
        requests = next(int(line.split()[0]) for line in said.splitlines() if " requests in " in line)
        return (self.cpu_ns() - before) / requests

    def end(self):
        self.b.stop(self.p)


def measure_nginx(b):
    progress("nginx")
    if not shutil.which("nginx") or not shutil.which("wrk"):
        return NGINX, "nginx or wrk is not installed", "", "", ""
    server, idle, times = Nginx(b), b.program("pairs", DEPTHS[0], "getppid"), {}
    server.request_ns()
    in_turns({"all": ()}, 0, lambda args: b.leaktrace([idle.pid], *args),
             lambda way: times.setdefault(way, []).append(server.request_ns()))
    idle.end()
    server.end()
    off, on = statistics.median(times[UNTRACED]), statistics.median(times["all"])
    return NGINX, f"{off:.0f} ns", f"{on:.0f} ns", f"{on - off:.0f} ns", f"x {on / off:.2f}"
