# SPDX-License-Identifier: ISC
"""Once more to where a check lost its points: same image, same command line, and a person at Bochs' debugger (docs/grader.md)."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path

from . import bochs, bochs_out, gradeimage, image
from .checktable import read_checks
from .debug import Addresses, Script, Session
from .gradeimage import Answers, Built
from .host import BUILD, HostError
from .lab import LabError

RESULT = BUILD / "grade.json"
PATIENCE = 300.0


def find_row(result: Path, check: str, lab: int | None, flavor: str | None) -> tuple[dict, dict]:
    """(the whole result, the row) of the last grading: one that lost points first, amd64 first."""
    try:
        data = json.loads(result.read_text())
    except (OSError, ValueError):
        raise LabError("nothing has been graded here: run make grade first") from None
    rows = [r for r in data["rows"] if r["check"] == check and lab in (None, r["lab"]) and flavor in (None, r["kernel"])]
    if not rows:
        raise LabError(f"the last make grade has no line {check!r}{f' of lab {lab}' if lab is not None else ''}"
                       f"{f' on {flavor}' if flavor else ''}")
    if len({r["lab"] for r in rows}) > 1:
        raise LabError(f"several labs have a line {check!r}: say which with LAB=n")
    row = min(rows, key=lambda r: (r["points"] == r["maximum"], r["kernel"]))
    if "replay" not in row:
        raise LabError(f"{check} was not run: {row['reason'] or 'there is nothing to replay'}")
    return data, row


def rebuild(data: dict, row: dict) -> Built:
    """The image that was graded; files may have changed since."""
    answers = Answers(row["lab"], data["folder"], data["refused"].get(f"{row['lab']} {row['kernel']}", {}))
    gradeimage.compile_all(answers, row["kernel"])
    link = gradeimage.link_plain if row["check"] == "plain" else gradeimage.link_trial
    return link(answers, row["kernel"])


def start(result: Path, check: str, lab: int | None, flavor: str | None, say: Callable[[str], None],
          ask: Callable[[str], str | None] | None) -> int:
    data, row = find_row(result, check, lab, flavor)
    what = row["replay"]
    built = rebuild(data, row)
    say(f"Lab {row['lab']} on {row['kernel']}, {check}: {row['reason'] or 'it was ok'}")
    say(f"The kernel's command line: {what['args']}")
    with bochs.Bochs(image.with_args(built.image, what["args"]), data["cpus"]) as machine:
        return _session(machine, built, row, say, ask)


def _session(machine, built: Built, row: dict, say, ask) -> int:
    session = Session(Script([]), "replay", Addresses(built.elf.path), say, ask)
    session.machine = machine
    load_symbols(machine, built)
    try:
        stop = _reach(machine, built, row["replay"], session)
    except bochs.BochsGone as gone:
        raise HostError(f"Bochs has left: {gone}") from None
    if stop is None:
        say(f"The run has ended, and {row['check']} did not get to your code.")
        return 1
    session.show(stop)
    say(f"  : {row['check']} gives your code its first call behind this point: finish twice, then step or set breakpoints")
    for command in ("bt 6", "u /4"):
        session.command(command, command)
    if ask is None:
        say("Not a terminal: this was the place, and the end.")
        return 0
    try:
        while session.turn():
            session.show(session.go())
    except bochs.BochsGone as gone:
        say(f"Bochs has left: {gone}")
    return 0


def load_symbols(machine, built: Built) -> None:
    """For Bochs' own commands: your functions by their own names, and a sentinel beyond the last."""
    symbols = dict(built.elf.symbols)
    for name, address in built.elf.symbols.items():
        if name.endswith("__mine"):
            symbols[name.removesuffix("__mine")] = address
    lines = sorted((a, n) for n, a in symbols.items())
    lines.append((lines[-1][0] + 0x100000, "_sentinel"))
    (machine.dir / "symbols.txt").write_text("".join(f"{a:x} {n}\n" for a, n in lines))
    machine.ask(['ldsym global "symbols.txt"'])


def _reach(machine, built: Built, what: dict, session: Session):
    """To the first copy_on() of the check (of a plain image: to kmain); None: the run ends first."""
    elf = built.elf
    wide = elf.word == 8
    place = elf.address({"plain": "kmain"}.get(what["check"], "evidence_copy_on"))
    begin, done = elf.address("evidence_begin"), elf.address("run_done")
    check = next((c for c in read_checks(elf) if c.name == what["check"]), None) if what["check"] != "plain" else None
    machine.ask([f"lb 0x{a:x}" for a in (place, begin, done)])
    end, together = time.monotonic() + PATIENCE, False
    while True:
        stop, late = machine.go(lambda: end, session.guest)
        rip = bochs_out.linear_of(stop.where)
        if late or rip == done:
            return None
        if rip not in (place, begin):
            continue
        if check is None:
            return stop
        bochs.set_cpu(machine, stop.cpu)
        first, second = _arguments(machine, wide)
        if rip == begin:
            together = bool(second)
            if first == check.address and check.boot:
                return stop
        elif first == check.address and together == what["together"]:
            return stop


def _arguments(machine, wide: bool) -> tuple[int, int]:
    if wide:
        regs = bochs_out.parse_registers(machine.ask(["r"])[0])
        return regs["rdi"], regs["rsi"]
    words = re.findall(r"\t0x([0-9a-f]+)", machine.ask(["x /4wx esp"])[0])
    return int(words[1], 16), int(words[2], 16)
