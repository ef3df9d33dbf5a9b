# SPDX-License-Identifier: ISC
"""Mutants of the solutions: make the programs that have them all, run one mutant at a time, remember what became of each.

A mutant counts once. It is killed when a check or a test notices it at either width; amd64 is asked first.
"""

from __future__ import annotations

import bisect
import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Sequence
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path

from . import lab as labs
from . import mutate, pretend
from .host import BUILD, FLAVORS, ROOT, HostError, runnable

CACHE = BUILD / "mutants" / "results.json"
EQUIVALENTS = ROOT / "src/host/equivalents"
SURVIVORS = ROOT / "src/host/survivors"  # which nobody notices yet, and somebody could
PATIENCE = 700   # ms of the program's own time for one check
SECONDS = 30     # of wall time for one program
PRAGMAS = "".join(f'#pragma GCC diagnostic {how}\n' for how in (
    'error "-Wint-conversion"', 'error "-Wincompatible-pointer-types"', 'ignored "-Wunused"', 'ignored "-Wextra"',
    'ignored "-Wmaybe-uninitialized"', 'ignored "-Wuninitialized"', 'ignored "-Wparentheses"'))

# After the lab's own checks: the host tests, cheapest first.
PANIC = ["--test", "panic", "--args"]
ADOPTION = [[*PANIC, f"panic=attach-{what}", "--cpus", "1"] for what in ("reserve", "memory", "page", "link")]
HISTORY = ["--test", "history", "--every", "100", "--steps"]
TESTS = {
    "amd64": (["--test", "boot", "--cpus", "2"], ["--test", "pure", "--cpus", "2"], ["--test", "branches", "--cpus", "2"],
              ["--test", "build", "--cpus", "2"], ["--test", "build", "--cpus", "1", "--args", "kpm=0", "--no-1g"],
              ["--test", "misuse", "--cpus", "2"], ["--test", "steal", "--cpus", "2"], *ADOPTION,
              [*PANIC, "panic=end-with-shares"], [*PANIC, "panic=reserve-tables", "--kmem-fail", "3"],
              [*HISTORY, "2000", "--cpus", "2", "--seed", "2"],
              [*HISTORY, "2000", "--cpus", "3", "--seed", "6", "--kmem-fail", "3", "--args", "force_steal=2 page_fail_after=5"],
              ["--test", "branches", "--cpus", "2", "--args", "kpm=0"], ["--test", "share", "--cpus", "2"], ["--test", "replays", "--cpus", "2"],
              [*HISTORY, "10000", "--cpus", "4", "--seed", "9"]),
    "i386": (["--test", "boot", "--cpus", "2"], ["--test", "pure", "--cpus", "2"], ["--test", "branches", "--cpus", "2"],
             ["--test", "misuse", "--cpus", "2"], ["--test", "steal", "--cpus", "2"], ["--test", "pure", "--cpus", "2", "--args", "pae=0"],
             ["--test", "pure", "--cpus", "2", "--args", "pae=0 pse=0"], ["--test", "branches", "--cpus", "2", "--args", "pae=0"],
             [*HISTORY, "500", "--cpus", "3", "--seed", "4", "--args", "pae=0 pse=0"],
             [*HISTORY, "1000", "--cpus", "3", "--seed", "6", "--kmem-fail", "3", "--args", "force_steal=2 page_fail_after=5"],
             ["--test", "share", "--cpus", "2", "--args", "pae=0"]),
}
# Without assertions, a unit that asserts what its caller may not do goes on, and must do nothing: asked at one width.
RELEASE = [["--test", "misuse", "--cpus", "2"]]
ASSERTS = re.compile(r"\b(HAT_MISUSE|hat_range_ok)\b")


@dataclass
class Fate:
    """What became of one mutant."""

    mutant: mutate.Mutant
    number: int           # in its unit
    killer: str           # "" survived


class Units:
    """All units, or some, with the mutants that compile."""

    def __init__(self, names: set[str] | None = None, image: str = "mutants",
                 draw: Callable[[dict[str, mutate.Unit]], dict[str, list[mutate.Mutant]]] | None = None) -> None:
        """`image`: the programs' name, and the folder in build/; `draw` says which mutants of the units there will be, if not all."""
        self.image, self.folder = image, BUILD / image
        self.lab_of = {u: the_lab for the_lab in labs.labs() for u in the_lab.unit_names}
        self.units = {u: mutate.Unit(the_lab.solutions / f"{u}.c") for u, the_lab in self.lab_of.items() if not names or u in names}
        self.flags = {f: _flags(f) for f in FLAVORS}
        self.folder.mkdir(parents=True, exist_ok=True)
        CACHE.parent.mkdir(parents=True, exist_ok=True)
        self.drawn = draw(self.units) if draw else {u: unit.mutants for u, unit in self.units.items()}
        self.units = {u: unit for u, unit in self.units.items() if self.drawn.get(u)}
        self.dropped = 0
        with futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            self.chosen = dict(zip(self.units, pool.map(self._compiling, self.units.values())))

    def labs(self) -> list[labs.Lab]:
        """Whose units these are."""
        return list(dict.fromkeys(self.lab_of[u] for u in self.units))

    def asserting(self) -> list[str]:
        """Those that do something else where there are no assertions."""
        return [u for u, unit in self.units.items() if ASSERTS.search(unit.text)]

    def _compiling(self, unit: mutate.Unit) -> list[mutate.Mutant]:
        """The mutants that compile at both widths; writes build/mutants/UNIT.c with them."""
        public = self.lab_of[unit.name].functions(unit.name)
        note = self.folder / f"{unit.name}.json"
        key = mutate.digest(unit.text, Path(mutate.__file__).read_text(), PRAGMAS, *self.flags["amd64"])
        known = json.loads(note.read_text()) if note.exists() else {}
        chosen = self.drawn[unit.name]
        key = mutate.digest(key, *(m.key for m in chosen))
        if known.get("key") == key:
            bad = set(known["bad"])
            chosen = [m for m in chosen if m.key not in bad]
        else:
            while wrong := self._wrong(unit, public, chosen):
                chosen = [m for i, m in enumerate(chosen) if i not in wrong]
            bad = {m.key for m in self.drawn[unit.name]} - {m.key for m in chosen}
            note.write_text(json.dumps({"key": key, "bad": sorted(bad)}))
        self.dropped += len(bad)
        _write(self.folder / f"{unit.name}.c", self._text(unit, public, chosen)[0])
        return chosen

    @staticmethod
    def _text(unit, public, chosen):
        text, starts = unit.together(public, chosen)
        return PRAGMAS + text, [s + PRAGMAS.count("\n") for s in starts]

    def _wrong(self, unit, public, chosen) -> set[int]:
        """Places in `chosen` of those that do not compile."""
        text, starts = self._text(unit, public, chosen)
        path = self.folder / f"{unit.name}.c"
        _write(path, text)
        wrong: set[int] = set()
        for flavor in FLAVORS:
            done = subprocess.run([*self.flags[flavor], "-fsyntax-only", str(path.relative_to(ROOT))], cwd=ROOT, capture_output=True,
                                  text=True)
            for line in _places(done.stderr, unit.name):
                wrong.add(bisect.bisect_right(starts, line) - 2)
            if done.returncode and not wrong - {-1}:
                raise HostError(f"mutants of {unit.name} cannot be compiled: {done.stderr[:500]}")
        return wrong - {-1}


def _places(said: str, unit: str) -> list[int]:
    """Lines of errors; of one in a header's macro, the line that uses it."""
    found, waiting = [], False
    for line in said.splitlines():
        waiting = waiting or ": error: " in line
        if waiting and (match := re.match(rf"\S*\b{unit}\.c:(\d+):\d+: (error|note)", line)):
            found.append(int(match[1]))
            waiting = False
    return found


def _write(path: Path, text: str) -> None:
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def _flags(flavor: str) -> list[str]:
    done = subprocess.run(["make", "-s", "-f", "src/host/host.mk", f"FLAVOR={flavor}", "unit-flags"], cwd=ROOT,
                          env=labs.clean_environment(), capture_output=True, text=True, check=True)
    return [word for word in done.stdout.split() if word not in ("-Wall", "-Wextra", "-Werror")]


def build(units: Units, flavor: str, jobs: int, release: bool) -> dict[str, Path]:
    """A program for each lab, its checks with its units' mutants as copy "mine"; one with the host tests on all of them,
    and one without assertions."""
    path = f"build/{units.image}/%s.c"
    programs = {"tests": _make(flavor, jobs, units.image, "tests", UNITS=" ".join(f"{u}={path % u}" for u in units.units))}
    if release and units.asserting():
        programs["release"] = _make(flavor, jobs, f"{units.image}-release", "tests", f"build/host-{flavor}-release", DEBUG="0",
                                    UNITS=" ".join(f"{u}={path % u}" for u in units.asserting()))
    for the_lab in units.labs():
        programs[the_lab.name] = _make(
            flavor, jobs, f"{units.image}{the_lab.number}", "checks", CHECKS=" ".join(pretend.checks_of(the_lab)),
            TRIAL=" ".join(f"mine:{u}={path % u}" for u in the_lab.unit_names if u in units.units))
    return programs


def _make(flavor: str, jobs: int, image: str, program: str, objects: str = "", **words: str) -> Path:
    done = subprocess.run(
        ["make", "-s", f"-j{jobs}", "-f", "src/host/host.mk", f"FLAVOR={flavor}", f"IMAGE={image}",
         f"O={objects or f'build/host-{flavor}'}", f"PROGRAM={program}", *(f"{name}={value}" for name, value in words.items())],
        cwd=ROOT, env=labs.clean_environment(), capture_output=True, text=True)
    if done.returncode:
        raise HostError("mutants cannot be built: " + "\n".join(done.stderr.splitlines()[-20:]))
    return BUILD / f"host-{flavor}-{image}" / program


class Runner:
    """Runs mutants; knows what it has run before."""

    def __init__(self, units: Units, jobs: int, flavors: tuple[str, ...] = FLAVORS) -> None:
        self.units, self.jobs, self.flavors = units, jobs, flavors
        self.programs = {f: build(units, f, jobs, f == flavors[0]) for f in flavors}
        self.names = self._check_names()
        self.worlds = {"checks": world(False), "tests": world(True)}
        self.worlds["release"] = self.worlds["tests"] + repr(RELEASE)
        self.cache: dict[str, str] = json.loads(CACHE.read_text()) if CACHE.exists() else {}

    def _check_names(self) -> dict[str, list]:
        """Checks of each unit."""
        from .checktable import in_order, read_checks
        from .elf import Elf

        found: dict[str, list] = {}
        for the_lab in self.units.labs():
            for check in in_order(read_checks(Elf(self.programs[self.flavors[0]][the_lab.name]))):
                found.setdefault(check.unit, []).append(check)
        return found

    def fate(self, unit: str, number: int, mutant: mutate.Mutant, flavor: str, program: str) -> Fate:
        """What one kind of program says of it, at one width."""
        key = mutate.digest(self.worlds[program], flavor, self.units.units[unit].text, mutant.key)
        if key not in self.cache:
            self.cache[key] = self._by(unit, number, flavor, program)
        return Fate(mutant, number, self.cache[key])

    def _by(self, unit: str, number: int, flavor: str, program: str) -> str:
        name = self.units.lab_of[unit].name if program == "checks" else program
        for args in self._runs(unit, flavor, program):
            if why := self._run(self.programs[flavor][name], args, unit, number):
                return f"{flavor} {why}" + " DEBUG=0" * (program == "release")
        return ""

    def _runs(self, unit: str, flavor: str, program: str) -> Sequence[list[str]]:
        """How a program is run for this unit."""
        if program == "checks":
            return self._checks(unit)
        if program == "tests":
            return TESTS[flavor]
        return RELEASE if unit in self.units.asserting() else []

    def original(self, unit: str, flavor: str, program: str = "checks") -> str:
        """What notices the unit with no change in it: for the host tests all units are the same one."""
        key = mutate.digest(self.worlds[program], unit, flavor, program, "original")
        if key not in self.cache:
            self.cache[key] = self._by(unit, 0, flavor, program)
        return self.cache[key]

    def _checks(self, unit: str) -> list[list[str]]:
        """What to run for the checks of this unit: names until the kernel's word is full; power-on by itself."""
        plain = [c.name for c in self.names.get(unit, []) if not c.boot]
        words, now = [], ""
        for name in plain:
            if len(now) + len(name) > 200:
                words.append(now)
                now = ""
            now += ("," if now else "") + name
        cpus = "2" if self.units.lab_of[unit].number == 9 else "1"
        base = ["--test", "checks", "--patience", str(PATIENCE), "--cpus", cpus, "--args"]
        runs = [[*base, f"checks={w} copy=mine seed=1 check_ticks=100 judge_each=0"] for w in [*words, now] if w]
        boot = [c.name for c in self.names.get(unit, []) if c.boot]
        return runs + [[*base, f"checks={','.join(boot)} select={unit}:mine copy=mine seed=1"]] * bool(boot)

    def _run(self, program: Path, args: list[str], unit: str, number: int) -> str:
        """One program. @return what noticed the mutant, or nothing"""
        command = runnable([program, *args, "--mutant", f"{unit}:{number}"])
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                   errors="replace", env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0:symbolize=0",
                                                          "UBSAN_OPTIONS": "print_stacktrace=0:halt_on_error=1:symbolize=0"},
                                   preexec_fn=_limits)
        running, noticed = "", ""
        for line in process.stdout:
            if line.startswith("%check-begin"):
                running = line.split("name=")[1].split()[0]
            elif match := re.match(r"%check-end name=(\S+) result=(wrong|todo)", line):
                noticed = f"check {match[1]}"
                process.kill()
                break
        process.stdout.close()
        code = process.wait()
        if noticed or code == 0:
            return noticed
        return f"check {running}" if running else f"{' '.join(args)}" if "checks" not in args else "power-on"


def _limits() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS // 3, SECONDS // 3 + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.alarm(SECONDS)


def world(tests: bool) -> str:
    """Everything a result depends on, but the unit itself: whatever is compiled into the programs, and how they are run.

    The programs with labs' checks have the host tests in them, and do not run them.
    """
    paths = [p for pattern in ("src/hat/*.[ch]", "src/host/**/*.[ch]", "src/check/*.[ch]", "src/vm/*.[ch]", "src/x86/*.[ch]",
                               "src/sys/*.h", "src/amd64/*.[chS]", "src/i386/*.[chS]", "labs/*/checks*.[ch]", "labs/*/*.h",
                               "solutions/*/*.c", "src/host/host.mk", "src/trial.mk") for p in ROOT.glob(pattern)]
    paths = [p for p in paths if tests or not p.match("src/host/test_*.c")]
    return mutate.digest(*(p.read_text() for p in sorted(paths)), repr(TESTS) if tests else str(PATIENCE))


def listed(path: Path) -> dict[str, str]:
    """{key: reason}: a reason stands in lines that begin with #, before the mutants that it is of."""
    found: dict[str, str] = {}
    reason: list[str] = []
    fresh = False
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.startswith("#"):
            reason = reason + [line[1:].strip()] if fresh else [line[1:].strip()]
            fresh = True
        elif line.strip():
            fresh = False
            if not " ".join(reason).strip():
                raise HostError(f"{path.name}:{number}: no reason stands before it")
            if line.strip() in found:
                raise HostError(f"{path.name}:{number}: is listed twice")
            found[line.strip()] = " ".join(reason)
        else:
            fresh, reason = False, []
    return found
