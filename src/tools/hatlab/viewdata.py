# SPDX-License-Identifier: ISC
"""What a picture of page tables needs, as plain data: of one checkpoint, and of what has changed since another one.

Each table is told twice, as the kernel's dump has it and as it is in memory, and cut into runs of entries: equal attributes,
consecutive frames. Numbers are hexadecimal text, because a page's script has no whole numbers of 64 bits.

    hat     {"addr", "name", "flags", "root", "current", "cpus", "pages", "problems", "differences", "tables"}
    table   {"l": level, "b": base, "e": last address, "pa": where it is, "k": the dump's line or null, "in": is it in memory, "runs"}
    run     [first, last, kind, entry in memory or null, what the kernel says or null, decoded, mark]
            kind: leaf, table, copy (slots of the kernel's), odd; mark: "" or "diff"
"""

from __future__ import annotations

from dataclasses import dataclass

from . import walk
from .compare import HatReport, Report, table_differences
from .protocol import Hat, Table
from .walk import Geometry

ENTRIES_TOLD = 64  # of one changed table


def number(value: int | None) -> str | None:
    return None if value is None else f"{value:x}"


def rights(found: walk.Decoded) -> str:
    """As in the dump: `rwxu g ad c0 s0`."""
    return (f"r{'w' if found.w else '-'}{'x' if found.x else '-'}{'u' if found.u else 's'} {'g' if found.g else '-'} "
            f"{'a' if found.a else '-'}{'d' if found.d else '-'} c{found.cache} s{found.soft}")


@dataclass
class _Pair:
    """One table, told twice."""

    level: int
    base: int
    told: Table | None
    claim: walk.Table | None
    real: walk.Table | None
    copied: set[int]


def _pairs(out: HatReport) -> list[_Pair]:
    """The hat's own tables, those that only one side knows included, upper ones first."""
    told = {_key(t, out.raw.geometry): t for t in out.hat.tables}
    kernels = _only_kernel(out)
    keys = out.claim.tree.tables.keys() | (out.raw.tables.keys() - kernels)
    return [_Pair(level, base, told.get((level, base)), out.claim.tree.tables.get((level, base)), out.raw.tables.get((level, base)),
                  out.claim.copied.get((level, base), set())) for level, base in sorted(keys, key=lambda k: (-k[0], k[1]))]


def _key(table: Table, geometry: Geometry) -> tuple[int, int]:
    return (table.level, 0 if table.level == geometry.top else table.lo)


def _only_kernel(out: HatReport) -> set[tuple[int, int]]:
    """Tables that a hat reaches through the slots that it has copied: they are told with the kernel's."""
    found: set[tuple[int, int]] = set()
    if out.hat.name != "user":
        return found
    geometry = out.raw.geometry
    below = [(level - 1, geometry.base(base, level, i)) for (level, base), slots in out.claim.copied.items() for i in slots]
    if out.hat.vlp and geometry.mode == "long":  # the top table is made up of the kernel's
        found.add((3, 0))
        below += [(2, geometry.base(0, 3, i)) for i in range(1, 512)]
    while below:
        key = below.pop()
        table = out.raw.tables.get(key)
        if table is None or key in out.claim.tree.tables or key in found:
            continue
        found.add(key)
        if key[0]:
            below += [(key[0] - 1, geometry.base(key[1], key[0], i)) for i, e in enumerate(table.entries) if e & walk.P]
    return found


def _step(geometry: Geometry, level: int) -> int:
    return geometry.levels[level].span if level == 0 or geometry.levels[level].large else 0


def _runs(pair: _Pair, out: HatReport) -> list[list]:
    """Cut wherever attributes change, a slot is copied, or the two sides part."""
    geometry = out.raw.geometry
    empty = (0,) * geometry.levels[pair.level].entries
    claim, real = pair.claim.entries if pair.claim else empty, pair.real.entries if pair.real else empty
    bad = set(table_differences(geometry, pair.level, claim, real, pair.copied))
    single = bad | pair.copied
    main = real if pair.real else claim
    kept = tuple(0 if i in single else e for i, e in enumerate(main)) if single else main
    found = []
    for first, last, entry in walk.runs(kept, _step(geometry, pair.level)):
        found += _cut(pair, out, first, last, entry)
    found += [[first, last, "copy", None, None, "", ""] for first, last in _stretches(sorted(pair.copied - bad))]
    for index in bad:
        decoded = walk.decode(geometry, pair.level, real[index], out.raw.features)
        kind = {"none": "odd", "bad": "odd"}.get(decoded.kind, decoded.kind)
        found.append([index, index, kind, number(real[index]), number(claim[index]), rights(decoded), "diff"])
    return sorted(found)


def _cut(pair: _Pair, out: HatReport, first: int, last: int, entry: int) -> list[list]:
    """A run of leaves is one; links are told each by itself."""
    geometry = out.raw.geometry
    decoded = walk.decode(geometry, pair.level, entry, out.raw.features)
    if decoded.kind == "leaf":
        return [[first, last, "leaf", number(entry), None, rights(decoded), ""]]
    kind = "table" if decoded.kind == "table" else "odd"
    step = _step(geometry, pair.level)
    return [[i, i, kind, number(entry + (i - first) * step), None, rights(decoded), ""] for i in range(first, last + 1)]


def _stretches(indexes: list[int]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for i in indexes:
        if found and found[-1][1] + 1 == i:
            found[-1] = (found[-1][0], i)
        else:
            found.append((i, i))
    return found


def _told(table: Table | None) -> dict | None:
    if table is None:
        return None
    return {"addr": number(table.addr), "pfn": number(table.pfn), "busy": table.busy, "valid": table.valid, "lock": table.lock,
            "flags": sorted(table.flags), "parent": number(table.parent)}


def table_data(pair: _Pair, out: HatReport) -> dict:
    geometry = out.raw.geometry
    real = pair.real or pair.claim
    return {"l": pair.level, "b": number(pair.base), "e": number(geometry.last(pair.base, pair.level)), "pa": number(real.pa),
            "k": _told(pair.told), "in": pair.real is not None, "runs": _runs(pair, out)}


def hat_data(out: HatReport) -> dict:
    hat: Hat = out.hat
    return {
        "addr": number(hat.addr), "name": hat.name, "flags": sorted(hat.flags), "root": number(hat.root), "current": out.current,
        "cpus": number(hat.cpus), "pages": list(hat.pages), "top": hat.top, "problems": out.problems,
        "differences": [{"l": d.level, "b": number(d.base), "i": d.index, "va": number(d.va), "alone": d.alone, "text": d.text}
                        for d in out.differences],
        "tables": [table_data(pair, out) for pair in _pairs(out)],
    }


# ------------------------------------------------------------------------------------------------------------- changes


def _entries(out: HatReport) -> dict[tuple[int, int], tuple[_Pair, tuple[int, ...]]]:
    return {(p.level, p.base): (p, (p.real or p.claim).entries) for p in _pairs(out)}


def _count_changes(before: Table | None, after: Table | None) -> dict:
    if before is None or after is None:
        return {}
    names = ("busy", "valid", "lock")
    return {n: [getattr(before, n), getattr(after, n)] for n in names if getattr(before, n) != getattr(after, n)}


def hat_changes(before: HatReport, after: HatReport) -> dict[str, dict]:
    """By "level:base": what has become of each table that is not as it was."""
    old, new = _entries(before), _entries(after)
    found = {}
    for key in sorted(old.keys() | new.keys(), key=lambda k: (-k[0], k[1])):
        name = f"{key[0]}:{key[1]:x}"
        if key not in old:
            found[name] = {"what": "new"}
        elif key not in new:
            found[name] = {"what": "gone", "pa": number((old[key][0].real or old[key][0].claim).pa)}
        else:
            entries = [[i, number(a), number(b)] for i, (a, b) in enumerate(zip(old[key][1], new[key][1])) if a != b]
            counts = _count_changes(old[key][0].told, new[key][0].told)
            if entries or counts:
                found[name] = {"what": "changed", "entries": entries[:ENTRIES_TOLD], "more": max(0, len(entries) - ENTRIES_TOLD),
                               "counts": counts}
    return found


def changes(before: Report, after: Report, ram: int) -> dict:
    """What has changed between two checkpoints, by hat; and how many frames each use had before."""
    old = {out.hat.addr: out for out in before.hats}
    new = {out.hat.addr: out for out in after.hats}
    old_memory = memory_map(before, ram)
    return {
        "since": before.checkpoint.name,
        "hats": {number(addr): hat_changes(old[addr], out) for addr, out in new.items() if addr in old},
        "new": [number(addr) for addr in new if addr not in old],
        "gone": [number(addr) for addr in old if addr not in new],
        "memory": {use: sum(n for _, n, what in old_memory if what == use) for use in ORDER},
    }


# ------------------------------------------------------------------------------------------------------ physical memory

# What a frame is used for; what stands first counts. The letter marks it where colours cannot be seen.
USES = (("windows", "W", "the table of windows"), ("table", "T", "page table"), ("shared", "S", "page table shared by address spaces"),
        ("window", "w", "seen through a window"), ("user", "u", "mapped for users"), ("kernel", "k", "mapped by the kernel page by page"),
        ("linear", "l", "only in the kernel's large pages"), ("none", ".", "not mapped"))
ORDER = [use for use, _, _ in USES]

# The windows, as src/sys/windows.h numbers them: pages of one table near the end of the address space of either flavour.
WINDOWS = {0: "boot", 1: "checker", 2: "vlp_page, the kernel's top table", 3: "VGA text memory", 4: "local APIC", 511: "the table of windows itself"}
WINDOW_BASE = -0x400000
PAGE_WINDOWS = 16


def window_name(index: int) -> str:
    if index in WINDOWS or index < PAGE_WINDOWS:
        return WINDOWS.get(index, "unnamed")
    cpu, which = divmod(index - PAGE_WINDOWS, 2)
    return f"page window of CPU {cpu}, {'source of a copy' if which else 'tables'}"


def windows(report: Report) -> list[list]:
    """[page, name, virtual address, physical address, rights] of those that show something now."""
    found = []
    for out in report.hats:
        geometry = out.raw.geometry
        top = 1 << (64 if geometry.mode == "long" else 32)
        table = out.raw.tables.get((0, top + WINDOW_BASE))
        if out.hat.name != "kernel" or table is None:
            continue
        for index, entry in enumerate(table.entries[:512]):
            decoded = walk.decode(geometry, 0, entry, out.raw.features)
            if decoded.kind == "leaf":
                found.append([index, window_name(index), number(top + WINDOW_BASE + index * 4096), number(decoded.pa), rights(decoded)])
    return found


def _mark_windows(frames: dict[int, str], report: Report) -> None:
    """The last window shows its own table."""
    for index, _, _, pa, _ in windows(report):
        frame = int(pa, 16) >> 12
        if index == 511:
            frames[frame] = "windows"
        elif ORDER.index(frames.get(frame, "none")) > ORDER.index("window"):
            frames[frame] = "window"


def _mark_tables(frames: dict[int, str], out: HatReport) -> None:
    for pair in _pairs(out):
        table = pair.real or pair.claim
        shared = pair.told is not None and "shared" in pair.told.flags
        if shared or frames.get(table.pa >> 12) != "shared":
            frames[table.pa >> 12] = "shared" if shared else "table"


def _mark_leaves(frames: dict[int, str], out: HatReport, nframes: int) -> None:
    for pair in _pairs(out):
        for first, last, kind, entry, _, _, _ in _runs(pair, out):
            if kind != "leaf" or entry is None:
                continue
            decoded = walk.decode(out.raw.geometry, pair.level, int(entry, 16), out.raw.features)
            use = "user" if out.hat.name == "user" else "kernel" if pair.level == 0 else "linear"
            size = (last - first + 1) * out.raw.geometry.levels[pair.level].span >> 12
            for frame in range(decoded.pa >> 12, min((decoded.pa >> 12) + size, nframes)):
                if ORDER.index(use) < ORDER.index(frames.get(frame, "none")):
                    frames[frame] = use


def memory_map(report: Report, ram: int) -> list[list]:
    """[first frame, frames, use] in ascending order; `ram` in bytes."""
    frames: dict[int, str] = {}
    nframes = ram + 4095 >> 12
    for out in report.hats:
        _mark_leaves(frames, out, nframes)
    for out in report.hats:
        _mark_tables(frames, out)
    _mark_windows(frames, report)
    runs: list[list] = []
    for frame in range(nframes):
        use = frames.get(frame, "none")
        if runs and runs[-1][2] == use:
            runs[-1][1] += 1
        else:
            runs.append([frame, 1, use])
    return runs


# ---------------------------------------------------------------------------------------------------------------- whole


def page_data(report: Report, flavor: str, args: str, ram: int, before: Report | None = None) -> dict:
    cp, geometry = report.checkpoint, next(out.raw.geometry for out in report.hats)
    return {
        "flavor": flavor, "args": args, "mode": report.mode, "checkpoint": cp.name, "n": cp.n, "cpu": cp.cpu, "cr3": number(cp.cr3),
        "ok": report.ok, "problems": report.problems,
        "levels": [{"shift": level.shift, "entries": level.entries, "size": level.size, "large": level.large} for level in geometry.levels],
        "hats": [hat_data(out) for out in report.hats],
        "uses": [list(use) for use in USES], "memory": memory_map(report, ram), "windows": windows(report),
        "changes": changes(before, report, ram) if before else None,
    }
