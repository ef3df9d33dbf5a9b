# SPDX-License-Identifier: ISC
"""A machine that stands still, as the questions see it: registers, physical and virtual memory, the tables in CR3."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from .. import bochs_out, compare, walk
from ..symbols import Symbols

PAGE = 0x1000


class AskError(Exception):
    """Why a question has no answer: one line for the reader."""


@dataclass(frozen=True)
class Command:
    """One question: `run(stopped, *words)` gives lines; between `least` and `most` words."""

    usage: str
    short: str
    text: str
    run: Callable[..., Iterable[str]]
    least: int = 0
    most: int = 1


@dataclass(frozen=True)
class Step:
    """One entry that a translation passes."""

    level: int
    index: int
    where: int  # its physical address
    entry: int
    found: walk.Decoded


@functools.lru_cache(maxsize=4)
def symbols_of(kernel: Path, changed: float) -> Symbols:
    return Symbols.read(kernel)


class Stopped:
    """One question's view. What it has read is kept for the next one, but not beyond a command of another: that may run the guest."""

    def __init__(self, machine, kernel: Path, width: int, changes) -> None:
        self.machine, self.kernel, self.width, self.changes = machine, kernel, width, changes
        self.symbols = symbols_of(kernel, kernel.stat().st_mtime)
        self.memory = compare.Memory(machine)
        self.pages: dict[int, int | None] = {}      # translated so far
        self.creg = bochs_out.parse_creg(machine.ask(["creg"])[0])
        self.mode = self.creg.mode
        self.features = walk.Features(pse=bool(self.creg.cr4 >> 4 & 1), nxe=bool(self.creg.efer >> 11 & 1))

    # numbers

    @property
    def geometry(self) -> walk.Geometry:
        if self.mode == "off":
            raise AskError("paging is off: there are no tables, and a virtual address is a physical one")
        return walk.GEOMETRY[self.mode]

    @property
    def digits(self) -> int:
        return 16 if self.mode == "long" else 8

    @property
    def word(self) -> int:
        return 8 if self.mode == "long" else 4

    @functools.cached_property
    def ram(self) -> int:
        """Bytes of memory: as this run's machine was described."""
        found = re.search(r"^memory:.*\bguest=(\d+)", (self.machine.dir / "bochsrc").read_text(), re.M)
        return (int(found[1]) if found else 64) << 20

    def number(self, word: str) -> int:
        """What the reader has typed: a number, or a name of the kernel's."""
        if re.fullmatch(r"0[xX][0-9a-fA-F]+|[0-9]+", word):
            value = int(word, 16) if word[:2] in ("0x", "0X") else int(word)
            if value >> 64:
                raise AskError(f"{word} has more than 64 bits")
            return value
        address = self.symbols.address(f"{word}__mine")
        address = address if address is not None else self.symbols.address(word)
        if address is None:
            raise AskError(f"{word!r} is neither a number (0x1f, 31) nor a name in this kernel")
        return address

    def address(self, word: str) -> int:
        """A number that can be a virtual address in this mode."""
        va = self.number(word)
        if self.mode == "long" and va >> 47 not in (0, 0x1FFFF):
            raise AskError(f"0x{va:x} is not canonical: bits 63 to 47 differ, so the processor looks at no table (#GP)")
        if self.mode != "long" and va >> 32:
            raise AskError(f"0x{va:x} has more than 32 bits: no address in this mode")
        return va

    # memory

    def frame(self, pa: int) -> bytes:
        """The 4 KiB of memory that this physical address is in."""
        pa &= ~(PAGE - 1)
        if pa + PAGE > self.ram:
            raise AskError(f"physical 0x{pa:x} is not memory: there are {self.ram >> 20} MiB")
        return self.memory.fetch([(pa, PAGE)])[0]

    def physical(self, pa: int, size: int) -> bytes:
        out = b""
        while len(out) < size:
            at = pa + len(out)
            out += self.frame(at)[at % PAGE : at % PAGE + size - len(out)]
        return out

    def steps(self, va: int) -> list[Step]:
        """The entries that a translation of `va` passes, from the top, read one by one."""
        geometry, table, found = self.geometry, self.creg.root, []
        for level in range(geometry.top, -1, -1):
            shape, index = geometry.levels[level], geometry.index(va, level)
            where = table + index * shape.width
            if where >= self.ram:
                break  # the link before it tells
            entry = int.from_bytes(self.physical(where, shape.width), "little")
            found.append(Step(level, index, where, entry, walk.decode(geometry, level, entry, self.features)))
            if found[-1].found.kind != "table":
                break
            table = found[-1].found.pa
        return found

    def translate(self, va: int) -> int | None:
        if self.mode == "off":
            return va
        steps = self.steps(va)
        if not steps or steps[-1].found.kind != "leaf":
            return None
        return steps[-1].found.pa + (va & (self.geometry.levels[steps[-1].level].span - 1))

    def virtual(self, va: int, size: int) -> bytes:
        """Memory at a virtual address, by the tables in CR3."""
        out = b""
        while len(out) < size:
            at = va + len(out)
            page = at & ~(PAGE - 1)
            if page not in self.pages:
                self.pages[page] = self.translate(page)
            if self.pages[page] is None:
                raise AskError(f"0x{at:x} is not mapped in the tables of CR3")
            out += self.frame(self.pages[page])[at % PAGE : at % PAGE + size - len(out)]
        return out

    def pointer(self, va: int) -> int:
        return int.from_bytes(self.virtual(va, self.word), "little")

    def fetch(self, areas) -> list[bytes]:
        """For walk.walk(): whole tables; what is not memory is full of zeroes, and the walk ends there."""
        real = [(pa, size) for pa, size in areas if pa + size <= self.ram]
        have = dict(zip(real, self.memory.fetch(real)))
        return [have.get(area, bytes(area[1])) for area in areas]

    def tree(self, root: int, vlp: bool = False) -> walk.Tree:
        """All tables below a root, as the processor would walk them; `vlp`: four entries inside a 64-bit hat."""
        if not (vlp and self.mode == "long"):
            return walk.walk(root, self.geometry, self.fetch, self.features)

        def fetch(areas):
            short = [(pa, 32) if pa == root else (pa, size) for pa, size in areas]
            return [raw.ljust(size, b"\0") for raw, (_, size) in zip(self.fetch(short), areas)]

        return walk.walk(root, self.geometry, fetch, self.features, top=2)
