# SPDX-License-Identifier: ISC
"""Which of the HAT's locks a function takes, by itself or through what it calls: read from the sources, which are all of one style."""

from __future__ import annotations

import re
from pathlib import Path

from .host import ROOT
from .sitecode import Function

SOURCES = ("src/hat/*.c", "solutions/lab*/*.c", "src/*/hat_md.c")
BODY = re.compile(r"^(\w+)\([^;{}]*\)\n\{\n(.*?)^\}", re.M | re.S)
# A lock: how code takes it, and what a contract that says so has in it.
LOCKS = {
    "mapping list": (r"x86_hm_enter\(", r"\blists?\b"),
    "table lock": (r"mutex_enter\((?:htable_lock\(|&hc->hc_lock|lock\))", r"\btable(?:'s|s'|) locks?\b|\b(?:its|source's) lock\b|htable_lock\("),
    "hat_list_lock": (r"mutex_enter\(&hat_list_lock", r"hat_list_lock"),
    "hat_mutex": (r"mutex_enter\(&hat->hat_mutex", r"hat_mutex"),
    "htable_reserve_mutex": (r"mutex_enter\(&htable_reserve_mutex", r"htable_reserve_mutex"),
    "mapping hash": (r"= bucket_enter\(", r"hash's"),
    "window": (r"mutex_enter\(&CPU->cpu_hat_info->hci_mutex", r"\bwindows?\b"),
}


class Sources:
    """Every function of the HAT. Helpers of one name may be in several files; what a header declares is defined once, or once a flavour."""

    def __init__(self) -> None:
        self.bodies: dict[tuple[Path, str], str] = {}
        self.homes: dict[str, list[Path]] = {}
        for path in sorted(path for pattern in SOURCES for path in ROOT.glob(pattern)):
            code = re.sub(r"/\*.*?\*/|\"[^\"\n]*\"", "", path.read_text(encoding="utf-8"), flags=re.S)
            for name, body in BODY.findall(code):
                self.bodies[path, name] = body
                self.homes.setdefault(name, []).append(path)

    def takes(self, name: str, public: set[str]) -> set[str]:
        """The locks that a function may take before it returns, through helpers and the public functions of this set."""
        found: set[str] = set()
        seen: set[tuple[Path, str]] = set()
        left = [(path, name) for path in self.homes.get(name, [])]
        while left:
            where = left.pop()
            if where not in seen:
                seen.add(where)
                found |= {lock for lock, (taken, _) in LOCKS.items() if re.search(taken, self.bodies[where])}
                left += self.calls(where, public)
        return found

    def calls(self, where: tuple[Path, str], public: set[str]) -> list[tuple[Path, str]]:
        called = set(re.findall(r"(?:\bmd_\w+_cold\(|\b(?=\w+\())(\w+)", self.bodies[where]))
        helpers = [(where[0], name) for name in called if (where[0], name) in self.bodies]
        return helpers + [(path, name) for name in called & public for path in self.homes.get(name, [])]

    def unsaid(self, one: Function, functions: dict[str, Function]) -> list[str]:
        """What a contract keeps to itself. Where none may be held, what is taken in other public functions may be left out: they say it."""
        said = " ".join(one.said["Locks"])
        for other in re.findall(r"(\w+)\(\)", said):
            said += " " + " ".join(functions[other].said["Locks"]) if other in functions else ""
        taken = self.takes(one.name, set() if "none held" in said else set(functions))
        lies = [f"takes the {lock}" for lock in sorted(taken) if not re.search(LOCKS[lock][1], said)]
        if "held" not in said and any(re.search(r"ASSERT\((?:MUTEX_HELD|x86_hm_held)\(", self.bodies[path, one.name]) for path in self.homes[one.name]):
            lies.append("asserts that a lock is held")
        return lies
