# SPDX-License-Identifier: ISC
"""Change memory behind the kernel's back, to see that a witness notices: `--poke PHYS=VALUE`."""

from __future__ import annotations

import argparse
from collections.abc import Iterable


def poke(text: str) -> tuple[int, int]:
    """An argument's type: (physical address, eight bytes as a number)."""
    where, eq, value = text.partition("=")
    if not eq:
        raise argparse.ArgumentTypeError("expected PHYS=VALUE")
    return int(where, 0), int(value, 0)


def apply(machine, pokes: Iterable[tuple[int, int]]) -> None:
    """Store each, through the debugger of a stopped machine."""
    for where, value in pokes:
        machine.ask([f"setpmem 0x{where + at:x} 4 0x{value >> at * 8 & 0xFFFF_FFFF:x}" for at in (0, 4)])
