# SPDX-License-Identifier: ISC
"""The picture of viewdata.py as text: one line a table and a run, equal neighbours folded, as wide as the terminal."""

from __future__ import annotations

from collections.abc import Iterator

FOLD_FROM = 4  # so many tables alike in a row, and more, are one line
TOLD = 8  # so many gone tables, changed entries or windows in a row are told one by one
FRAMES = 256  # of a megabyte


class Tree:
    """One checkpoint's trees, line by line."""

    def __init__(self, data: dict, width: int, ascii_only: bool = False, everything: bool = False) -> None:
        self.data, self.width, self.everything = data, width, everything
        self.bars = ("|-- ", "`-- ", "|   ", "    ") if ascii_only else ("├── ", "└── ", "│   ", "    ")
        self.differs = "!= " if ascii_only else "≠ "
        self.digits = 16 if data["mode"] == "long" else 8

    def lines(self) -> Iterator[str]:
        """The whole picture, as the page has it: verdict, changes, trees, windows, physical memory."""
        yield from self._parts(self._head(), self._changes())
        yield from self.tree_lines()
        yield from self._parts(self._windows(), self._memory())

    def tree_lines(self) -> Iterator[str]:
        """The address spaces alone."""
        yield from self._parts(*map(self._hat, self.data["hats"]))

    def _parts(self, *parts: Iterator[str]) -> Iterator[str]:
        yield from (self._cut(line) for part in parts for line in part)

    def table_lines(self, table: dict, where: str = "") -> Iterator[str]:
        """One table by itself: what it is, and its runs; links are not followed."""
        yield self._cut(f"{where}{self._table_text(table, None)}")
        for run in table["runs"]:
            yield self._cut("  " + self._run_text(table, run))

    def _cut(self, line: str) -> str:
        """A difference is told whole, whatever the width."""
        return line if len(line) <= self.width or self.differs.strip() in line else line[: self.width - 1] + ">"

    # around the trees

    def _head(self) -> Iterator[str]:
        data, tables = self.data, sum(len(hat["tables"]) for hat in self.data["hats"])
        since = f" since {data['changes']['since']}" if data["changes"] else ""
        booted = f"; booted with {data['args']}" if data["args"] else ""
        yield (f"{data['flavor']}, checkpoint {data['checkpoint']}{since}: CPU {data['cpu']}, CR3 0x{data['cr3']}, "
               f"{len(data['hats'])} address spaces, {tables} tables{booted}")
        yield "= the kernel, Bochs and memory agree" if data["ok"] else f"{self.differs}the witnesses disagree:"
        yield from (f"{self.differs}{problem}" for problem in data["problems"])

    def _changes(self) -> Iterator[str]:
        changes = self.data["changes"]
        if not changes:
            return
        yield f"changed since {changes['since']}:"
        yield from (f"  + hat 0x{addr}" for addr in changes["new"])
        yield from (f"  - hat 0x{addr}" for addr in changes["gone"])
        names = {hat["addr"]: hat["name"] for hat in self.data["hats"]}
        for addr, tables in changes["hats"].items():
            kinds = [change["what"] for change in tables.values()]
            if kinds:
                yield (f"  ~ hat 0x{addr} {names[addr]}: {kinds.count('new')} tables new, {kinds.count('gone')} gone, "
                       f"{kinds.count('changed')} changed")
            yield from self._few([line for key, change in tables.items() for line in self._change(key, change)])

    def _change(self, key: str, change: dict) -> Iterator[str]:
        level, base = key.split(":")
        what = f"level {level} table over {int(base, 16):0{self.digits}x}"
        if change["what"] != "changed":
            yield f"    {'+' if change['what'] == 'new' else '-'} {what}"
            return
        counts = "".join(f", {name} {old} -> {new}" for name, (old, new) in change["counts"].items())
        entries = "".join(f", [{i}] 0x{old} -> 0x{new}" for i, old, new in change["entries"][:1])
        more = len(change["entries"]) + change["more"] - 1
        yield f"    ~ {what}{counts}{entries}{f' and {more} more entries' if more > 0 else ''}"

    def _few(self, lines: list[str]) -> list[str]:
        if self.everything or len(lines) <= TOLD:
            return lines
        return [*lines[:TOLD], f"    and {len(lines) - TOLD} more tables"]

    def _windows(self) -> Iterator[str]:
        if self.data["windows"]:
            yield "windows:"
        for index, name, va, pa, rights in self.data["windows"]:
            yield f"  [{index}] {va} -> 0x{pa} {rights} {name}"

    def _memory(self) -> Iterator[str]:
        """A line a megabyte, a letter for four frames: the use that counts most among them."""
        uses, before = self.data["uses"], (self.data["changes"] or {}).get("memory", {})
        sums = {use: sum(n for _, n, what in self.data["memory"] if what == use) for use, _, _ in uses}
        width = max(64, min(FRAMES, 1 << (self.width - 13).bit_length() - 1))
        yield f"physical memory, {FRAMES * 4 // width} KiB a letter:"
        rows = self._rows(width)
        for at in range(len(rows)):
            if at > 0 and rows[at] == rows[at - 1] and not self.everything:
                if at + 1 == len(rows) or rows[at + 1] != rows[at]:
                    yield f"  to 0x{(at + 1 << 20) - 1:08x} the same"
                continue
            yield f"  0x{at << 20:08x} {rows[at]}"
        for use, letter, text in uses:
            was = f", were {before[use]}" if before and before[use] != sums[use] else ""
            if sums[use] or was:
                yield f"  {letter} {text}: {sums[use]} {'frame' if sums[use] == 1 else 'frames'}{was}"

    def _rows(self, width: int) -> list[str]:
        order = [use for use, _, _ in self.data["uses"]]
        ranks = [order.index(use) for _, count, use in self.data["memory"] for _ in range(count)]
        cell = FRAMES // width
        letters = "".join(self.data["uses"][min(ranks[i : i + cell])][1] for i in range(0, len(ranks), cell))
        return [letters[i : i + width] for i in range(0, len(letters), width)]

    # trees

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
