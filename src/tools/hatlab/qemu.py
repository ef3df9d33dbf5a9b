# SPDX-License-Identifier: ISC
"""One run of QEMU, the second opinion: it starts, stops and ends like a Bochs (bochs.py), and run.py drives either.

Its processor is emulated (TCG), never this machine's.  Its clock is ours while the guest runs, so two runs are not equal.
Where Bochs' debugger would stop at the kernel's `xchg %bx,%bx`, breakpoints of QEMU's debugger stub stop here: one at each
place where the kernel's text has that instruction.  Everything else is asked of its monitor, through QMP.

`ask` understands as much of the language of Bochs' debugger as run.py, compare.py and poke.py speak, and answers in it.  What
`info tab` is told comes from QEMU's own `info tlb`.  `page` is not there: QEMU shows no entries but leaves (see qemu_view.py).
"""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from . import bochs_out, host, qemu_out
from .bochs import BochsGone
from .bochs_out import Stop
from .elf import Elf
from .emulator import IMAGE, Emulator, dies_with_us
from .host import HostError

PROGRAM = "qemu-system-x86_64"
MAGIC = b"\x66\x87\xdb"  # xchg %bx,%bx
START_SECONDS = 20.0
ANSWER_SECONDS = 30.0
POLL_SECONDS = 0.01  # how often to look for what the guest has said
VIDEO = (0xA0000, 0x100000)  # physical addresses below the size of the memory, but not of it
TRIPLE_FAULT = -1  # it does not say which exception


def find_program() -> str:
    """QEMU's path."""
    path = shutil.which(os.environ.get("HATLAB_QEMU", PROGRAM))
    if not path:
        raise HostError(f"no QEMU: {PROGRAM} is not in PATH (package qemu-system-x86)")
    return path


def memory_mb() -> int:
    """As much as the machine of the bochsrc has."""
    found = re.search(r"^memory:.*\bguest=(\d+)", (host.ROOT / "bochsrc").read_text(), re.M)
    if not found:
        raise HostError("bochsrc: no line 'memory: guest='")
    return int(found[1])


def magic_places(kernel: Path) -> list[int]:
    """Where the kernel's segments have the bytes of the magic instruction.

    Some may lie within another instruction or in data: no processor arrives there, and the breakpoint stays silent.
    """
    return [s.va + m.start() for s in Elf(kernel).segments for m in re.finditer(re.escape(MAGIC), s.data)]


class Qemu(Emulator):
    """A running QEMU, as a context manager: inside, the guest is stopped."""

    name = "QEMU"

    def __init__(
        self, image: bytes, kernel: Path, cpus: int = 1, mem: int | None = None, keep: Path | None = None,
        medium: str = "cd", cpu_model: str = "max",
    ) -> None:
        self.cpus = cpus
        self._program = find_program()
        self._magic = set(magic_places(kernel))
        self._breakpoints: set[int] = set()
        self._mem, self._medium, self._model = mem or memory_mb(), medium, cpu_model
        self._gdb = self._qmp = None
        self._at: int | None = None  # the CPU that stands at a breakpoint
        self._cpu = 0  # that is spoken about
        self._said = 0  # bytes of what the guest said that are passed on
        super().__init__(image, keep)

    # life and death

    def _command(self) -> list[str]:
        medium = {
            "cd": ["-drive", f"file={IMAGE},format=raw,media=cdrom,if=ide"],
            "disk": ["-drive", f"file={IMAGE},format=raw,media=disk,if=ide"],
            "usb": ["-device", "qemu-xhci", "-drive", f"file={IMAGE},format=raw,if=none,id=stick",
                    "-device", "usb-storage,drive=stick"],
        }[self._medium]
        return [
            self._program, "-accel", "tcg", "-cpu", self._model, "-smp", str(self.cpus), "-m", str(self._mem),
            "-machine", "pc,memory-backend=ram", "-object", f"memory-backend-file,id=ram,size={self._mem}M,mem-path=ram,share=on",
            "-nodefaults", "-no-user-config", "-display", "none", "-vga", "std", *medium,
            "-rtc", "base=1970-01-01",
            "-chardev", "file,id=e9,path=e9.out", "-device", "isa-debugcon,iobase=0xe9,chardev=e9",
            "-chardev", "file,id=com1,path=com1.txt", "-serial", "chardev:com1",
            "-qmp", "unix:qmp,server=on,wait=off", "-gdb", "unix:gdb,server=on,wait=off", "-S",
            # A triple fault stops the guest where it stands.
            "-action", "reboot=shutdown,shutdown=pause",
        ]

    def _start(self) -> None:
        with (self.dir / "qemu.log").open("wb") as log:
            self._process = subprocess.Popen([*dies_with_us(), *self._command()], cwd=self.dir, stdin=subprocess.DEVNULL,
                                             stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        self._qmp = self._connect("qmp").makefile("rwb")
        self._qmp.readline()
        self._execute("qmp_capabilities")
        self._gdb = self._connect("gdb")
        self._packet("QStartNoAckMode")
        self._gdb.sendall(b"+")
        for address in sorted(self._magic):
            self._breakpoint(address)

    def _connect(self, name: str) -> socket.socket:
        """A socket of QEMU's, which is there soon after it has started."""
        end = time.monotonic() + START_SECONDS
        link = socket.socket(socket.AF_UNIX)
        link.settimeout(ANSWER_SECONDS)
        while True:
            try:
                # A socket's whole path must be short; one relative to the run's directory always is.
                fd = os.open(self.dir, os.O_PATH)
                try:
                    link.connect(f"/proc/self/fd/{fd}/{name}")
                finally:
                    os.close(fd)
                return link
            except OSError:
                if self._process.poll() is not None:
                    raise HostError(f"QEMU does not start: {self._last_words()}") from None
                if time.monotonic() > end:
                    raise HostError("QEMU does not open its monitor") from None
                time.sleep(POLL_SECONDS)

    def _last_words(self) -> str:
        text = (self.dir / "qemu.log").read_text(errors="replace").strip()
        return (text.splitlines() or ["it says nothing"])[-1].removeprefix(f"{self._program}: ")

    def _hang_up(self, process: subprocess.Popen | None) -> None:
        for link in (self._qmp, self._gdb):
            if link:
                link.close()
        self._qmp = self._gdb = None

    def quit(self) -> int:
        """End it in peace; the exit code."""
        try:
            self._execute("quit")
        except (BochsGone, OSError):
            pass
        return self._process.wait()

    def _gone(self) -> None:
        code = self._process.wait()
        words = self._last_words()
        raise BochsGone(bochs_out.Exit(f"QEMU ended: {words}", {}, 0, None), code, words)

    # the monitor

    def _execute(self, command: str, **arguments: object) -> object:
        line = json.dumps({"execute": command, "arguments": arguments}).encode()
        try:
            self._qmp.write(line + b"\n")
            self._qmp.flush()
            while True:
                text = self._qmp.readline()
                if not text:
                    self._gone()
                answer = json.loads(text)
                if "error" in answer:
                    raise HostError(f"QEMU refuses {command}: {answer['error']['desc']}")
                if "return" in answer:
                    return answer["return"]
        except BrokenPipeError:
            self._gone()
        except TimeoutError:
            raise HostError(f"QEMU's monitor does not answer ({command})") from None

    def monitor(self, command: str) -> str:
        """A command of the human's monitor, about the current CPU."""
        return self._execute("human-monitor-command", **{"command-line": command, "cpu-index": self._cpu})

    def registers(self) -> dict[str, int]:
        try:
            return qemu_out.parse_registers(self.monitor("info registers"))
        except qemu_out.QemuOutputError as error:
            raise bochs_out.BochsOutputError(str(error)) from None

    def mapped(self) -> tuple[list[qemu_out.Leaf], list[qemu_out.Rights]]:
        """QEMU's view of what is mapped: `info tlb` and `info mem`."""
        try:
            rights = qemu_out.parse_mem(self.monitor("info mem"))
            return qemu_out.parse_tlb(self.monitor("info tlb"), rights), rights
        except qemu_out.QemuOutputError as error:
            raise bochs_out.BochsOutputError(str(error)) from None

    def memory(self, pa: int, size: int) -> bytes:
        """Raw physical memory.  Asking for it takes long, so RAM is a file that we read too."""
        if pa + size <= VIDEO[0] or VIDEO[1] <= pa and pa + size <= self._mem << 20:
            with (self.dir / "ram").open("rb") as file:
                file.seek(pa)
                return file.read(size)
        out = self.dir / "memory"
        self._execute("pmemsave", val=pa, size=size, filename="memory")
        return out.read_bytes()

    # the debugger stub

    def _packet(self, text: str) -> str:
        """Send a packet and return the reply."""
        self._send(text)
        reply = self._reply(ANSWER_SECONDS)
        if reply is None:
            raise HostError(f"QEMU's debugger stub does not answer ({text})")
        return reply

    def _send(self, text: str) -> None:
        try:
            self._gdb.sendall(f"${text}#{sum(text.encode()) % 256:02x}".encode())
        except OSError:
            self._gone()

    def _reply(self, seconds: float) -> str | None:
        """The next packet, None if there is none in time."""
        if not select.select([self._gdb], [], [], seconds)[0]:
            return None
        got = b""
        while not re.search(rb"\$[^#]*#..", got):
            piece = self._gdb.recv(4096)
            if not piece:
                self._gone()
            got += piece
        return re.search(rb"\$([^#]*)#..", got)[1].decode()

    def _breakpoint(self, address: int) -> None:
        if self._packet(f"Z0,{address:x},1") != "OK":
            raise HostError(f"QEMU takes no breakpoint at 0x{address:x}")

    def _physical_write(self, pa: int, data: bytes) -> None:
        for packet in ("Qqemu.PhyMemMode:1", f"M{pa:x},{len(data):x}:{data.hex()}", "Qqemu.PhyMemMode:0"):
            if self._packet(packet) != "OK":
                raise HostError(f"QEMU does not write to 0x{pa:x}")

    # in Bochs' words

    def ask(self, commands: Sequence[str], seconds: float = ANSWER_SECONDS) -> list[str]:
        """Answer commands of Bochs' debugger that do not run the guest."""
        return [self._answer(*command.split()) for command in commands]

    def _answer(self, verb: str, *words: str) -> str:
        if verb == "xp":
            return self._xp(int(words[0].removeprefix("/").removesuffix("gx")), int(words[1], 16))
        if verb == "creg":
            r = self.registers()
            return "\n".join([f"CR0=0x{r['cr0']:08x}:", f"CR2=page fault laddr=0x{r['cr2']:016x}", f"CR3=0x{r['cr3']:012x}",
                              f"CR4=0x{r['cr4']:08x}:", f"EFER=0x{r['efer']:08x}:"]) + "\n"
        if (verb, *words) == ("info", "tab"):
            return self._tab()
        if verb == "r":
            r = self.registers()
            lines = [f"{n}: {v >> 32:08x}_{v & 0xFFFFFFFF:08x}" for n, v in r.items() if n[0] == "r"]
            return "\n".join([*lines, f"eflags 0x{r['eflags']:08x}"]) + "\n"
        if verb == "lb":
            self._breakpoints.add(int(words[0], 16))
            self._breakpoint(int(words[0], 16))
            return ""
        if verb == "set":  # set $cpu = n
            self._cpu = int(words[2])
            return ""
        if verb == "setpmem":  # address, bytes, value
            self._physical_write(int(words[0], 16), int(words[2], 16).to_bytes(int(words[1]), "little"))
            return ""
        if verb == "sba":
            return ""  # emulated time is Bochs'; a run here is bounded by the watchdog and by wall time
        raise HostError(f"QEMU has no '{' '.join([verb, *words])}'")

    def _xp(self, count: int, pa: int) -> str:
        raw = self.memory(pa, count * 8)
        values = [int.from_bytes(raw[at : at + 8], "little") for at in range(0, len(raw), 8)]
        return f"0x{pa:016x} <memory>:" + "".join(f"\t0x{v:016x}" for v in values) + "\n"

    def _tab(self) -> str:
        r = self.registers()
        if not r["cr0"] >> 31 & 1:
            return "paging off\n"
        spans = qemu_out.merged(self.mapped()[0])
        lines = [f"0x{a:016x}-0x{b:016x} -> 0x{p:012x}-0x{p + b - a:012x}" for a, b, p in spans]
        return "\n".join([f"cr3: 0x{r['cr3']:012x}", *lines]) + "\n"

    # running

    def go(self, ends: Callable[[], float], on_text: Callable[[str], None] | None = None) -> tuple[Stop, bool]:
        """Continue the guest to its next stop, as Bochs.go does."""
        if self._at is not None:  # a breakpoint would stop it where it stands
            self._packet(f"vCont;s:{self._at + 1:x}")
            self._at = None
        self._send("vCont;c")
        late = False
        try:
            while (reply := self._reply(POLL_SECONDS)) is None:
                self._pass_on(on_text)
                if time.monotonic() > ends():
                    late = True
                    self._gdb.sendall(b"\x03")
                    reply = self._reply(ANSWER_SECONDS)
                    if reply is None:
                        raise HostError("QEMU does not answer an interrupt")
                    break
        finally:
            self._pass_on(on_text)
        return self._stop(reply), late

    def _pass_on(self, on_text: Callable[[str], None] | None) -> None:
        """What the guest has written to port 0xE9 since last time."""
        with (self.dir / "e9.out").open("rb") as file:
            file.seek(self._said)
            new = file.read()
        self._said += len(new)
        if new and on_text:
            on_text(new.decode("utf-8", "replace"))

    def _stop(self, reply: str) -> Stop:
        thread = re.search(r"thread:([0-9a-f]+);", reply)
        self._cpu = int(thread[1], 16) - 1 if thread else 0
        rip = self.registers()["rip"]
        kind = "magic" if rip in self._magic else "breakpoint" if rip in self._breakpoints else "other"
        if kind != "other":
            self._at = self._cpu
        return Stop(kind=kind, cpu=self._cpu, t=0, where=f"0008:{rip:016x} ", before="", why=reply)

    def triple_fault_logged(self) -> int | None:
        """Has the guest come to its end?"""
        return TRIPLE_FAULT if self._execute("query-status")["status"] == "shutdown" else None
