#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Which lines and branches of src/hat and solutions/ the tests take (`make coverage`).

Builds, for each width, the host program and a kernel that count what they execute, runs what the tests run, and says
what was never reached.  Fails when a gap is not explained in coverage.explained, when an explanation is no longer needed, or when a
run goes wrong.  The report is build/coverage.txt.  docs/coverage.md: what counts, and how to explain.

Runs of a kernel that has not changed since are not repeated: --again repeats them, --judge runs nothing at all.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from hatlab import coverage, gcov, host, panics
from hatlab import run as hatlab_run
from hatlab.host import BUILD, FLAVORS, ROOT, TOOLS, HostError

FOLDER = BUILD / "coverage"
EXPLAINED = TOOLS / "coverage.explained"
WANTED = re.compile(r"(src/hat|solutions)/(?!.*/wrong/)")
BUILD_SECONDS = 280
HOST_SECONDS = 280
BOOT_SECONDS = 900
INSTRUCTIONS = 20_000_000_000

# What the tests boot (src/tests): the ways of each kernel; the words of each run, its numbers of CPUs, and whether it goes all ways.
MODES = {"i386": ("", "pae=0"), "amd64": ("", "kpm=0")}
CHECKS = "tour=0 check_ticks=30000 watchdog=0 "
KERNEL_RUNS = (
    ("watchdog=0", (1,), True),  # the tour with its checkpoints, and what is printed there
    (CHECKS + "checks=all", (1, 4), True),  # with the client programs
    (CHECKS + "checks=force-steal run_ops=1000 htable_reserve_amount=4 seed=7", (1, 4), False),
    (CHECKS + "checks=force-steal,steal-load run_ops=300 page_fail_after=50 seed=3", (1,), False),
    (CHECKS + "checks=upper-history seed=2", (1,), False),
)
# Without large pages some checks have nothing to check.
MORE_RUNS = {"i386": ((1, "pae=0 pse=0 watchdog=0"), (1, f"pae=0 pse=0 {CHECKS}checks=lab1,lab3,lab6")), "amd64": ()}
# Checks that promise how much happens: a kernel that counts is several times slower, and other races are won in it.
SLOW = {"client-pressure": "rounds", "prop-protect": "no writer was ever stopped in the middle",
        "prop-release": "found 0 times", "guests-wait": "nobody was ever stopped"}
# The kernel without assertions: what an upper layer may not do.
MISUSE = re.findall(r'^CHECK\(\w+, "([\w-]+)"', (ROOT / "src/check/tests/misuse.c").read_text(), re.M)
RELEASE_KERNEL_RUNS = ((CHECKS + "checks=" + ",".join(MISUSE), (1,), True),)
# And what the host's own list does not have.
HOST_RUNS = (("--test", "history", "--seed", "1001", "--steps", "100000"),
             ("--test", "history", "--seed", "1002", "--steps", "50000", "--kmem-fail", "3", "--args", "force_steal=2 page_fail_after=5"))
RELEASE_RUNS = (("--test", "misuse"),)
# A kernelbase inside a directory's gigabyte, so that slots one level lower are copied (test_host.test_host_kernelbase).
BASES = {"i386": ("0xd0800000", "0xb0800000"), "amd64": ()}
BASE_RUNS = (("--test", "boot"), ("--test", "branches", "--cpus", "2"), ("--test", "history", "--steps", "20000"))
TWO_LEVELS = ("attach-reserve", "attach-memory", "attach-page", "attach-link", "map-twice", "unmap-nothing", "no-table")


def say(text: str) -> None:
    print(f"coverage: {text}", flush=True)


# ------------------------------------------------------------------------------------------------------------- running


def command(*words: str, seconds: float) -> None:
    """Run a command at the top of the tree; its last lines, should it fail."""
    try:
        done = subprocess.run(words, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=seconds, env={k: v for k, v in os.environ.items() if k != "MAKEFLAGS"})
    except subprocess.TimeoutExpired:
        raise HostError(f"no end after {seconds:.0f} s: {' '.join(words)}") from None
    if done.returncode != 0:
        raise HostError(f"exit code {done.returncode}: {' '.join(words)}\n{done.stdout[-2000:]}")


def make(flavor: str) -> None:
    """Build the programs and the images: with assertions, and without."""
    bases = [("src/host/host.mk", (f"IMAGE=coverage-{base}", f"KERNELBASE={base}")) for base in BASES[flavor]]
    for file, words in (("src/host/host.mk", ("IMAGE=coverage",)), ("src/host/host.mk", ("IMAGE=coverage-release", "DEBUG=0")), *bases,
                        ("src/kernel.mk", ("IMAGE=coverage", "TESTS=1")),
                        ("src/kernel.mk", ("IMAGE=coverage-release", "TESTS=1", "DEBUG=0"))):
        command("make", "-s", "-f", file, f"FLAVOR={flavor}", "COVERAGE=1", *words, seconds=BUILD_SECONDS)
    command("make", "-s", "-f", "src/user/user.mk", f"FLAVOR={flavor}", f"KERNEL_DIR=build/{flavor}-coverage",
            seconds=BUILD_SECONDS)


def host_runs(flavor: str, program: Path) -> list[list[str]]:
    """The list, the long histories, and every panic that the program reaches; on i386 with two levels of tables too."""
    two_levels = [panics.host_words(name, args) for args in ("pae=0", "pae=0 pse=0") if flavor == "i386" for name in TWO_LEVELS]
    return [[], *map(list, HOST_RUNS), *map(panics.host_words, panics.host_cases(program)), *two_levels]


def host_lines(flavor: str) -> gcov.Lines:
    """Everything that the program of the host runs; without assertions only what asks for misuse."""
    lines = gcov.Lines()
    for image in ("coverage", "coverage-release", *(f"coverage-{base}" for base in BASES[flavor])):
        folder = BUILD / f"host-{flavor}-{image}"
        runs = {"coverage": host_runs(flavor, folder / "unit"), "coverage-release": RELEASE_RUNS}.get(image, BASE_RUNS)
        for old in folder.rglob("*.gcda"):
            old.unlink()
        say(f"{flavor}: host {image}: {len(runs)} runs")
        for words in runs:
            command(str(folder / "unit"), *words, seconds=HOST_SECONDS)
        gcov.merge(lines, gcov.read(folder.rglob("*.gcda"), ROOT, WANTED).values())
    return lines


def kernel_runs(flavor: str, image: str) -> list[tuple[int, str]]:
    """(CPUs, words); several CPUs the first way only, for the time that it takes."""
    wanted = KERNEL_RUNS if image == "coverage" else RELEASE_KERNEL_RUNS
    runs = [(cpus, f"{mode} {args}".strip()) for args, each, all_ways in wanted
            for n, mode in enumerate(MODES[flavor][: None if all_ways else 1]) for cpus in (each if n == 0 else each[:1])]
    return [*runs, *(MORE_RUNS[flavor] if image == "coverage" else ())]


def problem_of(result: hatlab_run.Result) -> str | None:
    """What went wrong, but for checks that promise how much is done in a time."""
    wrong = [record for record in result.reader.find("check-end") if record["result"] != "ok"]
    slow = [record for record in wrong if record["name"] in SLOW and SLOW[record["name"]] in record["text"]]
    if result.exit == "fail" and wrong and wrong == slow and not result.reader.find("invariant"):
        return None
    return result.problem


def boot(flavor: str, image: str, cpus: int, args: str, again: bool) -> tuple[list[str], str | None]:
    """The counters of one run, as lines; and what was wrong with it."""
    folder = BUILD / f"{flavor}-{image}"
    iso = (BUILD / f"{flavor}-coverage-user" if image == "coverage" else folder) / "hatlab.iso"
    key = hashlib.sha1((folder / "kernel.boot").read_bytes() + f"{cpus} {args}".encode()).hexdigest()
    kept = FOLDER / f"{flavor}-{key}.txt"
    if kept.exists() and not again:
        return kept.read_text().splitlines(), None
    began = time.monotonic()
    result = hatlab_run.boot(flavor, args, cpus=cpus, image=iso, kernel=folder / "kernel.elf", deadline=INSTRUCTIONS,
                             timeout=BOOT_SECONDS)
    lines = [line for line in result.console.splitlines() if line.startswith("gcov ")]
    problem = problem_of(result)
    say(f"{flavor}: {image}, {cpus} CPU{'s' * (cpus > 1)}, {args or 'the tour'}: {problem or 'ok'} ({time.monotonic() - began:.0f} s)")
    if problem is None:
        kept.write_text("\n".join(lines))
    return lines, problem


def kernel_lines(flavor: str, image: str, again: bool) -> tuple[gcov.Lines, list[str]]:
    """Everything that the kernels of one image run; and what went wrong."""
    told, wrong = gcov.Told(), []
    for cpus, args in kernel_runs(flavor, image):
        lines, problem = boot(flavor, image, cpus, args, again)
        if problem is None and told.add(lines) == 0:
            problem = "no counters"
        if problem:
            wrong.append(f"{flavor}: {image}, {cpus} CPUs, {args}: {problem}")
    return gcov.read(told.write(), ROOT, WANTED), wrong


def collect(flavor: str, again: bool) -> None:
    """Run everything of one width and leave the counts in build/coverage."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    say(f"{flavor}: build")
    make(flavor)
    lines, wrong = host_lines(flavor), []
    for image in ("coverage", "coverage-release"):
        kernel, problems = kernel_lines(flavor, image, again)
        gcov.merge(lines, kernel.values())
        wrong += problems
    data = {"wrong": wrong, "lines": [[*key, line.count, line.branches] for key, line in lines.items()]}
    (FOLDER / f"{flavor}.json").write_text(json.dumps(data))


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


def load(flavor: str) -> tuple[gcov.Lines, list[str]]:
    path = FOLDER / f"{flavor}.json"
    if not path.exists():
        raise HostError(f"{path} is missing: nothing has been run yet")
    data = json.loads(path.read_text())
    return {(f, fn, n): gcov.Line(f, fn, n, count, branches) for f, fn, n, count, branches in data["lines"]}, data["wrong"]


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
    sums = coverage.Count()
    for c in [c for file, c in each.items() if file.startswith(folder)]:
        sums.lines, sums.reached = sums.lines + c.lines, sums.reached + c.reached
        sums.branches, sums.taken = sums.branches + c.branches, sums.taken + c.taken
    return str(sums)


def excuse_panics(gaps: list[coverage.Gap], width: str) -> int:
    """A gap that only leads to panics which tests of this width reach, with wrong units for instance, is explained; how many are."""
    found = 0
    for gap in gaps:
        tests = [panics.reached_by(gap.function, gap.file, message, width) for message in gap.panics]
        if gap.why is None and tests and all(tests):
            gap.why = f"panics: reached by {', '.join(sorted(set(sum(tests, []))))} (docs/panics.md)"
            found += 1
    return found


def report(flavors: list[str]) -> tuple[list[str], bool]:
    """The whole report, and whether all is well."""
    known = coverage.explanations(EXPLAINED)
    counts, body, totals, well = {}, [], [], True
    for flavor in flavors:
        lines, wrong = load(flavor)
        sources = {file: coverage.Source((ROOT / file).read_text()) for file, _, _ in lines}
        counts[flavor], gaps = coverage.judge(lines, sources)
        idle = coverage.explain(gaps, flavor, known)
        by_panics = excuse_panics(gaps, flavor)
        open_gaps = [gap for gap in gaps if gap.why is None]
        units = sum(gap.file.startswith("solutions/") for gap in open_gaps)
        body += ["", f"{flavor}: not reached"] + [f"  {gap}\n      {gap.why or 'NOT EXPLAINED'}" for gap in gaps]
        body += [f"{EXPLAINED.relative_to(ROOT)}:{e.line}: no longer needed for {flavor}: {e.function}: {e.text}" for e in idle]
        body += [f"run failed: {text}" for text in wrong]
        totals.append(f"{flavor}: solutions {total(counts[flavor], 'solutions/')}; src/hat {total(counts[flavor], 'src/hat/')}; "
                      f"{len(gaps)} gaps: {len(gaps) - len(open_gaps)} explained, {by_panics} of them by tests of panics; "
                      f"{units} not explained in solutions/, {len(open_gaps) - units} in src/hat; "
                      f"{len(idle)} explanations too many; {len(wrong)} runs failed")
        well = well and not (open_gaps or idle or wrong)
    return table(counts) + body + [""] + totals, well


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
            collect(flavor, options.again)
        return 0
    if not options.judge:
        collect_all(flavors, options.again)
    text, well = report(flavors)
    (BUILD / "coverage.txt").write_text("\n".join(text) + "\n")
    print("\n".join(text))
    return 0 if well else 1


if __name__ == "__main__":
    host.main(main)
