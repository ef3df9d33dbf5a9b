# SPDX-License-Identifier: ISC
"""Where a session of Bochs' debugger begins: where a check first uses the student's code, at a checkpoint, at a function.

Each place is called with the session and runs the kernel until there; None: the run has ended before.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from . import bochs, bochs_out
from .bochs_out import Stop
from .checktable import Check, in_order, read_checks
from .elf import Elf
from .lab import LabError


@dataclass
class AtCheck:
    """The first copy_on() of a check (of a plain image: kmain). `together`: of its second turn, with all units of the lab."""

    elf: Elf
    name: str
    together: bool = False

    def __post_init__(self) -> None:
        self.check: Check | None = None
        if self.name != "plain":
            checks = read_checks(self.elf)
            self.check = next((c for c in checks if c.name == self.name), None)
            if self.check is None:
                names = [c.name for c in in_order(checks)]
                raise LabError(f"there is no check {self.name!r}: this lab has {', '.join(names)}")

    def reach(self, session) -> Stop | None:
        self.place = self.elf.address("evidence_copy_on" if self.check else "kmain")
        begin, done = self.elf.address("evidence_begin"), self.elf.address("run_done")
        for address in (self.place, begin, done):
            session.breakpoints.ask(f"lb 0x{address:x}")
        together = False
        while True:
            stop = session.go()
            if session.address == done:
                return None
            if stop.kind == "other" or self.check is None:
                return stop
            if session.address not in (self.place, begin):
                continue
            bochs.set_cpu(session.machine, stop.cpu)
            first, second = self._arguments(session, stop)
            if session.address == begin:
                together = bool(second)
            if first == self.check.address and (session.address == self.place and together == self.together
                                                or session.address == begin and self.check.boot):
                return stop

    def _arguments(self, session, stop: Stop) -> tuple[int, int]:
        if self.elf.word == 8:
            registers = bochs_out.parse_registers(session.machine.ask(["r"])[0])
            return registers["rdi"], registers["rsi"]
        late = bochs_out.linear_of(stop.where) != session.address
        pushed = (self.elf.second(session.address) or (0, 0))[1] // 4 if late else 0
        words = re.findall(r"\t0x([0-9a-f]+)", session.machine.ask(["x /4wx esp"])[0])
        return int(words[1 + pushed], 16), int(words[2 + pushed], 16)

    def arrived(self, session) -> None:
        for number in (1, 2, 3) if session.machine.cpus == 1 else (1, 3, 5):
            session.breakpoints.ask(f"d {number}")
        session.say(f"  : {self.name} gives your code its first call behind this point")
        session.set_breakpoints()
        for command in ("bt 6", "u /4"):
            session.command(command, command)


@dataclass
class AtPoint:
    """A checkpoint, a scene's stop, or a function."""

    name: str
    args: str

    def reach(self, session) -> Stop | None:
        address = session.addresses.symbols.address(self.name)
        if address is not None and f"stop:{self.name}" not in self.args:  # a scene's own stop goes before a function of that name
            session.breakpoints.ask(f"lb 0x{address:x}")
        while True:
            stop = session.go()
            if stop.kind == "breakpoint":
                session.breakpoints.ask("d 1")
                return stop
            seen = [checkpoint.name for checkpoint in session.reader.checkpoints]
            if session.reader.done:
                raise LabError(f"there is no stop {self.name!r}: this kernel stops at {', '.join(dict.fromkeys(seen)) or 'nothing'}; "
                               'possible are also a function, and a scene\'s own: ARGS="scene=...,stop:NAME"')
            if stop.kind == "other" or seen and seen[-1] == self.name:
                return stop

    def arrived(self, session) -> None:
        session.say(f"  : type a command, or {session.BREAKPOINTS}, which sets those of {session.where}")
