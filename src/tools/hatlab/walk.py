# SPDX-License-Identifier: ISC
"""Page tables from raw bytes, as the processor would walk them: the host's own reading of the manuals.

Independent on purpose: nothing here knows what the kernel says or how Bochs prints.  `walk` fetches whole tables through
a callback, level by level, so that a caller can fetch all tables of a level in one conversation.

Modes: `long` (4 levels of 512 entries), `pae` (a directory of 4 entries, then 2 levels of 512) and `nonpae` (2 levels of
1024 entries of 4 bytes).  Level 0 maps 4 KiB pages.  [SDM3 4.3, 4.4, 4.5]
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

P, W, U, PWT, PCD, A, D, PS, G = (1 << n for n in range(9))
PAT_SMALL, PAT_LARGE = 1 << 7, 1 << 12
SOFT_SHIFT = 9
NX = 1 << 63
TABLES_MAX = 20_000  # more than any honest address space here; damaged tables can point to themselves


@dataclass(frozen=True)
class Level:
    """The shape of the tables at one level."""

    shift: int  # log2 of what one entry covers
    entries: int
    width: int  # bytes in an entry
    large: bool  # an entry may map a large page
    size: str  # name of what one entry maps

    @property
    def span(self) -> int:
        return 1 << self.shift

    @property
    def bytes(self) -> int:
        return self.entries * self.width


@dataclass(frozen=True)
class Geometry:
    """The shape of a whole tree; `levels[0]` maps 4 KiB pages, the last one is the top."""

    mode: str
    levels: tuple[Level, ...]
    va_bits: int

    @property
    def top(self) -> int:
        return len(self.levels) - 1

    def base(self, base: int, level: int, index: int) -> int:
        """The address that entry `index` of the table at `base` covers; sign-extended in long mode."""
        va = base + (index << self.levels[level].shift)
        if self.mode == "long" and level == 3 and index >= 256:
            va |= 0xFFFF_0000_0000_0000
        return va

    def index(self, va: int, level: int) -> int:
        return (va >> self.levels[level].shift) % self.levels[level].entries

    def table_base(self, va: int, level: int) -> int:
        """The base address of the table at `level` that covers `va`."""
        if level == self.top:
            return 0
        return va & ~((1 << (self.levels[level].shift + (self.levels[level].entries - 1).bit_length())) - 1)

    def last(self, base: int, level: int) -> int:
        """The last address that a table covers."""
        if level == self.top:
            return (1 << (64 if self.mode == "long" else 32)) - 1
        return base + self.levels[level].entries * self.levels[level].span - 1


GEOMETRY = {
    "long": Geometry(
        "long",
        (
            Level(12, 512, 8, False, "4K"),
            Level(21, 512, 8, True, "2M"),
            Level(30, 512, 8, True, "1G"),
            Level(39, 512, 8, False, "512G"),
        ),
        48,
    ),
    "pae": Geometry(
        "pae",
        (Level(12, 512, 8, False, "4K"), Level(21, 512, 8, True, "2M"), Level(30, 4, 8, False, "1G")),
        32,
    ),
    "nonpae": Geometry("nonpae", (Level(12, 1024, 4, False, "4K"), Level(22, 1024, 4, True, "4M")), 32),
}


@dataclass(frozen=True)
class Features:
    """What decides about the meaning of single bits."""

    pse: bool = True  # CR4.PSE: 4 MiB pages without PAE
    nxe: bool = True  # EFER.NXE: bit 63 is no-execute, else reserved
    phys_bits: int = 40
    pointer_a: bool = False  # PAE directory pointers have an accessed bit: on QEMU only


class Decoded(NamedTuple):
    """One entry, taken apart.  `kind`: `none`, `table`, `leaf`, or `bad` when a reserved bit is set."""

    kind: str
    pa: int = 0
    w: bool = False
    x: bool = True
    u: bool = False
    g: bool = False
    a: bool = False
    d: bool = False
    cache: int = 0  # PAT * 4 + PCD * 2 + PWT
    soft: int = 0
    reserved: int = 0


def decode(geometry: Geometry, level: int, entry: int, features: Features = Features()) -> Decoded:
    """Take one entry apart."""
    if not entry & P:
        return Decoded("none")
    if geometry.mode == "pae" and level == 2:
        return _decode_pdpte(entry, features)
    shape = geometry.levels[level]
    large = bool(shape.large and entry & PS and (geometry.mode != "nonpae" or features.pse))
    leaf = level == 0 or large
    reserved = _reserved(geometry, level, leaf, features) & entry
    pat = entry & (PAT_LARGE if large else PAT_SMALL) if leaf else 0
    return Decoded(
        kind="bad" if reserved else "leaf" if leaf else "table",
        pa=_address(geometry, shape, large, entry, features),
        w=bool(entry & W),
        x=not (features.nxe and entry & NX),
        u=bool(entry & U),
        g=bool(leaf and entry & G),
        a=bool(entry & A),
        d=bool(leaf and entry & D),
        cache=(4 if pat else 0) + (2 if entry & PCD else 0) + (1 if entry & PWT else 0),
        soft=entry >> SOFT_SHIFT & 7,
        reserved=reserved,
    )


def _decode_pdpte(entry: int, features: Features) -> Decoded:
    """A PAE directory pointer has no rights and no accessed bit: those bits are reserved.  [SDM3 4.4.1]"""
    reserved = entry & (0x1E6 | _above(features.phys_bits)) & ~(A if features.pointer_a else 0)
    return Decoded(
        kind="bad" if reserved else "table",
        pa=entry & _between(12, features.phys_bits),
        w=True,
        u=True,
        cache=(2 if entry & PCD else 0) + (1 if entry & PWT else 0),
        soft=entry >> SOFT_SHIFT & 7,
        reserved=reserved,
    )


def _between(low: int, high: int) -> int:
    """Bits `low` up to, not including, `high`."""
    return (1 << high) - (1 << low)


def _above(bits: int) -> int:
    return _between(bits, 64)


def _address(geometry: Geometry, shape: Level, large: bool, entry: int, features: Features) -> int:
    low = shape.shift if large else 12
    if geometry.mode != "nonpae":
        return entry & _between(low, features.phys_bits)
    if not large:
        return entry & 0xFFFF_F000
    # PSE-36: bits 13-20 are address bits 32-39
    return (entry & 0xFFC0_0000) | ((entry >> 13 & 0xFF) << 32)


@functools.cache
def _reserved(geometry: Geometry, level: int, leaf: bool, features: Features) -> int:
    """The bits that must be zero in a present entry.  [SDM3 4.5.4, tables 4-15 to 4-20]"""
    if geometry.mode == "nonpae":
        return 1 << 21 if leaf and level else 0
    mask = _between(features.phys_bits, 52)
    if geometry.mode == "pae":
        mask |= _between(52, 63)
    if not features.nxe:
        mask |= NX
    if leaf and level:
        mask |= _between(13, geometry.levels[level].shift)
    if geometry.mode == "long" and level == 3:
        mask |= PS
    return mask


# ------------------------------------------------------------------------------------------------------------ trees


@dataclass
class Table:
    """One table found in memory."""

    level: int
    base: int
    pa: int
    raw: bytes
    entries: tuple[int, ...]


@dataclass
class Tree:
    """All tables reachable from a root, by (level, base address)."""

    geometry: Geometry
    features: Features
    root: int
    tables: dict[tuple[int, int], Table] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


Fetch = Callable[[Sequence[tuple[int, int]]], Sequence[bytes]]


def unpack(shape: Level, raw: bytes) -> tuple[int, ...]:
    """The entries of a table."""
    return struct.unpack(f"<{shape.entries}{'Q' if shape.width == 8 else 'I'}", raw[: shape.bytes])


def walk(root: int, geometry: Geometry, fetch: Fetch, features: Features = Features(), top: int | None = None) -> Tree:
    """Walk all tables below `root`.  `top` starts lower than the top level (a table that is reached otherwise)."""
    tree = Tree(geometry, features, root)
    level = geometry.top if top is None else top
    wanted = [(0, root)]  # (base address, physical address)
    while wanted and level >= 0:
        shape = geometry.levels[level]
        if len(tree.tables) + len(wanted) > TABLES_MAX:
            tree.problems.append(f"more than {TABLES_MAX} tables below 0x{root:x}")
            break
        raws = fetch([(pa, shape.bytes) for _, pa in wanted])
        below: list[tuple[int, int]] = []
        for (base, pa), raw in zip(wanted, raws):
            table = Table(level, base, pa, raw, unpack(shape, raw))
            tree.tables[level, base] = table
            if level:
                below += _children(tree, table)
        wanted, level = below, level - 1
    return tree


def _children(tree: Tree, table: Table) -> Iterator[tuple[int, int]]:
    for index, entry in enumerate(table.entries):
        if entry & P:
            found = decode(tree.geometry, table.level, entry, tree.features)
            if found.kind == "table":
                yield tree.geometry.base(table.base, table.level, index), found.pa


@functools.lru_cache(maxsize=4096)
def runs(entries: tuple[int, ...], step: int) -> tuple[tuple[int, int, int], ...]:
    """Group the entries that are not zero: (first index, last index, first entry), consecutive frames together.

    `step` is what one entry maps; entries that differ by exactly that have equal bits otherwise.
    """
    found: list[tuple[int, int, int]] = []
    at, count = 0, len(entries)
    while at < count:
        entry = entries[at]
        if not entry:
            at += 1
            continue
        first, expected = at, entry + step
        at += 1
        if entry & P:
            while at < count and entries[at] == expected:
                expected += step
                at += 1
        found.append((first, at - 1, entry))
    return tuple(found)


class Mapping(NamedTuple):
    """`va0`-`va1` (inclusive) maps to the physical addresses from `pa0` on; rights are the product of all levels."""

    va0: int
    va1: int
    pa0: int
    level: int
    table: int  # base address of the table that holds the entries
    index: int
    u: bool
    w: bool
    x: bool
    leaf: Decoded

    @property
    def pa1(self) -> int:
        return self.pa0 + self.va1 - self.va0


def path(tree: Tree, va: int) -> list[tuple[int, int, int]]:
    """The entries that a translation of `va` passes, from the top: (level, index, entry)."""
    passed = []
    level = max((lv for lv, _ in tree.tables), default=-1)
    while level >= 0:
        table = tree.tables.get((level, tree.geometry.table_base(va, level)))
        if table is None:
            break
        index = tree.geometry.index(va, level)
        entry = table.entries[index]
        passed.append((level, index, entry))
        if decode(tree.geometry, level, entry, tree.features).kind != "table":
            break
        level -= 1
    return passed


def translate(tree: Tree, va: int) -> int | None:
    """The physical address of `va`, or None."""
    passed = path(tree, va)
    if not passed:
        return None
    level, _, entry = passed[-1]
    found = decode(tree.geometry, level, entry, tree.features)
    if found.kind != "leaf":
        return None
    return found.pa + (va & (tree.geometry.levels[level].span - 1))


def mappings(tree: Tree) -> Iterator[Mapping]:
    """Everything mapped, in ascending order, as runs within one table."""
    top = max((level for level, _ in tree.tables), default=-1)
    for key in sorted(k for k in tree.tables if k[0] == top):
        yield from _mappings(tree, tree.tables[key], True, True, True)


def _mappings(tree: Tree, table: Table, u: bool, w: bool, x: bool) -> Iterator[Mapping]:
    geometry, level = tree.geometry, table.level
    span = geometry.levels[level].span
    for first, last, entry in runs(table.entries, span if level == 0 or geometry.levels[level].large else 0):
        found = decode(geometry, level, entry, tree.features)
        if found.kind == "leaf":
            va0 = geometry.base(table.base, level, first)
            yield Mapping(
                va0, va0 + (last - first + 1) * span - 1, found.pa, level, table.base, first,
                u and found.u, w and found.w, x and found.x, found,
            )
        elif found.kind == "table":
            # a run of table entries can only be an accident: take each on its own
            for index in range(first, last + 1):
                below = decode(geometry, level, table.entries[index], tree.features)
                child = tree.tables.get((level - 1, geometry.base(table.base, level, index)))
                if child is not None and below.kind == "table":
                    yield from _mappings(tree, child, u and below.u, w and below.w, x and below.x)


def merged(found: Iterator[Mapping]) -> list[tuple[int, int, int]]:
    """Translation only: (first address, last address, physical address), merged wherever both sides continue."""
    out: list[tuple[int, int, int]] = []
    for m in found:
        if out and out[-1][1] + 1 == m.va0 and out[-1][2] + (m.va0 - out[-1][0]) == m.pa0:
            out[-1] = (out[-1][0], m.va1, out[-1][2])
        else:
            out.append((m.va0, m.va1, m.pa0))
    return out
