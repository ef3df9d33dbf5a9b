# SPDX-License-Identifier: ISC
"""Build the kernels that a lab is graded with.

For each lab and flavour two: `trial` has the student's copy of each unit beside the reference (src/trial.mk), `plain` consists
of the student's units of the lab instead.  All of them share the objects of everything else, in build/FLAVOR-graded, and GRUB's
part of the image, so that a changed unit costs one compilation and two links.
"""

from __future__ import annotations

import fcntl
import functools
import re
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from . import host, image, lab as labs_module
from .elf import Elf
from .host import BUILD, ROOT, HostError

NO_COPIES = "mine:pte_load=solutions/lab1-entries/pte_load.c"  # where none of a student's can be linked
PROGRAMS = ("sieve", "forktree", "mapper")


@functools.cache
def units_of(lab: int) -> list[str]:
    """The units of a lab, in the order of src/hat/units."""
    found: dict[str, None] = {}
    for line in (ROOT / "src/hat/units").read_text().splitlines():
        words = line.split("#")[0].split()
        if words and words[0].startswith(f"lab{lab}-"):
            found[words[1]] = None
    return list(found)


@functools.cache
def lab_folder(lab: int) -> str:
    """labN-name."""
    found = sorted(ROOT.glob(f"labs/lab{lab}-*"))
    if len(found) != 1:
        raise HostError(f"there is no lab {lab}")
    return found[0].name


@functools.cache
def labs() -> list[int]:
    """All labs that there are."""
    return sorted(int(p.name[3:].split("-")[0]) for p in ROOT.glob("labs/lab[0-9]*-*") if p.is_dir())


def checks_of(lab: int) -> list[str]:
    """A lab's checks, and what they want of src/check/tests/: check/X.h is declared for all, X.c is not in every image."""
    paths = sorted(ROOT.glob(f"labs/{lab_folder(lab)}/checks*.c"))
    wanted = {h for p in paths for h in re.findall(r"#include <check/(\w+)\.h>", p.read_text())}
    wanted = {h for h in wanted if not (ROOT / "src/check" / f"{h}.c").is_file()}  # a test of the same name is a test of that
    helpers = [p for h in sorted(wanted) if (p := ROOT / "src/check/tests" / f"{h}.c").is_file()]
    return [str(p.relative_to(ROOT)) for p in paths + helpers]


@dataclass
class Answers:
    """A student's files for one lab: where they are, below the top of the tree, and which cannot be used."""

    lab: int
    folder: str  # labs, solutions, or where a submission was unpacked
    refused: dict[str, str] = field(default_factory=dict)  # unit: why

    def path(self, unit: str) -> str:
        return f"{self.folder}/{lab_folder(self.lab)}/{unit}.c"

    def usable(self) -> list[str]:
        return [u for u in units_of(self.lab) if u not in self.refused]


@dataclass
class Built:
    """A kernel to grade, with its image in memory."""

    elf: Elf
    image: bytes

    def with_args(self, args: str) -> bytes:
        return image.with_args(self.image, args)


# ------------------------------------------------------------------------------------------------------------- make


def _locked(flavor: str) -> AbstractContextManager[None]:
    """Who compiles for a flavour is alone: its images share objects."""
    return host.held(BUILD / f"{flavor}-graded/lock")


@contextmanager
def _linking(flavor: str, name: str) -> Iterator[None]:
    """Several images are linked at once, each by one program, while nobody compiles what goes into them."""
    with host.held(BUILD / f"{flavor}-graded/lock", fcntl.LOCK_SH), host.held(BUILD / f"{flavor}-{name}/lock"):
        yield


def _environment() -> dict[str, str]:
    return labs_module.clean_environment()


jobs = 1  # compilers side by side, for one flavour


def _make(flavor: str, *words: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["make", "-s", "-k", f"-j{jobs}", "-f", "src/kernel.mk", f"FLAVOR={flavor}", f"O=build/{flavor}-graded", "TESTS=1",
         *words],
        cwd=ROOT, env=_environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )


def _must(done: subprocess.CompletedProcess, what: str) -> None:
    if done.returncode:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        marks = (" error: ", "undefined reference", "triallink:")
        told = [line for line in lines if any(mark in line for mark in marks)] or lines
        raise HostError(f"{what} does not build: {told[0] if told else 'make failed'}")


def build_objects(flavor: str) -> None:
    """What no student writes, and all checks of the labs asked for."""
    with _locked(flavor):
        checks = " ".join(dict.fromkeys(c for lab in labs() for c in checks_of(lab)))
        _must(_make(flavor, f"CHECKS={checks}", "IMAGE=graded-objects", "objects"), "the kernel")


def compile_errors(answers: Answers, flavor: str) -> dict[str, str]:
    """Units whose file is missing, or does not compile: the compiler's first complaint."""
    found = {}
    wanted = {}
    for unit in answers.usable():
        if (ROOT / answers.path(unit)).is_file():
            wanted[unit] = f"build/{flavor}-graded/{answers.path(unit)[:-2]}.o"
        else:
            found[unit] = f"{answers.path(unit)} is missing"
    with _locked(flavor):
        done = _make(flavor, "CHECKS=", "IMAGE=graded-objects", *wanted.values())
    if done.returncode:
        for unit in wanted:
            said = [line for line in done.stderr.splitlines() if f"/{unit}.c:" in line and "error:" in line]
            if said:
                found[unit] = "does not compile: " + said[0]
        if not found:
            _must(done, f"lab {answers.lab}")
    return found


def _built(flavor: str, name: str, frame: Path) -> Built:
    folder = BUILD / f"{flavor}-{name}"
    kernel = (folder / "kernel.boot").read_bytes()
    return Built(Elf(folder / "kernel.elf"), image.with_kernel(image.load(frame), kernel, str(frame)))


def _trial(answers: Answers) -> list[str]:
    """The student's copies, called `mine`, beside the reference."""
    copies = " ".join(f"mine:{u}={answers.path(u)}" for u in answers.usable()) or NO_COPIES
    return [f"IMAGE=grade-{answers.lab}", f"CHECKS={' '.join(checks_of(answers.lab))}", f"TRIAL={copies}"]


def _plain(answers: Answers) -> list[str]:
    """The whole kernel on the student's units of this lab."""
    return [f"IMAGE=plain-{answers.lab}", "CHECKS=", "UNITS=" + " ".join(f"{u}={answers.path(u)}" for u in answers.usable())]


def _link(answers: Answers, flavor: str, words: list[str], programs: tuple[str, ...]) -> Built:
    name = words[0].removeprefix("IMAGE=")
    with _linking(flavor, name):
        _must(_make(flavor, *words, f"build/{flavor}-{name}/kernel.boot"), f"lab {answers.lab}")
        return _built(flavor, name, _frame(flavor, programs))


def compile_all(answers: Answers, flavor: str) -> None:
    """Everything that both images consist of: the rest is linking, which can be done side by side."""
    with _locked(flavor):
        _must(_make(flavor, *_trial(answers), "compiled"), f"lab {answers.lab}")
        _frame(flavor)
        _frame(flavor, PROGRAMS)


def link_trial(answers: Answers, flavor: str) -> Built:
    """Needs compile_all() before it."""
    return _link(answers, flavor, _trial(answers), ())


def link_plain(answers: Answers, flavor: str) -> Built:
    """Has user programs on its CD.  Needs compile_all() before it."""
    return _link(answers, flavor, _plain(answers), PROGRAMS)


def build_reference(flavor: str) -> Path:
    """A kernel without anything of a student's, as a folder: what questions are about."""
    with _locked(flavor):
        _must(_make(flavor, "IMAGE=graded-reference", "CHECKS="), "the kernel")
    return BUILD / f"{flavor}-graded-reference"


# ------------------------------------------------------------------------------------------------------------ frames


def _frame(flavor: str, programs: tuple[str, ...] = ()) -> Path:
    """The CD without its kernel."""
    out = BUILD / f"{flavor}-graded" / ("programs.iso" if programs else "frame.iso")
    sources = [Path(image.__file__), *(p for p in (ROOT / "src/user").rglob("*") if programs and p.is_file())]
    if not out.exists() or out.stat().st_mtime < max(p.stat().st_mtime for p in sources):
        image.build_frame(out, _programs(flavor, programs))
    return out


def _programs(flavor: str, names: tuple[str, ...]) -> list[tuple[str, Path]]:
    paths = [f"build/{flavor}/user/{name}.elf" for name in names]
    if paths:
        done = subprocess.run(["make", "-s", "-f", "src/user/user.mk", f"FLAVOR={flavor}", *paths], cwd=ROOT, env=_environment(),
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        _must(done, "a user program")
    return [(name, ROOT / path) for name, path in zip(names, paths)]


def calls_stub(answers: Answers, unit: str) -> bool:
    """Is the unit's file one that still says lab_todo()?"""
    try:
        text = (ROOT / answers.path(unit)).read_text(errors="replace")
    except OSError:
        return False
    return re.search(r"\blab_todo\s*\(", re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.S)) is not None
