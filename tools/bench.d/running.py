# SPDX-License-Identifier: Apache-2.0
"""Programs that measure themselves, the tracers beside them, and the tables that come of it."""
import json, os, shutil, signal, subprocess, sys, tempfile, time

SLICE_MS = 20
PATIENCE = 60  # seconds, for anything at all


class Missing(Exception):
    pass


def die(message):
    sys.exit(f"bench: {message}")


def say(line=""):
    print(line, flush=True)


def table(*rows):
    say("| " + " | ".join(rows[0]) + " |")
    say("|" + "---|" * len(rows[0]))
    for row in rows[1:]:
        say("| " + " | ".join(str(x) for x in row) + " |")
    say()


def progress(what):
    if sys.stderr.isatty():
        print(f"\r\033[K{what} ...", end="", file=sys.stderr, flush=True)


def find_libc():
    for line in open("/proc/self/maps"):
        path = line.split()[-1]
        if os.path.basename(path).startswith("libc.so"):
            return path
    die("this Python does not use libc.so")


class Bench:
    """What all measurements share: the build, a directory, and what has been started."""

    def __init__(self, build, tmp, peer):
        self.build, self.tmp, self.peer = build, tmp, peer
        self.cpus = sorted(os.sched_getaffinity(0))
        self.children = []

    def start(self, argv, measured=False, **options):
        """What is measured has the last CPU, all else the others."""

        def pin():
            if len(self.cpus) > 1:
                os.sched_setaffinity(0, set(self.cpus[-1:] if measured else self.cpus[:-1]))

        p = subprocess.Popen(argv, preexec_fn=pin, text=True, **options)
        self.children.append(p)
        return p

    def stop(self, p, how=signal.SIGINT):
        p.send_signal(how)
        try:
            p.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()

    def program(self, *args):
        return Program(self, *args)

    def leaktrace(self, pids, *args):
        return Leaktrace(self, pids, *args)

    def memleak(self, program):
        return Memleak(self, program)

    def end(self):
        for p in self.children:
            if p.poll() is None:
                p.kill()


class Program:
    """A workload on the last CPU, with a libc of its own."""

    def __init__(self, bench, name, *args):
        directory = f"{bench.tmp}/{len(bench.children)}"
        os.mkdir(directory)
        self.libc = shutil.copy(find_libc(), directory)
        env = dict(os.environ, LD_LIBRARY_PATH=directory)
        self.p = bench.start([f"{bench.build}/tests/workloads/{name}", *map(str, args)], True,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env)
        self.pid = int(self.p.stdout.readline().split()[1])

    def ask(self, line):
        self.p.stdin.write(f"{line}\n")
        self.p.stdin.flush()
        return self.p.stdout.readline().split()

    def slice_ns(self, ms=SLICE_MS):
        """What one round has taken in a slice of that many ms."""
        return float(self.ask(ms)[1])

    def end(self):
        self.p.stdin.close()
        self.p.wait(PATIENCE)


class Leaktrace:
    def __init__(self, bench, pids, *args):
        self.bench = bench
        began = time.monotonic()
        self.output = tempfile.NamedTemporaryFile(suffix=".json")
        self.p = bench.start([f"{bench.build}/leaktrace", "-p", ",".join(map(str, pids)), "-T", "0",
                              "-f", "json", "-o", self.output.name, "-v", *args],
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        said = ""
        for line in self.p.stderr:
            if ": tracing " in line:
                break
            said = line
        else:
            raise Missing(said.strip() or "leaktrace has ended")
        self.attach_ms = (time.monotonic() - began) * 1000

    def report(self):
        self.bench.stop(self.p)
        return json.load(open(self.output.name))


class Memleak:
    """Attached when a pair takes several times as long as without it."""

    def __init__(self, bench, program):
        self.bench = bench
        before = program.slice_ns()
        self.p = bench.start([bench.peer, "-p", str(program.pid), "-O", program.libc, "3600"],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE
        while min(program.slice_ns() for _ in range(3)) < 20 * before:  # one alone may be others' doing
            if self.p.poll() is not None or time.monotonic() > deadline:
                raise Missing(f"{bench.peer} does not trace the program")
            time.sleep(0.1)

    def report(self):
        self.bench.stop(self.p)
