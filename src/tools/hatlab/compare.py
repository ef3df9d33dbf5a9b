# SPDX-License-Identifier: ISC
"""Compare three witnesses of the same page tables, at every checkpoint.

    kernel   what the kernel's dump claims (protocol.py)
    bochs    how Bochs translates: `info tab` for the ranges, `page` for the entries at both ends of each
    raw      the bytes of the tables, read with `xp` and walked by walk.py

The kernel's claims are turned into the entries that would have to be in memory, so kernel and raw are compared entry
by entry.  Accessed and dirty bits may grow between the dump and our look: the claim's must be a subset.  Entries copied from
the kernel's table keep an accessed bit of their own.  Bochs sees only the address space in CR3; for the others it is `blind`.

`examine` does one checkpoint, with anything that answers debugger commands; it can be tested without Bochs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from . import bochs_out, walk
from .bochs_out import Creg, PageWalk, Tab
from .protocol import Checkpoint, Copy, Hat, Leaf, Link, Odd
from .walk import GEOMETRY, Decoded, Features, Geometry, Mapping, Tree

OK, DIFF, BLIND = "ok", "DIFF", "blind"
WITNESSES = ("kernel", "bochs", "raw")
PAGE_ONLY = "page"  # Bochs' mark where `info tab` does not look but `page` does
DIFFERENCES_MAX = 400  # of one hat; more are only counted
VLP_ENTRIES = 4
LEVEL_OF = {"PML4": 3, "PDPE": 2, "PDE": 1, "PTE": 0}


class Debugger(Protocol):
    """What `examine` needs of Bochs."""

    def ask(self, commands: Sequence[str]) -> list[str]: ...


# ---------------------------------------------------------------------------------------------------------- results


@dataclass
class Difference:
    """One entry on which the witnesses do not agree.  An absent entry is None; Bochs may be blind."""

    hat: Hat
    va: int
    va1: int
    level: int
    index: int
    base: int
    frame: int
    entries: dict[str, int | None]
    blind: frozenset[str]
    alone: str | None
    text: list[str]


@dataclass
class Row:
    """One range of an address space and what each witness says about it."""

    va0: int
    va1: int
    pa0: int
    size: str
    u: bool
    w: bool
    x: bool
    g: bool
    a: bool
    d: bool
    cache: int
    soft: int
    marks: dict[str, str]

    @property
    def pa1(self) -> int:
        return self.pa0 + self.va1 - self.va0

    @property
    def agreed(self) -> bool:
        return DIFF not in self.marks.values()

    def rights(self) -> str:
        return f"r{'w' if self.w else '-'}{'x' if self.x else '-'}{'u' if self.u else 's'}"

    def bits(self) -> str:
        return (
            f"{'g' if self.g else '-'} {'a' if self.a else '-'}{'d' if self.d else '-'} c{self.cache} s{self.soft}"
        )


@dataclass
class HatReport:
    """One address space at one checkpoint."""

    hat: Hat
    current: bool
    rows: list[Row] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    tables: int = 0
    entries: int = 0
    pages_asked: int = 0
    claim: Claim | None = field(default=None, repr=False)  # its own tables as the kernel says they are
    raw: Tree | None = field(default=None, repr=False)  # and as they are in memory, with what it sees of the kernel's

    @property
    def ok(self) -> bool:
        return not self.differences and not self.problems and all(r.agreed for r in self.rows)


@dataclass
class Report:
    """One checkpoint."""

    checkpoint: Checkpoint
    mode: str
    emulator: str = "bochs"
    hats: list[HatReport] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.problems and all(h.ok for h in self.hats)


# --------------------------------------------------------------------------------------------------- physical memory


class Memory:
    """Physical memory at one stop: every stretch is read once."""

    def __init__(self, debugger: Debugger) -> None:
        self._debugger = debugger
        self._have: dict[tuple[int, int], bytes] = {}

    def fetch(self, areas: Sequence[tuple[int, int]]) -> list[bytes]:
        self.read_ahead(areas, ())
        return [self._have[area] for area in areas]

    def read_ahead(self, areas: Iterable[tuple[int, int]], also: Sequence[str]) -> list[str]:
        """Read some areas, and give other commands in the same breath; their replies are returned."""
        new = [a for a in dict.fromkeys(areas) if a not in self._have]
        replies = self._debugger.ask([*also, *(f"xp /{size // 8}gx 0x{pa:x}" for pa, size in new)])
        for (pa, size), reply in zip(new, replies[len(also) :]):
            address, values = bochs_out.parse_xp(reply, size // 8)
            if address != pa:
                raise bochs_out.BochsOutputError(f"xp: asked for 0x{pa:x}, got 0x{address:x}")
            self._have[pa, size] = b"".join([v.to_bytes(8, "little") for v in values])
        return replies[: len(also)]


def _frames(cp: Checkpoint, geometry: Geometry) -> list[tuple[int, int]]:
    """The memory that the dump says holds tables."""
    areas = []
    for hat in cp.hats:
        areas.append((hat.root, VLP_ENTRIES * 8 if hat.vlp else geometry.levels[geometry.top].bytes))
        for table in hat.tables:
            if table.pfn is not None and table.level < geometry.top:
                areas.append((table.pfn << 12, geometry.levels[table.level].bytes))
    return areas


# -------------------------------------------------------------------------------------------------- the kernel's claim


def claimed_entry(geometry: Geometry, level: int, leaf: Leaf) -> int:
    """The first entry that a leaf line of a dump stands for."""
    entry = leaf.pa0 | walk.P
    for on, bit in ((leaf.w, walk.W), (leaf.u, walk.U), (leaf.g, walk.G), (leaf.a, walk.A), (leaf.d, walk.D)):
        entry |= bit if on else 0
    entry |= walk.PS if level else 0
    entry |= walk.PWT if leaf.cache & 1 else 0
    entry |= walk.PCD if leaf.cache & 2 else 0
    if leaf.cache & 4:
        entry |= walk.PAT_LARGE if level else walk.PAT_SMALL
    entry |= leaf.soft << walk.SOFT_SHIFT
    return entry if leaf.x else entry | walk.NX


@dataclass
class Claim:
    """What one hat's part of the dump says should be in memory."""

    tree: Tree
    copied: dict[tuple[int, int], set[int]] = field(default_factory=dict)  # slots copied from the kernel's table
    problems: list[str] = field(default_factory=list)


def claim_of(hat: Hat, kernel: Claim | None, geometry: Geometry, features: Features) -> Claim:
    """Expand one hat of a dump.  `kernel` is the claim of the kernel's hat, for the slots copied from it."""
    claim = Claim(Tree(geometry, features, hat.root))
    for table in hat.tables:
        if not 0 <= table.level <= geometry.top:
            claim.problems.append(f"ht 0x{table.addr:x}: level {table.level} does not exist in {geometry.mode} mode")
            continue
        key = (table.level, 0 if table.level == geometry.top else table.lo)
        if key in claim.tree.tables:
            claim.problems.append(f"ht 0x{table.addr:x}: a second table for level {table.level}, 0x{table.lo:x}")
        entries = _expand(table, key, claim, kernel, geometry)
        pa = hat.root if table.pfn is None else table.pfn << 12
        claim.tree.tables[key] = walk.Table(table.level, key[1], pa, b"", tuple(entries))
    return claim


def _expand(table, key: tuple[int, int], claim: Claim, kernel: Claim | None, geometry: Geometry) -> list[int]:
    level, base = key
    shape = geometry.levels[level]
    entries = [0] * shape.entries
    for e in table.entries:
        first, last = (e.index, e.index) if isinstance(e, (Link, Odd)) else (e.first, e.last)
        if last >= shape.entries:
            claim.problems.append(f"line {e.line}: index {last} in a table of {shape.entries} entries")
            continue
        if isinstance(e, Link):
            entries[first] = e.pa | e.flags
        elif isinstance(e, Odd):
            entries[first] = e.entry
        elif isinstance(e, Copy):
            source = kernel.tree.tables.get(key) if kernel else None
            if source is None:
                claim.problems.append(f"line {e.line}: copy {first}-{last}, but the kernel has no such table")
                continue
            entries[first : last + 1] = source.entries[first : last + 1]
            claim.copied.setdefault(key, set()).update(range(first, last + 1))
        else:
            if problem := _leaf_problem(e, level, base, geometry):
                claim.problems.append(f"line {e.line}: {problem}")
            entry = claimed_entry(geometry, level, e)
            for index in range(first, last + 1):
                entries[index] = entry + (index - first) * shape.span
    return entries


def _leaf_problem(leaf: Leaf, level: int, base: int, geometry: Geometry) -> str | None:
    """A leaf line says some things twice; they must agree."""
    shape = geometry.levels[level]
    if leaf.size != shape.size or (level and not shape.large):
        return f"leaf of size {leaf.size} at level {level}"
    va0 = geometry.base(base, level, leaf.first)
    va1 = va0 + (leaf.last - leaf.first + 1) * shape.span - 1
    if (leaf.va0, leaf.va1) != (va0, va1):
        return f"leaf {leaf.first}-{leaf.last} covers 0x{va0:x}-0x{va1:x}, not 0x{leaf.va0:x}-0x{leaf.va1:x}"
    return None


def tree_problems(hat: Hat, geometry: Geometry) -> list[str]:
    """Does the dump make sense in itself: parents, children, frames, counts?"""
    by_key = {(t.level, t.lo): t for t in hat.tables}
    by_addr = {t.addr: t for t in hat.tables}
    linked: set[tuple[int, int]] = set()
    found: list[str] = _count_problems(hat) if hat.name == "user" else []
    for table in hat.tables:
        if not 0 <= table.level <= geometry.top:
            continue
        where = f"ht 0x{table.addr:x} (level {table.level}, 0x{table.lo:x})"
        found += [f"{where}: {text}" for text in _table_problems(hat, table, by_addr, geometry)]
        for link in (e for e in table.entries if isinstance(e, Link)):
            key = (table.level - 1, geometry.base(table.lo, table.level, link.index))
            linked.add(key)
            child = by_key.get(key)
            if child is None:
                found.append(f"{where}: link {link.index} leads to a table that is not in the dump")
            elif child.pfn is None or child.pfn << 12 != link.pa:
                pfn = "-" if child.pfn is None else f"0x{child.pfn:x}"
                found.append(f"{where}: link {link.index} -> 0x{link.pa:012x}, but ht 0x{child.addr:x} has pfn={pfn}")
    for key, table in by_key.items():
        if table.level < hat.top and key not in linked:
            found.append(f"ht 0x{table.addr:x} (level {table.level}, 0x{table.lo:x}): nothing links to it")
    return found


def _count_problems(hat: Hat) -> list[str]:
    """valid= and pages= of a user's hat against its entries.  (The kernel's have entries that count for nobody.)"""
    found, pages = [], [0] * max(len(hat.pages), 3)
    for table in hat.tables:
        if "shared" in table.flags:
            continue
        links = sum(isinstance(e, Link) for e in table.entries)
        leaves = sum(e.last - e.first + 1 for e in table.entries if isinstance(e, Leaf))
        odd = sum(isinstance(e, Odd) for e in table.entries)
        if not links + leaves <= table.valid <= links + leaves + odd:
            found.append(f"ht 0x{table.addr:x}: valid={table.valid}, but {links + leaves} entries are listed")
        pages[min(table.level, 2)] += leaves
    if list(hat.pages) != pages[: len(hat.pages)]:
        found.append(f"pages={','.join(map(str, hat.pages))}, but {','.join(map(str, pages))} leaves are listed")
    return found


def _table_problems(hat: Hat, table, by_addr: dict, geometry: Geometry) -> Iterable[str]:
    level, base = table.level, table.lo
    span = geometry.levels[level].entries * geometry.levels[level].span
    vlp_table = "vlp" in table.flags
    if level < geometry.top and not vlp_table:
        if base % span or table.hi != geometry.last(base, level):
            yield f"covers 0x{table.lo:x}-0x{table.hi:x}, which is not the range of one table"
    if vlp_table != (table.pfn is None):
        yield "a table has a frame or is inside the hat (vlp), not both"
    if level == hat.top:
        if table.parent is not None:
            yield f"the top table has parent=0x{table.parent:x}"
        return
    if hat.name == "boot" and table.parent is None:
        return  # the boot mapper keeps no parents
    parent = by_addr.get(table.parent)
    if parent is None:
        yield "its parent is not in the dump"
    elif parent.level != level + 1 or geometry.table_base(base, level + 1) != (
        0 if parent.level == geometry.top else parent.lo
    ):
        yield f"its parent 0x{parent.addr:x} is at level {parent.level}, 0x{parent.lo:x}"


def view_of(own: Claim, kernel: Claim | None, hat: Hat) -> Claim:
    """What an address space sees: its own tables and those of the kernel that its copied slots lead to."""
    if kernel is None or kernel is own:
        return own
    view = Claim(Tree(own.tree.geometry, own.tree.features, own.tree.root), own.copied, own.problems)
    if hat.vlp and own.tree.geometry.mode == "long":
        view.tree.tables = vlp_tables(own.tree, kernel.tree)
        return view
    tables = dict(own.tree.tables)
    for key, slots in own.copied.items():
        for index in slots:
            _add_below(tables, kernel.tree, key, index)
    view.tree.tables = tables
    return view


def _add_below(tables: dict, source: Tree, key: tuple[int, int], index: int) -> None:
    """Add the tables of `source` below one of its entries."""
    geometry, (level, base) = source.geometry, key
    child = (level - 1, geometry.base(base, level, index))
    if child in source.tables and child not in tables:
        tables[child] = source.tables[child]
        if child[0]:
            for i, entry in enumerate(source.tables[child].entries):
                if entry & walk.P:
                    _add_below(tables, source, child, i)


def vlp_tables(own: Tree, kernel: Tree) -> dict:
    """A 64-bit kernel's view of a 32-bit process: the kernel's tree, with the four entries hung below slot 0.

    The real top table is a copy that each CPU makes when it switches there, so this one is made up.
    """
    tables = {**kernel.tables, **own.tables}
    top = kernel.tables.get((3, 0))
    if top is not None:
        entry = walk.P | walk.W | walk.U
        tables[3, 0] = walk.Table(3, 0, top.pa, b"", (entry, *top.entries[1:]))
    return tables


# ---------------------------------------------------------------------------------------------------- entry by entry


def grown_mask(geometry: Geometry, level: int, entry: int) -> int:
    """The bits that the processor may have set in this entry since the dump."""
    if not entry & walk.P or (geometry.mode == "pae" and level == 2):
        return 0
    return walk.A | walk.D if level == 0 or entry & walk.PS else walk.A


def entry_agrees(geometry: Geometry, level: int, claim: int, real: int, copied: bool = False) -> bool:
    """Is `real` what was claimed, or that plus accessed/dirty?"""
    if claim == real:
        return True
    mask = grown_mask(geometry, level, real)
    if (claim ^ real) & ~mask:
        return False
    return copied or not claim & mask & ~real


def table_differences(geometry: Geometry, level: int, claim: tuple, real: tuple, copied: set[int]) -> list[int]:
    """The indexes at which two tables differ."""
    if claim == real:
        return []
    return [
        i for i, (c, r) in enumerate(zip(claim, real)) if c != r and not entry_agrees(geometry, level, c, r, i in copied)
    ]


def describe_entry(geometry: Geometry, level: int, entry: int | None, features: Features) -> str:
    """An entry's value and meaning, in the words of the dump."""
    if entry is None:
        return "(not reached)"
    digits = geometry.levels[level].width * 2
    found = walk.decode(geometry, level, entry, features)
    value = f"0x{entry:0{digits}x}"
    if found.kind == "none":
        return f"{value} " + ("empty" if not entry else "not present")
    kind = {"leaf": geometry.levels[level].size, "table": "table", "bad": f"RESERVED BITS 0x{found.reserved:x}"}[found.kind]
    rights = f"r{'w' if found.w else '-'}{'x' if found.x else '-'}{'u' if found.u else 's'}"
    return (
        f"{value} -> 0x{found.pa:012x} {kind} {rights} {'g' if found.g else '-'} "
        f"{'a' if found.a else '-'}{'d' if found.d else '-'} c{found.cache} s{found.soft}"
    )


_BIT_NAMES = {0: "present", 1: "writable", 2: "user", 3: "PWT", 4: "PCD", 5: "accessed", 6: "dirty", 8: "global",
              9: "software bit 0", 10: "software bit 1", 11: "software bit 2", 63: "no-execute"}


def differing_bits(geometry: Geometry, level: int, one: int, other: int) -> str:
    """Names for the bits in which two entries differ."""
    differ = one ^ other
    names = [name for bit, name in _BIT_NAMES.items() if differ >> bit & 1]
    if differ & walk.PS:
        names.append("page size" if level else "PAT")
    large = level and (one | other) & walk.PS
    if large and differ & walk.PAT_LARGE:
        names.append("PAT")
        differ &= ~walk.PAT_LARGE
    if differ & 0x000F_FFFF_FFFF_F000:
        names.append("address")
    if differ & 0x7FF0_0000_0000_0000:
        names.append("bits 52-62")
    return ", ".join(names)


def who_is_alone(geometry: Geometry, level: int, entries: dict[str, int | None], blind: Iterable[str], copied: bool) -> str | None:
    """The witness that two others contradict, if there is one."""
    if blind:
        return None
    k, b, r = (entries[w] for w in WITNESSES)

    def claim_fits(real: int | None) -> bool:
        return k == real if k is None or real is None else entry_agrees(geometry, level, k, real, copied)

    if b == r and not claim_fits(r):
        return "kernel"
    if b != r and claim_fits(r):
        return "bochs"
    if b != r and claim_fits(b):
        return "raw"
    return None


# ------------------------------------------------------------------------------------------------------- one checkpoint


def examine(cp: Checkpoint, debugger: Debugger, mode_hint: str = "long", before_reading: Callable[[], None] | None = None) -> Report:
    """Compare the witnesses at a checkpoint at which the guest is stopped."""
    if before_reading:
        before_reading()
    memory = Memory(debugger)
    creg_text, tab_text = memory.read_ahead(_frames(cp, GEOMETRY[mode_hint]), ["creg", "info tab"])
    creg = bochs_out.parse_creg(creg_text)
    tab = bochs_out.parse_info_tab(tab_text, creg.mode == "long")
    examiner = getattr(debugger, "examiner", Examiner)
    report = Report(cp, creg.mode, examiner.emulator)
    if creg.mode == "off":
        report.problems.append("paging is off")
        return report
    if creg.mode != mode_hint:
        report.problems.append(f"%hello says mode={mode_hint}, the control registers say {creg.mode}")
    return examiner(report, debugger, memory, creg, tab).run()


class Examiner:
    """The work of `examine`, with Bochs as the hardware's witness.

    Another emulator stands in Bochs' place (qemu_view.py); then the witness called "bochs" in here is that one.
    """

    emulator, name, tab_name = "bochs", "Bochs", "Bochs' info tab"

    def __init__(self, report: Report, debugger: Debugger, memory: Memory, creg: Creg, tab: Tab) -> None:
        self.report, self.debugger, self.memory, self.creg, self.tab = report, debugger, memory, creg, tab
        self.cp = report.checkpoint
        self.geometry = GEOMETRY[creg.mode]
        self.features = Features(pse=bool(creg.cr4 >> 4 & 1), nxe=bool(creg.efer >> 11 & 1))
        self.kernel_claim: Claim | None = None
        self.kernel_raw: Tree | None = None
        self.blind: list[tuple[int, int]] = tab.blind
        self.page_walks: dict[int, PageWalk] = {}

    def run(self) -> Report:
        self._check_cr3()
        kernel = self.cp.kernel_hat()
        if kernel:
            self.kernel_claim = claim_of(kernel, None, self.geometry, self.features)
            self.kernel_raw = self._walk(kernel.root)
        for hat in self.cp.hats:
            self.report.hats.append(self._hat(hat))
        if not any(h.current for h in self.report.hats):
            self.report.problems.append(f"no hat of the dump is the one in CR3 (hat=0x{self.cp.hat:x})")
        return self.report

    def _check_cr3(self) -> None:
        if not self.cp.hats:
            self.report.problems.append("the dump has no hat")
        if self.cp.cr3 != self.creg.cr3:
            self.report.problems.append(f"%cp-begin says cr3=0x{self.cp.cr3:012x}, {self.name}'s CR3 is 0x{self.creg.cr3:012x}")
        if self.tab.cr3 & ~0xFFF != self.creg.cr3 & ~0xFFF:
            self.report.problems.append(f"{self.name} contradicts itself: cr3 0x{self.tab.cr3:x} and 0x{self.creg.cr3:x}")

    def _is_current(self, hat: Hat) -> bool:
        return hat.addr == self.cp.hat if self.cp.hat else hat.name == "boot"

    # the three witnesses of one hat

    def _walk(self, root: int) -> Tree:
        return walk.walk(root, self.geometry, self.memory.fetch, self.features)

    def _raw(self, hat: Hat) -> Tree:
        if hat.name == "kernel" and self.kernel_raw is not None:
            return self.kernel_raw
        if not (hat.vlp and self.geometry.mode == "long"):
            return self._walk(hat.root)
        tree = walk.walk(hat.root, self.geometry, self._fetch_vlp(hat.root), self.features, top=2)
        if self.kernel_raw is not None:
            tree.tables = vlp_tables(tree, self.kernel_raw)
        return tree

    def _fetch_vlp(self, root: int):
        """The array inside the hat has four entries; as a table of 512 the others are empty."""

        def fetch(areas: Sequence[tuple[int, int]]) -> list[bytes]:
            short = [(pa, VLP_ENTRIES * 8) if pa == root else (pa, size) for pa, size in areas]
            return [raw.ljust(size, b"\0") for raw, (_, size) in zip(self.memory.fetch(short), areas)]

        return fetch

    def _hat(self, hat: Hat) -> HatReport:
        out = HatReport(hat, self._is_current(hat))
        own = self.kernel_claim if hat.name == "kernel" else claim_of(hat, self.kernel_claim, self.geometry, self.features)
        claim = view_of(own, self.kernel_claim, hat)
        raw = self._raw(hat)
        out.claim, out.raw = own, raw
        out.problems += own.problems + raw.problems
        out.problems += tree_problems(hat, self.geometry)
        out.tables = len(raw.tables)
        out.entries = sum(len(t.entries) - t.entries.count(0) for t in raw.tables.values())
        if out.current:
            self._check_root(out, raw)
        out.differences = self._differences(out, claim, raw, own.copied)
        out.rows = rows_of(claim.tree, raw)
        if out.current:
            self._ask_pages(out)
            self._hardware_pages(out, claim, raw)
            self._hardware_ranges(out, raw)
        for difference in out.differences:
            self._judge(difference, difference.index in own.copied.get((difference.level, difference.base), ()), out.current)
        for row in out.rows:
            self._mark(row, out)
        self._summary(out, raw)
        return out

    def _check_root(self, out: HatReport, raw: Tree) -> None:
        """Does CR3 really lead to this hat's tables?"""
        hat, root = out.hat, self.creg.root
        if hat.name == "user" and not hat.cpus >> self.cp.cpu & 1:
            out.problems.append(f"CPU {self.cp.cpu} runs this hat, but cpus=0x{hat.cpus:x}")
        if not hat.vlp:
            if root != hat.root:
                out.problems.append(f"CR3 is 0x{root:012x}, but this hat's root is 0x{hat.root:012x}")
            return
        copy = self._walk(root)
        if self.geometry.mode == "long":
            self._check_vlp_long(out, copy, raw)
            return
        if root == hat.root:
            out.problems.append("CR3 holds the array inside the hat; it should hold the CPU's copy")
        mine, theirs = raw.tables[2, 0].entries, copy.tables[2, 0].entries
        self._check_copy(out, mine, theirs, root)

    def _check_copy(self, out: HatReport, mine: Sequence[int], theirs: Sequence[int], at: int) -> None:
        for index, (want, have) in enumerate(zip(mine, theirs)):
            if want != have and not entry_agrees(self.geometry, 2, want, have, copied=True):
                out.problems.append(
                    f"the CPU's copy of the top entries at 0x{at:x}: entry {index} is 0x{have:016x}, the hat's is 0x{want:016x}"
                )
                return

    def _check_vlp_long(self, out: HatReport, copy: Tree, raw: Tree) -> None:
        top = copy.tables[3, 0]
        low = copy.tables.get((2, 0))
        if low is None:
            out.problems.append(f"CR3 0x{copy.root:x}: slot 0 does not lead to a table")
            return
        mine = raw.tables[2, 0].entries[:VLP_ENTRIES]
        self._check_copy(out, [*mine, *[0] * (512 - VLP_ENTRIES)], low.entries, low.pa)
        if self.kernel_raw is None:
            return
        for index in range(1, 512):
            want, have = self.kernel_raw.tables[3, 0].entries[index], top.entries[index]
            if want != have and not entry_agrees(self.geometry, 3, want, have, copied=True):
                out.problems.append(
                    f"the CPU's top table at 0x{top.pa:x}: slot {index} is 0x{have:016x}, the kernel's is 0x{want:016x}"
                )
                return

    def _difference(self, hat: Hat, claim: Claim, raw: Tree, level: int, base: int, index: int) -> Difference:
        mine, theirs = claim.tree.tables.get((level, base)), raw.tables.get((level, base))
        va = self.geometry.base(base, level, index)
        entries = {
            "kernel": mine.entries[index] if mine else None,
            "bochs": None,
            "raw": theirs.entries[index] if theirs else None,
        }
        va1 = va + self.geometry.levels[level].span - 1
        frame = (theirs or mine).pa
        return Difference(hat, va, va1, level, index, base, frame, entries, frozenset(), None, [])

    def _differences(self, out: HatReport, claim: Claim, raw: Tree, copied: dict) -> list[Difference]:
        """Where claim and memory part, in ascending order; below a differing link nothing more is said."""
        found: list[Difference] = []
        more = 0
        keys = claim.tree.tables.keys() | raw.tables.keys()
        for level, base in sorted(keys, key=lambda k: (-k[0], k[1])):
            if any(d.level > level and d.va <= base <= d.va1 for d in found):
                continue
            mine, theirs = claim.tree.tables.get((level, base)), raw.tables.get((level, base))
            empty = (0,) * self.geometry.levels[level].entries
            bad = table_differences(
                self.geometry, level, mine.entries if mine else empty, theirs.entries if theirs else empty,
                copied.get((level, base), set()),
            )
            room = DIFFERENCES_MAX - len(found)
            more += max(0, len(bad) - room)
            found += [self._difference(out.hat, claim, raw, level, base, index) for index in bad[:room]]
        if more:
            out.problems.append(f"{more} more entries differ")
        return sorted(found, key=lambda d: (d.va, -d.level))

    # Bochs

    def _ask_pages(self, out: HatReport) -> None:
        """One conversation for all pages we want to know about: both ends of each range, and every difference."""
        wanted = []
        for row in out.rows:
            wanted += [row.va0, row.va1 & ~0xFFF]
        wanted = list(dict.fromkeys(wanted + [d.va for d in out.differences]))
        for va, reply in zip(wanted, self.debugger.ask([f"page 0x{va:x}" for va in wanted])):
            self.page_walks[va] = bochs_out.parse_page(reply)
        out.pages_asked = len(wanted)

    def _bochs_entries(self, va: int) -> dict[int, int]:
        """The entries that Bochs shows for an address, by level."""
        return {LEVEL_OF[e.name]: e.entry for e in self.page_walks[va].entries}

    def _hardware_pages(self, out: HatReport, claim: Claim, raw: Tree) -> None:
        """Compare every page asked about with memory, entry by entry."""
        known = {(d.level, d.va): d for d in out.differences}
        for va in self.page_walks:
            shown = self._bochs_entries(va)
            for level, index, entry in self._hardware_path(out.hat, raw, va):
                if shown.get(level) == entry:
                    continue
                base = self.geometry.table_base(va, level)
                found = self._difference(out.hat, claim, raw, level, base, index)
                found = known.setdefault((level, found.va), found)
                found.entries["bochs"] = shown.get(level)
                break
        for d in out.differences:
            if d.entries["bochs"] is None:
                d.entries["bochs"] = self._bochs_entries(d.va).get(d.level)
        out.differences = sorted(known.values(), key=lambda d: (d.va, -d.level))
        for va in self.page_walks:
            self._bochs_physical(out, raw, va)

    def _hardware_path(self, hat: Hat, raw: Tree, va: int) -> list[tuple[int, int, int]]:
        """The entries that the processor passes and `page` shows.

        `page` leaves out PAE directory pointers.  The top entries of a vlp hat in long mode are per-CPU copies, which
        _check_root judges.
        """
        passed = walk.path(raw, va)
        if self.geometry.mode == "pae":
            return [step for step in passed if step[0] < 2]
        if hat.vlp and self.geometry.mode == "long":
            return [step for step in passed if step[0] < (2 if va < VLP_ENTRIES << 30 else 3)]
        return passed

    def _bochs_physical(self, out: HatReport, raw: Tree, va: int) -> None:
        walked = self.page_walks[va]
        real = walk.translate(raw, va)
        if walked.phys != (None if real is None else real & ~0xFFF) and not any(d.va <= va <= d.va1 for d in out.differences):
            said = "nothing" if walked.phys is None else f"0x{walked.phys:012x}"
            want = "nothing" if real is None else f"0x{real & ~0xFFF:012x}"
            out.problems.append(f"{self.name} translates 0x{va:x} to {said}, the tables say {want}")

    def _hardware_ranges(self, out: HatReport, raw: Tree) -> None:
        """`info tab` against the tables in memory, and against the kernel's own summary."""
        real = cut(walk.merged(walk.mappings(raw)), self.blind)
        seen = [(r.va0, r.va1, r.pa0) for r in self.tab.ranges]
        if text := range_difference(seen, real, self.tab_name, "the tables in memory"):
            out.problems.append(text)

    # marks, verdicts, summary

    def _judge(self, d: Difference, is_copied: bool, current: bool) -> None:
        """Who stands alone, and the words for it."""
        if not current or (self.geometry.mode == "pae" and d.level == 2):
            d.blind = frozenset(["bochs"])
        d.alone = who_is_alone(self.geometry, d.level, d.entries, d.blind, is_copied)
        d.text = self._difference_text(d, is_copied)

    def _mark(self, row: Row, out: HatReport) -> None:
        """Who is at odds about this range?  A row that claim and memory see differently has a differing entry above it."""
        if not out.current:
            row.marks["bochs"] = BLIND
        elif any(lo <= row.va1 and row.va0 <= hi for lo, hi in self.blind):
            row.marks["bochs"] = PAGE_ONLY
        for d in out.differences:
            if d.va <= row.va1 and d.va1 >= row.va0:
                for name in [d.alone] if d.alone else set(WITNESSES) - d.blind:
                    row.marks[name] = DIFF

    def _difference_text(self, d: Difference, is_copied: bool) -> list[str]:
        lines = [
            f"address 0x{d.va:x}: level {d.level} table at 0x{d.frame:012x} (base 0x{d.base:x}), index {d.index}"
            + (", a slot copied from the kernel" if is_copied else "")
        ]
        for name in WITNESSES:
            what = "(blind)" if name in d.blind else describe_entry(self.geometry, d.level, d.entries[name], self.features)
            lines.append(f"  {self.emulator if name == 'bochs' else name:<7} {what}")
        values = [d.entries[w] for w in ("raw", "kernel", "bochs") if w not in d.blind and d.entries[w] is not None]
        others = [v for v in values if v != values[0]] if values else []
        if others:
            lines.append(f"  differs in: {differing_bits(self.geometry, d.level, values[0], others[0])}")
        verdicts = {
            "kernel": f"the kernel's dump stands alone: memory and {self.name} agree",
            "bochs": f"{self.name} stands alone: the dump and memory agree",
            "raw": f"the raw memory stands alone: the dump and {self.name} agree",
        }
        if d.alone:
            lines.append(f"  {verdicts[d.alone]}")
        elif d.blind:
            lines.append(f"  the dump and memory differ; {self.name} cannot see this")
        else:
            lines.append("  all three differ")
        return lines

    def _summary(self, out: HatReport, raw: Tree) -> None:
        """The summary at the end of each hat, in the shape of `info tab`."""
        hat = out.hat
        if hat.summary_cr3 is None:
            out.problems.append("the dump has no summary for this hat")
            return
        if hat.summary_cr3 != hat.root:
            out.problems.append(f"the summary says cr3: 0x{hat.summary_cr3:012x}, the hat line root=0x{hat.root:012x}")
        for r in hat.summary:
            if r.va1 - r.va0 != r.pa1 - r.pa0:
                out.problems.append(f"the summary's range 0x{r.va0:x}-0x{r.va1:x} has a physical range of another length")
        said = [(r.va0, r.va1, r.pa0) for r in hat.summary]
        if text := range_difference(said, walk.merged(walk.mappings(raw)), "the kernel's summary", "the tables in memory"):
            out.problems.append(text)
        if out.current:
            seen = [(r.va0, r.va1, r.pa0) for r in self.tab.ranges]
            if text := range_difference(cut(said, self.blind), seen, "the kernel's summary", self.tab_name):
                out.problems.append(text)


# --------------------------------------------------------------------------------------------------------------- rows


def _attributes(m: Mapping, with_ad: bool) -> tuple:
    """What must be equal for two mappings to be one row."""
    leaf = m.leaf
    base = (m.level, m.u, m.w, m.x, leaf.u, leaf.w, leaf.x, leaf.g, leaf.cache, leaf.soft)
    return (*base, leaf.a, leaf.d) if with_ad else base


def rows_of(claim: Tree, raw: Tree) -> list[Row]:
    """The ranges of an address space: cut wherever claim or memory changes, joined where nothing does."""
    pieces = _pieces(list(walk.mappings(claim)), list(walk.mappings(raw)))
    rows: list[Row] = []
    before: tuple | None = None
    for va0, va1, k, r in pieces:
        m = r or k
        agree = bool(k and r) and _same_mapping(k, r, va0)
        pa0 = m.pa0 + va0 - m.va0
        key = (_attributes(m, True), agree, bool(k), bool(r))
        if rows and before == key and rows[-1].va1 + 1 == va0 and rows[-1].pa1 + 1 == pa0:
            rows[-1].va1 = va1
        else:
            leaf: Decoded = m.leaf
            rows.append(
                Row(va0, va1, pa0, claim.geometry.levels[m.level].size, m.u, m.w, m.x, leaf.g, leaf.a, leaf.d,
                    leaf.cache, leaf.soft, dict.fromkeys(WITNESSES, OK))
            )
        before = key
    return rows


def _same_mapping(k: Mapping, r: Mapping, va: int) -> bool:
    return k.pa0 + va - k.va0 == r.pa0 + va - r.va0 and _attributes(k, False) == _attributes(r, False)


def _pieces(one: list[Mapping], other: list[Mapping]) -> list[tuple[int, int, Mapping | None, Mapping | None]]:
    """Cut two ascending lists of ranges at each other's borders."""
    out = []
    i = j = 0
    at = 0
    while i < len(one) or j < len(other):
        k = one[i] if i < len(one) else None
        r = other[j] if j < len(other) else None
        starts = [max(m.va0, at) for m in (k, r) if m]
        lo = min(starts)
        k_in = k if k and k.va0 <= lo else None
        r_in = r if r and r.va0 <= lo else None
        ends = [m.va1 for m in (k_in, r_in) if m] + [m.va0 - 1 for m in (k, r) if m and m.va0 > lo]
        hi = min(ends)
        out.append((lo, hi, k_in, r_in))
        at = hi + 1
        i += bool(k and k.va1 <= hi)
        j += bool(r and r.va1 <= hi)
    return out


# ------------------------------------------------------------------------------------------------------------- ranges

Span = tuple[int, int, int]  # va0, va1, pa0


def cut(ranges: list[Span], holes: list[tuple[int, int]]) -> list[Span]:
    """Remove what lies in the holes."""
    for lo, hi in holes:
        left: list[Span] = []
        for va0, va1, pa0 in ranges:
            if va1 < lo or va0 > hi:
                left.append((va0, va1, pa0))
                continue
            if va0 < lo:
                left.append((va0, lo - 1, pa0))
            if va1 > hi:
                left.append((hi + 1, va1, pa0 + hi + 1 - va0))
        ranges = left
    return ranges


def _span(s: Span | None) -> str:
    return "nothing" if s is None else f"0x{s[0]:x}-0x{s[1]:x} -> 0x{s[2]:x}"


def range_difference(one: list[Span], other: list[Span], name: str, other_name: str) -> str | None:
    """The first place where two lists of ranges part."""
    for index in range(max(len(one), len(other))):
        a = one[index] if index < len(one) else None
        b = other[index] if index < len(other) else None
        if a != b:
            return f"{name} says {_span(a)}, {other_name} {'say' if other_name.startswith('the tables') else 'says'} {_span(b)}"
    return None
