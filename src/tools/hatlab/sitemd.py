# SPDX-License-Identifier: ISC
"""Markdown as our documents use it, to HTML: what Doxygen's own Markdown would take for commands stays text."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

from .handout import slug

HEADING = re.compile(r"(#{1,6}) +(.*)")
ITEM = re.compile(r"(?:[-*]|\d+\.) +")
ROW_ID = re.compile(r"[A-Z]-?\d+")
CALL = re.compile(r"\b([a-z][a-z0-9_]*_[a-z0-9_]+)\(\)")
NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\(\))?")


def literal(text: str) -> str:
    return html.escape(text, quote=False)


def shield(text: str) -> str:
    """The same HTML, without a character that means something to Doxygen."""
    for char in "@\\`*":
        text = text.replace(char, f"&#{ord(char)};")
    return text


class Markdown:
    """One document. `link` gives the address for a link's target; addresses of pictures end in .svg or .png."""

    def __init__(self, link: Callable[[str], str]) -> None:
        self.link = link
        self.title = ""
        self.headings: list[tuple[int, str, str]] = []
        self.figures: list[str] = []
        self.ids: set[str] = set()

    def document(self, text: str) -> str:
        """All of it; the first heading becomes the title and is left out."""
        return shield(self.blocks(text.splitlines()))

    def blocks(self, lines: list[str]) -> str:
        out, at = [], 0
        while at < len(lines):
            at, piece = self.block(lines, at)
            out.append(piece)
        return "\n".join(piece for piece in out if piece)

    def block(self, lines: list[str], at: int) -> tuple[int, str]:
        """One block from a line on, and where the next one begins."""
        line = lines[at]
        if not line.strip():
            return at + 1, ""
        if line.startswith("<!--"):
            while "-->" not in lines[at]:
                at += 1
            return at + 1, ""
        if line.startswith("```"):
            return self.fence(lines, at)
        if HEADING.match(line):
            return at + 1, self.heading(line)
        if line.startswith("|") and at + 1 < len(lines) and re.match(r"\|[-:| ]+\|?$", lines[at + 1]):
            return self.table(lines, at)
        if line.startswith("    "):
            return self.indented(lines, at)
        if ITEM.match(line):
            return self.items(lines, at)
        return self.paragraph(lines, at)

    def fence(self, lines: list[str], at: int) -> tuple[int, str]:
        end = next(i for i in range(at + 1, len(lines)) if lines[i].startswith("```"))
        tag = (lines[at][3:].split() or ["text"])[0]
        return end + 1, self.code(lines[at + 1 : end], tag)

    def indented(self, lines: list[str], at: int) -> tuple[int, str]:
        end = at
        while end < len(lines) and (lines[end].startswith("    ") or not lines[end].strip()):
            end += 1
        body = [line[4:] for line in lines[at:end]]
        while not body[-1].strip():
            body.pop()
        return end, self.code(body, "text")

    @staticmethod
    def code(lines: list[str], tag: str) -> str:
        def one(line: str) -> str:
            text = literal(line.expandtabs(8))
            return f"<b>{text}</b>" if line.startswith(("$ ", "<bochs> ")) else text
        return f'<pre class="code {tag}">' + "\n".join(one(line) for line in lines) + "</pre>"

    def heading(self, line: str) -> str:
        level, text = len(line.split()[0]), line.lstrip("# ")
        if level == 1 and not self.title:
            self.title = re.sub(r"`", "", text)
            return ""
        name = slug(text)
        self.headings.append((level, name, text))
        return f'<h{level} id="{name}">{self.inline(text)}</h{level}>'

    def table(self, lines: list[str], at: int) -> tuple[int, str]:
        end = at
        while end < len(lines) and lines[end].startswith("|"):
            end += 1
        rows = [cells(line) for line in lines[at:end] if line is not lines[at + 1]]
        head = "".join(f"<th>{self.inline(cell)}</th>" for cell in rows[0])
        body = [f"<tr{self.row_id(row[0])}>" + "".join(f"<td>{self.inline(cell)}</td>" for cell in row) + "</tr>" for row in rows[1:]]
        return end, f'<table class="doc"><tr>{head}</tr>\n' + "\n".join(body) + "</table>"

    def row_id(self, cell: str) -> str:
        """Rows that have a number can be linked to."""
        if not ROW_ID.fullmatch(cell) or cell in self.ids:
            return ""
        self.ids.add(cell)
        return f' id="{cell}"'

    def items(self, lines: list[str], at: int) -> tuple[int, str]:
        tag = "ol" if lines[at][0].isdigit() else "ul"
        out = []
        while at < len(lines) and ITEM.match(lines[at]):
            width = 2 if tag == "ul" else ITEM.match(lines[at]).end()
            body = [lines[at][ITEM.match(lines[at]).end():]]
            at += 1
            while at < len(lines) and (lines[at].startswith("  ") or self.goes_on(lines, at)):
                body.append(lines[at][width:] if lines[at].startswith(" " * width) else lines[at].lstrip())
                at += 1
            out.append(f"<li>{self.blocks(body)}</li>")
            if at + 1 < len(lines) and not lines[at].strip() and ITEM.match(lines[at + 1]):
                at += 1
        return at, f"<{tag}>" + "\n".join(out) + f"</{tag}>"

    @staticmethod
    def goes_on(lines: list[str], at: int) -> bool:
        """A blank line inside of an item: what follows is indented."""
        return not lines[at].strip() and at + 1 < len(lines) and lines[at + 1].startswith("  ") and bool(lines[at + 1].strip())

    def paragraph(self, lines: list[str], at: int) -> tuple[int, str]:
        end = at + 1
        while end < len(lines) and lines[end].strip() and not lines[end].startswith(("```", "|", "#", "<!--")) \
                and not ITEM.match(lines[end]):
            end += 1
        text = f"<p>{self.inline(chr(10).join(lines[at:end]))}</p>"
        figures, self.figures = self.figures, []
        return end, text + "".join(figures)

    def inline(self, text: str) -> str:
        """Code spans, links, pictures, emphasis; a function's name followed by () leads to its contract."""
        kept: list[str] = []

        def keep(piece: str) -> str:
            kept.append(piece)
            return f"\0{len(kept) - 1}\0"

        text = re.sub(r"(`+)(.+?)\1", lambda m: keep(self.span(m[2].strip(" ") or m[2])), text, flags=re.S)
        text = re.sub(r"\\([|*_<>`#\\])", lambda m: keep(literal(m[1])), text)
        text = literal(text)
        text = re.sub(r"(!?)\[((?:[^\[\]])*)\]\(([^)\s]+)\)", lambda m: keep(self.anchor(m[1], m[2], html.unescape(m[3]))), text)
        text = CALL.sub(lambda m: keep(f'<a href="maybe:{m[1]}">{m[0]}</a>'), text)
        text = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", text, flags=re.S)
        text = re.sub(r"(?<![\w*])\*(?! )([^*]+?)(?<! )\*(?![\w*])", r"<em>\1</em>", text, flags=re.S)
        while "\0" in text:
            text = re.sub(r"\0(\d+)\0", lambda m: kept[int(m[1])], text)
        return text

    @staticmethod
    def span(text: str) -> str:
        name = NAME.fullmatch(text)
        code = f"<code>{literal(text)}</code>"
        return f'<a href="maybe:{name[1]}">{code}</a>' if name else code

    def anchor(self, picture: str, text: str, target: str) -> str:
        to = self.link(target)
        if to.endswith((".svg", ".png")):
            alt = html.escape(re.sub("\0\\d+\0", "", text))
            self.figures.append(f'<p class="figure"><img src="{to}" alt="{alt}"/></p>')
            if picture:
                return ""
        return f'<a href="{to}">{text}</a>'


def cells(line: str) -> list[str]:
    parts = re.split(r"(?<!\\)\|", line.strip().strip("|") if not line.strip().endswith("\\|") else line.strip().lstrip("|"))
    return [part.strip().replace("\\|", "|") for part in parts]
