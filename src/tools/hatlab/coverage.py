# SPDX-License-Identifier: ISC
"""What no test has reached, and whether somebody has said why.  docs/coverage.md says what counts.

A *gap* is a line with branches that were never taken, or one that was never reached; lines never reached that follow directly
belong to it.  A function that nobody called is one gap.  An *explanation* names a gap by file, function and the text
of its line, so that it survives changes elsewhere; it must be needed, and it must fit exactly.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from .gcov import Line, Lines
from .host import HostError

ASSERTION = re.compile(r"\bASSERT\(")
PANIC = re.compile(r"\bpanic\(")
MESSAGE = re.compile(r'\bpanic\("((?:[^"\\]|\\.)*)"')
HEADER = re.compile(r"(\S+) (\S+) (i386|amd64|both) (line|function|\d+/\d+)$")


class Source:
    """A source file: the text of its lines, and which of them are assertions and panics."""

    def __init__(self, text: str) -> None:
        self.lines = text.splitlines()
        self.assertions = self._statements(ASSERTION)
        self.panics = self._statements(PANIC)

    def message(self, number: int) -> str | None:
        """What a panic() that begins on this line says; None: none begins here, or its message cannot be read."""
        match = MESSAGE.search(self.lines[number - 1])
        return match and match[1]

    def text(self, number: int) -> str:
        return self.lines[number - 1].strip()

    def _statements(self, pattern: re.Pattern[str]) -> set[int]:
        """The numbers of lines with such a call, to its closing parenthesis."""
        found, depth = set(), 0
        for number, line in enumerate(self.lines, 1):
            start = 0
            if depth == 0:
                match = pattern.search(line)
                if not match:
                    continue
                start = match.start()
            found.add(number)
            code = re.sub(r'"(\\.|[^"\\])*"', '""', line[start:])
            depth = max(depth + code.count("(") - code.count(")"), 0)
        return found


@dataclass
class Gap:
    """Something that was not reached."""

    file: str
    function: str
    number: int
    text: str
    what: str  # line, function, or untaken/all branches
    rest: list[int] = field(default_factory=list)  # the lines after it that were not reached
    panics: list[str] = field(default_factory=list)  # it only leads to panics with these messages
    why: str | None = None

    def __str__(self) -> str:
        more = f" and {len(self.rest)} more" if self.rest else ""
        return f"{self.file}:{self.number}: {self.function}: {self.what}{more}: {self.text}"


@dataclass
class Count:
    """How much there is, and how much of it was reached."""

    lines: int = 0
    reached: int = 0
    branches: int = 0
    taken: int = 0

    def add(self, line: Line, branches: bool) -> None:
        self.lines += 1
        self.reached += line.count > 0
        if branches:
            self.branches += len(line.branches)
            self.taken += sum(n > 0 for n in line.branches)

    def __str__(self) -> str:
        return f"{self.reached}/{self.lines} lines, {self.taken}/{self.branches} branches"


def total(counts: Iterable[Count]) -> Count:
    sums = Count()
    for c in counts:
        sums.lines, sums.reached = sums.lines + c.lines, sums.reached + c.reached
        sums.branches, sums.taken = sums.branches + c.branches, sums.taken + c.taken
    return sums


def judge(lines: Lines, sources: dict[str, Source]) -> tuple[dict[str, Count], list[Gap]]:
    """How much of each file was reached, and the gaps."""
    counts: dict[str, Count] = {}
    functions: dict[tuple[str, str], list[Line]] = {}
    for key in sorted(lines):
        functions.setdefault(key[:2], []).append(lines[key])
    gaps: list[Gap] = []
    for (file, _), body in sorted(functions.items()):
        source, count = sources[file], counts.setdefault(file, Count())
        for line in body:
            count.add(line, line.number not in source.assertions)
        gaps += _gaps(body, source)
    return counts, gaps


def _gaps(body: list[Line], source: Source) -> list[Gap]:
    """The gaps of one function."""
    first = body[0]
    if not any(line.count for line in body):
        return [Gap(first.file, first.function, first.number, source.text(first.number), "function", [n.number for n in body[1:]])]
    gaps: list[Gap] = []
    gap: Gap | None = None
    for line in body:
        untaken = 0 if line.number in source.assertions else line.branches.count(0)
        if line.count == 0 and gap:
            gap.rest.append(line.number)
        elif line.count == 0 or untaken:
            what = f"{untaken}/{len(line.branches)}" if line.count else "line"
            gap = Gap(line.file, line.function, line.number, source.text(line.number), what)
            gaps.append(gap)
        else:
            gap = None
    for gap in gaps:
        dead = gap.rest + [gap.number] * (gap.what == "line")
        if all(n in source.panics for n in dead):
            gap.panics = [text for text in map(source.message, dead) if text]
    return gaps


# ------------------------------------------------------------------------------------------------------- explanations


@dataclass
class Explanation:
    """Why a gap is one."""

    line: int
    file: str
    function: str
    width: str
    what: str
    text: str
    why: str

    @property
    def chance(self) -> bool:
        """Nobody can force it: it may be met, in part or whole, or not."""
        return self.why.startswith("chance:")

    def fits(self, gap: Gap) -> bool:
        if (self.file, self.function, self.text) != (gap.file, gap.function, gap.text):
            return False
        return self.what == gap.what or (self.chance and _at_most(gap.what, self.what))


def _at_most(gap: str, known: str) -> bool:
    """Are both parts of as many branches, the gap no larger?"""
    parts = [what.split("/") for what in (gap, known)]
    return all(len(p) == 2 for p in parts) and parts[0][1] == parts[1][1] and int(parts[0][0]) <= int(parts[1][0])


def explanations(path: Path) -> list[Explanation]:
    """Read a file of them.  Each: a line FILE FUNCTION WIDTH WHAT, then, indented, the line of the source, and the reason."""
    found: list[Explanation] = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line[0].isspace():
            if not found:
                raise HostError(f"{path}:{number}: no explanation has begun")
            last = found[-1]
            if last.text:
                last.why = f"{last.why} {line.strip()}".strip()
            else:
                last.text = line.strip()
            continue
        match = HEADER.match(line)
        if not match:
            raise HostError(f"{path}:{number}: not FILE FUNCTION i386|amd64|both line|function|UNTAKEN/ALL")
        found.append(Explanation(number, *match.groups(), "", ""))
    for e in found:
        if not e.why:
            raise HostError(f"{path}:{e.line}: no reason is given")
    return found


def explain(gaps: list[Gap], width: str, known: Iterable[Explanation]) -> list[Explanation]:
    """Put the reasons to the gaps of one width; the explanations for it that no gap needs."""
    idle = []
    for e in known:
        if e.width not in (width, "both"):
            continue
        fitting = [gap for gap in gaps if e.fits(gap)]
        for gap in fitting:
            gap.why = e.why
        if not fitting and not e.chance:
            idle.append(e)
    return idle


@dataclass
class Judged:
    """All that is known of one width."""

    flavor: str
    lines: Lines
    counts: dict[str, Count]
    gaps: list[Gap]
    idle: list[Explanation]
    by_panics: int  # so many gaps are explained by tests of panics
    wrong: list[str]  # runs that failed

    @property
    def open_gaps(self) -> list[Gap]:
        return [gap for gap in self.gaps if gap.why is None]

    @property
    def well(self) -> bool:
        return not (self.open_gaps or self.idle or self.wrong)
