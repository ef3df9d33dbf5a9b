# SPDX-License-Identifier: ISC
"""What a correct kernel has mapped after a drill: what the host's model says, which no kernel takes part in (docs/drill.md)."""

from __future__ import annotations

import functools
import hashlib
import os
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

from . import host, lab
from .host import BUILD, ROOT, HostError, runnable
from .outside import Expected
from .walk import Geometry

GROUP = 0x1000  # DRILL_GROUP(0): codes from there on are of large pages
END = re.compile(r"^end keeps=(\d)$", re.M)
LEAF = re.compile(r"^leaf space=(\d+) va=0x([0-9a-f]+) level=(\d) frame=0x([0-9a-f]+) bits=0x([0-9a-f]+)$", re.M)
INPUTS = ("src/host", "src/hat", "src/check", "src/vm", "src/sys", "src/x86", "src/amd64", "src/i386", "src/kern/tunable.c", "solutions")


class Leaf(NamedTuple):
    """One leaf; its frame is a code of check/drill.h."""

    space: int
    va: int
    level: int
    frame: int
    bits: int


class State(NamedTuple):
    """Of all address spaces."""

    leaves: list[Leaf]
    keeps: int  # empty tables of this level and above may be there


def state(flavor: str, seed: int, steps: int) -> State:
    """After so many steps of the drill of this seed, in the kernel's usual mode.  Known answers are kept in build/oracle/."""
    kept = BUILD / "oracle" / f"{flavor}-{seed}-{steps}-{_inputs()}"
    if not kept.exists():
        said = _ask(flavor, seed, steps)
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(f".{os.getpid()}")
        part.write_text(said)
        os.replace(part, kept)
    text = kept.read_text()
    return State([Leaf(int(s), int(va, 16), int(level), int(frame, 16), int(bits, 16))
                  for s, va, level, frame, bits in LEAF.findall(text)], int(END.search(text)[1]))


def program(flavor: str) -> Path:
    """The program of the host, without sanitizers: it is made of the solutions, whoever is graded."""
    folder = BUILD / f"host-{flavor}-oracle"
    with host.held(BUILD / f"host-{flavor}-oracle.lock"):
        done = subprocess.run(
            ["make", "-s", "-f", "src/host/host.mk", f"FLAVOR={flavor}", "IMAGE=oracle", "PROGRAM=oracle", "SANITIZE="],
            cwd=ROOT, env=lab.clean_environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise HostError("the host's program does not build: " + "\n".join(done.stderr.splitlines()[-5:]))
    return folder / "oracle"


def _ask(flavor: str, seed: int, steps: int) -> str:
    command = runnable([program(flavor), "--test", "oracle", "--cpus", "1", "--seed", str(seed), "--steps", str(steps)])
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    if done.returncode or not END.search(done.stdout):
        raise HostError(f"the model has no answer for {steps} steps of seed {seed}: {(done.stdout + done.stderr)[-300:]}")
    return done.stdout


@functools.cache
def _inputs() -> str:
    """Changes when anything does that the program is made of."""
    paths = [p for name in INPUTS for p in ([ROOT / name] if name.endswith(".c") else sorted((ROOT / name).rglob("*.[chSm]*")))]
    return hashlib.sha1(repr([(str(p), p.stat().st_mtime_ns, p.stat().st_size) for p in paths]).encode()).hexdigest()[:16]


def expected(found: list[Leaf], space: int, geometry: Geometry, small: list[int], groups: list[int]) -> list[Expected]:
    """The leaves of an address space with the frames that the kernel has for the codes, and the tables above them."""
    rows, tables = [], {}
    for leaf in found:
        if leaf.space != space:
            continue
        pfn = small[leaf.frame] if leaf.frame < GROUP else groups[leaf.frame // GROUP - 1] + leaf.frame % GROUP
        rows.append(Expected(leaf.va, pfn << 12 | leaf.bits, leaf.level, 0))
        for level in range(leaf.level, geometry.top):
            tables[level, geometry.table_base(leaf.va, level)] = None
    return rows + [Expected(va, 0, level, 1) for level, va in tables]
