# SPDX-License-Identifier: ISC
"""Handing in: see that a lab can be graded, grade it, pack what is the student's (docs/handin.md)."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Callable

from . import lab as labs
from . import submission
from . import unit as units
from .lab import Lab, LabError

TOP = labs.TOP
FOLDER = TOP / "build/handin"
TEMPLATES = TOP / "labs/templates"
GRADER = TOP / "src/tools/grade.py"
SCORE = re.compile(r"Score: (\d+(?:\.\d+)?)/(\d+)\s*$")


def sections(text: str) -> dict[str, str]:
    """{heading: digest of what stands under it} of a DESIGN.md; blanks and lines do not count."""
    parts = re.split(r"^## +(.+?)\s*$", text, flags=re.M)
    return {title: hashlib.sha256(" ".join(body.split()).encode()).hexdigest()[:12]
            for title, body in zip(parts[1::2], parts[2::2])}


def templates() -> dict[str, dict[str, str]]:
    """{lab's folder: sections() of its DESIGN.md as it was given out}, from labs/templates."""
    found: dict[str, dict[str, str]] = {}
    for line in TEMPLATES.read_text(encoding="utf-8").splitlines() if TEMPLATES.exists() else ():
        if line and not line.startswith("#"):
            name, digest, title = line.split(" ", 2)
            found.setdefault(name, {})[title] = digest
    return found


def templates_text() -> str:
    """What labs/templates must say of this tree."""
    head = "# Sections of DESIGN.md as given out; `make handin` names those that are still the same (handin.py --templates)\n"
    return head + "".join(
        f"{lab.name} {digest} {title}\n" for lab in labs.labs() if (path := lab.folder() / "DESIGN.md").exists()
        for title, digest in sections(path.read_text(encoding="utf-8")).items())


def unwritten(lab: Lab, text: str) -> list[str]:
    """The sections of a DESIGN.md in which nothing stands but what was given out."""
    given = templates().get(lab.name, {})
    written = sections(text)
    return [title for title, digest in given.items() if written.get(title, digest) == digest]


def grade(lab: Lab, folder: str, student: str) -> str | None:
    """Run the grader; its score as it says it, "12/200". None: there is no grader in this tree."""
    command = [os.environ["HATLAB_GRADER"]] if "HATLAB_GRADER" in os.environ else [sys.executable, str(GRADER)]
    if not Path(command[-1]).exists():
        return None
    command += ["--lab", str(lab.number), "--folder", str(folder), "--id", student]
    last = ""
    with subprocess.Popen(command, cwd=TOP, env=labs.clean_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          text=True, errors="replace") as run:
        for line in run.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            last = line if line.strip() else last
    score = SCORE.match(last)
    if not score:
        raise LabError(f"nothing was packed: the grader ended (exit code {run.returncode}) without a score; see above")
    return f"{score[1]}/{score[2]}"


def write_archive(path: Path, data: bytes) -> str:
    """All of it or nothing. What is there already is replaced, and that is said."""
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.read_bytes() if path.is_file() else None
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".new-", delete=False) as out:
        try:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
            os.fchmod(out.fileno(), 0o644)
            os.replace(out.name, path)
        except BaseException:
            os.unlink(out.name)
            raise
    if before is None:
        return ""
    return ", the same as before" if before == data else ", in place of an earlier one that was different"


def hand_in(lab: Lab, folder: Path | str = "labs", student: str | None = None, out: Path = FOLDER,
            say: Callable[[str], None] = print) -> Path:
    """Judge, grade, pack; the archive's path. LabError: nothing was packed."""
    student = labs.student_id(folder, student)
    files = submission.collect(lab, student, folder)
    refused = units.refusals(lab, folder)
    if refused:
        for reason in refused.values():
            say(f"  {reason}")
        raise LabError(f"nothing was packed: {len(refused)} of the {len(lab.units)} units of lab {lab.number} cannot be linked")
    warnings = [f"  warning: {name.split('/')[-1]}: nothing is written under " + ", ".join(empty)
                for name, data in files.items()
                if name.endswith("DESIGN.md") and (empty := unwritten(lab, data.decode("utf-8", "replace")))]
    score = grade(lab, str(folder), student)
    if submission.collect(lab, student, folder) != files:
        raise LabError("nothing was packed: files were changed while they were graded; run it again")
    path = out / f"lab{lab.number}-{student}.tar.gz"
    data = submission.archive(files)
    replaced = write_archive(path, data)
    submission.read(path, lab.number)       # what we write, we can read
    say(f"{shown(path)}: {len(data)} bytes{replaced}. In it:")
    for name in sorted(files):
        say(f"  {name:<44} {len(files[name]):>7} bytes")
    for warning in warnings:
        say(warning)
    say(f"Lab {lab.number}, {student}: " + (f"score {score}" if score else "not graded: there is no grader in this tree"))
    return path


def shown(path: Path) -> str:
    return str(path.relative_to(TOP)) if TOP in path.parents else str(path)
