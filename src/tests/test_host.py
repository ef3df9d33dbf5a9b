# SPDX-License-Identifier: ISC
"""The HAT as an ordinary program (src/host): both widths, every mode, under AddressSanitizer and UBSan; and that it can fail."""

import re

from common import FLAVORS, TOP, held, run
from testall import cases, limit, seed

SLOW = 500  # seconds: under qemu-i386, where the machine runs no 32-bit programs


def build(flavor, image="", program="unit", **variables):
    """The path of the program, built; programs of one image share what they can."""
    folder = TOP / "build" / f"host-{flavor}{'-' + image if image else ''}"
    words = [f"{key}={value}" for key, value in variables.items()]
    with held(folder / "lock"):
        run("make", "-s", "-j2", "-f", "src/host/host.mk", f"FLAVOR={flavor}", f"IMAGE={image}", f"PROGRAM={program}",
            "WERROR=-Werror", *words, timeout=280)
    return folder / program


@cases(*FLAVORS)
@limit(600)
def test_host_list(flavor):
    """the fixed list of runs: boots, pure functions, histories in every mode; --list says which they are"""
    text = run(build(flavor), timeout=SLOW).stdout
    assert re.search(rf"^{flavor}: \d+ runs well, 0 not", text, re.M), text
    listed = run(build(flavor), "--list").stdout.splitlines()
    assert listed == re.findall(rf"^{flavor}: (--test .*)", text, re.M), listed


@cases(*FLAVORS)
@limit(300)
def test_host_other_seed(flavor):
    """a history of this run's own seed"""
    text = run(build(flavor), "--test", "history", "--seed", 1000 + seed(), "--steps", 100000, timeout=200).stdout
    assert re.search(r", [1-9]\d* pages stolen, [1-9]\d* loaded again", text), text


@cases(*FLAVORS)
@limit(300)
def test_host_short_of_memory(flavor):
    """a history of this run's own seed in which tables are stolen all the time"""
    run(build(flavor), "--test", "history", "--seed", 1000 + seed(), "--steps", 50000, "--kmem-fail", 3,
        "--args", "force_steal=2 page_fail_after=5", timeout=200)


BASES = ("0xd0800000", "0xb0800000")


@cases(*BASES)
@limit(600)
def test_host_kernelbase(base):
    """a kernelbase inside a directory's gigabyte, the last one or another, so that slots one level lower are copied"""
    text = run(build("i386", f"base-{base}", KERNELBASE=base), timeout=SLOW).stdout
    assert re.search(r"^i386: \d+ runs well, 0 not", text, re.M), text


# A line of a unit or of src/hat, what becomes of it, a word that must appear, and the steps of the shortest history that shows it (0: it is
# met before the first one): each is caught, and the way to repeat it is told.
MISTAKES = (
    ("unlink-flush", "lab4-letting-go/unlink_ptp.c", "hat_tlb_inval(old->ht_hat,", "(void)(", "repeat it with", 4),
    ("inval-flush", "lab1-entries/x86pte_inval.c", "hat_tlb_inval(ht->ht_hat, htable_e2va(ht, entry));", "(void)htable_e2va(ht, entry);", "P5: CPU", 2),
    ("window-flush", "lab1-entries/x86pte_mapin.c", "invlpg(va);", "(void)0;", "", 0),
    ("global-flush", "lab9-processors/tlb_idle.c", "write_cr4(cr4 & ~(uintptr_t)CR4_PGE);", "(void)0;", "P5: CPU", 5),
    ("lost-dirty", "lab1-entries/x86pte_set.c", "(old & (PT_REF | PT_MOD))", "(old & 0)", "was lost", 3),
    ("lost-hold", "lab2-finding/htable_lookup.c", "ht->ht_busy++;", "(void)0;", "panic", 0),
    ("freed-chain", "lab4-letting-go/htable_chain_remove.c", "ht->ht_prev->ht_next = ht->ht_next;", "(void)0;", "", 5),
    ("stolen-full", "lab7-running-out/htable_steal.c", "ht->ht_level == 0 ? threshold : 0", "threshold", "", 3),
    ("stolen-flush", "src/hat/htable_cut.c", "PTE_CUT);\n\that_tlb_inval(ht->ht_hat, DEMAP_ALL_ADDR);", "PTE_CUT);", "P5: CPU", 5),
    ("stolen-dirty", "src/hat/htable_cut.c", "HAT_UNLOAD, pte", "HAT_UNLOAD_NOSYNC, pte", "is stolen, and of its bits", 5),
    ("stolen-half", "src/hat/htable_cut.c", "i < n && ours_alone", "i < n / 2 && ours_alone", "a part of the table", 4),
)


def planted(mistake):
    """A program with the mistake in it."""
    name, path, old, new, *_ = mistake
    unit = path.split("/")[-1][:-2]
    source = TOP / path if path.startswith("src/") else TOP / "solutions" / path
    text = source.read_text()
    assert old in text, "the mistake must be planted elsewhere now"
    wrong = TOP / "build" / "host-mistakes" / name / f"{unit}.c"
    wrong.parent.mkdir(parents=True, exist_ok=True)
    wrong.write_text(text.replace(old, new))
    return build("amd64", program=f"wrong-{name}", UNITS=f"{unit}={wrong.relative_to(TOP)}")


def shortest(program, name, args, steps):
    """A history shows it, and one that is as short as it should be is C that compiles."""
    said = run(program, "--test", "history", "--args", args, "--shrink", check=False, timeout=200).stdout
    if steps == 0:
        assert "fails before its first step" in said, said[-2000:]
        return
    found = re.search(r"shrink: (\d+) steps fail, .*\n(static const struct op seed_1\[\] = \{\n(?:\t\{ OP_.* \},\n)+\};\n)", said)
    assert found and int(found[1]) <= steps and found[2].count("OP_") == int(found[1]), said[-2000:]
    source = TOP / "build" / "host-mistakes" / name / "replay.c"
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_text(f"#include <host/history.h>\n{found[2]}const struct op *pasted = seed_1;\n")
    run("gcc", "-fsyntax-only", "-Werror", "-ffreestanding", "-nostdinc", *(f"-I{TOP / d}" for d in ("src/host/inc", "src/host/amd64", "src", "src/amd64")), source)


@cases(*MISTAKES)
@limit(300)
def test_host_finds(mistake):
    """a planted mistake is found, in some mode, the command that repeats it is printed, and a history as short as it can be that is C"""
    name, _, _, _, words, steps = mistake
    program = planted(mistake)
    done = run(program, "--test", "history", "--args", "kpm=0", check=False, timeout=200)
    assert done.returncode != 0, "not found"
    assert words in done.stdout, done.stdout[-2000:]
    shortest(program, name, "kpm=0", steps)


PLANTS = [line for line in (TOP / "src/host/plants").read_text().splitlines() if not line.startswith("#")]


@cases(*(re.sub(r"\S*/wrong/|\.c\b| +\d+.*", "", line) for line in PLANTS))
@limit(300)
def test_host_plants(name):
    """an answer with a mistake of order or a flush is shown by a history, as short as it can be"""
    path, steps, flavor, *args = next(line for line in PLANTS if f"/{name}.c" in line).split()
    program = build(flavor, program=f"plant-{name}", UNITS=f"{name.split('-')[0]}={path}")
    shortest(program, name, " ".join(args), int(steps))


# More of the two million calls for each width than the fixed lists have: steps, most where they are cheap. More than half of them are calls.
MILLIONS = [f"{flavor} {steps} {args}".strip() for flavor, runs in {
    "amd64": {"": 1_600_000, "kpm=0": 1_300_000, "force_steal=2 page_fail_after=5": 400_000},
    "i386": {"": 1_000_000, "pae=0": 700_000, "pae=0 pse=0": 450_000, "force_steal=2 page_fail_after=5": 250_000},
}.items() for args, steps in runs.items()]


def calls_of(steps):
    return int(steps * 0.541)


@cases(*MILLIONS)
@limit(600)
def test_host_millions(which):
    """its part of two million calls of the HAT in histories of this run's own seed, under sanitizers: no disagreement"""
    flavor, steps, *args = which.split()
    text = run(build(flavor), "--test", "history", "--seed", 2000 + seed(), "--steps", steps, "--args", " ".join(args), "--every", 5000,
               timeout=300).stdout
    calls = int(re.search(rf"history: {steps} steps, (\d+) calls", text)[1])
    assert calls >= calls_of(int(steps)), f"{calls} calls in {steps} steps: too few for two million in all"


@cases(*FLAVORS)
def test_host_two_million(flavor):
    """those parts, and the histories of the fixed lists at each kernelbase, are two million calls"""
    lists = 1 + (len(BASES) if flavor == "i386" else 0)
    listed = re.findall(r"--test history .*?--steps (\d+)", run(build(flavor), "--list").stdout)
    steps = lists * sum(map(int, listed)) + sum(int(which.split()[1]) for which in MILLIONS if which.startswith(flavor))
    print(f"{flavor}: {calls_of(steps)} calls at least")
    assert calls_of(steps) >= 2_000_000
