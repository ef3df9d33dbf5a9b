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
from hatlab import appendixb, coverage, covpages, covruns, gcov, sitelinks
from hatlab.browser import Browser
from test_host import build
from testall import cases, limit

program = importlib.import_module("coverage")   # src/tools/coverage.py; hatlab has one of that name, too

# ------------------------------------------------------------------------------------------------------- the table


def sources(*patterns):
    return "\n".join(path.read_text() for pattern in patterns for path in sorted(TOP.glob(pattern)))


def test_table_is_complete():
    """src/tools/appendix-b has all 120 rows, once each, in order; each names places that exist and tests, or is for a hypervisor"""
    rows = appendixb.rows()
    assert [row.id for row in rows] == [f"B{n}" for n in range(1, 121)]
    wrong = [text for row in rows for text in row.wrong()]
    assert not wrong, "\n".join(wrong)
    assert all(row.tests or not row.places for row in rows), [row.id for row in rows if row.places and not row.tests]


def test_table_is_generated():
    """docs/coverage-b.md is what `make coverage` makes of src/tools/appendix-b and what it measured; each place was reached by some run"""
    text = appendixb.PAGE.read_text()
    cells = appendixb.measured(text)
    assert appendixb.page(text, appendixb.rows(), cells) == text, "src/tools/appendix-b has changed: make coverage (or, soon after one, coverage.py --judge)"
    for row in appendixb.rows():
        for width in appendixb.WIDTHS:
            here = any(place.width in (width, "both") for place in row.places)
            assert bool(re.match(r"[1-9]\d*/\d+(, [1-9]\d*/\d+)?$", cells[row.id].widths[width])) == here, (row.id, width)
        assert (cells[row.id].runs == "-") == (not row.places), row.id


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
    wrong = nowhere(name for row in appendixb.rows() for name in row.tests)
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
        covruns.FOLDER, program.EXPLAINED = Path(tempfile.mkdtemp()), TOP / "build" / f"test-{os.getpid()}.explained"
        program.EXPLAINED.write_text(text)
        (covruns.FOLDER / "i386.json").write_text(json.dumps({"wrong": wrong, "lines": [[file, "pte_store", line, 9, branches]]}))
        lines, good = program.report([program.judge("i386")])
        program.EXPLAINED.unlink()
        assert "src/hat 1/1 lines, " in lines[-1], lines
        return good

    assert well([9, 9]) and well([9, 0], explanation)
    assert not well([9, 0]) and not well([9, 9], explanation) and not well([9, 9], wrong=["a run"])


# ------------------------------------------------------------------------------------------------------- rows, runs, pages

FILE = "src/hat/pte_store.c"
ROWS = "B1 a row\n\tin pte_store\n\t\tif (!MMU_PAE)...\n\tby routes\n"


def line_of(file, text):
    return next(n for n, line in enumerate((TOP / file).read_text().splitlines(), 1) if line.strip().startswith(text))


def run_of(*counts):
    """What one run has counted: (line, how often, branches)."""
    return {(FILE, "pte_store", n): gcov.Line(FILE, "pte_store", n, count, branches) for n, count, branches in counts}


def measured_rows(text, measured):
    with tempfile.NamedTemporaryFile("w", suffix=".appendix-b") as file:
        file.write(text)
        file.flush()
        return appendixb.measure(appendixb.rows(Path(file.name)), {"i386": measured})


def test_rows():
    """what runs take of a row is added up, and by which; what none reaches, or is not in the source, is told"""
    at = line_of(FILE, "if (!MMU_PAE)")
    measured = covruns.Measured()
    measured.add("kernel tour", run_of((at, 5, [5, 0]), (at + 1, 5, [])))
    measured.add("host boot", run_of((at, 3, [3, 0]), (at + 1, 3, [])))
    cells, wrong = measured_rows(ROWS, measured)
    assert not wrong and cells["B1"].widths == {"i386": "1/1, 1/2"} and cells["B1"].runs == "`host boot`", (wrong, cells)
    measured.add("host pure", run_of((at, 1, [0, 1])))
    assert measured_rows(ROWS, measured)[0]["B1"] == appendixb.Cells({"i386": "1/1, 2/2"}, "`host boot`, `host pure`")
    idle = covruns.Measured()
    idle.add("host boot", run_of((at, 0, [0, 0])))
    assert "B1: nothing reaches this on i386" in measured_rows(ROWS, idle)[1][0]
    assert measured_rows(ROWS.replace("pte_store\n", "pte_store amd64\n"), idle)[1] == []
    assert "no line of pte_store is: if (PAE)" in measured_rows(ROWS.replace("if (!MMU_PAE)...", "if (PAE)"), measured)[1][0]
    assert "says neither where nor xpv" in measured_rows("B1 a row\n\tby routes\n", measured)[1][0]


def test_kept_runs():
    """what was measured is read as it was written, a run in two programs keeps only branches that both have"""
    at = line_of(FILE, "if (!MMU_PAE)")
    measured = covruns.Measured()
    measured.add("a", run_of((at, 5, [5, 0])))
    measured.add("a", run_of((at, 2, [0, 2])))
    measured.add("b", run_of((at, 1, [0, 1, 1])))
    path = Path(tempfile.mkdtemp()) / "i386.json"
    measured.write(path)
    again = covruns.Measured.read(path)
    key = (FILE, "pte_store", at)
    assert again.lines == measured.lines and again.lines[key].branches == [5, 2], again.lines
    assert {name: taken[key] for name, taken in again.runs.items()} == {"a": 0b111, "b": 0b001}, again.runs


def test_cheapest():
    """few runs, and cheap ones, are chosen"""
    takes = {"kernel checks=all": set(range(10)), "host boot": set(range(6)), "host history": set(range(9)), "host pure": {6}}
    assert appendixb.cover(takes) == ["host boot", "host pure", "host history", "kernel checks=all"]
    takes["host branches"] = set(range(10))
    assert appendixb.cover(takes) == ["host branches"] and appendixb.cover({"host boot": set()}) == []


def test_names_of_runs():
    """a run is called by what one types"""
    for image, words, name in (
        ("coverage", ["--test", "boot", "--cpus", "2", "--no-nx", "--no-pge"], "host boot no-nx no-pge"),
        ("coverage", ["--test", "history", "--seed", "1", "--args", "pae=0 pse=0"], "host history pae=0 pse=0"),
        ("coverage", ["--test", "panic", "--no-cx8", "--args", "panic=no-cx8"], "panic=no-cx8"),
        ("coverage-release", ["--test", "misuse"], "host DEBUG=0 misuse"),
        ("coverage-0xb0800000", ["--test", "boot"], "host KERNELBASE=0xb0800000 boot"),
    ):
        assert covruns.host_name(image, words) == name, covruns.host_name(image, words)
    assert covruns.kernel_name("coverage", "kpm=0 watchdog=0") == "kernel tour kpm=0"
    assert covruns.kernel_name("coverage", f"pae=0 {covruns.CHECKS}checks=all") == "kernel pae=0 checks=all"


def pages(*gaps):
    """The pages of one file, with these gaps: the index, and the file's."""
    at = line_of(FILE, "if (!MMU_PAE)")
    lines = run_of((at, 123456, [123456, 0]), (at + 1, 0, []))
    counts = {FILE: coverage.Count(2, 1, 2, 1)}
    row = appendixb.Row(1, "B1", "a < b", [appendixb.Place(2, "pte_store", "both", ["if (!MMU_PAE)..."]), appendixb.Place(3, "htable_steal", "i386")])
    index = covpages.write([coverage.Judged("i386", lines, counts, list(gaps), [], 0, [])], [row], {}, Path(tempfile.mkdtemp()) / "html")
    assert sitelinks.check(index.parent) == []
    return index


def test_pages():
    """every link of the pages leads somewhere; counts, what is not taken and why stand there in words, and nothing breaks the HTML"""
    def texts(*gaps):
        return [(pages(*gaps).parent / name).read_text() for name in ("index.html", "src-hat-pte_store.c.html", "appendix-b.html")]

    at = line_of(FILE, "if (!MMU_PAE)")
    gap = coverage.Gap(FILE, "pte_store", at, "", "1/2", [at + 1], why="No <such> & entries.")
    index, page, rows = texts(gap)
    assert "1 explained" in index and "NOT EXPLAINED" not in index + page and "<b>50 %</b>, 1 of 2" in index
    assert "i386: 1 of 2 branches never taken, 1 line never reached. Explained: No &lt;such&gt; &amp; entries." in page
    assert '<td>123k</td><td class="branches">1 of 2<span>: 123k, never</span></td>' in page and f'<tr id="L{at}" class="explained">' in page, page
    assert "#include &lt;" in page
    assert f'<a href="src-hat-pte_store.c.html#L{at}"><code>if (!MMU_PAE)...</code></a>' in rows and "a &lt; b" in rows, rows
    gap.why = None
    index, page, _ = texts(gap)
    assert "1 NOT EXPLAINED" in index and "<b>NOT EXPLAINED.</b>" in page
    index, page, _ = texts()
    assert "<td>nothing</td>" in index and "<p>Everything is.</p>" in page


def test_pages_in_a_browser():
    """on a desktop and on a phone a page is no wider than the window: its table scrolls by itself, has a name, and the keyboard reaches it"""
    at = line_of(FILE, "if (!MMU_PAE)")
    index = pages(coverage.Gap(FILE, "pte_store", at, "", "1/2", [], why="It is long enough to be wider than a phone. " * 5))
    with Browser() as browser:
        for width in (1200, 390):
            browser.resize(width, 800)
            for page in sorted(index.parent.glob("*.html")):
                browser.open(page)
                assert browser.run("return document.documentElement.scrollWidth") <= width, (page.name, width)
                assert browser.run("return document.querySelector('.wide').tabIndex") == 0, page.name
                role, name = browser.accessible(".wide")
                assert role == "region" and name, (page.name, role, name)
        assert all(url.startswith("file:") for url in browser.requests())


def test_explained_is_read():
    """src/tools/coverage.explained can be read, and names lines that exist"""
    for e in coverage.explanations(TOP / "src/tools/coverage.explained"):
        assert e.text in [line.strip() for line in (TOP / e.file).read_text().splitlines()], (e.line, e.text)
