# SPDX-License-Identifier: ISC
"""The site's pages, in files for Doxygen: documents as they are, and what is generated from code."""

from __future__ import annotations

import html
import re
from pathlib import Path

from . import lab as labs
from . import sitecode, sitemaps
from .handout import slug
from .host import ROOT, HostError
from .sitecode import Function
from .sitemd import Markdown, literal, shield

START = ROOT / "docs/site/start.md"
KINDS = {"S": "structure", "L": "links", "N": "counts", "F": "frames", "E": "entries", "P": "processors", "D": "while things happen"}


def first_sentence(text: str) -> str:
    """Of a document's first paragraph, as HTML without links."""
    body = [part for part in text.split("\n\n")[1:] if part.strip() and not part.startswith(("#", "|", "`", " ", "<"))]
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", " ".join(body[0].split())) if body else ""
    return Markdown(lambda target: target).inline(re.match(r".*?[.:](?= |$)|.*", plain)[0].rstrip(":"))


def ref(name: str, text: str = "", instead: str = "") -> str:
    return f'<a href="hat:{name}{":" + instead if instead else ""}">{text or f"<code>{name}</code>"}</a>'


def table(head: list[str], rows: list[list[str]]) -> str:
    """Cells are HTML."""
    lines = ["<tr>" + "".join(f"<th>{cell}</th>" for cell in head) + "</tr>"]
    lines += ["<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows]
    return '<table class="doc">' + "\n".join(lines) + "</table>"


class Site:
    """Everything that is to be written: pages for Doxygen, pictures, listings of sources that are linked to."""

    def __init__(self, source: Path, functions: dict[str, Function]) -> None:
        self.source = source
        self.functions = functions
        self.units = {n: labs.get(n) for n in labs.numbers()}
        self.documents = self._documents()
        self.pictures: dict[str, str] = {}
        self.photographs: dict[str, Path] = {}
        self.listings: dict[str, Path] = {}
        self.lines: dict[Path, list[str]] = {}

    def _documents(self) -> dict[Path, str]:
        """{file: page}"""
        found = {ROOT / "README.md": "readme", START: "index"}
        found |= {path: f"doc-{path.stem}" for path in sorted((ROOT / "docs").glob("*.md"))}
        return found | {lab.folder() / "handout.md": f"handout-{n}" for n, lab in self.units.items()}

    # ---------------------------------------------------------------- links and files

    def link(self, document: Path, target: str) -> str:
        """The address of what a document links to."""
        if re.match(r"https?:", target) or target.startswith("#"):
            return target
        if target.startswith("page:"):
            return re.sub(r"^page:([\w-]+)", r"\1.html", target)
        path, _, word = target.partition("#")
        file = (document.parent / path).resolve()
        if file in self.documents:
            return f"{self.documents[file]}.html{'#' + word if word else ''}"
        if not file.is_file() or not file.is_relative_to(ROOT):
            raise HostError(f"{document.relative_to(ROOT)}: links to {target}, which is not there")
        if file.suffix == ".svg":
            return self.picture(file)
        if file.suffix == ".png":
            self.photographs[file.name] = file
            return file.name
        listing = self.listing(file, word)
        return f"hat:{word}:{listing}" if word and file.suffix == ".h" else listing

    def picture(self, file: Path) -> str:
        """A copy for light pages, which these are whatever the reader has set."""
        text = file.read_text(encoding="utf-8")
        at = text.find("@media (prefers-color-scheme: dark)")
        if at >= 0:
            end, depth = text.index("{", at) + 1, 1
            while depth:
                depth += {"{": 1, "}": -1}.get(text[end], 0)
                end += 1
            text = text[:at] + text[end:]
        name = f"{file.parent.name.split('-')[0]}-{file.name}"
        self.pictures[name] = text
        return name

    def listing(self, file: Path, word: str = "", line: int = 0) -> str:
        """A page with a source file, at a line or where a word is defined, or occurs first."""
        name = f"file-{file.relative_to(ROOT).as_posix().replace('/', '-')}.html"
        self.listings[name] = file
        if word:
            lines = file.read_text(encoding="utf-8").splitlines()
            hits = [i for i, text in enumerate(lines, 1) if re.search(rf"\b{re.escape(word)}\b", text)]
            if not hits:
                raise HostError(f"{file.relative_to(ROOT)}: {word} does not occur there")
            line = next((i for i in hits if re.match(rf"(?:{word}(?:\(|:)|#define\s+{word}\b|.*\b{word}\(.*[,;]$)", lines[i - 1])), hits[0])
        return f"{name}#L{line}" if line else name

    def page(self, name: str, title: str, *parts: str) -> None:
        """Parts that begin with @ are Doxygen's, others HTML."""
        text = [f"@mainpage {title}" if name == "index" else f"@page {name} {title}"]
        for part in parts:
            text.append(part if part.startswith("@") else f"@htmlonly\n{shield(part)}\n@endhtmlonly")
        (self.source / f"{name}.dox").write_text("/**\n" + "\n\n".join(text) + "\n*/\n", encoding="utf-8")

    # ---------------------------------------------------------------- documents

    def document(self, path: Path, name: str) -> None:
        renderer = Markdown(lambda target: self.link(path, target))
        body = renderer.document(path.read_text(encoding="utf-8"))
        parts = [self.contents(renderer)] if name.startswith("handout-") or len(renderer.headings) > 5 else []
        if name.startswith("handout-"):
            parts = [self.neighbours(int(name.split("-")[1])), *parts]
        if name == "index":
            body = columns(body)
        self.page(name, renderer.title, *parts, body)

    @staticmethod
    def contents(renderer: Markdown) -> str:
        items = "".join(f'<li><a href="#{name}">{renderer.inline(re.sub(r"[`*]", "", text))}</a></li>'
                        for level, name, text in renderer.headings if level == 2)
        return f'<ul class="contents">{items}</ul>'

    def neighbours(self, number: int) -> str:
        """What stands above a handout."""
        links = [f'<a href="lab-{number}.html">All of lab {number}</a>']
        if number - 1 in self.units:
            links.insert(0, f'<a href="handout-{number - 1}.html">&larr; lab {number - 1}</a>')
        if number + 1 in self.units:
            links.append(f'<a href="handout-{number + 1}.html">lab {number + 1} &rarr;</a>')
        return f'<p class="neighbours">{" &middot; ".join(links)}</p>'

    def labs_page(self) -> None:
        rows = []
        for n in self.units:
            text = self.handout(n)
            time = re.search(r"Time: (.*?)[;:.,]", text)
            rows.append([str(n), f'<a href="handout-{n}.html">{literal(subject(text))}</a>', literal(time[1]) if time else "",
                         f'<a href="lab-{n}.html">all of lab {n}</a>'])
        self.page("labs", "The labs", "<p>Each builds on those before it. The handout says what to do; &ldquo;all of lab N&rdquo; has its "
                  "functions with their contracts, its checks with their points, and its files.</p>",
                  table(["lab", "handout", "time", "reference"], rows))

    def handout(self, n: int) -> str:
        return (self.units[n].folder() / "handout.md").read_text(encoding="utf-8")

    def documents_page(self) -> None:
        """Everything that is written down, in the order of the alphabet."""
        rows = []
        for path, name in self.documents.items():
            if name.startswith("doc-") or name == "readme":
                text = path.read_text(encoding="utf-8")
                rows.append([f'<a href="{name}.html">{literal(re.sub("`", "", text.splitlines()[0].lstrip("# ")))}</a>',
                             first_sentence(text), f"<code>{path.relative_to(ROOT)}</code>"])
        self.page("documents", "All documents", table(["", "", "file"], rows))

    # ---------------------------------------------------------------- from code

    def lab_page(self, n: int) -> None:
        lab, text = self.units[n], self.handout(n)
        parts = [f'<p><a href="handout-{n}.html">The handout</a> says what to do. '
                 f'In the terminal: <code>make grade LAB={n}</code>, <code>make debug LAB={n}</code>.</p>']
        if lab.units:
            parts += ['<h2 id="functions">Functions</h2><p>A unit is one file, <code>' + lab.folder().relative_to(ROOT).as_posix() +
                      '/UNIT.c</code>; its contracts are in headers. Functions lead to their contracts.</p>', self.unit_table(lab)]
            parts += self.graph(lab)
        checks = self.checks(n)
        if checks:
            parts += ['<h2 id="checks">Checks</h2><p>On each kernel, besides what the file <code>points</code> says.</p>', checks]
        parts += ['<h2 id="files">Files</h2>', self.files(lab)]
        self.page(f"lab-{n}", f"All of lab {n}: {subject(text)}", *parts)

    def unit_table(self, lab: labs.Lab) -> str:
        locks = sitecode.locks_of_units()
        rows = []
        for unit, names in lab.units:
            for name in names:
                one = self.contract(name)
                rows.append([f"<code>{unit}</code>", ref(name), literal(one.brief), literal(self.locks(one, locks)), self.numbers(one)])
        return table(["unit", "function", "what it does", "locks", "relies on"], rows)

    def contract(self, name: str) -> Function:
        one = self.functions.get(name)
        if one is None or not one.brief:
            raise HostError(f"src/hat/units: {name}() has no contract in a header")
        return one

    @staticmethod
    def locks(one: Function, of_units: dict[str, str]) -> str:
        return " ".join(one.said.get("Locks", [])) or of_units.get(one.unit.split("/")[-1], "").replace("`", "")

    @staticmethod
    def numbers(one: Function) -> str:
        return ", ".join(f'<a href="relies.html#inv-{name}">{name}</a>' for name in one.invariants)

    def graph(self, lab: labs.Lab) -> list[str]:
        """Who calls whom: this lab's units, and the functions of others that they call."""
        where = sitecode.units_of_functions()
        if not lab.solutions.is_dir():
            return []
        lines = ['digraph calls { rankdir=LR; node [shape=box, fontname="Helvetica", fontsize=10, height=0.25]; ']
        others = set()
        for unit, names in lab.units:
            label = "\\n".join(names)
            lines.append(f'"{unit}" [label="{label}", style=filled, fillcolor="#cfe3f7", URL="\\ref {names[0]}"];')
            for callee in sitecode.calls_of(lab.solutions / f"{unit}.c", set(where)):
                home, _, target = where[callee].partition("/")
                if home == lab.name:
                    lines.append(f'"{unit}" -> "{target}";')
                else:
                    others.add(callee)
                    lines.append(f'"{unit}" -> "{callee}";')
        lines += [f'"{name}" [label="{name}\\nlab {where[name][3]}", URL="\\ref {name}"];' for name in sorted(others)]
        return ['<h2 id="calls">Calls</h2><p>Filled: units of this lab. Others are of the lab that they name.</p>',
                "@dot\n" + "\n".join(lines) + "\n}\n@enddot"]

    def checks(self, n: int) -> str:
        rows = []
        for path in sorted((ROOT / "labs").glob(f"lab{n}-*/checks*.c")):
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                found = re.match(r'CHECK\(\w+, "([^"]+)", "([^"]+)", (\d+), (\d+)', line)
                if found and int(found[3]) == n:
                    rows.append([f'<a href="{self.listing(path, line=number)}"><code>{found[1]}</code></a>', f"<code>{found[2]}</code>",
                                 found[4]])
        return table(["check", "unit", "points"], rows) if rows else ""

    def files(self, lab: labs.Lab) -> str:
        rows = []
        written = set(lab.student_files())
        for path in sorted(lab.folder().iterdir()):
            if path.suffix in (".fig", ".svg") or path.name == "handout.md" or not path.is_file():
                continue
            rows.append([f'<a href="{self.listing(path)}"><code>{path.name}</code></a>', "yours to write" if path.name in written else ""])
        return table(["file", ""], rows)

    def reference_page(self) -> None:
        """Every function of the HAT, by header."""
        locks, parts = sitecode.locks_of_units(), []
        for file in sorted({one.file for one in self.functions.values() if one.file.startswith("hat/")} | {"vm/hat.h"}):
            mine = [one for one in self.functions.values() if one.file == file]
            rows = [[ref(one.name, instead=self.listing(ROOT / "src" / file, one.name)), literal(one.brief),
                     f'<a href="lab-{one.lab}.html">{one.lab}</a>' if one.unit else "", literal(self.locks(one, locks)), self.numbers(one)]
                    for one in sorted(mine, key=lambda one: one.name)]
            parts += [f'<h2 id="{slug(file)}">{file}</h2>', table(["function", "what it does", "lab", "locks", "relies on"], rows)]
        self.page("reference", "Every function of the HAT", "<p>One line each; the whole contract, with what it returns, when it panics, "
                  "and who calls it, is behind the name. A number in the column <i>lab</i>: students write it.</p>", *parts)

    def invariants(self) -> dict[str, tuple[str, list[str]]]:
        """{number: (what holds, cells of who judges it)} from the tables of the two documents."""
        found: dict[str, tuple[str, list[str]]] = {}
        for name in ("invariants", "properties"):
            for line in (ROOT / f"docs/{name}.md").read_text(encoding="utf-8").splitlines():
                row = re.match(r"\| ([SLNFEPD]\d+) \| (.*) \|$", line)
                if row:
                    what, *rest = row[2].split(" | ")
                    before = found.get(row[1])
                    found[row[1]] = (f"{before[0]}; {what}" if before else what, before[1] if before else [name, *rest])
        return found

    def relies_page(self) -> None:
        known = self.invariants()
        named = sitecode.who_names(set(known))
        inline = Markdown(lambda target: target).inline
        parts, kind = [], ""
        for name, (what, rest) in known.items():
            if name[0] != kind:
                kind = name[0]
                parts.append(f"<h2 id=\"{slug(KINDS[kind])}\">{kind}: {KINDS[kind]}</h2>")
            contracts = [ref(one.name, instead="reference.html") for one in self.functions.values() if name in one.invariants]
            judged = inline(rest[2] if rest[0] == "invariants" else rest[1])
            lines = [f"<dt>Contracts that keep it or rely on it</dt><dd>{', '.join(contracts) or 'none says so'}</dd>",
                     f'<dt>Judged by</dt><dd>{judged} (<a href="doc-{rest[0]}.html#{name}">more</a>)</dd>']
            places = self.places(named.get(name, []))
            if places:
                lines.append(f"<dt>Named in</dt><dd>{places}</dd>")
            parts += [f"@anchor inv-{name}", f"<h3>{name}: {inline(what)}</h3><dl class=\"facts\">{''.join(lines)}</dl>"]
        self.page("relies", "Who relies on which invariant", "<p>The numbers are the specification's; what must hold, from "
                  '<a href="doc-invariants.html">Invariants</a> and <a href="doc-properties.html">Dynamic properties</a>; who keeps it or relies on it, '
                  "from the tag <code>@inv</code> of contracts in headers; who names it, from comments and messages of the sources.</p>", *parts)

    def places(self, where: list[tuple[str, int]]) -> str:
        """Files and lines; answers are named, but not shown."""
        by_file: dict[str, list[int]] = {}
        for file, line in where:
            by_file.setdefault(file, []).append(line)
        said = []
        for file, lines in by_file.items():
            if file.startswith("solutions/"):
                said.append(f"<code>{file}</code>")
            else:
                said.append(f"<code>{file}</code> " + ", ".join(f'<a href="{self.listing(ROOT / file, line=n)}">{n}</a>' for n in lines))
        return "; ".join(said)

    def locks_page(self) -> None:
        ranks = lock_ranks()
        names = ["page lock", *[f"{words}" for _, words in ranks], "cross-call"]
        nodes = "".join(f'n{i} [label="{dot_lines(name)}"];' for i, name in enumerate(names))
        edges = "".join(f"n{i} -> n{i + 1};" for i in range(len(names) - 1))
        said = [(ref(one.name, instead="reference.html"), literal(" ".join(one.said["Locks"])))
                for one in sorted(self.functions.values(), key=lambda one: one.name) if "Locks" in one.said]
        rows = [[name, text] for name, text in said if text != "none"]
        rows.append([", ".join(name for name, text in said if text == "none"), "none"])
        order = [["", "page lock", "of a page_t: who keeps it from going away"]]
        order += [[f"<code>{rank}</code>", literal(words.split(":")[0]), literal(words.partition(": ")[2])] for rank, words in ranks]
        order += [["", "cross-call", "sent with locks held; whoever waits for a lock keeps answering"]]
        listing = self.listing(ROOT / "src/host/lock.c", "check_order")
        self.page("locks", "Lock order", "<p>From the outside in: who holds one may take those below it, never one above or beside it. "
                  f'The ranks are those by which the host program judges every lock that is taken (<a href="{listing}">src/host/lock.c</a>, '
                  '<code>make unit</code>); why it is so: <a href="doc-overview.html#locks">Reading the source</a>.</p>',
                  f'@dot\ndigraph locks {{ node [shape=box, fontname="Helvetica", fontsize=10]; {nodes} {edges} }}\n@enddot',
                  table(["rank", "lock", ""], order), '<h2 id="judged">How it is judged</h2>',
                  "@dontinclude src/host/lock.c\n@skip check_order(const\n@until for (int\n@until panic",
                  '<h2 id="contracts">What contracts say of locks</h2><p>&ldquo;None&rdquo; needs none and takes none. &ldquo;None held&rdquo;: the '
                  "caller has none of those from mapping lists on down; what is taken then, is taken and given back in the order above. The window "
                  "is taken where page tables are not in a linear map.</p>", table(["function", "locks"], rows))

    def memory_page(self) -> None:
        parts = ["<p>From the constants of <code>memmap.h</code>, <code>sys/windows.h</code> and the linker script, as the compiler sees "
                 "them today. Highest addresses at the top, not to scale.</p>", '<div class="maps">']
        maps = []
        for flavor, text in (("i386", "32-bit kernel, PAE"), ("amd64", "64-bit kernel")):
            name = f"memory-{flavor}.svg"
            self.pictures[name] = sitemaps.picture(flavor)
            maps.append(f'<div><h2 id="{flavor}">{text}</h2><img src="{name}" alt="Memory map of the {flavor} kernel: the table below"/></div>')
        parts[1] += "".join(maps) + "</div>"
        for flavor in ("i386", "amd64"):
            parts += [f'<h2 id="{flavor}-table">{flavor}, as a table</h2>',
                      table(["addresses", "size", "entries of the top table", "what", "constants"], sitemaps.rows(flavor))]
        parts += ['<h2 id="windows">The window table</h2><p>One page table whose entries are all windows onto physical memory.</p>',
                  table(["constant", "page", "i386", "amd64"], sitemaps.windows())]
        self.page("memory", "Memory maps", *parts)

    def write(self) -> None:
        """All pages."""
        for path, name in self.documents.items():
            self.document(path, name)
        self.labs_page()
        self.documents_page()
        for n in self.units:
            self.lab_page(n)
        self.reference_page()
        self.relies_page()
        self.locks_page()
        self.memory_page()


def subject(handout: str) -> str:
    return handout.splitlines()[0].partition(": ")[2]


def columns(body: str) -> str:
    """The start page: a box for each section."""
    head, *sections = re.split(r"(?=<h2 )", body)
    return head + '<div class="columns">' + "".join(f"<section>{part}</section>" for part in sections) + "</div>"


def dot_lines(text: str) -> str:
    name, _, rest = html.escape(text, quote=False).partition(": ")
    return name + ("\\n" + rest if rest else "")


def lock_ranks() -> list[tuple[str, str]]:
    """[(rank, its comment)] in order, from the enumeration in src/host/lock.c."""
    text = (ROOT / "src/host/lock.c").read_text(encoding="utf-8")
    body = re.search(r"enum lock_rank \{(.*?)\};", text, flags=re.S)
    found = re.findall(r"(RANK_\w+)[^/]*?/\* (.*?) \*/", body[1]) if body else []
    if len(found) < 4:
        raise HostError("src/host/lock.c: no enum lock_rank whose values have comments")
    return found
