# SPDX-License-Identifier: ISC
"""What the hardware sees of a scratch address space, judged by the host: src/check/outside.h says what is expected.

The expectation was read before any of the student's code ran.  The tables are read from physical memory and walked here; then
Bochs is asked for its own translation of every leaf.  Frames of tables are the kernel's business; frames of pages must be exact.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from . import bochs_out
from .bochs import Bochs, read_memory
from .elf import Elf
from .walk import GEOMETRY, A, D, Features, Geometry, P, Tree, decode, walk

EXPECTED = struct.Struct("<QQII")
GROWS = A | D


class Expected(NamedTuple):
    """struct expected."""

    va: int
    entry: int
    level: int
    table: int


def read_expected(array: bytes, count: bytes) -> list[Expected]:
    n = int.from_bytes(count, "little")
    return [Expected(*EXPECTED.unpack_from(array, i * EXPECTED.size)) for i in range(min(n, len(array) // EXPECTED.size))]


def compare(machine: Bochs, elf: Elf, expected: list[Expected], keeps: int = 9) -> str:
    """The first difference in words, or nothing.  Empty tables at level `keeps` and above may be there."""
    creg = bochs_out.parse_creg(machine.ask(["creg"])[0])
    limit = user_limit(machine, elf)
    geometry = GEOMETRY[creg.mode]

    def fetch_user(areas):
        """Only the user's slots of the top table: the kernel's are none of this check's business."""
        return [_without_kernel(raw, geometry, limit) if pa == creg.root else raw
                for (pa, _), raw in zip(areas, read_memory(machine, areas))]

    tree = walk(creg.root, geometry, fetch_user, Features())
    if tree.problems:
        return tree.problems[0]
    return (_tables(tree, expected, limit, keeps) or _leaves(tree, expected, limit) or _translations(machine, tree, expected))


def user_limit(machine: Bochs, elf: Elf) -> int:
    """userlimit: where the user's part ends."""
    va = elf.address("userlimit")
    words = "g" if elf.word == 8 else "w"
    reply = machine.ask([f"x /1{words}x 0x{va:x}"])[0]
    return int(reply.rsplit("\t0x", 1)[1].split()[0], 16)


def _without_kernel(raw: bytes, geometry: Geometry, limit: int) -> bytes:
    """A top table with the slots beyond the user's part made empty."""
    width, keep = geometry.levels[geometry.top].width, b""
    for index in range(geometry.levels[geometry.top].entries):
        part = raw[index * width : (index + 1) * width]
        keep += part if geometry.base(0, geometry.top, index) < limit else bytes(width)
    return keep


def _tables(tree: Tree, expected: list[Expected], limit: int, keeps: int) -> str:
    wanted = {(e.level, e.va) for e in expected if e.table}
    geometry = tree.geometry
    have = set()
    for level, base in tree.tables:
        if level < geometry.top:
            have.add((level, base))
    for level, va in sorted(wanted - have, reverse=True):
        return f"the hardware finds no table of level {level} over 0x{va:x}"
    kept = {key for key in have if key[0] >= keeps and not any(entry & P for entry in tree.tables[key].entries)}
    for level, va in sorted(have - wanted - kept, reverse=True):
        if geometry.last(va, level) < limit:
            return f"a table of level {level} is linked over 0x{va:x}: there must be none"
    return ""


def _leaves(tree: Tree, expected: list[Expected], limit: int) -> str:
    wanted = {(e.level, e.va): e.entry for e in expected if not e.table}
    geometry = tree.geometry
    for (level, base), table in sorted(tree.tables.items()):
        for index, entry in enumerate(table.entries):
            va = geometry.base(base, level, index)
            if not entry & P or va >= limit or decode(geometry, level, entry, tree.features).kind == "table":
                continue
            want = wanted.pop((level, va), None)
            if want is None:
                return f"0x{va:x} is mapped at level {level} by entry 0x{entry:x}: nothing must be mapped there"
            if entry & ~GROWS != want & ~GROWS or entry & want & GROWS != want & GROWS:
                return f"0x{va:x}, level {level}: the entry in memory is 0x{entry:x}, want 0x{want:x}"
    for (level, va), want in sorted(wanted.items()):
        return f"0x{va:x}, level {level}: nothing is mapped, want entry 0x{want:x}"
    return ""


def _translations(machine: Bochs, tree: Tree, expected: list[Expected]) -> str:
    """Bochs' own walk, for every leaf."""
    leaves = [e for e in expected if not e.table]
    replies = machine.ask([f"page 0x{e.va:x}" for e in leaves])
    for e, reply in zip(leaves, replies):
        found = bochs_out.parse_page(reply)
        want = decode(tree.geometry, e.level, e.entry, tree.features).pa
        if found.phys != want:
            have = "nothing" if found.phys is None else f"0x{found.phys:x}"
            return f"Bochs translates 0x{e.va:x} to {have}, want 0x{want:x}"
    return ""
