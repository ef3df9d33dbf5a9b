# SPDX-License-Identifier: ISC
"""What docs/panics.md says: every panic of the HAT, and what reaches it."""

from __future__ import annotations

import functools
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

from .host import ROOT, HostError, runnable

PAGE = ROOT / "docs" / "panics.md"
ROW = re.compile(r"^\| `(\w+)` \(([\w.]+)\) \| `([^`]*)` \| ([^|]+) \| ([^|]+) \|$", re.M)
REACHED_BY = re.compile(r"`([\w-]+)`(?: \((not )?(amd64|i386|pae=0)\))?")
# What the host's program needs besides --args "panic=NAME".
HOST_OPTIONS = {"no-cx8": ["--no-cx8"], "reserve-tables": ["--kmem-fail", "3"], "reserve-records": ["--kmem-fail", "3"]}


class Row(NamedTuple):
    """One panic; `tests` are (name, "not " or "", where): a check of the kernel or a run of the host's program."""

    function: str
    file: str
    message: str
    facts: str
    tests: list[tuple[str, str, str]]


@functools.cache
def rows() -> list[Row]:
    """Both tables of the page."""
    return [Row(*m[:4], REACHED_BY.findall(m[4])) for m in ROW.findall(PAGE.read_text())]


def reached_by(function: str, file: str, message: str, width: str) -> list[str]:
    """The tests of that width that reach this panic."""
    return [name for row in rows() if row[:3] == (function, Path(file).name, message) for name, negated, where in row.tests
            if where not in ("amd64", "i386") or (where == width) != bool(negated)]


def host_cases(program: Path) -> list[str]:
    """The panics that the host's program reaches with right units."""
    words = [str(program), "--test", "panic", "--args", "panic=list"]
    done = subprocess.run(runnable(words), cwd=ROOT, capture_output=True, text=True, timeout=60)
    names = [name for name in done.stdout.split("\n")[1:] if name and not name.startswith("wrong-")]
    if done.returncode != 0 or not names:
        raise HostError(f"{' '.join(words)}: no list of panics")
    return names


def host_words(name: str, args: str = "") -> list[str]:
    """The command line, without the program, of one of them."""
    return ["--test", "panic", *HOST_OPTIONS.get(name, []), "--args", f"panic={name} {args}".strip()]
