# SPDX-License-Identifier: ISC
"""Several copies of a unit in one image: each mistake is noticed by exactly the checks that it names, and the kernel lives on;
the same copies in a plain image run, or stop, the whole kernel."""

import re

from common import FLAVORS, TOP, boot, checks, compare, image
from testall import cases, limit

SHOWN = ("x86pte_set", "htable_create", "htable_attach")


def stub(unit):
    return next(TOP.glob(f"labs/*/{unit}.c")).relative_to(TOP)


def mistakes():
    """{name: (unit, path, checks that must notice)} of everything in solutions/*/wrong."""
    found = {}
    for path in sorted(TOP.glob("solutions/*/wrong/*.c")):
        unit, name = path.stem.split("-", 1)
        first = path.read_text().split("\n", 1)[0]
        notices = re.match(r"/\* notices: (.*) \*/$", first)
        assert notices, f"{path}: the first line does not name the checks that must notice"
        found[name] = (unit, path.relative_to(TOP), {word.strip() for word in notices[1].split(",")})
    return found


def trial_image(flavor):
    copies = [f"mine:{unit}={stub(unit)}" for unit in SHOWN]
    copies += [f"{name}:{unit}={path}" for name, (unit, path, _) in mistakes().items()]
    return image(flavor, "trial", TRIAL=" ".join(copies))


@cases(*FLAVORS)
@limit(300)
def test_mistakes_are_noticed(flavor):
    """every wrong copy fails exactly the checks in its first line, each with a reason, and the kernel lives on"""
    result = boot(flavor, "tour=0 checks=all copy=all watchdog=60000", folder=trial_image(flavor), timeout=200)
    assert result.reader.done and result.reader.done["result"] == "ok", result.problem
    failed, texts = {}, {}
    for (check, unit, copy), (verdict, text) in checks(result).items():
        failed.setdefault(copy, set())
        if verdict != "ok" and "not run:" not in text:
            failed[copy].add(check)
            texts[check, copy] = text
    for name, (unit, path, notices) in mistakes().items():
        assert failed.get(name) == notices, f"{path}: noticed by {failed.get(name)}, its first line names {notices}"
    for key, text in texts.items():
        assert len(text) > 10, (key, text)


@cases(*FLAVORS)
@limit(300)
def test_stub_hands_control_back(flavor):
    """a check that reaches a stub is `todo`, says which lab and section, and the next one runs"""
    result = boot(flavor, "tour=0 checks=all copy=mine", folder=trial_image(flavor))
    assert result.reader.done["result"] == "ok", result.problem
    verdicts = {}
    for (check, unit, copy), (verdict, text) in checks(result).items():
        verdicts.setdefault(unit, []).append((verdict, text))
    for unit in SHOWN:
        assert any(v == "todo" and "lab" in t for v, t in verdicts[unit]), verdicts[unit]
        assert not any(v == "ok" for v, t in verdicts[unit]), verdicts[unit]


@cases(*FLAVORS)
@limit(300)
def test_selected_from_power_on(flavor):
    """what only happens at boot is selected on the command line"""
    folder = trial_image(flavor)
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
    unit, wrong, _ = mistakes()["parent-hold-dropped"]
    code, text, _ = compare(flavor, folder=image(flavor, "plain-wrong", UNITS=f"{unit}={wrong}"), check=False)
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
