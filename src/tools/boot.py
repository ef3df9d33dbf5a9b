#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Boot one kernel on Bochs, show what it says, and exit by its verdict."""

import argparse
import sys
from pathlib import Path

from hatlab import host, run


def say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def options_of(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="boot.py", description=__doc__,
        epilog="Exit code: 0 %%done result=ok (or the symbol was reached), 1 anything else, 2 no run was possible.",
    )
    parser.add_argument("--flavor", choices=host.FLAVORS, default="amd64")
    parser.add_argument("--args", default="", metavar="'k=v ...'", help="the kernel's command line")
    parser.add_argument("--cpus", type=int, default=1, metavar="N")
    parser.add_argument("--mem", type=int, metavar="MB", help="memory size (default: as in bochsrc)")
    parser.add_argument("--image", type=Path, metavar="FILE", help="boot this image (default: build/FLAVOR/hatlab.iso)")
    parser.add_argument("--kernel", type=Path, metavar="ELF", help="where the symbols are (default: build/FLAVOR/kernel.elf)")
    parser.add_argument("--multiboot2", action="store_true", help="use Multiboot 2 instead of 1")
    parser.add_argument("--instructions-to", metavar="SYMBOL", help="stop there and print the emulated instructions so far")
    parser.add_argument("--total", action="store_true", help="print the emulated instructions at %%done")
    parser.add_argument("--deadline", type=int, default=run.INSTRUCTIONS, metavar="N", help="emulated instructions at most (one CPU)")
    parser.add_argument("--timeout", type=float, default=run.SECONDS, metavar="S", help="seconds at most")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the run's files under DIR")
    parser.add_argument("-q", "--quiet", action="store_true", help="do not show what the kernel says")
    return parser.parse_args(argv)


def main(argv: list[str]) -> int:
    o = options_of(argv)
    counting = o.instructions_to or o.total
    result = run.boot(
        o.flavor, o.args, cpus=o.cpus, mem=o.mem, image=o.image, kernel=o.kernel, deadline=o.deadline,
        timeout=o.timeout, on_text=None if o.quiet or counting else say, until=o.instructions_to, keep=o.keep,
        multiboot2=o.multiboot2,
    )
    if result.kept:
        print(f"boot: files kept in {result.kept}", file=sys.stderr)
    problem = result.problem
    if o.instructions_to and result.exit == "ok":
        problem = f"ran to %done without reaching {o.instructions_to}"
    if problem:
        print(f"boot: {o.flavor} {problem}", file=sys.stderr)
        for line in result.details:
            print(f"  {line}", file=sys.stderr)
        return 1
    if counting:
        print(result.instructions)
    return 0


if __name__ == "__main__":
    host.main(main)
