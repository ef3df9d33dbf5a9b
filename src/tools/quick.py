#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The checks of a lab in the pretend machine, at both widths, at once after an edit (docs/quick.md). It gives no points."""

import argparse
import os
import sys
from concurrent import futures

from hatlab import host, lab, pretend


def options_of(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="quick.py", description=__doc__,
                                     epilog="Exit code: 0 all checks are ok, 1 not all, 2 there is nothing to run.")
    parser.add_argument("--lab", required=True, help="a number")
    parser.add_argument("--flavor", choices=[*host.FLAVORS, "both"], default="both")
    parser.add_argument("--solved", action="store_true", help="the solutions")
    parser.add_argument("--folder", metavar="DIR", help="the files in DIR/labN-*/ (default: labs)")
    parser.add_argument("--id", default="", metavar="NAME", help="whose: addresses and frames depend on it")
    parser.add_argument("--seed", type=int, metavar="N", help="where random numbers start, instead of what --id gives")
    return parser.parse_args(argv)


def copies(the_lab: lab.Lab, folder: str) -> list[str]:
    return [f"mine:{unit}={os.path.relpath(the_lab.folder(folder) / f'{unit}.c', host.ROOT)}" for unit in the_lab.unit_names]


def seed_of(o: argparse.Namespace, the_lab: lab.Lab, folder: str) -> int:
    """As the grader has it, so that it says the same."""
    if o.seed is not None:
        return o.seed
    named = o.id or (not o.solved and (host.ROOT / folder / lab.ID_FILE).exists())
    return lab.seed(lab.student_id(folder, o.id or None) if named else "solution" if o.solved else "nobody", the_lab)


def one(the_lab: lab.Lab, flavor: str, folder: str, seed: int) -> pretend.Outcome:
    program = pretend.build(the_lab, flavor, copies(the_lab, folder))
    return pretend.Run(program, the_lab.number, flavor, seed).all()


def show(outcome: pretend.Outcome, seed: int, the_lab: lab.Lab, colour: bool) -> bool:
    rows = list(outcome.verdicts.items())
    if outcome.together:
        rows.append(("together", outcome.together))
    bad = [row for row in rows if row[1][0] != "ok"]
    print(f"lab {the_lab.number}, {outcome.flavor} (seed {seed}): {len(rows) - len(bad)} of {len(rows)} ok")
    for name, (result, text) in rows:
        word = {"ok": "ok   ", "todo": "todo "}.get(result, "WRONG")
        if colour:
            word = f"\x1b[{'32' if result == 'ok' else '31'}m{word}\x1b[0m"
        print(f"  {word} {name}" + (f": {text}" if text else ""))
    return not bad


def main(argv: list[str]) -> int:
    o = options_of(argv)
    the_lab = lab.get(o.lab)
    if not the_lab.units:
        raise host.HostError(f"lab {o.lab} has no code: there is nothing to run")
    folder = o.folder or ("solutions" if o.solved else "labs")
    flavors = list(reversed(host.FLAVORS)) if o.flavor == "both" else [o.flavor]
    seed = seed_of(o, the_lab, folder)
    with host.held(host.BUILD / f"quick{the_lab.number}.lock"), futures.ThreadPoolExecutor(len(flavors)) as pool:
        outcomes = list(pool.map(lambda flavor: one(the_lab, flavor, folder, seed), flavors))
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    good = [show(outcome, seed, the_lab, colour) for outcome in outcomes]
    print(f"This was the pretend machine, and it gives no points: Bochs does, with  make grade LAB={the_lab.number}"
          f"{' SOLVED=1' if o.solved else ''}")
    return 0 if all(good) else 1


if __name__ == "__main__":
    host.main(main)
