# SPDX-License-Identifier: ISC
"""What the kernel believes: its hats and htables, read from memory with the compiler's offsets (offsets.py)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from .. import walk
from . import offsets
from .machine import AskError, Stopped

HATS_MAX, TABLES_MAX, CHAIN_MAX = 1000, 20_000, 4096     # damaged lists can go round in circles
HAT_FLAGS = {"HAT_VLP": "vlp", "HAT_SHARED": "shared", "HAT_VICTIM": "victim", "HAT_FREEING": "freeing"}
TABLE_FLAGS = {"HTABLE_VLP": "vlp", "HTABLE_SHARED_PFN": "shared", "HTABLE_CUT": "cut"}


@dataclass
class Htable:
    """One htable, as it stands in memory."""

    addr: int
    hat: int
    base: int
    level: int
    flags: list[str]
    pfn: int | None
    busy: int
    permanent: int
    valid: int
    lock: int
    rank: int
    parent: int
    shares: int
    where: str = "linked"       # or cached, reserve


@dataclass
class Hat:
    """One hat, with the tables on its chains."""

    addr: int
    name: str       # kernel, user, boot
    flags: list[str]
    top: int
    root: int
    pages: list[int]
    cpus: list[int]
    chains: int = 0
    cached: int = 0
    tables: list[Htable] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"hat 0x{self.addr:x} {self.name}" + (f" ({','.join(self.flags)})" if self.flags else "")

    def title(self) -> str:
        return {"kernel": "the kernel's hat", "boot": "the boot tree in CR3"}.get(self.name) or str(self)


class Kernel:
    """Reads structures at one stop."""

    def __init__(self, stopped: Stopped) -> None:
        self.stopped, self.offsets = stopped, offsets.read(stopped.kernel)

    # single fields

    def value(self, address: int, name: str) -> int:
        at, size = self.offsets.field[name]
        raw = self.stopped.virtual(address + at, size)
        return int.from_bytes(raw, "little", signed=name in offsets.SIGNED)

    def symbol(self, name: str) -> int:
        address = self.stopped.symbols.address(name)
        if address is None:
            raise AskError(f"this kernel has no symbol {name}")
        return address

    def flags(self, value: int, names: dict[str, str]) -> list[str]:
        return [text for name, text in names.items() if value & self.offsets.constant[name]]

    # htables

    def htable(self, addr: int, where: str = "linked") -> Htable:
        def get(name: str) -> int:
            return self.value(addr, name)
        pfn = get("ht_pfn")
        invalid = self.offsets.constant["PFN_INVALID"] & ((1 << self.stopped.word * 8) - 1)
        return Htable(addr, get("ht_hat"), get("ht_vaddr"), get("ht_level"), self.flags(get("ht_flags"), TABLE_FLAGS),
                      None if pfn == invalid else pfn, get("ht_busy"), get("ht_permanent"), get("ht_valid_cnt"), get("ht_lock_cnt"),
                      get("ht_rank"), get("ht_parent"), get("ht_shares"), where)

    def chain(self, head: int) -> Iterator[int]:
        """Addresses of the htables behind a list's head."""
        for _ in range(CHAIN_MAX):
            if head == 0:
                return
            yield head
            head = self.value(head, "ht_next")
        raise AskError(f"more than {CHAIN_MAX} htables on one chain: does it go round in a circle?")

    def _linked(self, hat: int) -> Iterator[int]:
        start, size = self.offsets.field["hat_chains"][0], self.offsets.size["hat_chains"]
        for lock in range(self.offsets.constant["HAT_NLOCKS"]):
            chains = hat + start + lock * size
            heads = self.value(chains, "hc_head")
            for n in range(self.value(chains, "hc_mask") + 1 if heads else 0):
                if n >= TABLES_MAX:
                    raise AskError(f"hc_mask of lock {lock} is damaged")
                yield from self.chain(self.stopped.pointer(heads + n * self.stopped.word))

    # hats

    def anchor(self) -> int:
        """The kernel's hat."""
        addr = self.stopped.pointer(self.symbol("kas_hat"))
        if addr == 0:
            raise AskError("there are no hats yet: kas_hat is NULL until hat_kern_alloc()")
        return addr

    def addresses(self) -> list[int]:
        found = [self.anchor()]
        while (addr := self.value(found[-1], "hat_next")) != 0:
            if addr in found or len(found) > HATS_MAX:
                raise AskError(f"the list of hats goes round in a circle at 0x{addr:x}")
            found.append(addr)
        return found

    def hats(self) -> list[Hat]:
        running = self._running()
        return [self.hat(addr, "user" if n else "kernel", running) for n, addr in enumerate(self.addresses())]

    def hat(self, addr: int, name: str, running: dict[int, list[int]]) -> Hat:
        at, size = self.offsets.field["hat_pages_mapped"]
        pages = [self.stopped.pointer(addr + at + n) for n in range(0, size, self.stopped.word)]
        flags = self.flags(self.value(addr, "hat_flags"), HAT_FLAGS)
        hat = Hat(addr, name, flags, self.value(addr, "hat_top"), 0, pages, running.get(addr, []))
        try:
            hat.tables = sorted((self.htable(a) for a in self._linked(addr)), key=lambda t: (-t.level, t.base))
            hat.cached = sum(1 for _ in self.chain(self.value(addr, "hat_ht_cached")))
            hat.root = self._root(addr, flags)
        except AskError as error:
            hat.problems.append(str(error))
        return hat

    def _root(self, addr: int, flags: list[str]) -> int:
        if "vlp" in flags:
            return self.stopped.translate(addr + self.offsets.field["hat_vlp_ptes"][0]) or 0
        top = self.value(addr, "hat_htable")
        return 0 if top == 0 else (self.htable(top).pfn or 0) << 12

    def _running(self) -> dict[int, list[int]]:
        """CPUs by the hat whose tables they use."""
        found: dict[int, list[int]] = {}
        for n in range(self.offsets.constant["NCPU"]):
            cpu = self.stopped.pointer(self.symbol("cpu") + n * self.stopped.word)
            if cpu:
                found.setdefault(self.value(cpu, "cpu_current_hat"), []).append(self.value(cpu, "cpu_id"))
        return found

    def find(self, addr: int) -> tuple[Htable, Hat | None]:
        """The htable at an address: on a chain, on a hat's stack of cached ones, or in the reserve."""
        for hat in self.hats():
            for table in hat.tables:
                if table.addr == addr:
                    return table, hat
            if addr in self.chain(self.value(hat.addr, "hat_ht_cached")):
                return self.htable(addr, "cached"), hat
        if addr in self.chain(self.stopped.pointer(self.symbol("htable_reserve_pool"))):
            return self.htable(addr, "reserve"), None
        raise AskError(f"0x{addr:x} is no htable: it is on no hat's chains, not cached and not in the reserve (tree lists them)")


def views(stopped: Stopped) -> list[tuple[Hat, walk.Tree]]:
    """Every hat with its real tables, from its root; before there are hats, and where CR3 names none of them: what CR3 has."""
    stopped.geometry            # paging must be on
    try:
        hats = Kernel(stopped).hats()
    except AskError as error:
        if "no hats yet" not in str(error) and "not mapped" not in str(error):
            raise
        hats = []
    found = [(hat, stopped.tree(hat.root, "vlp" in hat.flags)) for hat in hats if hat.root]
    if not any(hat.cpus for hat, _ in found):
        cr3 = Hat(0, "boot", [], stopped.geometry.top, stopped.creg.root, [], [0])
        found.append((cr3, stopped.tree(cr3.root)))
    return found


def copied(kernel: walk.Tree, tree: walk.Tree) -> set[tuple[int, int, int]]:
    """(level, base, index) of the slots in which a user hat's tables show the kernel's: the same link at the same place."""
    found = set()
    for (level, base), table in tree.tables.items():
        other = kernel.tables.get((level, base))
        if other is None or level == 0 or other.pa == table.pa:
            continue
        found |= {(level, base, i) for i, e in enumerate(table.entries) if e & walk.P and (e ^ other.entries[i]) & ~walk.A == 0}
    return found
