# SPDX-License-Identifier: ISC
"""Where the kernel's structures have their fields: asked of the compiler, with the flags that the image was built with.

A small C file puts offsetof() and sizeof() into strings of its assembly output. Answers are kept in build/ask/ for as long as no
header and no flag changes.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import subprocess
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from .. import host
from .machine import AskError

FIELDS = {
    "struct htable": "ht_next ht_hat ht_vaddr ht_level ht_flags ht_permanent ht_busy ht_prev ht_valid_cnt ht_lock_cnt ht_pfn ht_parent "
                     "ht_shares ht_rank",
    "struct hat": "hat_chains hat_as hat_pages_mapped hat_cpus hat_flags hat_top hat_htable hat_next hat_ht_cached hat_vlp_ptes",
    "struct hat_chains": "hc_head hc_mask hc_count",
    "struct cpu": "cpu_id cpu_current_hat",
}
SIGNED = {"ht_level", "hat_top", "ht_busy", "ht_valid_cnt", "cpu_id"}
CONSTANTS = ("HAT_NLOCKS", "NCPU", "HAT_FREEING", "HAT_VLP", "HAT_VICTIM", "HAT_SHARED", "HTABLE_VLP", "HTABLE_SHARED_PFN", "HTABLE_CUT",
             "PFN_INVALID", "MAX_PAGE_LEVEL")
# What parameters of functions may be of (where.py); pointers are words.
TYPES = ("x86pte_t", "paddr_t", "pfn_t", "level_t", "uintptr_t", "size_t", "uint_t", "ulong_t", "int", "bool", "unsigned", "long",
         "uint8_t", "uint16_t", "uint32_t", "uint64_t", "int32_t", "int64_t", "cpuset_t")
LINE = re.compile(r'@@ (\S+) (?:\$|#)?(-?\d+) (?:\$|#)?(\d+)')


@dataclass(frozen=True)
class Offsets:
    """`field["ht_pfn"]` is (offset, size); names of fields are unique in this kernel."""

    field: dict[str, tuple[int, int]]
    size: dict[str, int]
    constant: dict[str, int]


def source() -> str:
    """The C file."""
    says = 'asm volatile (".ascii \\"@@ {} %c0 %c1\\"" :: "i"({}), "i"({}));'
    body = []
    for struct, fields in FIELDS.items():
        name = struct.split()[1]
        body.append(says.format(f"size:{name}", 0, f"sizeof ({struct})"))
        body += [says.format(f"field:{f}", f"__builtin_offsetof({struct}, {f})", f"sizeof ((({struct} *)0)->{f})") for f in fields.split()]
    body += [says.format(f"size:{t}", 0, f"sizeof ({t})") for t in TYPES]
    body += [says.format(f"constant:{c}", f"(long)({c})", 0) for c in CONSTANTS]
    return "#include <hat/htable.h>\n#include <vm/page.h>\n#include <sys/cpu.h>\nvoid ask(void);\nvoid\nask(void)\n{\n" + "\n".join(body) + "\n}\n"


def flags_of(kernel: Path) -> list[str]:
    """Compiler and flags of an image, as src/kernel.mk has noted them beside it."""
    try:
        words = (kernel.parent / "flags").read_text().split()
    except OSError:
        raise AskError(f"{kernel.parent}/flags is missing: nobody knows how this kernel was compiled") from None
    compiler = list(takewhile(lambda w: not w.startswith("-"), words))
    return compiler + list(takewhile(lambda w: w.startswith("-"), words[len(compiler):]))


def _key(flags: list[str]) -> str:
    state = hashlib.sha256("\0".join([*flags, source()]).encode())
    for path in sorted((host.ROOT / "src").rglob("*.h")):
        state.update(path.read_bytes())
    return state.hexdigest()[:16]


def read(kernel: Path) -> Offsets:
    return _read(kernel, (kernel.parent / "flags").stat().st_mtime if (kernel.parent / "flags").exists() else 0)


@functools.lru_cache(maxsize=4)
def _read(kernel: Path, _changed: float) -> Offsets:
    flags = flags_of(kernel)
    kept = host.BUILD / "ask" / f"offsets-{_key(flags)}.json"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps(parse(_compile(flags))))
        os.replace(part, kept)
    known = json.loads(kept.read_text())
    return Offsets({n: tuple(v) for n, v in known["field"].items()}, known["size"], known["constant"])


def _compile(flags: list[str]) -> str:
    done = subprocess.run([*flags, "-x", "c", "-S", "-o", "-", "-"], input=source(), cwd=host.ROOT, capture_output=True, text=True)
    if done.returncode:
        wrong = [line for line in done.stderr.splitlines() if "error:" in line] or ["no reason given"]
        raise AskError(f"the compiler does not say where fields are: {wrong[0]}")
    return done.stdout


def parse(assembly: str) -> dict[str, dict]:
    found: dict[str, dict] = {"field": {}, "size": {}, "constant": {}}
    for name, value, size in LINE.findall(assembly):
        kind, name = name.split(":")
        found[kind][name] = [int(value), int(size)] if kind == "field" else int(size if kind == "size" else value)
    missing = [f for fields in FIELDS.values() for f in fields.split() if f not in found["field"]]
    if missing:
        raise AskError(f"the compiler does not say where {missing[0]} is")
    return found
