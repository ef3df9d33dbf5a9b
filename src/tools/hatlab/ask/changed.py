# SPDX-License-Identifier: ISC
"""`changed`: which entries of which tables have changed since the previous stop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from .. import walk
from . import words
from .kernel import views
from .machine import AskError, Command, Stopped

SHOWN = 40      # lines

TEXT = """
What has changed since the previous stop in the tables of all hats and of CR3: entries that are new, gone, or different, old -> new, with
the bits that differ in words; tables and hats that came and went. Reading all tables takes a moment, so it begins with the first `changed`
(or `changed on`): from then on the tables are noted whenever the guest goes on. Between two stops, after commands like `s`, it
tells what has changed since that first `changed` or since the guest last went on. `changed off` ends it.
  changed on
  changed
"""


@dataclass
class Table:
    """One table of a snapshot."""

    hat: str
    level: int
    base: int
    entries: tuple[int, ...]


@dataclass
class Memory:
    """What was seen when the guest last went on: tables by physical address, hats by name."""

    on: bool = False
    tables: dict[int, Table] = field(default_factory=dict)
    hats: list[str] = field(default_factory=list)
    mode: str = ""

    def remember(self, stopped: Stopped) -> None:
        self.tables, self.hats, self.mode = snapshot(stopped)
        self.on = True

    def forget(self) -> None:
        self.tables, self.hats, self.mode = {}, [], ""


def snapshot(stopped: Stopped) -> tuple[dict[int, Table], list[str], str]:
    tables: dict[int, Table] = {}
    found = views(stopped)
    for hat, tree in found:
        for table in tree.tables.values():
            tables.setdefault(table.pa, Table(hat.title(), table.level, table.base, table.entries))
    return tables, [hat.title() for hat, _ in found], stopped.mode


def answer(stopped: Stopped, word: str | None = None) -> Iterator[str]:
    memory = stopped.changes
    if word not in (None, "on", "off"):
        raise AskError(f"{word!r}: say changed, changed on or changed off")
    if word == "off":
        memory.on = False
        memory.forget()
        yield "changed: off"
    elif word == "on" or not memory.on or not memory.mode:
        memory.remember(stopped)
        yield f"changed: {len(memory.tables)} tables noted; from now on, changed tells what has become different since the guest went on"
    else:
        yield from differences(stopped, memory)


def differences(stopped: Stopped, memory: Memory) -> Iterator[str]:
    tables, hats, mode = snapshot(stopped)
    if mode != memory.mode:
        memory.remember(stopped)
        yield f"changed: the processor's mode has changed; {len(tables)} tables noted anew"
        return
    lines = [f"+ {hat}" for hat in hats if hat not in memory.hats] + [f"- {hat}" for hat in memory.hats if hat not in hats]
    for pa in sorted(memory.tables.keys() | tables.keys()):
        lines += _table(stopped, pa, memory.tables.get(pa), tables.get(pa))
    yield from lines[:SHOWN]
    if len(lines) > SHOWN:
        yield f"and {len(lines) - SHOWN} more lines"
    if not lines:
        yield f"nothing has changed in {len(tables)} tables"


def _table(stopped: Stopped, pa: int, old: Table | None, new: Table | None) -> Iterator[str]:
    one = new or old
    place = f"table at 0x{pa:x}, level {one.level} for 0x{one.base:0{stopped.digits}x}, {one.hat}"
    if old is None:
        yield f"+ {place}: {_count(new)}"
        return
    if new is None:
        yield f"- {place}: had {_count(old)}"
        return
    if (old.level, old.base) != (new.level, new.base):
        yield f"~ {place}: was level {old.level} for 0x{old.base:x}"
        return
    different = [i for i, (a, b) in enumerate(zip(old.entries, new.entries)) if a != b]
    if different:
        yield f"~ {place}:"
    for index in different:
        yield "    " + _entry(stopped, one, index, old.entries[index], new.entries[index])


def _count(table: Table) -> str:
    return f"{sum(e & walk.P for e in table.entries)} present entries"


def _entry(stopped: Stopped, table: Table, index: int, old: int, new: int) -> str:
    geometry = stopped.geometry
    va = geometry.base(table.base, table.level, index)
    sign = "+" if old == 0 else "-" if new == 0 else "~"
    told = f"{sign} [{index}] 0x{va:0{stopped.digits}x}: 0x{old:x} -> 0x{new:x}"
    if old & walk.P and new & walk.P:
        return f"{told} ({_difference(stopped, table.level, old, new)})"
    return f"{told} ({words.bits(geometry, table.level, new or old, stopped.features)})"


def _difference(stopped: Stopped, level: int, old: int, new: int) -> str:
    """`now accessed, dirty; no longer writable; another frame`."""
    geometry, features = stopped.geometry, stopped.features
    before, after = (words.bits(geometry, level, e, features).split(", ") for e in (old, new))
    parts = ["now " + ", ".join(w for w in after if w not in before)] if set(after) - set(before) else []
    parts += ["no longer " + ", ".join(w for w in before if w not in after)] if set(before) - set(after) else []
    a, b = (walk.decode(geometry, level, e, features).pa for e in (old, new))
    parts += [f"0x{a:x} -> 0x{b:x}"] if a != b else []
    return "; ".join(parts) or "a bit that the processor ignores"


COMMANDS = {"changed": Command("changed [on|off]", "entries that have changed since the previous stop, old -> new", TEXT, answer)}
