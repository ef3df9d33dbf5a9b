# SPDX-License-Identifier: ISC
"""A lab under Bochs' debugger, led by its script labs/labN-*/debug.bochs (`make debug LAB=n`).

A script has one debugger command a line, and:

    # a comment
    #: advice            printed. Behind a command that sets a breakpoint: whenever that breakpoint is reached.
                         Elsewhere: when the script comes there
    #args: words         for the kernel's command line, besides those of the lab
    #cpus: n             unless CPUS= says otherwise
    c                    run to the next stop; the lines behind it are for that stop, up to the next c
    @NAME@               the address of a symbol; of a unit's function: of your copy
    @phys:NAME@          the same as a physical address (for watch)

When the script has nothing more to say at a stop, it is the reader's turn: Enter goes on, anything else is a command.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from . import ask as asking
from . import bochs, bochs_out, gradeimage, host, image, windows
from . import lab as labs
from .bochs import Bochs, BochsGone
from .bochs_out import BochsOutputError, Stop
from .breakpoints import Breakpoints
from .elf import Elf
from .host import HostError
from .lab import Lab, LabError
from .places import AtCheck, AtPoint
from .protocol import Reader
from .symbols import Symbols

SETS_BREAKPOINT = re.compile(r"(lb|lbreak|vb|vbreak|b|break|pb|pbreak|watch)\b")
GOES = ("c", "cont", "continue")
PATIENCE = 3600.0
UNATTENDED = 120.0      # seconds, where there is no terminal
SYMBOLS = "symbols.txt"
PROMPT = "<bochs> "
ENDS = ("q", "quit", "exit")
SHOWN = re.compile(r"(?!%)|%(check-begin|check-note|check-end|panic)\b")    # of what the guest says; a dump is left out


# ---------------------------------------------------------------------------- the script

@dataclass
class Step:
    kind: str           # command, go, advice
    text: str
    line: int
    advice: list[str] = field(default_factory=list)     # of a breakpoint


@dataclass
class Script:
    steps: list[Step]
    args: str = ""
    cpus: int = 1


def parse(text: str, where: str) -> Script:
    script = Script([])
    for number, line in enumerate(text.splitlines(), 1):
        line, last = line.strip(), script.steps[-1] if script.steps else None
        if line.startswith("#:"):
            advice = line[2:].strip()
            if last and last.kind == "command" and SETS_BREAKPOINT.match(last.text):
                last.advice.append(advice)
            else:
                script.steps.append(Step("advice", advice, number))
        elif line.startswith("#args:"):
            script.args = f"{script.args} {line[6:].strip()}".strip()
        elif match := re.fullmatch(r"#cpus:\s*([1-8])", line):
            script.cpus = int(match[1])
        elif line and not line.startswith("#"):
            if line.split()[0] in ENDS:
                raise LabError(f"{where}:{number}: a script does not end the session: leave {line!r} out")
            script.steps.append(Step("go" if line in GOES else "command", line, number))
    if not any(step.kind == "go" for step in script.steps):
        script.steps.append(Step("go", "c", 0))
    return script


class Addresses:
    """What @NAME@ stands for in one image."""

    def __init__(self, kernel: Path) -> None:
        self.symbols = Symbols.read(kernel)
        self.kernel = kernel

    def address(self, name: str) -> int | None:
        mine = self.symbols.address(f"{name}__mine")
        return mine if mine is not None else self.symbols.address(name)

    def physical(self, va: int) -> int | None:
        """By the segments of the image."""
        text = subprocess.run(["objdump", "-p", str(self.kernel)], capture_output=True, text=True).stdout
        for match in re.finditer(r"LOAD off\s+\S+ vaddr (\S+) paddr (\S+).*\n\s+filesz \S+ memsz (\S+)", text):
            vaddr, paddr, size = (int(word, 16) for word in match.groups())
            if vaddr <= va < vaddr + size:
                return va - vaddr + paddr
        return None

    def fill(self, text: str, where: str) -> str:
        def one(match: re.Match[str]) -> str:
            address = self.address(match[2])
            if address is not None and match[1]:
                address = self.physical(address)
            if address is None:
                raise LabError(f"{where}: this kernel has no symbol {match[2]!r}")
            return f"0x{address:x}"
        return re.sub(r"@(phys:)?([A-Za-z_]\w*)@", one, text)


# ---------------------------------------------------------------------------- the image

def build(lab: Lab, flavor: str, solved: bool = False, plain: bool = False) -> tuple[Path, bytes]:
    """(kernel, its CD): the lab's trial image, as it is graded; the plain one if asked for, and for a lab without units."""
    if lab.units and not plain:
        gradeimage.jobs = os.cpu_count() or 1
        gradeimage.build_objects(flavor)
        answers = gradeimage.Answers(lab.number, "solutions" if solved else "labs")
        gradeimage.compile_all(answers, flavor)
        built = gradeimage.link_trial(answers, flavor)
        return built.elf.path, built.image
    done = subprocess.run(["make", "-s", "kernel", f"FLAVOR={flavor}"], cwd=labs.TOP, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, env=labs.clean_environment())
    if done.returncode:
        raise LabError(f"the kernel does not build for {flavor}: see make kernel")
    folder = host.BUILD / flavor
    return folder / "kernel.elf", image.load(folder / "hatlab.iso")


# ---------------------------------------------------------------------------- the session

class Session:
    """One run. `ask` gets a prompt and returns a line, or None at the end of the input; None for `ask` itself: unattended.

    `place` is where the reader begins; without one the script leads.
    """

    BREAKPOINTS = "breakpoints"     # the reader's word for set_breakpoints()

    def __init__(self, script: Script, where: str, addresses: Addresses, say: Callable[[str], None],
                 ask: Callable[[str], str | None] | None, place: AtCheck | AtPoint | None = None, view=None) -> None:
        self.script, self.steps, self.where, self.addresses, self.say, self.ask = script, [], where, addresses, say, ask
        self.place, self.view = place, view
        self.parting = "Not a terminal: this was the first stop, and the end."
        self.reader = Reader()
        self.advice: dict[int, list[str]] = {}      # by address
        self.checkpoints = 0        # seen so far
        self.dumping = False
        self.address: int | None = None             # of the breakpoint of this stop, or just where it is
        self.asker, self.hinted = asking.Asker(addresses.kernel, shutil.get_terminal_size((100, 24)).columns), False

    def run(self, machine: Bochs) -> int:
        """0 when a stop has been reached (and, at a terminal, the reader has had enough)."""
        self.machine, self.breakpoints = machine, Breakpoints(machine, self.addresses.kernel)
        load_symbols(machine, self.addresses.kernel)
        try:
            return self.stops()
        except BochsGone as gone:
            raise HostError(f"Bochs has left: {gone}") from None

    def stops(self) -> int:
        if self.place:
            stop = self.place.reach(self)
            if stop is None:
                self.say(f"The run has ended, and {self.place.name} did not get to your code.")
                return 1
        else:
            self.steps = list(self.script.steps)
            self.script_to_next_go()
            stop = self.go()
        seen = 0
        while not (stop.kind == "magic" and self.reader.done):
            self.show(stop)
            if self.place and not seen:
                self.place.arrived(self)
            seen += 1
            self.script_to_next_go()
            if self.ask is None:
                self.say(self.parting)
                return 0
            if not self.turn():
                return 0
            stop = self.go()
        self.say(f"The run has ended: %done result={self.reader.done['result']}")
        return 0 if seen else 1

    def set_breakpoints(self) -> None:
        """Those of the script, with their advice, as far as this kernel has the functions."""
        names = []
        for step in self.script.steps:
            if step.kind != "command" or not SETS_BREAKPOINT.match(step.text) or step.text.startswith("watch"):
                continue
            try:
                command = self.addresses.fill(step.text, self.where)
            except LabError:
                continue
            self.breakpoints.ask(command)
            self.note_advice(step, command)
            names.append(step.text.split(None, 1)[1].strip("@"))
        self.say(f"  : breakpoints: {', '.join(names) or 'none'} ({self.where})")

    def note_advice(self, step: Step, command: str) -> None:
        if step.advice and (match := re.search(r"0x([0-9a-f]+)", command)):
            self.advice.setdefault(int(match[1], 16), []).extend(step.advice)

    def script_to_next_go(self) -> None:
        """What the script has for this moment."""
        while self.steps:
            step = self.steps.pop(0)
            if step.kind == "go":
                return
            if step.kind == "advice":
                self.say(f"  : {step.text}")
                continue
            where = f"{self.where}:{step.line}"
            command = self.addresses.fill(step.text, where)
            self.note_advice(step, command)
            self.command(command, step.text)

    def command(self, command: str, shown: str) -> None:
        try:
            reply = self.reply(command)
        except BochsOutputError as error:
            reply = [f"({error})"]
        self.say(f"  bochs> {shown}")
        for line in reply:
            self.say(f"    {line}")

    def reply(self, command: str) -> list[str]:
        """Ours, if it begins with one of our words (hatlab/ask); else Bochs'."""
        ours = self.asker.answer(self.machine, command)
        if ours is not None:
            return ours
        if command.split()[0] == "bochs":
            command = command.strip()[len("bochs"):].strip()
        with self.interruptible():
            text = self.breakpoints.ask(command, 600.0)
        return text.replace("\t", "  ").rstrip().splitlines()  # a tab is as wide as its place wants

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Ctrl-C stops what Bochs is doing, not us."""
        def interrupt(*_: object) -> None:
            self.machine.interrupt()
        before = signal.signal(signal.SIGINT, interrupt) if self.ask else None
        try:
            yield
        finally:
            if before is not None:
                signal.signal(signal.SIGINT, before)

    def go(self) -> Stop:
        self.asker.leaves(self.machine)
        end = time.monotonic() + (PATIENCE if self.ask else UNATTENDED)
        with self.interruptible():
            while True:
                stop, late = self.machine.go(lambda: end, self.guest)
                self.address = self.breakpoints.place(stop)
                if late or self.address is not None or stop.kind != "breakpoint":
                    break
        if late and self.ask is None:
            raise HostError(f"no stop within {UNATTENDED:.0f} seconds")
        return stop

    def guest(self, text: str) -> None:
        self.reader.feed(text)
        if self.view:
            self.view.console(text)
            return
        for line in text.splitlines():
            self.dumping = self.dumping and not line.startswith("%cp-end") or line.startswith("%cp-begin")
            if line and not self.dumping and SHOWN.match(line):
                self.say(f"  | {line}")

    def show(self, stop: Stop) -> None:
        address = self.address
        why = {"magic": "a checkpoint", "watch": "a watchpoint", "breakpoint": "a breakpoint"}.get(stop.kind, "interrupted")
        if stop.kind == "magic" and len(self.reader.checkpoints) > self.checkpoints:
            self.checkpoints = len(self.reader.checkpoints)
            why = f"checkpoint {self.reader.checkpoints[-1].name}"
        self.say("")
        name = self.addresses.symbols.name(address)
        late = ", one instruction late" if address != bochs_out.linear_of(stop.where) else ""
        self.say(f"Stopped: {why} in {name}{late}, CPU {stop.cpu}, after {stop.t} instructions")
        if self.view:
            self.view.stopped_in(name.split("+")[0])
        bochs.set_cpu(self.machine, stop.cpu)
        if stop.kind == "watch":
            self.say(f"  {stop.why}")
            address = int(stop.why.split("0x")[-1], 16)
        for line in self.advice.get(address, []):
            self.say(f"  : {line}")

    def turn(self) -> bool:
        """The reader's commands, until the guest is to go on (True) or all is to end."""
        if not self.hinted:
            self.say(f"  (Enter: on to the next stop; q: end; else a command. {asking.HINT})")
            self.hinted = True
        while True:
            line = self.ask(PROMPT)
            if line is None or line.strip() in ENDS:
                return False
            line = line.strip()
            if line == "" or line in GOES:
                return True
            if line == self.BREAKPOINTS:
                self.set_breakpoints()
                continue
            try:
                for reply in self.reply(self.addresses.fill(line, "here")):
                    self.say(reply)
            except (LabError, BochsOutputError) as error:
                self.say(str(error))


def load_symbols(machine: Bochs, kernel: Path) -> None:
    """For Bochs' own commands: your functions by their own names, and a sentinel beyond the last."""
    found = Elf(kernel).symbols
    mine = {name.removesuffix("__mine"): address for name, address in found.items() if name.endswith("__mine")}
    lines = sorted((address, name) for name, address in (found | mine).items())
    lines.append((lines[-1][0] + 0x100000, "_sentinel"))
    (machine.dir / SYMBOLS).write_text("".join(f"{address:x} {name}\n" for address, name in lines))
    machine.ask([f'ldsym global "{SYMBOLS}"'])


@dataclass
class Wish:
    """What is asked for. Of `check` and `point` (a checkpoint, a scene's stop, a function) at most one; with neither the script leads."""

    lab: Lab
    flavor: str = "amd64"
    cpus: int | None = None
    args: str = ""
    solved: bool = False
    path: Path | None = None
    check: str = ""
    point: str = ""


def read_script(lab: Lab, path: Path | None = None) -> tuple[Script, str]:
    """The script that leads, and what it is called."""
    path = path or lab.folder() / "debug.bochs"
    where = str(path.relative_to(labs.TOP)) if labs.TOP in path.parents else str(path)
    if not path.is_file():
        raise LabError(f"{where} is missing: lab {lab.number} has no script for the debugger")
    return parse(path.read_text(encoding="utf-8"), where), where


def command_line(wish: Wish, script: Script) -> str:
    """The kernel's: a trial image runs the lab's checks, or the one; the reference kernel what it always does."""
    lab = wish.lab
    if wish.check:
        words = [f"tour=0 checks={wish.check} copy=mine check_ticks=100 watchdog=1500"]
    elif lab.units and not wish.point:
        words = [f"tour=0 checks=lab{lab.number} copy=mine", script.args]
    else:
        words = ["" if lab.units else script.args]
    words.append(wish.args)
    try:
        words.append(f"seed={labs.seed(labs.student_id(), lab)}")
    except LabError:
        pass            # nobody's seed will do
    return " ".join(word for word in words if word)


def start(wish: Wish, say: Callable[[str], None], ask: Callable[[str], str | None] | None, view=None, windowed: bool = False) -> int:
    lab = wish.lab
    script, where = read_script(lab, wish.path)
    if wish.check and not lab.units:
        raise LabError(f"lab {lab.number} has no checks")
    led = f"up to {wish.check or wish.point}" if wish.check or wish.point else f"led by {where}"
    say(f"Lab {lab.number} on {wish.flavor}, {led}: building the kernel")
    kernel, disk = build(lab, wish.flavor, wish.solved, plain=bool(wish.point))
    place = AtCheck(Elf(kernel), wish.check) if wish.check else AtPoint(wish.point, wish.args) if wish.point else None
    args = command_line(wish, script)
    say(f"The kernel's command line: {args or '(none)'}")
    session = Session(script, where, Addresses(kernel), say, ask, place, view)
    return hold(session, image.with_args(disk, args), wish.cpus or script.cpus, windowed)


def hold(session: Session, disk: bytes, cpus: int, windowed: bool) -> int:
    """The session itself: here, or, from its first stop on, in Bochs' windows."""
    if not windowed:
        with Bochs(disk, cpus) as machine:
            return session.run(machine)
    session.ask, session.parting = None, ""
    with windows.Recorder(disk, cpus) as machine:
        code = session.run(machine)
        script, symbols = machine.script, {SYMBOLS: (machine.dir / SYMBOLS).read_text()}
    if code == 0:
        session.say(windows.ADVICE)
        with windows.Windows(disk, cpus, script, symbols) as machine:
            machine.console(session.guest)
    return code
