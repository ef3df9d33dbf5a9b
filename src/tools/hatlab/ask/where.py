# SPDX-License-Identifier: ISC
"""`where`: which function, which line of its source, and who has called it."""

from __future__ import annotations

from collections.abc import Iterator

from .. import bochs_out
from . import lines, offsets, prototypes
from .machine import AskError, Command, Stopped

DEPTH = 24
ARGUMENT_REGISTERS = ("rdi", "rsi", "rdx", "rcx", "r8", "r9")

TEXT = """
The function and source line of the current instruction, and a backtrace by frame pointers, each call with its line. Behind a name stand its
arguments: on i386 as they are on the stack now; on amd64 for the innermost function only, at its first instruction, where the registers
still hold them. Where nobody can know them it says (?), and why. A line like "inlined in" means that the compiler has put the
function into its caller. The caller of hand-written code may be missing above it.
  where
"""


def answer(stopped: Stopped) -> Iterator[str]:
    registers = bochs_out.parse_registers(stopped.machine.ask(["r"])[0])
    frames = list(_frames(stopped, registers))
    found = lines.find(stopped.kernel, [pc if n == 0 else pc - 1 for n, (pc, _) in enumerate(frames)])
    notes = set()
    for n, ((pc, fp), places) in enumerate(zip(frames, found)):
        name = stopped.symbols.name(pc if n == 0 else pc - 1)
        function = name.split("+")[0]
        text, note = _arguments(stopped, registers, n, pc, fp, function, places)
        notes |= {note} if note else set()
        yield f"#{n} 0x{pc:0{stopped.digits}x} {stopped.symbols.name(pc)}{text} {_places(places)}"
    yield from (f"  {note}" for note in sorted(notes))


def _frames(stopped: Stopped, registers: dict[str, int]) -> Iterator[tuple[int, int | None]]:
    """(instruction, where the return address stands) of each call, innermost first."""
    mask = (1 << stopped.word * 8) - 1
    pc, sp, fp = (registers[n] & mask for n in ("rip", "rsp", "rbp"))
    start = stopped.symbols.name(pc)
    if "+" not in start:                                # nothing pushed yet
        at = sp
    elif start.endswith("+0x1"):                        # behind push %rbp
        at = sp + stopped.word
    else:
        at, fp = fp + stopped.word, _try(stopped, fp)
    yield pc, at
    for _ in range(DEPTH):
        pc = _try(stopped, at)
        if not pc or stopped.symbols.name(pc) == "?":
            return
        yield pc, fp + stopped.word if fp else None
        below = _try(stopped, fp) if fp else None
        if not fp or not below and _try(stopped, fp + stopped.word) in (None, 0) or below and below <= fp:
            return
        at, fp = fp + stopped.word, below


def _try(stopped: Stopped, va: int) -> int | None:
    try:
        return stopped.pointer(va)
    except AskError:
        return None


def _places(places: list[lines.Place]) -> str:
    """Innermost first; all but the last have been put into the one behind them."""
    if not places:
        return "(no line known)"
    return ", inlined in ".join(f"{p.file}:{p.line}" + (f" ({p.function})" if len(places) > 1 else "") for p in places)


def _arguments(stopped: Stopped, registers: dict[str, int], n: int, pc: int, at: int | None, function: str,
               places: list[lines.Place]) -> tuple[str, str]:
    """`(ht=0x..., entry=3)` and a note for below, or `(?)` and why."""
    parameters = prototypes.find(lines.plain(function), places)
    if parameters is None:
        return "(?)", "(?): its parameters are not known: it is no C function, or the compiler has made a variant of it"
    if not parameters:
        return "()", ""
    sizes = offsets.read(stopped.kernel).size
    if stopped.word == 8:
        if n or stopped.symbols.name(pc) != function:
            return "(?)", "(?): on amd64 arguments are in registers, which are known at a function's first instruction only"
        values = [registers[r] for r in ARGUMENT_REGISTERS]
    else:
        if function in prototypes.local(stopped.kernel):
            return "(?)", "(?): a static function of i386 may get its arguments in registers"
        values = _stack(stopped, at, parameters, sizes)
    told = [f"{p.name}={_value(p, v, sizes)}" for p, v in zip(parameters, values)]
    return f"({', '.join(told + ['...'] * (len(told) < len(parameters)))})", ""


def _stack(stopped: Stopped, at: int | None, parameters: list, sizes: dict[str, int]) -> list[int]:
    """As many as can be read: an unknown type ends it, for nobody knows how much room it takes."""
    values, at = [], (at or 0) + stopped.word
    for parameter in parameters:
        size = parameter.size(sizes, stopped.word)
        if size is None:
            break
        room = max(size, stopped.word)
        try:
            values.append(int.from_bytes(stopped.virtual(at, room), "little"))
        except AskError:
            break
        at += room
    return values


def _value(parameter, value: int, sizes: dict[str, int]) -> str:
    size = parameter.size(sizes, 8)
    value &= (1 << 8 * size) - 1 if size else value
    return str(value) if value < 10 else f"0x{value:x}"


COMMANDS = {"where": Command("where", "function, source line, and who called it, with arguments", TEXT, answer, 0, 0)}
