# SPDX-License-Identifier: ISC
"""What a contract in one of the HAT's headers must say, and what one lacks."""

from __future__ import annotations

import re

from .panics import rows
from .sitecode import Function

TABLES = re.compile(r"^(?:struct )?(?:hat|htable|page)(?:_t)? ?\*+$")  # not to a const one: who cannot change it needs no more than to look

# These take an address space, a table or a page, and yet neither change tables nor rely on what is in them.
NO_TABLES = {
    "hat_dup hat_swapin hat_map hat_softlock": "no work on this machine",
    "hat_kpm_mapin hat_kpm_mapout hat_kpm_page2va hat_kpm_vaddr2page": "arithmetic on addresses",
    "hat_page_setattr hat_page_getattr": "bits of the page itself",
    "x86_hm_held": "asks who holds a lock",
    "htable_rank_follow htable_rank_none htable_rank htable_unrank htable_note_cached htable_rank_forget": "hints, of which no invariant is made",
    "dump_hat_begin dump_table dump_hat_end dump_root": "print what is there, sound or not",
}


def is_public(one: Function) -> bool:
    return one.file == "vm/hat.h" or one.file.startswith("hat/")


def is_accessor(one: Function) -> bool:
    """A question whose answer stands below it in the header: its brief is enough."""
    return one.inline and one.type != "void"


def has_tables(one: Function) -> bool:
    return any(TABLES.match(kind) for kind in (one.type, *one.parameters.values()))


def uses_tables(one: Function) -> bool:
    return has_tables(one) and one.name not in " ".join(NO_TABLES).split()


def lacks(one: Function) -> list[str]:
    """What is missing, in words."""
    if not one.brief:
        return ["a first sentence"]
    if is_accessor(one):
        return []
    wanted = [(f"@param {name}", name in one.described) for name in one.parameters]
    wanted.append(("@return", one.type == "void" or "Returns" in one.said))
    wanted.append(("@locks", "Locks" in one.said))
    wanted.append(("@panics", "Panics" in one.said or one.name not in who_panics()))
    wanted.append(("@inv", bool(one.invariants) or not uses_tables(one)))
    return [what for what, there in wanted if not there]


def who_panics() -> set[str]:
    """Functions that docs/panics.md names, as those that panic or in whose name the message speaks."""
    return {name for row in rows() if not re.match(r"[SLNFEP]\d+:", row.message) for name in (row.function, row.message.split(":")[0])}
