# SPDX-License-Identifier: ISC
"""The debugger, the kernel's console and the lab's notes side by side in one terminal, by tmux (docs/debug.md).

The same command runs once more in the debugger's pane, where $HATLAB_LAYOUT names the folder that both know.  tmux' server is a private one:
its socket is in that folder, it reads nobody's configuration, and it ends with the debugger or with the terminal, whichever is first.
"""

from __future__ import annotations

import atexit
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from . import notes
from .emulator import dies_with_us
from .host import HostError, undisturbed
from .lab import Lab

LAYOUT = "HATLAB_LAYOUT"
VERSION = (2, 6)
WIDE, TALL = (140, 24), (80, 44)  # columns, lines: three panes side by side, or two above each other
BESIDE = 42  # per cent of the columns, for the console and the notes
SOCKET_MAX = 100  # of the 107 bytes that a socket's path may have
CONFIGURATION = """set -g default-shell /bin/sh
set -s exit-unattached on
set -s escape-time 20
set -g destroy-unattached on
set -g mouse on
set -g history-limit 50000
set -g default-terminal screen
set -g status-left ""
set -g status-right "F6: next pane  F7: this pane alone, and back  q in the debugger ends all "
set -g status-right-length 80
set -g window-status-current-format " hatlab, #W "
bind -n F6 select-pane -t :.+
bind -n F7 resize-pane -Z
"""


def obstacle() -> str | None:
    """Why there can be no panes."""
    if not shutil.which("tmux"):
        return "tmux is not installed (package tmux)"
    said = subprocess.run(["tmux", "-V"], capture_output=True, text=True).stdout.strip()
    found = re.search(r"(\d+)\.(\d+)", said)
    if found and (int(found[1]), int(found[2])) < VERSION:
        return f"{said} is too old: {VERSION[0]}.{VERSION[1]} is needed"
    if os.environ.get("TERM", "dumb") in ("dumb", ""):
        return f"this terminal (TERM={os.environ.get('TERM', '')}) cannot place its cursor"
    columns, lines = os.get_terminal_size()
    if shape(columns, lines) is None:
        return f"the terminal is {columns}x{lines}: {WIDE[0]}x{WIDE[1]} or {TALL[0]}x{TALL[1]} are needed"
    return None


def shape(columns: int, lines: int) -> str | None:
    """wide: the console and the notes beside the debugger; tall: the console below it."""
    return next((name for name, (c, n) in (("wide", WIDE), ("tall", TALL)) if columns >= c and lines >= n), None)


# ------------------------------------------------------------------------------------------------ around the debugger


def run(command: list[str], lab: Lab) -> int:
    """Run a command in the debugger's pane; its exit code.  What it says on standard error comes out behind the panes."""
    folder = _folder()
    try:
        (folder / "tmux.conf").write_text(CONFIGURATION)
        (folder / "console").write_text("")
        (folder / "owner").write_text(str(os.getpid()))
        columns, lines = os.get_terminal_size()
        (folder / "columns").write_text(str(columns * BESIDE // 100 - 1))
        _write_notes(folder, notes.whole(lab))
        environment = {key: value for key, value in os.environ.items() if key not in ("TMUX", "TMUX_PANE")}
        subprocess.run([*dies_with_us(), *_tmux(folder), *_panes(folder, command, lab, columns, lines)], env=environment)
        return _result(folder)
    finally:
        with undisturbed():
            subprocess.run([*_tmux(folder), "kill-server"], capture_output=True)
            shutil.rmtree(folder, ignore_errors=True)


def _folder() -> Path:
    """TMPDIR may be too deep for a socket."""
    folder = tempfile.mkdtemp(prefix="hatlab-layout-")
    if len(folder) + len("/tmux") > SOCKET_MAX:
        os.rmdir(folder)
        folder = tempfile.mkdtemp(prefix="hatlab-layout-", dir="/tmp")
    return Path(folder)


def _tmux(folder: Path) -> list[str]:
    return ["tmux", "-S", str(folder / "tmux"), "-f", str(folder / "tmux.conf")]


def _panes(folder: Path, command: list[str], lab: Lab, columns: int, lines: int) -> list[str]:
    """tmux' commands, between semicolons.  A shell with a trap lives through the Ctrl-C that its program answers."""
    inner = f"trap : INT; {LAYOUT}={shlex.quote(str(folder))} {shlex.join(command)} 2>{_q(folder / 'errors')}"
    inner += f"; echo $? >{_q(folder / 'code')}; {shlex.join(_tmux(folder))} kill-server"
    console = f"exec tail -n +1 -f {_q(folder / 'console')}"
    words = ["new-session", "-n", f"lab {lab.number}", inner, ";"]
    if shape(columns, lines) == "wide":
        words += ["split-window", "-h", "-l", str(columns * BESIDE // 100), console, ";"]
        words += ["split-window", "-v", "-l", str(lines * 3 // 5), pager(folder), ";"]
    else:
        words += ["split-window", "-v", "-l", str(lines // 3), console, ";"]
    return [*words, "select-pane", "-t", ":.0"]


def _q(path: Path) -> str:
    return shlex.quote(str(path))


def pager(folder: Path) -> str:
    """A shell command that shows the notes; leaving the pager shows them again."""
    file = _q(folder / "notes")
    if shutil.which("less"):
        return f"trap : INT; while LESSSECURE=1 less -~ -S -P 'notes  (arrows, space\\: read on)' {file}; do :; done"
    return f"cat {file}; exec cat"


def _result(folder: Path) -> int:
    errors = folder / "errors"
    if errors.is_file():
        sys.stderr.write(errors.read_text(errors="replace"))
    try:
        return int((folder / "code").read_text())
    except (OSError, ValueError):
        raise HostError("the debugger's terminal was closed") from None


def _write_notes(folder: Path, text: str) -> None:
    (folder / "notes").write_text(notes.fitted(text, int((folder / "columns").read_text())), encoding="utf-8")


# ----------------------------------------------------------------------------------------------- in the debugger's pane


class Panes:
    """What the debugger tells the other panes."""

    def __init__(self, folder: Path, lab: Lab) -> None:
        self.folder, self.lab, self.shown = folder, lab, ""
        self.file = (folder / "console").open("a", encoding="utf-8")

    def console(self, text: str) -> None:
        self.file.write(text)
        self.file.flush()

    def stopped_in(self, function: str) -> None:
        """The notes turn to the section about it, if there is one."""
        text = notes.of_function(self.lab, function)
        if text and text != self.shown:
            self.shown = text
            _write_notes(self.folder, text)
            subprocess.run([*_tmux(self.folder), "respawn-pane", "-k", "-t", ":.2", pager(self.folder)], capture_output=True)


def here(lab: Lab) -> Panes | None:
    """The panes around us, if this is the debugger's pane."""
    folder = os.environ.get(LAYOUT)
    if folder is None:
        return None
    atexit.register(_sweep, Path(folder), int(Path(folder, "owner").read_text()))
    return Panes(Path(folder), lab)


def _sweep(folder: Path, owner: int) -> None:
    """Who made the folder removes it, unless somebody has killed that one."""
    try:
        os.kill(owner, 0)
    except ProcessLookupError:
        shutil.rmtree(folder, ignore_errors=True)
