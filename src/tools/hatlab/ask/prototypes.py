# SPDX-License-Identifier: ISC
"""A function's parameters, from its definition in the file that the line numbers name."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path

from .. import host
from .lines import Place

WORDS_BEFORE = {"const", "volatile", "struct", "enum", "register"}


@dataclass(frozen=True)
class Parameter:
    name: str
    type: str

    def size(self, sizes: dict[str, int], word: int) -> int | None:
        """Bytes, by the compiler's sizes; None: a type that nobody has asked about."""
        return word if "*" in self.type else sizes.get(self.type)


def parameters_of(text: str, name: str) -> list[Parameter] | None:
    """From C text; None: it does not define the function in a way that can be read."""
    text = re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.S)
    match = re.search(rf"^(?:[A-Za-z_][\w \t*]*[ \t*])?{re.escape(name)}\(([^()]*)\)\s*\{{", text, re.M)
    if match is None:
        return None
    listed = match[1].strip()
    if listed in ("", "void"):
        return []
    found = []
    for one in listed.split(","):
        part = re.fullmatch(r"\s*([\w\s]*?[\s*]+)(\w+)\s*(\[\w*\])?\s*(?:UNUSED)?\s*", one)
        if part is None:
            return None
        stars = "*" if "*" in part[1] or part[3] else ""
        words = [w for w in part[1].replace("*", " ").split() if w not in WORDS_BEFORE]
        found.append(Parameter(part[2], " ".join(words) + stars))
    return found


def find(name: str, places: list[Place]) -> list[Parameter] | None:
    """`places` of an address in the function: the last one is in its own file."""
    if not places or "." in name:
        return None
    path = host.ROOT / places[-1].file
    if path.suffix != ".c" or not path.is_file():
        return None
    return parameters_of(path.read_text(errors="replace"), name)


def local(kernel: Path) -> frozenset[str]:
    """Functions that only their own file can call."""
    return _local(kernel, kernel.stat().st_mtime)


@functools.lru_cache(maxsize=4)
def _local(kernel: Path, _changed: float) -> frozenset[str]:
    text = host.run_tool(["nm", str(kernel)], "needed for names")
    return frozenset(line.split()[2] for line in text.splitlines() if re.match(r"\S+ t \S+$", line))
