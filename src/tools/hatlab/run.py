# SPDX-License-Identifier: ISC
"""Boot one kernel and watch it to its end.

    result = boot("amd64", "check=all", cpus=2)
    assert result.ok, result.problem

A run is bounded three times: by the kernel's own watchdog; by emulated time (one CPU only: Bochs' time breakpoints do not
fire with more, nor while the CPU is halted); and last by wall time.  When it ends badly, `problem` says why in one line
and `details` what could be seen of the guest by then.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from . import bochs, bochs_out, host, image, protocol
from .bochs import Bochs, BochsGone
from .bochs_out import Stop
from .host import HostError
from .protocol import Checkpoint, Reader, Record
from .symbols import Symbols

HELLO_INSTRUCTIONS = 150_000_000  # GRUB needs about 25 million and 10 million per megabyte of kernel
HELLO_SECONDS = 30.0
INSTRUCTIONS = 3_000_000_000
SECONDS = 90.0
DONE_SECONDS = 2.0  # between %done and the magic breakpoint that follows it
CONSOLE_LINES = 12  # shown after a failure
SCREEN_LINES = 8

VECTORS = {
    0: "divide error", 3: "breakpoint", 6: "invalid opcode", 7: "no FPU", 8: "double fault", 10: "invalid TSS",
    11: "segment not present", 12: "stack fault", 13: "general protection", 14: "page fault",
}


@dataclass
class Result:
    """How a run went."""

    flavor: str
    args: str
    cpus: int
    exit: str = ""  # ok fail panic; crash hang no-hello garbage no-done bochs stopped: see `problem`
    problem: str | None = None  # one line
    details: list[str] = field(default_factory=list)
    reader: Reader = field(default_factory=Reader)
    instructions: int = 0  # emulated ticks at the end, or at the symbol asked for
    seconds: float = 0.0
    kept: Path | None = None

    @property
    def ok(self) -> bool:
        return self.exit in ("ok", "stopped") and self.problem is None

    @property
    def records(self) -> list[Record]:
        return self.reader.records

    @property
    def console(self) -> str:
        return self.reader.text()

    def fail(self, exit: str, problem: str, details: list[str] = ()) -> None:
        """Note a failure; the first one counts."""
        if self.problem is None:
            self.exit, self.problem, self.details = exit, problem, list(details)


def boot(
    flavor: str, args: str = "", cpus: int = 1, mem: int | None = None, image: Path | None = None,
    kernel: Path | None = None, deadline: int = INSTRUCTIONS, timeout: float = SECONDS,
    on_text: Callable[[str], None] | None = None,
    at_checkpoint: Callable[[Bochs, Checkpoint, Reader], None] | None = None,
    until: str | None = None, keep: Path | None = None, multiboot2: bool = False,
    alter: Callable[[Checkpoint], None] | None = None, data: bytes | None = None,
    at_address: dict[int, Callable[[Bochs, Stop], None]] | None = None, emulator: str = "bochs",
) -> Result:
    """Boot the kernel of a flavour with a command line and return how it went.

    `image` is another image than the flavour's own, `kernel` the ELF file with its symbols.  `deadline` counts emulated
    instructions, `timeout` seconds.  `on_text` gets the port 0xE9 text as it comes.  `at_checkpoint` is called at each
    checkpoint, with the guest stopped.  `until` names a symbol to end at.  `keep` is a directory under which the run's
    files stay.  `data` is the image itself, its command line set.  `at_address` has what to call when these addresses are reached.  `emulator` is bochs or qemu.  HostError means that there could be no run at all.
    """
    run = _Run(flavor, args, cpus, kernel or host.kernel_path(flavor), alter)
    run.on_text, run.at_checkpoint, run.until = on_text, at_checkpoint, until
    run.at_address = at_address or {}
    data = data or _image_data(flavor, args, image, multiboot2)
    started = time.monotonic()
    run.ends = started + timeout
    run.hello_ends = started + min(HELLO_SECONDS, timeout)
    with _machine(emulator, run.kernel, data, cpus, mem, keep) as machine:
        run.result.kept = machine.dir if keep else None
        try:
            run.whole(machine, deadline)
        except BochsGone as gone:
            run.gone(gone)
        except bochs_out.BochsOutputError as error:
            run.result.fail("bochs", f"cannot read {'QEMU' if emulator == 'qemu' else 'Bochs'}'s debugger: {error}")
        if keep:
            (machine.dir / "e9.txt").write_text(run.said)
    run.conclude()
    run.result.seconds = time.monotonic() - started
    return run.result


def _machine(emulator: str, kernel: Path, data: bytes, cpus: int, mem: int | None, keep: Path | None) -> Bochs:
    """The emulator, not yet started."""
    if emulator == "bochs":
        return Bochs(data, cpus, mem, keep)
    from . import qemu, qemu_view

    machine = qemu.Qemu(data, kernel, cpus, mem, keep)
    machine.examiner = qemu_view.QemuExaminer
    return machine


def _image_data(flavor: str, args: str, path: Path | None, multiboot2: bool) -> bytes:
    path = path or image.ensure(flavor, multiboot2)
    return image.with_args(image.load(path), args, str(path))


class _Run:
    """The state of one boot."""

    def __init__(self, flavor: str, args: str, cpus: int, kernel: Path, alter) -> None:
        self.result = Result(flavor, args, cpus, reader=Reader(alter))
        self.reader = self.result.reader
        self.kernel = kernel
        self.on_text = self.at_checkpoint = self.until = None
        self.at_address: dict[int, Callable[[Bochs, Stop], None]] = {}
        self.said = ""
        self.ends = self.hello_ends = 0.0
        self.done_ends: float | None = None
        self._seen = 0  # checkpoints handled
        self._symbols: Symbols | None = None

    @property
    def symbols(self) -> Symbols:
        if self._symbols is None:
            self._symbols = Symbols.read(self.kernel)
        return self._symbols

    def take(self, text: str) -> None:
        self.said += text
        self.reader.feed(text)
        if self.on_text:
            self.on_text(text)

    # the way through the run

    def whole(self, machine: Bochs, deadline: int) -> None:
        self._set_breakpoints(machine, deadline)
        while not self.result.exit:
            stop, late = machine.go(self._ends, self.take)
            self.result.instructions = stop.t
            if late:
                self._late(machine)
            elif stop.kind == "magic":
                self._at_magic(machine, stop)
            elif stop.kind == "breakpoint":
                self._at_breakpoint(machine, stop)
            elif stop.kind == "time":
                self._at_time(machine, stop, deadline)
            else:
                self._at_other(machine, stop)
        machine.quit()

    def _set_breakpoints(self, machine: Bochs, deadline: int) -> None:
        commands = []
        if machine.cpus == 1:
            commands = [f"sba {HELLO_INSTRUCTIONS}", f"sba {deadline}"]
        if self.until:
            address = self.symbols.address(self.until)
            if address is None:
                raise HostError(f"{self.kernel} has no symbol {self.until!r}")
            commands.append(f"lb 0x{address:x}")
        commands += [f"lb 0x{address:x}" for address in self.at_address]
        machine.ask(commands)

    def _ends(self) -> float:
        """When to lose patience."""
        if self.done_ends is None and self.reader.done:
            self.done_ends = time.monotonic() + DONE_SECONDS
        return self.done_ends or (self.ends if self.reader.hello else self.hello_ends)

    def _at_magic(self, machine: Bochs, stop: Stop) -> None:
        done = self.reader.done
        if done:
            self.result.exit = done["result"]
            return
        checkpoints = self.reader.checkpoints
        if len(checkpoints) > self._seen:
            self._seen = len(checkpoints)
            if self.at_checkpoint:
                bochs.set_cpu(machine, stop.cpu)
                self.at_checkpoint(machine, checkpoints[-1], self.reader)
        # A magic breakpoint anywhere else is somebody's own: go on.

    def _at_breakpoint(self, machine: Bochs, stop: Stop) -> None:
        watcher = self.at_address.get(bochs_out.linear_of(stop.where) or 0)
        if watcher is None:
            self.result.exit = "stopped"
        else:
            bochs.set_cpu(machine, stop.cpu)
            watcher(machine, stop)

    def _at_time(self, machine: Bochs, stop: Stop, deadline: int) -> None:
        if stop.t >= deadline:
            self._bad(machine, "hang", f"hangs: no %done after {deadline / 1e6:.0f} million instructions")
        elif not self.reader.hello:
            self._no_hello(machine, f"after {stop.t / 1e6:.0f} million instructions")

    def _late(self, machine: Bochs) -> None:
        if self.reader.done:
            self._bad(machine, "hang", "no magic breakpoint after %done")
        elif not self.reader.hello:
            self._no_hello(machine, "in time")
        else:
            self._bad(machine, "hang", "hangs: no %done in time")

    def _at_other(self, machine: Bochs, stop: Stop) -> None:
        vector = machine.triple_fault_logged()
        if vector is None:
            self._bad(machine, "bochs", f"Bochs stopped for an unknown reason at {stop.where}")
        else:
            where = self._where(bochs_out.linear_of(stop.where))
            self._bad(machine, "crash", f"crashes: triple fault ({_vector(vector)}) at {where}")

    # bad ends

    def _where(self, rip: int | None) -> str:
        return f"rip 0x{rip:x} ({self.symbols.name(rip)})" if rip is not None else "an unknown place"

    def _no_hello(self, machine: Bochs, when: str) -> None:
        exit, problem = self._silence(when)
        self._bad(machine, exit, problem)

    def _silence(self, when: str) -> tuple[str, str]:
        """There is no %hello: has the kernel said anything at all?"""
        spoken = [line for line in self.reader.console if line.strip()]
        if spoken:
            return "garbage", f"prints no %hello; its first line is {spoken[0][:60]!r}"
        if self.said.strip():
            return "garbage", f"prints no %hello, only {self.said[:60]!r}"
        return "no-hello", f"never says %hello ({when}); see what the screen shows"

    def _bad(self, machine: Bochs, exit: str, problem: str) -> None:
        """Note a failure, with a look at the stopped guest."""
        details = []
        try:
            rips = []
            for cpu in range(machine.cpus):
                bochs.set_cpu(machine, cpu)
                regs = bochs_out.parse_registers(machine.ask(["r"])[0])
                rips.append(self._where(regs["rip"]))
                details += _registers(cpu, regs, rips[-1])
            if exit == "hang":
                problem += f", {'; '.join(rips)}"
            if not self.reader.hello:
                details += ["the screen:"] + [f"  {line}" for line in bochs.screen(machine)[-SCREEN_LINES:]]
        except (BochsGone, HostError, bochs_out.BochsOutputError) as error:
            details.append(f"no post-mortem: {error}")
        self.result.fail(exit, problem, details)

    def gone(self, gone: BochsGone) -> None:
        """Bochs has left us."""
        end = gone.end
        self.result.instructions = end.t or self.result.instructions
        if end.triple_fault is not None:
            rip = bochs_out.linear_of(next(iter(end.where.values()), ""))
            problem = f"crashes: triple fault ({_vector(end.triple_fault)}) at {self._where(rip)}"
            self.result.fail("crash", problem, [f"CPU {cpu} at {where}" for cpu, where in end.where.items()])
        elif "Shutdown port" in end.message:
            self.result.fail("no-done", "powers off without %done")
        elif end.message:
            self.result.fail("bochs", f"Bochs panics: {end.message}")
        else:
            last = (gone.output.strip().splitlines() or ["nothing"])[-1]
            self.result.fail("bochs", f"Bochs died (exit code {gone.code}), last words: {last[:100]}")

    def conclude(self) -> None:
        """Turn what was read into a verdict."""
        self.reader.finish()
        result = self.result
        if result.exit == "stopped":
            return
        if panic := self.reader.find_panic():
            result.fail("panic", f"panics: {panic['text']}")
        if self.reader.errors:
            result.fail("garbage", f"breaks the protocol: {self.reader.errors[0]}", map(str, self.reader.errors[1:9]))
        for broken in self.reader.find("invariant"):
            result.fail("fail", f"invariant {broken['id']} broken: {broken['text']} (want {broken['want']}, have {broken['have']})")
        for check in self.reader.find("check-end"):
            if check["result"] != "ok":
                result.fail("fail", f"check {check['name']} is {check['result']} at {check['at']}: {check.get('text')}")
        if result.exit not in ("ok", ""):
            last = next((line for line in reversed(self.reader.console) if line.strip()), "-")
            result.fail(result.exit, f"ends with %done result={result.exit}; last line: {last[:80]}")
        if result.exit == "ok" and not self.reader.hello:
            result.fail("garbage", "says %done but never said %hello")
        if result.problem and self.reader.console:
            result.details += ["the last lines:"] + [f"  {line[:150]}" for line in self.reader.console[-CONSOLE_LINES:]]


def _vector(number: int) -> str:
    if number < 0:
        return "no emulator but Bochs says which exception"
    return f"exception {number}, {VECTORS[number]}" if number in VECTORS else f"exception {number}"


def _registers(cpu: int, regs: dict[str, int], where: str) -> list[str]:
    """A few lines of registers."""
    names = [n for n in regs if n not in ("rip", "eflags")]
    lines = [f"CPU {cpu}: {where}"]
    for at in range(0, len(names), 4):
        lines.append("  " + " ".join(f"{n:>3}={regs[n]:016x}" for n in names[at : at + 4]))
    return lines
