#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Draw the page tables of one checkpoint: as a self-contained HTML page, or as text.

    view.py --flavor amd64 --checkpoint user-space -o build/view.html
    view.py --flavor i386 --checkpoint unmapped --before two-spaces -o build/view.html
    view.py --flavor amd64 --checkpoint user-space --text
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from hatlab import host, poke, run
from hatlab.compare import Report, examine
from hatlab.viewdata import page_data
from hatlab.viewpage import page
from hatlab.viewtext import Tree


def options_of(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="view.py", description=__doc__.split("\n")[0],
                                     epilog="Exit code: 0 drawn; 1 the run or the checkpoint failed; 2 no run was possible.")
    parser.add_argument("--flavor", choices=host.FLAVORS, default="amd64")
    parser.add_argument("--args", default="", metavar="'k=v ...'", help="the kernel's command line")
    parser.add_argument("--cpus", type=int, default=1, metavar="N")
    parser.add_argument("--mem", type=int, metavar="MB")
    parser.add_argument("--image", type=Path, metavar="FILE", help="boot this image")
    parser.add_argument("--kernel", type=Path, metavar="ELF", help="where its symbols are")
    parser.add_argument("--checkpoint", metavar="NAME", help="which one (default: the one with the most tables)")
    parser.add_argument("--before", metavar="NAME", help="show what has changed since this earlier checkpoint")
    parser.add_argument("-o", "--out", type=Path, metavar="FILE", help="the page (default: build/view-FLAVOR-NAME.html)")
    parser.add_argument("--text", action="store_true", help="print text instead, folded, as wide as the terminal")
    parser.add_argument("--all", action="store_true", help="with --text: fold nothing")
    parser.add_argument("--ascii", action="store_true", help="with --text: plain characters only")
    parser.add_argument("--timeout", type=float, default=run.SECONDS, metavar="S")
    parser.add_argument("--poke", type=poke.poke, action="append", default=[], metavar="PHYS=VALUE",
                        help="change eight bytes of memory behind the kernel's back at the checkpoint, to see a difference")
    return parser.parse_args(argv)


def reports_of(options: argparse.Namespace) -> tuple[run.Result, list[Report]]:
    """Boot, and compare the witnesses at each checkpoint."""
    reports: list[Report] = []

    def at_checkpoint(machine, cp, reader) -> None:
        def before_reading() -> None:
            if cp.name == options.checkpoint:
                poke.apply(machine, options.poke)

        reports.append(examine(cp, machine, reader.hello["mode"] if reader.hello else "long", before_reading))

    result = run.boot(options.flavor, options.args, cpus=options.cpus, mem=options.mem, image=options.image, kernel=options.kernel,
                      timeout=options.timeout, at_checkpoint=at_checkpoint)
    return result, reports


def choose(reports: list[Report], name: str | None, until: Report | None = None) -> Report:
    """A checkpoint by its name: the last of that name, before another one if that is given."""
    if name is None:
        return max(reports, key=lambda r: sum(len(out.raw.tables) for out in r.hats if out.raw))
    fitting = [r for r in reports if r.checkpoint.name == name and (until is None or r.checkpoint.n < until.checkpoint.n)]
    if not fitting:
        when = f" before {until.checkpoint.name}" if until else ""
        raise host.HostError(f"there is no checkpoint {name}{when}; there are: {' '.join(r.checkpoint.name for r in reports)}")
    return fitting[-1]


def main(argv: list[str]) -> int:
    options = options_of(argv)
    result, reports = reports_of(options)
    if not reports:
        sys.exit(f"view: {options.flavor} {result.problem or 'reached no checkpoint'}")
    report = choose(reports, options.checkpoint)
    before = choose(reports, options.before, report) if options.before else None
    data = page_data(report, options.flavor, options.args, result.reader.hello.number("ram") * 1024, before)
    if options.text:
        width = shutil.get_terminal_size((100, 24)).columns
        print("\n".join(Tree(data, max(width, 60), options.ascii, options.all).lines()))
    else:
        out = options.out or host.BUILD / f"view-{options.flavor}-{report.checkpoint.name}.html"
        out.write_text(page(data), encoding="utf-8")
        print(f"{out}: checkpoint {report.checkpoint.name}, {sum(len(h['tables']) for h in data['hats'])} tables; open it in any browser")
    if not result.ok:
        print(f"view: the run went on badly: {result.problem}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    host.main(main)
