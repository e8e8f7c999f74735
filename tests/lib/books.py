#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares a report with the truth that a workload printed.

usage: books.py REPORT TRUTH [--sites-only]

Truth lines (the same name twice adds up):
  site FUNCTION VIA COUNT BYTES COUNT BYTES   acquired and released by FUNCTION through VIA
  unmatched N      releases of what was acquired before the tracer came
  missed_return N  calls that were left by longjmp
  truncated N      distinct stacks deeper than leaktrace walks
  distinct F N     distinct stacks with function F
  transient 1      the runtime acquires and releases things of its own meanwhile
  noise 1          ... and keeps some

--sites-only: the process was traced from its start, so only the sites are known, not the sums.
Prints every difference; exit status 1 if there is one.
"""
import collections
import json
import re
import sys

problems = []


def expect(what, got, wanted):
    if got != wanted:
        problems.append(f"{what}: {got}, not {wanted}")


def read_truth(path):
    sites = collections.defaultdict(lambda: [0, 0, 0, 0])
    named = collections.Counter()
    for line in open(path):
        word = line.split()
        if word[:1] == ["site"]:
            site = sites[word[1], word[2]]
            for i, n in enumerate(word[3:7]):
                site[i] += int(n)
        elif word and word[-1].isdigit() and word[0] != "ready":
            named[tuple(word[:-1])] += int(word[-1])
    return sites, named


def plain(frame):
    """The function's name without arguments and without what compilers add (.constprop.0)."""
    return re.split(r"[(<. ]", frame["function"] or "?")[0]


def place(stack, functions):
    """The innermost of the functions on the stack, or None."""
    return next((plain(f) for f in stack["frames"] if plain(f) in functions), None)


def check_site(memory, function, via, truth, functions):
    stacks = [s for s in memory["stacks"]
              if place(s, functions) == function and s["via"] in via.split("|")]
    name = f"{function} through {via}"
    expect(f"{name}: count", sum(s["count"] for s in stacks), truth[0] - truth[2])
    expect(f"{name}: bytes", sum(s["amount"] for s in stacks), truth[1] - truth[3])
    for frame in (f for s in stacks for f in s["frames"] if plain(f) == function):
        if not frame["file"] or not frame["line"]:
            problems.append(f"{name}: a frame without file and line")
            break


def check_stacks(memory, sites, named, everything):
    functions = {function for function, _ in sites}
    vias = collections.defaultdict(set)
    for function, via in sites:
        vias[function].update(via.split("|"))
    for stack in memory["stacks"]:
        here = place(stack, functions)
        names = " < ".join(f["function"] or "?" for f in stack["frames"])
        if everything and stack["count"] and not here and not named["noise",]:
            problems.append(f"{stack['count']} of a stack that the workload knows nothing of: {names}")
        if here and stack["count"] and stack["via"] not in vias[here]:
            problems.append(f"via {stack['via']} in {names}")
        if not stack["complete"] and (here or everything) and not named["truncated",]:
            problems.append(f"incomplete: {names}")
    expect("distinct ids", len({s["id"] for s in memory["stacks"]}), len(memory["stacks"]))


def check_sums(memory, sites, named):
    truth = [sum(column) for column in zip(*sites.values())] or [0] * 4
    if named["noise",]:
        return
    expect("outstanding count", memory["outstanding"]["count"], truth[0] - truth[2])
    expect("outstanding bytes", memory["outstanding"]["amount"], truth[1] - truth[3])
    if named["transient",]:
        return
    expect("acquired count", memory["acquired"]["count"], truth[0])
    expect("acquired bytes", memory["acquired"]["amount"], truth[1])
    expect("released count", memory["released"]["count"], truth[2])
    expect("released bytes", memory["released"]["amount"], truth[3])


def check_coverage(report, named, everything):
    coverage = report["coverage"]
    expect("exact", coverage["exact"], True)
    for cause, lost in coverage["lost"].items():
        allowed = named["missed_return",] if cause == "missed_return" else 0
        if lost > allowed:
            problems.append(f"lost by {cause}: {lost}")
    if everything:
        expect("truncated stacks", coverage["stacks"]["truncated"], named["truncated",])
    if everything and not named["noise",]:
        expect("unmatched releases", coverage["unmatched_releases"], named["unmatched",])
    if coverage["probe_hits"] <= 0:
        problems.append("no hits")
    if report["window"]["seconds"] > 1 and coverage["overhead_percent"] is None:
        problems.append("the overhead is not known")


def check_consistency(memory):
    for key in ("count", "amount"):
        expect(f"sum of the stacks' {key}", sum(s[key] for s in memory["stacks"]),
               memory["outstanding"][key])
        expect(f"acquired - released {key}", memory["acquired"][key] - memory["released"][key],
               memory["outstanding"][key])


def main():
    everything = "--sites-only" not in sys.argv
    report = json.load(open(sys.argv[1]))
    sites, named = read_truth(sys.argv[2])
    memory = next((r for r in report["resources"] if r["kind"] == "memory"), None)
    if not memory:
        sys.exit("the report has no memory in it")
    if not sites:
        sys.exit("the workload printed no truth")
    for (function, via), truth in sites.items():
        check_site(memory, function, via, truth, {function for function, _ in sites})
    for key, n in named.items():
        if key[0] == "distinct":
            expect(f"distinct stacks of {key[1]}",
                   sum(place(s, key[1:]) is not None for s in memory["stacks"]), n)
    check_stacks(memory, sites, named, everything)
    check_coverage(report, named, everything)
    check_consistency(memory)
    if everything:
        check_sums(memory, sites, named)
    if problems:
        print("\n".join(problems[:20]))
        sys.exit(1)


main()
