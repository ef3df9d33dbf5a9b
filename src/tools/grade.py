#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Grade labs: what each check says, why, and the score (docs/grader.md)."""

import argparse
import os
import sys
from pathlib import Path

from hatlab import gradeall, host, lab, submission


def options_of(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="grade.py", description=__doc__,
                                     epilog="Exit code: 0 all points, 1 fewer, 2 there was nothing to grade.")
    parser.add_argument("--lab", default="all", help="a number, several with commas, or all (default)")
    parser.add_argument("--flavor", choices=[*host.FLAVORS, "both"], default="both")
    parser.add_argument("--cpus", type=int, default=1, metavar="N")
    parser.add_argument("--solved", action="store_true", help="grade the solutions")
    parser.add_argument("--folder", metavar="DIR",
                        help="grade the files in DIR/labN-*/, below the top of the tree (default: labs)")
    parser.add_argument("--submission", type=Path, metavar="FILE", help="grade what was handed in (docs/handin.md)")
    parser.add_argument("--id", default="", metavar="NAME", help="whose answers: addresses, frames and orders depend on it")
    parser.add_argument("--seed", type=int, metavar="N", help="where random numbers start, instead of what --id gives")
    parser.add_argument("--jobs", type=int, metavar="N", help="boots side by side (default: as many as there are cores)")
    parser.add_argument("--plain", action="store_true", help="plain lines, as when not on a terminal")
    parser.add_argument("--json", type=Path, default=host.BUILD / "grade.json", metavar="FILE", help="default: build/grade.json")
    parser.add_argument("--no-plain", action="store_true", help="leave out the line `plain`")
    parser.add_argument("--trust", action="store_true",
                        help="grade units whatever is in them (tests of the grader: never a student's)")
    parser.add_argument("--count", action="store_true", help="also print boots and emulated instructions")
    return parser.parse_args(argv)


def main(argv: list[str]) -> int:
    try:
        return grade(options_of(argv))
    except lab.LabError as error:
        raise host.HostError(str(error)) from None


def whose(o: argparse.Namespace) -> tuple[str, str, str]:
    """(folder, student, labs) to grade."""
    if o.submission:
        got = submission.read(o.submission, None if o.lab == "all" else o.lab)
        return os.path.relpath(submission.extract(got), host.ROOT), got.student, str(got.lab.number)
    folder = o.folder or ("solutions" if o.solved else "labs")
    if o.id or (not o.solved and (host.ROOT / folder / lab.ID_FILE).exists()):
        return folder, lab.student_id(folder, o.id or None), o.lab
    return folder, "solution" if o.solved else "nobody", o.lab


def grade(o: argparse.Namespace) -> int:
    folder, student, wanted = whose(o)
    terminal = sys.stdout.isatty() and not o.plain
    flavors = list(reversed(host.FLAVORS)) if o.flavor == "both" else [o.flavor]
    run = gradeall.Run(gradeall.labs_of(wanted), flavors, folder, student, o.seed, o.cpus, o.jobs, terminal)
    run.trust, run.without_plain = o.trust, o.no_plain
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
