# SPDX-License-Identifier: ISC
"""An emulator's process and its folder, from start to end: what Bochs and QEMU have in common."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from .host import undisturbed
from .image import write_padded

IMAGE = "boot.iso"


def dies_with_us() -> list[str]:
    """What goes before a command that shall not outlive this program, however that ends."""
    return ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []


class Emulator:
    """A context manager: inside, the machine is on.  Everything that a run writes is in `dir`."""

    def __init__(self, image: bytes, keep: Path | None) -> None:
        self._process: subprocess.Popen | None = None
        if keep:
            keep.mkdir(parents=True, exist_ok=True)
        self.dir = Path(tempfile.mkdtemp(prefix="hatlab-", dir=keep))
        self._keep = keep is not None
        atexit.register(self.close)  # a signal may come just when the `with` is being left
        write_padded(self.dir / IMAGE, image)

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> None:
        """Start the process, and wait until it answers."""
        raise NotImplementedError

    def _hang_up(self, process: subprocess.Popen | None) -> None:
        """Close the links to a process that has ended, or never started."""
        raise NotImplementedError

    def close(self) -> None:
        """End the emulator if it still runs, and remove the run's directory.  Safe to call at any time, more than once."""
        with undisturbed():
            self._close()
        atexit.unregister(self.close)

    def _close(self) -> None:
        process, self._process = self._process, None
        if process:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
        self._hang_up(process)
        if not self._keep:
            shutil.rmtree(self.dir, ignore_errors=True)
