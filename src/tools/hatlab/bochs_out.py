# SPDX-License-Identifier: ISC
"""Read what the Bochs debugger prints.  No other module knows these formats.

Bochs 2.7 (Debian 12) and 3.x differ in small ways (a `page` line of 3.x also shows where the entry is, a
register dump starts with CPL=, `eflags` has a colon); both are accepted.  Every function takes the text of one
reply and returns plain values; a reply that is not what was asked for raises `BochsOutputError`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

# Bochs walks only PML4 slots 0-255 and 480-511 for `info tab`; `page` has no such hole.
TAB_BLIND_LO = 0xFFFF_8000_0000_0000
TAB_BLIND_HI = 0xFFFF_EFFF_FFFF_FFFF
LAST_LOW_PAGE = 0x0000_7FFF_FFFF_F000


class BochsOutputError(Exception):
    """The debugger's reply was not of the expected form."""


@dataclass(frozen=True, order=True)
class Range:
    """`va0`-`va1` (inclusive) is mapped to the physical addresses from `pa0` on."""

    va0: int
    va1: int
    pa0: int

    @property
    def pa1(self) -> int:
        return self.pa0 + self.va1 - self.va0

    def __str__(self) -> str:
        return f"0x{self.va0:016x}-0x{self.va1:016x} -> 0x{self.pa0:012x}-0x{self.pa1:012x}"


@dataclass
class Tab:
    """A reply to `info tab`: the ranges, and the (inclusive) stretches Bochs cannot speak for."""

    cr3: int
    ranges: list[Range]
    blind: list[tuple[int, int]] = field(default_factory=list)
    paging: bool = True


@dataclass(frozen=True)
class PageEntry:
    """One line of a `page` reply: `name` is PML4, PDPE, PDE or PTE; `where` is known to 3.x only."""

    name: str
    entry: int
    where: int | None = None


@dataclass
class PageWalk:
    """A reply to `page`: the entries passed, then the physical page or None."""

    linear: int
    entries: list[PageEntry]
    phys: int | None


@dataclass
class Creg:
    """The control registers that matter to translation."""

    cr0: int
    cr2: int
    cr3: int
    cr4: int
    efer: int

    @property
    def mode(self) -> str:
        """`off`, `nonpae`, `pae` or `long`, as the processor decides it."""
        if not self.cr0 >> 31 & 1:
            return "off"
        if self.efer >> 10 & 1:
            return "long"
        return "pae" if self.cr4 >> 5 & 1 else "nonpae"

    @property
    def root(self) -> int:
        """The physical address of the top table: CR3 without its flag bits."""
        keep = {"pae": 0xFFFF_FFE0, "nonpae": 0xFFFF_F000}
        return self.cr3 & keep.get(self.mode, 0x000F_FFFF_FFFF_F000)


@dataclass
class Stop:
    """Why and where the debugger came back.  `before` is what the guest had printed on port 0xE9 until then."""

    kind: str  # magic, breakpoint, time, watch, other
    cpu: int
    t: int
    where: str
    before: str
    number: int = 0  # of the breakpoint, if kind is breakpoint
    why: str = ""  # in Bochs' words


# --------------------------------------------------------------------------------------------------------- info tab

_TAB = re.compile(r"^0x([0-9a-f]{16})-0x([0-9a-f]{16}) -> 0x([0-9a-f]{12,16})-0x([0-9a-f]{12,16})$", re.M)
_TAB_CR3 = re.compile(r"^cr3: 0x([0-9a-f]{12,16})$", re.M)


def parse_info_tab(text: str, long_mode: bool = True) -> Tab:
    """Read `info tab`.  In long mode the result also names what Bochs did not look at."""
    if re.search(r"^paging off$", text, re.M):
        return Tab(cr3=0, ranges=[], paging=False)
    head = _TAB_CR3.search(text)
    if not head:
        raise BochsOutputError(f"info tab: expected 'cr3: 0x...', got {text[:60]!r}")
    tab = Tab(cr3=int(head[1], 16), ranges=[])
    if long_mode:
        tab.blind.append((TAB_BLIND_LO, TAB_BLIND_HI))
    for va0, va1, pa0, _ in _TAB.findall(text):
        _add_range(tab, int(va0, 16), int(va1, 16), int(pa0, 16))
    return tab


def _add_range(tab: Tab, va0: int, va1: int, pa0: int) -> None:
    """Add one range, after undoing the misprint at the end of the low half.

    When the page at 0x00007ffffffff000 is mapped, Bochs carries on over the hole that it skips and prints an end in
    the high half.  What it says about that one page cannot be used.
    """
    if va0 <= LAST_LOW_PAGE <= va1 and va1 > LAST_LOW_PAGE + 0xFFF:
        tab.blind.insert(0, (LAST_LOW_PAGE, LAST_LOW_PAGE + 0xFFF))
        va1 = LAST_LOW_PAGE - 1
        if va0 > va1:
            return
    tab.ranges.append(Range(va0, va1, pa0))


# ------------------------------------------------------------------------------------------------------------- page

_PAGE = re.compile(r"^\s*(PML5|PML4|PDPE|PDE|PTE):(?: 0x([0-9a-f]{16}) :)? 0x([0-9a-f]{16})(?: XD)?", re.M)
_PAGE_OK = re.compile(r"^linear page 0x([0-9a-f]{16}) maps to physical page 0x([0-9a-f]{12,16})$", re.M)
_PAGE_NO = re.compile(r"^physical address not available for linear 0x([0-9a-f]{16})$", re.M)


def parse_page(text: str) -> PageWalk:
    """Read `page ADDR`.  PAE shows no top entry (it comes from the processor's cached copy)."""
    entries = [
        PageEntry(name, int(entry, 16), int(where, 16) if where else None)
        for name, where, entry in _PAGE.findall(text)
    ]
    if found := _PAGE_OK.search(text):
        return PageWalk(int(found[1], 16), entries, int(found[2], 16))
    if found := _PAGE_NO.search(text):
        return PageWalk(int(found[1], 16), entries, None)
    raise BochsOutputError(f"page: no result line in {text[:80]!r}")


# -------------------------------------------------------------------------------------------------------- registers


def parse_creg(text: str) -> Creg:
    """Read `creg`.  The lists of flag names change between versions, the values do not."""

    def value(name: str, pattern: str) -> int:
        found = re.search(pattern, text, re.M)
        if not found:
            raise BochsOutputError(f"creg: no {name} in {text[:60]!r}")
        return int(found[1], 16)

    return Creg(
        cr0=value("CR0", r"^CR0=0x([0-9a-f]+)"),
        cr2=value("CR2", r"^CR2=page fault laddr=0x([0-9a-f]+)"),
        cr3=value("CR3", r"^CR3=0x([0-9a-f]+)"),
        cr4=value("CR4", r"^CR4=0x([0-9a-f]+)"),
        efer=value("EFER", r"^EFER=0x([0-9a-f]+)"),
    )


_REG = re.compile(r"^(r[a-z0-9]{1,2})\s*: ([0-9a-f]{8})_([0-9a-f]{8})", re.M)


def parse_registers(text: str) -> dict[str, int]:
    """Read `r`: general registers, `rip` and `eflags`."""
    regs = {name: int(hi + lo, 16) for name, hi, lo in _REG.findall(text)}
    if found := re.search(r"^eflags:? 0x([0-9a-f]+)", text, re.M):
        regs["eflags"] = int(found[1], 16)
    if "rip" not in regs:
        raise BochsOutputError(f"r: no rip in {text[:60]!r}")
    return regs


def parse_ptime(text: str) -> int:
    """Read `ptime`: the number of emulated ticks so far."""
    found = re.search(r"^ptime: (\d+)", text, re.M)
    if not found:
        raise BochsOutputError(f"ptime: expected 'ptime: N', got {text[:60]!r}")
    return int(found[1])


# --------------------------------------------------------------------------------------------------------------- xp

_XP_VALUE = re.compile(r"\t0x([0-9a-f]+)")
_XP_LINE = re.compile(r"^0x([0-9a-f]{16}) <", re.M)


def parse_xp(text: str, count: int) -> tuple[int, list[int]]:
    """Read `xp /<count>gx ADDR`: the address and exactly `count` values."""
    first = _XP_LINE.search(text)
    values = [int(v, 16) for v in _XP_VALUE.findall(text)]
    if not first or len(values) != count:
        raise BochsOutputError(f"xp: expected {count} values, got {len(values)} in {text[:80]!r}")
    return int(first[1], 16), values


# ------------------------------------------------------------------------------------------- stops, prompts, the end

_WHERE = r"\((?P<wcpu>\d+)\) \[(?P<phys>[^\]]*)\] (?P<where>[0-9a-f]{4}:[0-9a-f]+ [^\n]*)\n"
_STOP = re.compile(
    r"(?:\((?P<cpu>\d+)\) (?P<why>Magic breakpoint|Breakpoint (?P<num>\d+),[^\n]*|Caught [^\n]*)\n)?"
    r"Next at t=(?P<t>\d+)\n" + _WHERE + r"(?P<rest>(?:\(\d+\) [^\n]*\n)*)\Z"
)
# With several CPUs the reason stands before the line of the CPU that it is about, which need not be the first.
_LATE_REASON = re.compile(r"^\((?P<cpu>\d+)\) (?P<why>Magic breakpoint|Breakpoint (?P<num>\d+),[^\n]*|Caught [^\n]*)$", re.M)
_KINDS = {"Magic": "magic", "Breakpoint": "breakpoint"}


def parse_words(text: str) -> list[int]:
    """The reply to `x`: values of any width."""
    return [int(value, 16) for value in re.findall(r"\t0x([0-9a-f]+)", text)]


def parse_stop(text: str) -> Stop:
    """Read the reply to `c` (or `s`): what the guest printed, then the stop.

    A guest line without its newline runs straight into the stop line, so the stop is looked for at the end of the
    text, not at the start of a line.
    """
    found = None
    for candidate in re.finditer(r"(?:\(\d+\) (?:Magic|Breakpoint|Caught)|Next at t=)", text):
        found = _STOP.match(text, candidate.start())
        if found:
            break
    if not found:
        raise BochsOutputError(f"expected a stop ('Next at t=...'), got {text[-120:]!r}")
    reason = found if found["why"] else _LATE_REASON.search(found["rest"]) or found
    why = reason["why"] or ""
    kind = _KINDS.get(why.split(" ")[0], "other")
    if why.startswith("Caught"):
        kind = "time" if "time" in why else "watch"
    cpu = int(reason["cpu"] or found["wcpu"])
    return Stop(
        kind=kind,
        cpu=cpu,
        t=int(found["t"]),
        where=_where(found[0], cpu) or found["where"],
        before=text[: found.start()],
        number=int(reason["num"] or 0),
        why=why,
    )


def _where(text: str, cpu: int) -> str | None:
    """Each CPU has a line; the one that stopped need not be the first."""
    return next((m["where"] for m in re.finditer(_WHERE, text) if int(m["wcpu"]) == cpu), None)


def linear_of(where: str) -> int | None:
    """The instruction pointer in a `0008:0000000000100638 (unk. ctxt): ...` text."""
    found = re.match(r"[0-9a-f]{4}:([0-9a-f]+) ", where)
    return int(found[1], 16) if found else None


def prompt(number: int) -> str:
    """The prompt that ends the reply to command number `number` - 1."""
    return f"<bochs:{number}> "


def split_replies(text: str, first: int, count: int) -> list[str]:
    """Cut the replies to commands `first` .. `first`+`count`-1 at their prompts, and drop the echoes.

    `text` starts just behind prompt number `first`.
    """
    replies, at = [], 0
    for number in range(first + 1, first + count + 1):
        mark = prompt(number)
        end = text.find(mark, at)
        if end < 0:
            raise BochsOutputError(f"no prompt {mark!r} after {text[at:at + 60]!r}")
        replies.append(text[at:end])
        at = end + len(mark)
    return replies


def without_echo(reply: str, command: str) -> str:
    """A reply without the command that the debugger may have repeated in front of it."""
    return reply[len(command) + 1 :] if reply.startswith(command + "\n") else reply


@dataclass
class Exit:
    """The last words of a Bochs that ended by itself."""

    message: str  # between the two rules; empty if there was none
    where: dict[int, str]  # CPU -> cs:rip text
    t: int
    triple_fault: int | None  # vector of the last exception


_EXIT_MSG = re.compile(r"Bochs is exiting with the following message:\n(.*?)\n=====", re.S)
_EXIT_WHERE = re.compile(r"^\((\d+)\)\.\[(\d+)\] \[[^\]]*\] ([0-9a-f]{4}:[0-9a-f]+ .*)$", re.M)
_TRIPLE = re.compile(r"exception\(\): 3rd \((\d+)\) exception with no resolution")


def parse_exit(text: str) -> Exit:
    """Read the end of the output of a Bochs that has left, whatever it says there."""
    said = _EXIT_MSG.search(text)
    places = _EXIT_WHERE.findall(text)
    return Exit(
        message=" ".join(said[1].split()) if said else "",
        where={int(cpu): where for cpu, _, where in places},
        t=max((int(t) for _, t, _ in places), default=0),
        triple_fault=find_triple_fault(text),
    )


def find_triple_fault(text: str) -> int | None:
    """The vector of the exception that could not be delivered, from the output or the log."""
    found = _TRIPLE.search(text)
    return int(found[1]) if found else None
