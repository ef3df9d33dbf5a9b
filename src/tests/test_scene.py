# SPDX-License-Identifier: ISC
"""Scenes from the command line (docs/scenes.md): every word does what it says, and the three witnesses agree."""

from common import FLAVORS, boot, compare, image
from testall import cases

ALL = ("scene=skip:3,map:0x40000000:rw:3,map:0x40200000:rx,large:0x80000000:rw,offer:0xa0000000:rw,write:0x40001000,"
       "read:0x40200000,stop:made,unmap:0x40200000,stop:less,space,share:0xa0000000,stop:shared,space:1,space,"
       "map:0x400000:r,map:0x600000:r,stop:three,steal,stop:end")


@cases(*FLAVORS)
def test_words(flavor):
    """each step leaves what it should"""
    image(flavor)
    code, text, report = compare(flavor, args="tour=0 " + ALL)
    assert code == 0, text
    result = boot(flavor, "tour=0 " + ALL)
    assert result.ok, result.problem
    seen = {c.name: [h for h in c.hats if h.name == "user"] for c in result.reader.checkpoints}
    assert list(seen) == ["made", "less", "shared", "three", "end"], list(seen)
    leaves = {leaf.va0: leaf for t in seen["made"][0].tables for leaf in t.entries if hasattr(leaf, "va0")}
    dirty, read, large = leaves[0x40001000], leaves[0x40200000], leaves[0x80000000]
    assert (dirty.a, dirty.d, dirty.w, dirty.x) == (True, True, True, False)
    assert (read.a, read.d, read.w, read.x) == (True, False, False, True)
    assert (large.size, large.w) == ("2M", True)
    assert seen["less"][0].pages[0] == seen["made"][0].pages[0] - 1
    assert len(seen["shared"]) == 2 and any("shared" in t.flags for h in seen["shared"] for t in h.tables)
    count = {name: sum(len(h.tables) for h in hats) for name, hats in seen.items()}
    assert count["end"] == count["three"] - 1 and len(seen["end"]) == 3, count


@cases(("word", "mop:1", 'there is no step "mop"'), ("number", "map:x:rw", '"x" is no number'),
       ("rights", "map:0x40000000:ro", 'not "ro"'), ("space", "space:9", "there is no space 9"),
       ("nothing", "read:0x40000000", "nothing can be read at 0x40000000"))
def test_wrong(case):
    """what cannot be done stops the kernel with its reason"""
    _, steps, words = case
    image("amd64")
    result = boot("amd64", f"tour=0 scene={steps}")
    assert result.exit == "panic" and "scene: " in result.problem and words in result.problem, result.problem
