#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usage: go_leaks.py CHECKER PROGRAM [PATTERN...]

Starts tests/workloads/go/leaks once for each pattern and twin, and compares what CHECKER (go_leaks)
says of each with what they say themselves. One line for each:
PATTERN TWIN found N missed N false N unjudged N runtime N
the last being how many the runtime itself calls leaked, -1 where it does not say.
"""
import concurrent.futures
import glob
import subprocess
import sys
import threading
import time

AT_ONCE = 24
PATIENCE = 60  # seconds


def truth(lines):
    """{function: {verdict: how many}}"""
    ret = {}
    for line in lines:
        verdict, function, n = line.split()
        verdicts = ret.setdefault(function, {"leaked": 0, "alive": 0})
        verdicts[verdict] += int(n)
    return ret


def functions_of(words, known):
    """The stated function that a stack belongs to: the outermost."""
    named = [word.split("[")[0] for word in words if word.split("[")[0] in known]
    return named[-1] if named else None


def compare(wanted, lines):
    found = missed = false = unjudged = 0
    seen = {}
    for line in lines:
        head, stack = line.split("]", 1)
        verdict = head.split()[1]
        function = functions_of(stack.split(), wanted)
        unjudged += verdict == "not-judged" and function is not None
        counts = seen.setdefault(function, {})
        counts[verdict] = counts.get(verdict, 0) + 1
    for function in set(seen) | set(wanted):
        leaked = seen.get(function, {}).get("leaked", 0)
        really = wanted.get(function, {"leaked": 0})["leaked"]
        found += min(leaked, really)
        missed += max(really - leaked, 0)
        false += max(leaked - really, 0)
    return f"found {found} missed {missed} false {false} unjudged {unjudged}"


def rest(pid):
    """Until main, too, waits: what runs may know anything."""
    quiet = 0
    for _ in range(200):
        states = [open(path).read().rsplit(")", 1)[1].split()[0]
                  for path in glob.glob(f"/proc/{pid}/task/*/stat")]
        quiet = quiet + 1 if "R" not in states else 0
        if quiet == 3:
            return
        time.sleep(0.005)


def run(checker, program, pattern, twin):
    with subprocess.Popen([program, pattern, twin], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as process:
        timer = threading.Timer(PATIENCE, process.kill)
        timer.start()
        try:
            return judge(checker, process)
        finally:
            timer.cancel()


def judge(checker, process):
    lines = []
    for line in process.stdout:
        if line.startswith("ready"):
            break
        lines.append(line)
    else:
        return ("".join(lines).strip() or "it did not get ready").splitlines()[0]
    rest(process.pid)
    got = subprocess.run([checker, str(process.pid)], capture_output=True, text=True, timeout=120)
    process.stdin.write("\n")
    process.stdin.flush()
    own = process.stdout.readline().strip()
    process.stdin.close()
    if got.returncode:
        return got.stderr.strip()
    return f"{compare(truth(lines), got.stdout.splitlines()[:-1])} {own}"


def main():
    checker, program = sys.argv[1:3]
    patterns = sys.argv[3:] or subprocess.run([program, "list"], stdout=subprocess.PIPE, text=True,
                                              check=True).stdout.split()
    jobs = [(pattern, twin) for pattern in patterns for twin in ("leaking", "fixed")]
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        results = pool.map(lambda job: run(checker, program, *job), jobs)
        for (pattern, twin), result in zip(jobs, results):
            print(pattern, twin, result)


main()
