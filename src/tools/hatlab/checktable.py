# SPDX-License-Identifier: ISC
"""The table of checks in a graded kernel: struct check of src/check/check.h, in the order of the table."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from .elf import Elf

BARE, BOOT, ALONE = 1, 2, 4


@dataclass(frozen=True)
class Check:
    """One CHECK()."""

    address: int
    place: int  # in the table
    name: str
    unit: str  # "-": none
    needs: tuple[str, ...]
    lab: int
    points: int
    flags: int
    line: int

    @property
    def boot(self) -> bool:
        return bool(self.flags & BOOT)


def read_checks(elf: Elf) -> list[Check]:
    """All of them, by place."""
    start, stop = elf.address("__start_checks"), elf.address("__stop_checks")
    word = "Q" if elf.word == 8 else "I"
    shape = struct.Struct(f"<4{word}4H")
    found = []
    for at in range(start, stop, shape.size):
        name, unit, _, needs, lab, points, flags, line = shape.unpack(elf.memory(at, shape.size))
        found.append(
            Check(at, len(found), elf.string(name) or "?", elf.string(unit) or "-",
                  tuple((elf.string(needs) or "").split()), lab, points, flags, line)
        )
    return found


def in_order(checks: list[Check]) -> list[Check]:
    """As the kernel runs them."""
    return sorted(checks, key=lambda c: (c.lab, c.line, c.place))
