# SPDX-License-Identifier: Apache-2.0
"""
What tracing costs a web server in Go: CPU time for each request, beside a server that is not traced. Both
run at the same time on the same CPU, and so does wrk for each, which makes requests as fast as it can: so
what else happens to the machine happens to both. (From another CPU a server would have to wake wrk for each
response by an interrupt there, which costs it more the more often wrk is idle.) One after the other is
traced, so that it does not matter if they differ; what counts is the mean of all rounds.
"""
import glob, math, os, re, statistics, subprocess, time
from running import PATIENCE, progress, say, table

VERSION = os.environ.get("GO_VERSION", "1.27")
WAYS = {  # name: (options, what it may cost)
    "polling only: -w goroutine": (("-w", "goroutine"), 1.02),
    "heap by probes: -w memory": (("-w", "memory"), 1.03),
    "all kinds": ((), None),
}
ROUNDS = 5  # at least
SLICES = 4  # of a second, for each of the two
SETTLE = 5  # seconds until it is known how much there is to follow


class Web:
    """A server on the last CPU."""

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

    def load(self, seconds):
        self.before = self.cpu_ns()
        self.wrk = self.b.start(["wrk", "-t1", "-c16", f"-d{seconds}s", f"http://127.0.0.1:{self.port}/"],
                                True, stdout=subprocess.PIPE)

    def request_ns(self):
        """When the load is over."""
        said = self.wrk.communicate(timeout=PATIENCE)[0]
        self.rate = float(re.search(r"Requests/sec: *([0-9.]+)", said)[1])
        self.ns = (self.cpu_ns() - self.before) / int(re.search(r"(\d+) requests in", said)[1])
        return self.ns


class Pair:
    """Two servers under load."""

    def __init__(self, *args):
        self.webs = [Web(*args), Web(*args)]
        self.load(SETTLE)

    def load(self, seconds=1):
        """What a request takes of the first server, for one of the second; in logarithms."""
        for web in self.webs:
            web.load(seconds)
        return math.log(self.webs[0].request_ns() / self.webs[1].request_ns())

    def round(self, b, options):
        """What tracing costs, in logarithms; and what the last tracer says of it."""
        sides = []
        for sign, web in zip((1, -1), self.webs):
            tracer = b.leaktrace([web.pid], *options)
            self.load(SETTLE)
            sides.append(sign * statistics.median(self.load() for _ in range(SLICES)))
            coverage = tracer.report()["coverage"]
        return statistics.mean(sides), coverage


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
    pair = Pair(b, top, goroot)
    costs, reports = {name: [] for name in WAYS}, {}
    end, rounds = time.monotonic() + seconds, 0
    while rounds < ROUNDS or time.monotonic() < end:
        for name, (options, _) in WAYS.items():
            cost, reports[name] = pair.round(b, options)
            costs[name].append(cost)
        rounds += 1
    pair.load()
    for web in pair.webs:
        b.stop(web.p)
    ratios = {name: math.exp(statistics.mean(costs[name])) for name in WAYS}
    errors = {name: statistics.stdev(costs[name]) / math.sqrt(rounds) for name in WAYS}
    say(f"Web servers in Go {VERSION}, each {pair.webs[0].rate:.0f} requests in a second that take it "
        f"{pair.webs[0].ns / 1000:.1f} us of CPU time: how much longer when it is traced, and the "
        "standard error of that.\n")
    table(("", "ratio", "error", "at most", "reported"),
          *((name, f"x {ratios[name]:.3f}", f"{errors[name]:.3f}", f"{bar:.2f}" if bar else "",
             f"{reports[name]['overhead_percent'] or 0:.1f} %") for name, (_, bar) in WAYS.items()))
    return any(bar and ratios[name] > bar for name, (_, bar) in WAYS.items())
