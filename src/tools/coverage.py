#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Which lines and branches of src/hat and solutions/ the tests take (`make coverage`).

Builds, for each width, the host program and a kernel that count what they execute, runs what the tests run, and says
what was never reached.  Fails when a gap is not explained in coverage.explained, when an explanation is no longer needed, when
nothing reaches what a row of Appendix B names (appendix-b), or when a run goes wrong.  The report is build/coverage.txt, as pages
build/coverage/html/index.html; with both widths the table in docs/coverage-b.md is written anew.  docs/coverage.md: what counts, and how to
explain.

Runs of a kernel that has not changed since are not repeated: --again repeats them, --judge runs nothing at all.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

from hatlab import appendixb, coverage, covpages, covruns, host, panics
from hatlab.covruns import say
from hatlab.host import BUILD, FLAVORS, ROOT, TOOLS, HostError

EXPLAINED = TOOLS / "coverage.explained"


def collect_all(flavors: list[str], again: bool) -> None:
    """Both widths side by side, each in a process of its own."""
    words = [sys.executable, __file__, "--collect"] + ["--again"] * again
    children = [subprocess.Popen([*words, "--flavor", flavor]) for flavor in flavors]
    try:
        codes = [child.wait() for child in children]
    finally:
        for child in children:
            child.terminate()
        for child in children:
            child.wait()
    if any(codes):
        raise HostError("not all could be run")


# ------------------------------------------------------------------------------------------------------------- judging


def table(counts: dict[str, dict[str, coverage.Count]]) -> list[str]:
    """Lines and branches per file and width."""
    files = sorted({file for each in counts.values() for file in each})
    rows = [f"{'file':<44}" + "".join(f"{f'{w} lines':>14}{'branches':>12}" for w in counts)]
    for file in files:
        row = f"{file:<44}"
        for each in counts.values():
            c = each.get(file, coverage.Count())
            row += f"{f'{c.reached}/{c.lines}':>14}{f'{c.taken}/{c.branches}':>12}"
        rows.append(row)
    return rows


def total(each: dict[str, coverage.Count], folder: str) -> str:
    """One line for all files of a folder."""
    return str(coverage.total(c for file, c in each.items() if file.startswith(folder)))


def excuse_panics(gaps: list[coverage.Gap], width: str) -> int:
    """A gap that only leads to panics which tests of this width reach, with wrong units for instance, is explained; how many are."""
    found = 0
    for gap in gaps:
        tests = [panics.reached_by(gap.function, gap.file, message, width) for message in gap.panics]
        if gap.why is None and tests and all(tests):
            gap.why = f"panics: reached by {', '.join(sorted(set(sum(tests, []))))} (docs/panics.md)"
            found += 1
    return found


def judge(flavor: str) -> coverage.Judged:
    """What the last runs of a width have left, and why."""
    measured = covruns.Measured.read(covruns.FOLDER / f"{flavor}.json")
    sources = {file: coverage.Source((ROOT / file).read_text()) for file, _, _ in measured.lines}
    counts, gaps = coverage.judge(measured.lines, sources)
    idle = coverage.explain(gaps, flavor, coverage.explanations(EXPLAINED))
    return coverage.Judged(flavor, measured.lines, counts, gaps, idle, excuse_panics(gaps, flavor), measured.wrong)


def report(widths: list[coverage.Judged]) -> tuple[list[str], bool]:
    """The whole report, and whether all is well."""
    body, totals = [], []
    for width in widths:
        open_gaps = width.open_gaps
        units = sum(gap.file.startswith("solutions/") for gap in open_gaps)
        body += ["", f"{width.flavor}: not reached"] + [f"  {gap}\n      {gap.why or 'NOT EXPLAINED'}" for gap in width.gaps]
        body += [f"{EXPLAINED.relative_to(ROOT)}:{e.line}: no longer needed for {width.flavor}: {e.function}: {e.text}" for e in width.idle]
        body += [f"run failed: {text}" for text in width.wrong]
        totals.append(f"{width.flavor}: solutions {total(width.counts, 'solutions/')}; src/hat {total(width.counts, 'src/hat/')}; "
                      f"{len(width.gaps)} gaps: {len(width.gaps) - len(open_gaps)} explained, {width.by_panics} of them by tests of panics; "
                      f"{units} not explained in solutions/, {len(open_gaps) - units} in src/hat; "
                      f"{len(width.idle)} explanations too many; {len(width.wrong)} runs failed")
    return table({width.flavor: width.counts for width in widths}) + body + [""] + totals, all(width.well for width in widths)


def appendix_b(rows: list[appendixb.Row], flavors: list[str]) -> tuple[dict[str, appendixb.Cells], list[str]]:
    """Measure the rows, write their table where both widths are known; what is wrong with them."""
    widths = {flavor: covruns.Measured.read(covruns.FOLDER / f"{flavor}.json") for flavor in flavors}
    cells, wrong = appendixb.measure(rows, widths)
    if not wrong and set(flavors) == set(FLAVORS) and not any(measured.wrong for measured in widths.values()):
        before = appendixb.PAGE.read_text(encoding="utf-8")
        after = appendixb.page(before, rows, cells)
        if after != before:
            appendixb.PAGE.write_text(after, encoding="utf-8")
            say(f"{appendixb.PAGE.relative_to(ROOT)} has a new table")
    return cells, wrong


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--flavor", choices=[*FLAVORS, "both"], default="both")
    parser.add_argument("--again", action="store_true", help="repeat runs that are known already")
    parser.add_argument("--judge", action="store_true", help="run nothing: judge what the last run has left")
    parser.add_argument("--collect", action="store_true", help="run, and judge nothing")
    options = parser.parse_args(argv)
    flavors = sorted(FLAVORS, reverse=True) if options.flavor == "both" else [options.flavor]
    if options.collect:
        for flavor in flavors:
            covruns.collect(flavor, options.again)
        return 0
    if not options.judge:
        collect_all(flavors, options.again)
    widths = [judge(flavor) for flavor in flavors]
    text, well = report(widths)
    rows = appendixb.rows()
    cells, wrong = appendix_b(rows, flavors)
    text[-len(flavors):-len(flavors)] = wrong
    (BUILD / "coverage.txt").write_text("\n".join(text) + "\n")
    print("\n".join(text))
    print(f"as pages: {covpages.write(widths, rows, cells).relative_to(ROOT)}")
    return 0 if well and not wrong else 1


if __name__ == "__main__":
    host.main(main)
