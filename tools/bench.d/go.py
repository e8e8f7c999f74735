# SPDX-License-Identifier: Apache-2.0
"""
What tracing costs a web server in Go: CPU time for each request, which wrk makes as fast as it can on
the same CPU. (From another CPU the server would have to wake wrk for each response by an interrupt there,
which costs it more the more often wrk is idle; so what makes it slower would seem to cost that, too.) Slices without a tracer alternate with slices under each way to trace; what counts is the
lower quartile of each, as others need the machine as well.
"""
import glob, os, re, statistics, subprocess, time
from running import PATIENCE, progress, say, table

VERSION = os.environ.get("GO_VERSION", "1.27")
WAYS = {  # name: (options, what it may cost)
    "polling only: -w goroutine": (("-w", "goroutine"), 1.02),
    "heap by probes: -w memory": (("-w", "memory"), 1.03),
    "all kinds": ((), None),
}
UNTRACED = "untraced"
ROUNDS = 5  # at least
SLICES = 3  # of a second, in a round
SETTLE = 4  # seconds until it is known how much there is to follow


class Web:
    """The server has the last CPU, and so has wrk."""

    def __init__(self, b, top, goroot):
        binary = f"{b.tmp}/web"
        env = dict(os.environ, GOROOT=goroot, GO111MODULE="off", GOTOOLCHAIN="local", GOFLAGS="",
                   CGO_ENABLED="0", GOPATH=f"{b.tmp}/gopath",
                   GOCACHE=goroot.split("/usr/lib/")[0] + "/build")
        subprocess.run([f"{goroot}/bin/go", "build", "-o", binary, "web.go"], check=True, env=env,
                       cwd=f"{top}/tests/workloads/go")
        self.b = b
        self.p = b.start([binary], True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pid, self.port = map(int, self.p.stdout.readline().split()[1:])

    def cpu_ns(self):
        total = 0
        for path in glob.glob(f"/proc/{self.pid}/task/*/schedstat"):
            with open(path) as f:
                total += int(f.read().split()[0])
        return total

    def request_ns(self, seconds=1):
        before = self.cpu_ns()
        wrk = self.b.start(["wrk", "-t1", "-c16", f"-d{seconds}s", f"http://127.0.0.1:{self.port}/"], True,
                           stdout=subprocess.PIPE)
        said = wrk.communicate(timeout=PATIENCE)[0]
        self.rate = float(re.search(r"Requests/sec: *([0-9.]+)", said)[1])
        return (self.cpu_ns() - before) / int(re.search(r"(\d+) requests in", said)[1])


def missing(top):
    """Why it cannot be measured here, or None; and the GOROOT."""
    found = subprocess.run([f"{top}/tests/lib/go", VERSION], capture_output=True, text=True)
    if found.returncode:
        return found.stderr.strip().splitlines()[-1], None
    if subprocess.run(["which", "wrk"], capture_output=True).returncode:
        return "wrk is not installed", None
    return None, found.stdout.strip()


def measure_web(b, top, seconds):
    """Whether it costs more than it may."""
    why, goroot = missing(top)
    if why:
        say(f"A web server in Go: not measured, {why}\n")
        return False
    progress("a web server in Go")
    web = Web(b, top, goroot)
    web.request_ns(SETTLE)
    slices = {name: [] for name in (UNTRACED, *WAYS)}
    reports, end, rounds = {}, time.monotonic() + seconds, 0
    while rounds < ROUNDS or time.monotonic() < end:
        for name, (options, _) in WAYS.items():
            slices[UNTRACED] += [web.request_ns() for _ in range(SLICES)]
            tracer = b.leaktrace([web.pid], *options)
            web.request_ns(SETTLE)
            slices[name] += [web.request_ns() for _ in range(SLICES)]
            reports[name] = tracer.report()["coverage"]
        rounds += 1
    b.stop(web.p)
    ns = {name: statistics.quantiles(times, n=4)[0] for name, times in slices.items()}
    ratios = {name: ns[name] / ns[UNTRACED] for name in WAYS}
    say(f"A web server in Go {VERSION}, {web.rate:.0f} requests in a second: CPU time for each of them.\n")
    table(("", "CPU time", "ratio", "at most", "reported"), (UNTRACED, f"{ns[UNTRACED]:.0f} ns", "", "", ""),
          *((name, f"{ns[name]:.0f} ns", f"x {ratios[name]:.3f}", f"{bar:.2f}" if bar else "",
             f"{reports[name]['overhead_percent'] or 0:.1f} %") for name, (_, bar) in WAYS.items()))
    return any(bar and ratios[name] > bar for name, (_, bar) in WAYS.items())
