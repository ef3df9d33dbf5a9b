# SPDX-License-Identifier: ISC
"""Bochs' own graphical debugger beside the guest's screen (docs/debug.md).

It takes its commands from its window, not from us.  So a session without windows goes to the first stop, all that Bochs was told on the way is
written down, and a second Bochs, with windows, is given the same as a script: one image and one command line make one run.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from . import bochs, bochs_out, host
from .bochs import Bochs
from .emulator import Emulator, dies_with_us
from .host import HostError

DISPLAY = 'display_library: x, options="gui_debug"'
CHATTER = re.compile(r"\d{11}\w\[|={20}|\s+(Bochs x86 Emulator|Built from|Timestamp)|\(\d+\)\.\[")
ADVICE = """
  Bochs' windows open: the guest's screen, and the debugger, stopped as said above. In the debugger's window: Continue (or c in its line at the
  bottom) goes on, Alt+F2 shows the page table, commands (page, creg, info tab, lb "name") go into the line at the bottom. Ctrl-C here ends all.
  What the kernel prints comes here. UI=panes or UI=plain debugs in the terminal, where our questions (walk, tree, who ...) are answered, too."""


def obstacle() -> str | None:
    """Why there can be no windows."""
    display = os.environ.get("DISPLAY", "")
    if not _answers(display):
        return f"no X server answers at DISPLAY={display}"
    with tempfile.TemporaryDirectory() as folder:
        # The configuration ends in a mistake: a Bochs that comes to it has the display library, and nothing has been opened yet.
        path = Path(folder) / "bochsrc"
        path.write_text("display_library: x\ndisplay_library: hatlab_probe\n")
        done = subprocess.run([bochs.find_program().path, "-q", "-f", str(path)], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, errors="replace", cwd=folder)
    return None if "hatlab_probe" in done.stdout + done.stderr else "this Bochs has no display library x (package bochs-x)"


def _answers(display: str) -> bool:
    """Is there an X server?"""
    found = re.fullmatch(r"(?:unix)?([^:]*):(\d+)(?:\.\d+)?", display)
    if not found:
        return False
    try:
        if found[1]:
            socket.create_connection((found[1], 6000 + int(found[2])), 2).close()
        else:
            with socket.socket(socket.AF_UNIX) as local:
                local.connect(f"/tmp/.X11-unix/X{found[2]}")
    except OSError:
        return False
    return True


class Recorder(Bochs):
    """Remembers what Bochs was told, as a script."""

    def __init__(self, *words, **options) -> None:
        super().__init__(*words, **options)
        self.script: list[str] = []

    def _send(self, commands) -> None:
        self.script += commands
        super()._send(commands)


class Windows(Emulator):
    """A Bochs with windows: it lasts until they are closed."""

    def __init__(self, image: bytes, cpus: int, script: list[str], files: dict[str, str]) -> None:
        super().__init__(image, None)
        self.program = bochs.find_program()
        text = bochs.describe(self.program, host.ROOT / "bochsrc", cpus)
        text = re.sub(r"^display_library:.*", DISPLAY, text, flags=re.M)
        files = files | {"bochsrc": text, "go.rc": "".join(f"{line}\n" for line in script)}
        for name, content in files.items():
            (self.dir / name).write_text(content)

    def _start(self) -> None:
        words = ["-dbg_gui"] if self.program.extra else []  # 3.x
        self._process = subprocess.Popen(
            [*dies_with_us(), self.program.path, "-q", "-f", "bochsrc", "-rc", "go.rc", *words], cwd=self.dir, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True)

    def _hang_up(self, process: subprocess.Popen | None) -> None:
        if process:
            process.stdout.close()

    def console(self, guest: Callable[[str], None]) -> None:
        """Pass on what the guest prints, until the end; what Bochs says of itself is left out."""
        begun, said = False, ""
        for line in self._process.stdout:
            said = (said + line)[-4000:]
            if not CHATTER.match(line):
                begun = True
                guest(line)
        if not begun:
            raise HostError(f"no windows: Bochs does not start: {bochs_out.parse_exit(said).message or said[-200:]}; try UI=panes")
