# SPDX-License-Identifier: ISC
"""What the tests take, as pages that open from disk: a table of files, and each file with what was counted at its lines.

What a colour says stands there as a word, too. Nothing is loaded from the net, and nothing needs a script.
"""

from __future__ import annotations

import html
import shutil
from collections.abc import Iterable
from pathlib import Path

from .appendixb import HEAD, Cells, Everywhere, Place, Row
from .coverage import Count, Gap, Judged, Source, total
from .covruns import FOLDER
from .gcov import Line
from .host import ROOT

STYLES = ("site.css", "coverage.css")
ABOUT = ("<p>How often each line was reached and each branch taken, by the host's programs and the kernels together. A branch is one outcome of "
         "one condition: <code>a &amp;&amp; b</code> has four. Those of an assertion do not count. What is not taken is explained, or "
         "<code>make coverage</code> fails. How it is measured: <code>docs/coverage.md</code>.</p>")


def write(widths: list[Judged], rows: Iterable[Row], cells: dict[str, Cells], folder: Path = FOLDER / "html") -> Path:
    """All pages, in place of older ones; the one to begin with. `cells` is what was measured of the rows of Appendix B."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in STYLES:
        shutil.copyfile(ROOT / "docs/site" / name, folder / name)
    files = sorted({file for width in widths for file in width.counts})
    for before, file, after in zip(["", *files], files, [*files[1:], ""]):
        (folder / _address(file)).write_text(_file_page(widths, file, before, after), encoding="utf-8")
    (folder / "appendix-b.html").write_text(_appendix_page(rows, cells, set(files)), encoding="utf-8")
    index = folder / "index.html"
    index.write_text(_index(widths, files), encoding="utf-8")
    return index


# ---------------------------------------------------------------------------------------------------------------- parts


def _address(file: str) -> str:
    return file.replace("/", "-") + ".html"


def _text(text: str) -> str:
    return html.escape(text, quote=False)


def _page(title: str, links: Iterable[tuple[str, str]], body: str) -> str:
    styles = "".join(f'<link rel="stylesheet" href="{name}">' for name in STYLES)
    nav = " &middot; ".join(f'<a href="{to}">{_text(text)}</a>' for text, to in links)
    return ('<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
            f'<title>{_text(title)}</title>{styles}</head>\n<body class="coverage"><header id="titlearea"><a href="index.html">hatlab</a> what the '
            f'tests take</header>\n<main class="contents"><h1>{_text(title)}</h1>{f"<nav>{nav}</nav>" if nav else ""}\n{body}\n</main></body></html>\n')


def _wide(label: str, table: str) -> str:
    """A table that may be wider than the window: it scrolls by itself, with the keyboard too."""
    return f'<div class="wide" role="region" tabindex="0" aria-label="{html.escape(label)}">{table}</div>'


def _of(part: int, whole: int) -> str:
    """How much of something."""
    if whole == 0:
        return "has none"
    return f"all {whole}" if part == whole else f"<b>{min(99, round(100 * part / whole))} %</b>, {part} of {whole}"


def _often(n: int) -> str:
    """A count, short."""
    if n == 0:
        return "never"
    for unit in ("", "k", "M", "G"):
        if n < 10000:
            return f"{n}{unit}"
        n //= 1000
    return f"{n}T"


def _missing(gap: Gap) -> str:
    """What a gap lacks, as a sentence's end."""
    rest = f"{len(gap.rest)} line{'s' * (len(gap.rest) > 1)}"
    if gap.what == "function":
        return "the function is never called"
    if gap.what == "line":
        return "never reached" + (f", and {rest} after it" if gap.rest else "")
    untaken, _, every = gap.what.partition("/")
    return f"{untaken} of {every} branches never taken" + (f", {rest} never reached" if gap.rest else "")


def _notes(widths: list[Judged], file: str) -> list[tuple[int, bool, str]]:
    """(line, whether it is explained, what it lacks and why) of a file, one for both widths where they say the same."""
    found: dict[tuple[int, str, str], tuple[Gap, list[str]]] = {}
    for width in widths:
        for gap in width.gaps:
            if gap.file == file:
                found.setdefault((gap.number, _missing(gap), gap.why or ""), (gap, []))[1].append(width.flavor)
    return [(number, bool(why), f"{' and '.join(flavors)}: {missing}. " + (f"Explained: {_text(why)}" if why else "<b>NOT EXPLAINED.</b>"))
            for (number, missing, why), (_, flavors) in sorted(found.items())]


# ---------------------------------------------------------------------------------------------------------------- index


def _cells(widths: list[Judged], files: list[str]) -> str:
    """What some files have together: lines and branches of each width, and what is not taken."""
    counts = [total(width.counts.get(file, Count()) for file in files) for width in widths]
    cells = "".join(f"<td>{_of(c.reached, c.lines)}</td><td>{_of(c.taken, c.branches)}</td>" for c in counts)
    notes = [note for file in files for note in _notes(widths, file)]
    bad = sum(not explained for _, explained, _ in notes)
    said = [f"{len(notes) - bad} explained"] * (len(notes) > bad) + [f'<strong class="open">{bad} NOT EXPLAINED</strong>'] * (bad > 0)
    return f"{cells}<td>{', '.join(said) or 'nothing'}</td>"


def _index(widths: list[Judged], files: list[str]) -> str:
    heads = "".join(f'<th colspan="2" scope="colgroup">{width.flavor}</th>' for width in widths)
    subs = '<th scope="col">lines</th><th scope="col">branches</th>' * len(widths)
    body = []
    for part in ("solutions/", "src/hat/"):
        mine = [file for file in files if file.startswith(part)]
        body.append(f'<tbody class="total"><tr><th scope="row">{part} as a whole</th>{_cells(widths, mine)}</tr></tbody>')
    for folder in sorted({file.rpartition("/")[0] for file in files}):
        mine = [file for file in files if file.rpartition("/")[0] == folder]
        rows = "\n".join(f'<tr><th scope="row"><a href="{_address(file)}">{file.rpartition("/")[2]}</a></th>{_cells(widths, [file])}</tr>'
                         for file in mine)
        body.append(f'<tbody><tr class="folder"><th scope="rowgroup">{folder}</th>{_cells(widths, mine)}</tr>\n{rows}</tbody>')
    table = ('<table class="doc"><thead><tr><th rowspan="2" scope="col">file</th>' + heads + '<th rowspan="2" scope="col">not taken</th></tr>'
             f"<tr>{subs}</tr></thead>\n" + "\n".join(body) + "</table>")
    wrong = "".join(f"<li>{width.flavor}: {_text(text)}</li>" for width in widths for text in width.wrong)
    failed = f'<h2>Runs that failed</h2><ul class="open">{wrong}</ul>' if wrong else ""
    return _page("What the tests take", [("Appendix B, row by row", "appendix-b.html")], ABOUT + failed + _wide("Files", table))


# ------------------------------------------------------------------------------------------------------------- one file


def _file_page(widths: list[Judged], file: str, before: str, after: str) -> str:
    source, notes = Source((ROOT / file).read_text(encoding="utf-8")), _notes(widths, file)
    sums = "".join(f"<li>{width.flavor}: {width.counts.get(file, Count())}</li>" for width in widths)
    gaps = "".join(f'<li class="{"explained" if explained else "open"}"><a href="#L{n}">Line {n}</a>, {said}</li>' for n, explained, said in notes)
    links = [("all files", "index.html"), *[(f"previous: {Path(file).name}", _address(file)) for file in [before] if file],
             *[(f"next: {Path(file).name}", _address(file)) for file in [after] if file]]
    heads = "".join(f'<th scope="col">{width.flavor}</th><th scope="col">branches</th>' for width in widths)
    table = (f'<table class="source"><thead><tr><th scope="col">line</th>{heads}<th scope="col">source</th></tr></thead>\n<tbody>'
             + "\n".join(_rows(widths, file, source, notes)) + "</tbody></table>")
    return _page(file, links, f"<ul>{sums}</ul><h2>Not taken</h2>" + (f'<ul class="gaps">{gaps}</ul>' if gaps else "<p>Everything is.</p>")
                 + "<h2>Line by line</h2>" + _wide(f"{file}, line by line", table))


def _rows(widths: list[Judged], file: str, source: Source, notes: list[tuple[int, bool, str]]) -> list[str]:
    lines = [{n: line for (name, _, n), line in sorted(width.lines.items()) if name == file} for width in widths]
    rows = []
    for n, text in enumerate(source.lines, 1):
        mine = [note for note in notes if note[0] == n]
        kind = "" if not mine else ' class="explained"' if all(explained for _, explained, _ in mine) else ' class="open"'
        cells = "".join(_counted(each.get(n), n in source.assertions) for each in lines)
        rows.append(f'<tr id="L{n}"{kind}><th scope="row">{n}</th>{cells}<td><code>{_text(text.expandtabs(8))}</code></td></tr>')
        rows += [f'<tr class="note {"explained" if explained else "open"}"><td></td><td colspan="{2 * len(widths) + 1}"><div>{said}</div></td></tr>'
                 for _, explained, said in mine]
    return rows


def _counted(line: Line | None, assertion: bool) -> str:
    """The two cells of a width: how often the line, and its branches."""
    if line is None:
        return "<td></td><td></td>"
    if not line.branches or assertion:
        said = "assertion" if line.branches else ""
    else:
        said = (f"{sum(n > 0 for n in line.branches)} of {len(line.branches)}"
                f'<span>: {", ".join(map(_often, line.branches))}</span>')
    return f'<td>{_often(line.count)}</td><td class="branches">{said}</td>'


# ----------------------------------------------------------------------------------------------------------- Appendix B


def _appendix_page(rows: Iterable[Row], cells: dict[str, Cells], files: set[str]) -> str:
    """The table of docs/coverage-b.md, with links to what is counted."""
    heads = "".join(f'<th scope="col">{name}</th>' for name in HEAD)
    body = []
    for row in rows:
        measured = cells.get(row.id, Cells())
        where = [f"<i>replaced by</i> {_text(row.instead)}"] * bool(row.instead) + [_where(place, files) for place in row.places]
        tests = [f"<code>{_text(name)}</code>" for name in row.tests] + ["xpv: later"] * row.xpv
        texts = [_text(row.item), "<br>".join(where + [_text(row.note)] * bool(row.note)) or "-", *(measured.widths.get(w, "-") for w in HEAD[3:5]),
                 _text(measured.runs.replace("`", "")) or "-", ", ".join(tests)]
        body.append(f'<tr id="{row.id}"><th scope="row">{row.id}</th>' + "".join(f"<td>{text}</td>" for text in texts) + "</tr>")
    said = ("<p>For each width: lines reached of all that the row names, branches taken of all. What is missing is explained where it stands. "
            "How runs are called: <code>docs/coverage-b.md</code>.</p>")
    return _page("Appendix B: where each branch is, and what takes it", [("all files", "index.html")], said + _wide(
        "Appendix B", f'<table class="doc rows"><thead><tr>{heads}</tr></thead>\n<tbody>' + "\n".join(body) + "</tbody></table>"))


def _where(place: Place | Everywhere, files: set[str]) -> str:
    """A place, each line of it a link."""
    if isinstance(place, Everywhere):
        return f"each <code>{_text(place.text)}</code> of the units"

    def link(text: str, part: list[tuple[str, int]]) -> str:
        code = f"<code>{_text(text)}</code>"
        return f'<a href="{_address(place.file)}#L{part[0][1]}">{code}</a>' if place.file in files and part else code

    if not place.texts:
        return link(place.function, place.parts()[0])
    only = "" if place.width == "both" else f" ({place.width} only)"
    return f"<code>{place.function}</code>{only}: " + ", ".join(map(link, place.texts, place.parts()))
