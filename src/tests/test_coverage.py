# SPDX-License-Identifier: ISC
"""What the tests take is measured rightly, and the table of Appendix B names tests that exist (docs/coverage-b.md)."""

import functools
import importlib
import json
import os
import re
import subprocess
import tempfile
from pathlib import Path

from common import FLAVORS, TOP, boot, checks, image, run
from hatlab import coverage, gcov
from test_host import build
from testall import cases, limit

program = importlib.import_module("coverage")   # src/tools/coverage.py; hatlab has one of that name, too

ROW = re.compile(r"\| (B\d+) \| (.+?) \| (.+?) \| (.+?) \|$")

# ------------------------------------------------------------------------------------------------------- the table

def rows():
    text = (TOP / "docs/coverage-b.md").read_text()
    return [ROW.match(line).groups() for line in text.splitlines() if line.startswith("| B")]


def sources(*patterns):
    return "\n".join(path.read_text() for pattern in patterns for path in sorted(TOP.glob(pattern)))


def test_table_is_complete():
    """all 120 rows, once each, in order, and each says where and which test"""
    assert [row[0] for row in rows()] == [f"B{n}" for n in range(1, 121)]
    for name, item, where, test in rows():
        assert item and (re.search(r"`\w+", where) or where == "-" and test == "xpv: later"), name
        assert "`" in test or test == "xpv: later", name


def test_table_names_code():
    """every function that the table names is in the units or in src/hat"""
    code = sources("solutions/*/*.c", "src/hat/*.[ch]")
    for name, _, where, _ in rows():
        for word in re.findall(r"`([^`]+)`", where):
            here = (TOP / "src/hat" / word).is_file() or re.search(rf"\b{re.escape(word)}\b", code)
            assert here, f"{name}: {word} is nowhere"


@functools.cache
def all_names():
    """All checks, functions of the host's tests, panics of theirs, and tests of `make test`."""
    known = set(re.findall(r'^CHECK\(\w+, "([^"]+)"', sources("src/check/tests/*.c", "labs/*/checks.c"), re.M))
    known |= {f"{name}()" for name in re.findall(r"^(\w+)\(", sources("src/host/test_*.c"), re.M)}
    known |= {f"panic={name}" for name in re.findall(r'^\t\{ "([\w-]+)", \w+, (?:true|false) \},$', sources("src/host/test_panic.c"), re.M)}
    listed = re.findall(r"^(\w+\.\w+)(\[[^]]+\])? ", run("python3", "src/tools/testall.py", "--list").stdout, re.M)
    return known | {name + case for name, case in listed} | {name for name, _ in listed}


def nowhere(words):
    """Those of these names that nothing has."""
    return [word for word in words if word not in all_names()]


def test_table_names_tests():
    """every check, function and test that the table names exists, and one that does not is noticed"""
    wrong = nowhere(word for row in rows() for word in re.findall(r"`([^`]+)`", row[3]))
    assert not wrong, wrong
    names = ["force-steal", "hash()", "panic=attach-link", "test_host.test_host_list", "test_host.test_host_finds[unlink-flush]"]
    assert nowhere(names) == []
    wrong = ["force-stea", "hash", "attach()", "panic=attach", "test_host.test_host", "test_host.test_host_finds[unlink]"]
    assert nowhere(wrong) == wrong


@cases("i386", "i386 pae=0", "amd64", "amd64 kpm=0")
@limit(200)
def test_checks(which):
    """the checks that were written for branches nothing else takes"""
    flavor, *args = which.split()
    for cpus in (1, 4):
        result = boot(flavor, " ".join(["tour=0 watchdog=0 checks=branches-level,branches-cut,branches-slot", *args]), cpus=cpus, timeout=90)
        assert result.ok, (cpus, result.problem)
        assert len(checks(result)) == 3


@cases(*FLAVORS)
@limit(300)
def test_misuse_without_assertions(flavor):
    """what an upper layer may not do does nothing where assertions are compiled out"""
    text = run(build(flavor, "release", DEBUG=0), "--test", "misuse", timeout=60).stdout
    assert "misuse: ranges" in text, text


# ------------------------------------------------------------------------------------------------------- counting

COUNTED = """int used(int n)
{
	if (n > 3)
		return (1);
	return (0);
}
int unused(int n)
{
	return (n + 1);
}
"""
MAIN = """#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
int used(int n);
void coverage_tell(void) __attribute__((weak));
int record(const char *fmt, ...) { va_list ap; va_start(ap, fmt); return (vprintf(fmt, ap)); }
int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		used(atoi(argv[i]));
	if (coverage_tell)
		coverage_tell();
	return (0);
}
"""
FLAGS = ["-O0", "-ftest-coverage", "-fprofile-arcs", "-fprofile-update=atomic"]


def cc(folder, *words):
    done = subprocess.run(["gcc", *words], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def tiny(folder):
    """Two programs with one counted file: as a program of the host, and as a kernel tells it."""
    for name in ("a", "b"):
        (folder / name).mkdir()
        (folder / name / "main.c").write_text(MAIN)
        (folder / "tiny.c").write_text(COUNTED)
    cc(folder, *FLAGS, "-c", "tiny.c", "-o", "a/tiny.o")
    cc(folder, "--coverage", "a/main.c", "a/tiny.o", "-o", "a/program")
    cc(folder, *FLAGS, "-fprofile-info-section=gcov_info", "-c", "tiny.c", "-o", "b/tiny.o")
    cc(folder, "-nostdinc", "-ffreestanding", f"-I{TOP}/src", f"-I{TOP}/src/amd64", "-c", str(TOP / "src/check/coverage/gcov.c"),
       "-o", "b/gcov.o")
    cc(folder, "b/main.c", "b/tiny.o", "b/gcov.o", "-o", "b/program")


def told(folder, *numbers):
    return subprocess.run([folder / "b/program", *map(str, numbers)], capture_output=True, text=True, check=True).stdout.splitlines()


def merged(folder):
    """The host's program twice, the kernel's twice."""
    for numbers in (("5", "5"), ("7",)):
        subprocess.run([folder / "a/program", *numbers], cwd=folder, check=True)
    lines = gcov.read((folder / "a").glob("*tiny.gcda"), folder, re.compile("tiny.c"))
    kernel = gcov.Told()
    assert kernel.add(told(folder, 1, 2)) == 1 and kernel.add(["noise", *told(folder, 9)]) == 1
    gcov.merge(lines, gcov.read(kernel.write(), folder, re.compile("tiny.c")).values())
    return lines


def test_counts():
    """a file of known counts, four runs of two programs; a function that nobody calls is a gap"""
    folder = Path(tempfile.mkdtemp()).resolve()
    tiny(folder)
    lines = merged(folder)
    by_number = {number: line for (_, _, number), line in lines.items()}
    assert [by_number[n].count for n in (1, 3, 4, 5, 7, 9)] == [6, 6, 4, 2, 0, 0], by_number
    assert sorted(by_number[3].branches) == [2, 4], by_number[3]
    counts, gaps = coverage.judge(lines, {"tiny.c": coverage.Source(COUNTED)})
    assert [(gap.function, gap.what) for gap in gaps] == [("unused", "function")], list(map(str, gaps))
    assert str(counts["tiny.c"]) == "4/6 lines, 2/2 branches", counts["tiny.c"]


def test_broken_counts():
    """counters that were cut off, or are of two images, are refused"""
    folder = Path(tempfile.mkdtemp()).resolve()
    tiny(folder)
    text = told(folder, 1)
    short = [line.rsplit(" ", 1)[0] if line.startswith("gcov arcs") else line for line in text]
    other = [line.replace("gcov file ", "gcov file 1", 1) for line in text]
    for first, second in ((short, []), (text, other)):
        kernel = gcov.Told()
        try:
            kernel.add(first)
            kernel.add(second)
        except coverage.HostError:
            continue
        raise AssertionError("accepted")


@cases(*FLAVORS)
@limit(300)
def test_kernel_counts(flavor):
    """a kernel that counts tells what lab 3's checks take, and that nothing was shared; it tells the same again"""
    folder = image(flavor, "counting", COVERAGE=1)
    texts = []
    for _ in range(2):
        result = boot(flavor, "tour=0 watchdog=0 checks=lab3", folder=folder, timeout=90)
        assert result.ok, result.problem
        texts.append([line for line in result.console.splitlines() if line.startswith("gcov ")])
    assert texts[0] == texts[1]
    kernel = gcov.Told()
    kernel.add(texts[0])
    lines = gcov.read(kernel.write(), TOP, re.compile("solutions/"))
    calls = {}
    for line in lines.values():
        calls[line.function] = max(calls.get(line.function, 0), line.count)
    assert calls["htable_create"] > 10 and calls["htable_attach"] > 3 and calls["hat_share"] == 0, calls


# ------------------------------------------------------------------------------------------------------- judging

SOURCE = """void f(int a, int b)
{
	ASSERT(a ||
	    b);
	if (a && b)
		g("(");
	if (b)
		panic("%d: (", a);
	h();
}
"""
EXPLAINED = """# a comment
s.c f both 1/4
	if (a && b)
	They are never both.
"""


def judged(*counts):
    lines = {("s.c", "f", n): gcov.Line("s.c", "f", n, count, branches) for n, count, branches in counts}
    return coverage.judge(lines, {"s.c": coverage.Source(SOURCE)})[1]


def explained(text, gaps, width="i386"):
    with tempfile.NamedTemporaryFile("w", suffix=".explained") as file:
        file.write(text)
        file.flush()
        return coverage.explain(gaps, width, coverage.explanations(Path(file.name)))


def test_gaps():
    """assertions hold no branches, what leads to a panic is marked, lines that are not reached belong to the one before"""
    gaps = judged((1, 9, []), (3, 9, [9, 0]), (4, 9, [9, 0]), (5, 9, [9, 0, 9, 9]), (6, 0, []), (7, 9, [0, 9]), (8, 0, []), (9, 9, []))
    assert [(g.number, g.what, g.rest, g.panics) for g in gaps] == [(5, "1/4", [6], []), (7, "1/2", [8], ["%d: ("])], gaps
    assert [g.what for g in judged((1, 9, []), (9, 0, []))] == ["line"]
    assert [g.what for g in judged((1, 0, []), (9, 0, []))] == ["function"]


def test_explanations():
    """an explanation fits its line, its width and what is missing; one that nothing needs is told, but for chance"""
    gaps = judged((1, 9, []), (5, 9, [9, 0, 9, 9]))
    assert explained(EXPLAINED, gaps) == [] and gaps[0].why == "They are never both."
    for changed in (EXPLAINED.replace("1/4", "2/4"), EXPLAINED.replace("a && b", "a || b"), EXPLAINED.replace(" f ", " g ")):
        gaps = judged((1, 9, []), (5, 9, [9, 0, 9, 9]))
        assert len(explained(changed, gaps)) == 1 and gaps[0].why is None, changed
    assert explained(EXPLAINED.replace("both", "amd64"), []) == []
    assert len(explained(EXPLAINED, [])) == 1
    chance = EXPLAINED.replace("They", "chance: they").replace("1/4", "2/4")
    gaps = judged((1, 9, []), (5, 9, [9, 0, 9, 9]))
    assert explained(chance, gaps) == [] and gaps[0].why and explained(chance, []) == []


def test_panics_excuse():
    """a gap that only leads to a panic needs no explanation if docs/panics.md says that a test of this width reaches that panic"""
    def excused(function, file, *messages, width="amd64"):
        gap = coverage.Gap(f"src/hat/{file}", function, 1, "", "line", panics=list(messages))
        program.excuse_panics([gap], width)
        return gap.why

    remap = "hat: table %p of 0x%lx does not cover 0x%lx"
    assert "wrong-lookup" in excused("hati_load_common", "hat_load.c", remap)
    assert excused("hati_load_common", "hat_load.c", remap + "!") is None
    assert excused("hati_load_common", "hat_load.c", remap, "something else") is None
    assert excused("hati_load_common", "hat_load.c") is None
    text = "CPU %d: at most %u CPUs fit the page of directory pointers"
    assert excused("md_vlp_init", "hat_md.c", text, width="i386") and excused("md_vlp_init", "hat_md.c", text) is None


def test_report():
    """a gap in src/hat makes the program fail like one in solutions/; so does an explanation that nothing needs, and a run that failed"""
    file, line = "src/hat/pte_store.c", next(n for n, t in enumerate(sources("src/hat/pte_store.c").splitlines(), 1) if "MMU_PAE" in t)
    explanation = f"{file} pte_store i386 1/2\n\t{sources(file).splitlines()[line - 1].strip()}\n\tWhy not.\n"

    def well(branches, text="", wrong=()):
        program.FOLDER, program.EXPLAINED = Path(tempfile.mkdtemp()), TOP / "build" / f"test-{os.getpid()}.explained"
        program.EXPLAINED.write_text(text)
        (program.FOLDER / "i386.json").write_text(json.dumps({"wrong": wrong, "lines": [[file, "pte_store", line, 9, branches]]}))
        lines, good = program.report(["i386"])
        program.EXPLAINED.unlink()
        assert "src/hat 1/1 lines, " in lines[-1], lines
        return good

    assert well([9, 9]) and well([9, 0], explanation)
    assert not well([9, 0]) and not well([9, 9], explanation) and not well([9, 9], wrong=["a run"])


def test_explained_is_read():
    """src/tools/coverage.explained can be read, and names lines that exist"""
    for e in coverage.explanations(TOP / "src/tools/coverage.explained"):
        assert e.text in [line.strip() for line in (TOP / e.file).read_text().splitlines()], (e.line, e.text)
