# SPDX-License-Identifier: ISC
"""What is handed in is what is graded: an archive gives the score that its files give where they lie; a bad one gives none."""

import json
import re
import shutil
import tempfile
from pathlib import Path

from common import TOP, run
from hatlab import lab as labs
from hatlab import submission
from testall import limit

LAB = labs.get(5)


def grade(*options):
    out = Path(tempfile.mkdtemp()) / "grade.json"
    done = run("python3", "src/tools/grade.py", "--flavor", "amd64", "--no-plain", "--json", out, *options, check=False,
               timeout=500)
    return done, json.loads(out.read_text())["rows"] if out.exists() else None


def half_done():
    """A student's folder: two units are answered, one is a stub."""
    folder = Path(tempfile.mkdtemp(dir=TOP / "build")) / "labs"
    (folder / LAB.name).mkdir(parents=True)
    for name in LAB.student_files():
        where = "labs" if name == "hat_dump.c" else "solutions"
        shutil.copy(TOP / where / LAB.name / name, folder / LAB.name)
    (folder / "id").write_text("jane\n")
    return folder


@limit(600)
def test_same_score():
    """an archive, and the folder that it was packed from: the same lines and the same score"""
    folder = half_done()
    try:
        path = folder.parent / "x.tar.gz"
        path.write_bytes(submission.archive(submission.collect(LAB, "jane", folder)))
        done, rows = grade("--lab", LAB.number, "--folder", folder.relative_to(TOP))
        handed, handed_rows = grade("--submission", path)
        assert rows and rows == handed_rows and done.stdout == handed.stdout, (done.stdout, handed.stdout)
        points = {r["check"]: r["points"] for r in rows}
        assert points["walk-order"] > 0 and points["dump-kernel"] == 0, done.stdout
    finally:
        shutil.rmtree(folder.parent)


def test_bad_archive():
    """an archive with a Makefile in it, one of another lab, and no archive: one line, exit code 2, nothing built"""
    before = sorted((TOP / "build/submission").glob("*"))
    files = submission.collect(LAB, "jane", "solutions")
    path = Path(tempfile.mkdtemp()) / "jane.tar.gz"
    bad = ((submission.archive({**files, "Makefile": b"all:\n"}), (), "'Makefile' is not a file that you write"),
           (submission.archive(files), ("--lab", "3"), "it is of lab 5, and lab 3 was asked for"),
           (b"my lab\n", (), "not a gzip archive"))
    for data, words, said in bad:
        path.write_bytes(data)
        done, rows = grade("--submission", path, *words)
        assert done.returncode == 2 and rows is None and re.fullmatch(r"grade: jane.tar.gz: .*\n", done.stdout), done.stdout
        assert said in done.stdout
    assert sorted((TOP / "build/submission").glob("*")) == before
