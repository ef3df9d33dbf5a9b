# SPDX-License-Identifier: ISC
"""Lines of source for addresses, by addr2line: line numbers are in full.elf beside kernel.elf (src/kernel.mk)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from .. import host


@dataclass(frozen=True)
class Place:
    file: str       # from the top of the tree
    line: int
    function: str


def plain(function: str) -> str:
    """A name without the copy of a trial link: `htable_scan__mine` stands in htable_scan.c as htable_scan."""
    return re.sub(r"__[a-z]\w*$", "", function)


def below_top(path: str) -> str:
    """From the top of the tree, wherever the object was compiled."""
    parts = Path(path).parts
    for n in range(len(parts)):
        if not Path(*parts[n:]).is_absolute() and (host.ROOT / Path(*parts[n:])).is_file():
            return str(Path(*parts[n:]))
    return path


def find(kernel: Path, addresses: list[int]) -> list[list[Place]]:
    """For each address: innermost inlined function first. Empty: nothing is known."""
    full = kernel.with_name("full.elf")
    if not full.exists() or not addresses:
        return [[] for _ in addresses]
    said = host.run_tool(["addr2line", "-a", "-f", "-i", "-e", str(full), *(f"0x{a:x}" for a in addresses)], "needed for source lines")
    found: list[list[Place]] = []
    text = said.splitlines()
    at = 0
    while at < len(text):
        if text[at].startswith("0x"):
            found.append([])
            at += 1
            continue
        place = re.fullmatch(r"(.*):(\d+)(?: \(discriminator \d+\))?", text[at + 1])
        if place:
            found[-1].append(Place(below_top(place[1]), int(place[2]), text[at]))
        at += 2
    return found
