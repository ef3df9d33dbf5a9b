# SPDX-License-Identifier: ISC
"""Breakpoints that no CPU slips through.

With several CPUs Bochs passes over a breakpoint at the first instruction of a CPU's turn, but never over two in a row.  So each gets
another one, at the instruction behind it, which counts only where the first one was passed over.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from . import bochs_out
from .bochs import Bochs
from .bochs_out import Stop
from .evidence import NEXT_TICKS
from .symbols import Symbols

SETS = re.compile(r'(?:lb|lbreak)\s+(?:(0x[0-9a-f]+)|"(\w+)")\s*(if\b.*)?')
CHANGES = re.compile(r"(d|del|delete|bpd|bpe)\s+(\d+)")
LISTED = re.compile(r"^\s*(\d+) \w+\s.* 0x([0-9a-f]+)\s*$")
LEAVES = re.compile(r"j|call|ret|iret|syscall|sysret")  # an instruction behind which something else need not come


def second_instruction(kernel: Path, address: int) -> int | None:
    """The address of the instruction behind one; None where the CPU goes elsewhere, or nothing is there."""
    done = subprocess.run(["objdump", "-d", "--no-show-raw-insn", f"--start-address={address}", f"--stop-address={address + 32}",
                           str(kernel)], capture_output=True, text=True)
    lines = re.findall(r"^\s*([0-9a-f]+):\s+(\w+)", done.stdout, re.M)
    if len(lines) < 2 or int(lines[0][0], 16) != address or LEAVES.match(lines[0][1]):
        return None
    return int(lines[1][0], 16)


class Breakpoints:
    """Those of one run."""

    def __init__(self, machine: Bochs, kernel: Path) -> None:
        self.machine, self.kernel, self.symbols = machine, kernel, Symbols.read(kernel)
        self.firsts: dict[int, int] = {}  # second instruction: the first one
        self.hits: dict[int, tuple[int, int]] = {}  # by CPU: where it stopped last, and when

    def ask(self, command: str, seconds: float = 30.0) -> str:
        """Give Bochs a command, and what it takes so that it is true with several CPUs as well."""
        if self.machine.cpus == 1:
            return self.machine.ask([command], seconds)[0]
        also = self._also(command)
        reply = self.machine.ask([command, *also], seconds)[0]
        if command.strip() == "blist":
            reply = "".join(line + "\n" for line in reply.splitlines() if self._listed(line)[1] not in self.firsts)
        return reply

    def _also(self, command: str) -> list[str]:
        if match := SETS.fullmatch(command.strip()):
            address = int(match[1], 16) if match[1] else self.symbols.address(match[2])
            second = second_instruction(self.kernel, address) if address is not None else None
            if second is None:
                return []
            self.firsts[second] = address
            return [f"lb 0x{second:x} {match[3] or ''}".rstrip()]
        if match := CHANGES.fullmatch(command.strip()):
            listed = dict(map(self._listed, self.machine.ask(["blist"])[0].splitlines()))
            address = listed.get(int(match[2]))
            return [f"{match[1]} {number}" for number, at in listed.items() if address is not None and self.firsts.get(at) == address]
        return []

    @staticmethod
    def _listed(line: str) -> tuple[int, int]:
        """(number, address) of a line of `blist`."""
        match = LISTED.match(line)
        return (int(match[1]), int(match[2], 16)) if match else (0, 0)

    def place(self, stop: Stop) -> int | None:
        """The address of the breakpoint that this stop is about; None: the CPU has already stopped for it, one instruction ago."""
        address = bochs_out.linear_of(stop.where)
        if stop.kind != "breakpoint" or address not in self.firsts:
            self.hits[stop.cpu] = (address, stop.t)
            return address
        before, t = self.hits.pop(stop.cpu, (0, 0))
        return None if before == self.firsts[address] and stop.t - t < NEXT_TICKS else self.firsts[address]
