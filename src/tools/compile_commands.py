#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Write compile_commands.json, from which clangd and other editor helpers learn how each file is compiled.

The commands are what make would run (its dry run), so flags are said in the makefiles only. There is one entry per file and
flavour; an editor that wants one takes the first, amd64. A file that is compiled for the kernel and for the pretend machine has
the kernel's entry. What stands in right/ and wrong/ of solutions/ is compiled like the unit that it stands for.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

from hatlab import host

FLAVORS = ("amd64", "i386")  # the order of the entries
# What make is asked for: the kernel with all checks, students' files, a trial link, user programs, the pretend machine, fuzzers, schedules, counters.
MAKES = (
    ("src/kernel.mk", ("IMAGE=editor", "TESTS=1")),
    ("src/kernel.mk", ("IMAGE=editor", "LAB=all", "TESTS=1")),
    ("src/kernel.mk", ("IMAGE=editor", "LAB=1")),
    ("src/user/user.mk", ()),
    ("src/host/host.mk", ("SANITIZE=",)),
    ("src/host/host.mk", ("FUZZ=1", "SANITIZE=", "CC=cc")),
    ("src/host/sched/sched.mk", ("WATCH=", "PLANTS=")),
    ("src/host/host.mk", ("SANITIZE=", "CHECKS=labs/lab1-entries/checks_step.c")),
    ("src/kernel.mk", ("IMAGE=editor", "COVERAGE=1")),
    ("src/host/host.mk", ("COVERAGE=1",)),
)
DROPPED = ("-MMD", "-MP")  # these would write files


def dry_run(makefile: str, words: tuple[str, ...], flavor: str) -> str:
    """The commands of one build."""
    environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    command = ["make", "--no-print-directory", "-n", "-B", "-f", makefile, f"FLAVOR={flavor}", *words]
    done = subprocess.run(command, cwd=host.ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise host.HostError(f"{' '.join(command)} failed: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
    return done.stdout


def compilations(text: str) -> Iterator[tuple[str, list[str]]]:
    """(source, arguments) of every compilation among the commands."""
    for line in text.splitlines():
        if " -c -o " not in line:
            continue
        words = [w for w in shlex.split(line) if w not in DROPPED]
        source = words[-1]
        if not source.startswith("build/"):
            yield source, words


def variants(unit: str, words: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Other answers and mistakes beside a unit of solutions/: right/UNIT-WHAT.c and wrong/UNIT-WHAT.c."""
    path = Path(unit)
    for variant in sorted((host.ROOT / path.parent).glob(f"*/{path.stem}-*.c")):
        name = str(variant.relative_to(host.ROOT))
        yield name, [*words[:-1], name]


def entries(flavor: str) -> list[dict]:
    """All entries of one flavour."""
    found: dict[str, list[str]] = {}
    for makefile, words in MAKES:
        for source, command in compilations(dry_run(makefile, words, flavor)):
            found.setdefault(source, command)
    for source, command in list(found.items()):
        if source.startswith("solutions/"):
            for variant, its_command in variants(source, command):
                found.setdefault(variant, its_command)
    top = str(host.ROOT)
    return [{"directory": top, "file": f, "output": c[c.index("-o") + 1], "arguments": c} for f, c in sorted(found.items())]


def main(argv: list[str]) -> int:
    """The only argument is the file to write."""
    out = Path(argv[0] if argv else host.ROOT / "compile_commands.json")
    lines = [json.dumps(entry) for flavor in FLAVORS for entry in entries(flavor)]
    out.write_text("[\n" + ",\n".join(lines) + "\n]\n")
    print(f"{out}: {len(lines)} entries")
    return 0


if __name__ == "__main__":
    host.main(main)
