# SPDX-License-Identifier: ISC
"""Watch a graded kernel through Bochs' debugger, and believe only what is seen there (docs/grader.md).

The kernel stops at fixed places (src/check/evidence.h).  At each one registers, the caller and the check framework's data are
read.  A verdict "ok" counts when the whole way to it was seen: begin, the copy under test coming into use and going out of it,
end; each called from a place in the text that the ELF file has, and with the framework's data after the student's code as it
was before.  The text is compared with the file once, and watched from then on.  What the kernel prints is only shown to people.
"""

from __future__ import annotations

import re
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import bochs_out, outside
from .bochs import Bochs, BochsGone
from .bochs_out import Stop
from .checktable import Check, read_checks
from .elf import Elf
from .host import HostError
from .protocol import Reader
from .run import VECTORS

START_INSTRUCTIONS = 200_000_000  # to the first check
CHECK_INSTRUCTIONS = 150_000_000  # one check, with all patience that the kernel has for it
SECONDS = 300.0  # for one boot: only where emulated time does not stop it
STACK = 64 << 10
NEXT_TICKS = 64  # from one instruction to the next, when other CPUs have their turns in between
# Nothing is asked there that depends on what was read.
AROUND = ("evidence_copy_on", "evidence_copy_off")
QUICK = ("evidence_begin", *AROUND, "evidence_end")
RESULTS = ("ok", "wrong", "todo")
PLACES = (*QUICK, "outside_stop", "run_done")
# Of the framework's data, what never changes once the command line is read.
CONSTANT = ("boot_copy", "boot_state", "check_ticks", "check_seed", "checks_wanted", "copy_wanted", "results_word",
            "together_wanted", "judge_each")


@dataclass
class Verdict:
    """How one run of a check ended.  `text` is for people."""

    check: Check
    together: bool
    result: str  # ok wrong todo
    text: str = ""
    args: str = ""  # the kernel's command line


@dataclass
class Seen:
    """What one boot showed."""

    verdicts: list[Verdict] = field(default_factory=list)
    end: str = ""  # done, or what cut it short: panic crash hang text bochs
    problem: str = ""  # in a sentence
    sound: bool = False  # the kernel judged everything at its end, and nothing was wrong
    instructions: int = 0
    stops: int = 0
    console: list[str] = field(default_factory=list)


@dataclass
class _Running:
    """The check that runs now."""

    check: Check
    together: bool
    stack: int
    began: int  # emulated time
    on: bool = False
    uses: int = 0
    before: bytes = b""  # the framework's data when the copy came into use
    expected: list[outside.Expected] | None = None
    broken: str = ""  # why a verdict ok will not be believed
    stranger: str = ""  # why nothing after it can be believed


class _Stopped(Exception):
    """The boot ends here: (end, problem)."""


class Watcher:
    """One boot of a graded image."""

    def __init__(
        self, elf: Elf, image: bytes, cpus: int = 1, on_verdict: Callable[[Verdict], None] | None = None,
        seconds: float = SECONDS, args: str = "",
    ) -> None:
        self.elf, self.image, self.cpus, self.seconds = elf, image, cpus, seconds
        self.args = args
        self.on_verdict = on_verdict or (lambda verdict: None)
        self.checks = {c.address: c for c in read_checks(elf)}
        self.seen = Seen()
        self.reader = Reader()
        self.running: _Running | None = None
        self.last: Check | None = None
        self.constant: bytes | None = None
        self.armed = 0
        self.text = (elf.address("text_start"), elf.address("rodata_end"))
        self.copies = (elf.address("copies_start"), elf.address("copies_end"))
        self.framework = (elf.address("framework_start"), elf.address("framework_end"))
        self.places = {elf.address(name): name for name in PLACES}
        # With several CPUs, the same places one instruction on: name, bytes that the first one has pushed.
        self.second = dict(self._second(name) for name in PLACES) if cpus > 1 else {}
        self.entered: dict[int, tuple[str, int]] = {}  # by CPU: where it has just stopped, and when
        self.pushed = 0  # at this stop
        sites = call_sites(elf, {elf.address(n) for n in (*PLACES, "copy_on", "copy_off", "check_outside")}, self.copies)
        self.sites = {name: sites[elf.address(name)] for name in (*PLACES, "copy_on", "copy_off", "check_outside")}

    def _second(self, name: str) -> tuple[int, tuple[str, int]]:
        found = self.elf.second(self.elf.address(name))
        if found is None:
            raise HostError(f"{self.elf.path}: what {name} begins with is not known, and with several CPUs it could be passed over")
        return found[0], (name, found[1])

    # the way through

    def run(self) -> Seen:
        """To the end of the boot, whatever that is."""
        with Bochs(self.image, self.cpus) as machine:
            try:
                self._start(machine)
                self._follow(machine)
            except _Stopped as stopped:
                self.seen.end, self.seen.problem = stopped.args
            except BochsGone as gone:
                self._gone(gone)
            except bochs_out.BochsOutputError as error:
                self.seen.end, self.seen.problem = "bochs", f"cannot read Bochs' debugger: {error}"
        self._conclude()
        return self.seen

    def _start(self, machine: Bochs) -> None:
        self.ends = time.monotonic() + self.seconds
        first = self.elf.address("kmain")
        commands = [f"lb 0x{first:x}", f"lb 0x{(self.elf.second(first) or (first, 0))[0]:x}"]
        if self.cpus == 1:
            commands.append(f"sba {START_INSTRUCTIONS}")
            self.armed = START_INSTRUCTIONS
        machine.ask(commands)
        stop, late = machine.go(lambda: self.ends, self._take)
        if late or stop.kind != "breakpoint":
            raise _Stopped("hang", "the kernel was never entered")
        self._compare_text(machine)
        start, end = self.text
        machine.ask(["d 1", "d 2", f"watch w 0x{self.elf.physical(start):x} {end - start}",
                     *(f"lb 0x{address:x}" for address in (*self.places, *self.second))])

    def _follow(self, machine: Bochs) -> None:
        """From stop to stop.  At most places one conversation reads what is there and goes on; it is judged behind that."""
        stop, late = machine.go(lambda: self.ends, self._take)
        while True:
            place = self._place_of(machine, stop, late)
            self.seen.stops += 1
            self.seen.instructions = t = stop.t
            cpu = [f"set $cpu = {stop.cpu}"] if self.cpus > 1 else []
            if place in QUICK:
                try:
                    replies, stop, late = machine.ask_and_go([*cpu, *self._looks(place)], lambda: self.ends, self._take)
                except BochsGone as gone:
                    self._at_place(machine, place, gone.replies[len(cpu) :], t)
                    raise
                self._at_place(machine, place, replies[len(cpu) :], t)
            else:
                if place:
                    self._at_place(machine, place, machine.ask([*cpu, *self._looks(place)])[len(cpu) :], t)
                stop, late = machine.go(lambda: self.ends, self._take)

    def _place_of(self, machine: Bochs, stop: Stop, late: bool) -> str | None:
        """Which of our places this is; None: another stop, which was dealt with."""
        rip = bochs_out.linear_of(stop.where)
        if late:
            raise _Stopped("hang", f"hangs{self._at(rip)}")
        if stop.kind == "breakpoint":
            return self._breakpoint(stop, rip)
        if stop.kind == "time":
            self._time(machine, stop.t, rip)
        elif stop.kind == "watch":
            raise _Stopped("text", f"the kernel's own text or constants are written to{self._at(rip)}")
        elif stop.kind == "other":
            vector = machine.triple_fault_logged()
            if vector is not None:
                raise _Stopped("crash", _triple(vector) + self._at(rip))
        return None

    def _breakpoint(self, stop: Stop, rip: int | None) -> str | None:
        """A place is reached at its first instruction or, where that one was passed over, at its second."""
        name, self.pushed = self.second.get(rip, (self.places.get(rip), 0))
        if rip not in self.second:
            self.entered[stop.cpu] = (name or "", stop.t)
            return name
        before, t = self.entered.pop(stop.cpu, ("", 0))
        return None if before == name and stop.t - t < NEXT_TICKS else name

    def _looks(self, place: str) -> list[str]:
        """What is read at each place: registers, the stack's end, the caller's frame; around the copy, the framework's data."""
        wide = self.elf.word == 8
        start, end = self.framework
        data = [f'writemem "framework.bin" 0x{start:x} {end - start}'] if place in AROUND else []
        return ["r", "x /5gx rsp" if wide else "x /5wx esp", "x /2gx rbp" if wide else "x /2wx ebp", *data]

    def _take(self, text: str) -> None:
        self.reader.feed(text)

    def _at(self, rip: int | None) -> str:
        return f" in {name_of(self.elf, rip)}" if rip is not None else ""

    def _time(self, machine: Bochs, t: int, rip: int | None) -> None:
        limit = self.running.began + CHECK_INSTRUCTIONS if self.running else self.armed
        if t >= limit:
            raise _Stopped("hang", f"hangs{self._at(rip)}: no end after {CHECK_INSTRUCTIONS // 1_000_000} million instructions")
        self.armed = limit
        machine.ask([f"sba {limit}"])

    # one stop

    def _at_place(self, machine: Bochs, name: str, replies: list[str], t: int) -> None:
        wide = self.elf.word == 8
        regs = bochs_out.parse_registers(replies[0])
        stack, frame = _words(replies[1], 5), _words(replies[2], 2)
        stack, regs["rsp"] = stack[self.pushed // self.elf.word :], regs["rsp"] + self.pushed
        first, second = (regs["rdi"], regs["rsi"]) if wide else stack[1:3]
        regular = stack[0] in self.sites[name]
        if name == "run_done":
            self._done(machine, self.elf.string(first) or "")
        elif name == "outside_stop":
            self._outside(machine, regular and frame[1] in self.sites["check_outside"])
        else:
            check = self.checks.get(first)
            if name in ("evidence_copy_on", "evidence_copy_off"):
                regular = regular and frame[1] in self.sites[name.removeprefix("evidence_")]
                self._copy(name, check, second, regs["rsp"], regular, (machine.dir / "framework.bin").read_bytes())
            elif name == "evidence_begin":
                self._begin(check, second, regs["rsp"], regular, t)
            else:
                self._end(check, second, regular)

    def _begin(self, check: Check | None, together: int, sp: int, regular: bool, t: int) -> None:
        if check is None or not regular or self.running:
            raise _Stopped("text", "the check framework is called where it is not to be called")
        self.running = _Running(check, bool(together), sp, t)

    def _copy(self, name: str, check: Check | None, uses: int, sp: int, regular: bool, data: bytes) -> None:
        r = self.running
        if r is None or check is not r.check or not regular or not r.stack - STACK < sp <= r.stack + STACK:
            self._stranger("calls the check framework itself")
            return
        if (name == "evidence_copy_on") == r.on:
            self._stranger("calls the check framework out of order")
            return
        r.on = not r.on
        if r.on:
            self._same_constants(data)
            r.uses, r.before = max(r.uses, uses), data
            if r.expected is None:
                r.expected = outside.read_expected(self._part(data, "outside_expected"), self._part(data, "outside_nexpected"))
            return
        if data != r.before:
            self._stranger(f"changes the check framework's own data ({self._changed(r.before, data)})")

    def _same_constants(self, data: bytes) -> None:
        constant = b"".join(self._part(data, name) for name in CONSTANT)
        self.constant = self.constant or constant
        if constant != self.constant:
            raise _Stopped("text", "the check framework's data have been changed")

    def _changed(self, before: bytes, after: bytes) -> str:
        at = self.framework[0] + next(i for i in range(len(before)) if before[i] != after[i])
        return name_of(self.elf, at)

    def _stranger(self, what: str) -> None:
        """Something that no honest unit does: this check is lost, and the boot ends, since nothing after it means anything."""
        raise _Stopped("text", f"the code under test {what}")

    def _outside(self, machine: Bochs, regular: bool) -> None:
        r = self.running
        if r is None or r.on or not regular:
            self._stranger("calls the check framework itself")
        difference = outside.compare(machine, self.elf, r.expected or [])
        if difference and not r.broken:
            r.broken = f"seen from outside: {difference}"

    def _end(self, check: Check | None, result: int, regular: bool) -> None:
        r = self.running
        if check is None or not regular or (r is not None and r.check is not check):
            self._stranger("calls the check framework itself")
        if r is None:
            return  # told once more
        self.running, self.last = None, check
        said = RESULTS[result] if result < len(RESULTS) else "wrong"
        text = self._said(check)
        if said == "ok":
            text = r.broken
            if not text and r.on:
                text = "the check came to its end without going the way to it"
            if not text and r.uses == 0 and not check.boot:
                text = "the code under test was never in use"
            said = "wrong" if text else "ok"
        self._tell(Verdict(check, r.together, said, text))

    def _tell(self, verdict: Verdict) -> None:
        verdict.args = self.args
        self.seen.verdicts.append(verdict)
        self.on_verdict(verdict)

    def _done(self, machine: Bochs, word: str) -> None:
        self._compare_text(machine)
        self.seen.sound = word == "ok" and self.running is None
        if word == "panic":
            raise _Stopped("panic", "")
        raise _Stopped("done", "")

    # what is read

    def _part(self, data: bytes, name: str) -> bytes:
        at = self.elf.address(name) - self.framework[0]
        return data[at : at + self.elf.sizes[name]]

    def _compare_text(self, machine: Bochs) -> None:
        """Text and constants, against the file, through the debugger; and that they are where the file says."""
        start, end = self.text
        replies = machine.ask([f'writemem "text.bin" 0x{start:x} {end - start}', f"page 0x{start:x}", f"page 0x{end - 1:x}"])
        for reply, va in zip(replies[1:], (start, end - 1)):
            if bochs_out.parse_page(reply).phys != self.elf.physical(va) & ~0xFFF:
                raise _Stopped("text", "the kernel's text is mapped somewhere else")
        if (machine.dir / "text.bin").read_bytes() != self.elf.memory(start, end - start):
            for verdict in self.seen.verdicts:
                verdict.result, verdict.text = "wrong", "the kernel's text was changed"
            raise _Stopped("text", "the kernel's own text or constants have been changed")

    def _said(self, check: Check) -> str:
        """The kernel's words about this check, the newest; cut, and without anything that could act on a terminal."""
        for record in reversed(self.reader.records):
            if record.kind == "check-end" and record["name"] == check.name:
                at, text = record["at"], record.get("text", "")
                if "broken invariants" in text:
                    text += self._invariants(record.line)
                return clean(text if at == "-" or at in text else f"{text} ({at})")
        return ""

    def _invariants(self, before: int) -> str:
        found = [r for r in self.reader.find("invariant") if r.line < before]
        if not found:
            return ""
        r = found[-1]
        return f": {r['id']}: {r['text']}: have {r['have']}, want {r['want']}"

    # the end

    def _gone(self, gone: BochsGone) -> None:
        self.seen.instructions = gone.end.t or self.seen.instructions
        if gone.end.triple_fault is not None:
            rip = bochs_out.linear_of(next(iter(gone.end.where.values()), ""))
            self.seen.end, self.seen.problem = "crash", _triple(gone.end.triple_fault) + self._at(rip)
        else:
            self.seen.end, self.seen.problem = "bochs", f"Bochs ends: {clean(gone.end.message) or 'nothing said'}"

    def _conclude(self) -> None:
        """What was running when the boot ended has lost."""
        self.reader.finish()
        self.seen.console = [clean(line) for line in self.reader.console]
        if self.seen.end == "panic":
            panic = self.reader.find_panic()
            text = clean(panic["text"]) if panic else "nothing said"
            self.seen.problem = f"the kernel panics: {text}{self._frames()}"
        if self.running is not None:
            r, self.running = self.running, None
            text = self.seen.problem or "the run ends inside the check"
            self._tell(Verdict(r.check, r.together, "wrong", clean(text)))

    def _frames(self) -> str:
        names = [m[1] for line in self.reader.frames if (m := re.match(r"\s*#\d+ 0x[0-9a-f]+ (\S+)", line))]
        names = [re.sub("__(mine|ref)", "", n) for n in names if not n.startswith(("panic", "assfail", "lab_todo"))][:4]
        return f" (from {' < '.join(clean(n) for n in names)})" if names else ""


# ------------------------------------------------------------------------------------------------- small things


def clean(text: str) -> str:
    """What a guest has printed, fit for a terminal and for one line."""
    return re.sub(r"[^ -~]", "?", text)[:300]


def name_of(elf: Elf, address: int) -> str:
    """`function+0x12`; a student's copy is called what its author calls it."""
    best = max(((a, n) for n, a in elf.symbols.items() if a <= address), default=None)
    if best is None or address - best[0] > 0x10000:
        return f"0x{address:x}"
    name = re.sub(r"__(mine|ref)$", "", best[1])
    return name if best[0] == address else f"{name}+0x{address - best[0]:x}"


def call_sites(elf: Elf, targets: set[int], without: tuple[int, int]) -> dict[int, set[int]]:
    """Where calls of these functions return to, in the text of the file; a stretch of it left out."""
    start, end = elf.address("text_start"), elf.address("text_end")
    text = elf.memory(start, end - start)
    found: dict[int, set[int]] = {target: set() for target in targets}
    at = text.find(b"\xe8")
    while 0 <= at <= len(text) - 5:
        back = start + at + 5
        target = back + struct.unpack_from("<i", text, at + 1)[0]
        if target in found and not without[0] <= back <= without[1]:
            found[target].add(back)
        at = text.find(b"\xe8", at + 1)
    return found


def _words(reply: str, count: int) -> list[int]:
    values = [int(v, 16) for v in re.findall(r"\t0x([0-9a-f]+)", reply)]
    if len(values) != count:
        return [0] * count  # nothing there: no honest frame
    return values


def _triple(vector: int) -> str:
    return f"triple fault (exception {vector}, {VECTORS.get(vector, 'unknown')})"
