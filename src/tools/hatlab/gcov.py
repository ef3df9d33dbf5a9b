# SPDX-License-Identifier: ISC
"""What programs that count their own arcs have to say: from the counters to lines and branches.

A program of the host writes .gcda files itself.  A kernel made with COVERAGE=1 prints its counters
(src/check/coverage/gcov.c); `Told` adds up any number of such runs and writes the same files.  `read` then has gcov
make lines and branches of them.
"""

from __future__ import annotations

import json
import re
import struct
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from .host import HostError

FUNCTION, ARCS = 0x01000000, 0x01A10000  # tags of a .gcda file
MAGIC = 0x67636461
OBJECTS_AT_ONCE = 40


@dataclass
class Line:
    """A line of a source file, as one function has it: how often it was reached, and each of its branches taken."""

    file: str
    function: str
    number: int
    count: int = 0
    branches: list[int] = field(default_factory=list)

    def add(self, other: Line) -> None:
        """Both are of the same line, from two programs."""
        self.count += other.count
        if not self.branches:
            self.branches = [0] * len(other.branches)
        if len(other.branches) != len(self.branches):
            return  # a macro that has conditions in one program only, with DEBUG: the first one counts
        for i, n in enumerate(other.branches):
            self.branches[i] += n


Key = tuple[str, str, int]  # file, function, number
Lines = dict[Key, Line]


# ------------------------------------------------------------------------------------------------------------- kernels


class Told:
    """The counters of all runs of one image."""

    def __init__(self) -> None:
        self.files: dict[str, tuple[int, int, int]] = {}  # name.gcda: version, stamp, checksum
        self.arcs: dict[str, dict[tuple[int, int, int], list[int]]] = {}  # and its functions' counters

    def add(self, console: Iterable[str]) -> int:
        """Add what one run printed; how many counted files it spoke of (0: it did not reach its end)."""
        files, counters, want = 0, None, 0
        for line in console:
            if not line.startswith("gcov "):
                continue
            kind, *words = line.split()[1:]
            if kind == "file":
                self._whole(counters, want)
                counters, want = None, 0
                functions = self._file(words)
                files += 1
            elif kind == "func":
                self._whole(counters, want)
                want = int(words[3])
                counters, sums = [], functions.setdefault(tuple(int(w, 16) for w in words[:3]), [0] * want)
            else:
                for word in words:
                    sums[len(counters)] += int(word, 16)
                    counters.append(word)
        self._whole(counters, want)
        return files

    @staticmethod
    def _whole(counters: list[str] | None, want: int) -> None:
        if counters is not None and len(counters) != want:
            raise HostError(f"the kernel's counters are not complete: {len(counters)} of {want}")

    def _file(self, words: list[str]) -> dict[tuple[int, int, int], list[int]]:
        name, key = words[3], tuple(int(w, 16) for w in words[:3])
        if self.files.setdefault(name, key) != key:
            raise HostError(f"{name}: counters of two different images")
        return self.arcs.setdefault(name, {})

    def write(self) -> list[Path]:
        """Write the .gcda files, where gcov looks for them; their names."""
        for name, (version, stamp, checksum) in self.files.items():
            data = struct.pack("<4I", MAGIC, version, stamp, checksum)
            for key, counters in self.arcs[name].items():
                data += struct.pack("<5I", FUNCTION, 12, *key)
                data += struct.pack(f"<2I{len(counters)}Q", ARCS, 8 * len(counters), *counters)
            Path(name).write_bytes(data + bytes(4))
        return [Path(name) for name in self.files]


# ------------------------------------------------------------------------------------------------------------- gcov


def read(gcda: Iterable[Path], top: Path, wanted: re.Pattern[str]) -> Lines:
    """Lines and branches of the wanted source files (by name below `top`), from these files of counters."""
    names, found = sorted(str(p) for p in gcda), Lines()
    for at in range(0, len(names), OBJECTS_AT_ONCE):
        done = subprocess.run(["gcov", "--json-format", "--stdout", "--branch-probabilities", *names[at : at + OBJECTS_AT_ONCE]],
                              cwd=top, capture_output=True, text=True)
        if done.returncode != 0 or "stamp mismatch" in done.stderr:
            raise HostError(f"gcov failed: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}")
        for text in done.stdout.splitlines():
            _take(json.loads(text), top, wanted, found)
    return found


def _take(data: dict, top: Path, wanted: re.Pattern[str], found: Lines) -> None:
    for source in data["files"]:
        name = source["file"].removeprefix(f"{top}/")
        if not wanted.match(name):
            continue
        for line in source["lines"]:
            new = Line(name, line.get("function_name", "-"), line["line_number"], line["count"],
                       [b["count"] for b in line["branches"]])
            merge(found, [new])


def merge(into: Lines, lines: Iterable[Line]) -> None:
    """Add lines to others."""
    for line in lines:
        key = (line.file, line.function, line.number)
        into.setdefault(key, Line(*key)).add(line)
