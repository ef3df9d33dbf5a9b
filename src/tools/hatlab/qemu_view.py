# SPDX-License-Identifier: ISC
"""QEMU as the hardware's witness, instead of Bochs.

It is asked about every page of the address space in CR3 (`info tlb`: translation, and the bits of the leaf), and about the rights that
all levels together give (`info mem`).  It shows no links, no PAT and no software bits: for those it is blind.
"""

from __future__ import annotations

from dataclasses import replace

from . import walk
from .compare import Claim, Difference, Examiner, HatReport
from .qemu_out import LARGE_UNSEEN, SMALL_UNSEEN, Leaf
from .walk import Tree


class QemuExaminer(Examiner):
    """The work of `examine` with a Qemu."""

    emulator, name, tab_name = "qemu", "QEMU", "QEMU's info tlb"

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        self.blind = []  # holes of Bochs'
        self.features = replace(self.features, pointer_a=True)
        leaves, self.rights = self.debugger.mapped()
        self.leaves: dict[int, Leaf] = {leaf.va: leaf for leaf in leaves}

    def _ask_pages(self, out: HatReport) -> None:
        out.pages_asked = len(self.leaves)

    def _is_link(self, level: int, entry: int | None) -> bool:
        return entry is not None and walk.decode(self.geometry, level, entry, self.features).kind in ("table", "bad")

    def _shown(self, level: int, va: int, other: int) -> int:
        """What QEMU shows of the entry for a page, completed with the bits of another witness that it cannot show."""
        leaf = self.leaves.get(va)
        if leaf is None or leaf.size != self.geometry.levels[level].span or leaf.large != (level > 0):
            return 0
        return leaf.entry | other & (LARGE_UNSEEN if level else SMALL_UNSEEN)

    def _hardware_pages(self, out: HatReport, claim: Claim, raw: Tree) -> None:
        """Compare every leaf in memory with what QEMU shows of it."""
        known = {(d.level, d.va): d for d in out.differences}
        for (level, base), table in raw.tables.items():
            for index, entry in enumerate(table.entries):
                if walk.decode(self.geometry, level, entry, self.features).kind != "leaf":
                    continue
                va = self.geometry.base(base, level, index)
                shown = self._shown(level, va, entry)
                if shown != entry and (level, va) not in known:
                    known[level, va] = self._difference(out.hat, claim, raw, level, base, index)
        for d in known.values():
            if not self._is_link(d.level, d.entries["raw"]):
                d.entries["bochs"] = self._shown(d.level, d.va, d.entries["raw"] or d.entries["kernel"] or 0)
        out.differences = sorted(known.values(), key=lambda d: (d.va, -d.level))

    def _hardware_ranges(self, out: HatReport, raw: Tree) -> None:
        super()._hardware_ranges(out, raw)
        want: list[list] = []
        for m in walk.mappings(raw):
            if want and want[-1][1] == m.va0 and want[-1][2:] == [m.u, m.w]:
                want[-1][1] = m.va1 + 1
            else:
                want.append([m.va0, m.va1 + 1, m.u, m.w])
        have = [list(r) for r in self.rights]
        for mine, theirs in zip(want + [None], have + [None]):
            if mine != theirs:
                out.problems.append(f"QEMU's info mem says {_rights(theirs)}, the tables in memory say {_rights(mine)}")
                break

    def _judge(self, d: Difference, is_copied: bool, current: bool) -> None:
        links = any(self._is_link(d.level, d.entries[w]) for w in ("kernel", "raw"))
        super()._judge(d, is_copied, current and not links)


def _rights(span: list | None) -> str:
    if span is None:
        return "nothing more"
    start, end, u, w = span
    return f"0x{start:x}-0x{end - 1:x} r{'w' if w else '-'}{'u' if u else 's'}"
