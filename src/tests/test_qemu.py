# SPDX-License-Identifier: ISC
"""The second opinion (docs/qemu.md): QEMU as a witness, other media than a CD, machines that the kernel cannot use."""

import os
import re
import time
from pathlib import Path

from common import FLAVORS, TOP, compare, image
from testall import cases, limit, needs

from hatlab import bochs, qemu, qemu_out, walk
from hatlab.image import load

NEEDS = "qemu-system-x86_64"
CHECKPOINTS = 8  # of the tour



@needs(NEEDS)
@cases("amd64 1", "amd64 2", "i386 1", "i386 2", "i386 1 pae=0")
@limit(240)
def test_agrees(which):
    """kernel, QEMU and raw memory agree at every checkpoint of the tour"""
    flavor, cpus, *args = which.split()
    _, text, data = compare(flavor, "--emulator", "qemu", "--cpus", cpus, args=" ".join(args))
    run = data["runs"][0]
    assert len(run["checkpoints"]) == CHECKPOINTS and run["exit"] == "ok", text[-500:]
    assert f"{flavor}: OK, kernel, QEMU and raw memory agree" in text
    # It was asked: each checkpoint has one address space whose every range has its word.
    for cp in run["checkpoints"]:
        current = [h for h in cp["hats"] if h["current"]]
        assert len(current) == 1 and current[0]["rows"]
        assert all(row["qemu"] == "ok" and "bochs" not in row for row in current[0]["rows"]), cp["name"]


@needs(NEEDS)
@cases(*FLAVORS)
@limit(240)
def test_notices(flavor):
    """a leaf changed behind the dump's back: QEMU sees the change, and the kernel's dump stands alone"""
    _, _, data = compare(flavor, "--emulator", "qemu")
    cp = data["runs"][0]["checkpoints"][0]
    rows = next(h for h in cp["hats"] if h["current"])["rows"]
    # The page of the screen; the table of its entry maps itself in its slot 511.
    row = next(r for r in rows if r["pa0"] == "0xb8000")
    table = int(next(r for r in rows if int(r["va0"], 16) & 0x1FFFFF == 0x1FF000)["pa0"], 16)
    slot = table + (int(row["va0"], 16) >> 12 & 511) * 8
    # Another frame, and a user may.
    code, text, data = compare(flavor, "--emulator", "qemu", "--poke", f"0x{slot:x}=0x{0xb9000 | 0x467:x}", check=False)
    assert code == 1, text[-1500:]
    found = [d for h in data["runs"][0]["checkpoints"][0]["hats"] for d in h["differences"]]
    assert [d["va"] for d in found if d["alone"] == "kernel"] == [row["va0"]], found
    assert found[0]["qemu"] == found[0]["raw"] != found[0]["kernel"], found
    assert "the kernel's dump stands alone: memory and QEMU agree" in text


TLB = """ffffffff80200000: 0000000000200000 -GPDA----
ffffffff80400000: 0000000000400000 XGPDA---W
ffffffffffdff000: 8000000000408000 XG-DAC-UW
"""
MEM = """00007ffffffff000-ffff800000001000 0000000000002000 urw
ffffffff80200000-ffffffff80400000 0000000000200000 -r-
ffffffff80400000-ffffffff80600000 0000000000200000 -rw
ffffffffffdff000-ffffffffffe00000 0000000000001000 urw
"""


def test_reading():
    """what QEMU prints is read: sizes, bits, its slip with NX, and the hole that it does not see"""
    rights = qemu_out.parse_mem(MEM)
    assert rights[0] == (0x7FFF_FFFF_F000, 1 << 47, True, True) and rights[1][:2] == (0xFFFF_8000_0000_0000, 0xFFFF_8000_0000_1000)
    leaves = qemu_out.parse_tlb(TLB, rights)
    assert [leaf.size for leaf in leaves] == [0x200000, 0x200000, 0x1000]
    assert leaves[0].entry == 0x200000 | walk.P | walk.G | walk.PS | walk.D | walk.A
    assert leaves[2].entry == 0x408000 | walk.P | walk.G | walk.D | walk.A | walk.PCD | walk.U | walk.W | walk.NX
    assert qemu_out.merged(leaves) == [(0xFFFFFFFF80200000, 0xFFFFFFFF805FFFFF, 0x200000),
                                       (0xFFFFFFFFFFDFF000, 0xFFFFFFFFFFDFFFFF, 0x408000)]
    try:
        qemu_out.parse_tlb(TLB, rights[:3])
    except qemu_out.QemuOutputError as error:
        assert "0xffffffff80400000" in str(error) or "0xffffffff80200000" in str(error)
    else:
        raise AssertionError("a page outside of all ranges was taken")


def test_missing():
    """without QEMU: one line that names the package"""
    os.environ["HATLAB_QEMU"] = "no-such-qemu"
    code, text, _ = compare("amd64", "--emulator", "qemu", check=False)
    assert code == 2
    assert text.strip() == "compare: no QEMU: qemu-system-x86_64 is not in PATH (package qemu-system-x86)", text


# ------------------------------------------------------------------------------------------------- one boot by hand


def run_qemu(flavor, until, seconds=60, **options):
    """Start an image on QEMU and return (text on port E9, serial text, screen) once `until` has been said, and it stands still."""
    folder = image(flavor)
    said = []
    with qemu.Qemu(load(folder / "hatlab.iso"), folder / "kernel.elf", **options) as machine:
        end = time.monotonic() + seconds
        while until not in "".join(said):
            stop, late = machine.go(lambda: end, said.append)
            assert not late and stop.kind == "magic", (stop, "".join(said)[-500:])
        return "".join(said), (machine.dir / "com1.txt").read_text(), bochs.screen(machine)


@needs(NEEDS)
@cases("amd64 cd", "amd64 disk", "amd64 usb", "i386 disk", "i386 usb")
def test_media(which):
    """an image boots from a CD, a disk and a USB stick"""
    flavor, medium = which.split()
    said, _, _ = run_qemu(flavor, "%done", medium=medium)
    assert "%done result=ok" in said and said.count("%cp-end") == CHECKPOINTS


def run_bochs(flavor, change, name, seconds=60):
    """Boot an image on a Bochs whose bochsrc is changed: text on port E9, serial text, screen at the first magic breakpoint."""
    folder = image(flavor)
    rc = Path(os.environ["TMPDIR"]) / name
    rc.write_text(change((TOP / "bochsrc").read_text()))
    said = []
    with bochs.Bochs(load(folder / "hatlab.iso"), bochsrc=rc) as machine:
        end = time.monotonic() + seconds
        stop, late = machine.go(lambda: end, said.append)
        assert not late and stop.kind == "magic", (stop, "".join(said)[-500:])
        seen = bochs.screen(machine)
        machine.quit()  # flushes the serial line's file
        return "".join(said), (machine.dir / "com1.txt").read_text(), seen


@cases(*FLAVORS)
def test_disk_on_bochs(flavor):
    """an image boots from a disk on Bochs too"""
    def disk(text):
        text = re.sub(r"^ata0-master: type=cdrom, path=(.*), status=inserted", r"ata0-master: type=disk, path=\1, mode=flat", text, flags=re.M)
        text = re.sub(r"^boot: cdrom", "boot: disk", text, flags=re.M)
        assert "type=disk" in text and "boot: disk" in text
        return text

    said, _, _ = run_bochs(flavor, disk, "disk.rc")
    assert f"%hello version=1 flavor={flavor}" in said


# --------------------------------------------------------------------------------------- what a machine may lack


def refused(said, serial, screen, words):
    """The same one line in all three places, and the record for the host's tools."""
    assert said == f"%panic cpu=0 text={words}\n%done result=panic\n", said
    assert serial.replace("\r", "") == f"hatlab: {words}\n", serial
    assert screen[-1] == f"hatlab: {words}", screen


NO_LONG = "this CPU has no 64-bit mode: boot the i386 image"
NO_CMOV = "this CPU has no conditional moves (CMOV): an i686 is needed"


@cases(("amd64 p3_katmai", NO_LONG), ("amd64 pentium", NO_CMOV), ("i386 pentium", NO_CMOV))
def test_lacks_on_bochs(which):
    """Bochs with an old CPU: the kernel says what it lacks"""
    flavor, model = which[0].split()
    result = run_bochs(flavor, lambda text: re.sub(r"\bmodel=\w+", f"model={model}", text), "cpu.rc")
    refused(*result, which[1])


@needs(NEEDS)
@cases(("amd64 qemu32", NO_LONG), ("i386 pentium", NO_CMOV), ("i386 486", "this CPU has no time-stamp counter (RDTSC)"),
       ("i386 max,-cx8", "this CPU has no 8-byte compare-and-exchange (CMPXCHG8B)"),
       ("amd64 max,-msr", "this CPU has no model-specific registers (RDMSR)"))
def test_lacks_on_qemu(which):
    """QEMU with an old CPU: the kernel says what it lacks"""
    flavor, model = which[0].split()
    refused(*run_qemu(flavor, "%done", cpu_model=model), which[1])


@needs(NEEDS)
def test_without_pae():
    """a CPU without PAE is not refused: the 32-bit kernel has another format for it"""
    said, _, _ = run_qemu("i386", "%done", cpu_model="max,-pae")
    assert "mode=nonpae" in said and "%done result=ok" in said


@needs(NEEDS)
@cases(*FLAVORS)
def test_too_little_memory(flavor):
    """8 MB: the panic is on port E9, the serial line and the screen; 16 MB are enough"""
    words = "too little memory: 7676 KiB, at least 12288 KiB are needed"
    said, serial, screen = run_qemu(flavor, "%done", mem=8)
    assert f"%panic cpu=0 text={words}\n" in said and "%done result=panic" in said
    assert f"panic: {words}" in serial and f"panic: {words}" in screen
    assert "%done result=ok" in run_qemu(flavor, "%done", mem=16)[0]
