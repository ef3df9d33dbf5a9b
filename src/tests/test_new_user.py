# SPDX-License-Identifier: ISC
"""A new user's way: what README says, then lab 0 to its last step, in a tree in which nothing has been built.

Only `make test`, README's other command, is left out: it is what runs this.
"""

import re
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

from common import FLAVORS, TOP
from hatlab import handout
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


def public_screens():
    """Ports that Bochs' screen would take at all interfaces of this machine, and that somebody listens at."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    places = [words[1].split(":") for words in lines if words[3] == "0A"]
    return {int(port, 16) for address, port in places if set(address) == {"0"} and 5900 <= int(port, 16) < 5950}


@limit(300)
def test_by_hand():
    """README's line for a person at the debugger: the first stop is a checkpoint, Bochs shows its translations, nobody can look in"""
    start, go, look = typed(r"By hand: `(.+?)`, type `(.+?)`, and at the first stop `(.+?)`")
    with fresh_tree() as tree:
        before = public_screens()
        bochs = subprocess.Popen(start.split(), cwd=tree, env=handout.reader_environment(), text=True,
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        with bochs:
            bochs.stdin.write(f"{go}\n{look}\n")
            bochs.stdin.flush()
            said = ""
            while not said.endswith("<bochs:3> "):
                piece = bochs.stdout.read(1)
                assert piece, said[-3000:]
                said += piece
            listening = public_screens() - before
            said += bochs.communicate("q\n")[0]
        after = said.split("Magic breakpoint", 1)
        assert bochs.returncode == 0 and len(after) == 2, said[-3000:]
        assert re.search(r"cr3: 0x[0-9a-f]+", after[1]), said[-3000:]
        assert re.search(r"^0xffffffff80200000-\S+ -> 0x000000200000-", after[1], re.M), after[1][-3000:]
        assert not listening, f"anybody can look in at port {listening}"
        assert "ALSA" not in said and not list(tree.glob("build/*.log")) and not list(tree.glob("**/*.iso.lock")), said[-3000:]
