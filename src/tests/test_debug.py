# SPDX-License-Identifier: ISC
"""`make debug`: a lab under Bochs' debugger, led by its script (hatlab/debug.py)."""

import os
import pty
import re
import subprocess
import tempfile
import time
from pathlib import Path

from common import FLAVORS, TOP
from hatlab import debug
from hatlab import lab as labs
from testall import cases, limit

SCRIPT = """# Lab 5
#: before the start
lb @kmain@
#: the kernel begins
c
lb @hat_dump@
#: your hat_dump()
lb @htable_scan@
#: your htable_scan()
#: with a second line
print-stack 2
c
#: only once
c
"""


def script(text=SCRIPT):
    path = Path(tempfile.mkdtemp()) / "debug.bochs"
    path.write_text(text)
    return path


def run(flavor, *words, text=SCRIPT, **options):
    command = ["python3", "src/tools/debug.py", "--lab", "5", "--flavor", flavor, "--script", script(text), *words]
    done = subprocess.run(command, cwd=TOP, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          **options)
    print(done.stdout)
    return done.returncode, done.stdout


def test_script():
    """advice belongs to a breakpoint, or to its place; what is no command is not given to the debugger"""
    found = debug.parse(SCRIPT + "#args: select=x:mine\n#cpus: 2\n", "x")
    assert [(s.kind, s.text) for s in found.steps] == [
        ("advice", "before the start"), ("command", "lb @kmain@"), ("go", "c"), ("command", "lb @hat_dump@"),
        ("command", "lb @htable_scan@"), ("command", "print-stack 2"), ("go", "c"), ("advice", "only once"), ("go", "c")]
    assert found.steps[4].advice == ["your htable_scan()", "with a second line"]
    assert (found.args, found.cpus) == ("select=x:mine", 2)
    assert debug.parse("lb 0x1\n", "x").steps[-1].kind == "go"
    try:
        debug.parse("c\nq\n", "x")
    except labs.LabError as e:
        assert str(e).startswith("x:2:")
    else:
        raise AssertionError("a script that quits")


@cases(*FLAVORS)
@limit(300)
def test_first_stop(flavor):
    """not at a terminal: the first stop with its advice, what the script does there, and a clean end"""
    code, text = run(flavor)
    stop = re.search(r"Stopped: a breakpoint in kmain, CPU 0, after \d+ instructions\n  : the kernel begins\n", text)
    assert code == 0 and stop, text
    assert text.index(": before the start") < text.index("bochs> lb @kmain@") < text.index("Stopped:")
    assert text.index("Stopped:") < text.index("bochs> print-stack 2") and text.endswith("and the end.\n")
    assert "your hat_dump" not in text and "only once" not in text


def test_wrong_script():
    """a symbol that is not there, a lab without a script, no such lab: one line"""
    code, text = run("amd64", text="# one\nlb @no_such_function@\n")
    assert code == 2 and "debug.bochs:2: this kernel has no symbol 'no_such_function'" in text
    code, text = run("amd64", text="lb 0x1234\n", timeout=300)
    assert code == 1 and "The run has ended: %done" in text
    done = subprocess.run(["make", "debug", "LAB=77"], cwd=TOP, text=True, capture_output=True, env=labs.clean_environment())
    assert done.returncode and 'there is no lab "77"' in done.stderr and "Traceback" not in done.stderr


class Terminal:
    """debug.py with a terminal of its own."""

    def __init__(self, *command):
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(command, cwd=TOP, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                                        env=dict(os.environ, TERM="dumb"))
        os.close(slave)
        self.text = ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.close(self.master)

    def quit(self):
        self.type("q")
        assert self.process.wait(20) == 0

    def until(self, words, seconds=100):
        end = time.monotonic() + seconds
        while words not in self.text:
            assert time.monotonic() < end, f"no {words!r} in {self.text!r}"
            self.text += os.read(self.master, 65536).decode("utf-8", "replace").replace("\r", "")
        found, self.text = self.text.split(words, 1)
        return found

    def type(self, line):
        os.write(self.master, line.encode() + b"\n")


@limit(300)
def test_terminal():
    """at a terminal: Enter goes on, commands are the debugger's, symbols have addresses, q ends"""
    debug.build(labs.get(5), "amd64", solved=True)
    with Terminal("python3", "src/tools/debug.py", "--lab", "5", "--solved", "--args", "checks=lab5", "--script", str(script())) as run:
        run.until("  : the kernel begins")
        run.until("<bochs> ")
        run.type("x /1wx @mmu@")
        assert re.search(r"\[bogus\+ .*0x[0-9a-f]{8}|0x[0-9a-f]{8}", run.until("<bochs> "))
        run.type("lb @nonsense@")
        assert "no symbol 'nonsense'" in run.until("<bochs> ")
        run.quit()


@limit(300)
def test_questions():
    """at a terminal: the hint, our words answered by us, mistakes in one line, everything else by Bochs, in a trial image too"""
    debug.build(labs.get(5), "i386", solved=True)
    words = ("--lab", "5", "--solved", "--flavor", "i386")
    with Terminal("python3", "src/tools/debug.py", *words, "--script", str(script("lb @htable_scan__mine@\nc\nwhere\nc\n"))) as run:
        first = run.until("<bochs> ")
        assert re.search(r"bochs> where\n    #0 0x\w+ htable_scan__mine\(ht=0x\w+, vap=0x\w+, eaddr=\w+\) solutions/lab5-walking/\w+.c:\d+\n", first)
        assert "help lists what you can ask: walk 0x..." in first
        for line, answer in {"walk kmain": r"level 1 PDE .*\n.*\n  Bochs' page: 0x\w+: agrees", "walk x y z": "walk: walk VA: see help walk",
                             "hats": "hat 0x[0-9a-f]+ kernel: root", "creg": "CR0=0x", "bochs creg": "CR0=0x", "help who": "who PFN",
                             "walk @htable_scan@": ": agrees", "tree": "in CR3", "nonsense": "syntax error"}.items():
            run.type(line)
            said = run.until("<bochs> ")
            assert re.search(answer, said) and "help lists" not in said and "Traceback" not in said, (line, said)
        run.quit()


@cases(*[f"{lab.name} {FLAVORS[lab.number % 2]}" for lab in labs.labs() if (lab.folder() / "debug.bochs").exists()])
@limit(300)
def test_labs(which):
    """the script of each lab reaches its first stop and has advice for it"""
    name, flavor = which.split()
    command = ["make", "-s", "debug", f"LAB={name[3:].split('-')[0]}", f"FLAVOR={flavor}"]
    done = subprocess.run(command, cwd=TOP, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env=labs.clean_environment())
    print(done.stdout)
    assert done.returncode == 0 and "Stopped: " in done.stdout
    assert re.search(r"^  : ", done.stdout[done.stdout.index("Stopped: "):], re.M), "no advice at the first stop"
