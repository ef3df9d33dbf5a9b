# SPDX-License-Identifier: ISC
"""A terminal that a program types into and reads from, as a person does: a shell in a private tmux."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from .host import HostError

SHELL = "hatlab$"


class Screen:
    """A context manager: inside, a shell waits in `cwd`."""

    def __init__(self, cwd: Path, columns: int = 130, lines: int = 40, environment: dict[str, str] | None = None) -> None:
        if not shutil.which("tmux"):
            raise HostError("tmux is not installed (package tmux): debugger sessions are typed into it")
        self.folder = tempfile.mkdtemp(prefix="hatlab-screen-")
        environment = dict(environment or os.environ, HISTFILE="")
        for name in ("TMUX", "TMUX_PANE", "HATLAB_LAYOUT"):
            environment.pop(name, None)
        self.tmux("-f", "/dev/null", "start-server", ";", "set", "-g", "history-limit", "50000", ";", "set", "-g", "default-shell", "/bin/sh",
                  ";", "new-session", "-d", "-x", str(columns), "-y", str(lines), "-c", str(cwd), f"exec env PS1='{SHELL} ' bash --norc --noprofile",
                  env=environment)

    def tmux(self, *words: str, env: dict[str, str] | None = None) -> str:
        done = subprocess.run(["tmux", "-S", f"{self.folder}/tmux", *words], capture_output=True, text=True, errors="replace", env=env)
        if done.returncode:
            raise HostError(f"tmux: {done.stderr.strip()}")
        return done.stdout

    def __enter__(self) -> Screen:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        subprocess.run(["tmux", "-S", f"{self.folder}/tmux", "kill-server"], capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def type(self, line: str) -> None:
        """A line, and Enter."""
        self.tmux("send-keys", "-l", "--", line)
        self.key("Enter")

    def key(self, name: str) -> None:
        self.tmux("send-keys", name)

    def text(self) -> list[str]:
        """All lines since the beginning; those that the terminal has wrapped are whole."""
        return [line.rstrip() for line in self.tmux("capture-pane", "-p", "-J", "-S", "-").rstrip().split("\n")]

    def until(self, there: Callable[[list[str]], bool], what: str, seconds: float) -> list[str]:
        """All lines, as soon as they are as wanted."""
        end = time.monotonic() + seconds
        while True:
            lines = self.text()
            if there(lines):
                return lines
            if time.monotonic() > end:
                raise HostError(f"not within {seconds:.0f} s: {what}; the last lines: {' / '.join(lines[-5:])}")
            time.sleep(0.04)
