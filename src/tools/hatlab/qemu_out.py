# SPDX-License-Identifier: ISC
"""Read what QEMU's monitor prints.  No other module knows these formats.

    info tlb    one line for each page that is mapped: address, physical address, and bits of its entry as letters
    info mem    ranges of addresses whose rights, the product of all levels, are equal

Neither says how long a large page is; taken together they do: it reaches to the next one, or to the end of its range.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from . import walk

# The letters of `info tlb`, and the bit each stands for; P (PS) is shown for large pages only.
LETTERS = (("X", walk.NX), ("G", walk.G), ("P", walk.PS), ("D", walk.D), ("A", walk.A), ("C", walk.PCD), ("T", walk.PWT),
           ("U", walk.U), ("W", walk.W))
FRAME = 0x000F_FFFF_FFFF_F000  # with PAE QEMU forgets to cut NX off the physical address
LOW_END, HIGH_START = 1 << 47, 0xFFFF_8000_0000_0000
# What it does not show of a leaf: PAT and the bits that are the software's.
SMALL_UNSEEN = walk.PAT_SMALL | 7 << walk.SOFT_SHIFT | 0x7FF << 52
LARGE_UNSEEN = walk.PAT_LARGE | 7 << walk.SOFT_SHIFT | 0x7FF << 52


class QemuOutputError(Exception):
    """The monitor's reply was not of the expected form."""


class Leaf(NamedTuple):
    """One line of `info tlb`: as much of the entry as it shows, and how much the page covers."""

    va: int
    entry: int
    size: int

    @property
    def pa(self) -> int:
        return self.entry & FRAME

    @property
    def large(self) -> bool:
        return bool(self.entry & walk.PS)


class Rights(NamedTuple):
    """One line of `info mem`; `end` is exclusive."""

    start: int
    end: int
    u: bool
    w: bool


_MEM = re.compile(r"^([0-9a-f]+)-[0-9a-f]+ ([0-9a-f]+) ([u-])([r-])([w-])\r?$", re.M)
_TLB = re.compile(r"^([0-9a-f]+): ([0-9a-f]+) ([XGPDACTUW-]{9})\r?$", re.M)


def parse_mem(text: str) -> list[Rights]:
    """Read `info mem`."""
    found = []
    for start, size, u, _, w in _MEM.findall(text):
        start, end = int(start, 16), int(start, 16) + int(size, 16)
        if start < LOW_END < end:  # it does not see the hole in the middle of the addresses
            found.append(Rights(start, LOW_END, u == "u", w == "w"))
            start, end = HIGH_START, HIGH_START + end - LOW_END
        found.append(Rights(start, end, u == "u", w == "w"))
    if not found:
        raise QemuOutputError(f"info mem: no range in {text[:60]!r}")
    return found


def parse_tlb(text: str, ranges: list[Rights]) -> list[Leaf]:
    """Read `info tlb`, with the ranges of `info mem` at the same moment."""
    lines = [(int(va, 16), int(pa, 16) & FRAME, letters) for va, pa, letters in _TLB.findall(text)]
    if not lines:
        raise QemuOutputError(f"info tlb: no page in {text[:60]!r}")
    leaves, at = [], 0
    for i, (va, pa, letters) in enumerate(lines):
        while at < len(ranges) and ranges[at].end <= va:
            at += 1
        if at == len(ranges) or ranges[at].start > va:
            raise QemuOutputError(f"info tlb has a page at 0x{va:x}, info mem has not")
        end = min([ranges[at].end, *(next_va for next_va, _, _ in lines[i + 1 : i + 2])])
        entry = pa | walk.P
        for letter, (name, bit) in zip(letters, LETTERS):
            entry |= bit if letter == name else 0
        leaves.append(Leaf(va, entry, end - va))
    return leaves


def merged(leaves: list[Leaf]) -> list[tuple[int, int, int]]:
    """Translation only: (first address, last address, physical address), merged wherever both sides continue."""
    out: list[tuple[int, int, int]] = []
    for leaf in leaves:
        if out and out[-1][1] + 1 == leaf.va and out[-1][2] + leaf.va - out[-1][0] == leaf.pa:
            out[-1] = (out[-1][0], leaf.va + leaf.size - 1, out[-1][2])
        else:
            out.append((leaf.va, leaf.va + leaf.size - 1, leaf.pa))
    return out


_REGISTER = re.compile(r"\b([A-Z][A-Z0-9]{1,3}) ?=([0-9a-f]+)\b")
_GENERAL = ("AX", "BX", "CX", "DX", "SI", "DI", "BP", "SP", "IP")


def parse_registers(text: str) -> dict[str, int]:
    """Read `info registers`: cr0 to cr4, efer, eflags, and the general ones under their 64-bit names."""
    seen = {name: int(value, 16) for name, value in reversed(_REGISTER.findall(text))}
    registers = {name.lower(): seen[name] for name in ("CR0", "CR2", "CR3", "CR4", "EFER") if name in seen}
    for name in _GENERAL:
        value = seen.get("R" + name, seen.get("E" + name))
        if value is not None:
            registers["r" + name.lower()] = value
    for name in [f"R{n}" for n in range(8, 16)]:
        if name in seen:
            registers[name.lower()] = seen[name]
    registers["eflags"] = seen.get("RFL", seen.get("EFL", 0))
    if "rip" not in registers or "cr3" not in registers:
        raise QemuOutputError(f"info registers: no RIP or CR3 in {text[:60]!r}")
    return registers
