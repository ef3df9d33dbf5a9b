# SPDX-License-Identifier: ISC
"""Trees and tables at a stop in the words of `make view`: the data that viewtext.py prints."""

from __future__ import annotations

from .. import walk
from ..viewdata import number, rights
from ..viewtext import Tree
from .kernel import Hat, Htable, copied
from .machine import Stopped


def _levels(geometry: walk.Geometry) -> list[dict]:
    return [{"shift": lv.shift, "entries": lv.entries, "size": lv.size, "large": lv.large} for lv in geometry.levels]


def _told(table: Htable | None) -> dict | None:
    return table and {"busy": table.busy, "valid": table.valid, "lock": table.lock, "flags": table.flags}


def runs(tree: walk.Tree, table: walk.Table, copies: set[int]) -> list[list]:
    """As in viewdata: [first, last, kind, entry, None, words, ""]."""
    geometry, level = tree.geometry, table.level
    step = geometry.levels[level].span if level == 0 or geometry.levels[level].large else 0
    found = []
    for first, last, entry in walk.runs(tuple(0 if i in copies else e for i, e in enumerate(table.entries)), step):
        decoded = walk.decode(geometry, level, entry, tree.features)
        kind = {"leaf": "leaf", "table": "table"}.get(decoded.kind, "odd")
        if kind == "leaf":
            found.append([first, last, kind, number(entry), None, rights(decoded), ""])
            continue
        found += [[i, i, kind, number(table.entries[i]), None, rights(decoded), ""] for i in range(first, last + 1)]
    for i in sorted(copies):
        if found and found[-1][2] == "copy" and found[-1][1] + 1 == i:
            found[-1][1] = i
        else:
            found.append([i, i, "copy", None, None, "", ""])
    return sorted(found, key=lambda run: run[0])


def table_data(tree: walk.Tree, table: walk.Table, told: Htable | None, copies: set[int] = frozenset()) -> dict:
    return {"l": table.level, "b": number(table.base), "e": number(tree.geometry.last(table.base, table.level)), "pa": number(table.pa),
            "k": _told(told), "in": True, "runs": runs(tree, table, copies)}


def hat_data(hat: Hat, tree: walk.Tree, kernel: walk.Tree | None) -> dict:
    """`kernel`: the kernel's own tree, for user hats; what they show of it is left out."""
    told = {(t.level, t.base): t for t in hat.tables}
    copies = copied(kernel, tree) if kernel else set()
    theirs = {t.pa for t in kernel.tables.values()} if kernel else set()
    shown = []
    for (level, base), table in sorted(tree.tables.items(), key=lambda item: (-item[0][0], item[0][1])):
        if table.pa not in theirs or (level, base) in told:
            mine = {i for lv, b, i in copies if (lv, b) == (level, base)}
            shown.append(table_data(tree, table, told.get((level, base)), mine))
    return {"addr": number(hat.addr), "name": hat.name, "flags": hat.flags, "root": number(hat.root), "current": bool(hat.cpus),
            "pages": hat.pages, "problems": [*hat.problems, *tree.problems, *missing(hat, tree)],
            "top": max((t["l"] for t in shown), default=hat.top), "tables": shown}


def missing(hat: Hat, tree: walk.Tree) -> list[str]:
    """Tables that the kernel knows and nobody reaches."""
    return [f"htable 0x{t.addr:x} (level {t.level}, 0x{t.base:x}) is on the hat's chains, but no link leads to its place"
            for t in hat.tables if (t.level, t.base) not in tree.tables]


def text(stopped: Stopped, hats: list[dict]) -> Tree:
    """The printer, as `make tree` has it."""
    return Tree({"mode": stopped.mode, "levels": _levels(stopped.geometry), "hats": hats}, max(stopped.width, 60))
