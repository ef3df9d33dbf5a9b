#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Grade labs: what each check says, why, and the score (docs/grader.md)."""

import argparse
import sys
from pathlib import Path

from hatlab import gradeall, host


def options_of(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="grade.py", description=__doc__,
                                     epilog="Exit code: 0 all points, 1 fewer, 2 there was nothing to grade.")
    parser.add_argument("--lab", default="all", help="a number, several with commas, or all (default)")
    parser.add_argument("--flavor", choices=[*host.FLAVORS, "both"], default="both")
    parser.add_argument("--cpus", type=int, default=1, metavar="N")
    parser.add_argument("--solved", action="store_true", help="grade the solutions")
    parser.add_argument("--folder", metavar="DIR", help="grade the files in DIR/labN-*/, below the top of the tree (default: labs)")
    parser.add_argument("--id", default="", metavar="NAME", help="whose answers: addresses, frames and orders depend on it")
    parser.add_argument("--seed", type=int, metavar="N", help="where random numbers start, instead of what --id gives")
    parser.add_argument("--jobs", type=int, metavar="N", help="boots side by side (default: as many as there are cores)")
    parser.add_argument("--plain", action="store_true", help="plain lines, as when not on a terminal")
    parser.add_argument("--json", type=Path, default=host.BUILD / "grade.json", metavar="FILE", help="default: build/grade.json")
    parser.add_argument("--count", action="store_true", help="also print boots and emulated instructions")
    return parser.parse_args(argv)


def main(argv: list[str]) -> int:
    o = options_of(argv)
    folder = o.folder or ("solutions" if o.solved else "labs")
    terminal = sys.stdout.isatty() and not o.plain
    flavors = list(reversed(host.FLAVORS)) if o.flavor == "both" else [o.flavor]
    run = gradeall.Run(gradeall.labs_of(o.lab), flavors, folder, o.id, o.seed, o.cpus, o.jobs, terminal)
    scores = run.grade()
    run.write(o.json)
    if o.count:
        for s in scores:
            print(f"lab {s.lab} {s.flavor}: {s.boots} boots, {s.instructions} instructions")
    points, maximum = sum(s.points for s in scores), sum(s.maximum for s in scores)
    print(f"Score: {points}/{maximum}")
    return 0 if points == maximum else 1


if __name__ == "__main__":
    host.main(main)
