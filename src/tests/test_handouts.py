# SPDX-License-Identifier: ISC
"""Handouts: their sections, links and messages, and every command in them with the output shown (docs/handouts.md)."""

import tempfile
from pathlib import Path

from common import FLAVORS, TOP, image
from hatlab import handout
from testall import cases, limit, needs

LABS = [path.parent.name for path in handout.handouts()]

GOOD = """# Lab 99: an example

What it is. Time: an hour. Worth: nothing.

## What you will see

```console
$ echo one; echo two; echo 0x1234 three; echo four
one
...
0x… three
four
$ cat labs/made-up.txt
now it is there
$ false || echo not compared
```

## The idea

A link: [units](../../docs/units.md#which-argument-says-for-whom), [a function](../../src/hat/htable.h#htable_lookup), [up](#the-idea).

## Some unit

```text file=README.md
rewritten in the copy
```

```console
$ cat README.md
rewritten in the copy
```

```console exit=3
$ exit 3
```

## When it goes wrong

| message | meaning | look |
|---|---|---|
| `…() is yours to write: lab …` | nothing was written | here |
| `the last lines:` | it stopped | there |

## Questions

## What later kernels changed

## Before you hand in
"""
STUB = 'void f(void) { lab_todo(99, __func__, "Some unit"); }\n'
# What is planted, its line, and what must be said about it.
PLANTS = [
    ("one", "one\n", "won\n", ":9:", "have one", "want won"),
    ("wildcard", "0x… three", "0x… tree", ":11:", "want 0x… tree"),
    ("end", "0x… three\nfour\n$", "0x… three\n$", ":11:", "want 0x… three"),
    ("exit", "exit=3", "exit=2", "ends with 3, not 2"),
    ("unseen", "$ exit 3\n", "$ (echo thrown away >&2; exit 2) 2>/dev/null\n", "ends with 2, not 3: thrown away"),
    ("edited", "$ cat README.md\nrewritten in the copy", "$ cat README.md\nwritten in the copy", "have rewritten", "want written"),
    ("section", "## Questions", "## Question", "`## Questions` is there 0 times"),
    ("order", "## The idea\n", "## Questions\n", "`## Questions` is there 2 times"),
    ("unit", "## Some unit", "## Some units", "no section `## Some unit`, which unit.c names"),
    ("file", "docs/units.md#", "docs/unit.md#", "docs/unit.md, which is not there"),
    ("heading", "#which-argument-says-for-whom", "#which-argument-says-for-nobody", "no such heading"),
    ("function", "#htable_lookup", "#htable_luckup", "htable_luckup does not occur there"),
    ("anchor", "[up](#the-idea)", "[up](#the-ideas)", "no such heading"),
    ("message", "the last lines:", "the lost lines:", "nothing ever says `the lost lines:`"),
    ("time", "Time:", "Tame:", "no `Time:`"),
    ("fence", "```console exit=3\n$ exit 3\n", "```console exit=3\nexit 3\n", "begins with a command"),
]


def problems(text):
    """What is said about a handout of a made-up lab inside the tree, for its links."""
    with tempfile.TemporaryDirectory(prefix="lab99-", dir=TOP / "build") as folder:
        lab = Path(folder)
        (lab / "unit.c").write_text(STUB)
        (lab / "handout.md").write_text(text)
        out = handout.read(lab / "handout.md")
        handout.structure(out)
        player = handout.Player(out)
        plain, handout.scratch_copy = handout.scratch_copy, small_copy
        try:
            player.play()
        finally:
            handout.scratch_copy = plain
        return out.problems


def small_copy(to, images=True):
    (to / "labs").mkdir()
    (to / "labs" / "made-up.txt").write_text("now it is there\n")
    (to / "README.md").write_text("as it was\n")


def test_example():
    """a handout without a fault has none"""
    found = problems(GOOD)
    assert found == [], found


@cases(*PLANTS)
def test_planted(plant):
    """a fault in a handout is told, with its line"""
    name, old, new, *words = plant
    assert GOOD.count(old) == 1, (name, GOOD.count(old))
    found = "\n".join(problems(GOOD.replace(old, new)))
    assert all(word in found for word in words), found
    assert "handout.md:" in found, found


def test_update():
    """--update rewrites what differs and keeps the wildcards of what does not"""
    want = ["a", "0x… b", "...", "c …", "d"]
    assert handout.refreshed(want, ["a", "0x12 b", "x", "c 1", "d"]) == want
    assert handout.refreshed(want, ["a", "0x12 b", "x", "c 1", "e"]) == ["a", "0x… b", "...", "c …", "e"]
    assert handout.refreshed(want, ["A", "0x12 b", "x", "c 1", "d"]) == ["A", "0x… b", "...", "c …", "d"]
    assert handout.refreshed(["???"], ["x", "y"]) == ["x", "y"]
    assert handout.refreshed(["x", "y"], ["x", "z", "t"]) == ["x", "z", "t"]


def test_moves():
    """a frame that moves is followed: the same one everywhere, all other bits as they were"""
    def run(want, have):
        moves = handout.Moves({0x407: None, 0x408: None})
        return handout.mismatch(want, have, moves), moves
    want = ["cr3: 0x000000407000", "...", "0x407008 0x8000000000408027 0x409000"]
    found, moves = run(want, ["cr3: 0x00000012a000", "x", "0x12a008 0x800000000000f027 0x409000"])
    assert found is None and moves == {0x407: 0x12A, 0x408: 0xF}, (found, moves)
    assert moves.today("xp /1gx 0x408010 0x500000") == "xp /1gx 0xf010 0x500000"
    for last in ("0x12b008 0x800000000000f027 0x409000", "0x12a008 0x800000000000f025 0x409000", "0x12a008 0x800000000000f027 0x40a000"):
        assert run(want, ["cr3: 0x00000012a000", "x", last])[0], last
    try:
        handout.Moves({0x407: None}).today("xp 0x407000")
        raise AssertionError("a frame that nobody has seen")
    except handout.HostError:
        pass


def test_messages():
    """a message is found with values in it, and in two parts only where something puts them together"""
    said = "…: the result is …, want … (table of …)\nthe entry at *vap itself is valid\n…() is yours to write: lab …"
    for message in ("the entry at *vap itself is valid: the result is …, want …", "the result is …, want …",
                    "…() is yours to write", "the entry at *vap itself is valid: have …, want …"):
        assert handout.is_printed(message, said), message
    for message in ("the entry at *vap is valid: the result is …", "the entry at *vap itself is valid: the results are …",
                    "is yours to write: the result is … and …", "…: …", "the entry at *vap itself is valid: yours to write"):
        assert not handout.is_printed(message, said), message


@needs("bochs", "tmux")
@limit(300)
def test_debugger():
    """a bochs block is typed into a terminal, its command and what follows; what differs is told, and a session that ends too early"""
    text = GOOD.replace("```console exit=3\n$ exit 3\n```", "\n".join([
        "```bochs", "$ python3 -c 'import sys; sys.path.insert(0, sys.argv[1]); import twice' \\", "    " + str(small_session()),
        "two lines", "…", "<bochs> creg", "creg, creg", "<bochs> page 0", "page 0, page 0 and more", "```", "",
        "```bochs continue", "<bochs> again", "...", "again, …", "<bochs> end", "```", "", "```bochs", "$ false", "```"]))
    found = problems(text)
    assert len(found) == 3, found
    assert "have page 0, page 0" in found[0] and "want page 0, page 0 and more" in found[0] and "handout.md:" in found[0], found
    assert all("the session has ended" in line for line in found[1:]), found


def small_session():
    """A program with the debugger's prompt that says every line twice, until `end` or `q`."""
    folder = Path(tempfile.mkdtemp())
    (folder / "twice.py").write_text("print('two lines\\nin the beginning')\n"
                                     "while (line := input('<bochs> ')) not in ('end', 'q'):\n    print(line, line, sep=', ')\n")
    return folder


@needs("bochs", "tmux")
def test_debugger_really():
    """the same with a kernel: a checkpoint of its own name, symbols, Bochs' answers"""
    flavor_image = image("amd64")
    assert (flavor_image / "hatlab.iso").exists()
    out = handout.read(TOP / "labs" / LABS[0] / "handout.md")
    first = next(block for block in out.blocks if block.opener)
    session = handout.Session(first.opener, "", TOP)
    try:
        assert any(line.startswith("Stopped: checkpoint mine in ") for line in session.opening), session.opening
        assert session.ask("creg")[0].startswith("CR0=0x"), "creg"
        assert any(handout.matches("0x… <kmain+0>:  0x…", line) for line in session.ask('x /1gx "kmain"'))
    finally:
        session.close()


@needs("bochs", "tmux")
@cases(*LABS)
@limit(900)
def test_handout(lab):
    """every section, link and message, and every command with its output"""
    for flavor in FLAVORS:
        image(flavor)
    out = handout.read(TOP / "labs" / lab / "handout.md")
    handout.structure(out)
    handout.Player(out).play()
    assert not out.problems, "\n" + "\n".join(out.problems)
