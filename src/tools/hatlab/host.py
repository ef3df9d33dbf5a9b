# SPDX-License-Identifier: ISC
"""Where things are on this computer, and how to say that one is missing."""

from __future__ import annotations

import fcntl
import functools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
TOOLS = ROOT / "src" / "tools"
BUILD = ROOT / "build"
FLAVORS = ("amd64", "i386")


class HostError(Exception):
    """Something on this side is missing or wrong.  The text is one clear line for the user."""


def kernel_path(flavor: str) -> Path:
    """The kernel of a flavour: the plain one, or the image that HATLAB_IMAGE names (build/FLAVOR-NAME)."""
    name = os.environ.get("HATLAB_IMAGE")
    return BUILD / (f"{flavor}-{name}" if name else flavor) / "kernel.elf"


@contextmanager
def held(path: Path, how: int = fcntl.LOCK_EX) -> Iterator[None]:
    """This lock file is ours for a while; its folder is made where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as lock:
        fcntl.flock(lock, how)
        yield


def run_tool(command: list[str], missing: str) -> str:
    """Run a build tool quietly and return its output; its absence or failure becomes one line."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    except FileNotFoundError:
        raise HostError(f"{command[0]} is not installed ({missing})") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise HostError(f"{command[0]} failed: {said[-1] if said else 'exit code %d' % done.returncode}")
    return done.stdout


@functools.cache
def runs_32bit() -> bool:
    """Does this machine run 32-bit programs? Some kernels do not; then qemu-i386 has to."""
    try:
        return subprocess.run(["/lib/ld-linux.so.2", "--version"], capture_output=True).returncode == 0
    except OSError:
        return False


def runnable(command: list) -> list:
    """The command, with qemu-i386 before a 32-bit program that this machine would refuse."""
    path = Path(str(command[0]))
    narrow = path.is_file() and path.open("rb").read(5) == b"\x7fELF\x01"
    return ["qemu-i386", *command] if narrow and not runs_32bit() else list(command)


def end_with_parent() -> None:
    """Should our parent be killed, this process gets SIGTERM (Linux)."""
    try:
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
    except (ImportError, OSError, AttributeError):
        pass


@contextmanager
def undisturbed() -> Iterator[None]:
    """Cleaning up: whoever asks us to end meanwhile gets his way afterwards.  (A terminal that is closed is an end of input, and a signal.)"""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _leave(number: int, _: object) -> None:
    """Clean up, and do not let the next signal of a whole series end that."""
    for other in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(other, signal.SIG_IGN)
    sys.exit(128 + number)


def main(command) -> None:
    """Run a command's `main(argv) -> exit code`, with one line on standard error when it cannot do its work."""
    for number in (signal.SIGTERM, signal.SIGHUP):  # the second: the terminal is closed
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup
            signal.signal(number, _leave)
    try:
        sys.exit(command(sys.argv[1:]))
    except HostError as error:
        print(f"{Path(sys.argv[0]).stem}: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print(f"{Path(sys.argv[0]).stem}: interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
