#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A lab under Bochs' debugger, led by its script (`make debug LAB=n`)."""

import argparse
import sys
from pathlib import Path

from hatlab import debug, host, lab, layout, terminal, ui


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="debug.py", description=__doc__,
                                     epilog="Exit code: 0 a stop was reached, 1 none was, 2 no run was possible.")
    parser.add_argument("--lab", required=True, metavar="N")
    parser.add_argument("--check", default="", metavar="NAME", help="begin where this check of the lab first calls your code")
    parser.add_argument("--point", default="", metavar="NAME", help="begin at this checkpoint, scene's stop or function of the reference kernel")
    parser.add_argument("--flavor", choices=host.FLAVORS, default="amd64")
    parser.add_argument("--cpus", type=int, metavar="N", help="default: what the script says, else 1")
    parser.add_argument("--args", default="", help="more words for the kernel's command line")
    parser.add_argument("--solved", action="store_true", help="the answers in place of your files")
    parser.add_argument("--script", type=Path, help="another script than the lab's")
    parser.add_argument("--ui", choices=ui.CHOICES, default="auto", help="Bochs' windows, panes of this terminal, or just the terminal")
    o = parser.parse_args(argv)
    if o.check and o.point:
        raise host.HostError("a session begins at one place: CHECK or CP, not both")
    which = lab.get(o.lab)
    shown = ui.chosen(o.ui)
    if shown == "panes":
        return layout.run([sys.executable, *sys.argv], which)
    wish = debug.Wish(which, o.flavor, o.cpus, o.args, o.solved, o.script and o.script.resolve(), o.check, o.point)
    return debug.start(wish, terminal.say, terminal.asker(), layout.here(which), shown == "windows")


if __name__ == "__main__":
    host.main(main)
