# SPDX-License-Identifier: ISC
"""`walk`: take a virtual address apart."""

from __future__ import annotations

from collections.abc import Iterator

from .. import bochs_out
from . import words
from .machine import Command, Step, Stopped

TEXT = """
Takes a virtual address apart: its index at each level, the entry that the processor reads there with its bits in words, and where
it ends. The rights are those of all levels together. Last comes what Bochs' own `page` says, and whether the two agree.
  walk 0xfffffd8000001234
  walk kas_hat              (a name of the kernel's)
"""


def answer(stopped: Stopped, word: str) -> Iterator[str]:
    va = stopped.address(word)
    geometry, steps = stopped.geometry, stopped.steps(va)
    mode = {"long": "64-bit paging", "pae": "PAE paging", "nonpae": "32-bit paging"}[stopped.mode]
    yield f"0x{va:0{stopped.digits}x}: {mode}, CR3 0x{stopped.creg.cr3:x}, top table at 0x{stopped.creg.root:x}"
    for step in steps:
        yield _step(stopped, step)
    last = steps[-1]
    if last.found.kind == "leaf":
        offset = va & (geometry.levels[last.level].span - 1)
        u, w, x = (all(getattr(s.found, name) for s in steps) for name in "uwx")
        yield f"  offset 0x{offset:x} -> physical 0x{last.found.pa + offset:x}, {words.rights(u, w, x)} all levels together"
    elif last.found.kind == "table":
        yield f"  the table at 0x{last.found.pa:x} is not in memory: translation ends here"
    else:
        yield f"  page fault: the {words.entry_name(geometry, last.level)} {_why(last)}"
    yield _bochs(stopped, va, steps)


def _step(stopped: Stopped, step: Step) -> str:
    geometry = stopped.geometry
    goes = f" -> table at 0x{step.found.pa:x}" if step.found.kind == "table" else ""
    width = geometry.levels[step.level].width * 2
    return (f"  level {step.level} {words.entry_name(geometry, step.level):<5} [{step.index}] at 0x{step.where:x}: 0x{step.entry:0{width}x} "
            f"{words.bits(geometry, step.level, step.entry, stopped.features)}{goes}")


def _why(step: Step) -> str:
    return "has reserved bits set" if step.found.kind == "bad" else "is not present"


def _bochs(stopped: Stopped, va: int, steps: list[Step]) -> str:
    """`page` beside ours: the page, and each entry that it prints (under PAE not the PDPTE)."""
    page = bochs_out.parse_page(stopped.machine.ask([f"page 0x{va:x}"])[0])
    theirs = "not mapped" if page.phys is None else f"0x{page.phys:x}"
    ours = _page(stopped, va, steps)
    mine = "not mapped" if ours is None else f"0x{ours:x}"
    if page.phys != ours:
        return f"  Bochs' page: {theirs}: DISAGREES, the tables in memory give {mine}{_pae(stopped)}"
    entries = [e.entry for e in page.entries]
    if len(entries) <= len(steps) and entries and entries != [s.entry for s in steps][len(steps) - len(entries):]:
        return f"  Bochs' page: {theirs}: agrees about the page, but has read OTHER ENTRIES: {' '.join(f'0x{e:x}' for e in entries)}"
    return f"  Bochs' page: {theirs}: agrees"


def _page(stopped: Stopped, va: int, steps: list[Step]) -> int | None:
    last = steps[-1]
    if last.found.kind != "leaf":
        return None
    return (last.found.pa + (va & (stopped.geometry.levels[last.level].span - 1))) & ~0xFFF


def _pae(stopped: Stopped) -> str:
    """The one honest reason for it."""
    return " (the processor keeps its own copy of the four PDPTEs since CR3 was last loaded)" if stopped.mode == "pae" else ""


COMMANDS = {"walk": Command("walk VA", "take an address apart: index, entry and bits at each level, and Bochs' page beside it", TEXT, answer, 1)}
