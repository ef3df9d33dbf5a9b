# SPDX-License-Identifier: ISC
"""Several copies of a unit in one image: each mistake is noticed by exactly the checks that it names, and the kernel lives on;
the same copies in a plain image run, or stop, the whole kernel."""

import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from common import FLAVORS, TOP, boot, checks, compare, image
from testall import cases, limit

LABS = sorted({path.parent.name for path in TOP.glob("labs/*/checks*.c")})
SHOWN = ("x86pte_set", "htable_create", "htable_attach")  # in plain images
NOTICES = re.compile(r"/\* notices(?:\[(.+?)\])?: (.*) \*/$")


@dataclass
class Mistake:
    """One file of solutions/*/wrong or right: which checks must notice it, by where ("": everywhere; i386, amd64, cpus=2, boot)."""

    name: str
    unit: str
    path: Path
    notices: dict = field(default_factory=dict)

    @property
    def lab(self):
        return self.path.parts[1]

    def wanted(self, flavor, cpus):
        found = set()
        for where in ("", flavor) + (("cpus=2", f"{flavor} cpus=2") if cpus > 1 else ()):
            found |= self.notices.get(where, set())
        return found

    def wanted_at_boot(self, flavor):
        return self.notices.get("boot", set()) | self.notices.get(f"{flavor} boot", set())


def read_notices(path):
    notices = {}
    for line in path.read_text().split("\n"):
        match = NOTICES.match(line)
        if match is None:
            break
        notices[match[1] or ""] = {word.strip() for word in match[2].split(",")}
    return notices


@cache
def answers():
    """Everything in solutions/*/wrong and solutions/*/right, by lab and name."""
    found = {}
    for path in sorted([*TOP.glob("solutions/*/wrong/*.c"), *TOP.glob("solutions/*/right/*.c")]):
        unit, name = path.stem.split("-", 1)
        key = (path.parts[-3], name)
        assert key not in found, f"two copies of the lab are called {name}: {path}"
        found[key] = Mistake(name, unit, path.relative_to(TOP), read_notices(path))
        wrong = path.parent.name == "wrong"
        assert wrong == bool(found[key].notices), f"{path}: a wrong answer names in its first line the checks that must notice"
    return found


def of_lab(lab):
    return [a for a in answers().values() if a.lab == lab]


def stubs():
    return [path.relative_to(TOP) for path in sorted(TOP.glob("labs/*/*.c")) if not path.name.startswith("checks")]


def stub(unit):
    return next(path for path in stubs() if path.stem == unit)


def trial_image(flavor, lab):
    """One lab's stubs and answers beside the reference; what is not of this lab is compiled once for all of them."""
    copies = [f"mine:{path.stem}={path}" for path in stubs() if path.parts[1] == lab]
    copies += [f"{a.name}:{a.unit}={a.path}" for a in of_lab(lab)]
    checks = sorted(str(path.relative_to(TOP)) for path in TOP.glob(f"labs/{lab}/checks*.c"))
    return image(flavor, f"trial-{number(lab)}", O=f"build/{flavor}-trial-objects", CHECKS=" ".join(checks), TRIAL=" ".join(copies))


def number(lab):
    return lab.split("-")[0]  # lab3


def noticed(result):
    """({copy: checks that failed}, {(check, copy): text}) of a run with copy=all; what is not run for another's sake says nothing."""
    failed, texts = {}, {}
    for (check, _, copy), (verdict, text) in checks(result).items():
        failed.setdefault(copy, set())
        if verdict != "ok" and "not run:" not in text:
            failed[copy].add(check)
            texts[check, copy] = text
    return failed, texts


def many_cpus():
    """Labs in which a second CPU notices more, or whose checks are about several."""
    return [lab for lab in LABS if number(lab) in ("lab8", "lab9") or any("cpus=2" in w for a in of_lab(lab) for w in a.notices)]


@cases(*[f"{f} {lab}" for f in FLAVORS for lab in LABS], *[f"{f} {lab} cpus=2" for f in FLAVORS for lab in many_cpus()])
@limit(400)
def test_mistakes_are_noticed(which):
    """every wrong copy fails exactly the checks in its first line, each with a reason, right ones none, and the kernel lives on"""
    flavor, lab, *more = which.split()
    cpus = 2 if more else 1
    result = boot(flavor, f"tour=0 checks={number(lab)} copy=all watchdog=60000", cpus=cpus, folder=trial_image(flavor, lab),
                  deadline=9_000_000_000, timeout=380)
    assert result.reader.done and result.reader.done["result"] == "ok", result.problem
    failed, texts = noticed(result)
    assert not failed.get("ref"), f"the reference fails {failed['ref']}: {texts}"
    for answer in of_lab(lab):
        wanted = answer.wanted(flavor, cpus)
        assert failed.get(answer.name, set()) == wanted, \
            f"{answer.path}: noticed by {failed.get(answer.name)}, its first line names {wanted}: {texts}"
    for key, text in texts.items():
        assert len(text) > 10, (key, text)


def boot_answers():
    return [f"{a.lab} {a.name}" for a in answers().values() if any("boot" in where for where in a.notices)]


@cases(*[f"{f} {name}" for f in FLAVORS for name in boot_answers()])
@limit(200)
def test_mistakes_at_power_on(which):
    """a wrong copy of what only happens at boot fails the checks it names, or stops the kernel, when it is selected from power-on"""
    flavor, lab, name = which.split()
    answer = answers()[lab, name]
    result = boot(flavor, f"tour=0 select={answer.unit}:{name} checks=boot copy={name}", folder=trial_image(flavor, answer.lab))
    wanted = answer.wanted_at_boot(flavor)
    if wanted == {"panic"}:
        assert result.exit in ("panic", "crash", "hang"), (result.exit, result.problem)
        return
    failed, texts = noticed(result)
    assert failed.get(name, set()) == wanted, f"{answer.path}: noticed by {failed}, its first line names {wanted}: {texts}"


@cases(*[f"{f} {lab}" for f in FLAVORS for lab in LABS])
@limit(300)
def test_stub_hands_control_back(which):
    """a check that reaches a stub is `todo`, says which lab and section, and the next one runs"""
    flavor, lab = which.split()
    result = boot(flavor, f"tour=0 checks={number(lab)} copy=mine", folder=trial_image(flavor, lab))
    assert result.reader.done["result"] == "ok", result.problem
    verdicts = {check: (verdict, text) for (check, _, copy), (verdict, text) in checks(result).items() if copy == "mine"}
    assert verdicts, "no check ran"
    for check, (verdict, text) in verdicts.items():
        assert verdict == "todo" and ("lab" in text or "not run:" in text), (check, verdict, text)


@cases(*FLAVORS)
@limit(300)
def test_selected_from_power_on(flavor):
    """what only happens at boot is selected on the command line"""
    folder = trial_image(flavor, "lab6-boot")
    result = boot(flavor, "select=htable_attach:ref", folder=folder)
    assert result.ok, result.problem
    result = boot(flavor, "select=htable_attach:mine", folder=folder)
    assert result.exit == "panic" and "htable_attach" in result.problem, result.problem
    result = boot(flavor, "select=htable_attach:leaves-not-counted", folder=folder)
    assert not result.ok and "N9" in result.problem, result.problem


@cases(*[f"{f} {u}" for f in FLAVORS for u in SHOWN])
@limit(300)
def test_plain_stub_stops(which):
    """in a plain image a stub stops the kernel with its message"""
    flavor, unit = which.split()
    result = boot(flavor, folder=image(flavor, f"plain-{unit}", UNITS=f"{unit}={stub(unit)}"))
    assert result.exit == "panic", (result.exit, result.problem)
    assert unit in result.problem and "lab" in result.problem, result.problem


@cases(*FLAVORS)
@limit(300)
def test_plain_copy_runs(flavor):
    """in a plain image another file with the right answer runs the whole kernel, and a wrong one is caught"""
    path = next(TOP.glob("solutions/*/x86pte_set.c"))
    copy = TOP / "build" / f"{flavor}-plain-right.c"
    copy.write_text(path.read_text())
    code, text, _ = compare(flavor, folder=image(flavor, "plain-right", UNITS=f"x86pte_set={copy.relative_to(TOP)}"))
    assert code == 0, text
    wrong = answers()["lab3-building", "parent-hold-dropped"]
    code, text, _ = compare(flavor, folder=image(flavor, "plain-wrong", UNITS=f"{wrong.unit}={wrong.path}"), check=False)
    assert code != 0, text


@limit(300)
def test_make_lab():
    """`make run LAB=n` runs the stubs of lab n beside the reference; with MINE=1 the whole kernel on them"""
    from common import run

    done = run("make", "run", "LAB=1", "FLAVOR=i386", "ARGS=tour=0 checks=lab1", check=False, timeout=250)
    assert done.returncode != 0 and "x86pte_set() is yours to write: lab 1" in done.stdout, done.stdout
    assert "not written yet" in done.stdout, done.stdout
    done = run("make", "run", "LAB=1", "MINE=1", "FLAVOR=i386", check=False, timeout=250)
    assert done.returncode != 0 and "is yours to write: lab 1" in done.stdout and "panics" in done.stdout, done.stdout
    done = run("make", "run", "LAB=12", "FLAVOR=i386", check=False)
    assert done.returncode != 0 and 'there is no lab "12"' in done.stdout, done.stdout
