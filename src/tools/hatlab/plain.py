# SPDX-License-Identifier: ISC
"""A plain image to its end: the witnesses agree at every checkpoint, and programs come to their right answers.

The kernel consists of the student's units of one lab.  What counts is seen from outside: the tables in memory and Bochs'
translations at every checkpoint of the tour, and each program's exit status, read where the kernel has it from ring 3.
"""

from __future__ import annotations

import re

from . import bochs_out, run as boot
from .bochs import Bochs
from .bochs_out import Stop
from .compare import Report, examine
from .evidence import call_sites, clean
from .gradeimage import PROGRAMS, Built
from .protocol import Checkpoint, Reader

CHECKPOINTS = ["boot-tables", "adopted", "started", "user-space", "two-spaces", "switched", "unmapped", "gone"]
# What each program must print; src/tests/test_client.py computes these from the programs' descriptions.
VALUES = {"sieve": 3908641, "forktree": 167, "mapper": 982962425}
INSTRUCTIONS = 400_000_000
WATCHDOG = 1500


def args_of(lab: int, seed: int) -> str:
    return f"console=e9 tour=1 lab=lab{lab} seed={seed} watchdog={WATCHDOG} programs={','.join(PROGRAMS)}"


class Plain:
    """One boot."""

    def __init__(self, built: Built, flavor: str, lab: int, seed: int, cpus: int) -> None:
        self.built, self.flavor, self.cpus = built, flavor, cpus
        self.args = args_of(lab, seed)
        self.reports: list[Report] = []
        self.statuses: list[tuple[str, int]] = []
        self.exit = built.elf.address("evidence_exit")
        self.sites = call_sites(built.elf, {self.exit}, (0, 0))[self.exit]

    def run(self) -> tuple[str, int]:
        """(what is wrong or nothing, emulated instructions)."""
        result = boot.boot(
            self.flavor, self.args, cpus=self.cpus, kernel=self.built.elf.path, data=self.built.with_args(self.args),
            deadline=INSTRUCTIONS, timeout=300, at_checkpoint=self._checkpoint, at_address=self._places(),
        )
        return clean(self._problem(result)), result.instructions

    def _checkpoint(self, machine: Bochs, cp: Checkpoint, reader: Reader) -> None:
        mode = reader.hello["mode"] if reader.hello else "long"
        self.reports.append(examine(cp, machine, mode))

    def _places(self) -> dict:
        """Where a program's end is seen: with several CPUs at two instructions in a row, or one of them may be passed over."""
        second = self.built.elf.second(self.exit) if self.cpus > 1 else None
        return {self.exit: self._exit} | ({second[0]: self._exit} if second else {})

    def _exit(self, machine: Bochs, stop: Stop) -> None:
        wide = self.built.elf.word == 8
        replies = machine.ask(["r", f"x /5{'g' if wide else 'w'}x {'rsp' if wide else 'esp'}"])
        regs = bochs_out.parse_registers(replies[0])
        stack = [int(v, 16) for v in re.findall(r"\t0x([0-9a-f]+)", replies[1])] or [0] * 5
        if bochs_out.linear_of(stop.where) != self.exit:
            stack = stack[(self.built.elf.second(self.exit) or (0, 0))[1] // self.built.elf.word :]
        name, status = (regs["rdi"], regs["rsi"]) if wide else stack[1:3]
        text = bytes(int(b, 16) for b in re.findall(r"\t0x([0-9a-f]+)", machine.ask([f"x /32bx 0x{name:x}"])[0]))
        if stack[0] in self.sites:
            self.statuses.append((text.split(b"\0")[0].decode("ascii", "replace"), status))

    def _problem(self, result: boot.Result) -> str:
        bad = next((r for r in self.reports if not r.ok), None)
        if bad:
            return f"at checkpoint {bad.checkpoint.name}: {_first(bad)}"
        if result.problem:
            return result.problem
        names = [r.checkpoint.name for r in self.reports]
        if names != CHECKPOINTS:
            missing = next((n for n in CHECKPOINTS if n not in names), "order")
            return f"checkpoint {missing} was not reached"
        return self._programs(result)

    def _programs(self, result: boot.Result) -> str:
        ended = dict(self.statuses)
        for name in PROGRAMS:
            if ended.get(name) != 0:
                how = "was not started" if name not in ended else f"ended with status 0x{ended[name]:x}"
                return f"program {name} {how}"
            if f" {name}] {name}: ok {VALUES[name]}" not in result.console:
                return f"program {name} did not print its right answer, {VALUES[name]}"
        return ""


def _first(report: Report) -> str:
    """The first thing that is wrong at a checkpoint."""
    for text in report.problems:
        return text
    for hat in report.hats:
        for text in hat.problems:
            return text
        for difference in hat.differences:
            return difference.text[0]
    return "the witnesses disagree"


def run(built: Built, flavor: str, lab: int, seed: int, cpus: int) -> tuple[str, int]:
    return Plain(built, flavor, lab, seed, cpus).run()
