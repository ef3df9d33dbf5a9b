# SPDX-License-Identifier: ISC
"""Functions of a plain kernel that do nothing, have two arguments, and are where we look; only their own callers count."""

from __future__ import annotations

import functools
from collections.abc import Callable

from . import bochs_out
from .bochs import Bochs
from .bochs_out import Stop
from .elf import Elf
from .evidence import call_sites

Look = Callable[[Bochs, int, int], None]


class Stops:
    """Who is called at which function; `places` is what run.boot() wants as at_address."""

    def __init__(self, elf: Elf, cpus: int, looks: dict[str, Look]) -> None:
        self.elf = elf
        by_address = {elf.address(name): look for name, look in looks.items()}
        self.sites = call_sites(elf, set(by_address), (0, 0))
        self.places: dict[int, Callable[[Bochs, Stop], None]] = {}
        for place, look in by_address.items():
            second = elf.second(place) if cpus > 1 else None  # with several CPUs the first instruction may be passed over
            for at, pushed in ((place, 0), *([second] if second else [])):
                self.places[at] = functools.partial(self._at, place, pushed, look)

    def _at(self, place: int, pushed: int, look: Look, machine: Bochs, stop: Stop) -> None:
        wide = self.elf.word == 8
        replies = machine.ask(["r", f"x /5{'g' if wide else 'w'}x {'rsp' if wide else 'esp'}"])
        regs = bochs_out.parse_registers(replies[0])
        stack = bochs_out.parse_words(replies[1]) or [0] * 5
        stack = stack[pushed // self.elf.word :]
        if stack[0] in self.sites[place]:
            look(machine, *((regs["rdi"], regs["rsi"]) if wide else stack[1:3]))
