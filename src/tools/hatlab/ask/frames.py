# SPDX-License-Identifier: ISC
"""`who`: every mapping of a frame, by walking all hats' real tables from their roots."""

from __future__ import annotations

from collections.abc import Iterator

from .. import walk
from . import words
from .kernel import Hat, copied, views
from .machine import AskError, Command, Stopped

SHOWN = 40

TEXT = """
Who maps this frame? All tables of all hats are walked from their roots, so nothing depends on the kernel's lists. Each mapping is told
with its hat, address, level and the rights of all levels together; each link, with the table that it stands in.
A number below the number of frames is a frame, anything else a physical address; phys:0x1000 is always an address.
What a user's hat shows of the kernel is told once, with the kernel's hat.
  who 0x41
  who 0x41000
"""


def answer(stopped: Stopped, word: str) -> Iterator[str]:
    pfn = _pfn(stopped, word)
    yield f"frame 0x{pfn:x} (physical 0x{pfn << 12:x}-0x{(pfn << 12) + 0xFFF:x}):"
    found = views(stopped)
    kernel = found[0][1] if found[0][0].name == "kernel" else None
    lines: list[str] = []
    for hat, tree in found:
        lines += _roots(hat, pfn)
        skip = copied(kernel, tree) if kernel is not None and hat.name == "user" else set()
        top = max((level for level, _ in tree.tables), default=-1)
        for key in sorted(k for k in tree.tables if k[0] == top):
            lines += _below(stopped, hat, tree, tree.tables[key], pfn, skip, (True, True, True))
    yield from (f"  {line}" for line in lines[:SHOWN])
    if len(lines) > SHOWN:
        yield f"  and {len(lines) - SHOWN} more"
    if not lines:
        yield "  nobody: no entry of any hat's tables has it"


def _pfn(stopped: Stopped, word: str) -> int:
    exact = word.startswith("phys:")
    value = stopped.number(word[5:] if exact else word)
    pfn = value if value < stopped.ram >> 12 and not exact else value >> 12
    if pfn >> 40:
        raise AskError(f"0x{value:x} is neither a frame nor a physical address (of a virtual one, walk tells the physical)")
    return pfn


def _roots(hat: Hat, pfn: int) -> Iterator[str]:
    for table in hat.tables:
        if table.pfn == pfn and table.level == hat.top:
            yield f"it is the top table of {hat.title()}"
    if hat.root >> 12 == pfn and "vlp" in hat.flags:
        yield f"the four entries of {hat.title()} are in it, at 0x{hat.root:x}"
    if hat.name == "boot" and hat.root >> 12 == pfn:
        yield "it is the top table in CR3"


def _below(stopped: Stopped, hat: Hat, tree: walk.Tree, table: walk.Table, pfn: int, skip: set, rights: tuple) -> Iterator[str]:
    geometry, level = tree.geometry, table.level
    span = geometry.levels[level].span
    for index, entry in enumerate(table.entries):
        if not entry & walk.P or (level, table.base, index) in skip:
            continue
        found = walk.decode(geometry, level, entry, tree.features)
        both = tuple(a and b for a, b in zip(rights, (found.u, found.w, found.x)))
        va = geometry.base(table.base, level, index)
        if found.kind == "leaf" and found.pa <= pfn << 12 < found.pa + span:
            at = va + (pfn << 12) - found.pa
            yield (f"{hat.title()} maps it at 0x{at:0{stopped.digits}x} (level {level}, {geometry.levels[level].size} page, "
                   f"{words.rights(*both)}), entry [{index}] of the table at 0x{table.pa:x}")
        elif found.kind == "table":
            if found.pa >> 12 == pfn:
                yield (f"{hat.title()} links it as a table of level {level - 1} for 0x{va:0{stopped.digits}x}: entry [{index}] of the table "
                       f"at 0x{table.pa:x} (level {level})")
            child = tree.tables.get((level - 1, va))
            if child is not None:
                yield from _below(stopped, hat, tree, child, pfn, skip, both)


COMMANDS = {"who": Command("who PFN|PA", "every mapping of a frame, and every link to it", TEXT, answer, 1)}
