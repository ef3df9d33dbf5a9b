# SPDX-License-Identifier: ISC
"""The picture of page tables: the data of a page, its text, and that a difference is seen in both."""

import json
import re
import tempfile
from pathlib import Path

from common import FLAVORS, image_for, run
from testall import cases, limit


def view(flavor, *options, columns=100):
    folder = image_for(flavor, "")
    return run("python3", "src/tools/view.py", "--flavor", flavor, "--image", folder / "hatlab.iso", "--kernel", folder / "kernel.elf",
               *options, env={"COLUMNS": str(columns)}).stdout


def page(flavor, *options):
    """The data that stands in the page, and the page."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "page.html"
        view(flavor, "-o", out, *options)
        text = out.read_text()
    return json.loads(re.search(r'<script type="application/json" id="data">(.*)</script>', text)[1]), text


def runs(data):
    return [(hat, table, run) for hat in data["hats"] for table in hat["tables"] for run in table["runs"]]


@cases(*FLAVORS)
@limit(120)
def test_page(flavor):
    """a page has every table once, as the kernel and as memory have it, what has changed, and nothing that it would have to load"""
    data, text = page(flavor, "--checkpoint", "unmapped", "--before", "user-space")
    assert data["ok"] and not any(r[6] for _, _, r in runs(data))
    for hat in data["hats"]:
        keys = [(t["l"], t["b"]) for t in hat["tables"]]
        assert len(keys) == len(set(keys)) and all(t["k"] and t["in"] for t in hat["tables"]), hat["addr"]
        links = sum(r[2] == "table" for t in hat["tables"] for r in t["runs"])
        assert links == len(keys) - 1, (hat["addr"], links, len(keys))
    whats = {c["what"] for hat in data["changes"]["hats"].values() for c in hat.values()}
    assert "gone" in whats and "changed" in whats, whats
    assert sum(count for _, count, use in data["memory"] if use in ("table", "shared")) >= len(data["hats"])
    assert not re.search(r'(src|href)="|@import|url\((?!#)', text)


@cases(*FLAVORS)
@limit(120)
def test_shared(flavor):
    """a table that two address spaces share is marked in both pictures, and its frame in the map, once"""
    scene = "scene=space:1,offer:0x40000000:rw:512,space:2,share:0x40000000:0x200000:1,stop:one"
    data, _ = page(flavor, "--args", scene, "--checkpoint", "one")
    users = [hat for hat in data["hats"] if hat["name"] == "user"]
    leaves = {hat["addr"]: next(t for t in hat["tables"] if t["l"] == 0) for hat in users}
    assert len(users) == 2 and len({t["pa"] for t in leaves.values()}) == 1, leaves
    assert sorted(t["k"]["flags"] for t in leaves.values()) == [[], ["shared"]]
    assert sum(count for _, count, use in data["memory"] if use == "shared") == 1
    assert sum(count for _, count, use in data["memory"] if use == "user") == 512
    lines = view(flavor, "--args", scene, "--checkpoint", "one", "--text", "--ascii", columns=160).splitlines()
    assert sum(line.endswith(" shared") for line in lines) == 1 and "  S page table shared by address spaces: 1 frame" in lines


@limit(120)
def test_two_levels():
    """without PAE: two levels, 1024 entries, large pages of 4 MiB, and the witnesses agree"""
    data, _ = page("i386", "--args", "pae=0", "--checkpoint", "two-spaces")
    assert data["ok"] and data["mode"] == "nonpae" and [level["entries"] for level in data["levels"]] == [1024, 1024], data["levels"]
    assert any(r[2] == "leaf" and t["l"] == 1 for _, t, r in runs(data)) and not any(r[6] for _, _, r in runs(data))


@limit(120)
def test_difference():
    """an entry changed behind the kernel's back is told with both values, in the page and in the text"""
    data, _ = page("amd64", "--checkpoint", "user-space")
    hat, table, leaf = next((h, t, r) for h, t, r in runs(data) if h["name"] == "user" and t["l"] == 0 and r[2] == "leaf")
    where = int(table["pa"], 16) + leaf[0] * 8
    value = int(leaf[3], 16) ^ 1 << 63
    poke = f"0x{where:x}=0x{value:x}"
    wrong, _ = page("amd64", "--checkpoint", "user-space", "--poke", poke)
    found = [r for _, _, r in runs(wrong) if r[6] == "diff"]
    assert not wrong["ok"] and len(found) == 1 and int(found[0][3], 16) == value and found[0][4] == leaf[3], found
    text = view("amd64", "--checkpoint", "user-space", "--poke", poke, "--text")
    assert re.search(rf"kernel says 0x{leaf[3]}, memory has 0x{value:x}", text), text


@limit(120)
def test_text():
    """the tree as text: equal neighbours folded, cut to the terminal, plain characters when asked"""
    text = view("amd64", "--checkpoint", "user-space", "--text", "--ascii")
    assert text.isascii() and max(map(len, text.splitlines())) <= 100
    assert re.search(r"^hat 0x\w+ kernel: \d+ tables", text, re.M) and "more tables like this one" in text
    whole = view("amd64", "--checkpoint", "user-space", "--text", "--all")
    assert len(whole.splitlines()) > len(text.splitlines()) and "more tables like this one" not in whole


@cases(*FLAVORS)
@limit(120)
def test_text_tells_the_same(flavor):
    """the text has what the page has: the head, each change, each window, and as many frames of each use, a letter for four"""
    options = ("--checkpoint", "unmapped", "--before", "user-space")
    data, _ = page(flavor, *options)
    lines = view(flavor, *options, "--text", "--ascii", "--all").splitlines()
    assert lines[0].startswith(f"{flavor}, checkpoint unmapped since user-space: CPU 0, CR3 0x{data['cr3']}") and lines[1] == "= the kernel, Bochs and memory agree"
    told = [line.split() for line in lines if re.match(r" +[-+~] ", line)]
    marks = {"new": "+", "gone": "-", "changed": "~"}
    for addr, tables in data["changes"]["hats"].items():
        for key, change in tables.items():
            level, base = key.split(":")
            assert any(w[:4] == [marks[change["what"]], "level", level, "table"] and int(w[5].rstrip(","), 16) == int(base, 16) for w in told), (addr, key, change)
    for index, name, va, pa, _ in data["windows"]:
        assert any(line.startswith(f"  [{index}] {va} -> 0x{pa} ") and line.endswith(name) for line in lines), name
    letters = {use: letter for use, letter, _ in data["uses"]}
    frames = [letters[use] for _, count, use in data["memory"] for _ in range(count)]
    rows = [line for line in lines if re.fullmatch(r"  0x[0-9a-f]{8} \S+", line)]
    assert len(rows) == (len(frames) + 255) // 256
    for row in rows:
        at, cells = row.split()
        for i, cell in enumerate(cells):
            group = frames[(int(at, 16) >> 12) + 4 * i :][:4]
            assert cell == min(group, key=list(letters.values()).index), (row, i, group)
    assert any("u mapped for users" in line and "were" in line for line in lines)


@limit(120)
def test_no_such_checkpoint():
    """one line that names those that there are"""
    folder = image_for("amd64", "")
    done = run("python3", "src/tools/view.py", "--image", folder / "hatlab.iso", "--kernel", folder / "kernel.elf", "--checkpoint", "nowhere",
               check=False)
    assert done.returncode == 2 and "there is no checkpoint nowhere" in done.stdout and "user-space" in done.stdout, done.stdout
