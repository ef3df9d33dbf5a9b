# SPDX-License-Identifier: ISC
"""Once more to where a check lost its points: same image, same command line, and a person at Bochs' debugger (docs/grader.md)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from . import gradeimage, image
from .debug import Addresses, Session, hold, read_script
from .gradeimage import Answers, Built
from .host import BUILD
from .lab import LabError, get
from .places import AtCheck

RESULT = BUILD / "grade.json"


def find_row(result: Path, check: str, lab: int | None, flavor: str | None) -> tuple[dict, dict]:
    """(the whole result, the row) of the last grading: one that lost points first, amd64 first."""
    try:
        data = json.loads(result.read_text())
    except (OSError, ValueError):
        raise LabError("nothing has been graded here: run make grade first") from None
    rows = [r for r in data["rows"] if r["check"] == check and lab in (None, r["lab"]) and flavor in (None, r["kernel"])]
    if not rows:
        raise LabError(f"the last make grade has no line {check!r}{f' of lab {lab}' if lab is not None else ''}"
                       f"{f' on {flavor}' if flavor else ''}")
    if len({r["lab"] for r in rows}) > 1:
        raise LabError(f"several labs have a line {check!r}: say which with LAB=n")
    row = min(rows, key=lambda r: (r["points"] == r["maximum"], r["kernel"]))
    if "replay" not in row:
        raise LabError(f"{check} was not run: {row['reason'] or 'there is nothing to replay'}")
    return data, row


def rebuild(data: dict, row: dict) -> Built:
    """The image that was graded; files may have changed since."""
    answers = Answers(row["lab"], data["folder"], data["refused"].get(f"{row['lab']} {row['kernel']}", {}))
    gradeimage.compile_all(answers, row["kernel"])
    link = gradeimage.link_plain if row["check"] == "plain" else gradeimage.link_trial
    return link(answers, row["kernel"])


def start(data: dict, row: dict, say: Callable[[str], None], ask: Callable[[str], str | None] | None, view=None,
          windowed: bool = False) -> int:
    check, what = row["check"], row["replay"]
    built = rebuild(data, row)
    say(f"Lab {row['lab']} on {row['kernel']}, {check}: {row['reason'] or 'it was ok'}")
    say(f"The kernel's command line: {what['args']}")
    script, where = read_script(get(row["lab"]))
    place = AtCheck(built.elf, what["check"], what["together"])
    session = Session(script, where, Addresses(built.elf.path), say, ask, place, view)
    return hold(session, image.with_args(built.image, what["args"]), data["cpus"], windowed)
