# SPDX-License-Identifier: ISC
"""Handing in and taking in (hatlab/handin.py, submission.py): what is packed, and everything that is refused."""

import gzip
import io
import os
import random
import re
import shutil
import subprocess
import tarfile
from pathlib import Path
from tempfile import mkdtemp

from hatlab import handin, submission
from hatlab import lab as labs
from hatlab.lab import LabError
from testall import cases, seed

TOP = labs.TOP
LAB = labs.get(5)
UNITS = {"id": b"jane\n", **{f"{LAB.name}/{name}": (LAB.folder() / name).read_bytes() for name in LAB.student_files()}}
FAKE = """#!/bin/sh
echo "grade $*"
{}
echo "  create-plain ok 5/5"
echo "Score: 12/200"
"""


def student_tree(**files):
    """A copy of labs/, as a student has it."""
    folder = Path(mkdtemp()) / "labs"
    shutil.copytree(LAB.folder(), folder / LAB.name)
    (folder / "id").write_text("jane\n")
    for name, text in files.items():
        (folder / LAB.name / name.replace("_", ".", 1) if name.endswith("_md") else folder / LAB.name / name).write_text(text)
    return folder


def fake_grader(line="", text=FAKE):
    path = Path(mkdtemp()) / "grade"
    path.write_text(text.replace("{}", line))
    path.chmod(0o755)
    return path


def run_handin(folder, *args, grader=None):
    """(exit code, output, folder of archives)"""
    out = Path(mkdtemp()) / "handin"
    env = dict(os.environ, HATLAB_GRADER=str(grader or fake_grader()))
    command = ["python3", "src/tools/handin.py", "--lab", str(LAB.number), "--folder", str(folder), "--out", str(out), *args]
    done = subprocess.run(command, cwd=TOP, env=env, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    print(done.stdout)
    return done.returncode, done.stdout, out


# ---------------------------------------------------------------------- handing in

def test_packs_what_is_the_students():
    """exactly the lab's files and the id, the grader's own words, and its score in the last line"""
    folder = student_tree()
    (folder / LAB.name / "notes.txt").write_text("mine\n")
    (folder / LAB.name / "Makefile").write_text("all:\n")
    code, text, out = run_handin(folder)
    assert code == 0 and text.endswith("Lab 5, jane: score 12/200\n"), text
    assert f"grade --lab 5 --folder {folder} --id jane" in text and "create-plain ok" in text
    path = out / "lab5-jane.tar.gz"
    assert [p.name for p in out.iterdir()] == [path.name]
    with tarfile.open(path) as tar:         # an ordinary reader reads it, too
        assert tar.getnames() == sorted(UNITS)
        assert all((m.mtime, m.uid, m.gid, m.mode, m.uname) == (0, 0, 0, 0o644, "") for m in tar)
        for name, data in UNITS.items():
            assert tar.extractfile(name).read() == data
            assert re.search(rf"^  {re.escape(name)} +{len(data)} bytes$", text, re.M)
    code, again, out2 = run_handin(folder)
    assert (out2 / path.name).read_bytes() == path.read_bytes(), "two runs, two archives"


def test_replaces_and_says_so():
    """an archive that is there is replaced, and the line says whether it was another one"""
    folder, out = student_tree(), Path(mkdtemp())
    os.environ["HATLAB_GRADER"] = str(fake_grader())
    said = []
    handin.hand_in(LAB, folder, None, out, said.append)
    handin.hand_in(LAB, folder, None, out, said.append)
    assert sum("the same as before" in line for line in said) == 1 and not any("earlier one" in line for line in said)
    with open(folder / LAB.name / "hat_dump.c", "a") as f:
        f.write("/* more */\n")
    handin.hand_in(LAB, folder, None, out, said.append)
    assert sum("in place of an earlier one that was different" in line for line in said) == 1
    assert b"/* more */" in submission.read(out / "lab5-jane.tar.gz").files["lab5-walking/hat_dump.c"]


def test_id_given():
    """ID= counts more than the file, and is in the archive and its name"""
    code, text, out = run_handin(student_tree(), "--id", "other@x.org")
    assert code == 0 and submission.read(out / "lab5-other@x.org.tar.gz").student == "other@x.org"


@cases(("no-id", "id", None, "id is missing"), ("bad-id", "id", "a/b\n", "cannot be an id"),
       ("no-unit", "lab5-walking/hat_dump.c", None, "lab5-walking/hat_dump.c is missing"),
       ("syntax", "lab5-walking/hat_dump.c", "nonsense\n", "hat_dump.c does not compile for i386: line 1"),
       ("cheat", "lab5-walking/hat_dump.c",
        '#include <x86/cpufunc.h>\nvoid hat_dump(void) { magic_break(); }\n', "not for units"),
       ("big", "lab5-walking/hat_dump.c", "/*" + "x" * (256 << 10) + "*/", "bytes long"))
def test_nothing_packed(case):
    """what cannot be graded is not packed: one line, exit code 1"""
    _, name, text, said = case
    folder = student_tree()
    if text is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(text)
    code, output, out = run_handin(folder)
    assert code == 1 and said in output and "Traceback" not in output and not out.exists()
    assert output.strip().split("\n")[-1].startswith("handin: ")


def test_link_is_not_packed():
    """a unit that is a link to some other file of the machine"""
    folder = student_tree()
    (folder / LAB.name / "hat_dump.c").unlink()
    (folder / LAB.name / "hat_dump.c").symlink_to("/etc/passwd")
    code, output, out = run_handin(folder)
    assert code == 1 and "not a plain file" in output and not out.exists()


@cases(("no-score", "exit 3", "ended (exit code 3) without a score"), ("killed", "kill -9 $$", "without a score"))
def test_grader_fails(case):
    """no score, no archive"""
    code, output, out = run_handin(student_tree(), grader=fake_grader(case[1]))
    assert code == 1 and case[2] in output and not out.exists()


def test_score_must_be_last():
    """a kernel that prints a score line does not make one"""
    grader = fake_grader(text="#!/bin/sh\necho 'Score: 100/100'\necho 'and so on'\n")
    code, output, out = run_handin(student_tree(), grader=grader)
    assert code == 1 and "without a score" in output and not out.exists()


def test_changed_meanwhile():
    """what was graded is what is packed"""
    folder = student_tree()
    code, output, out = run_handin(folder, grader=fake_grader(f"echo >> {folder}/{LAB.name}/hat_dump.c"))
    assert code == 1 and "changed while" in output and not out.exists()


@cases("", "12", "x", "../1")
def test_no_such_lab(number):
    """no lab of that name: one line"""
    done = subprocess.run(["python3", "src/tools/handin.py", "--lab", number], cwd=TOP, text=True, capture_output=True)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and done.stderr.startswith("handin: "), done.stderr


def test_design_not_written():
    """sections as they were given out are named, others are not; the answers have written all of theirs"""
    for lab in labs.labs():
        if (lab.folder() / "DESIGN.md").exists():
            template = (lab.folder() / "DESIGN.md").read_text()
            titles = re.findall(r"^## (.*)$", template, re.M)
            assert titles == ["Structures", "Algorithm", "Synchronisation", "Rationale"], lab.name
            assert handin.unwritten(lab, template) == titles == handin.unwritten(lab, template.replace(". ", ".\n  "))
            assert handin.unwritten(lab, template.replace("\n## Algorithm", "\nMine.\n\n##  Algorithm ")) == titles[1:]
            assert handin.unwritten(lab, "") == titles
            assert handin.unwritten(lab, (lab.solutions / "DESIGN.md").read_text()) == []


def test_templates():
    """labs/templates is what `python3 src/tools/handin.py --templates` writes"""
    assert handin.TEMPLATES.read_text() == handin.templates_text(), "run python3 src/tools/handin.py --templates"


# ---------------------------------------------------------------------- taking in

def take(data, number=None):
    """None when an archive is taken, else the line that refuses it; nothing may have been written then."""
    path = Path(mkdtemp()) / "handed-in.tar.gz"
    path.write_bytes(data)
    try:
        submission.read(path, number)
    except LabError as e:
        assert "\n" not in str(e) and "handed-in.tar.gz" in str(e), str(e)
        return str(e)
    return None


def tar_of(*extra, files=None, format=tarfile.USTAR_FORMAT):
    """An archive as some other program writes it: [(name, content or TarInfo's fields)] behind the lab's files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", format=format) as tar:
        for name, content in [*(UNITS if files is None else files).items(), *extra]:
            info = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
            else:
                for key, value in content.items():
                    setattr(info, key, value)
                tar.addfile(info)
    return out.getvalue()


def without(name):
    return {k: v for k, v in UNITS.items() if k != name}


def instead_of(name, **fields):
    return tar_of((name, fields), files=without(name))


def raw(data):
    return gzip.compress(data, mtime=0)


def test_round_trip():
    """what is packed is taken, files and id the same, in a folder by its content"""
    data = submission.archive(UNITS)
    assert data == submission.archive(dict(reversed(UNITS.items())))
    path = Path(mkdtemp()) / "x.tar.gz"
    path.write_bytes(data)
    found = submission.read(path, 5)
    assert (found.lab, found.student, found.files) == (LAB, "jane", UNITS)
    folder = submission.extract(found)
    try:
        assert folder.parent.parent == TOP / "build/submission" and folder.name == "labs"
        assert submission.tree(folder) == UNITS
        before = (folder / "id").stat().st_mtime_ns
        (folder / LAB.name / "Makefile").write_text("left by somebody\n")
        assert submission.tree(submission.extract(found)) == UNITS      # clean again
        before = (folder / "id").stat().st_mtime_ns
        submission.extract(found)
        assert (folder / "id").stat().st_mtime_ns == before             # and not touched without need
    finally:
        shutil.rmtree(folder.parent)


def test_other_tar_is_taken():
    """plain files in an archive that another program has made"""
    assert take(tar_of()) is None and take(tar_of(format=tarfile.GNU_FORMAT)) is None


SOLUTION = f"{LAB.name}/hat_dump.c"
REFUSED = {
    "makefile": (lambda: tar_of(("Makefile", b"all:\n")), "'Makefile' is not a file that you write for lab 5"),
    "checks": (lambda: tar_of((f"{LAB.name}/checks.c", b"")), "is not a file that you write"),
    "points": (lambda: tar_of((f"{LAB.name}/points", b"")), "is not a file that you write"),
    "source": (lambda: tar_of(("src/check/check.c", b"")), "is not a file that you write"),
    "deeper": (lambda: tar_of((f"{LAB.name}/x/hat_dump.c", b"")), "is not a file that you write"),
    "climbs": (lambda: tar_of((f"{LAB.name}/../../Makefile", b"")), "climbs out"),
    "climbs-first": (lambda: tar_of(("../x", b"")), "climbs out"),
    "backslash": (lambda: tar_of(("..\\x", b"")), "climbs out"),
    "absolute": (lambda: tar_of(("/etc/passwd", b"")), "absolute path"),
    "dot-slash": (lambda: tar_of((f"./{LAB.name}/hat_walk.c", b"")), "is not a file that you write"),
    "blank": (lambda: tar_of(("a b", b"")), "no name for a file"),
    "umlaut": (lambda: tar_of(("m\u00fc", b"")), "no name for a file"),
    "link": (lambda: instead_of(SOLUTION, type=tarfile.SYMTYPE, linkname="/etc/passwd"), "is a link"),
    "hard-link": (lambda: instead_of(SOLUTION, type=tarfile.LNKTYPE, linkname="id"), "is a hard link"),
    "device": (lambda: instead_of(SOLUTION, type=tarfile.CHRTYPE), "is a device"),
    "pipe": (lambda: instead_of(SOLUTION, type=tarfile.FIFOTYPE), "is a pipe"),
    "folder": (lambda: tar_of((LAB.name, {"type": tarfile.DIRTYPE})), "is a folder"),
    "long-name": (lambda: tar_of(("x" * 120, b""), format=tarfile.GNU_FORMAT), "is a long name"),
    "extended": (lambda: tar_of(("x" * 120, b""), format=tarfile.PAX_FORMAT), "is an extended header"),
    "twice": (lambda: tar_of((SOLUTION, b"int x;\n")), "is in it twice"),
    "huge-file": (lambda: tar_of((SOLUTION, bytes(300 << 10)), files=without(SOLUTION)), "307200 bytes long"),
    "claims-huge": (lambda: raw(submission.header(SOLUTION, 1 << 30) + bytes(1024)), "bytes long"),
    "many": (lambda: tar_of(*((f"f{i}", b"") for i in range(80))), "more than 64 files"),
    "bomb": (lambda: raw(bytes(64 << 20)), "unpacks to more than"),
    "huge": (lambda: os.urandom(2 << 20), "at most 1048576"),
    "empty": (lambda: b"", "ends too early"),
    "text": (lambda: b"hello, this is my lab\n" * 40, "not a gzip archive"),
    "plain-tar": (lambda: gzip.decompress(tar_of()), "not a gzip archive"),
    "cut": (lambda: tar_of()[:-300], "ends too early"),
    "cut-trailer": (lambda: tar_of()[:-4], "ends too early"),
    "trailing": (lambda: tar_of() + b"x", "follow the end"),
    "second-stream": (lambda: tar_of() + tar_of(), "follow the end"),
    "checksum": (lambda: tar_of()[:-8] + b"\0\0\0\0" + tar_of()[-4:], "damaged"),
    "inner-cut": (lambda: raw(gzip.decompress(submission.archive(UNITS))[:2048 + 700]), "damaged"),
    "no-end": (lambda: raw(gzip.decompress(submission.archive(UNITS))[:-1024]), "does not end"),
    "after-end": (lambda: raw(gzip.decompress(submission.archive(UNITS)) + b"#!/bin/sh\n"), "does not end"),
    "header": (lambda: raw(b"x" * 2048), "there is no header"),
    "negative": (lambda: raw(submission.header(SOLUTION, 0).replace(b"00000000000\0", b"-0000000001\0", 1) + bytes(1024)),
                 "no header"),
    "nothing": (lambda: raw(bytes(1024)), "no files of a lab"),
    "only-id": (lambda: tar_of(files={"id": b"jane\n"}), "no files of a lab"),
    "no-such-lab": (lambda: tar_of(files={"id": b"jane\n", "lab77-x/a.c": b""}), 'no lab "77"'),
    "two-labs": (lambda: tar_of(("lab1-entries/pte_cas.c", b"")), "several labs"),
    "false-name": (lambda: tar_of(files={k.replace("lab5-walking", "lab5-other"): v for k, v in UNITS.items()}),
                   "is not a file that you"),
    "no-unit": (lambda: tar_of(files=without(SOLUTION)), "is not in it"),
    "no-id": (lambda: tar_of(files=without("id")), "no id in it"),
    "bad-id": (lambda: tar_of(("id", b"../../x\n"), files=without("id")), "cannot be an id"),
    "binary-id": (lambda: tar_of(("id", b"\xff\0"), files=without("id")), "cannot be an id"),
}


def test_refused():
    """anything else in an archive, or anything wrong with it: refused with its own line, nothing extracted"""
    before = sorted((TOP / "build/submission").glob("*"))
    for name, (make, said) in REFUSED.items():
        reason = take(make())
        assert reason is not None and said in reason, f"{name}: {reason}"
    assert sorted((TOP / "build/submission").glob("*")) == before


def test_wrong_lab():
    """an archive of another lab than the one asked for"""
    assert "it is of lab 5, and lab 3 was asked for" in take(submission.archive(UNITS), 3)
    assert take(submission.archive(UNITS), 5) is None


def test_not_a_file():
    """no such file, a folder, a pipe"""
    folder = Path(mkdtemp())
    os.mkfifo(folder / "pipe")
    for path in (folder / "none", folder, folder / "pipe"):
        try:
            submission.read(path)
        except LabError as e:
            assert "\n" not in str(e)
            continue
        raise AssertionError(path)


def test_damage():
    """an archive with a bit turned anywhere is refused, or is still the same"""
    rng, data = random.Random(seed()), submission.archive(UNITS)
    tar = gzip.decompress(data)
    for source, wrap in ((data, bytes), (tar, raw)):
        for _ in range(150):
            broken = bytearray(source)
            broken[rng.randrange(len(broken))] ^= 1 << rng.randrange(8)
            take(wrap(bytes(broken)))       # any refusal is one line: take() has looked
    for _ in range(60):
        assert take(data[:rng.randrange(len(data))]) is not None
