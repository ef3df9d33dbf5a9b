# SPDX-License-Identifier: ISC
"""answers.txt: the questions, their truths, and how answers are judged (docs/answers.md)."""

import re
import tempfile
from pathlib import Path

from common import FLAVORS, TOP, image
from testall import cases, limit, needs

from hatlab import answers, facts, questions

import answers as tool

LABS = sorted(questions.LABS)
EACH = [(f"{lab} {flavor}", lab, flavor) for lab in LABS for flavor in FLAVORS]
IDS = [f"student{n}" for n in range(60)]


def given(text, lab, flavor, student=answers.SOLVER):
    """What grade() says about an answers.txt with this text."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "answers.txt").write_text(text)
        return answers.grade(lab, flavor, Path(folder), student)


@cases(*LABS)
def test_sheets(lab):
    """everybody gets questions, of which the kernel's command line can hold the scene; points add up"""
    path = answers.lab_folder(TOP / "labs", lab) / "points"
    want = re.search(r"^answers\s+(\d+)", path.read_text(), re.M) if path.exists() else None
    seen = set()
    for flavor in FLAVORS:
        for student in IDS:
            sheet = questions.sheet(lab, flavor, student)
            assert len(sheet.args) < 470, (student, len(sheet.args))
            assert sum(q.points for q in sheet.questions) == (int(want[1]) if want else 100 if lab == 0 else 10)
            assert len(set(sheet.names.values())) == len(sheet.names), sheet.names
            assert sheet.args == questions.sheet(lab, flavor, student).args
            seen.add((flavor, sheet.args, *sheet.names.values()))
            texts = [q.text for q in sheet.questions]
            assert texts == [q.text for q in questions.sheet(lab, FLAVORS[0], "another").questions]
    assert len(seen) > 100, len(seen)


@cases(*LABS)
def test_template(lab):
    """the empty file is as the tool writes it, and gets nothing"""
    folder = answers.lab_folder(TOP / "labs", lab)
    text = (folder / "answers.txt").read_text()
    assert text == answers.template(lab), f"python3 src/tools/answers.py --template --lab {lab}"
    for flavor in FLAVORS:
        found = answers.grade(lab, flavor, folder, answers.SOLVER)
        assert found and all(points == 0 and reason == "not answered" for _, points, _, reason in found), found


@needs("bochs")
@cases(*LABS)
def test_solutions(lab):
    """the file in solutions/ is what the kernel shows today, and gets everything"""
    for flavor in FLAVORS:
        image(flavor)
    folder = answers.lab_folder(TOP / "solutions", lab)
    assert (folder / "answers.txt").read_text() == tool.filled(lab), f"python3 src/tools/answers.py --fill --lab {lab}"
    for flavor in FLAVORS:
        for question, points, maximum, reason in answers.grade(lab, flavor, folder, answers.SOLVER):
            assert points == maximum and not reason, (question, reason)


@needs("bochs")
@cases(*EACH)
def test_one_wrong(case):
    """each answer alone earns its own points, and a wrong one says something that is not the right one"""
    _, lab, flavor = case
    image(flavor)
    sheet = questions.sheet(lab, flavor, answers.SOLVER)
    truths = answers.truths(sheet)
    for question in sheet.questions:
        key = f"{question.key}.{flavor}"
        alone = given(f"{key}: {truths[key]}\n", lab, flavor)
        assert [points for _, points, _, _ in alone] == [q.points if q is question else 0 for q in sheet.questions], (key, alone)
        wrong = {"letters": "Z", "words": "perhaps"}.get(question.kind, "12345")
        found = {k: (points, reason) for k, points, _, reason in given(f"{key}: {wrong}\n", lab, flavor)}
        points, reason = found[key]
        assert points == 0 and reason not in ("", "not answered"), (key, reason)
        assert truths[key] not in re.findall(r"[\w]+", reason) or truths[key].isdigit() and int(truths[key]) < 10, (key, reason)


@needs("bochs")
@cases(*FLAVORS)
@limit(400)
def test_any_image(flavor):
    """what is true does not depend on how large the kernel is"""
    image(flavor)
    larger = image(flavor, "tests")
    for lab in (0, 5, 6, 7, 8):     # the others ask nothing that memory decides
        sheet = questions.sheet(lab, flavor, "jdoe")
        seen = facts.collect(flavor, sheet.args, sheet.names, sheet.cpus, larger)
        other = {f"{q.key}.{flavor}": answers.shown(q.kind, q.truth(seen)) for q in sheet.questions}
        assert other == answers.truths(sheet), (lab, other)


@needs("bochs")
@cases(*FLAVORS)
def test_arithmetic(flavor):
    """what the machine shows is what the manual says: indices, and how many tables a set of addresses needs"""
    image(flavor)
    for student in ("jdoe", "solution"):
        sheet = questions.sheet(2, flavor, student)
        seen = facts.collect(flavor, sheet.args, sheet.names)
        shifts = (39, 30, 21, 12) if flavor == "amd64" else (30, 21, 12)
        a = sheet.names["A"]
        assert sheet.questions[0].truth(seen) == [a >> s & 511 for s in shifts]
        assert sheet.questions[1].truth(seen) == [a & ~0x1FFFFF, a | 0x1FFFFF]
        sheet = questions.sheet(0, flavor, student)
        seen = facts.collect(flavor, sheet.args, sheet.names)
        small = [sheet.names[n] for n in "ABC"]
        tables = {(s, va >> s) for va in small for s in shifts[:-1]}
        tables |= {(s, sheet.names["L"] >> s) for s in shifts[:-2]}
        assert next(q for q in sheet.questions if q.key == "q9").truth(seen) == len(tables) + 1


def test_counter():
    """the counter of flushes stands where it is read"""
    text = re.search(r"struct hatstats \{(.*?)\};", (TOP / "src/hat/htable.h").read_text(), re.S)[1]
    assert re.findall(r"\bhs_\w+", text).index("hs_tlb_invals") == facts.FLUSHES


READ = [
    ("comment", "# q1.i386: 5\n", {}, 0),
    ("plain", "q1.i386: 5\nq1.amd64:\t6 \n", {"q1.i386": "5", "q1.amd64": "6"}, 0),
    ("empty", "q1.i386:\nq2.i386: \n", {"q1.i386": "", "q2.i386": ""}, 0),
    ("indented", "w1:\n    one\n\n    two\n# x\nw2: three\n", {"w1": "one\n\ntwo", "w2": "three"}, 0),
    ("twice", "q1.i386: 5\nq1.i386: 6\n", {"q1.i386": "5"}, 1),
    ("noise", "what is this\n  more\nq1.i386: 5\n", {"q1.i386": "5"}, 2),
]


@cases(*READ)
def test_parse(case):
    """lines are read as documented, and what cannot be read is named with its line"""
    _, text, values, problems = case
    found = answers.parse(text)
    assert found.values == values and len(found.problems) == problems, found
    assert all(re.match(r"answers.txt:\d+: ", p) for p in found.problems)


JUDGED = [
    ("decimal", "number", "5", 5, None), ("hex", "number", "0x5", 5, None), ("word", "number", "five", 5, "is no number"),
    ("two", "number", "5 6", 5, "one number is wanted"), ("octal", "number", "010", 10, None), ("large", "number", "6", 5, "too large"),
    ("huge", "number", "9" * 40, 5, "is no number"), ("unaligned", "number", "0x1001", 0x2000, "not a multiple of 4096"),
    ("list", "numbers", "1, 2 3", [1, 2, 3], None), ("short", "numbers", "1 2", [1, 2, 3], "3 numbers are wanted, here are 2"),
    ("place", "numbers", "1 2 4", [1, 2, 3], "wrong at place 3"), ("letters", "letters", "c A", "AC", None),
    ("none", "letters", "none", "", None), ("missing", "letters", "A", "AC", "1 missing"), ("many", "letters", "ABC", "AB", "1 too many"),
    ("marks", "words", "ad -- a-", ["ad", "--", "a-"], None), ("case", "words", "4k 2m", ["4K", "2M"], None),
    ("frame", "bits", "0x8000000000123027", 0x8000000000000027, "the frame number is in it"),
    ("nx", "bits", "0x27", 0x8000000000000027, "highest bit"), ("binary", "letters", "\x00\x7f", "A", "letters are wanted"),
]


@cases(*JUDGED)
def test_judge(case):
    """an answer is right, or gets a reason"""
    _, kind, text, want, reason = case
    found = answers.judge(questions.Question("q1", 1, kind, "?", lambda f: want), text, facts.Facts({}))
    assert (found is None) if reason is None else (found and reason in found), found


def test_hostile():
    """files that are huge, binary, or folders give no points and no trouble"""
    for data in (b"\xff\xfe" * 100, b"q1.i386: 5\n" * 10000, b"q1.i386: " + b"9" * 60000, b""):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "answers.txt").write_bytes(data)
            answers.read(Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "answers.txt").mkdir()
        assert answers.read(Path(folder)).problems == ["answers.txt is missing"]
        assert all(reason == "answers.txt is missing" for _, _, _, reason in answers.grade(3, "i386", Path(folder), "jdoe"))


WRONG = sorted((TOP / "solutions").glob("lab*/wrong/*.txt"))


@needs("bochs")
@cases(*[(path.stem, path) for path in WRONG])
def test_wrong(case):
    """a plausible wrong answer loses exactly the questions that its first line names"""
    _, path = case
    text = path.read_text()
    named = re.match(r"# loses: (\S+(?: \S+)*)\n", text)[1].split()
    wrong = answers.parse(text)
    assert not wrong.problems and set(wrong.values) == set(named), wrong
    right = answers.read(path.parents[1])
    lab = int(re.match(r"lab(\d+)", path.parents[1].name)[1])
    lines = "".join(f"{key}: {value}\n" for key, value in {**right.values, **wrong.values}.items() if key[0] == "q")
    lost = []
    for flavor in FLAVORS:
        image(flavor)
        lost += [key for key, points, _, _ in given(lines, lab, flavor) if points == 0]
    assert sorted(lost) == sorted(named), lost


def test_wrong_are_enough():
    """lab 0 has at least eight"""
    assert len([p for p in WRONG if p.parents[1].name.startswith("lab0-")]) >= 8
