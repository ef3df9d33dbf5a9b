# SPDX-License-Identifier: ISC
"""Both kernels boot, on one CPU and on more, from either loader protocol, and do the same each time."""

import re

from common import FLAVORS, boot, compare, image
from testall import cases, limit

EACH = [f"{flavor} {cpus}" for flavor in FLAVORS for cpus in (1, 2, 4)]
CHECKPOINTS = ["boot-tables", "adopted", "started", "user-space", "two-spaces", "switched", "unmapped", "gone"]


@cases(*EACH)
@limit(180)
def test_witnesses_agree(which):
    """kernel, Bochs and the raw tables agree at every checkpoint"""
    flavor, cpus = which.split()
    code, text, data = compare(flavor, "--cpus", cpus)
    assert code == 0, text
    assert [c["name"] for c in data["runs"][0]["checkpoints"]] == CHECKPOINTS, text


@cases(*EACH)
@limit(180)
def test_witnesses_agree_short_of_tables(which):
    """and where every third table is stolen from somebody: what the tour has mapped vanishes under its hands"""
    flavor, cpus = which.split()
    code, text, data = compare(flavor, "--cpus", cpus, args="force_steal=2")
    assert code == 0, text
    assert [c["name"] for c in data["runs"][0]["checkpoints"]] == CHECKPOINTS, text


@cases("0xc0000000", "0xd0800000", "0x80000000")
@limit(180)
def test_kernelbase(base):
    """an i386 image with another kernelbase, aligned to 1 GiB or not, passes the same comparison"""
    folder = image("i386", f"kb-{base}", KERNELBASE=base)
    code, text, data = compare("i386", folder=folder)
    assert code == 0, text
    hello = data["runs"][0]["records"][0]
    assert int(hello["kernelbase"], 0) == int(base, 0), hello


@cases(*EACH)
@limit(240)
def test_same_run_twice(which):
    """two runs of one image: same instruction count, same transcript"""
    flavor, cpus = which.split()
    first, second = (boot(flavor, cpus=int(cpus)) for _ in range(2))
    assert first.ok, first.problem
    assert first.instructions == second.instructions, (first.instructions, second.instructions)
    assert first.console == second.console
    assert [str(r) for r in first.records] == [str(r) for r in second.records]
    assert [c.lines for c in first.reader.checkpoints] == [c.lines for c in second.reader.checkpoints]


@cases(*FLAVORS)
def test_eight_cpus(flavor):
    """all CPUs that the tables name are started, up to 8"""
    result = boot(flavor, "tour=0", cpus=8)
    assert result.ok, result.problem
    assert "8 CPUs" in result.console, result.console


@cases(*FLAVORS)
def test_multiboot2(flavor):
    """the other Multiboot protocol gives the same kernel the same facts"""
    from hatlab import image as hatlab_image
    from hatlab import run

    folder = image(flavor)
    iso = folder / "multiboot2.iso"
    hatlab_image.build(folder / "kernel.boot", iso, multiboot2=True)
    new = run.boot(flavor, "seed=7", image=iso, kernel=folder / "kernel.elf")
    old = boot(flavor, "seed=7")
    assert new.ok, new.problem
    assert old.reader.hello.values == new.reader.hello.values


@cases(*FLAVORS)
def test_memory_sizes(flavor):
    """more memory than one page of tables describes, and as little as works"""
    for mem in (16, 256):
        result = boot(flavor, mem=mem)
        assert result.ok, (mem, result.problem)
        assert abs(int(result.reader.hello["ram"]) - mem * 1024) < 1024


@cases(*FLAVORS)
def test_backtrace(flavor):
    """a panic names the functions that led to it"""
    result = boot(flavor, "hang=4")
    assert result.exit == "panic", result.exit
    names = [re.sub(r"\+.*", "", frame.split()[-1]) for frame in result.reader.frames]
    assert "stop_here" in names[:3], result.reader.frames
    assert "kmain" in names, result.reader.frames


@cases(*FLAVORS)
def test_nothing_is_moved(flavor):
    """adoption describes boot's tables where they are: same frames, same ranges, same entries"""
    tables = {}

    def look(machine, checkpoint, _reader):
        tables[checkpoint.name] = {(t.level, t.lo, t.hi, t.pfn): t.entries for h in checkpoint.hats for t in h.tables}

    assert boot(flavor, at_checkpoint=look).ok
    before, after = tables["boot-tables"], tables["adopted"]
    assert before.keys() == after.keys()
    assert len(before) >= 4
    levels = {level for level, *_ in before}
    assert levels == set(range(max(levels) + 1))
    for name, entries in before.items():
        links = [(e.index, e.pa, e.flags) for e in entries if type(e).__name__ == "Link"]
        assert links == [(e.index, e.pa, e.flags) for e in after[name] if type(e).__name__ == "Link"]
        directory = flavor == "i386" and name[0] == 2
        assert all(flags == (0x001 if directory else 0x027) for _, _, flags in links), links


@cases(*FLAVORS)
def test_consoles(flavor):
    """what is printed arrives on the screen, on the serial line and at port E9"""
    import tempfile
    from pathlib import Path

    from hatlab import bochs

    screen = []

    def look(machine, checkpoint, _reader):
        screen.append("\n".join(bochs.screen(machine)))

    with tempfile.TemporaryDirectory() as keep:
        result = boot(flavor, "console=vga,serial,e9", at_checkpoint=look, keep=Path(keep))
        assert result.ok, result.problem
        serial = "".join(p.read_text(errors="replace") for p in result.kept.iterdir() if p.name.startswith("com1"))
    line = f"hatlab {flavor}:"
    assert line in result.console
    assert line in screen[-1], screen[-1]
    assert line in serial, serial
