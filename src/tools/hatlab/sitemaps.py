# SPDX-License-Identifier: ISC
"""Memory maps of both kernels, from the constants of their headers (memmap.h, sys/windows.h), as pictures and tables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape

from .host import ROOT, HostError
from .sitecode import constants

NAMES = ["KERNELBASE", "USERLIMIT", "KPM_BASE", "HEAP_BASE", "HEAP_END", "KERNEL_OFFSET", "BOOTMEM_END", "WINDOW_BASE"]
PAGE, TABLE = 4096, 4096 * 512


@dataclass(frozen=True)
class Region:
    """[start, end] is used for something; end is the last byte."""

    start: int
    end: int
    what: str
    kind: str   # user, hole, kernel, windows
    by: str     # the constants that say so


def image_offsets() -> list[int]:
    """Where text and data are linked, behind KERNEL_OFFSET: from the linker script."""
    found = re.findall(r"^\s*\. = KERNEL_OFFSET \+ (0x[0-9a-f]+);", (ROOT / "src/boot/kernel.lds.S").read_text(), flags=re.M)
    if len(found) != 2:
        raise HostError("src/boot/kernel.lds.S: text and data are not placed as the site expects")
    return [int(value, 16) for value in found]


def regions(flavor: str) -> list[Region]:
    """From the lowest address to the highest, without gaps: what no constant speaks of is "nothing"."""
    of = constants(flavor, NAMES)
    text, data = (of["KERNEL_OFFSET"] + offset for offset in image_offsets())
    last = 2**64 - 1 if flavor == "amd64" else 2**32 - 1
    used = [
        Region(text, data - 1, "text and constants, from physical 2 MiB on", "kernel", "KERNEL_OFFSET, kernel.lds.S"),
        Region(data, of["BOOTMEM_END"] - 1, "data, then boot memory", "kernel", "kernel.lds.S, BOOTMEM_END"),
        Region(of["HEAP_BASE"], of["HEAP_END"] - 1, "heap: addresses with pages put behind them", "kernel", "HEAP_BASE, HEAP_END"),
        Region(of["WINDOW_BASE"], of["WINDOW_BASE"] + TABLE - 1, "windows: one page table's worth", "windows", "WINDOW_BASE"),
    ]
    if flavor == "amd64":
        hole = 1 << 47
        used += [
            Region(0, hole - 1, "user, lower half", "user", ""),
            Region(hole, 2**64 - hole - 1, "not canonical: no address", "hole", ""),
            Region(2**64 - hole, of["USERLIMIT"] - 1, "user, upper half", "user", "USERLIMIT"),
            Region(of["KPM_BASE"], of["HEAP_BASE"] - 1, "linear map of all memory (kpm), as much as there is", "kernel",
                   "KERNELBASE = KPM_BASE"),
        ]
    else:
        used.append(Region(0, of["USERLIMIT"] - 1, "user", "user", "USERLIMIT = KERNELBASE"))
    return _filled(sorted(used, key=lambda region: region.start), last)


def _filled(used: list[Region], last: int) -> list[Region]:
    found, at = [], 0
    for region in used:
        if region.start < at:
            raise HostError(f"memory map: {region.what} begins at {region.start:#x}, inside of what is before it")
        if region.start > at:
            found.append(Region(at, region.start - 1, "nothing", "free", ""))
        found.append(region)
        at = region.end + 1
    if at <= last:
        found.append(Region(at, last, "nothing", "free", ""))
    return found


def size(count: int) -> str:
    """A round size: 2 MiB; others have one digit behind the point."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB", "PiB"):
        if count < 1024:
            break
        count /= 1024
    else:
        unit = "EiB"
    return f"{round(count, 1):g} {unit}"


def slots(flavor: str, region: Region) -> str:
    """Entries of the top table."""
    if region.kind == "hole":
        return "none"
    shift, mask = (39, 511) if flavor == "amd64" else (30, 3)
    first, last = region.start >> shift & mask, region.end >> shift & mask
    return f"{first}" if first == last else f"{first}-{last}"


STYLE = """<style>
rect { stroke: #444 } .user { fill: #e4f2d8 } .kernel { fill: #cfe3f7 } .windows { fill: #fff1c9 }
.hole, .free { fill: #f4f4f4; stroke-dasharray: 4 3 } text { font: 13px sans-serif; fill: #111 } .a { font-family: monospace }
.small { font-size: 12px; fill: #444 }
</style>"""


def picture(flavor: str) -> str:
    """The highest address at the top, as in hardware manuals; not to scale."""
    all_of_it = list(reversed(regions(flavor)))
    digits = 16 if flavor == "amd64" else 8
    left, wide, high = 12 + digits * 9, 380, 40
    parts, y = [], 12
    for region in all_of_it:
        tall = 22 if region.kind in ("hole", "free") else high
        parts.append(f'<rect class="{region.kind}" x="{left}" y="{y}" width="{wide}" height="{tall}"/>')
        middle = y + tall / 2 + 5
        parts.append(f'<text x="{left + 10}" y="{middle - (7 if tall == high else 0):g}">{escape(region.what)}</text>')
        if tall == high:
            parts.append(f'<text class="small" x="{left + 10}" y="{middle + 10:g}">{size(region.end - region.start + 1)}'
                         f'{", " + escape(region.by) if region.by else ""}</text>')
        parts.append(f'<text class="a" x="{left - 8}" y="{y + tall - 3}" text-anchor="end">{region.start:0{digits}x}</text>')
        y += tall
    title = f"Memory map of the {flavor} kernel"
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + wide + 12} {y + 12}" width="{left + wide + 12}" '
            f'height="{y + 12}" role="img" aria-label="{title}">\n<title>{title}, highest addresses at the top, not to scale</title>\n'
            + STYLE + "\n".join(parts) + "</svg>\n")


def rows(flavor: str) -> list[list[str]]:
    digits = 16 if flavor == "amd64" else 8
    return [[f"<code>{r.start:0{digits}x}-{r.end:0{digits}x}</code>", size(r.end - r.start + 1), slots(flavor, r), escape(r.what),
             escape(r.by)] for r in regions(flavor)]


def windows() -> list[list[str]]:
    """The window table's pages: every WINDOW_* of sys/windows.h, and where it is in both kernels."""
    names = re.findall(r"^#define\s+(WINDOW_(?!VA)\w+)", (ROOT / "src/sys/windows.h").read_text(), flags=re.M)
    of = {flavor: constants(flavor, ["WINDOW_BASE", *names]) for flavor in ("i386", "amd64")}
    return [[f"<code>{name}</code>", str(of["i386"][name])] +
            [f"<code>{of[f]['WINDOW_BASE'] + of[f][name] * PAGE:x}</code>" for f in ("i386", "amd64")] for name in names]
