# SPDX-License-Identifier: ISC
"""What each lab must have beside its units, looked at without running anything: points, checks, wrong answers, questions, scripts."""

import re
import shutil
import tempfile
from pathlib import Path

from common import FLAVORS, TOP, image, run
from hatlab import lab as labs
from testall import cases, limit

LABS = [labs.get(n).name for n in labs.numbers() if n > 0]
CHECK = re.compile(r'^CHECK\(\s*\w+,\s*"([^"]+)",\s*(?:"([^"]+)"|NULL),\s*(\d+),\s*(\d+),\s*((?:"[^"]*"\s*)+|NULL)\s*,', re.M)
NOTICES = re.compile(r"/\* notices(?:\[(?:(?:i386|amd64|cpus=2|boot) ?)+\])?: (.*) \*/$")
HEADINGS = ["Structures", "Algorithm", "Synchronisation", "Rationale"]
OF_CHECKS = 70  # points; the rest is in the file "points"
WRONG = 8  # answers that are wrong, at least


def read_checks(folder):
    """{name: (unit, lab, points, needs)} as the lab's sources declare them."""
    text = "\n".join(path.read_text() for path in sorted(folder.glob("checks*.c")))
    found = {name: (unit, int(number), int(points), " ".join(re.findall(r'"([^"]*)"', needs)).split())
             for name, unit, number, points, needs in CHECK.findall(text)}
    declared = len(re.findall(r"^CHECK\(", text, re.M))
    return found, declared


def about_checks(top, lab):
    checks, declared = read_checks(top / "labs" / lab.name)
    if declared != len(checks):
        yield f"{declared} checks are declared, and {len(checks)} names can be read: two have one name, or one is written unusually"
    total = sum(points for _, _, points, _ in checks.values())
    if total != OF_CHECKS:
        yield f"the points of its {len(checks)} checks sum to {total}, not {OF_CHECKS}"
    for unit in lab.unit_names:
        if not any(of == unit for of, *_ in checks.values()):
            yield f"no check is about {unit}"
    for name, (unit, number, points, needs) in checks.items():
        if unit not in lab.unit_names:
            yield f"check {name} is about {unit or 'nothing'}, which is no unit of this lab"
        if number != lab.number:
            yield f"check {name} says that it belongs to lab {number}"
        if points < 1:
            yield f"check {name} has no points"
        for need in needs:
            if need not in checks:
                yield f"check {name} needs {need}, which is no check of this lab"


def about_points(top, lab):
    path = top / "labs" / lab.name / "points"
    if not path.is_file():
        yield "it has no file points"
        return
    words = dict(line.split()[:2] for line in path.read_text().splitlines() if line.split("#")[0].strip())
    if words != {"together": "10", "plain": "10", "answers": "10"}:
        yield f"its file points says {words}"


def read_notices(path):
    """The checks that a wrong answer's first lines name; None: the first line names none."""
    found = None
    for line in path.read_text().splitlines():
        match = NOTICES.match(line)
        if match is None:
            break
        found = (found or set()) | {word.strip() for word in match[1].split(",")}
    return found


def about_wrong(top, lab):
    checks, _ = read_checks(top / "labs" / lab.name)
    paths = sorted((top / "solutions" / lab.name / "wrong").glob("*.c"))
    if len(paths) < WRONG:
        yield f"{len(paths)} wrong answers, want {WRONG} at least"
    for path in paths:
        notices = read_notices(path)
        if notices is None:
            yield f"wrong/{path.name} does not name in its first line who notices it"
        for name in sorted((notices or set()) - set(checks) - {"panic"}):
            yield f"wrong/{path.name} names {name}, which is no check of this lab"
        if path.stem.split("-")[0] not in lab.unit_names:
            yield f"wrong/{path.name} is about no unit of this lab"


def sections(path):
    """{heading: its numbered paragraphs}, in order."""
    found, heading = {}, ""
    for line in path.read_text().splitlines():
        if line.startswith("## "):
            heading = line[3:].strip()
            found[heading] = []
        elif heading and re.match(r"\d+\. ", line):
            found[heading].append(line.split(". ", 1)[1])
        elif heading and found[heading] and line.strip():
            found[heading][-1] += " " + line.strip()
    return found


def about_design(top, lab):
    asked, answered = (top / where / lab.name / "DESIGN.md" for where in ("labs", "solutions"))
    for path in (asked, answered):
        if not path.is_file():
            yield f"{path.relative_to(top)} is missing"
    if not asked.is_file() or not answered.is_file():
        return
    questions, answers = sections(asked), sections(answered)
    for where, found in (("template", questions), ("solution", answers)):
        if list(found) != HEADINGS:
            yield f"the headings of the {where} of DESIGN.md are {', '.join(found)}"
    for heading in HEADINGS:
        here = questions.get(heading, [])
        if not 2 <= len(here) <= 4:
            yield f"DESIGN.md asks {len(here)} questions under {heading}"
        theirs = answers.get(heading, [])
        if len(theirs) != len(here):
            yield f"DESIGN.md: {len(theirs)} answers to {len(here)} questions under {heading}"
        for n, (question, answer) in enumerate(zip(here, theirs), 1):
            if question == answer or len(answer) < 20:
                yield f"DESIGN.md: question {n} under {heading} is not answered"


def about_script(top, lab, symbols):
    path = top / "labs" / lab.name / "debug.bochs"
    if not path.is_file():
        yield "it has no debug.bochs"
        return
    text = path.read_text()
    own = "\n".join(p.read_text() for p in (top / "labs" / lab.name).glob("checks*.c"))
    for name in sorted(set(re.findall(r"@(?:phys:)?(\w+)@", text))):
        base = re.sub(r"__ref$", "", name)
        if base not in symbols and not re.search(rf"\b{base}\(", own):
            yield f"debug.bochs names {name}, which the kernel does not have"
    # not at each of its units: there are some that everything calls all the time
    if not any(f"@{function}@" in text for unit in lab.unit_names for function in lab.functions(unit)):
        yield "debug.bochs stops at no function of the lab"
    if "#:" not in text:
        yield "debug.bochs gives no advice"


def about_files(top, lab):
    for name in ("handout.md", "answers.txt"):
        if not (top / "labs" / lab.name / name).is_file():
            yield f"it has no {name}"
    if not (top / "solutions" / lab.name / "answers.txt").is_file():
        yield "the solution has no answers.txt"
    for unit in lab.unit_names:
        for where in ("labs", "solutions"):
            if not (top / where / lab.name / f"{unit}.c").is_file():
                yield f"{where}/{lab.name}/{unit}.c is missing"


def problems(top, lab, symbols):
    found = []
    for look in (about_files, about_points, about_checks, about_wrong, about_design):
        found += look(top, lab)
    return found + list(about_script(top, lab, symbols))


def kernel_symbols():
    """Of both kernels: what only one has is no name for a script that both use."""
    found = None
    for flavor in FLAVORS:
        elf = image(flavor) / "kernel.elf"
        names = {line.split()[-1] for line in run("nm", elf).stdout.splitlines()}
        found = names if found is None else found & names
    return found


def get(name):
    return labs.get(re.match(r"lab(\d+)", name)[1])


@cases(*LABS)
@limit(400)
def test_lab_is_complete(name):
    """a lab has all its files, 70 points of checks, a check for each unit, wrong answers that name checks, and answered questions"""
    found = problems(TOP, get(name), kernel_symbols())
    assert not found, f"{name}: {len(found)} things:\n  " + "\n  ".join(found)


def test_names_of_checks():
    """no two checks have one name, neither of the labs nor of the tests: checks=name would run both"""
    seen = {}
    for path in sorted([*TOP.glob("labs/lab*/checks*.c"), *TOP.glob("src/check/**/*.c")]):
        where = path.relative_to(TOP)
        text = path.read_text()
        found = [name for name, *_ in CHECK.findall(text)]
        assert len(found) == len(re.findall(r"^CHECK\(", text, re.M)), f"{where}: not every check's name can be read"
        for name in found:
            assert name not in seen, f"{name} is a check of {seen[name]} and of {where}"
            seen[name] = where
    assert len(seen) > 300, f"only {len(seen)} checks can be read"


def edit(path, old, new):
    text = path.read_text()
    assert old in text, (path, old)
    path.write_text(text.replace(old, new, 1))


LAB = "lab8-sharing"  # one that is complete
PLANTS = [
    ("points of its", lambda lab, sol: edit(lab / "checks.c", first_points(lab), first_points(lab).replace(", 8, ", ", 8, 1"))),
    ("no check is about lpage", lambda lab, sol: [edit_all(path, '"lpage"', '"hat_share"') for path in lab.glob("checks*.c")]),
    ("its file points says", lambda lab, sol: edit(lab / "points", "plain 10", "plain 20")),
    ("which is no check", lambda lab, sol: edit(first_wrong(sol), "notices: ", "notices: nobody, ")),
    ("does not name in its first line", lambda lab, sol: edit(first_wrong(sol), "/* notices", "/* noticed")),
    ("wrong answers, want", lambda lab, sol: [path.unlink() for path in sorted((sol / "wrong").glob("*.c"))[7:]]),
    ("is about no unit", lambda lab, sol: first_wrong(sol).rename(sol / "wrong" / "nothing-at-all.c")),
    ("the headings of the template", lambda lab, sol: edit(lab / "DESIGN.md", "## Rationale", "## Reasons")),
    ("answers to", lambda lab, sol: edit(sol / "DESIGN.md", "\n1. ", "\n")),
    ("is not answered", lambda lab, sol: shutil.copy(lab / "DESIGN.md", sol / "DESIGN.md")),
    ("which the kernel does not have", lambda lab, sol: edit(lab / "debug.bochs", "@hat_share@", "@hat_shares@")),
    ("stops at no function of", lambda lab, sol: (lab / "debug.bochs").write_text("#: advice\nlb @hat_free_end@\nc\n")),
    ("it has no debug.bochs", lambda lab, sol: (lab / "debug.bochs").unlink()),
    ("it has no answers.txt", lambda lab, sol: (lab / "answers.txt").unlink()),
]


def first_points(lab):
    return re.search(r", 8, (?=\d)", (lab / "checks.c").read_text())[0]


def first_wrong(sol):
    return sorted((sol / "wrong").glob("*.c"))[0]


def edit_all(path, old, new):
    path.write_text(path.read_text().replace(old, new))


@limit(400)
def test_what_is_missing_is_named():
    """each thing that is missing is named: planted one by one in a copy of a lab"""
    symbols = kernel_symbols()
    for wanted, plant in PLANTS:
        with tempfile.TemporaryDirectory() as name:
            top = Path(name)
            for where in ("labs", "solutions"):
                shutil.copytree(TOP / where / LAB, top / where / LAB)
            before = problems(top, get(LAB), symbols)
            plant(top / "labs" / LAB, top / "solutions" / LAB)
            new = [p for p in problems(top, get(LAB), symbols) if p not in before]
            assert any(wanted in p for p in new), f"planted for {wanted!r}, found: {new}"
