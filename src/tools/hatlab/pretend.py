# SPDX-License-Identifier: ISC
"""The checks of a lab in the pretend machine (src/host/checks): build the program, run it, and go on behind a check that ended it.

The checks, and the framework that runs them, are those of the kernel. What differs is said in docs/quick.md.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from . import lab as labs
from .host import BUILD, ROOT, HostError, runnable

CPUS = {9: 2}       # the lab that is about several; the others' checks want one
SECONDS = 20        # of a program; the program itself gives each check less
LETTERS = {"ok": "o", "wrong": "w", "todo": "t"}
BEGIN = re.compile(r"%check-begin name=(\S+)")
END = re.compile(r"%check-end name=(\S+) result=(\S+) at=(.*?)(?: text=(.*))?$", re.M)
STUCK = re.compile(r"%stuck pc=(0x[0-9a-f]+) ms=(\d+)")
SANITIZER = re.compile(r"(?:SUMMARY: |^)(AddressSanitizer: .*|\S+:\d+:\d+: runtime error: .*)", re.M)


@dataclass
class Outcome:
    """What a lab's checks said at one width."""

    flavor: str
    verdicts: dict[str, tuple[str, str]] = field(default_factory=dict)  # check: (ok, wrong or todo; text)
    together: tuple[str, str] | None = None                             # the same for all units at once; None: not run
    programs: int = 0


def checks_of(lab: labs.Lab) -> list[str]:
    return sorted(str(p.relative_to(ROOT)) for p in lab.folder("labs").glob("checks*.c"))


def build(lab: labs.Lab, flavor: str, copies: list[str], image: str | None = None, **variables: str) -> Path:
    """The program with these copies ("mine:unit=path.c") of units beside the reference."""
    image = image or f"quick{lab.number}"
    words = [f"{name}={value}" for name, value in variables.items()]
    done = subprocess.run(
        ["make", "-s", "-f", "src/host/host.mk", f"FLAVOR={flavor}", f"IMAGE={image}", f"O=build/host-{flavor}", "PROGRAM=checks",
         f"CHECKS={' '.join(checks_of(lab))}", f"TRIAL={' '.join(copies)}", *words],
        cwd=ROOT, env=labs.clean_environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        said = [line for line in (done.stderr + done.stdout).splitlines() if line.strip() and not line.startswith("make")]
        raise HostError("\n".join([f"{flavor}: it cannot be built:", *said[:20]]))
    return BUILD / f"host-{flavor}-{image}" / "checks"


class Run:
    """The checks of a lab with one copy, in as many programs as it takes."""

    def __init__(self, program: Path, lab: int, flavor: str, seed: int, copy: str = "mine", unit: str | None = None) -> None:
        self.program, self.lab, self.seed, self.copy, self.unit = program, lab, seed, copy, unit  # unit: the only one with this copy
        self.out = Outcome(flavor)
        self.table: list = []
        self.narrow = flavor == "i386"

    def all(self) -> Outcome:
        """First what needs no power-on of its own, then that."""
        while self._once(f"lab{self.lab}", self._results() + "together=1 "):
            pass
        for check in self._power_on():
            before = len(self.out.verdicts)
            self._once(check.name, f"select={check.unit}:{self.copy} ")
            if len(self.out.verdicts) == before:
                self.out.verdicts[check.name] = self._died("")
        return self.out

    def _once(self, checks: str, words: str) -> bool:
        """One program. @return whether another one has something to do behind the check that ended it"""
        args = f"checks={checks} copy={self.copy} seed={self.seed} check_ticks=100 judge_each=0 {words}"
        environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0:symbolize=1"}
        self.out.programs += 1
        try:
            done = subprocess.run(runnable([self.program, "--test", "checks", "--cpus", str(CPUS.get(self.lab, 1)), "--args", args]),
                                  env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  timeout=SECONDS, text=True, errors="replace")
            said, code = done.stdout, done.returncode
        except subprocess.TimeoutExpired as late:
            said, code = (late.stdout or b"").decode(errors="replace"), -1
        self.last = said
        running = self._read(said)
        if code == 0:
            return False
        if running is None and END.search(said) is None:  # nobody's check is to blame, and the next program would be the same
            self.out.verdicts["(the program)"] = self._died(said)
            return False
        if running is not None:  # else: the framework gave up behind a check that it has judged
            self._note(running, *self._died(said))
        return self.out.together is None

    def _read(self, said: str) -> str | None:
        """Note all verdicts. @return the check that has none"""
        running = None
        for line in said.splitlines():
            if match := BEGIN.search(line):
                running = match[1]
            elif match := END.search(line):
                self._note(match[1], match[2], self._named(match[4] or ""))
                running = None
        return running

    def _note(self, check: str, result: str, text: str) -> None:
        if check not in self.out.verdicts:
            self.out.verdicts[check] = (result, text)
        elif result != "ok":
            self.out.together = (result, f"{check}: {text}")
        elif self.out.together is None:
            self.out.together = ("ok", "")

    def _died(self, said: str) -> tuple[str, str]:
        """Why a program ended in the middle of a check."""
        said = said or self.last
        if match := STUCK.search(said):
            return "wrong", f"still running after {int(match[2]) / 1000:g} s; stopped in {self._function(match[1])}"
        if match := re.search(r"^panic: (.*)", said, re.M):
            stub = re.search(r"\w+\(\) is yours to write: .*", match[1])
            return ("todo", stub[0]) if stub else ("wrong", f"panic: {match[1]}")
        if match := SANITIZER.search(said):
            return "wrong", self._plain(match[1])
        return "wrong", "the program ended"

    def _function(self, pc: str) -> str:
        from .symbols import Symbols

        return self._plain(Symbols.read(self.program).name(int(pc, 16)))

    def _named(self, text: str) -> str:
        return re.sub(r"<(0x[0-9a-f]+)>", lambda m: self._function(m[1]), text)

    def _plain(self, text: str) -> str:
        """Without what the trial link adds to names, and without our folder."""
        return text.replace(f"__{self.copy}", "").replace(f"{ROOT}/", "").replace("__wrap_", "")

    def _checks(self) -> list:
        if not self.table:
            from .checktable import read_checks
            from .elf import Elf

            self.table = read_checks(Elf(self.program))
        return self.table

    def _results(self) -> str:
        if not self.out.verdicts:
            return ""
        word = "".join(LETTERS[self.out.verdicts[c.name][0]] if c.name in self.out.verdicts else "-" for c in self._checks())
        return f"results={word.rstrip('-')} "

    def _power_on(self) -> list:
        return [c for c in self._checks() if c.boot and self.unit in (None, c.unit)] if self.lab == 6 else []
