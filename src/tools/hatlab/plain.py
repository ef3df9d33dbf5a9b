# SPDX-License-Identifier: ISC
"""A plain image to its end: the witnesses agree at every checkpoint, a drill ends with the tables that the host's model wants, and
programs come to their right answers.

The kernel consists of the student's units of one lab.  What counts is seen from outside: the tables in memory and Bochs'
translations at every checkpoint of the tour and where a drill stops (docs/drill.md), and each program's exit status, read where the
kernel has it from ring 3.
"""

from __future__ import annotations

from . import bochs_out, drill, run as boot
from .bochs import Bochs
from .compare import Report, examine
from .evidence import clean
from .gradeimage import PROGRAMS, Built
from .protocol import Checkpoint, Reader
from .stops import Stops

CHECKPOINTS = ["boot-tables", "adopted", "started", "user-space", "two-spaces", "switched", "unmapped", "gone"]
# What each program must print; src/tests/test_client.py computes these from the programs' descriptions.
VALUES = {"sieve": 3908641, "forktree": 167, "mapper": 982962425}
INSTRUCTIONS = 400_000_000
WATCHDOG = 1500


def args_of(lab: int, seed: int) -> str:
    return f"console=e9 tour=1 lab=lab{lab} seed={seed} watchdog={WATCHDOG} drill={drill.STEPS} programs={','.join(PROGRAMS)}"


class Plain:
    """One boot."""

    def __init__(self, built: Built, flavor: str, lab: int, seed: int, cpus: int) -> None:
        self.built, self.flavor, self.cpus = built, flavor, cpus
        self.args = args_of(lab, seed)
        self.reports: list[Report] = []
        self.statuses: list[tuple[str, int]] = []
        self.drill = drill.Drill(built, flavor, seed)
        self.stops = Stops(built.elf, cpus, {"evidence_exit": self._exit, "drill_stop": self.drill.look})

    def run(self) -> tuple[str, int]:
        """(what is wrong or nothing, emulated instructions)."""
        result = boot.boot(
            self.flavor, self.args, cpus=self.cpus, kernel=self.built.elf.path, data=self.built.with_args(self.args),
            deadline=INSTRUCTIONS, timeout=300, at_checkpoint=self._checkpoint, at_address=self.stops.places,
        )
        return clean(self._problem(result)), result.instructions

    def _checkpoint(self, machine: Bochs, cp: Checkpoint, reader: Reader) -> None:
        mode = reader.hello["mode"] if reader.hello else "long"
        self.reports.append(examine(cp, machine, mode))

    def _exit(self, machine: Bochs, name: int, status: int) -> None:
        text = bytes(bochs_out.parse_words(machine.ask([f"x /32bx 0x{name:x}"])[0]))
        self.statuses.append((text.split(b"\0")[0].decode("ascii", "replace"), status))

    def _problem(self, result: boot.Result) -> str:
        bad = next((r for r in self.reports if not r.ok), None)
        if bad:
            return f"at checkpoint {bad.checkpoint.name}: {_first(bad)}"
        if result.problem:
            in_drill = "drill: " in result.console and "drill: done" not in result.console
            return result.problem + " (in the drill, docs/drill.md)" * in_drill
        names = [r.checkpoint.name for r in self.reports]
        if names != CHECKPOINTS:
            missing = next((n for n in CHECKPOINTS if n not in names), "order")
            return f"checkpoint {missing} was not reached"
        return drill.explain(self.drill, self.cpus) or self._programs(result)

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
