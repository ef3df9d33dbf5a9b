# SPDX-License-Identifier: ISC
"""Names for addresses, from `nm -n` of the kernel."""

from __future__ import annotations

import bisect
import subprocess
from pathlib import Path


class Symbols:
    """The code and data symbols of one kernel, sorted by address."""

    def __init__(self, pairs: list[tuple[int, str]]) -> None:
        # where a function begins the text, it is meant, not the linker's mark
        self._pairs = sorted(pairs, key=lambda pair: (pair[0], not pair[1].endswith(("_start", "_end")), pair[1]))
        self._addresses = [address for address, _ in self._pairs]
        self._by_name = {name: address for address, name in reversed(self._pairs)}

    @classmethod
    def read(cls, elf: Path) -> Symbols:
        """Read the symbols of an ELF file; an unreadable one has none (names are a comfort, not a need)."""
        try:
            text = subprocess.run(["nm", "-n", str(elf)], capture_output=True, text=True, check=True).stdout
        except (OSError, subprocess.CalledProcessError):
            return cls([])
        pairs = []
        for line in text.splitlines():
            words = line.split()
            if len(words) == 3 and words[1] not in "aA":
                pairs.append((int(words[0], 16), words[2]))
        return cls(pairs)

    def address(self, name: str) -> int | None:
        return self._by_name.get(name)

    def name(self, address: int | None) -> str:
        """`func+0x12`, or `?` for an address below every symbol or far above the one before it."""
        if address is None:
            return "?"
        at = bisect.bisect_right(self._addresses, address) - 1
        if at < 0 or address - self._addresses[at] > 0x10000:
            return "?"
        base, name = self._pairs[at]
        return name if base == address else f"{name}+0x{address - base:x}"
