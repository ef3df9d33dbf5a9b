# SPDX-License-Identifier: ISC
"""The grader: no points for nothing, all for everything, and between them exactly what a mistake is worth."""

import json
import re
import shutil

from common import FLAVORS, TOP, boot, run
from testall import cases, limit

PARTS = ("together", "plain")


def unit_folder(lab):
    return next(TOP.glob(f"labs/lab{lab}-*")).name


def student(name, lab, base="solutions", **units):
    """A folder of one student's files for one lab: those of `base`, some units from elsewhere. The rest keeps its dates."""
    folder = TOP / "build/grade-tests" / name
    place = folder / unit_folder(lab)
    place.mkdir(parents=True, exist_ok=True)
    for path in sorted((TOP / base / unit_folder(lab)).glob("*")):
        if path.is_file() and not path.name.startswith("checks"):
            source = TOP / units[path.stem] if path.suffix == ".c" and path.stem in units else path
            if not (place / path.name).exists() or (place / path.name).read_bytes() != source.read_bytes():
                shutil.copyfile(source, place / path.name)
    return folder.relative_to(TOP)


def grade(lab, flavor, folder, *options, name="grade"):
    """({(lab, check): row}, text) of one grading."""
    out = TOP / "build/grade-tests" / f"{name}-{flavor}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    done = run("python3", "src/tools/grade.py", "--lab", lab, "--flavor", flavor, "--folder", folder, "--json", out,
               "--id", "solution", *options,
               check=False, env={"WERROR": "-Werror"}, timeout=550)  # as CI has it: no reason to fail a student's file
    assert done.returncode in (0, 1) and re.search(r"Score: \d+/\d+\n$", done.stdout), done.stdout
    rows = json.loads(out.read_text())["rows"]
    assert f"Score: {sum(r['points'] for r in rows)}/{sum(r['maximum'] for r in rows)}\n" in done.stdout
    return {(r["lab"], r["check"]): r for r in rows}, done.stdout


def lost(rows):
    """What lost points; answers of labs/ are those of nobody."""
    return {check for (_, check), r in rows.items() if r["points"] < r["maximum"]}


def unit_of(lab):
    """{check: unit} of a lab, from its sources."""
    found = {}
    for path in TOP.glob(f"labs/lab{lab}-*/checks*.c"):
        found.update(re.findall(r'^CHECK\(\w+,\s*"([^"]+)",\s*"([^"]+)"', path.read_text(), re.M))
    return found


@cases(*FLAVORS)
@limit(600)
def test_stubs(flavor):
    """untouched stubs of all labs: no points, and each line says why"""
    rows, text = grade("all", flavor, "labs", name="stubs")
    assert all(r["points"] == 0 for r in rows.values()), text
    assert all(r["reason"] for r in rows.values()), text


@cases(*FLAVORS)
@limit(600)
def test_solutions(flavor):
    """the solutions of all labs: all points"""
    rows, text = grade("all", flavor, "solutions", name="solutions")
    assert not lost(rows), text


@cases(*FLAVORS)
@limit(600)
def test_solutions_two_cpus(flavor):
    """the same with two CPUs"""
    rows, text = grade("all", flavor, "solutions", "--cpus", "2", name="solutions-2")
    assert not lost(rows), text


@cases(*FLAVORS)
@limit(300)
def test_seeds(flavor):
    """no check of a lab has a bad day: the reference passes with 3 other seeds"""
    words = "tour=0 checks=all copy=ref judge_each=0 seeds=3 seed=1000 watchdog=60000"
    result = boot(flavor, words, deadline=9_000_000_000, timeout=280)
    assert result.ok, result.problem


@cases("i386 3 htable_chain_insert", "amd64 1 x86pte_get", "amd64 4 htable_chain_remove", "i386 5 htable_scan", "amd64 8 hat_share")
@limit(300)
def test_one_unit(which):
    """one unit answered, the others left as stubs: exactly the points of its checks, and the same bytes when graded again"""
    flavor, lab, unit = which.split()
    folder = student(f"one-{unit}", int(lab), base="labs", **{unit: f"solutions/{unit_folder(lab)}/{unit}.c"})
    rows, text = grade(int(lab), flavor, folder, name=f"one-{unit}")
    mine = {check for check, u in unit_of(lab).items() if u == unit}
    assert mine and lost(rows) == {c for _, c in rows} - mine, text
    if unit == "htable_chain_insert":
        assert grade(int(lab), flavor, folder, name=f"one-{unit}")[1] == text


@cases("amd64 parent-hold-kept", "i386 create-never-ends")
@limit(300)
def test_mistake(which):
    """a mistake costs the checks that its first line names, those that need them, and what uses all units; not more"""
    flavor, name = which.split()
    wrong = next(TOP.glob(f"solutions/lab3-*/wrong/htable_create-*{name.removeprefix('create-')}.c"))
    notices = re.match(r"/\* notices: (.*) \*/", wrong.read_text())[1].replace(",", " ").split()
    folder = student(name, 3, htable_create=wrong.relative_to(TOP))
    rows, text = grade(3, flavor, folder, name=name)
    for check in lost(rows):
        reason = rows[3, check]["reason"]
        assert check in notices or check in PARTS or reason.startswith("not run: "), (check, text)
    assert set(notices) <= lost(rows) and "together" in lost(rows), text


DEATHS = {
    "x86pte_get": ("never-ends", "still running after"),
    "x86pte_set": ("panics", "the tables are gone"),
    "x86pte_inval": ("triple-fault", "triple fault"),
    "x86pte_update": ("stack-overflow", "stack"),
    "x86pte_copy": ("deadlock", "deadlock: waits for"),
}


@cases(*FLAVORS)
@limit(300)
def test_deaths(flavor):
    """an endless loop, a panic, a triple fault, a stack overflow and a deadlock: each its own words, and nobody else's points"""
    units = {unit: f"src/tests/deaths/{unit}-{how}.c" for unit, (how, _) in DEATHS.items()}
    rows, text = grade(1, flavor, student("deaths", 1, **units), "--trust", name="deaths")
    of = unit_of(1)
    assert lost(rows) - set(PARTS) == {check for check, unit in of.items() if unit in DEATHS}, text
    for unit, (_, words) in DEATHS.items():
        reasons = [rows[1, check]["reason"] for check, u in of.items() if u == unit]
        assert any(words in r for r in reasons), (unit, reasons)


TRUSTED = ("changes-check", "reports", "ends-the-run", "knows-thread")  # refused, but they must not win where they are not
CHEATS = sorted(p.stem for p in TOP.glob("src/tests/cheats/*.c")
                if p.read_text().startswith("/* worth 0") or p.stem.split("-", 1)[1] in TRUSTED)


@cases(*[f"{FLAVORS[i % 2]} {name}" for i, name in enumerate(CHEATS)])
@limit(300)
def test_cheats(which):
    """whoever prints results, calls the framework, or changes its data or the text, gets no point, even where it is trusted"""
    flavor, name = which.split()
    unit = name.split("-")[0]
    folder = student(name, 1, **{unit: f"src/tests/cheats/{name}.c"})
    rows, text = grade(1, flavor, folder, "--trust", "--no-plain", name=name)
    of = unit_of(1)
    assert not [c for c in of if of[c] == unit and rows[1, c]["points"]], text
    assert not [c for c in of if of[c] != unit and not rows[1, c]["points"]], text
    assert rows[1, "together"]["points"] == 0, text


@cases(*FLAVORS)
@limit(300)
def test_drill(flavor):
    """what is in no checkpoint of the tour: the first step of a drill behind which the tables are not the model's"""
    folder = student("drill", 1, x86pte_set="solutions/lab1-entries/wrong/x86pte_set-lost-ad.c")
    rows, text = grade(1, flavor, folder, name="drill")
    assert re.fullmatch(r"step \d+ of a drill, load, write, load again: address space (\d), 0x(\w+), .*: address space \1: 0x\2, level 0: "
                        r"the entry in memory is 0x\w+[07]7, want 0x\w+67 \(drill=.*\)", rows[1, "plain"]["reason"]), text


@limit(300)
def test_not_compiled():
    """a unit that does not compile, is missing, or is refused costs its own points only"""
    units = {"htable_create": "src/tests/deaths/no-c.c", "link_ptp": "src/tests/cheats/x86pte_set-assembler-by-macro.c"}
    folder = student("not-compiled", 3, **units)
    (TOP / folder / unit_folder(3) / "htable_chain_insert.c").unlink()
    rows, text = grade(3, "amd64", folder, name="not-compiled")
    of = unit_of(3)
    for check, unit in of.items():
        assert (rows[3, check]["points"] > 0) == (unit == "htable_alloc"), (check, text)
    assert rows[3, "plain"]["points"] == rows[3, "together"]["points"] == 0, text


@limit(300)
def test_replay():
    """make replay stops where a lost check begins to use the student's code, with its symbols"""
    folder = student("replay", 3, htable_create="solutions/lab3-building/wrong/htable_create-no-link.c")
    _, text = grade(3, "amd64", folder, "--no-plain", name="replay")
    shutil.copyfile(TOP / "build/grade-tests/replay-amd64.json", TOP / "build/grade-tests/replayed.json")
    done = run("python3", "src/tools/replay.py", "--check", "create-path", "--result", "build/grade-tests/replayed.json",
               check=False)
    assert done.returncode == 0 and "Stopped: a breakpoint in evidence_copy_on" in done.stdout, done.stdout
    assert "check_create_path" in done.stdout, done.stdout
