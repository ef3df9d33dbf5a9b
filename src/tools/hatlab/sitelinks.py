# SPDX-License-Identifier: ISC
"""The finished pages: links to functions get their addresses, and every link of every page is followed."""

from __future__ import annotations

import re
import xml.etree.ElementTree as xml
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

START = "index.html"
# Attributes that make a browser fetch something, and those that lead somewhere when clicked.
FETCHED = {("img", "src"), ("script", "src"), ("link", "href"), ("object", "data"), ("iframe", "src"), ("embed", "src")}
CLICKED = {("a", "href"), ("area", "href")}


def addresses(tags: Path) -> dict[str, str]:
    """{name of a documented function, macro, type, struct: page#anchor} from Doxygen's tag file; headers before sources."""
    found: dict[str, str] = {}
    compounds = xml.parse(tags).getroot().findall("compound")
    for compound in sorted(compounds, key=lambda one: not one.findtext("name").endswith(".h")):
        if compound.get("kind") in ("struct", "union"):
            found.setdefault(compound.findtext("name"), compound.findtext("filename"))
        if compound.get("kind") != "file":
            continue
        for member in compound.iterfind("member"):
            page = member.findtext("anchorfile")
            if page:
                # Where it is declared: its definition may be in a file that has no page.
                page = compound.findtext("filename") if compound.findtext("name").endswith(".h") else page
                page += "" if page.endswith(".html") else ".html"
                found.setdefault(member.findtext("name"), f"{page}#{member.findtext('anchor')}")
    return found


def declared(text: str, where: dict[str, str], pages: set[str]) -> str:
    """Links to definitions in files that have no page lead to the declaration; both have the same anchor."""
    at = {address.split("#")[1]: address for address in where.values() if "#" in address}
    return re.sub(r"\b(\w+\.html)#(a[0-9a-f]{32})", lambda m: m[0] if m[1] in pages else at.get(m[2], m[0]), text)


def resolve(text: str, where: dict[str, str]) -> tuple[str, list[str]]:
    """hat:NAME and hat:NAME:INSTEAD become addresses, maybe:NAME one or plain text. Also the names that do not exist."""
    missing: list[str] = []

    def known(match: re.Match) -> str:
        name, _, instead = match[1].partition(":")
        if name not in where and not instead:
            missing.append(name)
        return f'href="{where.get(name, instead)}"'

    def perhaps(match: re.Match) -> str:
        return f'<a href="{where[match[1]]}">{match[2]}</a>' if match[1] in where else match[2]

    text = re.sub(r'<a href="maybe:(\w+)">(.*?)</a>', perhaps, text, flags=re.S)
    return re.sub(r'href="hat:([^"]+)"', known, text), missing


class Page(HTMLParser):
    """Its links, what it loads, its anchors."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.ids: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" or (tag == "a" and name == "name"):
                self.ids.add(value or "")
            if (tag, name) in FETCHED:
                self.loads.append(value or "")
            elif (tag, name) in CLICKED or name in ("xlink:href",):
                self.links.append(value or "")
            if name == "style" and "url(" in (value or ""):
                self.loads.append(re.search(r"url\(['\"]?([^'\")]*)", value)[1])


def check(folder: Path) -> list[str]:
    """What is wrong with a site: one line for each link that leads nowhere, thing loaded from the net, page nobody leads to."""
    pages = {path.relative_to(folder).as_posix(): Page(path) for path in sorted([*folder.rglob("*.html"), *folder.rglob("*.svg")])}
    wrong: list[str] = []
    to: dict[str, set[str]] = {}
    for name, page in pages.items():
        to[name] = set()
        for kind, links in (("loads", page.loads), ("links to", page.links)):
            for link in links:
                target, why = _follow(folder, pages, name, link, kind == "loads")
                if why:
                    wrong.append(f"{name}: {kind} {link or 'nothing'}: {why}")
                elif target in pages:
                    to[name].add(target)
    wrong += _styles(folder)
    return wrong + [f"{name}: nobody leads there" for name in sorted(set(pages) - reached(to)) if name.endswith(".html")]


def _follow(folder: Path, pages: dict[str, Page], name: str, link: str, loaded: bool) -> tuple[str, str]:
    """The file that a link of a page leads to, and what is wrong with it."""
    parts = urlsplit(link)
    if parts.scheme == "javascript" and not loaded:
        return "", ""
    if parts.scheme or parts.netloc:
        return "", "" if not loaded and parts.scheme in ("http", "https") else "not a file of the site"
    target = name if not parts.path else ((folder / name).parent / unquote(parts.path)).resolve()
    if isinstance(target, Path):
        if not target.is_file() or not target.is_relative_to(folder.resolve()):
            return "", "no such file"
        target = target.relative_to(folder.resolve()).as_posix()
    if parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].ids:
        return "", "no such anchor"
    return target, ""


def _styles(folder: Path) -> list[str]:
    """Style sheets load nothing from outside either."""
    wrong = []
    for path in sorted(folder.rglob("*.css")):
        for link in re.findall(r"url\(['\"]?([^'\")]+)", path.read_text(encoding="utf-8")):
            if not link.startswith("data:") and not (path.parent / link).is_file():
                wrong.append(f"{path.name}: loads {link}: no such file")
    return wrong


def reached(to: dict[str, set[str]]) -> set[str]:
    """Pages that the start page leads to."""
    seen, todo = {START}, [START]
    while todo:
        for target in to.get(todo.pop(), set()) - seen:
            seen.add(target)
            todo.append(target)
    return seen
