# SPDX-License-Identifier: ISC
"""Everything that counts is run, and what each run has taken is kept by its name (docs/coverage.md).

A run's name is what one would type to repeat it, shortened: `host boot kpm=0`, `panic=attach-link`, `kernel checks=all`. Runs that
differ only in numbers of CPUs or seeds have one name.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from . import gcov, panics
from . import run as hatlab_run
from .host import BUILD, ROOT, HostError, runnable

FOLDER = BUILD / "coverage"
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


def host_list(program: Path) -> list[list[str]]:
    """The program's own list of runs: the words of each."""
    done = subprocess.run(runnable([str(program), "--list"]), cwd=ROOT, capture_output=True, text=True, timeout=HOST_SECONDS)
    if done.returncode != 0 or not done.stdout.strip():
        raise HostError(f"{program} --list: no list of runs")
    return [shlex.split(line) for line in done.stdout.splitlines()]


def host_runs(flavor: str, program: Path) -> list[list[str]]:
    """The list, the long histories, and every panic that the program reaches; on i386 with two levels of tables too."""
    two_levels = [panics.host_words(name, args) for args in ("pae=0", "pae=0 pse=0") if flavor == "i386" for name in TWO_LEVELS]
    return [*host_list(program), *map(list, HOST_RUNS), *map(panics.host_words, panics.host_cases(program)), *two_levels]


def host_name(image: str, words: list[str]) -> str:
    """What a run of the host's program is called."""
    values = {word: value for word, value in zip(words, [*words[1:], ""]) if word.startswith("--")}
    kind = image.removeprefix("coverage").removeprefix("-")
    kind = {"": "", "release": " DEBUG=0"}.get(kind, f" KERNELBASE={kind}")
    more = values.get("--args", "")
    if values["--test"] == "panic":
        return more + kind
    without = [word[2:] for word in values if word.startswith("--no-")]
    return " ".join(["host" + kind, values["--test"], *more.split(), *without])


def host_lines(flavor: str, image: str) -> Iterator[tuple[str, gcov.Lines]]:
    """Each run of one program of the host; without assertions only what asks for misuse."""
    folder = BUILD / f"host-{flavor}-{image}"
    runs = host_runs(flavor, folder / "unit") if image == "coverage" else RELEASE_RUNS if image == "coverage-release" else BASE_RUNS
    say(f"{flavor}: host {image}: {len(runs)} runs")
    for words in runs:
        for old in folder.rglob("*.gcda"):
            old.unlink()
        command(*map(str, runnable([str(folder / "unit"), *words])), seconds=HOST_SECONDS)
        yield host_name(image, list(words)), gcov.read(folder.rglob("*.gcda"), ROOT, WANTED)


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


def kernel_name(image: str, args: str) -> str:
    """What a run of a kernel is called."""
    words = [word for word in args.split() if word not in CHECKS.split()]
    if image != "coverage":
        return " ".join(["kernel DEBUG=0 checks of misuse", *(word for word in words if not word.startswith("checks="))])
    return " ".join(["kernel", *([] if "checks=" in args else ["tour"]), *words])


def kernel_lines(flavor: str, image: str, again: bool, wrong: list[str]) -> Iterator[tuple[str, gcov.Lines]]:
    """Each run of the kernels of one image; what went wrong is added to a list."""
    for cpus, args in kernel_runs(flavor, image):
        console, problem = boot(flavor, image, cpus, args, again)
        told = gcov.Told()
        if problem is None and told.add(console) == 0:
            problem = "no counters"
        if problem:
            wrong.append(f"{flavor}: {image}, {cpus} CPUs, {args}: {problem}")
        else:
            yield kernel_name(image, args), gcov.read(told.write(), ROOT, WANTED)


# ------------------------------------------------------------------------------------------------------------- keeping


class Measured:
    """What all runs of one width have taken, and each of them: `runs` has, by name and line, a set of bits: bit 0 the line, bit n its n-th
    branch."""

    def __init__(self) -> None:
        self.lines: gcov.Lines = {}
        self.runs: dict[str, dict[gcov.Key, int]] = {}
        self.wrong: list[str] = []

    def add(self, name: str, lines: gcov.Lines) -> None:
        gcov.merge(self.lines, lines.values())
        taken = self.runs.setdefault(name, {})
        for key, line in lines.items():
            if line.count:
                same = len(line.branches) == len(self.lines[key].branches)
                taken[key] = taken.get(key, 0) | 1 | sum((n > 0) << i for i, n in enumerate(line.branches, 1) if same)

    def write(self, path: Path) -> None:
        lines = [[*key, line.count, line.branches] for key, line in self.lines.items()]
        runs = {name: [taken.get(key, 0) for key in self.lines] for name, taken in self.runs.items()}
        path.write_text(json.dumps({"wrong": self.wrong, "lines": lines, "runs": runs}))

    @classmethod
    def read(cls, path: Path) -> Measured:
        if not path.exists():
            raise HostError(f"{path} is missing: nothing has been run yet")
        data, self = json.loads(path.read_text()), cls()
        self.wrong = data["wrong"]
        self.lines = {(f, fn, n): gcov.Line(f, fn, n, count, branches) for f, fn, n, count, branches in data["lines"]}
        self.runs = {name: dict(zip(self.lines, bits)) for name, bits in data.get("runs", {}).items()}
        return self


def collect(flavor: str, again: bool) -> None:
    """Run everything of one width and leave what was taken in build/coverage."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    say(f"{flavor}: build")
    make(flavor)
    measured = Measured()
    for image in ("coverage", "coverage-release", *(f"coverage-{base}" for base in BASES[flavor])):
        for name, lines in host_lines(flavor, image):
            measured.add(name, lines)
    for image in ("coverage", "coverage-release"):
        for name, lines in kernel_lines(flavor, image, again, measured.wrong):
            measured.add(name, lines)
    measured.write(FOLDER / f"{flavor}.json")
