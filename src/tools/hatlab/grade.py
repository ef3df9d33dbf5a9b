# SPDX-License-Identifier: ISC
"""Grade a lab on one kernel: which boots there are, what each is worth, and what becomes of the rest when one dies.

    trial   every check with its own unit of the student's and the reference for all others; then, if all passed, all of the
            lab's units together.  A kernel that dies costs the check that ran; the others go on in a fresh boot.
    boot    for checks of what happens at power-on: one boot for each such unit, with the student's copy selected from there.
    plain   the whole kernel on the student's units of the lab: page tables compared at every checkpoint, programs run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from . import answers as answer_files
from . import gradeimage, plain
from . import unit as unit_rules
from .checktable import Check, in_order, read_checks
from .evidence import Seen, Verdict, Watcher
from .gradeimage import Answers, Built
from .host import ROOT, HostError

LETTERS = {"ok": "o", "wrong": "w", "todo": "t"}
BOOTS_MAX = 300


@dataclass
class Row:
    """One line of a score."""

    check: str
    points: int
    maximum: int
    reason: str = ""
    replay: dict | None = None  # for make replay

    @property
    def ok(self) -> bool:
        return self.points == self.maximum


@dataclass
class Score:
    """One lab on one kernel."""

    lab: int
    flavor: str
    seed: int
    rows: list[Row] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    boots: int = 0
    instructions: int = 0

    @property
    def points(self) -> int:
        return sum(r.points for r in self.rows)

    @property
    def maximum(self) -> int:
        return sum(r.maximum for r in self.rows)


def points_of(lab: int) -> dict[str, int]:
    """labs/labN-*/points: together, plain, answers."""
    path = ROOT / "labs" / gradeimage.lab_folder(lab) / "points"
    found: dict[str, int] = {}
    for line in path.read_text().splitlines() if path.is_file() else ():
        words = line.split("#")[0].split()
        if len(words) == 2 and words[1].isdigit():
            found[words[0]] = int(words[1])
        elif words:
            raise HostError(f"{path.relative_to(ROOT)}: not a line of two words: {line!r}")
    return found


class Grading:
    """One lab, one kernel."""

    def __init__(
        self, answers: Answers, flavor: str, student: str, seed: int, cpus: int = 1,
        progress: Callable[[str, int, int], None] | None = None,
    ) -> None:
        self.answers, self.flavor, self.student, self.cpus = answers, flavor, student, cpus
        self.lab = answers.lab
        self.points = points_of(self.lab)
        self.score = Score(self.lab, flavor, seed)
        self.progress = progress or (lambda what, done, of: None)
        self.trust = False  # link units without looking at them
        self.built: Built | None = None
        self.checks: list[Check] = []
        self.own: dict[str, Verdict] = {}
        self.together: dict[str, Verdict] = {}

    # the kernels

    def prepare(self) -> None:
        """Look at the student's files before anything is made of them; what cannot be used, or compiled, is left out."""
        if not gradeimage.units_of(self.lab):
            return
        if not self.trust:
            self.answers.refused.update(unit_rules.refusals(self.lab, ROOT / self.answers.folder, (self.flavor,)))
        try:
            gradeimage.compile_all(self.answers, self.flavor)
        except HostError:
            errors = gradeimage.compile_errors(self.answers, self.flavor)
            if not errors:
                raise
            self.answers.refused.update(errors)
            gradeimage.compile_all(self.answers, self.flavor)

    def build(self) -> None:
        """The trial image."""
        if gradeimage.units_of(self.lab):
            self.built = gradeimage.link_trial(self.answers, self.flavor)
            self.checks = in_order(read_checks(self.built.elf))

    def stubs(self) -> list[str]:
        return [u for u in self.answers.usable() if gradeimage.calls_stub(self.answers, u)]

    # the trial

    def run_trial(self) -> None:
        """Own checks and together, in as many boots as it takes."""
        if self.built is None:
            return
        for check in self.checks:
            if check.unit in self.answers.refused:
                self.own[check.name] = Verdict(check, False, "wrong", self.answers.refused[check.unit])
        each = 0
        while self._boots() and self._unjudged():
            seen = self._boot(f"{self._results()}together={self._want_together()} judge_each={each}", self._note)
            if seen.end == "done" and not seen.sound and not each and not self._unjudged():
                # Something is wrong with the kernel, and nobody knows since when: once more, judging everything every time.
                each = 1
                self._forget()
                continue
            if not seen.verdicts:
                self._dead_before(seen)
                break
        self._run_power_on()

    def _boots(self) -> bool:
        return self.score.boots < BOOTS_MAX

    def _want_together(self) -> int:
        return 0 if self.answers.refused or "together" not in self.points else 1

    def _results(self) -> str:
        known = ["-"] * len(self.checks)
        for verdict in self.own.values():
            known[verdict.check.place] = LETTERS[verdict.result]
        word = "".join(known).rstrip("-")
        return f"results={word} " if word else ""

    def _args(self, more: str) -> str:
        return f"console=e9 tour=0 lab=lab{self.lab} seed={self.score.seed} copy=mine check_ticks=100 watchdog=1500 {more}"

    def _boot(self, more: str, note: Callable[[Verdict], None], checks: str = "all") -> Seen:
        args = self._args(f"checks={checks} {more}")
        seen = Watcher(self.built.elf, self.built.with_args(args), self.cpus, note, args=args).run()
        self.score.instructions += seen.instructions
        self.score.boots += 1
        return seen

    def _note(self, verdict: Verdict) -> None:
        (self.together if verdict.together else self.own)[verdict.check.name] = verdict
        done = len(self.own) + len(self.together)
        self.progress(verdict.check.name, done, 2 * len(self.checks))

    def _forget(self) -> None:
        self.own = {n: v for n, v in self.own.items() if v.check.unit in self.answers.refused}
        self.together = {}

    def _runs(self, check: Check) -> bool:
        """Would the kernel run this check in a boot without select=?"""
        return not check.boot and self._missing_need(check) is None

    def _missing_need(self, check: Check) -> str | None:
        for need in check.needs:
            if need in self.own and self.own[need].result != "ok":
                return need
            other = next((c for c in self.checks if c.name == need), None)
            if need not in self.own and other and not other.boot and self._missing_need(other):
                return need
        return None

    def _unjudged(self) -> bool:
        """Is there something that one more boot would tell?"""
        if any(c.name not in self.own and self._runs(c) for c in self.checks):
            return True
        if not self._want_together() or any(v.result != "ok" for v in self.together.values()):
            return False
        if any(v.result != "ok" for v in self.own.values()):
            return False
        return any(c.name not in self.together for c in self._of_together())

    def _of_together(self) -> list[Check]:
        return [c for c in self.checks if not c.flags & 6 and c.unit != "-" and c.unit not in self.answers.refused]

    def _dead_before(self, seen: Seen) -> None:
        """A boot that shows no verdict: nobody's check is to blame, and the next boot would be the same."""
        for check in self.checks:
            if check.name not in self.own and self._runs(check):
                why = f"the kernel ended before this check: {seen.problem or seen.end}"
                self.own[check.name] = Verdict(check, False, "wrong", why)

    # power-on

    def _run_power_on(self) -> None:
        for unit in dict.fromkeys(c.unit for c in self.checks if c.boot):
            mine = [c for c in self.checks if c.boot and c.unit == unit]
            if unit not in self.answers.refused and self._boots():
                seen = self._boot(f"select={unit}:mine", lambda verdict: None, ",".join(c.name for c in mine))
                self._judge_power_on(mine, seen)

    def _judge_power_on(self, mine: list[Check], seen: Seen) -> None:
        told = {v.check.name: v for v in seen.verdicts}
        for check in mine:
            verdict = told.get(check.name)
            if verdict is None or (verdict.result == "ok" and not seen.sound):
                why = seen.problem or "the kernel is not sound at the end of the run"
                stub = re.search(r"\w+\(\) is yours to write: [^(]*", why)
                verdict = Verdict(check, False, "todo" if stub else "wrong", stub[0].strip() if stub else why)
            self._note(verdict)

    # the score

    def run_plain(self) -> Row | None:
        """The whole kernel on the student's units."""
        maximum = self.points.get("plain", 0)
        if not maximum or not gradeimage.units_of(self.lab):
            return None
        if self.answers.refused:
            return Row("plain", 0, maximum)
        if stubs := self.stubs():
            names = ", ".join(f"{u}.c" for u in stubs[:3]) + (" and more" if len(stubs) > 3 else "")
            return Row("plain", 0, maximum, f"not run: {names} still stop with lab_todo()")
        try:
            built = gradeimage.link_plain(self.answers, self.flavor)
        except HostError as error:
            return Row("plain", 0, maximum, str(error))
        problem, instructions = plain.run(built, self.flavor, self.lab, self.score.seed, self.cpus)
        self.score.instructions += instructions
        self.score.boots += 1
        return Row("plain", 0 if problem else maximum, maximum, problem,
                   {"check": "plain", "args": plain.args_of(self.lab, self.score.seed), "together": False})

    def answer_rows(self) -> list[Row]:
        """The measured questions."""
        if "answers" not in self.points:
            return []
        folder = ROOT / self.answers.folder / gradeimage.lab_folder(self.lab)
        image = gradeimage.build_reference(self.flavor) if any(answer_files.read(folder).values.values()) else None
        return [Row(f"answer {question}", points, maximum, reason)
                for question, points, maximum, reason in answer_files.grade(self.lab, self.flavor, folder, self.student, image)]

    def rows(self, plain_row: Row | None, answers: list[Row]) -> list[Row]:
        """Everything, in the order in which it is shown."""
        found = list(self._check_rows())
        if self.checks and "together" in self.points:
            found.append(self._together_row())
        if plain_row:
            found.append(plain_row)
            if self.answers.refused:
                plain_row.reason = self._not_usable()
        return found + answers

    def _check_rows(self) -> Iterator[Row]:
        for check in self.checks:
            verdict = self.own.get(check.name)
            if verdict is None:
                need = self._missing_need(check)
                reason = f"not run: {need} must pass first" if need else "not run"
                yield Row(check.name, 0, check.points, reason)
            else:
                ok = verdict.result == "ok"
                yield Row(check.name, check.points if ok else 0, check.points, "" if ok else verdict.text or verdict.result,
                          _replay(verdict))

    def _not_usable(self) -> str:
        return f"not run: {', '.join(f'{u}.c' for u in self.answers.refused)} cannot be used"

    def _together_row(self) -> Row:
        maximum = self.points["together"]
        lost = [c.name for c in self.checks if self.own.get(c.name) is None or self.own[c.name].result != "ok"]
        if self.answers.refused:
            return Row("together", 0, maximum, self._not_usable())
        if lost:
            more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
            return Row("together", 0, maximum, f"not run: {lost[0]}{more} must pass first")
        for verdict in self.together.values():
            if verdict.result != "ok":
                return Row("together", 0, maximum, f"{verdict.check.name}: {verdict.text or verdict.result}", _replay(verdict))
        if any(c.name not in self.together for c in self._of_together()):
            return Row("together", 0, maximum, "the run ended before all checks were repeated")
        return Row("together", maximum, maximum)


def _replay(verdict: Verdict) -> dict | None:
    """How to come there again; None where no boot was."""
    return {"check": verdict.check.name, "args": verdict.args, "together": verdict.together} if verdict.args else None
