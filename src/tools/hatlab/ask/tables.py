# SPDX-License-Identifier: ISC
"""`table`: what table is this?"""

from __future__ import annotations

from collections.abc import Iterator

from .. import walk
from . import picture
from .kernel import views
from .machine import PAGE, AskError, Command, Stopped

TEXT = """
What table is this, and what stands in it, in runs of entries alike. The address may be
  - physical: of a page table of any hat, anywhere in it. It says whose it is;
  - virtual: then it is the last table that a translation of it passes, or the one at LEVEL (0: 4 KiB pages), in CR3;
  - phys:ADDRESS LEVEL: any frame at all, read as a table of that level.
  table 0x41000
  table 0xfffffd8000001234 2
  table phys:0x5000 1
"""


def answer(stopped: Stopped, word: str, level_word: str | None = None) -> Iterator[str]:
    level = _level(stopped, level_word)
    if word.startswith("phys:"):
        pa = stopped.number(word[5:])
        found = list(_known(stopped, pa, level))
        yield from found or _raw(stopped, pa & ~(PAGE - 1), level)
        return
    number = stopped.number(word)
    found = list(_known(stopped, number, level)) if number < stopped.ram else []
    yield from found or _on_path(stopped, stopped.address(word), level)


def _level(stopped: Stopped, word: str | None) -> int | None:
    if word is None:
        return None
    if not word.isdigit() or int(word) > stopped.geometry.top:
        raise AskError(f"{word!r} is no level: 0 to {stopped.geometry.top} in this mode")
    return int(word)


def _known(stopped: Stopped, pa: int, level: int | None) -> Iterator[str]:
    """A table of a hat with an entry at this physical address; told once, under the hat that owns it."""
    seen = set()
    for hat, tree in views(stopped):
        told = {(t.level, t.base): t for t in hat.tables}
        for table in tree.tables.values():
            size = tree.geometry.levels[table.level].bytes
            if not table.pa <= pa < table.pa + size or level not in (None, table.level) or (table.pa, table.level) in seen:
                continue
            seen.add((table.pa, table.level))
            yield f"physical 0x{pa:x}: in a table of {hat.title()}"
            yield from _lines(stopped, tree, table, told.get((table.level, table.base)), hat.name)


def _on_path(stopped: Stopped, va: int, level: int | None) -> Iterator[str]:
    steps = stopped.steps(va)
    step = steps[-1] if level is None else next((s for s in steps if s.level == level), None)
    if step is None:
        raise AskError(f"a translation of 0x{va:x} ends at level {steps[-1].level}: there is no table of level {level}")
    pa = step.where & ~(PAGE - 1) if stopped.geometry.levels[step.level].bytes == PAGE else stopped.creg.root
    yield f"virtual 0x{va:x}: entry [{step.index}] of this table"
    for hat, tree in views(stopped):
        table = tree.tables.get((step.level, stopped.geometry.table_base(va, step.level)))
        if table is not None and table.pa == pa:
            told = next((t for t in hat.tables if (t.level, t.base) == (table.level, table.base)), None)
            yield from _lines(stopped, tree, table, told, hat.name)
            return
    yield from _raw(stopped, pa, step.level, stopped.geometry.table_base(va, step.level))


def _raw(stopped: Stopped, pa: int, level: int | None, base: int = 0) -> Iterator[str]:
    if level is None:
        raise AskError(f"0x{pa:x} is in no table of any hat: to read it as one, say of which level")
    shape = stopped.geometry.levels[level]
    raw = stopped.physical(pa, shape.bytes)
    tree = walk.Tree(stopped.geometry, stopped.features, pa)
    yield "(no hat has a table there)"
    yield from _lines(stopped, tree, walk.Table(level, base, pa, raw, walk.unpack(shape, raw)), None)


def _lines(stopped: Stopped, tree: walk.Tree, table: walk.Table, told, owner: str = "boot") -> Iterator[str]:
    data = picture.table_data(tree, table, told)
    where = f"htable 0x{told.addr:x}: " if told else ""
    first, *rest = picture.text(stopped, [{"name": owner}]).table_lines(data, where)
    yield first
    yield from rest or ["  every entry is 0"]


COMMANDS = {"table": Command("table PA|VA [LEVEL]", "what table is this, and its entries in runs", TEXT, answer, 1, 2)}
