# SPDX-License-Identifier: ISC
"""What a lab consists of (hatlab/lab.py), and the one line that each mistake gets."""

import re
from pathlib import Path
from tempfile import mkdtemp

from hatlab import lab as labs
from hatlab.lab import LabError
from testall import cases

TOP = Path(labs.TOP)


def refused(function, *args):
    try:
        function(*args)
    except LabError as e:
        assert "\n" not in str(e) and len(str(e)) > 15, str(e)
        return str(e)
    raise AssertionError(f"{function.__name__}{args} was taken")


def test_every_lab():
    """each lab of labs/ has its folder, its units with their files, and its functions, in the order of the table"""
    found = {lab.number: lab for lab in labs.labs()}
    assert set(range(1, 10)) <= set(found)
    rows = [line.split() for line in (TOP / "src/hat/units").read_text().splitlines() if line and line[0] != "#"]
    for lab in found.values():
        assert [(r[1], r[2]) for r in rows if r[0] == lab.name] == [(u, f) for u, fs in lab.units for f in fs]
        assert lab.folder().is_dir()
        for unit in lab.unit_names:
            assert (lab.folder() / f"{unit}.c").exists() and (lab.solutions / f"{unit}.c").exists()
            assert f"{unit}.c" in lab.student_files()
        assert set(lab.student_files()) - {f"{u}.c" for u in lab.unit_names} <= set(labs.WRITTEN)
    assert found[4].functions("hat_cache") == ("hat_cache_get", "hat_cache_put")


def test_folders():
    """a lab's folder is found from labs/, from another tree's labs/, and from itself"""
    lab = labs.get(1)
    assert lab.folder() == TOP / "labs/lab1-entries" and lab.folder("solutions") == lab.solutions
    assert lab.folder("/x/labs") == Path("/x/labs/lab1-entries") == lab.folder("/x/labs/lab1-entries")


@cases("12", "-1", "", "x", "1x", "99999999")
def test_no_such_lab(number):
    """a number that is none is refused with the numbers that there are"""
    assert "to 9" in refused(labs.get, number) or "to 10" in refused(labs.get, number)


def test_points_given():
    """the points file of each lab that has one is well formed; what is not named is 0"""
    for lab in labs.labs():
        if (lab.folder() / "points").exists():
            points = labs.points(lab)
            assert set(points) == set(labs.PARTS) and all(p >= 0 for p in points.values())
            assert sum(points.values()) == (100 if not lab.units else 30), (lab.name, points)


@cases(("word", "togther 10\n", ":1:"), ("number", "plain ten\n", ":1:"), ("negative", "plain -1\n", ":1:"),
       ("twice", "plain 1\n# x\nplain 2\n", ":3:"), ("extra", "plain 1 2\n", ":1:"), ("sum", "plain 60\nanswers 41\n", "101"),
       ("good", "# all\nplain 10 # whole kernel\n\nanswers 5\n", None))
def test_points_file(case):
    """what is wrong in a points file is said with its line"""
    name, text, said = case
    lab = labs.Lab(1, "lab1-x", ())
    top, labs.TOP = labs.TOP, Path(mkdtemp())
    try:
        assert "missing" in refused(labs.points, lab)
        (labs.TOP / "labs/lab1-x").mkdir(parents=True)
        (labs.TOP / "labs/lab1-x/points").write_text(text)
        if said:
            assert said in refused(labs.points, lab)
        else:
            assert labs.points(lab) == {"together": 0, "plain": 10, "answers": 5}
    finally:
        labs.TOP = top


@cases("a", "s1234567", "jane.doe@example.org", "x_y-Z.9", "a" * 64)
def test_good_id(text):
    """letters, digits, . _ - @, at most 64"""
    folder = Path(mkdtemp())
    (folder / "id").write_text(f"{text}\n")
    assert labs.student_id(folder) == text == labs.student_id("nowhere", text)


@cases(("path", "../x"), ("slash", "a/b"), ("dot", ".hidden"), ("dash", "-rf"), ("blank", "a b"), ("long", "a" * 65),
       ("umlaut", "m\u00fcller"), ("shell", "a;b"), ("two", "a\nb"), ("nothing", " \n"), ("zero", "a\0b"))
def test_bad_id(case):
    """anything else is refused, from the file and from ID="""
    folder = Path(mkdtemp())
    (folder / "id").write_text(case[1])
    refused(labs.student_id, folder)
    if case[1].strip():
        refused(labs.student_id, folder, case[1])


def test_no_id():
    """no id: the line says which file to write"""
    assert "labs/id" in refused(labs.student_id, Path(mkdtemp()) / "labs")


def test_seed():
    """seeds depend on id and lab, and on nothing else; they fit 32 bits; they never change"""
    assert labs.seed("jane", 1) == labs.seed("jane", labs.get(1)) == 1171554
    seeds = {labs.seed(f"s{i}", n) for i in range(300) for n in range(1, 10)}
    assert len(seeds) == 2700 and all(0 < s < 1 << 32 for s in seeds)


def test_globals():
    """an object defines the unit's functions and nothing else"""
    assert labs.wrong_globals({"f", "g"}, "u", ("f", "g")) is None
    assert labs.wrong_globals({"f"}, "u", ("f", "g")) == "unit u must define g()"
    assert re.match("h is not a function of unit u", labs.wrong_globals({"f", "h"}, "u", ("f",)))
