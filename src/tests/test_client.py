# SPDX-License-Identifier: ISC
"""Programs compute on top of the HAT: their answers, what is left of them, and what becomes of bad ones.

The values are computed here once more, from the programs' descriptions (src/user).
"""

import re
from collections import Counter

from common import FLAVORS, TOP, boot, checks, held, image, run
from testall import cases, limit

WORD = 1 << 32
EACH = [f"{flavor} {cpus}" for flavor in FLAVORS for cpus in (1, 4)]
WIDTHS = {"i386": ("",), "amd64": ("", "32")}
ARGS = "tour=0 check_ticks=20000 watchdog=60000 checks="


def numbers(seed):
    """What next() in src/user/lib gives."""
    while True:
        seed = (seed * 1664525 + 1013904223) % WORD
        yield seed


def sieve():
    return sum(n for n in range(2, 8192) if all(n % d for d in range(2, int(n**0.5) + 1)))


def matrix(n=48):
    def filled(seed):
        source = numbers(seed)
        return [[next(source) for _ in range(n)] for _ in range(n)]

    a, b, value = filled(1), filled(2), 0
    for row in a:
        for j in range(n):
            value = (value * 31 + sum(row[k] * b[k][j] for k in range(n))) % WORD
    return value


def qsort(n=1 << 18):
    source = numbers(3)
    return sum(v * (i + 1) for i, v in enumerate(sorted(next(source) for _ in range(n)))) % WORD


def forktree():
    def node(pages, number, depth):
        for p in range(number % 3, 16, 3):
            pages[p] = [(w * 5 + number) % WORD for w in pages[p]]
        value = 0
        for page in pages:
            for word in page:
                value = (value * 7 + word) % WORD
        value %= 251
        for child in range(2 if depth else 0):
            value += node([list(page) for page in pages], 2 * number + child, depth - 1)
        return value % 251

    return node([[p * 1024 + w for w in range(0, 1024, 128)] for p in range(16)], 1, 3)


def stack():
    value = 1
    for depth in range(2001):
        frame = 0
        for i in range(0, 128, 16):
            frame ^= (depth * 2654435761 + i) % WORD
        value = (value * 3 + frame) % WORD
    return value


def mapper():
    source, slots = numbers(4), [[-1, 0] for _ in range(64)]
    for _ in range(1500):
        r = next(source) >> 8
        slot, what = slots[r % 64], r // 64 % 16
        if what < 4:
            if slot[0] < 0:
                slot[:] = [3, 0]
        elif what < 6:
            slot[0] = -1
        elif what < 9:
            if slot[0] >= 0:
                slot[0] = (0, 1, 3)[what - 6]
        elif slot[0] > 0 and slot[0] & 2:
            slot[1] = r
    value = 0
    for prot, word in slots:
        value = (value * 31 + prot + 1 + (word if prot > 0 else 0)) % WORD
    return value


PROGRAMS = {"sieve": sieve, "matrix": matrix, "qsort": qsort, "forktree": forktree, "stack": stack, "mapper": mapper,
            "execer": lambda: 6, "threads": lambda: 3 * 12}


def programs(flavor, kernel=None):
    """An image with programs in it; its directory has the kernel's symbols too."""
    kernel = kernel or image(flavor, "tests")
    folder = kernel.with_name(kernel.name + "-user")
    folder.mkdir(exist_ok=True)
    with held(TOP / "build" / flavor / "user/lock"):
        run("make", "-s", "-f", "src/user/user.mk", f"FLAVOR={flavor}", f"KERNEL_DIR={kernel}", f"OUT_DIR={folder}",
            "WERROR=-Werror")
    link = folder / "kernel.elf"
    if not link.exists():
        link.symlink_to(kernel / "kernel.elf")
    return folder


def run_checks(which, names, more="", kernel=None):
    """Boot with these checks; all must be ok."""
    flavor, cpus = which.split()
    result = boot(flavor, ARGS + ",".join(names) + more, folder=programs(flavor, kernel), cpus=int(cpus),
                  timeout=280, deadline=20_000_000_000)
    assert result.ok, (result.problem, result.details)
    found = {name: outcome for (name, _, _), (outcome, _) in checks(result).items()}
    assert found == {name: "ok" for name in names}, found
    return result


def answers(result):
    """{(program file, its NAME: value): how often}; every line of a program must have been understood."""
    found = Counter()
    for line in result.console.splitlines():
        if said := re.fullmatch(r"\[\d+ (\S+)\] (.*)", line):
            answer = re.fullmatch(r"(\w+): ok (\d+)", said[2])
            assert answer, line
            found[(said[1], answer[1], int(answer[2]))] += 1
    return found


def expect_answers(result, flavor, times):
    """Each program, at each width, has said the right thing so many times."""
    want = {(name + width, name, value()): times for name, value in PROGRAMS.items() for width in WIDTHS[flavor]}
    assert answers(result) == want, (answers(result), want)


# What the line about a killed program says.
KILLED = {
    "kread": r"reads 0x\w+: not user memory", "kwrite": r"writes 0x\w+: not user memory",
    "kjump": r"executes 0x\w+: not user memory", "hole": r"general protection.*|executes 0x\w+: not user memory",
    "stack": r"writes 0x\w+: nothing is mapped there", "nx": r"executes 0x\w+: not permitted",
    "null": r"reads 0x10: nothing is mapped there", "text": r"writes 0x4000\w+: not permitted",
    "constant": r"writes 0x40\w+: not permitted", "unmapped": r"writes 0x\w+: nothing is mapped there",
    "protected": r"reads 0x\w+: not permitted", "cli": r"general protection.*", "port": r"general protection.*",
    "undefined": r"invalid opcode.*", "divide": r"divide error.*", "breakpoint": r"breakpoint.*",
    "gate": r"general protection.*", "step": r"debug.*", "company": r"writes 0x\w+: not user memory",
}


@cases(*EACH)
@limit(300)
def test_misdeeds(which):
    """a program that does what it may not is killed with one clear line, and nothing else happens"""
    flavor, _ = which.split()
    result = run_checks(which, ["client-misdeeds"])
    for width in WIDTHS[flavor]:
        lines = re.findall(rf"^process \d+ \(bad{width}\) killed at 0x[0-9a-f]+: (.*)$", result.console, re.M)
        assert len(lines) == 2 * len(KILLED), lines
        for line, (deed, pattern) in zip(lines, [*KILLED.items()] * 2):
            assert re.fullmatch(pattern, line), (deed, line)
        assert len(re.findall(rf"^\[\d+ bad{width}\] bad: ok 0$", result.console, re.M)) == 2
    assert "still here" not in result.console


@cases(*EACH)
@limit(300)
def test_bad_files(which):
    """ELF files with one bad field each are refused, each with its own words; so are random ones"""
    flavor, _ = which.split()
    result = run_checks(which, ["client-elf"])
    for width in WIDTHS[flavor]:
        said = set(re.findall(rf"^sieve{width}: cannot be run: (.*)$", result.console, re.M))
        assert len(said) >= 20, said
