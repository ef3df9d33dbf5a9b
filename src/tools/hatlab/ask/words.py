# SPDX-License-Identifier: ISC
"""Entries of page tables in words: Intel's names, and what the bits mean."""

from __future__ import annotations

from .. import walk
from ..walk import Geometry

# By mode and level.  [SDM3 4.3 to 4.5]
NAMES = {"long": ("PTE", "PDE", "PDPTE", "PML4E"), "pae": ("PTE", "PDE", "PDPTE"), "nonpae": ("PTE", "PDE")}


def entry_name(geometry: Geometry, level: int) -> str:
    return NAMES[geometry.mode][level]


def bits(geometry: Geometry, level: int, entry: int, features: walk.Features) -> str:
    """`writable, user, accessed`."""
    found = walk.decode(geometry, level, entry, features)
    if found.kind == "none":
        return "not present" + (f" (the other bits, 0x{entry:x}, mean nothing to the processor)" if entry else "")
    said = []
    if not (geometry.mode == "pae" and level == 2):     # which has no rights
        said += ["writable" if found.w else "read-only", "user" if found.u else "supervisor"]
    said += [] if found.x else ["no-execute"]
    said += [word for bit, word in ((walk.PWT, "write-through"), (walk.PCD, "cache-disable"), (walk.A, "accessed")) if entry & bit]
    said += ["dirty"] if found.d else []
    said += ["global"] if found.g else []
    said += ["PAT"] if found.cache & 4 else []
    said += [f"large page ({geometry.levels[level].size})"] if found.kind == "leaf" and level else []
    said += [f"software bits {found.soft}"] if found.soft else []
    said += [f"RESERVED bits 0x{found.reserved:x} set: using it faults"] if found.reserved else []
    return ", ".join(said) or "present"


def rights(u: bool, w: bool, x: bool) -> str:
    """As in a dump: rwxu."""
    return f"r{'w' if w else '-'}{'x' if x else '-'}{'u' if u else 's'}"


def span(lo: int, hi: int, digits: int) -> str:
    return f"0x{lo:0{digits}x}-0x{hi:0{digits}x}"
