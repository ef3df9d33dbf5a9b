# SPDX-License-Identifier: ISC
"""Questions in the course's own words at a stop of Bochs' debugger: `walk`, `table`, `htable`, `hats`, `tree`, `who`, `changed`,
`where` (docs/debug.md). One module for each subject; each has COMMANDS, a table of name: Command.

The processor's state and all memory are asked of Bochs, anew whenever there has been a command that was not ours. What the kernel believes is
read from its structures, with the compiler's own offsets (offsets.py); what the processor sees, from the tables in memory (../walk.py).
"""

from __future__ import annotations

from pathlib import Path

from .. import bochs_out
from ..host import HostError
from . import changed, frames, hats, tables, va, where
from .machine import AskError, Command, Stopped

HINT = "help lists what you can ask: walk 0x..., table, tree, hats, htable, who, changed, where"
COMMANDS: dict[str, Command] = {}
for module in (va, tables, hats, frames, changed, where):
    COMMANDS |= module.COMMANDS


def help_lines(words: list[str]) -> list[str] | None:
    """None: a question about a command of Bochs'."""
    if words:
        command = COMMANDS.get(words[0])
        return command and [command.usage, *("  " + line for line in command.text.strip().splitlines())]
    width = max(len(c.usage) for c in COMMANDS.values())
    return [*(f"{c.usage:<{width}}  {c.short}" for c in COMMANDS.values()),
            f"{'help NAME':<{width}}  more about one of them, with an example",
            f"{'bochs ...':<{width}}  the rest of the line is for Bochs, as is every line that begins with another word (bochs help)"]


class Asker:
    """Answers what is ours to answer, for one run."""

    def __init__(self, kernel: Path, width: int = 100) -> None:
        self.kernel, self.width = kernel, width
        self.memory_of_changes = changed.Memory()
        self.last: tuple[object, int, Stopped] | None = None    # the machine, its commands until then, what was read

    def leaves(self, machine) -> None:
        """The guest is about to go on."""
        if self.memory_of_changes.on:
            try:
                self.memory_of_changes.remember(self._stopped(machine))
            except (AskError, bochs_out.BochsOutputError):
                self.memory_of_changes.forget()
        self.last = None

    def answer(self, machine, line: str) -> list[str] | None:
        """The answer to one line, or None: it is for Bochs."""
        words = line.split()
        if not words:
            return None
        if words[0] == "help":
            return help_lines(words[1:])
        command = COMMANDS.get(words[0])
        if command is None:
            return None
        stopped = self._stopped(machine)
        try:
            if not command.least <= len(words) - 1 <= command.most:
                raise AskError(f"{command.usage}: see help {words[0]}")
            return list(command.run(stopped, *words[1:]))
        except (AskError, HostError, bochs_out.BochsOutputError) as error:
            return [f"{words[0]}: {error}"]
        finally:
            self.last = (machine, machine.asked, stopped)

    def _stopped(self, machine) -> Stopped:
        if self.last and self.last[:2] == (machine, machine.asked):
            return self.last[2]
        return Stopped(machine, self.kernel, self.width, self.memory_of_changes)
