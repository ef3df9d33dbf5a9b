#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A lab under Bochs' debugger, led by its script (`make debug LAB=n`)."""

import argparse
import sys
from pathlib import Path

from hatlab import debug, host, lab


def say(text: str) -> None:
    print(text, flush=True)


def ask(prompt: str) -> str | None:
    try:
        return input(prompt)
    except EOFError:
        return None


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="debug.py", description=__doc__,
                                     epilog="Exit code: 0 a stop was reached, 1 none was, 2 no run was possible.")
    parser.add_argument("--lab", required=True, metavar="N")
    parser.add_argument("--flavor", choices=host.FLAVORS, default="amd64")
    parser.add_argument("--cpus", type=int, metavar="N", help="default: what the script says, else 1")
    parser.add_argument("--args", default="", help="more words for the kernel's command line")
    parser.add_argument("--solved", action="store_true", help="the answers in place of your files")
    parser.add_argument("--script", type=Path, help="another script than the lab's")
    options = parser.parse_args(argv)
    try:
        import readline                     # noqa: F401  (line editing, where there is a terminal)
    except ImportError:
        pass
    attended = sys.stdin.isatty() and sys.stdout.isatty()
    return debug.start(lab.get(options.lab), options.flavor, options.cpus, options.args, say, ask if attended else None,
                       options.solved, options.script and options.script.resolve())


if __name__ == "__main__":
    host.main(main)
