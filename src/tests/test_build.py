# SPDX-License-Identifier: ISC
"""The tree itself: it compiles without warnings in every way we promise, and its parts are where its lists say."""

import re
import subprocess

from common import FLAVORS, TOP, boot, image, run
from testall import cases, limit, needs


def units():
    """(lab, file, function) of the table."""
    for line in (TOP / "src/hat/units").read_text().splitlines():
        if line and not line.startswith("#"):
            yield line.split()[:3]


@cases(*FLAVORS)
@limit(300)
def test_no_debug(flavor):
    """without assertions it builds without warnings and does the same"""
    result = boot(flavor, folder=image(flavor, "nodebug", DEBUG=0))
    assert result.ok, result.problem


@cases(*FLAVORS)
@needs("clang")
@limit(300)
def test_clang(flavor):
    """clang builds it without warnings, and it does the same"""
    result = boot(flavor, folder=image(flavor, "clang", CC="clang"))
    assert result.ok, result.problem


@cases(*FLAVORS)
def test_headers_alone(flavor):
    """every header compiles alone"""
    width = {"i386": ["-m32"], "amd64": ["-m64", "-mcmodel=kernel"]}[flavor]
    bad = []
    for header in sorted((TOP / "src").rglob("*.h")):
        folder, parts = header.parent.name, header.relative_to(TOP).parts
        if folder in FLAVORS and folder != flavor or {"tools", "host"} & set(parts) \
                or header.name == "aptramp_md.h":  # assembly
            continue
        done = subprocess.run(["gcc", "-std=gnu11", *width, "-fno-pic", "-ffreestanding", "-nostdinc", "-Isrc",
                               f"-Isrc/{flavor}", "-I.", *(["-Isrc/user", f"-Isrc/user/{flavor}"] if "user" in parts else []),
                               "-Wall", "-Wextra", "-Werror", "-x", "c", "-fsyntax-only",
                               "-include", str(header), "/dev/null"], cwd=TOP, text=True, stderr=subprocess.PIPE)
        if done.returncode:
            bad.append(f"{header.relative_to(TOP)}: {done.stderr.splitlines()[0] if done.stderr else '?'}")
    assert not bad, "\n".join(bad)


def test_units_exist():
    """every unit of the table has a stub and an answer, and both define its functions"""
    for lab, name, function in units():
        for tree in ("labs", "solutions"):
            source = TOP / tree / lab / f"{name}.c"
            assert source.exists(), f"{source.relative_to(TOP)} is missing"
            assert re.search(rf"^{function}\(", source.read_text(), re.M), f"{source}: no {function}()"


def test_units_documented():
    """docs/units.md names every unit and every function of the table"""
    text = (TOP / "docs/units.md").read_text()
    for lab, name, function in units():
        assert f"{name}.c" in text, name
        assert function in text, function


def test_units_own_no_state():
    """a unit defines no variable: all shared state is in src/hat/state.c"""
    folder = image("amd64")
    for lab, name, _ in units():
        done = run("nm", folder / "solutions" / lab / f"{name}.o")
        owned = [line for line in done.stdout.splitlines() if re.search(r" [bBdDC] ", line)]
        assert not owned, f"{name}: {owned}"


@cases(*FLAVORS)
@limit(300)
def test_stubs_compile(flavor):
    """all stubs compile and link without warnings"""
    names = " ".join(f"{name}=labs/{lab}/{name}.c" for lab, name in dict.fromkeys((u[0], u[1]) for u in units()))
    image(flavor, "stubs", UNITS=names)


def test_oracle_is_independent():
    """the walkers include nothing of the subject's but the bits of x86/pte.h"""
    text = (TOP / "src/check/walk.c").read_text() + (TOP / "src/check/walk.h").read_text()
    included = re.findall(r'#include [<"]([^>"]+)', text)
    assert not [name for name in included if name.startswith(("hat/", "vm/"))], included


def test_width_lives_in_two_folders():
    """no conditional on the word size outside i386/ and amd64/, whose files have the same names"""
    for source in (TOP / "src").rglob("*.[chS]"):
        if source.parent.name not in FLAVORS and "tools" not in source.relative_to(TOP).parts:
            assert not re.search(r"#\s*if.*(__x86_64__|__i386__|__LP64__)", source.read_text()), source
    ours = {f: {p.name for p in (TOP / "src" / f).iterdir()} - {"README"} for f in FLAVORS}
    # Long division, and the choice between two and three levels before there is paging: the other width has no such question.
    assert ours["i386"] - ours["amd64"] <= {"div64.c", "bootwords.c", "bootwords.h"}, ours
    assert ours["amd64"] <= ours["i386"], ours


def test_every_file_has_a_licence():
    """an SPDX line begins every source"""
    endings = {".c", ".h", ".S", ".py", ".sh", ".mk", ".awk"}
    sources = [p for tree in ("src", "labs", "solutions") for p in (TOP / tree).rglob("*") if p.suffix in endings]
    assert len(sources) > 200
    for source in [TOP / "Makefile", TOP / "bochsrc", TOP / ".ci/run", *sources]:
        head = source.read_text().split("\n", 3)[:3]
        assert any("SPDX-License-Identifier: ISC" in line for line in head), source
