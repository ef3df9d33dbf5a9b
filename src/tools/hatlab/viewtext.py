# SPDX-License-Identifier: ISC
"""The picture of viewdata.py as text: one line a table and a run, equal neighbours folded, as wide as the terminal."""

from __future__ import annotations

from collections.abc import Iterator

FOLD_FROM = 4  # so many tables alike in a row, and more, are one line


class Tree:
    """One checkpoint's trees, line by line."""

    def __init__(self, data: dict, width: int, ascii_only: bool = False, everything: bool = False) -> None:
        self.data, self.width, self.everything = data, width, everything
        self.bars = ("|-- ", "`-- ", "|   ", "    ") if ascii_only else ("├── ", "└── ", "│   ", "    ")
        self.differs = "!= " if ascii_only else "≠ "
        self.digits = 16 if data["mode"] == "long" else 8

    def lines(self) -> Iterator[str]:
        for hat in self.data["hats"]:
            yield from (self._cut(line) for line in self._hat(hat))

    def table_lines(self, table: dict, where: str = "") -> Iterator[str]:
        """One table by itself: what it is, and its runs; links are not followed."""
        yield self._cut(f"{where}{self._table_text(table, None)}")
        for run in table["runs"]:
            yield self._cut("  " + self._run_text(table, run))

    def _cut(self, line: str) -> str:
        """A difference is told whole, whatever the width."""
        return line if len(line) <= self.width or self.differs.strip() in line else line[: self.width - 1] + ">"

    def _hat(self, hat: dict) -> Iterator[str]:
        flags = f" ({','.join(hat['flags'])})" if hat["flags"] else ""
        here = ", in CR3" if hat["current"] else ""
        yield f"hat 0x{hat['addr']} {hat['name']}{flags}: {len(hat['tables'])} tables, pages {','.join(map(str, hat['pages']))}{here}"
        for problem in hat["problems"]:
            yield f"{self.differs}{problem}"
        tables = {(t["l"], int(t["b"], 16)): t for t in hat["tables"]}
        roots = [t for t in hat["tables"] if t["l"] == hat["top"]]
        for n, root in enumerate(roots):
            yield from self._node(self._table_text(root, None), self._below(root, tables), "", n == len(roots) - 1)

    def _node(self, text: str, below: list, indent: str, last: bool) -> Iterator[str]:
        yield indent + self.bars[1 if last else 0] + text
        indent += self.bars[3 if last else 2]
        for n, (line, more) in enumerate(below):
            yield from self._node(line, more, indent, n == len(below) - 1)

    # what stands in a table

    def _below(self, table: dict, tables: dict) -> list[tuple[str, list]]:
        found: list[tuple[str, list]] = []
        alike: list[tuple[list, dict, list]] = []
        for run in table["runs"]:
            child = tables.get((table["l"] - 1, self._va(table, run[0]))) if run[2] == "table" else None
            if child is None:
                found += self._folded(alike)
                found.append((self._run_text(table, run), []))
                alike = []
                continue
            below = self._below(child, tables)
            if alike and not self._alike(alike[-1], (run, child, below)):
                found += self._folded(alike)
                alike = []
            alike.append((run, child, below))
        return found + self._folded(alike)

    def _alike(self, one: tuple, other: tuple) -> bool:
        """Neighbours of the same shape: as many runs of the same indices and attributes, whatever they map."""
        def shape(part: tuple) -> tuple:
            run, child, _ = part
            return (run[5], run[6], [(r[0], r[1], r[2], r[5], r[6]) for r in child["runs"]], child["in"], child["k"] is not None)

        return not self.everything and one[0][0] + 1 == other[0][0] and one[0][6] == "" and shape(one) == shape(other)

    def _folded(self, alike: list[tuple[list, dict, list]]) -> list[tuple[str, list]]:
        if len(alike) < FOLD_FROM:
            return [(self._table_text(child, run), below) for run, child, below in alike]
        (first, child, below), (last, _, _) = alike[0], alike[-1]
        rest = f"[{alike[1][0][0]}-{last[0]}] {len(alike) - 1} more tables like this one, up to 0x{alike[-1][1]['e']}"
        return [(self._table_text(child, first), below), (rest, [])]

    # words

    def _va(self, table: dict, index: int) -> int:
        va = int(table["b"], 16) + (index << self.data["levels"][table["l"]]["shift"])
        return va | 0xFFFF_0000_0000_0000 if self.digits == 16 and table["l"] == 3 and index >= 256 else va

    def _range(self, lo: int, hi: int) -> str:
        return f"{lo:0{self.digits}x}-{hi:0{self.digits}x}"

    def _boot(self) -> bool:
        """Before there is a HAT, nobody tells about tables."""
        return self.data["hats"][0]["name"] == "boot"

    def _table_text(self, table: dict, run: list | None) -> str:
        slot = f"[{run[0]}] " if run else ""
        told = table["k"]
        counts = f"busy {told['busy']} valid {told['valid']} lock {told['lock']}" if told else "" if self._boot() else "the kernel knows no table here"
        flags = " " + ",".join(told["flags"]) if told and told["flags"] else ""
        mark = "" if table["in"] else f" {self.differs}not in memory"
        if not told and not self._boot():
            mark += f" {self.differs.strip()}"
        return f"{slot}level {table['l']} {self._range(int(table['b'], 16), int(table['e'], 16))} at 0x{table['pa']}{' ' if counts else ''}{counts}{flags}{mark}"

    def _run_text(self, table: dict, run: list) -> str:
        first, last, kind, entry, claim, text, mark = run
        level = self.data["levels"][table["l"]]
        lo = self._va(table, first)
        span = self._range(lo, self._va(table, last) + (1 << level["shift"]) - 1)
        slots = f"[{first}]" if first == last else f"[{first}-{last}]"
        if mark == "diff":
            return f"{slots} {span} {self.differs}kernel says 0x{claim}, memory has 0x{entry}"
        if kind == "copy":
            return f"{slots} {span} as in the kernel's table"
        if kind == "leaf":
            return f"{slots} {span} {level['size']} 0x{entry} {text}"
        return f"{slots} {span} {kind} 0x{entry}"
