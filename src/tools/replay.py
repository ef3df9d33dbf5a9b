#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Stop in Bochs' debugger where a check of the last `make grade` begins to use your code (`make replay CHECK=name`)."""

import argparse
import sys
from pathlib import Path

from hatlab import host, lab, layout, replay, terminal, ui


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="replay.py", description=__doc__,
                                     epilog="Exit code: 0 the place was reached, 1 it was not.")
    parser.add_argument("--check", required=True, metavar="NAME", help="as `make grade` names it")
    parser.add_argument("--lab", type=int, metavar="N", help="where two labs have a line of that name: together, plain")
    parser.add_argument("--flavor", choices=[*host.FLAVORS, "both"], default="both",
                        help="default: the kernel that lost points, amd64 first")
    parser.add_argument("--result", type=Path, default=replay.RESULT, metavar="FILE", help="default: build/grade.json")
    parser.add_argument("--ui", choices=ui.CHOICES, default="auto", help="Bochs' windows, panes of this terminal, or just the terminal")
    options = parser.parse_args(argv)
    flavor = None if options.flavor == "both" else options.flavor
    data, row = replay.find_row(options.result, options.check, options.lab, flavor)
    which = lab.get(row["lab"])
    shown = ui.chosen(options.ui)
    if shown == "panes":
        return layout.run([sys.executable, *sys.argv], which)
    return replay.start(data, row, terminal.say, terminal.asker(), layout.here(which), shown == "windows")


if __name__ == "__main__":
    host.main(main)
