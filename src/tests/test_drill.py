# SPDX-License-Identifier: ISC
"""Drills (docs/drill.md): the kernel's side and the model's agree, and what differs is found."""

import re
import sys

from common import FLAVORS, TOP, run
from test_host import build
from testall import cases, limit, seed

sys.path.insert(0, str(TOP / "src/tools"))

from hatlab import drill  # noqa: E402  (the path comes first)

MODES = {"amd64": ("", "kpm=0"), "i386": ("", "pae=0", "pae=0 pse=0")}
# A line, what becomes of it, and a word that must appear.
MISTAKES = (
    ("lost-dirty", "solutions/lab1-entries/x86pte_set.c", "(old & (PT_REF | PT_MOD))", "(old & 0)", "was lost"),
    ("no-nx", "src/hat/hat_attr.c", "PT_WRITABLE : 0) | (attr & PROT_EXEC ? 0 : mmu.pt_nx)", "PT_WRITABLE : 0)", "its bits should be"),
    ("nosync-stays", "src/hat/hat_attr.c", "all = PT_WRITABLE | PT_NOSYNC", "all = PT_WRITABLE", "its bits should be"),
)


@cases(*FLAVORS)
@limit(200)
def test_drill_model(flavor):
    """drills of this run's own seeds, in every mode: the HAT has what the model says after every 16 steps"""
    program = build(flavor)
    for args in MODES[flavor]:
        for n in range(5):
            run(program, "--test", "drill", "--steps", 500, "--seed", 100 * seed() + n, "--args", args, timeout=60)


@cases(*MISTAKES)
@limit(200)
def test_drill_finds(mistake):
    """a planted mistake is found by a drill"""
    name, path, old, new, words = mistake
    text = (TOP / path).read_text()
    assert old in text, "the mistake must be planted elsewhere now"
    wrong = TOP / "build/drill-mistakes" / name / path.split("/")[-1]
    wrong.parent.mkdir(parents=True, exist_ok=True)
    wrong.write_text(text.replace(old, new))
    program = build("amd64", program=f"drill-{name}", UNITS=f"{wrong.stem}={wrong.relative_to(TOP)}")
    done = run(program, "--test", "drill", "--steps", 500, "--seed", 1, check=False)
    assert done.returncode != 0 and words in done.stdout, done.stdout[-1000:]


@limit(20)
def test_drill_words():
    """what the host counts is what the kernel counts"""
    header = (TOP / "src/check/drill.h").read_text()
    numbers = dict(re.findall(r"#define DRILL_(\w+)\s+(\d+)u", header))
    assert numbers == {"SPACES": str(drill.SPACES), "SMALL": str(drill.SMALL), "GROUPS": str(drill.GROUPS)}
