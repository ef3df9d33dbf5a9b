# SPDX-License-Identifier: ISC
"""What was seen at the stops of a scene: registers, `info tab`, the kernel's dump, and the entries above named addresses.

The questions' truths (questions.py) are computed from this. One boot of the reference kernel fills it; it is kept in
build/answers/, named after everything that it depends on.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from . import bochs, bochs_out, host, image, lab, run, walk
from .protocol import Checkpoint, Leaf
from .symbols import Symbols

VERSION = 1
FLUSHES = 11  # hs_tlb_invals, counted in words of struct hatstats


@dataclass
class Facts:
    """One run."""

    data: dict

    @property
    def kernelbase(self) -> int:
        return self.data["kernelbase"]

    def stop(self, name: str) -> dict:
        return self.data["stops"][name]

    def creg(self, stop: str, register: str) -> int:
        return self.stop(stop)["creg"][register]

    def tab(self, stop: str) -> list[list[int]]:
        """`info tab`: first and last address, physical address."""
        return self.stop(stop)["tab"]

    def path(self, stop: str, name: str) -> list[list[int]]:
        """(level, index, entry) from the top down to where the translation of a named address ends."""
        return self.stop(stop)["paths"][name]

    def entry(self, stop: str, name: str, level: int = 0) -> int:
        """The entry of one level; 0 when the walk ends above it."""
        return next((entry for at, _, entry in self.path(stop, name) if at == level), 0)

    def spaces(self, stop: str) -> list[dict]:
        """The user address spaces, as the kernel dumps them."""
        return [h for h in self.stop(stop)["hats"] if h["name"] == "user"]

    def kernel(self, stop: str) -> dict:
        return next(h for h in self.stop(stop)["hats"] if h["name"] == "kernel")

    def flushes(self, stop: str) -> int:
        """How often hat_tlb_inval() was called for a user space."""
        return self.stop(stop)["flushes"]


def collect(flavor: str, args: str, names: dict[str, int], cpus: int = 1, folder: Path | None = None) -> Facts:
    """Boot the reference kernel in `folder` (default: the plain image), or remember what an earlier boot showed."""
    folder = folder or _reference(flavor)
    path = folder / "hatlab.iso"
    data = image.load(path)
    words = json.dumps([VERSION, flavor, args, names, cpus, Path(__file__).read_text()])
    key = hashlib.sha256(data + words.encode()).hexdigest()[:24]
    memory = host.BUILD / "answers" / f"{flavor}-{key}.json"
    try:
        return Facts(json.loads(memory.read_text()))
    except (OSError, ValueError):
        pass
    found = _boot(flavor, args, names, cpus, folder)
    memory.parent.mkdir(parents=True, exist_ok=True)
    part = memory.with_suffix(f".{os.getpid()}")
    part.write_text(json.dumps(found))
    os.replace(part, memory)
    return Facts(found)


def _reference(flavor: str) -> Path:
    """The folder of the plain image, built if it is not there, or if somebody has linked files of labs/ into it."""
    folder = host.BUILD / flavor
    flags = folder / "flags"
    if not (folder / "hatlab.iso").is_file() or not flags.is_file() or "=labs/" in flags.read_text():
        folder.mkdir(parents=True, exist_ok=True)
        command = ["flock", str(folder / "lock"), "make", "-s", "-f", "src/kernel.mk", f"FLAVOR={flavor}", "IMAGE="]
        done = subprocess.run(command, cwd=host.ROOT, env=lab.clean_environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            raise host.HostError(f"the reference kernel does not build for {flavor}: {(done.stderr.splitlines() or ['?'])[-1]}")
    return folder


def _boot(flavor: str, args: str, names: dict[str, int], cpus: int, folder: Path) -> dict:
    stops: dict[str, dict] = {}
    symbols = Symbols.read(folder / "kernel.elf")

    def look(machine: bochs.Bochs, checkpoint: Checkpoint, reader) -> None:
        stops[checkpoint.name] = _look(machine, checkpoint, names, symbols)

    result = run.boot(flavor, args, cpus=cpus, image=folder / "hatlab.iso", kernel=folder / "kernel.elf", at_checkpoint=look)
    if not result.ok:
        raise host.HostError(f"the reference kernel ({flavor}, {args}) {result.problem}")
    return {"kernelbase": int(result.reader.hello["kernelbase"], 16), "stops": stops}


def _look(machine: bochs.Bochs, checkpoint: Checkpoint, names: dict[str, int], symbols: Symbols) -> dict:
    creg_text, tab_text = machine.ask(["creg", "info tab"])
    creg = bochs_out.parse_creg(creg_text)
    tab = bochs_out.parse_info_tab(tab_text, creg.mode == "long")
    return {
        "creg": {"cr0": creg.cr0, "cr3": creg.cr3, "cr4": creg.cr4, "efer": creg.efer},
        "tab": [[r.va0, r.va1, r.pa0] for r in tab.ranges],
        "paths": {name: _path(machine, creg, va) for name, va in names.items()},
        "hats": [_hat(hat) for hat in checkpoint.hats],
        "flushes": _flushes(machine, creg.mode, symbols),
    }


def _path(machine: bochs.Bochs, creg: bochs_out.Creg, va: int) -> list[list[int]]:
    """Walk memory for one address."""
    geometry, features = walk.GEOMETRY[creg.mode], walk.Features()
    found, pa = [], creg.root
    for level in range(geometry.top, -1, -1):
        width, index = geometry.levels[level].width, geometry.index(va, level)
        at = pa + index * width
        word = int.from_bytes(bochs.read_memory(machine, [(at & ~7, 8)])[0], "little")
        entry = word >> (at % 8 * 8) & ((1 << width * 8) - 1)
        found.append([level, index, entry])
        decoded = walk.decode(geometry, level, entry, features)
        if decoded.kind != "table":
            break
        pa = decoded.pa
    return found


def _hat(hat) -> dict:
    tables = [{
        "level": t.level, "lo": t.lo, "hi": t.hi, "busy": t.busy, "valid": t.valid, "flags": sorted(t.flags),
        "runs": sum(isinstance(e, Leaf) for e in t.entries),
        "leaves": sum(e.last - e.first + 1 for e in t.entries if isinstance(e, Leaf)),
    } for t in hat.tables]
    return {"name": hat.name, "flags": sorted(hat.flags), "pages": list(hat.pages), "cpus": hat.cpus, "tables": tables}


def _flushes(machine: bochs.Bochs, mode: str, symbols: Symbols) -> int:
    """hatstat.hs_tlb_invals, read in memory."""
    width = 8 if mode == "long" else 4
    at = (symbols.address("hatstat") or 0) + FLUSHES * width
    reply = machine.ask([f"x /1{'g' if width == 8 else 'w'}x 0x{at:x}"])[0]
    return int(reply.rsplit("\t", 1)[-1].strip(), 16)
