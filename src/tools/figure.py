#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Draw tables and the links between them from a short text: figure-NAME.fig beside a handout makes figure-NAME.svg.

    # a comment
    title: what it is              read out by screen readers, as is
    desc: what one sees            a sentence or two, for those who do not see it
    path amd64 0x40607010          the way of one address through the levels of a kernel, a row of its own
    table T 1 0 level 1            a table called T in column 1, row 0, and what stands above it
      3 link -> U                  an entry: its index, what is in it, the table that it names
      5 2 MiB page !               ! : emphasised
      ...                          entries left out

The picture follows the reader's light or dark setting, needs no other file, and says nothing by colour alone.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from hatlab import host, walk

WIDE, HIGH, GAP, LINE, MARGIN = 140, 24, 56, 40, 24
STYLE = """
  .box, .line { fill: none; stroke: #444; stroke-width: 1.2 }
  .hot { fill: #fff1c9; stroke: #444; stroke-width: 2.4 }
  .tip { fill: #444 }
  text { font: 14px sans-serif; fill: #111 }
  .index, .mono { font-family: monospace }
  .name { font-weight: bold }
  @media (prefers-color-scheme: dark) {
    .box, .line, .hot { stroke: #ccc }
    .hot { fill: #4a3c10 }
    .tip { fill: #ccc }
    text { fill: #eee }
  }
"""


@dataclass
class Entry:
    """One row of a table; index None: rows left out."""

    index: str | None
    text: str
    to: str | None = None
    hot: bool = False


@dataclass
class Box:
    """A table, placed."""

    name: str
    column: int
    row: int
    label: str
    entries: list[Entry] = field(default_factory=list)
    x: int = 0
    y: int = 0


@dataclass
class Figure:
    """All of it."""

    title: str = ""
    desc: str = ""
    boxes: dict[str, Box] = field(default_factory=dict)
    notes: list[tuple[int, str]] = field(default_factory=list)  # row, text above it


def parse(text: str, where: str) -> Figure:
    """Read a description; HostError names the line that is not understood."""
    out, box = Figure(), None
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if found := re.match(r"(title|desc): (.+)", line):
            setattr(out, found[1], f"{getattr(out, found[1])} {found[2].strip()}".strip())
        elif found := re.fullmatch(r"path (amd64|i386) (0x[0-9a-f]+)", line.strip()):
            _path(out, found[1], int(found[2], 16))
        elif found := re.fullmatch(r"table (\w+) (\d) (\d) (.+)", line.strip()):
            box = out.boxes[found[1]] = Box(found[1], int(found[2]), int(found[3]), found[4])
        elif box and line.strip() == "...":
            box.entries.append(Entry(None, ""))
        elif box and (found := re.fullmatch(r"\s+(\S+) (.*?)(?: -> (\w+))?( !)?", line)):
            box.entries.append(Entry(found[1], found[2], found[3], bool(found[4])))
        else:
            raise host.HostError(f"{where}:{number}: not a line of a figure: {line.strip()!r}")
    for name in (e.to for b in out.boxes.values() for e in b.entries if e.to):
        if name not in out.boxes:
            raise host.HostError(f"{where}: there is no table {name}")
    if not out.title or not out.desc or not out.boxes:
        raise host.HostError(f"{where}: a figure needs a title, a desc, and something to draw")
    return out


def _path(out: Figure, flavor: str, va: int) -> None:
    geometry = walk.GEOMETRY["long" if flavor == "amd64" else "pae"]
    row = max((b.row for b in out.boxes.values()), default=-1) + 1
    levels = list(range(geometry.top, -1, -1))
    out.notes.append((row, f"{flavor}: 0x{va:x} = " + ", ".join(str(geometry.index(va, n)) for n in levels) + f", byte 0x{va & 0xfff:03x}"))
    for column, level in enumerate(levels):
        index, count = geometry.index(va, level), geometry.levels[level].entries
        target = f"{flavor}{row}L{level - 1}" if level else f"{flavor}{row}page"
        box = Box(f"{flavor}{row}L{level}", column, row, f"level {level}" + (" (CR3)" if level == geometry.top else ""))
        box.entries = [Entry(None, "")] if index else []
        box.entries += [Entry(str(index), "link" if level else "frame", target, True)]
        box.entries += [Entry(None, "")] if index < count - 1 else []
        out.boxes[box.name] = box
    page = Box(f"{flavor}{row}page", len(levels), row, "page of 4 KiB")
    page.entries = [Entry(None, ""), Entry(f"0x{va & 0xfff:03x}", "byte", None, True), Entry(None, "")]
    out.boxes[page.name] = page


def draw(figure: Figure) -> str:
    """The SVG."""
    rows = sorted({b.row for b in figure.boxes.values()})
    y, tops = MARGIN, {}
    for row in rows:
        y += LINE * sum(n == row for n, _ in figure.notes)
        tops[row] = y
        y += LINE + max(len(b.entries) for b in figure.boxes.values() if b.row == row) * HIGH + LINE // 2
    for box in figure.boxes.values():
        box.x, box.y = MARGIN + box.column * (WIDE + GAP), tops[box.row] + LINE // 2
    notes = [(MARGIN, tops[row] - 6, text) for row, text in figure.notes]
    width = max(*(b.x + WIDE for b in figure.boxes.values()), *(x + 9 * len(t) for x, _, t in notes), 0) + MARGIN
    parts = [f'<text class="name" x="{x}" y="{at}">{escape(text)}</text>' for x, at, text in notes]
    parts += [part for box in figure.boxes.values() for part in _box(box)]
    parts += [part for box in figure.boxes.values() for part in _arrows(figure, box)]
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {y}" width="{width}" height="{y}" role="img" '
        f'aria-labelledby="t d">\n<title id="t">{escape(figure.title)}</title>\n<desc id="d">{escape(figure.desc)}</desc>\n'
        f"<style>{STYLE}</style>\n{body}\n</svg>\n"
    )


def _box(box: Box) -> list[str]:
    out = [f'<text class="name" x="{box.x}" y="{box.y - 6}">{escape(box.label)}</text>']
    for at, entry in enumerate(box.entries):
        y = box.y + at * HIGH
        out.append(f'<rect class="{"hot" if entry.hot else "box"}" x="{box.x}" y="{y}" width="{WIDE}" height="{HIGH}"/>')
        if entry.index is None:
            out.append(f'<text x="{box.x + WIDE // 2}" y="{y + 16}" text-anchor="middle">…</text>')
        else:
            out.append(f'<text class="index" x="{box.x + 6}" y="{y + 17}">{escape(entry.index)}</text>')
            out.append(f'<text x="{box.x + WIDE - 8}" y="{y + 17}" text-anchor="end">{escape(entry.text)}</text>')
    return out


def _arrows(figure: Figure, box: Box) -> list[str]:
    out = []
    for at, entry in enumerate(box.entries):
        if entry.to is None:
            continue
        to = figure.boxes[entry.to]
        x0, y0 = box.x + WIDE, box.y + at * HIGH + HIGH // 2
        x1, y1 = to.x, to.y + HIGH // 2
        if x1 <= x0:
            raise host.HostError(f"table {to.name} must stand to the right of {box.name}, which names it")
        middle = (x0 + x1) // 2
        out.append(f'<path class="line" d="M{x0} {y0} C{middle} {y0} {middle} {y1} {x1 - 8} {y1}"/>')
        out.append(f'<path class="tip" d="M{x1} {y1} l-10 -5 v10 z"/>')
    return out


def svg_of(path: Path) -> str:
    """What the description in a .fig file looks like."""
    return draw(parse(path.read_text(), path.name))


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="figure.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, help="default: labs/*/figure-*.fig")
    for path in parser.parse_args(argv).files or sorted((host.ROOT / "labs").glob("*/figure-*.fig")):
        path.with_suffix(".svg").write_text(svg_of(path))
        print(f"written: {path.with_suffix('.svg')}")
    return 0


if __name__ == "__main__":
    host.main(main)
