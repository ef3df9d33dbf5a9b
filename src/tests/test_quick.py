# SPDX-License-Identifier: ISC
"""make quick: the checks of a lab in the pretend machine say what they say in the grader, and survive what they judge."""

import random
import re
import resource
import shutil
import statistics
import sys
import time

from common import FLAVORS, TOP, boot, checks, held, run
from test_trial import of_lab, trial_image
from testall import cases, limit, seed

sys.path.insert(0, str(TOP / "src/tools"))

from hatlab import lab as labs, pretend  # noqa: E402  (the path comes first)

WITH_CODE = [the_lab.name for the_lab in labs.labs() if the_lab.units]
AT_POWER_ON = {"attach-boot", "init-reclaim", "init-arena", "(the program)"}
# Mistakes that other checks, or none, notice here than in the kernel.
DIFFERENT = {
    "bootwin-no-flush": "a window that was never flushed shows nothing here",
    "mapin-no-flush": "the same",
    "five-entries": "AddressSanitizer stops the entry behind the last one in every check",
    "init-size-of-pointer": "AddressSanitizer stops the program at power-on, where the kernel panics",
    "load-two-halves": "which instruction the compiler puts where decides at which step it shows",
    "load-until-low-halves-agree": "the same",
    "copy-by-one-window": "a window is two pages of the host here",
    "tries-once": "nobody interrupts a thread between two instructions here",
}


def quick(number, *options, check=False):
    return run("python3", "src/tools/quick.py", "--lab", number, *options, check=check, timeout=280)


def rows(text):
    """{(flavour, check): (word, reason)}"""
    found, flavor = {}, None
    for line in text.splitlines():
        if match := re.match(r"lab \d+, (\w+) \(seed \d+\): ", line):
            flavor = match[1]
        elif match := re.match(r"  (ok|todo|WRONG) +([^:]+)(?:: (.*))?$", line):
            found[flavor, match[2]] = (match[1], match[3] or "")
    return found


def folder(name, **units):
    """A folder of answers to lab 2: the solutions, but these units have this text."""
    there = TOP / "build" / f"quick-{name}" / "lab2-finding"
    shutil.rmtree(there, ignore_errors=True)
    shutil.copytree(labs.get(2).solutions, there, ignore=shutil.ignore_patterns("wrong", "right"))
    for unit, (was, now) in units.items():
        path = there / f"{unit}.c"
        text = path.read_text()
        assert text.count(was) == 1, (unit, was)
        path.write_text(text.replace(was, now))
    return there.parent.relative_to(TOP)


@cases(*WITH_CODE)
@limit(400)
def test_solutions(name):
    """all checks are ok, at both widths, also with all units together; and it is said where points are"""
    number = labs.get(int(name[3])).number
    text = quick(number, "--solved", check=True).stdout
    found = rows(text)
    assert {word for word, _ in found.values()} == {"ok"}, text
    names = set(re.findall(r'^CHECK\(\w+, "([^"]+)"', "".join(p.read_text() for p in TOP.glob(f"labs/{name}/checks*.c")), re.M))
    for flavor in FLAVORS:
        assert {check for f, check in found if f == flavor} == names | {"together"}, text
    last = text.splitlines()[-1]
    assert "no points" in last and f"make grade LAB={number} SOLVED=1" in last, last


@cases(2, 6)
@limit(300)
def test_stubs(number):
    """a stub names the lab and the section of the handout, as in the grader"""
    done = quick(number)
    found = rows(done.stdout)
    assert done.returncode == 1 and found
    for (_, check), (word, reason) in found.items():
        if word == "todo":
            assert re.search(rf"is yours to write: lab {number}, handout section .|not run: \S+ must pass first", reason), (check, reason)
        else:
            assert word == "ok" and number == 6, (check, word, reason)  # its last checks look at what the reference did at power-on
    assert any("is yours to write" in reason for _, reason in found.values())


@cases(*WITH_CODE)
@limit(300)
def test_mistakes(name):
    """two mistakes of each lab, drawn by the seed, are noticed by exactly the checks that their first line names"""
    the_lab = labs.get(int(name[3]))
    drawn = [a for a in of_lab(name) if a.path.parent.name == "wrong" and a.name not in DIFFERENT]
    drawn = random.Random(seed()).sample(drawn, 2)
    for flavor in FLAVORS:
        with held(TOP / "build/quick-mistakes.lock"):
            program = pretend.build(the_lab, flavor, [f"{a.name}:{a.unit}={a.path}" for a in drawn], image=f"mistakes{the_lab.number}")
            for answer in drawn:
                out = pretend.Run(program, the_lab.number, flavor, 1, answer.name, answer.unit).all()
                failed = {c for c, (result, text) in out.verdicts.items() if result != "ok" and "not run:" not in text}
                failed -= set() if answer.wanted_at_boot(flavor) else AT_POWER_ON  # nobody has said what these notice
                wanted = answer.wanted(flavor, pretend.CPUS.get(the_lab.number, 1))
                at_boot = answer.wanted_at_boot(flavor)
                if at_boot:
                    assert failed >= wanted and failed - wanted, (flavor, answer.path, out.verdicts)
                else:
                    assert failed == wanted, (flavor, answer.path, wanted, out.verdicts)


def nowhere(texts):
    """Without the addresses of objects of the kernel's."""
    return {check: re.sub(r"\bmutex 0x[0-9a-f]+", "mutex", text) for check, text in texts.items()}


@cases(*FLAVORS)
@limit(300)
def test_same_message(flavor):
    """what a check says of a mistake is what it says in the kernel, to the letter"""
    the_lab = labs.get(2)
    answer = next(a for a in of_lab(the_lab.name) if a.name == "acquire-keeps-lock")
    other = next(a for a in of_lab(the_lab.name) if a.name == "find-first-chains-only")
    with held(TOP / "build/quick-mistakes.lock"):
        program = pretend.build(the_lab, flavor, [f"{a.name}:{a.unit}={a.path}" for a in (answer, other)], image="message")
    for a in (answer, other):
        here = pretend.Run(program, 2, flavor, 7, a.name, a.unit).all().verdicts
        there = boot(flavor, f"tour=0 checks=lab2 copy={a.name} seed=7", folder=trial_image(flavor, the_lab.name))
        said = {check: text for (check, _, copy), (verdict, text) in checks(there).items() if copy == a.name and verdict != "ok"}
        here = {check: text for check, (result, text) in here.items() if check in said}
        assert said and nowhere(said) == nowhere(here), (said, here)


@limit(200)
def test_survives():
    """a bad pointer, a loop without end, and a panic cost the checks of their unit, and no other; each says what it was"""
    there = folder("survives", htable_hash=("{\n", "{\n\tfor (volatile int i = 1; i;)\n\t\tcontinue;\n"),
                   htable_getpage=("{\n", "{\n\t*(volatile int *)(uintptr_t)(va & 0x10) = 1;\n"),
                   htable_acquire=("{\n", '{\n\tpanic("the panic of a student");\n'))
    done = quick(2, "--folder", there)
    found = rows(done.stdout)
    for flavor in FLAVORS:
        mine = {check: row for (f, check), row in found.items() if f == flavor}
        assert re.search(r"still running after 3 s; stopped in htable_hash", mine["hash-forever"][1]), done.stdout
        assert re.search(r"runtime error: store to null pointer|AddressSanitizer: SEGV", mine["getpage-sizes"][1]), done.stdout
        assert mine["acquire-hold"] == ("WRONG", "panic: the panic of a student"), done.stdout
        for check, (word, reason) in mine.items():
            ours = check.split("-")[0] in ("hash", "getpage", "acquire")
            assert word == ("WRONG" if ours else "ok"), (flavor, check, reason)


@limit(100)
def test_does_not_compile():
    """a file that does not compile: the compiler's message, and the exit code of a run that judged nothing"""
    done = quick(2, "--folder", folder("broken", htable_e2va=("{\n", "{\n\tthis is no C;\n")))
    assert done.returncode == 2 and re.search(r"htable_e2va\.c:\d+:\d+: error", done.stdout), done.stdout


@limit(200)
def test_fast():
    """after an edit of one unit, at both widths: 1 second on two idle cores. The test's neighbours take time; what it uses is counted"""
    there = folder("fast")
    quick(2, "--folder", there, check=True)
    used, waited = [], []
    for i in range(5):
        path = TOP / there / "lab2-finding/htable_lookup.c"
        path.write_text(path.read_text() + f"/* {i} {time.time()} */\n")
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        quick(2, "--folder", there, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        waited.append(time.monotonic() - began)
    assert min(waited) <= 1 or statistics.median(used) <= 2, f"seconds of CPU {used}, of waiting {waited}"
