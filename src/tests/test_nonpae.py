# SPDX-License-Identifier: ISC
"""The 32-bit kernel without PAE: two levels of 4-byte entries, from the same image, under the same tests."""

import contextlib

from common import boot, checks, compare, image
from test_boot import CHECKPOINTS
from testall import cases, limit

MODES = ("pae=0", "pae=0 pse=0")  # 4 MiB pages, and none
EACH = [f"{cpus} {mode}" for mode in MODES for cpus in (1, 4)]
VICTIM = 0x00401000  # a page of the tour's first user space


@contextlib.contextmanager
def machine(old, new):
    """Boot on a machine whose bochsrc has one line another way."""
    from hatlab import bochs

    derive = bochs.derive

    def changed(*args):
        text = derive(*args)
        assert old in text, text
        return text.replace(old, new)

    bochs.derive = changed
    try:
        yield
    finally:
        bochs.derive = derive


def split(which):
    cpus, args = which.split(" ", 1)
    return int(cpus), args


def sizes(data):
    return {row["size"] for c in data["runs"][0]["checkpoints"] for hat in c["hats"] for row in hat["rows"]}


@cases(*EACH)
@limit(240)
def test_witnesses_agree(which):
    """kernel, Bochs and the raw tables agree at every checkpoint"""
    cpus, args = split(which)
    code, text, data = compare("i386", "--cpus", cpus, args=args)
    assert code == 0, text
    assert data["runs"][0]["records"][0]["mode"] == "nonpae", text
    assert [c["name"] for c in data["runs"][0]["checkpoints"]] == CHECKPOINTS, text
    assert sizes(data) == ({"4K"} if "pse" in args else {"4K", "4M"}), sizes(data)


@cases("0xd0800000", "0x80000000")
@limit(240)
def test_kernelbase(base):
    """another kernelbase needs nothing but other slots"""
    folder = image("i386", f"kb-{base}", KERNELBASE=base)
    code, text, _ = compare("i386", args="pae=0", folder=folder)
    assert code == 0, text


@cases("1", "4")
@limit(240)
def test_same_run_twice(cpus):
    """two runs: same instruction count, same transcript"""
    first, second = (boot("i386", "pae=0", cpus=int(cpus)) for _ in range(2))
    assert first.ok, first.problem
    assert first.instructions == second.instructions, (first.instructions, second.instructions)
    assert [c.lines for c in first.reader.checkpoints] == [c.lines for c in second.reader.checkpoints]


@cases("1", "4")
@limit(300)
def test_without_large_pages(cpus):
    """neither PAE nor 4 MiB pages: the labs' checks and the self tests"""
    for what in ("selftest=1", "checks=lab1,lab3,lab6"):
        result = boot("i386", f"pae=0 pse=0 tour=0 watchdog=0 {what}", cpus=int(cpus), timeout=140)
        assert result.ok, result.problem
        assert what.startswith("selftest") or len(checks(result)) >= 18, list(checks(result))


def test_memory_sizes():
    """as little as works, and more than a few tables describe"""
    for mem in (16, 256):
        result = boot("i386", "pae=0 tour=0", mem=mem)
        assert result.ok, (mem, result.problem)
        assert abs(int(result.reader.hello["ram"]) - mem * 1024) < 1024


@cases("1", "2")
def test_words(protocol):
    """the entry code reads the command line as the kernel does, from both loader protocols"""
    from hatlab import image as hatlab_image
    from hatlab import run

    folder = image("i386")
    iso = folder / "hatlab.iso"
    if protocol == "2":
        iso = folder / "nonpae-multiboot2.iso"
        hatlab_image.build(folder / "kernel.boot", iso, multiboot2=True)
    words = {"pae=0": "nonpae", "seed=1 pae=0x00 cpus=1": "nonpae", "pae=0 pae=1": "pae", "pae=1 pae=0": "nonpae",
             "pae=10": "pae", "lab=pae=0": "pae", "seed=2": "pae"}
    for args, mode in words.items():
        result = run.boot("i386", f"tour=0 {args}", image=iso, kernel=folder / "kernel.elf")
        assert result.ok, (args, result.problem)
        assert result.reader.hello["mode"] == mode, (args, mode)


@limit(300)
def test_cpu_without_pae():
    """a CPU that has no PAE gets what it has, without being asked (it has no conditional moves either: an image of its own)"""
    folder = image("i386", "i586", CFLAGS_i386="-m32 -march=i586")
    with machine("model=corei7_haswell_4770", "model=pentium"):
        code = boot("i386", folder=folder)
    assert code.ok, code.problem
    assert code.reader.hello["mode"] == "nonpae"


@cases("kernel-base", "leaf-high", "copied", "misaligned", "window", "global", "link-stray", "cr3")
def test_invariants_notice(kind):
    """damage is reported by just the invariants that two levels leave for it"""
    result = boot("i386", f"pae=0 tour=0 damage={kind}")
    line = next(text for text in result.console.splitlines() if text.startswith(f"damage {kind} is done; expected: "))
    assert {r["id"] for r in result.reader.find("invariant")} == set(line.split()[-1].split(",")), result.console


def test_flipped_bit():
    """a bit flipped in a live entry of 4 bytes: the comparison names that entry, and no neighbour"""
    from hatlab import bochs_out

    found = []

    def look(machine, checkpoint, _reader):
        if checkpoint.name == "user-space":
            hat = next(h for h in checkpoint.hats if h.addr == checkpoint.hat)
            table = next(t for t in hat.tables if t.level == 0 and t.lo <= VICTIM <= t.hi)
            pa = (table.pfn << 12) + 4 * ((VICTIM - table.lo) >> 12)
            found.append((pa, bochs_out.parse_xp(machine.ask([f"xp /1gx 0x{pa:x}"])[0], 1)[1][0]))

    assert boot("i386", "pae=0", at_checkpoint=look).ok
    pa, value = found[0]
    code, text, data = compare("i386", "--at", "user-space", "--poke", f"{pa:#x}={value ^ 2:#x}", args="pae=0", check=False)
    assert code != 0
    checkpoint = next(c for c in data["runs"][0]["checkpoints"] if c["name"] == "user-space")
    hat = next(h for h in checkpoint["hats"] if h["current"])
    assert [int(str(d["va"]), 0) for d in hat["differences"]] == [VICTIM], text
    assert hat["differences"][0]["alone"] == "kernel", text
