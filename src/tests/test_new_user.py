# SPDX-License-Identifier: ISC
"""A new user's way: what README says, then lab 0 to its last step, in a tree in which nothing has been built.

Only `make test`, README's other command, is left out: it is what runs this.
"""

import re
import shlex
import tempfile
from contextlib import contextmanager
from pathlib import Path

from common import FLAVORS, TOP
from hatlab import bochs, handout
from testall import limit

README = (TOP / "README.md").read_text()


@contextmanager
def fresh_tree():
    with tempfile.TemporaryDirectory(prefix="hatlab-new-") as folder:
        tree = Path(folder) / "hatlab"
        tree.mkdir()
        handout.scratch_copy(tree, images=False)
        assert not list(tree.glob("build/*/kernel.elf"))
        yield tree


def typed(pattern):
    """What README says is to be typed."""
    match = re.search(pattern, README)
    assert match, f"README.md does not say {pattern}"
    return match.groups()


@limit(600)
def test_first_commands_and_lab_0():
    """README's first command, then its link to lab 0, and everything that the handout says, in order, in one new tree"""
    commands = re.findall(r"^    (make \w+) ", README.split("\n## ")[0], re.M)
    assert commands == ["make run", "make test"], commands
    start, = typed(r"Start at \[lab 0\]\((\S+)\)")
    with fresh_tree() as tree:
        code, said = handout.shell(commands[0], tree)
        assert code == 0, said[-3000:]
        for flavor in FLAVORS:
            assert re.search(rf"^{flavor}: OK, kernel, Bochs and raw memory agree: 8 checkpoints, ", said, re.M), said[-3000:]
        out = handout.read(TOP / start)
        assert any(block.tag == "console" for block in out.blocks)
        player = handout.Player(out)
        player.tree = tree
        player.play()
        assert not out.problems, "\n".join(out.problems)


@limit(300)
def test_by_hand():
    """README's lines for a person at the debugger: the first stop is a checkpoint, and Bochs shows its translations"""
    build, start, go, look = typed(r"By hand: `(.+?)`, then `(.+?)`, type `(.+?)`, and at the first stop `(.+?)`")
    prefix, extra = bochs.isolation()  # bochsrc's screen listens on a port
    with fresh_tree() as tree:
        code, said = handout.shell(build, tree)
        assert code == 0, said[-3000:]
        words = [f"{key}={value}" for key, value in extra.items()]
        command = shlex.join(["env", *words, *prefix, *start.split()])
        code, said = handout.shell(f"printf '%s\\n' {shlex.quote(go)} {shlex.quote(look)} q | {command}", tree)
        after = said.split("Magic breakpoint", 1)
        assert len(after) == 2, said[-3000:]
        assert re.search(r"cr3: 0x[0-9a-f]+", after[1]), said[-3000:]
        assert re.search(r"^0xffffffff80200000-\S+ -> 0x000000200000-", after[1], re.M), after[1][-3000:]
