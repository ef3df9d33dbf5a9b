# SPDX-License-Identifier: ISC
"""A short run of each fuzzer, and that they can find something (docs/fuzzing.md)."""

import re
from pathlib import Path

from common import TOP, run
from testall import cases, limit, needs, seed

import fuzz  # src/tools; common has put it on the path



@needs("clang")
@cases(*fuzz.TARGETS)
@limit(300)
def test_short(target):
    """the corpus and some thousand inputs more break nothing"""
    done = run("python3", "src/tools/fuzz.py", "--smoke", "--target", target, "--seed", seed(), timeout=280)
    assert re.search(rf"fuzz: {target} amd64: \d+ inputs, nothing broke", done.stdout), done.stdout


def test_parsers():
    """damaged text of Bochs, QEMU and the kernel is read or refused in the parser's own words"""
    done = run("python3", "src/tools/fuzz.py", "--smoke", "--target", "parsers", "--seed", seed())
    assert re.search(r"fuzz: parsers: \d{5} texts, nothing broke", done.stdout), done.stdout


def test_parsers_find():
    """a parser that stumbles is found, and its input kept"""
    whole = fuzz.PARSERS
    fuzz.PARSERS = [("bad", lambda text: [int(line.split()[0], 16) for line in text.splitlines()], (ValueError,), lambda: ["10 20\n30 40\n"])]
    try:
        assert not fuzz.parse_damaged(1, lambda n: n > 2000)
    finally:
        fuzz.PARSERS = whole


def test_corpus():
    """each target has inputs, and none is large"""
    for target in fuzz.TARGETS:
        sizes = [path.stat().st_size for path in (Path(fuzz.CORPUS) / target).iterdir()]
        assert sizes and sum(sizes) < 400_000 and max(sizes) <= fuzz.LONGEST[target], (target, len(sizes), sum(sizes))
    assert (TOP / "docs/fuzzing.md").is_file()
