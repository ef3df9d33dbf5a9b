# SPDX-License-Identifier: ISC
"""`make debug`: a lab under Bochs' debugger, led by its script (hatlab/debug.py)."""

import fcntl
import os
import pty
import re
import shlex
import signal
import subprocess
import tempfile
import termios
import time
from pathlib import Path

from common import FLAVORS, TOP, image
from hatlab import bochs, breakpoints, debug, handout, layout, notes, windows
from hatlab import image as images
from hatlab import lab as labs
from hatlab.screen import SHELL, Screen
from testall import cases, limit, needs

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


def begin(*words, **options):
    """`make debug` without a terminal: (exit code, what was said)."""
    done = subprocess.run(["make", "-s", "debug", *words], cwd=TOP, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, env=labs.clean_environment(), **options)
    print(done.stdout)
    return done.returncode, done.stdout


@cases("amd64 1", "i386 2")
@limit(300)
def test_check(which):
    """CHECK=: stopped where the check first calls the student's code, called by it, and the lab's breakpoints are set; on several CPUs, too"""
    flavor, cpus = which.split()
    code, text = begin("LAB=3", "CHECK=alloc-kept", f"FLAVOR={flavor}", f"CPUS={cpus}")
    assert code == 0 and re.search(r"^Stopped: a breakpoint in evidence_copy_on\b", text, re.M), text
    assert "(check_alloc_kept+" in text and "breakpoints: htable_create, htable_alloc, link_ptp," in text, text
    begun = re.findall(r"%check-begin name=(\S+)", text)
    assert begun == ["alloc-kept"], begun


@limit(300)
def test_point():
    """CP=: a tour's checkpoint, a scene's stop, a function"""
    for words, stop in {("CP=two-spaces",): "checkpoint two-spaces in ", ("CP=mine", "ARGS=scene=stop:other,stop:mine"): "checkpoint mine in ",
                        ("CP=htable_create",): "a breakpoint in htable_create, CPU 0"}.items():
        code, text = begin("LAB=3", "FLAVOR=i386", *words)
        assert code == 0 and len(re.findall(rf"^Stopped: {stop}", text, re.M)) == text.count("Stopped: ") == 1, (words, text)


@limit(300)
def test_no_such_place():
    """an unknown check or stop, both, a lab without checks: one line that says what there is"""
    for words, *said in ((("LAB=3", "CHECK=alloc"), "there is no check 'alloc': this lab has create-path, ", ", alloc-kept, "),
                         (("LAB=3", "CP=two-space"), "there is no stop 'two-space': this kernel stops at boot-tables, adopted, ", ", two-spaces, "),
                         (("LAB=3", "CP=x", "CHECK=y"), "CHECK or CP, not both"), (("LAB=0", "CHECK=y"), "lab 0 has no checks")):
        code, text = begin(*words)
        lines = [line for line in text.splitlines() if line.startswith("debug: ")]
        assert code and len(lines) == 1 and all(word in lines[0] for word in said) and "Traceback" not in text, (words, text)


class Scripted:
    """A reader who answers each prompt from a list, and hears what is said."""

    def __init__(self, lines):
        self.lines, self.heard = list(lines), []

    def ask(self, prompt):
        return self.lines.pop(0) if self.lines else None

    def say(self, text):
        self.heard += text.split("\n")


PAGES = 40


@cases(1, 2, 4)
@limit(300)
def test_breakpoints(cpus):
    """a breakpoint stops once each time its place is reached, on several CPUs, too, where Bochs by itself passes over some; d removes it"""
    folder = image("amd64")
    disk = images.with_args(images.load(folder / "hatlab.iso"), f"tour=0 scene=stop:a,map:0x40000000:rw:{PAGES},stop:b,map:0x50000000:rw,stop:c")
    reader = Scripted(["lb @x86pte_set@", "blist", *[""] * (PAGES + 1), "d 2", ""])
    kernel = folder / "kernel.elf"
    session = debug.Session(debug.parse("", "x"), "x", debug.Addresses(kernel), reader.say, reader.ask, debug.AtPoint("a", "scene=stop:a"))
    with bochs.Bochs(disk, cpus) as machine:
        machine.ask(["lb 0x1"])     # number 1 is somebody else's: numbers of ours and Bochs' differ
        session.run(machine)
    stops = [line for line in reader.heard if line.startswith("Stopped: ")]
    print(*stops, sep="\n")
    hits = [line for line in stops if re.match(r"Stopped: a breakpoint in x86pte_set(, one instruction late)?, CPU \d", line)]
    assert len(hits) == PAGES, len(hits)
    assert re.match("Stopped: checkpoint b in", stops[PAGES + 1]) and re.match("Stopped: checkpoint c in", stops[PAGES + 2]), stops[-2:]
    assert sum("lbreakpoint" in line for line in reader.heard) == 2, "blist shows those that were set"
    assert cpus == 1 or any("late" in line for line in hits), "nothing was passed over: this test shows nothing"


def test_second_instruction():
    """none where the first one goes elsewhere, or where there is no code"""
    kernel = image("amd64") / "kernel.elf"
    symbols = debug.Addresses(kernel).symbols
    start = symbols.address("evidence_begin")
    assert start is None or breakpoints.second_instruction(kernel, start) == start + 1
    text = subprocess.run(["objdump", "-d", str(kernel)], capture_output=True, text=True).stdout
    jump, = re.findall(r"^([0-9a-f]+):\t.*\tjmp ", text, re.M)[:1] or re.findall(r"^\s*([0-9a-f]+):.*\tjmp ", text, re.M)[:1]
    assert breakpoints.second_instruction(kernel, int(jump, 16)) is None
    assert breakpoints.second_instruction(kernel, 0x1234) is None


def test_notes():
    """the section of a unit's function, of no other; all prose fits, figures stay as they are"""
    lab = labs.get(3)
    for function in ("link_ptp", "link_ptp__mine", "htable_create"):
        text = notes.of_function(lab, function)
        assert text.startswith("## ") and f"`{function.removesuffix('__mine')}()`" in text and text.count("\n## ") == 0, text[:200]
    assert notes.of_function(lab, "kmain") is None
    for lab in labs.labs():
        for function in (name for _, functions in lab.units for name in functions):
            text = notes.of_function(lab, function)
            assert text is None or not text.startswith(("## What you will see", "## The idea", "## Questions")), (lab.name, function)
    text = notes.fitted("one two [three](x.md) four\n\n```c\nint  a;  /* long line */\n```\n\nfive six", 9)
    assert text == "one two\nthree\nfour\n\nint  a;  /* long line */\n\nfive six", text


class Terminal:
    """debug.py with a terminal of its own."""

    def __init__(self, *command, **environment):
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(command, cwd=TOP, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                                        env={**os.environ, "TERM": "dumb", **environment},
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))     # to be hung up on
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


def told(lab):
    """The sessions that a handout's text speaks of, besides those that it shows (which test_handouts plays)."""
    text = "\n".join(line for _, line in handout.read(lab.folder() / "handout.md").prose)
    return list(dict.fromkeys(command.strip() for command in re.findall(r"make debug LAB=\d+(?: (?:FLAVOR|CHECK|CP|CPUS)=[\w-]+)*(?![\w ]*\.\.\.)", text)))


@needs("bochs", "tmux")
@cases(*[lab.name for lab in labs.labs()])
@limit(300)
def test_labs(name):
    """each session that a lab's handout speaks of, typed into a terminal: a first stop with advice, a second one, an end"""
    lab, = [lab for lab in labs.labs() if lab.name == name]
    commands = told(lab)
    assert f"make debug LAB={lab.number}" in " ".join(commands), "the handout does not speak of the debugger"
    for command in commands:
        print(command)
        session = handout.Session(handout.Command(0, command), "", TOP)
        try:
            opening = "\n".join(session.opening)
            assert opening.count("Stopped: ") == 1 and re.search(r"^  : ", opening[opening.index("Stopped: "):], re.M), opening
            assert "help lists what you can ask" in opening, opening
            second = "\n".join(session.ask("c"))
            assert "Stopped: " in second, second
        finally:
            session.close()


# ------------------------------------------------------------------------------------------------------------- panes

LAYOUT_SCRIPT = "lb @kmain@\n#: the kernel begins\nc\nlb @htable_scan__mine@\n"


class Panes(Screen):
    """A terminal in which the session runs in panes, and all that belongs to it."""

    def __init__(self, columns=170, lines=45, *words):
        self.scratch = tempfile.mkdtemp(prefix="panes-")
        super().__init__(TOP, columns, lines, labs.clean_environment() | {"LC_ALL": "C.UTF-8", "TERM": "screen", "SHELL": "/bin/false",
                                                                           "TMPDIR": self.scratch})
        self.until(lambda found: found[-1] == SHELL, "the shell", 20)
        self.shell = int(self.tmux("list-panes", "-F", "#{pane_pid}"))
        self.type(f"python3 src/tools/debug.py --lab 5 --solved --flavor i386 --script {script(LAYOUT_SCRIPT)} {' '.join(words)}; echo code $?")

    def wait(self, *words, seconds=40):
        return "\n".join(self.until(lambda found: all(word in "\n".join(found) for word in words), repr(words), seconds))

    def left(self):
        """Processes and files of the session that are still there."""
        mark = f"TMPDIR={self.scratch}".encode()
        found = list(map(str, Path(self.scratch).iterdir()))
        for path in Path("/proc").glob("[0-9]*"):
            try:
                words = (path / "cmdline").read_bytes().split(b"\0")
                if mark in (path / "environ").read_bytes() and int(path.name) != self.shell and f"{self.folder}/tmux".encode() not in words:
                    found.append(f"{path.name}: {b' '.join(words)}")
            except OSError:
                pass
        return found

    def all_gone(self, seconds=10):
        end = time.monotonic() + seconds
        while left := self.left():
            assert time.monotonic() < end, left
            time.sleep(0.1)


@needs("bochs", "tmux")
@limit(300)
def test_panes():
    """debugger, console and notes side by side, inside another tmux; the notes follow; q ends all, with the session's exit code"""
    debug.build(labs.get(5), "i386", solved=True)
    section = notes.of_function(labs.get(5), "htable_scan").splitlines()[0]
    with Panes() as panes:
        text = panes.wait("Stopped: a breakpoint in kmain", "<bochs>", "# Lab 5: walking and dumping", "F6: next pane")
        assert not re.search(r"[│|].*%hello", text) and "(Without" not in text, text
        panes.key("Enter")
        text = panes.wait("Stopped: a breakpoint in htable_scan__mine", "%hello version=1 flavor=i386", section)
        assert "# Lab 5: walking" not in text and "  | %check-begin" not in text, text
        panes.type("creg")
        panes.wait("CR0=0x")
        panes.type("q")
        panes.wait("code 0")
        panes.all_gone(2)


@limit(300)
def test_hang_up():
    """a terminal that is closed, which is an end of input and a signal at once, leaves nothing of a plain session"""
    image("i386")
    scratch = Path(tempfile.mkdtemp(prefix="hang-up-"))
    with Terminal("python3", "src/tools/debug.py", "--lab", "0", "--flavor", "i386", "--point", "adopted", TMPDIR=str(scratch)) as run:
        run.until("<bochs> ")
        assert list(scratch.iterdir())
        os.close(run.master)
        run.master = os.open("/dev/null", os.O_RDWR)
        assert run.process.wait(20) == 128 + signal.SIGHUP
        assert not list(scratch.iterdir()), list(scratch.iterdir())


@cases("ctrl-c", "terminal", "killed", "wrong")
@needs("bochs", "tmux")
@limit(300)
def test_panes_end(how):
    """nothing is left after Ctrl-C while Bochs is busy and q, a closed terminal, a killed make; a mistake is told when the panes are gone"""
    debug.build(labs.get(5), "i386", solved=True)
    if how == "wrong":
        with Panes(170, 45, "--check", "no-such-check") as panes:
            text = panes.wait("code 2")
            assert "debug: there is no check 'no-such-check': this lab has " in text, text
            panes.all_gone()
        return
    with Panes(170, 45, "--cpus", "2" if how == "ctrl-c" else "1") as panes:
        panes.wait("Stopped: a breakpoint in kmain", "<bochs>")
        if how == "ctrl-c":
            panes.key("C-c")
            panes.wait("(q ends the session)")
            panes.type("d 1")
            panes.type("s 1000000000")      # longer than anybody waits
            time.sleep(0.5)
            panes.key("C-c")
            panes.wait("Next at t=")
            panes.type("q")
            panes.wait("code 0")
        elif how == "terminal":
            panes.tmux("kill-server")
        else:
            command, = [pid for pid in children_of(panes) if b"src/tools/debug.py" in Path(f"/proc/{pid}/cmdline").read_bytes()]
            os.kill(command, signal.SIGKILL)
        panes.all_gone()


def children_of(panes):
    """Of the shell in the outer terminal."""
    return map(int, Path(f"/proc/{panes.shell}/task/{panes.shell}/children").read_text().split())


@needs("tmux")
@limit(300)
def test_no_panes():
    """a small terminal, an old tmux, a terminal without a cursor: why, in one line, and the session as before; asked for: the line alone"""
    debug.build(labs.get(5), "i386", solved=True)
    with Panes(100, 30) as panes:
        panes.wait("(No panes for console and notes: the terminal is 100x30: 140x24 or 80x44 are needed.", "Stopped: a breakpoint in kmain")
        panes.type("q")
        panes.wait("code 0")
        panes.all_gone(2)
        panes.type("python3 src/tools/debug.py --lab 5 --ui panes; echo code $?")
        panes.wait("debug: no panes: the terminal is 100x30", "code 2")
        panes.type("DISPLAY=:4711 python3 src/tools/debug.py --lab 5 --ui windows; echo code $(($? + 1))")
        panes.wait("debug: no windows: no X server answers at DISPLAY=:4711", "code 3")
    bin_folder = Path(tempfile.mkdtemp())
    (bin_folder / "tmux").write_text("#!/bin/sh\necho tmux 2.1\n")
    (bin_folder / "tmux").chmod(0o755)
    before = dict(os.environ)
    try:
        os.environ.update(PATH=f"{bin_folder}:{before['PATH']}", TERM="screen")
        assert layout.obstacle() == "tmux 2.1 is too old: 2.6 is needed", layout.obstacle()
        os.environ.update(PATH=before["PATH"], TERM="dumb")
        assert "TERM=dumb" in layout.obstacle()
        os.environ["PATH"] = "/nonexistent"
        assert layout.obstacle() == "tmux is not installed (package tmux)"
    finally:
        os.environ.update(before)


def test_shapes():
    """what fits into which terminal"""
    assert [layout.shape(*size) for size in ((170, 45), (140, 24), (139, 24), (139, 44), (80, 44), (79, 60), (80, 24))] == [
        "wide", "wide", None, "tall", "tall", None, None]


# ------------------------------------------------------------------------------------------------------------- windows


@needs("bochs")
@limit(300)
def test_windows():
    """what a Bochs with windows is given brings it to the very stop of the session before (here with the screen that all have)"""
    wrapper = Path(tempfile.mkdtemp()) / "bochs"
    prefix, extra = bochs.isolation()
    words = ["env", *(f"{key}={value}" for key, value in extra.items()), *prefix, bochs.find_program().path]
    wrapper.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
    wrapper.chmod(0o755)
    os.environ["HATLAB_BOCHS"] = str(wrapper)
    windows.DISPLAY = 'display_library: rfb, options="timeout=0"'
    heard = []
    wish = debug.Wish(labs.get(3), "i386", check="create-path")
    assert debug.start(wish, heard.append, lambda prompt: None, windowed=True) == 0
    text = "\n".join(heard)
    first, second = text.split(windows.ADVICE)
    t, = re.findall(r"Stopped: a breakpoint in evidence_copy_on, CPU 0, after (\d+) instructions", first)
    assert re.findall(r"Next at t=(\d+)", second)[-1] == t, second
    assert "  | %check-begin name=create-path" in second and "[PLUGIN]" not in second, second
