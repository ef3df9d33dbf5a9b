# SPDX-License-Identifier: ISC
"""The table of Appendix B in docs/coverage-b.md: what stands in src/tools/appendix-b, and what was measured.

A row of that file, its later lines indented by a tab:

    B13 the item, in our words
            in FUNCTION [i386|amd64]      a function of the units or of src/hat, at one width only if it says so;
                    the text of a line    and, a tab further, lines of it, or a beginning and "..."; without any, all are meant
            each TEXT                     every line of the units that has it
            instead WORDS                 what stands in the original's place
            note WORDS
            by NAME, NAME                 tests
            xpv                           or a part of it: a hypervisor's flavour, later
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from . import coverage
from .covruns import Measured
from .host import ROOT, TOOLS, HostError

SOURCE, PAGE = TOOLS / "appendix-b", ROOT / "docs" / "coverage-b.md"
HEAD = ["id", "item", "where", "amd64", "i386", "reached by", "tests"]
WIDTHS = ("amd64", "i386")
FUNCTION = re.compile(r"^(\w+)\(", re.M)
MOST_RUNS, MOST_TEXT = 4, 72
# What a run costs, against the shortest of the host: an order, no more.
COSTS = (("kernel", 40), ("host history", 8), ("host", 1), ("panic", 1))

Where = tuple[str, int]  # file, number of the line


@dataclass
class Place:
    """A function, or some lines of it."""

    line: int
    function: str
    width: str
    texts: list[str] = field(default_factory=list)

    @property
    def file(self) -> str:
        return _home(self.function)[0]

    def parts(self) -> list[list[Where]]:
        """What has to be reached each by itself: the lines of each text, or all lines of the function."""
        file, first, last = _home(self.function)
        lines = _source(file).lines
        inside = range(first, last + 1)
        return [[(file, n) for n in inside if _is(lines[n - 1], text)] for text in self.texts] or [[(file, n) for n in inside]]


@dataclass
class Everywhere:
    """Lines of all units that have a text."""

    line: int
    text: str
    width: str = "both"

    def parts(self) -> list[list[Where]]:
        return [[(file, n) for file in _units() for n, line in enumerate(_source(file).lines, 1) if self.text in line]]


@dataclass
class Row:
    line: int
    id: str
    item: str
    places: list[Place | Everywhere] = field(default_factory=list)
    instead: str = ""
    note: str = ""
    tests: list[str] = field(default_factory=list)
    xpv: bool = False

    def wrong(self) -> list[str]:
        """Places that are not there any more, and what the row lacks."""
        found = [] if self.places or self.xpv else [(self.line, "says neither where nor xpv")]
        for place in self.places:
            texts = place.texts if isinstance(place, Place) else [place.text]
            gone = [text for text, part in zip(texts, place.parts()) if not part]
            found += [(place.line, f"no line of {getattr(place, 'function', 'the units')} is: {text}") for text in gone]
        return [f"{SOURCE.relative_to(ROOT)}:{line}: {self.id}: {why}" for line, why in found]


@dataclass
class Cells:
    """What was measured for a row: lines and branches at each width, and the runs that take them."""

    widths: dict[str, str] = field(default_factory=dict)
    runs: str = ""


def _is(line: str, text: str) -> bool:
    return line.strip().startswith(text[:-3].rstrip()) if text.endswith("...") else line.strip() == text


# --------------------------------------------------------------------------------------------------------------- source


@functools.cache
def _source(file: str) -> coverage.Source:
    return coverage.Source((ROOT / file).read_text(encoding="utf-8"))


@functools.cache
def _units() -> list[str]:
    return [str(path.relative_to(ROOT)) for path in sorted((ROOT / "solutions").glob("lab*/*.c"))]


@functools.cache
def _functions() -> dict[str, list[tuple[str, int, int]]]:
    """{function: [(file, its first line, its last line)]}"""
    found: dict[str, list[tuple[str, int, int]]] = {}
    for file in [*_units(), *(str(path.relative_to(ROOT)) for path in sorted((ROOT / "src/hat").glob("*.[ch]")))]:
        lines = _source(file).lines
        for n, line in enumerate(lines, 1):
            match = FUNCTION.match(line)
            if match and n < len(lines) and not line.rstrip().endswith(";"):
                last = next((k for k in range(n, len(lines) + 1) if lines[k - 1] == "}"), n)
                found.setdefault(match[1], []).append((file, n, last))
    return found


def _home(function: str) -> tuple[str, int, int]:
    homes = _functions().get(function, [])
    if len(homes) != 1:
        raise HostError(f"{SOURCE.relative_to(ROOT)}: {function}() is {'in several files' if homes else 'nowhere'}")
    return homes[0]


def rows(path: Path = SOURCE) -> list[Row]:
    """Read a file of them."""
    found: list[Row] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            _read(found, number, line)
        except (IndexError, ValueError, AttributeError):
            raise HostError(f"{path}:{number}: not understood: {line.strip()}") from None
    return found


def _read(found: list[Row], number: int, line: str) -> None:
    """One line: a new row, or something about the last one."""
    if not line[0].isspace():
        name, item = re.fullmatch(r"(B\d+) (.+)", line).groups()
        found.append(Row(number, name, item))
        return
    row, text = found[-1], line.strip()
    word, _, rest = text.partition(" ")
    if line.startswith("\t\t"):
        row.places[-1].texts.append(text)
    elif word == "in":
        function, width = re.fullmatch(r"(\w+)(?: (i386|amd64))?", rest).groups()
        row.places.append(Place(number, function, width or "both"))
    elif word == "each":
        row.places.append(Everywhere(number, rest))
    elif word == "by":
        row.tests += re.split(r", ", rest)
    elif word in ("instead", "note") and rest:
        setattr(row, word, rest)
    elif text == "xpv":
        row.xpv = True
    else:
        raise ValueError


# ------------------------------------------------------------------------------------------------------------ measuring


def measure(all_rows: list[Row], widths: dict[str, Measured]) -> tuple[dict[str, Cells], list[str]]:
    """What was taken of each row; and what is wrong: places that nothing reaches, or that are not there."""
    wrong = [text for row in all_rows for text in row.wrong()]
    if wrong:
        return {}, wrong
    where = {width: _by_place(measured) for width, measured in widths.items()}
    cells = {row.id: Cells() for row in all_rows}
    for row in all_rows:
        for width in widths:
            cells[row.id].widths[width], problems = _count(row, width, where[width])
            wrong += problems
        cells[row.id].runs = _runs(row, widths, where)
    return cells, wrong


def _by_place(measured: Measured) -> dict[Where, list]:
    """{(file, line): its keys with what was counted}; functions in headers have a line in each file that uses them."""
    found: dict[Where, list] = {}
    for key, line in measured.lines.items():
        found.setdefault((line.file, line.number), []).append((key, line))
    return found


def _at(place: Place | Everywhere, width: str, where: dict[Where, list]) -> list[list]:
    """The counted lines of each part of a place at a width."""
    if place.width not in (width, "both"):
        return []
    return [[one for at in part for one in where.get(at, [])] for part in place.parts()]


def _count(row: Row, width: str, where: dict[Where, list]) -> tuple[str, list[str]]:
    """The cell of a width, and what nothing reaches."""
    count, wrong, seen = coverage.Count(), [], set()
    for place in row.places:
        for part in _at(place, width, where):
            if not any(line.count for _, line in part):
                wrong.append(f"{SOURCE.relative_to(ROOT)}:{place.line}: {row.id}: nothing reaches this on {width}")
            for key, line in part:
                if key not in seen:
                    seen.add(key)
                    count.add(line, line.number not in _source(line.file).assertions)
    if not count.lines:
        return "-", wrong
    return f"{count.reached}/{count.lines}" + (f", {count.taken}/{count.branches}" if count.branches else ""), wrong


def _runs(row: Row, widths: dict[str, Measured], where: dict[str, dict[Where, list]]) -> str:
    """Few and cheap runs that together take all that is taken of a row."""
    keys = {(width, key): line for width in widths for place in row.places for part in _at(place, width, where[width]) for key, line in part}
    takes: dict[str, set] = {}
    for width, measured in widths.items():
        for name, taken in measured.runs.items():
            bits = {(at, bit) for at, line in keys.items() if at[0] == width
                    for bit in range(_nbits(line)) if taken.get(at[1], 0) >> bit & 1}
            takes.setdefault(name, set()).update(bits)
    chosen = cover(takes)
    more = f" and {len(chosen) - MOST_RUNS} more" if len(chosen) > MOST_RUNS else ""
    return ", ".join(f"`{name}`" for name in chosen[:MOST_RUNS]) + more


def _nbits(line) -> int:
    """How many things of a line count: the line itself, its branches."""
    return 1 + (0 if line.number in _source(line.file).assertions else len(line.branches))


def cover(takes: dict[str, set]) -> list[str]:
    """Names whose sets have everything that any of them has: always the one with most news for its cost, the first of equals."""
    left = set().union(*takes.values())
    chosen = []
    while left:
        name = max(takes, key=lambda one: len(takes[one] & left) / _cost(one))
        chosen.append(name)
        left -= takes[name]
    return chosen


def _cost(name: str) -> int:
    return next((cost for start, cost in COSTS if name.startswith(start)), 1)


# -------------------------------------------------------------------------------------------------------------- writing


def _code(text: str) -> str:
    """A code span that a table can hold."""
    text = " ".join(text.split())
    if len(text) > MOST_TEXT:
        text = text[: MOST_TEXT - 4].rstrip() + " ..."
    return "`" + text.replace("|", "\\|") + "`"


def _place(place: Place | Everywhere) -> str:
    if isinstance(place, Everywhere):
        return f"each {_code(place.text)} of the units"
    name = Path(place.file).name
    file = "" if name.rpartition(".")[0] == place.function else f" in `{name}`"
    only = "" if place.width == "both" else f" ({place.width} only)"
    return f"`{place.function}`{file}{only}{_lines(place)}"


def _lines(place: Place) -> str:
    """Which lines are meant: of a unit only how many, for the site shows no answers."""
    if not place.texts:
        return ""
    if place.file.startswith("solutions/"):
        return f", {len(place.texts)} of its lines"
    return ": " + ", ".join(map(_code, place.texts))


def _row(row: Row, cells: Cells) -> str:
    where = "; ".join(filter(None, [f"*replaced by* {row.instead}" if row.instead else "", *map(_place, row.places), row.note])) or "-"
    tests = "; ".join(filter(None, [", ".join(f"`{name}`" for name in row.tests), "xpv: later" if row.xpv else ""])) or "-"
    return "| " + " | ".join([row.id, row.item, where, *(cells.widths.get(w, "-") for w in WIDTHS), cells.runs or "-", tests]) + " |"


def measured(page: str) -> dict[str, Cells]:
    """What a page says was measured."""
    found = {}
    for line in page.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)]
        if len(cells) == len(HEAD) + 2 and re.fullmatch(r"B\d+", cells[1]):
            found[cells[1]] = Cells(dict(zip(WIDTHS, cells[4:6])), cells[6])
    return found


def page(text: str, all_rows: Iterable[Row], cells: dict[str, Cells]) -> str:
    """The page: what it says before its table, and the table."""
    before = text[: text.index("\n| id |") + 1]
    table = ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
    return before + "\n".join(table + [_row(row, cells.get(row.id, Cells())) for row in all_rows]) + "\n"
