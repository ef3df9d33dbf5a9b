#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Check handouts, or bring the outputs that they show up to date (docs/handouts.md)."""

import argparse
import sys
from pathlib import Path

from hatlab import handout, host


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="handout.py", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="default: labs/*/handout.md")
    parser.add_argument("--update", action="store_true", help="run every block and rewrite the output lines that no longer match")
    parser.add_argument("--text", action="store_true", help="look at the text alone, run nothing")
    o = parser.parse_args(argv)
    problems = 0
    for path in o.files or handout.handouts():
        if not path.is_file():
            raise host.HostError(f"{path} is not there")
        out = handout.read(path)
        handout.structure(out)
        if not o.text:
            handout.Player(out, o.update, lambda text: print(text, file=sys.stderr, flush=True)).play()
        print("\n".join(out.problems) if out.problems else f"{out.name}: ok")
        problems += len(out.problems)
    return 1 if problems else 0


if __name__ == "__main__":
    host.main(main)
