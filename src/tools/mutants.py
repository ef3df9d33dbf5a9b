#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Change the solutions one place at a time, and see whether the checks and the host tests notice (docs/mutants.md)."""

import argparse
import collections
import difflib
import json
import os
import random
import sys
import time
from concurrent import futures

from hatlab import host, mutants


SAMPLE_UNITS = 4


def options_of(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="mutants.py", description=__doc__,
                                     epilog="Exit code: 0 all are noticed, or listed, 1 not, 2 it could not run.")
    parser.add_argument("--unit", action="append", metavar="NAME", help="only this one (may be repeated)")
    parser.add_argument("--sample", type=int, metavar="N", help=f"only so many, of {SAMPLE_UNITS} units, drawn by --seed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--flavor", choices=[*host.FLAVORS, "both"], default="both", help="ask one width only")
    parser.add_argument("--fresh", action="store_true", help="believe nothing that was found out before")
    parser.add_argument("--list", action="store_true", help="print the key of each mutant and what noticed it")
    return parser.parse_args(argv)


def diff(unit, mutant) -> str:
    name = f"solutions/{unit.path.parent.name}/{unit.path.name}"
    lines = difflib.unified_diff(unit.text.splitlines(), mutant.apply(unit.text).splitlines(), name, "mutant", lineterm="", n=1)
    return "\n".join("    " + line for line in lines)


def run(runner: mutants.Runner, todo: list) -> list:
    """All of them: first the checks, then the host tests on those that are left, then those without assertions."""
    told: dict = {}
    for program in ("checks", "tests", "release"):
        for flavor in runner.flavors if program != "release" else runner.flavors[:1]:
            left = [job for job in todo if job not in told or not told[job].killer]
            told.update(zip(left, run_by(runner, left, flavor, program)))
    return [told[job] for job in todo]


def run_by(runner: mutants.Runner, todo: list, flavor: str, program: str) -> list:
    """By one kind of program; what is found out is kept even if this is interrupted."""
    done, began = [], time.monotonic()
    terminal = sys.stdout.isatty()
    with futures.ThreadPoolExecutor(runner.jobs) as pool:
        try:
            for fate in pool.map(lambda job: runner.fate(*job, flavor, program), todo):
                done.append(fate)
                if len(done) % 200 == 0:
                    keep(dict(runner.cache))
                if terminal and len(done) % 10 == 0:
                    print(f"\r{flavor} {program}: {len(done)} of {len(todo)}, {time.monotonic() - began:.0f} s", end="", flush=True)
        finally:
            pool.shutdown(cancel_futures=True)
            keep(runner.cache)
    if terminal:
        print("\r\x1b[K", end="")
    return done


def keep(cache: dict) -> None:
    part = mutants.CACHE.with_suffix(f".{os.getpid()}")
    part.write_text(json.dumps(cache))
    os.replace(part, mutants.CACHE)


def drawing(count: int, seed: int):
    """So many mutants of a few units: building is what takes the time."""
    def draw(units: dict) -> dict:
        chance = random.Random(seed)
        names = chance.sample(sorted(units), min(SAMPLE_UNITS, len(units)))
        drawn, left = {}, count
        for i, name in enumerate(sorted(names, key=lambda n: len(units[n].mutants))):  # what a small one has too few, the next has more
            drawn[name] = chance.sample(units[name].mutants, min(left // (len(names) - i), len(units[name].mutants)))
            left -= len(drawn[name])
        return drawn
    return draw


def report(units: mutants.Units, fates: list, o: argparse.Namespace, began: float) -> bool:
    listed, known = mutants.listed(mutants.EQUIVALENTS), mutants.listed(mutants.SURVIVORS)
    survivors = [f for f in fates if not f.killer and f.mutant.key not in listed]
    new = [f for f in survivors if f.mutant.key not in known]
    wrongly = [f for f in fates if f.killer and f.mutant.key in listed]
    better = [f for f in fates if f.killer and f.mutant.key in known]
    there = {m.key for unit in units.units.values() for m in unit.mutants}
    gone = [key for key in (*listed, *known) if o.sample is None and key not in there]
    for f in new:
        print(f"survivor: {f.mutant.key}\n{diff(units.units[f.mutant.unit], f.mutant)}")
    for f in wrongly:
        print(f"listed as equivalent, but noticed by {f.killer}: {f.mutant.key}")
    for f in better:
        print(f"noticed now by {f.killer}, take it out of src/host/survivors: {f.mutant.key}")
    for key in gone:
        print(f"listed, but there is no such mutant any more: {key}")
    equivalent = sum(1 for f in fates if not f.killer and f.mutant.key in listed)
    killed = sum(1 for f in fates if f.killer)
    kinds = collections.Counter(f.mutant.what for f in fates)
    print("kinds: " + ", ".join(f"{n} {kind}" for kind, n in kinds.most_common()))
    rate = 100 * killed / max(1, len(fates) - equivalent)
    print(f"{len(fates)} mutants ({units.dropped} more do not compile): {killed} noticed, {equivalent} equivalent, "
          f"{len(survivors)} survive ({len(new)} of them not in src/host/survivors): {rate:.2f} %, {time.monotonic() - began:.0f} s")
    return not (new or wrongly or gone)


def main(argv: list[str]) -> int:
    o, began = options_of(argv), time.monotonic()
    with host.held(host.BUILD / "mutants.lock"):
        if o.sample is not None:
            units = mutants.Units(image="mutants-sample", draw=drawing(o.sample, o.seed))
        else:
            units = mutants.Units()
        for name in o.unit or ():
            if name not in units.units:
                raise host.HostError(f'there is no unit "{name}"')
        runner = mutants.Runner(units, o.jobs, host.FLAVORS if o.flavor == "both" else (o.flavor,))
        if o.fresh:
            runner.cache.clear()
        todo = [(name, i + 1, m) for name, chosen in units.chosen.items() for i, m in enumerate(chosen)
                if not o.unit or name in o.unit]
        sound(runner, {job[0] for job in todo})
        fates = run(runner, todo)
    if o.list:
        for f in fates:
            print(f"{f.killer or '-'}\t{f.mutant.key}")
    return 0 if report(units, fates, o, began) else 1


def sound(runner: mutants.Runner, units: set[str]) -> None:
    """Number 0 of a unit is the unit itself: whoever notices that notices nothing."""
    with futures.ThreadPoolExecutor(runner.jobs) as pool:
        asked = [(u, pool.submit(runner.original, u, f)) for f in runner.flavors for u in sorted(units)]
        asked += [(u, pool.submit(runner.original, u, f, "tests")) for f in runner.flavors for u in sorted(units)[:1]]
        asked += [(u, pool.submit(runner.original, u, runner.flavors[0], "release")) for u in sorted(units)]
        for unit, why in asked:
            if why.result():
                raise host.HostError(f"{unit} itself is noticed by {why.result()}: repair that first")


if __name__ == "__main__":
    host.main(main)
