# SPDX-License-Identifier: ISC
"""One run of Bochs: start it, talk to its debugger, end it.

Each run has a directory of its own for the image, the machine's description and the logs, so any number of runs
may go on at once.  Bochs is started in a session of its own, dies with us (setpriv --pdeathsig), and is ended by its
process group, never by name.  Its screen server cannot be reached from outside: it runs in an empty network
namespace, or, where that is not allowed, with bind() bent to 127.0.0.1 (loopback.c).

The debugger is driven over a pipe: any number of commands in one write, and the replies are cut at the numbered prompts.
"""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import bochs_out, host
from .bochs_out import Stop
from .emulator import IMAGE, Emulator, dies_with_us
from .host import HostError

OLDEST = (2, 7)
START_SECONDS = 20.0  # to reach the first prompt; 0.1 is usual
NAP_SECONDS = 0.0005
SHORT_ANSWER = 32  # pieces
# The guest's memory in large pages, where the C library can: Bochs clears all of it before anything else.
HUGE = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
SIGINT_SECONDS = 5.0  # to answer an interrupt
# What the guest's own text must not be taken for: the words of a stop, or of Bochs leaving.
STOP_WORDS = re.compile(rb"\(\d+\) (?:Magic breakpoint|Breakpoint \d|Caught )|Next at t=|\(\d+\)\.\[\d+\]|={60}")


class BochsGone(Exception):
    """Bochs ended by itself; `.end` tells its last words."""

    def __init__(self, end: bochs_out.Exit, code: int, output: str) -> None:
        super().__init__(end.message or f"Bochs ended with exit code {code}")
        self.end = end
        self.code = code
        self.output = output
        self.replies: list[str] = []


# ------------------------------------------------------------------------------------------------- the program


@dataclass(frozen=True)
class Program:
    """An emulator that can be used: its path and the extra arguments it wants."""

    path: str
    extra: tuple[str, ...]


def find_program() -> Program:
    """The Bochs to run: $HATLAB_BOCHS, else `bochs` or `bochs-bin` from PATH.  It must have the debugger."""
    asked = os.environ.get("HATLAB_BOCHS")
    path = shutil.which(asked) if asked else shutil.which("bochs") or shutil.which("bochs-bin")
    if not path:
        raise HostError(f"no Bochs: {asked or 'bochs'} is not in PATH (package bochs; 'make setup' installs it)")
    text = _help_text(path)
    release = re.search(r"Bochs x86 Emulator (\d+)\.(\d+)", text)
    if release and (int(release[1]), int(release[2])) < OLDEST:
        raise HostError(f"wrong Bochs: {path} is version {release[1]}.{release[2]}, {OLDEST[0]}.{OLDEST[1]} or later is needed")
    if "-rc" not in text:
        raise HostError(f"wrong Bochs: {path} is built without the debugger (no -rc option)")
    # 3.x starts its debugger only on request.
    return Program(path, ("-debugger",) if re.search(r"^\s*-debugger\b", text, re.M) else ())


def _help_text(path: str) -> str:
    """What `--help` says.  Asking takes longer than all else before the first prompt, so it is remembered."""
    real = os.stat(path)
    key = f"{os.path.realpath(path)} {real.st_mtime_ns} {real.st_size}"
    memory = host.BUILD / "bochs-help.json"
    try:
        known = json.loads(memory.read_text())
        if known["key"] == key:
            return known["text"]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    try:
        done = subprocess.run([path, "--help"], stdin=subprocess.DEVNULL, capture_output=True, timeout=START_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HostError(f"wrong Bochs: '{path} --help' does not work ({error})") from None
    text = (done.stdout + done.stderr).decode("utf-8", "replace")
    try:
        host.BUILD.mkdir(exist_ok=True)
        part = memory.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps({"key": key, "text": text}))
        os.replace(part, memory)
    except OSError:
        pass  # only slower next time
    return text


def _works(command: list[str]) -> bool:
    try:
        return subprocess.run([*command, "true"], stdin=subprocess.DEVNULL, capture_output=True).returncode == 0
    except OSError:
        return False


def isolation() -> tuple[list[str], dict[str, str]]:
    """How to keep the screen server from the network: a command prefix and environment variables.

    $HATLAB_NET=loopback forces the last resort, for testing it.
    """
    if os.environ.get("HATLAB_NET") != "loopback":
        for prefix in (["unshare", "-n"], ["unshare", "-rn"]):
            if (prefix[1] != "-n" or os.geteuid() == 0) and _works(prefix):
                return prefix, {}
    return [], {"LD_PRELOAD": str(_loopback())}


def _loopback() -> Path:
    source, library = host.TOOLS / "loopback.c", host.BUILD / "loopback.so"
    if not library.exists() or library.stat().st_mtime < source.stat().st_mtime:
        host.BUILD.mkdir(exist_ok=True)
        part = library.with_suffix(f".{os.getpid()}")
        host.run_tool(
            ["cc", "-shared", "-fPIC", "-O1", "-o", str(part), str(source), "-ldl"],
            "needed to keep Bochs' screen server from the network",
        )
        os.replace(part, library)
    return library


# ------------------------------------------------------------------------------------------------- the machine


def derive(text: str, image: str, cpus: int = 1, mem: int | None = None) -> str:
    """The machine of one run, from the text of the bochsrc at the top of the tree."""
    changes = [
        (r"^(ata0-master:.*\bpath=)[^,\n]*", rf"\g<1>{image}", "ata0-master: ... path="),
        (r"^(cpu:.*\bcount=)\d+", rf"\g<1>{cpus}", "cpu: ... count="),
        (r"^(log:\s*).*", r"\g<1>bochs.log", "log:"),
        (r"^(com1:.*\bdev=)[^,\n]*", r"\g<1>com1.txt", "com1: ... dev="),
    ]
    if mem is not None:
        # host memory below guest memory makes Bochs swap
        changes.append((r"^memory:.*", f"memory: guest={mem}, host={mem}", "memory:"))
    for pattern, by, what in changes:
        text, count = re.subn(pattern, by, text, flags=re.M)
        if count != 1:
            raise HostError(f"bochsrc: expected one line '{what}', found {count}")
    return text


def describe(program: Program, source: Path, cpus: int = 1, mem: int | None = None) -> str:
    """The same from a file, as this Bochs wants it."""
    if not source.is_file():
        raise HostError(f"{source} is missing")
    text = derive(source.read_text(), IMAGE, cpus, mem)
    # 3.x without sound support refuses the line
    return re.sub(r"^sound:.*\n", "", text, flags=re.M) if program.extra else text


def launch(program: Program) -> tuple[list[str], dict[str, str]]:
    """(command, environment) to start it in a run's folder, out of the network's reach."""
    prefix, environment = isolation()
    prefix = [*prefix, *dies_with_us()]  # inside unshare: entering a user namespace would cancel it
    return [*prefix, program.path, "-f", "bochsrc", "-q", *program.extra], {**HUGE, **environment}


def _after(seconds: float) -> Callable[[], float]:
    end = time.monotonic() + seconds
    return lambda: end


class Bochs(Emulator):
    """A running Bochs, as a context manager: inside, the debugger waits for commands.

    `ask` sends commands and returns their replies; `go` continues the guest until the next stop.
    """

    def __init__(
        self, image: bytes, cpus: int = 1, mem: int | None = None, keep: Path | None = None,
        bochsrc: Path | None = None,
    ) -> None:
        self.cpus = cpus
        self._program = find_program()
        self._number = 1  # of the prompt we stand at
        self._buffer = bytearray()
        source = bochsrc or host.ROOT / "bochsrc"
        rc = describe(self._program, source, cpus, mem)
        super().__init__(image, keep)
        (self.dir / "bochsrc").write_text(rc)

    # life and death

    def _start(self) -> None:
        command, extra_env = launch(self._program)
        env = {**os.environ, "LC_ALL": "C", "TERM": "dumb", "INPUTRC": "/dev/null", **extra_env}
        self._process = subprocess.Popen(
            command, cwd=self.dir, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True, bufsize=0,
        )
        try:
            if not self._read_until(bochs_out.prompt(1).encode(), _after(START_SECONDS)):
                raise HostError(f"wrong Bochs: {self._program.path} does not reach its debugger's prompt")
        except BochsGone as gone:
            raise HostError(self._start_problem(gone)) from None
        self._buffer.clear()

    def _start_problem(self, gone: BochsGone) -> str:
        """One line for a Bochs that refuses the machine."""
        said = gone.end.message or (gone.output.strip().splitlines() or ["nothing"])[-1]
        if re.search(r"display library|Xlib|X server", said):
            return f"wrong Bochs: {said} (bochsrc asks for it with display_library)"
        if self.cpus > 1 and re.search(r"count|processors|cpus|SMP", said, re.I):
            return f"wrong Bochs: built without SMP? {said}"
        return f"Bochs does not start: {said}"

    def _hang_up(self, process: subprocess.Popen | None) -> None:
        for pipe in (process.stdin, process.stdout) if process else ():
            pipe.close()

    # the conversation

    def _send(self, commands: Sequence[str]) -> None:
        data = memoryview("".join(c + "\n" for c in commands).encode())
        fd = self._process.stdin.fileno()
        # Both pipes are finite: never write without being ready to read.
        os.set_blocking(fd, False)
        try:
            while data:
                readable, writable, _ = select.select([self._process.stdout], [fd], [])
                if readable and not self._more():
                    self._gone()
                if writable:
                    try:
                        data = data[os.write(fd, data) :]
                    except BlockingIOError:
                        pass
        except BrokenPipeError:
            while self._more():
                pass
            self._gone()

    def _more(self) -> bool:
        data = os.read(self._process.stdout.fileno(), 1 << 18)
        self._buffer += data
        return bool(data)

    def _gone(self) -> None:
        code = self._process.wait()
        text = self._text()
        raise BochsGone(bochs_out.parse_exit(text + self._log_tail()), code, text)

    def _log_tail(self) -> str:
        try:
            return "\n" + (self.dir / "bochs.log").read_text(errors="replace")[-4000:]
        except OSError:
            return ""

    def _text(self) -> str:
        return self._buffer.decode("utf-8", "replace")

    def _read_until(self, mark: bytes, ends: Callable[[], float], watch: Callable[[], None] | None = None) -> bool:
        """Read until the output ends with `mark`; False once the time `ends()` is over.

        The end is asked for again after everything read: what the guest says may move it.

        Bochs writes a port 0xE9 byte by byte and a memory dump word by word.  Who woke up for each would slow it down, and
        who never did would let short answers wait: after the first pieces we take a nap behind each.
        """
        pieces = 0
        while not self._buffer.endswith(mark):
            left = ends() - time.monotonic()
            if left <= 0 or not select.select([self._process.stdout], [], [], left)[0]:
                return False
            if not self._more():
                self._gone()
            if watch:
                watch()
            pieces += 1
            if pieces > SHORT_ANSWER and not self._buffer.endswith(mark):
                time.sleep(NAP_SECONDS)
        return True

    def ask(self, commands: Sequence[str], seconds: float = 30.0) -> list[str]:
        """Give debugger commands that do not run the guest; return one reply for each."""
        if not commands:
            return []
        self._send(commands)
        first, self._number = self._number, self._number + len(commands)
        if not self._read_until(bochs_out.prompt(self._number).encode(), _after(seconds)):
            raise HostError(f"Bochs' debugger does not answer ({commands[0]} and {len(commands) - 1} more)")
        text = self._text()
        self._buffer.clear()
        replies = bochs_out.split_replies(text, first, len(commands))
        return [bochs_out.without_echo(reply, command) for reply, command in zip(replies, commands)]

    @property
    def asked(self) -> int:
        """How many commands there have been: while it stays the same, nothing in the machine changes."""
        return self._number

    def go(self, ends: Callable[[], float], on_text: Callable[[str], None] | None = None) -> tuple[Stop, bool]:
        """Continue the guest to its next stop.  Whatever the guest prints goes to `on_text`, as it comes.

        At the time `ends()` the guest is interrupted: then the second value is True.  If Bochs does not even answer
        that, it is killed.
        """
        stream = _Stream(self._buffer, on_text)
        self._send(["c"])
        self._number += 1
        mark = bochs_out.prompt(self._number).encode()
        interrupted = False
        try:
            if not self._read_until(mark, ends, stream.advance):
                interrupted = True
                os.killpg(self._process.pid, signal.SIGINT)
                if not self._read_until(mark, _after(SIGINT_SECONDS), stream.advance):
                    os.killpg(self._process.pid, signal.SIGKILL)
                    while self._more():
                        pass
                    self._gone()
        except BochsGone:
            stream.rest(None)
            raise
        text = bochs_out.without_echo(self._text()[: -len(mark)], "c")
        stop = bochs_out.parse_stop(text)
        stream.rest(stop.before)
        self._buffer.clear()
        return stop, interrupted

    def interrupt(self) -> None:
        """Have a guest that runs stop (from a signal handler, while go() waits)."""
        os.killpg(self._process.pid, signal.SIGINT)

    def ask_and_go(
        self, commands: Sequence[str], ends: Callable[[], float], on_text: Callable[[str], None] | None = None
    ) -> tuple[list[str], Stop, bool]:
        """`ask`, then `go`, in one breath: half the conversation of many short stops.  What the guest prints comes at the end.

        A BochsGone that comes out of it has the replies as `.replies`.
        """
        self._send([*commands, "c"])
        first, self._number = self._number, self._number + len(commands) + 1
        mark = bochs_out.prompt(self._number).encode()
        interrupted = False
        try:
            if not self._read_until(mark, ends):
                interrupted = True
                os.killpg(self._process.pid, signal.SIGINT)
                if not self._read_until(mark, _after(SIGINT_SECONDS)):
                    os.killpg(self._process.pid, signal.SIGKILL)
                    while self._more():
                        pass
                    self._gone()
        except BochsGone as gone:
            gone.replies, rest = self._cut(gone.output, first, commands)
            if on_text:
                on_text(re.split(r"\(\d+\)\.\[\d+\]|={60}", bochs_out.without_echo(rest, "c"))[0])
            raise
        replies, rest = self._cut(self._text(), first, commands)
        stop = bochs_out.parse_stop(bochs_out.without_echo(rest[: -len(mark)], "c"))
        self._buffer.clear()
        if on_text:
            on_text(stop.before)
        return replies, stop, interrupted

    @staticmethod
    def _cut(text: str, first: int, commands: Sequence[str]) -> tuple[list[str], str]:
        replies = bochs_out.split_replies(text, first, len(commands))
        mark = bochs_out.prompt(first + len(commands))
        return [bochs_out.without_echo(r, c) for r, c in zip(replies, commands)], text.split(mark, 1)[1] if commands else text

    def quit(self) -> int:
        """Leave by the debugger's own `q`; the exit code."""
        try:
            self._send(["q"])
            while self._more():
                pass
        except BochsGone:
            pass
        return self._process.wait()

    def triple_fault_logged(self) -> int | None:
        """3.x only notes a triple fault in its log, and stops."""
        return bochs_out.find_triple_fault(self._log_tail())


class _Stream:
    """Passes the guest's complete lines on while Bochs runs, and holds back what may be the debugger's."""

    def __init__(self, buffer: bytearray, on_text: Callable[[str], None] | None) -> None:
        self._buffer = buffer
        self._on_text = on_text
        self._passed = 0  # bytes of the buffer that are dealt with
        self._given = 0  # characters given to on_text
        self._echo = True

    def advance(self) -> None:
        if self._echo:
            if len(self._buffer) < 2:
                return
            if self._buffer.startswith(b"c\n"):
                self._passed = 2
            self._echo = False
        held = STOP_WORDS.search(self._buffer, self._passed)
        end = self._buffer.rfind(b"\n", self._passed, held.start() if held else len(self._buffer)) + 1
        if end > self._passed:
            self._give(self._buffer[self._passed : end].decode("utf-8", "replace"))
            self._passed = end

    def rest(self, whole: str | None) -> None:
        """The end: `whole` is all the guest printed since the start of this stretch, None if Bochs has left."""
        if whole is not None:
            self._give(whole[self._given :])
            return
        self.advance()
        tail = self._buffer[self._passed :].decode("utf-8", "replace")
        self._give(re.split(r"\(\d+\)\.\[\d+\]|={60}", tail)[0])

    def _give(self, text: str) -> None:
        self._given += len(text)
        if text and self._on_text:
            self._on_text(text)


# ------------------------------------------------------------------------------------------------- looking around


def read_memory(machine: Bochs, areas: Sequence[tuple[int, int]]) -> list[bytes]:
    """Raw physical memory: (address, length in bytes, a multiple of 8) each."""
    replies = machine.ask([f"xp /{size // 8}gx 0x{pa:x}" for pa, size in areas])
    out = []
    for (pa, size), reply in zip(areas, replies):
        address, values = bochs_out.parse_xp(reply, size // 8)
        if address != pa:
            raise bochs_out.BochsOutputError(f"xp: asked for 0x{pa:x}, got 0x{address:x}")
        out.append(b"".join(v.to_bytes(8, "little") for v in values))
    return out


def screen(machine: Bochs) -> list[str]:
    """The VGA text screen, without its blank lines."""
    raw = read_memory(machine, [(0xB8000, 80 * 25 * 2)])[0]
    cells = [chr(c) if 32 <= c < 127 else " " for c in raw[::2]]
    lines = ["".join(cells[at : at + 80]).rstrip() for at in range(0, len(cells), 80)]
    return [line for line in lines if line]


def set_cpu(machine: Bochs, cpu: int) -> None:
    """Make the debugger speak about this CPU."""
    if machine.cpus > 1:
        machine.ask([f"set $cpu = {cpu}"])
