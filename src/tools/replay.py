#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Stop in Bochs' debugger where a check of the last `make grade` begins to use your code (`make replay CHECK=name`)."""

import argparse
import sys
from pathlib import Path

from hatlab import host, lab, replay


def ask(prompt: str) -> str | None:
    try:
        return input(prompt)
    except EOFError:
        return None


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="replay.py", description=__doc__,
                                     epilog="Exit code: 0 the place was reached, 1 it was not.")
    parser.add_argument("--check", required=True, metavar="NAME", help="as `make grade` names it")
    parser.add_argument("--lab", type=int, metavar="N", help="where two labs have a line of that name: together, plain")
    parser.add_argument("--flavor", choices=[*host.FLAVORS, "both"], default="both",
                        help="default: the kernel that lost points, amd64 first")
    parser.add_argument("--result", type=Path, default=replay.RESULT, metavar="FILE", help="default: build/grade.json")
    options = parser.parse_args(argv)
    try:
        import readline                     # noqa: F401  (line editing, where there is a terminal)
    except ImportError:
        pass
    attended = sys.stdin.isatty() and sys.stdout.isatty()
    flavor = None if options.flavor == "both" else options.flavor
    try:
        return replay.start(options.result, options.check, options.lab, flavor, lambda text: print(text, flush=True),
                            ask if attended else None)
    except lab.LabError as error:
        raise host.HostError(str(error)) from None


if __name__ == "__main__":
    host.main(main)
