# SPDX-License-Identifier: ISC
"""Drawn figures: made from their descriptions, well-formed, complete in themselves (docs/handouts.md)."""

import re
import xml.etree.ElementTree as xml

from common import TOP
from testall import cases

import figure
from hatlab.host import HostError

FIGURES = sorted((TOP / "labs").glob("*/figure-*.svg"))
SVG = "{http://www.w3.org/2000/svg}"
SMALL = "title: t\ndesc: d <&>\ntable A 0 0 a\n  3 link -> B !\n  ...\ntable B 1 0 b\n  0 x\n"


@cases(*[(f"{path.parent.name}/{path.stem}", path) for path in FIGURES])
def test_figure(case):
    """is what its description says today, needs nothing from outside, and can be read out"""
    _, path = case
    text = path.read_text()
    source = path.with_suffix(".fig")
    if source.exists():
        assert text == figure.svg_of(source), f"python3 src/tools/figure.py {source.relative_to(TOP)}"
    root = xml.fromstring(text)
    assert root.tag == f"{SVG}svg" and root.get("viewBox") and root.get("role") == "img"
    for tag in ("title", "desc"):
        found = root.find(SVG + tag)
        assert found is not None and len(found.text.strip()) > 10, f"no <{tag}>"
    assert not re.search(r"href|url\(|@import|<script|<image", text), "needs something from outside"
    assert "prefers-color-scheme: dark" in text, "cannot be read on a dark page"


def test_small():
    """tables, entries and links are all drawn, and text is quoted"""
    root = xml.fromstring(figure.draw(figure.parse(SMALL, "small")))
    assert root.find(f"{SVG}desc").text == "d <&>"
    assert len(root.findall(f"{SVG}rect")) == 3 and len(root.findall(f"{SVG}path")) == 2
    assert [r.get("class") for r in root.findall(f"{SVG}rect")] == ["hot", "box", "box"]


def test_path():
    """the levels of one address, from the top"""
    for flavor, indices in (("amd64", ["0", "1", "3", "7"]), ("i386", ["1", "3", "7"])):
        out = figure.parse(f"title: t\ndesc: d\npath {flavor} 0x40607010\n", "path")
        hot = [e.index for box in out.boxes.values() for e in box.entries if e.hot]
        assert hot == [*indices, "0x010"], hot


@cases(("word", "tabel A 0 0 a", "not a line of a figure"), ("target", "table A 0 0 a\n  1 link -> C", "no table C"),
       ("desc", "title: only", "needs a title"), ("left", SMALL + "  1 y -> A\n", "to the right"))
def test_wrong(case):
    """what cannot be drawn is named"""
    _, text, words = case
    try:
        figure.draw(figure.parse(text, "wrong.fig"))
    except HostError as error:
        assert words in str(error), error
    else:
        raise AssertionError("accepted")
