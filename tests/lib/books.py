#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares a report with the truth that a workload printed.

usage: books.py REPORT TRUTH [--sites-only] [--living] [--of=PID]

A KIND is "memory", "fd", or a kind and its state: "connection/open". Truth lines (the same name twice
adds up):
  site FUNCTION VIA COUNT BYTES COUNT BYTES   memory acquired and released by FUNCTION through VIA
  held KIND FUNCTION VIA GOT GAVE [net]       the same of another kind; net: only the difference is sure
  wrapped FUNCTION 1       something lies between FUNCTION and the C library
  before KIND N            were held before tracing
  unseen KIND N            were acquired in a way that no probe sees
  system KIND N            are held now, as the workload sees it
  outside KIND N           ... as others see it, but for
  vanished KIND N          those that the system does not list any more
  unmatched N      releases of what was acquired before the tracer came
  missed_return N  calls that were left by longjmp
  truncated N      distinct stacks deeper than leaktrace walks
  untraced_children N  children that ran on their own
  compiled F 1     F is a JIT's: there is no file and line
  distinct F N     distinct stacks with function F
  deep F CYCLE N   so often a cycle of that many functions is there once more in the stacks with F, in which
                   main is the caller of it all
  transient 1      the runtime acquires and releases memory of its own meanwhile
  noise 1          ... and keeps some
  transient KIND 1 ... things of this kind

--of=PID: of a report with --per-process, what it says of this process; what others did is no concern.
--living: what the system lists is compared with what the report says of the processes that have not ended.
--sites-only: the process was traced from its start, so only the sites are known, not the sums.
Prints every difference; exit status 1 if there is one.
"""
import collections
import json
import re
import sys

MEMORY = "memory"
problems = []


def expect(what, got, wanted):
    if got != wanted:
        problems.append(f"{what}: {got}, not {wanted}")


class Truth:
    def __init__(self, path):
        self.sites = collections.defaultdict(lambda: [0, 0, 0, 0])  # by kind, function and via
        self.named = collections.Counter()
        self.net = set()  # sites
        for line in open(path):
            word = line.split()
            if word[:1] == ["site"]:
                self.add((MEMORY, word[1], word[2]), word[3:7])
            elif word[:1] == ["held"]:
                self.add(tuple(word[1:4]), (word[4], word[4], word[5], word[5]))
                if word[6:] == ["net"]:
                    self.net.add(tuple(word[1:4]))
            elif word and word[-1].isdigit() and word[0] != "ready":
                self.named[tuple(word[:-1])] += int(word[-1])

    def add(self, site, numbers):
        for i, n in enumerate(numbers):
            self.sites[site][i] += int(n)

    def of(self, kind):
        return {site: numbers for site, numbers in self.sites.items() if site[0] == kind}

    def functions(self, kind):
        return {site[1] for site in self.of(kind)}


def name_of(resource):
    return "/".join(filter(None, (resource["kind"], resource.get("state"))))


def plain(frame):
    """The function's name without arguments and without what compilers add (.constprop.0)."""
    return re.split(r"[(<. ]", frame["function"] or "?")[0]


def place(stack, functions):
    """The innermost of the functions on the stack, or None."""
    return next((plain(f) for f in stack["frames"] if plain(f) in functions), None)


def traced(resource):
    return [s for s in resource["stacks"] if s.get("origin", "traced") == "traced"]


def check_site(resource, site, truth):
    kind, function, via = site
    stacks = [s for s in traced(resource)
              if place(s, truth.functions(kind)) == function and s["via"] in via.split("|")]
    numbers = truth.sites[site]
    name = f"{kind} of {function} through {via}"
    expect(f"{name}: count", sum(s["count"] for s in stacks), numbers[0] - numbers[2])
    expect(f"{name}: amount", sum(s["amount"] for s in stacks), numbers[1] - numbers[3])
    if kind != MEMORY and site not in truth.net and \
            sum(s["acquired"]["count"] for s in stacks) > numbers[0]:
        problems.append(f"{name}: more than {numbers[0]} acquired")
    for frame in (f for s in stacks for f in s["frames"] if plain(f) == function):
        if not truth.named["compiled", function] and (not frame["file"] or not frame["line"]):
            problems.append(f"{name}: a frame without file and line")
            break
    if kind != MEMORY and not truth.named["wrapped", function]:
        firsts = {plain(s["frames"][0]) for s in stacks} - {function}
        if firsts:
            problems.append(f"{name}: the first frame is {', '.join(firsts)}")


def check_stacks(resource, kind, truth, everything):
    functions = truth.functions(kind)
    noise = kind == MEMORY and truth.named["noise",]
    vias = collections.defaultdict(set)
    for _, function, via in truth.of(kind):
        vias[function].update(via.split("|"))
    for stack in traced(resource):
        here = place(stack, functions)
        names = " < ".join(f["function"] or "?" for f in stack["frames"])
        if everything and stack["count"] and not here and not noise:
            problems.append(f"{stack['count']} {kind} of a stack that the workload knows nothing of: "
                            f"{stack['via']} in {names}")
        if here and stack["count"] and stack["via"] not in vias[here]:
            problems.append(f"{kind}: via {stack['via']} in {names}")
        if not stack["complete"] and (here or everything) and not truth.named["truncated",]:
            problems.append(f"{kind}: incomplete: {names}")
    ids = [(s["id"], s["pid"], s.get("origin")) for s in resource["stacks"]]
    expect(f"{kind}: distinct ids", len(set(ids)), len(ids))


def check_deep(resource, truth):
    deep = {key[1:]: n for key, n in truth.named.items() if key[0] == "deep"}
    for end in truth.functions(MEMORY) if deep else ():
        folded = collections.Counter()
        for stack in (s for s in traced(resource) if place(s, [end])):
            for frame in stack["frames"]:
                if "repeats" in frame:
                    folded[end, str(frame["cycle"])] += frame["repeats"]
            if place(stack, ["main"]) is None:
                problems.append(f"{end}: main is not there")
        expect(f"{end}: deep recursion", dict(folded), {key: n for key, n in deep.items() if key[0] == end})


def check_memory_sums(resource, truth):
    numbers = [sum(column) for column in zip(*truth.of(MEMORY).values())]
    if truth.named["noise",]:
        return
    expect("outstanding count", resource["outstanding"]["count"], numbers[0] - numbers[2])
    expect("outstanding bytes", resource["outstanding"]["amount"], numbers[1] - numbers[3])
    if truth.named["transient",]:
        return
    expect("acquired count", resource["acquired"]["count"], numbers[0])
    expect("acquired bytes", resource["acquired"]["amount"], numbers[1])
    expect("released count", resource["released"]["count"], numbers[2])
    expect("released bytes", resource["released"]["amount"], numbers[3])


def check_held_sums(resource, kind, truth):
    sites = truth.of(kind)
    got, gave = (sum(numbers[i] for numbers in sites.values()) for i in (0, 2))
    acquired, released = resource["acquired"]["count"], resource["released"]["count"]
    expect(f"{kind}: acquired - released", acquired - released, got - gave)
    if not truth.net & sites.keys() and not truth.named["transient", kind]:
        expect(f"{kind}: acquired", acquired, got)
    if ("before", kind) in truth.named and not truth.named["unmatched",]:
        expect(f"{kind}: before", resource["before"]["count"], truth.named["before", kind])


def held_by_living(report, kind):
    return sum(part["outstanding"]["count"] for process in report["target"]["processes"]
               if process["state"] != "ended" for part in process["resources"] if name_of(part) == kind)


def check_held(report, resource, kind, truth):
    """What is true of every kind that the system lists."""
    outstanding = held_by_living(report, kind) if "--living" in sys.argv else resource["outstanding"]["count"]
    expect(f"{kind}: unseen", resource["unseen"]["count"], truth.named["unseen", kind])
    if ("system", kind) in truth.named:
        expect(f"{kind}: what the workload sees", outstanding, truth.named["system", kind])
    if ("outside", kind) in truth.named:
        expect(f"{kind}: what the system lists", outstanding - truth.named["vanished", kind],
               truth.named["outside", kind])
    for tally in ("outstanding", "acquired", "released", "before", "unseen"):
        expect(f"{kind}: amount {tally}", resource[tally]["amount"], resource[tally]["count"])
    for stack in resource["stacks"]:
        if stack not in traced(resource) and (stack["frames"] or stack["via"]):
            problems.append(f"{kind}: a stack of what was not seen acquired")


def check_coverage(report, truth, everything):
    named, coverage = truth.named, report["coverage"]
    expect("exact", coverage["exact"], True)
    for cause, lost in coverage["lost"].items():
        allowed = named[cause,] if cause in ("missed_return", "probes_away") else 0
        if lost > allowed:
            problems.append(f"lost by {cause}: {lost}")
    if everything:
        expect("truncated stacks", coverage["stacks"]["truncated"], named["truncated",])
    if everything and not named["noise",] and not any(word.startswith("--of=") for word in sys.argv):
        expect("unmatched releases", coverage["unmatched_releases"], named["unmatched",])
    if ("untraced_children",) in named:
        expect("untraced children", coverage["untraced_children"], named["untraced_children",])
    if coverage["probe_hits"] <= 0:
        problems.append("no hits")
    if report["window"]["seconds"] > 1 and coverage["overhead_percent"] is None:
        problems.append("the overhead is not known")


def check_consistency(resource, kind):
    for key in ("count", "amount"):
        expect(f"{kind}: sum of the stacks' {key}", sum(s[key] for s in resource["stacks"]),
               resource["outstanding"][key])
        others = sum(resource[tally][key] for tally in ("before", "unseen") if tally in resource)
        expect(f"{kind}: before + unseen + acquired - released {key}",
               others + resource["acquired"][key] - resource["released"][key],
               resource["outstanding"][key])


def report_of(report, pid):
    """The report as if it were of one process: made of its row and its own stacks."""
    [row] = [p for p in report["target"]["processes"] if p["pid"] == pid]
    parts = {name_of(part): part for part in row["resources"]}
    for resource in report["resources"]:
        part = parts.get(name_of(resource))
        for tally in ("outstanding", "acquired", "released", "before", "unseen"):
            resource[tally] = part[tally] if part else {"count": 0, "amount": 0}
        resource["stacks"] = [s for s in resource["stacks"] if s["pid"] == pid]
    return report


def main():
    everything = "--sites-only" not in sys.argv
    report = json.load(open(sys.argv[1]))
    for pid in (int(word[len("--of="):]) for word in sys.argv if word.startswith("--of=")):
        report = report_of(report, pid)
    truth = Truth(sys.argv[2])
    resources = {name_of(r): r for r in report["resources"]}
    kinds = {site[0] for site in truth.sites}
    if not kinds and not any(key[0] == "outside" for key in truth.named):
        sys.exit("the workload printed no truth")
    for missing in kinds - resources.keys():
        sys.exit(f"the report has no {missing} in it")
    for site in truth.sites:
        check_site(resources[site[0]], site, truth)
    for key, n in truth.named.items():
        if key[0] == "distinct":
            expect(f"distinct stacks of {key[1]}",
                   sum(place(s, key[1:]) is not None for s in resources[MEMORY]["stacks"]), n)
    for kind, resource in resources.items():
        check_consistency(resource, kind)
        if kind != MEMORY:
            check_held(report, resource, kind, truth)
        if kind not in kinds:
            continue
        check_stacks(resource, kind, truth, everything)
        if kind == MEMORY:
            check_deep(resource, truth)
        if everything and kind == MEMORY:
            check_memory_sums(resource, truth)
        elif everything:
            check_held_sums(resource, kind, truth)
    check_coverage(report, truth, everything)
    if problems:
        print("\n".join(problems[:30]))
        sys.exit(1)


main()
