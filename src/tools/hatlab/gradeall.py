# SPDX-License-Identifier: ISC
"""Grade several labs on several kernels, as many boots side by side as there are cores, and say what came of it.

What is printed for a lab is printed when the lab is complete, in the order asked for: the same tree gives the same text, however
busy the machine is.  Progress is shown on a terminal only.
"""

from __future__ import annotations

import concurrent.futures as futures
import json
import os
import sys
import threading
import time
from pathlib import Path

from . import gradeimage, lab as labs
from .grade import Grading, Score
from .gradeimage import Answers
from .host import HostError

WIDTH = 110


def labs_of(text: str) -> list[int]:
    """The labs that a word on the command line means."""
    known = gradeimage.labs()
    if text == "all":
        return known
    wanted = []
    for word in text.split(","):
        if not word.isdigit() or int(word) not in known:
            raise HostError(f'there is no lab "{word}": there are {", ".join(map(str, known))}, or all')
        wanted.append(int(word))
    return wanted


class Progress:
    """One line that is written over, on a terminal; nothing otherwise."""

    def __init__(self, on: bool) -> None:
        self.on = on
        self.began = time.monotonic()
        self.parts: dict[tuple[int, str], tuple[int, int]] = {}
        self.now = ""
        self.lock = threading.Lock()

    def expect(self, key: tuple[int, str]) -> None:
        self.parts[key] = (0, 1)

    def note(self, key: tuple[int, str], what: str, done: int, of: int) -> None:
        with self.lock:
            self.parts[key] = (min(done, of), max(of, 1))
            self.now = f"lab {key[0]} {key[1]}: {what}, {done} of {of}"
            self.show()

    def show(self) -> None:
        if not self.on:
            return
        share = sum(d / n for d, n in self.parts.values()) / max(len(self.parts), 1)
        passed = time.monotonic() - self.began
        left = f", about {passed / share - passed:.0f} s left" if share > 0.05 else ""
        sys.stdout.write(f"\r\x1b[K{self.now}{left}"[:WIDTH])
        sys.stdout.flush()

    def clear(self) -> None:
        if self.on:
            sys.stdout.write("\r\x1b[K")
            sys.stdout.flush()


class Run:
    """Some labs, some kernels, one student."""

    def __init__(
        self, labs: list[int], flavors: list[str], folder: str, student: str, seed: int | None, cpus: int, jobs: int | None,
        terminal: bool,
    ) -> None:
        self.labs, self.flavors, self.folder, self.student = labs, flavors, folder.rstrip("/"), student
        self.seed, self.cpus, self.terminal = seed, cpus, terminal
        self.jobs = jobs or os.cpu_count() or 1
        self.progress = Progress(terminal)
        self.scores: list[Score] = []
        self.trust = self.without_plain = False

    def grade(self) -> list[Score]:
        pairs = [(lab, flavor) for lab in self.labs for flavor in self.flavors]
        for pair in pairs:
            self.progress.expect(pair)
        # Two pools: a task of the first may wait for one of the second, never the other way round.
        with futures.ThreadPoolExecutor(self.jobs) as outer, futures.ThreadPoolExecutor(self.jobs) as inner:
            self.inner = inner
            objects = {f: outer.submit(self._objects, f) for f in self.flavors}
            tasks = [outer.submit(self._one, lab, flavor, objects[flavor]) for lab, flavor in pairs]
            for (lab, flavor), task in zip(pairs, tasks):
                score = task.result()
                self.scores.append(score)
                self._show(score)
        return self.scores

    def _objects(self, flavor: str) -> None:
        """For several labs; a single one builds what it wants."""
        gradeimage.jobs = max(1, self.jobs // len(self.flavors))
        if len(self.labs) > 1:
            gradeimage.build_objects(flavor)

    def _one(self, lab: int, flavor: str, objects: futures.Future) -> Score:
        objects.result()
        seed = self.seed if self.seed is not None else labs.seed(self.student, lab)
        g = Grading(Answers(lab, self.folder), flavor, self.student, seed, self.cpus,
                    lambda what, done, of: self.progress.note((lab, flavor), what, done, of))
        self.progress.note((lab, flavor), "building", 0, 1)
        g.trust = self.trust
        if self.without_plain:
            g.points.pop("plain", None)
        g.prepare()
        plain = self.inner.submit(g.run_plain)  # first: it takes longer
        g.build()
        answers = self.inner.submit(g.answer_rows)
        g.run_trial()
        g.score.rows = g.rows(plain.result(), answers.result())
        g.score.refused = g.answers.refused
        self.progress.note((lab, flavor), "done", 1, 1)
        return g.score

    def _show(self, score: Score) -> None:
        self.progress.clear()
        print(f"lab {score.lab}, {score.flavor} (seed {score.seed}): {score.points}/{score.maximum}")
        for row in score.rows:
            mark = self._mark(row.ok)
            line = f"  {mark} {row.points:>3}/{row.maximum:<3} {row.check}"
            print(line + (f": {row.reason}" if row.reason else ""))
        sys.stdout.flush()
        self.progress.show()

    def _mark(self, ok: bool) -> str:
        word = "ok   " if ok else "WRONG"
        if not self.terminal or "NO_COLOR" in os.environ:
            return word
        return f"\x1b[{'32' if ok else '31'}m{word}\x1b[0m"

    def write(self, path: Path) -> None:
        """build/grade.json."""
        self.progress.clear()
        rows = [
            {"lab": s.lab, "kernel": s.flavor, "check": r.check, "points": r.points, "maximum": r.maximum, "reason": r.reason,
             "seed": s.seed, **({"replay": r.replay} if r.replay else {})}
            for s in self.scores for r in s.rows
        ]
        refused = {f"{s.lab} {s.flavor}": s.refused for s in self.scores if s.refused}
        data = {"id": self.student, "refused": refused, "folder": self.folder, "cpus": self.cpus,
                "points": sum(r["points"] for r in rows), "maximum": sum(r["maximum"] for r in rows), "rows": rows}
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.{os.getpid()}")
        part.write_text(json.dumps(data, indent=1) + "\n")
        os.replace(part, path)
