# SPDX-License-Identifier: ISC
"""Read what the kernel prints on port 0xE9: records and dumps, as docs/protocol.md defines them.

No other module knows these formats.  `Reader` takes the text as it comes, in pieces of any size, and never raises on
what the guest printed: what it cannot understand becomes an `Error` with its line number and what was expected, and
everything that does not claim to be a record is console text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Union

VERSION = 1

# For every kind of record, the keys it must have.
RECORDS: dict[str, tuple[str, ...]] = {
    "hello": ("version", "flavor", "mode", "cpus", "seed", "lab", "ram", "kernelbase"),
    "cp-begin": ("name", "n", "cpu", "cr3", "hat"),
    "cp-end": ("name", "lines"),
    "check-begin": ("name", "unit", "copy"),
    "check-note": ("name", "text"),
    "check-end": ("name", "result", "at"),
    "invariant": ("id", "hat", "table", "want", "have", "text"),
    "panic": ("cpu", "text"),
    "tunable": ("name", "value", "text"),
    "cost": ("name", "value", "unit"),
    "stress-begin": ("seed", "workers", "cpus", "ops"),
    "stress-round": ("n", "ops", "checks", "thieves"),
    "stress-count": ("kind", "value"),
    "stress-end": ("seed", "ops", "begun", "checks", "rounds", "steps", "skipped", "touches", "faults", "refaults", "digest"),
    "done": ("result",),
}
_NUMBERS = {"version", "cpus", "ram", "kernelbase", "n", "cpu", "cr3", "lines"}
_CHOICES = {
    ("hello", "mode"): ("long", "pae", "nonpae"),
    ("check-end", "result"): ("ok", "wrong", "todo"),
    ("done", "result"): ("ok", "fail", "panic"),
}


@dataclass(frozen=True)
class Error:
    """Something in the guest's output that is not as agreed."""

    line: int
    text: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.text}"


@dataclass
class Record:
    """One `%kind key=value ...` line."""

    kind: str
    values: dict[str, str]
    line: int

    def __getitem__(self, key: str) -> str:
        return self.values[key]

    def get(self, key: str, default: str = "-") -> str:
        return self.values.get(key, default)

    def number(self, key: str) -> int:
        return int(self.values[key], 0)

    def __str__(self) -> str:
        return f"%{self.kind} " + " ".join(f"{k}={v}" for k, v in self.values.items())


# ------------------------------------------------------------------------------------------------------------- dumps


@dataclass(frozen=True)
class Link:
    """Entry `index` points to the table at `pa`; `flags` are its low twelve bits."""

    index: int
    pa: int
    flags: int
    line: int = 0


@dataclass(frozen=True)
class Copy:
    """Slots `first`-`last` hold what the kernel's table of the same level holds there."""

    first: int
    last: int
    line: int = 0


@dataclass(frozen=True)
class Leaf:
    """Slots `first`-`last` map `va0`-`va1` to the frames from `pa0` on, all with the same attributes."""

    first: int
    last: int
    va0: int
    va1: int
    pa0: int
    pa1: int
    size: str  # 4K 2M 4M 1G
    w: bool
    x: bool
    u: bool
    g: bool
    a: bool
    d: bool
    cache: int  # PAT * 4 + PCD * 2 + PWT
    soft: int
    line: int = 0


@dataclass(frozen=True)
class Odd:
    """Slot `index` holds something else that is not zero."""

    index: int
    entry: int
    line: int = 0


Entry = Union[Link, Copy, Leaf, Odd]  # at run time, where Python 3.9 does not know |


@dataclass
class Table:
    """One `ht` line and the entries below it."""

    addr: int
    level: int
    lo: int
    hi: int
    pfn: int | None
    busy: int
    valid: int
    lock: int
    flags: frozenset[str]
    parent: int | None
    line: int
    entries: list[Entry] = field(default_factory=list)


@dataclass
class SummaryRange:
    """One line of the summary, in the shape of `info tab`."""

    va0: int
    va1: int
    pa0: int
    pa1: int


@dataclass
class Hat:
    """One `hat` line, its tables and its summary."""

    addr: int
    name: str  # kernel, boot, user
    flags: frozenset[str]
    top: int
    pages: tuple[int, ...]
    cpus: int
    root: int
    line: int
    tables: list[Table] = field(default_factory=list)
    summary_cr3: int | None = None
    summary: list[SummaryRange] = field(default_factory=list)

    @property
    def vlp(self) -> bool:
        return "vlp" in self.flags

    def __str__(self) -> str:
        return f"hat 0x{self.addr:x} {self.name}" + (f" ({','.join(sorted(self.flags))})" if self.flags else "")


@dataclass
class Checkpoint:
    """Everything between `%cp-begin` and `%cp-end`."""

    name: str
    n: int
    cpu: int
    cr3: int
    hat: int
    line: int
    lines: list[str] = field(default_factory=list)
    hats: list[Hat] = field(default_factory=list)
    errors: list[Error] = field(default_factory=list)
    declared: int | None = None

    def kernel_hat(self) -> Hat | None:
        return next((h for h in self.hats if h.name == "kernel"), None)


_H = r"0x([0-9a-f]+)"
_HAT = re.compile(rf"hat {_H} (kernel|boot|user) flags=(\S+) top=(\d) pages=(\d+(?:,\d+)*) cpus={_H} root={_H}")
_HT = re.compile(
    rf"ht {_H} level=(\d) {_H}-{_H} pfn=(0x[0-9a-f]+|-) busy=(\d+) valid=(\d+) lock=(\d+) flags=(\S+)"
    r" parent=(0x[0-9a-f]+|-)"
)
_LINK = re.compile(rf"link (\d+) -> {_H} flags={_H}")
_COPY = re.compile(r"copy (\d+)(?:-(\d+))?")
_LEAF = re.compile(
    rf"leaf (\d+)(?:-(\d+))? {_H}-{_H} -> {_H}-{_H} (4K|2M|4M|1G) r([w-])([x-])([us]) ([g-]) ([a-])([d-]) c([0-7]) s([0-7])"
)
_ODD = re.compile(rf"odd (\d+) {_H}")
_CR3 = re.compile(rf"cr3: {_H}")
_RANGE = re.compile(rf"{_H}-{_H} -> {_H}-{_H}")

# What each kind of dump line looks like, for error messages.
_SHAPES = {
    "hat": "hat ADDR kernel|boot|user flags=- top=N pages=N,N,N cpus=0xN root=0xPA",
    "ht": "ht ADDR level=N LO-HI pfn=0xN|- busy=N valid=N lock=N flags=- parent=ADDR|-",
    "link": "link INDEX -> 0xPA flags=0xN",
    "copy": "copy FIRST-LAST",
    "leaf": "leaf FIRST-LAST VA-VA -> PA-PA 4K|2M|4M|1G rwxs g ad cN sN",
    "odd": "odd INDEX 0xENTRY",
    "cr3:": "cr3: 0xPA",
}


def _flags(text: str) -> frozenset[str]:
    return frozenset() if text == "-" else frozenset(text.split(","))


def _hex_or_none(text: str) -> int | None:
    return None if text == "-" else int(text, 16)


class DumpParser:
    """Builds hats and tables from dump lines, one line at a time."""

    def __init__(self) -> None:
        self.hats: list[Hat] = []
        self.errors: list[Error] = []
        self._table: Table | None = None

    def line(self, text: str, number: int) -> None:
        stripped = text.strip()
        word = stripped.split(" ", 1)[0]
        handler = getattr(self, "_on_" + word.rstrip(":"), self._on_range) if word in _SHAPES else self._on_range
        problem = handler(stripped, number)
        if problem:
            self.errors.append(Error(number, f"{problem}: {stripped[:90]!r}"))

    # Each handler returns None, or what was expected.

    def _on_hat(self, text: str, number: int) -> str | None:
        m = _HAT.fullmatch(text)
        if not m:
            return f"expected '{_SHAPES['hat']}'"
        pages = tuple(int(p) for p in m[5].split(","))
        self.hats.append(
            Hat(int(m[1], 16), m[2], _flags(m[3]), int(m[4]), pages, int(m[6], 16), int(m[7], 16), number)
        )
        self._table = None
        return None

    def _on_ht(self, text: str, number: int) -> str | None:
        m = _HT.fullmatch(text)
        if not m:
            return f"expected '{_SHAPES['ht']}'"
        if not self.hats:
            return "expected a hat line before the first ht line"
        self._table = Table(
            addr=int(m[1], 16), level=int(m[2]), lo=int(m[3], 16), hi=int(m[4], 16), pfn=_hex_or_none(m[5]),
            busy=int(m[6]), valid=int(m[7]), lock=int(m[8]), flags=_flags(m[9]), parent=_hex_or_none(m[10]),
            line=number,
        )
        self.hats[-1].tables.append(self._table)
        return None

    def _entry(self, entry: Entry) -> str | None:
        if self._table is None:
            return "expected an ht line before the first entry"
        first = entry.index if isinstance(entry, (Link, Odd)) else entry.first
        last = first if isinstance(entry, (Link, Odd)) else entry.last
        if last < first:
            return "expected ascending indexes"
        if self._table.entries:
            before = self._table.entries[-1]
            reached = before.index if isinstance(before, (Link, Odd)) else before.last
            if first <= reached:
                return f"expected an index above {reached}"
        self._table.entries.append(entry)
        return None

    def _on_link(self, text: str, number: int) -> str | None:
        m = _LINK.fullmatch(text)
        if not m:
            return f"expected '{_SHAPES['link']}'"
        return self._entry(Link(int(m[1]), int(m[2], 16), int(m[3], 16), number))

    def _on_copy(self, text: str, number: int) -> str | None:
        m = _COPY.fullmatch(text)
        if not m:
            return f"expected '{_SHAPES['copy']}'"
        return self._entry(Copy(int(m[1]), int(m[2] or m[1]), number))

    def _on_leaf(self, text: str, number: int) -> str | None:
        m = _LEAF.fullmatch(text)
        if not m:
            return f"expected '{_SHAPES['leaf']}'"
        leaf = Leaf(
            first=int(m[1]), last=int(m[2] or m[1]), va0=int(m[3], 16), va1=int(m[4], 16), pa0=int(m[5], 16),
            pa1=int(m[6], 16), size=m[7], w=m[8] == "w", x=m[9] == "x", u=m[10] == "u", g=m[11] == "g",
            a=m[12] == "a", d=m[13] == "d", cache=int(m[14]), soft=int(m[15]), line=number,
        )
        if leaf.va1 - leaf.va0 != leaf.pa1 - leaf.pa0:
            return "expected virtual and physical range to be equally long"
        return self._entry(leaf)

    def _on_odd(self, text: str, number: int) -> str | None:
        m = _ODD.fullmatch(text)
        if not m:
            return f"expected '{_SHAPES['odd']}'"
        return self._entry(Odd(int(m[1]), int(m[2], 16), number))

    def _on_cr3(self, text: str, number: int) -> str | None:
        m = _CR3.fullmatch(text)
        if not m or not self.hats:
            return f"expected '{_SHAPES['cr3:']}' after a hat's tables"
        self.hats[-1].summary_cr3 = int(m[1], 16)
        self._table = None
        return None

    def _on_range(self, text: str, number: int) -> str | None:
        m = _RANGE.fullmatch(text)
        if not m:
            return "expected a dump line (hat, ht, link, copy, leaf, odd, cr3: or a range)"
        if not self.hats or self.hats[-1].summary_cr3 is None:
            return "expected 'cr3: 0xPA' before the first range of a summary"
        self.hats[-1].summary.append(SummaryRange(*(int(g, 16) for g in m.groups())))
        return None


def parse_dump(lines: list[str], first_line: int = 1) -> DumpParser:
    """Read whole dump lines; the result has `.hats` and `.errors`."""
    parser = DumpParser()
    for offset, text in enumerate(lines):
        parser.line(text, first_line + offset)
    return parser


# ------------------------------------------------------------------------------------------------------------ reader


def parse_record(text: str, line: int) -> Record | Error | None:
    """One line: a record, an error, or None if the line does not claim to be a record."""
    m = re.match(r"%([a-z][a-z-]*)(?: |$)(.*)", text)
    if not m:
        return None
    kind, rest = m[1], m[2]
    if kind not in RECORDS:
        return Error(line, f"unknown record '%{kind}'")
    values: dict[str, str] = {}
    body, mark, said = rest.partition("text=") if rest.startswith("text=") else rest.partition(" text=")
    for word in body.split():
        key, eq, value = word.partition("=")
        if not eq or not key:
            return Error(line, f"%{kind}: expected key=value, got {word!r}")
        values[key] = value
    if mark:
        values["text"] = said
    for key in RECORDS[kind]:
        if key not in values:
            return Error(line, f"%{kind}: expected {key}=... in {text[:80]!r}")
    return _checked(Record(kind, values, line))


def _checked(record: Record) -> Record | Error:
    for key, value in record.values.items():
        if key in _NUMBERS and not re.fullmatch(r"0x[0-9a-fA-F]+|\d+", value):
            return Error(record.line, f"%{record.kind}: expected a number, got {key}={value}")
        choices = _CHOICES.get((record.kind, key))
        if choices and value not in choices:
            return Error(record.line, f"%{record.kind}: expected {key}={'|'.join(choices)}, got {key}={value}")
    if record.kind == "cp-begin" and not re.fullmatch(r"0x[0-9a-f]+|0", record["hat"]):
        return Error(record.line, f"%cp-begin: expected a hat address, got hat={record['hat']}")
    if record.kind == "hello" and record.number("version") != VERSION:
        return Error(record.line, f"%hello: expected version={VERSION}, got version={record['version']}")
    return record


class Reader:
    """Takes the guest's output and keeps what it means.

    `alter`, if given, may change the lines of a dump before they are read (a test hook).
    """

    def __init__(self, alter: Callable[[Checkpoint], None] | None = None) -> None:
        self.records: list[Record] = []
        self.checkpoints: list[Checkpoint] = []
        self.console: list[str] = []
        self.errors: list[Error] = []
        self.frames: list[str] = []  # the backtrace below %panic
        self.line = 0
        self._alter = alter
        self._rest = ""
        self._open: Checkpoint | None = None
        self._open_from = 0

    # what most callers ask

    def find(self, kind: str) -> list[Record]:
        return [r for r in self.records if r.kind == kind]

    @property
    def hello(self) -> Record | None:
        return next(iter(self.find("hello")), None)

    @property
    def done(self) -> Record | None:
        return next(iter(self.find("done")), None)

    def text(self) -> str:
        """The console text."""
        return "\n".join(self.console)

    # taking text

    def feed(self, text: str) -> list[Record]:
        """Take some text; return the records that it completed."""
        before = len(self.records)
        lines = (self._rest + text).split("\n")
        self._rest = lines.pop()
        for line in lines:
            self._take(line.rstrip("\r"))
        return self.records[before:]

    def finish(self) -> None:
        """The text has ended: take what stands on an unfinished line, and close an unfinished dump."""
        if self._rest:
            rest, self._rest = self._rest, ""
            self._take(rest)
        if self._open:
            self._abandon("the output ends inside it")

    def _take(self, text: str) -> None:
        self.line += 1
        record = parse_record(text, self.line)
        if isinstance(record, Error):
            self.errors.append(record)
            self.console.append(text)
        elif record is not None:
            self.records.append(record)
            self._on_record(record)
        elif self._open:
            self._open.lines.append(text)
        else:
            self.console.append(text)
            if self.find_panic() and re.match(r"\s+#\d+ ", text):
                self.frames.append(text.strip())

    def find_panic(self) -> Record | None:
        return next(iter(self.find("panic")), None)

    def _on_record(self, record: Record) -> None:
        if record.kind == "cp-begin":
            if self._open:
                self._abandon(f"'{record}' follows without its %cp-end")
            self._open = Checkpoint(
                record["name"], record.number("n"), record.number("cpu"), record.number("cr3"),
                int(record["hat"], 16), record.line,
            )
            self._open_from = self.line + 1
            if self._open.n != len(self.checkpoints) + 1:
                self.errors.append(
                    Error(record.line, f"%cp-begin: expected n={len(self.checkpoints) + 1}, got n={self._open.n}")
                )
        elif record.kind == "cp-end":
            self._close(record)
        elif self._open and record.kind in ("panic", "done"):
            self._abandon(f"'%{record.kind}' inside it")

    def _abandon(self, why: str) -> None:
        cp = self._open
        assert cp is not None
        self._open = None
        self.errors.append(Error(cp.line, f"checkpoint {cp.name}: no %cp-end, {why}"))

    def _close(self, record: Record) -> None:
        cp, self._open = self._open, None
        if cp is None or cp.name != record["name"]:
            opened = f"%cp-begin name={cp.name}" if cp else "no open checkpoint"
            self.errors.append(Error(record.line, f"%cp-end name={record['name']}: expected one for {opened}"))
            return
        cp.declared = record.number("lines")
        if self._alter:
            self._alter(cp)
        parsed = parse_dump(cp.lines, self._open_from)
        cp.hats, cp.errors = parsed.hats, parsed.errors
        if cp.declared != len(cp.lines):
            cp.errors.append(
                Error(record.line, f"dump of {cp.name}: lines={cp.declared} announced, {len(cp.lines)} received")
            )
        self.checkpoints.append(cp)
        self.errors += cp.errors


def parse(text: str) -> Reader:
    """Read a whole output at once."""
    reader = Reader()
    reader.feed(text)
    reader.finish()
    return reader
