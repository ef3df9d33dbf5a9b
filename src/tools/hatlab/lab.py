# SPDX-License-Identifier: ISC
"""What a lab consists of: its folder, units and functions (src/hat/units), the files that are the student's, points, id, seed.

Everything here raises LabError with one line that says what is wrong, where, and what to do about it.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from .host import HostError

TOP = Path(__file__).resolve().parents[3]
UNITS = TOP / "src/hat/units"
# Besides the units: what a student writes. Handed in and graded where the lab has them.
WRITTEN = ("DESIGN.md", "answers.txt")
PARTS = ("together", "plain", "answers")
TOTAL = 100     # points of a lab, on each kernel
ID = re.compile(r"[A-Za-z0-9_@][A-Za-z0-9._@-]{0,63}")
ID_FILE = "id"
ID_RULE = "letters, digits, and . _ - @ behind the first character, at most 64"


class LabError(HostError):
    """One line for the person at the terminal."""


@dataclass(frozen=True)
class Lab:
    number: int
    name: str                                   # "lab1-entries": its folder in labs/ and solutions/
    units: tuple[tuple[str, tuple[str, ...]], ...]  # (unit, its functions), in the order of the table

    @property
    def unit_names(self) -> tuple[str, ...]:
        return tuple(unit for unit, _ in self.units)

    def functions(self, unit: str) -> tuple[str, ...]:
        return dict(self.units)[unit]

    def folder(self, labs: Path | str = "labs") -> Path:
        """Where the files of this lab are: `labs` is labs/ of a tree (or solutions/), or the lab's own folder."""
        labs = TOP / labs
        return labs if labs.name == self.name else labs / self.name

    @property
    def solutions(self) -> Path:
        return TOP / "solutions" / self.name

    def student_files(self) -> tuple[str, ...]:
        """Names of the files that belong to the student."""
        return tuple(f"{unit}.c" for unit in self.unit_names) + tuple(
            name for name in WRITTEN if (self.folder() / name).exists())


@lru_cache(maxsize=None)
def unit_table(path: Path = UNITS) -> dict[str, dict[str, list[str]]]:
    """{lab's folder: {unit: [function]}}"""
    table: dict[str, dict[str, list[str]]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        words = line.split("#")[0].split()
        if words:
            table.setdefault(words[0], {}).setdefault(words[1], []).append(words[2])
    return table


def numbers() -> list[int]:
    """The labs that there are, ascending."""
    return sorted({int(m[1]) for p in (TOP / "labs").iterdir() if (m := re.fullmatch(r"lab(\d+)-[a-z0-9-]+", p.name))})


def get(number: int | str) -> Lab:
    there = numbers()
    if not re.fullmatch(r"\d{1,3}", str(number)) or int(number) not in there:
        raise LabError(f'there is no lab "{number}": LAB is a number from {there[0]} to {there[-1]}')
    name = next(p.name for p in (TOP / "labs").iterdir() if p.name.startswith(f"lab{int(number)}-"))
    units = unit_table().get(name, {})
    return Lab(int(number), name, tuple((unit, tuple(functions)) for unit, functions in units.items()))


def labs() -> list[Lab]:
    return [get(number) for number in numbers()]


def clean_environment() -> dict[str, str]:
    """For a make or a tool that we start: without what `make TARGET LAB=n` has put there for us.

    Nor does it matter who calls: a student's file that the compiler warns of is graded under CI, too.
    """
    ours = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "HATLAB_IMAGE", "LAB", "MINE", "ID", "TRIAL", "UNITS", "TESTS",
            "FLAVOR", "CPUS", "ARGS", "IMAGE", "SOLVED", "SUBMISSION", "CI", "WERROR"}
    return {key: value for key, value in os.environ.items() if key not in ours}


def points(lab: Lab) -> dict[str, int]:
    """{"together": 10, "plain": 10, "answers": 10}: what does not come from a check of one unit; 0 for a part not named."""
    path = TOP / "labs" / lab.name / "points"
    where = f"labs/{lab.name}/points"
    if not path.exists():
        raise LabError(f"{where} is missing: one line each for {', '.join(PARTS)}, and how many points it has")
    found: dict[str, int] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        words = line.split("#")[0].split()
        if not words:
            continue
        if len(words) != 2 or words[0] not in PARTS or not words[1].isascii() or not words[1].isdigit():
            raise LabError(f'{where}:{number}: "{line.strip()}" is not one of {", ".join(PARTS)} and a number')
        if words[0] in found:
            raise LabError(f"{where}:{number}: {words[0]} has been given already")
        found[words[0]] = int(words[1])
    if sum(found.values()) > TOTAL:
        raise LabError(f"{where}: the parts add up to {sum(found.values())}, and a lab has {TOTAL} points")
    return {part: found.get(part, 0) for part in PARTS}


def check_id(text: str, where: str) -> str:
    if not ID.fullmatch(text):
        raise LabError(f"{where}: {ascii(text[:70])} cannot be an id: {ID_RULE}")
    return text


def student_id(labs_folder: Path | str = "labs", override: str | None = None) -> str:
    """Who the student is: `override` (ID=), or the one line of the file labs/id."""
    if override:
        return check_id(override, "ID=")
    path = TOP / labs_folder / ID_FILE
    where = f"{labs_folder}/{ID_FILE}"
    if not path.exists():
        raise LabError(f"{where} is missing: write your id into it, in one line (or say ID=... once)")
    try:
        lines = path.read_bytes()[:1000].decode("ascii").split("\n")
    except (OSError, UnicodeDecodeError):
        raise LabError(f"{where}: cannot be read as one line of plain text: {ID_RULE}") from None
    lines = [line.strip() for line in lines if line.strip()]
    if len(lines) != 1:
        raise LabError(f"{where}: {len(lines)} lines with something in them: one is wanted, your id")
    return check_id(lines[0], where)


def seed(student: str, lab: Lab | int) -> int:
    """Where all chance of this student's runs of this lab starts: 1 ... 2^32 - 1, the same for ever."""
    number = lab.number if isinstance(lab, Lab) else lab
    digest = hashlib.sha256(f"hatlab seed\0{student}\0lab{number}".encode("ascii")).digest()
    return int.from_bytes(digest[:4], "big") or 1


def wrong_globals(names: set[str], unit: str, functions: tuple[str, ...] | list[str]) -> str | None:
    """An object must define its unit's functions and nothing else that others could see."""
    for function in functions:
        if function not in names:
            return f"unit {unit} must define {function}()"
    for extra in sorted(names - set(functions)):
        return f"{extra} is not a function of unit {unit}: make it static"
    return None
