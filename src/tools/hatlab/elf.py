# SPDX-License-Identifier: ISC
"""Read an ELF file of ours, 32-bit or 64-bit: symbols, and the memory that its segments make."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from .host import HostError

SYMTAB, NOBITS = 2, 8


@dataclass(frozen=True)
class Segment:
    """A piece of memory: what the file has for it, the rest is zero."""

    va: int
    pa: int
    data: bytes
    size: int


class Elf:
    """One file, read whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.data = path.read_bytes()
        except OSError as error:
            raise HostError(f"{path}: {error.strerror}") from None
        if self.data[:4] != b"\x7fELF" or self.data[4] not in (1, 2):
            raise HostError(f"{path} is not an ELF file")
        self.word = 8 if self.data[4] == 2 else 4
        self.segments = self._segments()
        self.symbols: dict[str, int] = {}
        self.sizes: dict[str, int] = {}
        self._read_symbols()

    def _segments(self) -> list[Segment]:
        wide = self.word == 8
        at, size, count = (
            (*struct.unpack_from("<Q", self.data, 32), *struct.unpack_from("<HH", self.data, 54)) if wide
            else (*struct.unpack_from("<I", self.data, 28), *struct.unpack_from("<HH", self.data, 42))
        )
        found = []
        for i in range(count):
            if wide:
                kind, _, offset, va, pa, filesz, memsz = struct.unpack_from("<IIQQQQQ", self.data, at + i * size)
            else:
                kind, offset, va, pa, filesz, memsz = struct.unpack_from("<IIIIII", self.data, at + i * size)
            if kind == 1:
                found.append(Segment(va, pa, self.data[offset : offset + filesz], memsz))
        return found

    def _sections(self) -> list[tuple[int, int, int, int]]:
        """(type, offset, size, link) of each."""
        wide = self.word == 8
        at = struct.unpack_from("<Q" if wide else "<I", self.data, 40 if wide else 32)[0]
        size, count = struct.unpack_from("<HH", self.data, 58 if wide else 46)
        found = []
        for i in range(count):
            base = at + i * size
            kind = struct.unpack_from("<I", self.data, base + 4)[0]
            if wide:
                offset, length, link = struct.unpack_from("<QQI", self.data, base + 24)
            else:
                offset, length, link = struct.unpack_from("<III", self.data, base + 16)
            found.append((kind, offset, length, link))
        return found

    def _read_symbols(self) -> None:
        sections = self._sections()
        shape = struct.Struct("<IBBHQQ" if self.word == 8 else "<IIIBBH")
        for kind, offset, length, link in sections:
            if kind != SYMTAB:
                continue
            names = sections[link][1]
            for fields in shape.iter_unpack(self.data[offset : offset + length]):
                if self.word == 8:
                    name, info, _, index, value, size = fields
                else:
                    name, value, size, info, _, index = fields
                if name and index and info & 15 < 3:
                    end = self.data.index(b"\0", names + name)
                    text = self.data[names + name : end].decode()
                    self.symbols.setdefault(text, value)
                    self.sizes.setdefault(text, size)

    def address(self, name: str) -> int:
        if name not in self.symbols:
            raise HostError(f"{self.path} has no symbol {name}")
        return self.symbols[name]

    def memory(self, va: int, size: int) -> bytes:
        """What stands there before anything runs."""
        for s in self.segments:
            if s.va <= va and va + size <= s.va + s.size:
                return s.data[va - s.va : va - s.va + size].ljust(size, b"\0")
        raise HostError(f"{self.path} has nothing at 0x{va:x}")

    def physical(self, va: int) -> int:
        for s in self.segments:
            if s.va <= va < s.va + s.size:
                return va - s.va + s.pa
        raise HostError(f"{self.path} has nothing at 0x{va:x}")

    def second(self, va: int) -> tuple[int, int] | None:
        """A function's second instruction, and how many bytes the first one has pushed: for those that begin with `push` or `nop`.

        With several CPUs Bochs passes over a breakpoint at the first instruction of a CPU's turn; never over two in a row.
        """
        pushed = {b"\x55": self.word, b"\x90": 0}.get(self.memory(va, 1))
        return None if pushed is None else (va + 1, pushed)

    def string(self, va: int) -> str | None:
        """The C string at an address; None for a null pointer."""
        if va == 0:
            return None
        text = b""
        for s in self.segments:
            if s.va <= va < s.va + len(s.data):
                text = s.data[va - s.va : s.data.index(b"\0", va - s.va)]
        return text.decode()
