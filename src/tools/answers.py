#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Print a student's measured questions, judge answers.txt, or write the files that need it (docs/answers.md)."""

import argparse
import sys
from pathlib import Path

from hatlab import answers, host, lab, questions


def options_of(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="answers.py", description=__doc__)
    parser.add_argument("--lab", type=int, choices=sorted(questions.LABS), required=True)
    parser.add_argument("--id", help="the student (default: the file labs/id)")
    parser.add_argument("--flavor", choices=("both", *questions.MODES), default="both")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--judge", metavar="DIR", nargs="?", const="", help="judge DIR/answers.txt (default: the lab's folder in labs/)")
    what.add_argument("--fill", action="store_true", help=f"write solutions/labN-*/answers.txt, for the id {answers.SOLVER}")
    what.add_argument("--template", action="store_true", help="write labs/labN-*/answers.txt, empty")
    return parser.parse_args(argv)


def student(o: argparse.Namespace) -> str:
    return lab.student_id(override=o.id)


def flavors(o: argparse.Namespace) -> list[str]:
    return list(questions.MODES) if o.flavor == "both" else [o.flavor]


def judge(o: argparse.Namespace) -> int:
    folder = Path(o.judge) if o.judge else answers.lab_folder(host.ROOT / "labs", o.lab)
    have = total = 0
    for problem in answers.read(folder).problems:
        print(problem)
    for flavor in flavors(o):
        for question, points, maximum, reason in answers.grade(o.lab, flavor, folder, student(o)):
            print(f"{question:<10} {points:>3}/{maximum:<3} {reason}".rstrip())
            have, total = have + points, total + maximum
    print(f"answers: {have}/{total}")
    return 0


def filled(number: int) -> str:
    values = {}
    for flavor in questions.MODES:
        values.update(answers.truths(questions.sheet(number, flavor, answers.SOLVER)))
    return answers.template(number, values)


def write(root: str, number: int, text: str) -> None:
    folder = answers.lab_folder(host.ROOT / root, number)
    (folder / answers.FILE).write_text(text)
    print(f"written: {(folder / answers.FILE).relative_to(host.ROOT)}")


def main(argv: list[str]) -> int:
    o = options_of(argv)
    if o.judge is not None:
        return judge(o)
    if o.fill:
        write("solutions", o.lab, filled(o.lab))
    elif o.template:
        write("labs", o.lab, answers.template(o.lab))
    else:
        for flavor in flavors(o):
            print(answers.told(questions.sheet(o.lab, flavor, student(o))))
    return 0


if __name__ == "__main__":
    host.main(main)
