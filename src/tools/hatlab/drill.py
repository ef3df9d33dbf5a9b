# SPDX-License-Identifier: ISC
"""A drill, watched: where it stops, the tables in memory must be what the host's model wants (docs/drill.md)."""

from __future__ import annotations

import re

from . import bochs_out, oracle, outside, run as boot
from .bochs import Bochs
from .gradeimage import Built
from .stops import Stops
from .walk import GEOMETRY

STEPS = 300  # it stops half way and at its end, in each of its address spaces
SPACES = 3
SMALL, GROUPS = 40, 2  # DRILL_SMALL, DRILL_GROUPS
INSTRUCTIONS = 200_000_000
SECONDS = 120


class Drill:
    """What was seen of one."""

    def __init__(self, built: Built, flavor: str, seed: int, looks: tuple[int, ...] = (STEPS // 2, STEPS)) -> None:
        """`looks`: after how many steps it is looked at."""
        self.built, self.flavor, self.seed, self.looks = built, flavor, seed, looks
        for at in looks:
            oracle.state(flavor, seed, at)  # now, and not while the kernel waits
        self.seen: dict[tuple[int, int], str] = {}  # (steps, space): what is wrong

    def look(self, machine: Bochs, steps: int, space: int) -> None:
        if (steps, space) not in self.seen and steps in self.looks:
            self.seen[steps, space] = self._difference(machine, steps, space)

    def wrong(self) -> tuple[int, str] | None:
        """(after how many steps, what): the first that was seen to be wrong, or that was not seen."""
        for steps in self.looks:
            for space in range(SPACES):
                if text := self.seen.get((steps, space), "the drill did not come to where it stops"):
                    return steps, f"address space {space}: {text}"
        return None

    def _difference(self, machine: Bochs, steps: int, space: int) -> str:
        """The first one in words, or nothing; the address space is in CR3."""
        geometry = GEOMETRY[bochs_out.parse_creg(machine.ask(["creg"])[0]).mode]
        small, groups = self._pfns(machine, "drill_small", SMALL), self._pfns(machine, "drill_group", GROUPS)
        large = geometry.levels[1].span >> 12
        pieces = {pfn // large for pfn in groups}
        if len(set(small)) < SMALL or len(pieces) < GROUPS or any(pfn % large for pfn in groups) or pieces & {p // large for p in small}:
            return "the drill's list of page frames has been changed"
        state = oracle.state(self.flavor, self.seed, steps)
        wanted = oracle.expected(state.leaves, space, geometry, small, groups)
        return outside.compare(machine, self.built.elf, wanted, state.keeps)

    def _pfns(self, machine: Bochs, name: str, count: int) -> list[int]:
        elf = self.built.elf
        return bochs_out.parse_words(machine.ask([f"x /{count}{'g' if elf.word == 8 else 'w'}x 0x{elf.address(name):x}"])[0])


def explain(drill: Drill, cpus: int) -> str:
    """What is wrong with it in a sentence, with the first step after which it is; nothing when nothing is."""
    found = drill.wrong()
    if found is None:
        return ""
    bad, text = found
    good = max((at for at in drill.looks if at < bad), default=0)
    step = ""
    while bad - good > 1:
        middle = (good + bad) // 2
        other, said = _again(drill, cpus, middle)
        if other is None:
            good = middle
        else:
            bad, text, step = middle, other, said
    if not step:
        _, step = _again(drill, cpus, bad)
    return (f"step {bad} of a drill, {step or 'unknown'}: {text} "
            f"(drill={bad} drill_tell=1 seed={drill.seed} tour=0, docs/drill.md)")


def _again(drill: Drill, cpus: int, steps: int) -> tuple[str | None, str]:
    """Its first steps, in a boot of their own: what is wrong behind them, and the last one in words."""
    again = Drill(drill.built, drill.flavor, drill.seed, (steps,))
    args = f"console=e9 tour=0 watchdog=1500 seed={drill.seed} drill={steps} drill_tell=2"
    result = boot.boot(
        drill.flavor, args, cpus=cpus, kernel=drill.built.elf.path, data=drill.built.with_args(args), deadline=INSTRUCTIONS,
        timeout=SECONDS, at_address=Stops(drill.built.elf, cpus, {"drill_stop": again.look}).places,
    )
    said = re.findall(rf"^drill {steps}: (.*)$", result.console, re.M)
    found = again.wrong()
    return (found[1] if found else None), (said[-1] if said else "")
