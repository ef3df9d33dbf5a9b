# SPDX-License-Identifier: ISC
"""Where a session of the debugger is shown: in Bochs' windows, in panes of the terminal, or in the terminal as it is."""

from __future__ import annotations

import os

from . import layout, terminal, windows
from .host import HostError

CHOICES = ("auto", "windows", "panes", "plain")


def chosen(asked: str) -> str:
    """`windows`, `panes` or `plain`: what was asked for, or for `auto` the first of these that is possible."""
    if not terminal.attended() or layout.LAYOUT in os.environ:
        return "plain"
    if asked == "windows" or asked == "auto" and "DISPLAY" in os.environ:
        why = windows.obstacle()
        if why is None:
            return "windows"
        if asked == "windows":
            raise HostError(f"no windows: {why}")
        terminal.say(f"(No windows: {why}.)")
    if asked != "plain":
        why = layout.obstacle()
        if why is None:
            return "panes"
        if asked == "panes":
            raise HostError(f"no panes: {why}")
        terminal.say(f"(No panes for console and notes: {why}. UI=plain asks for that.)")
    return "plain"
