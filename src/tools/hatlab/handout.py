# SPDX-License-Identifier: ISC
"""Handouts that tell the truth: their shape, their links, and every command in them with what it prints (docs/handouts.md).

`structure` looks at the text alone; `play` runs the blocks in a scratch copy of the tree.  Both return problems, each with the
line that it is about, in the form `FILE:LINE: what`.
"""

from __future__ import annotations

import difflib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from . import host, lab
from .host import HostError
from .screen import SHELL, Screen

SKIP, ANY, ASK = "...", "…", "???"  # any lines; anything within a line; "fill this in" (--update)
COMMAND_SECONDS = 300
STOP_SECONDS = 60
FIRST = ("What you will see", "The idea")
LAST = ("When it goes wrong", "Questions", "Challenge", "What later kernels changed", "Before you hand in")
OPTIONAL = {"Challenge"}
PROMPT = {"console": "$ ", "bochs": "<bochs> "}


# ------------------------------------------------------------------------------------------------------- the text


@dataclass
class Command:
    """One command of a block and what stands below it."""

    line: int
    text: str
    output: list[str] = field(default_factory=list)
    output_line: int = 0  # of the first output line


@dataclass
class Block:
    """A fenced block: its tag, the words behind it, and, if it is to be run, its commands."""

    line: int
    tag: str
    words: dict[str, str]
    body: list[str]
    commands: list[Command] = field(default_factory=list)
    opener: Command | None = None  # of a bochs block: the shell's command that begins the session


@dataclass
class Handout:
    """A handout, read."""

    path: Path
    lines: list[str]
    headings: list[tuple[int, int, str]] = field(default_factory=list)  # line, depth, text
    blocks: list[Block] = field(default_factory=list)
    prose: list[tuple[int, str]] = field(default_factory=list)  # everything outside blocks
    problems: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return str(self.path.relative_to(host.ROOT)) if self.path.is_relative_to(host.ROOT) else str(self.path)

    def problem(self, line: int, text: str) -> None:
        self.problems.append(f"{self.name}:{line}: {text}")


def read(path: Path) -> Handout:
    """Cut a handout into headings, blocks and prose."""
    out = Handout(path.resolve(), path.read_text().splitlines())
    block = None
    for number, line in enumerate(out.lines, 1):
        if block is not None:
            if line.startswith("```"):
                _finish(out, block)
                block = None
            else:
                block.body.append(line)
        elif line.startswith("```"):
            tag, *words = line[3:].split(" ", 1)
            block = Block(number, tag, _words(out, number, words[0] if words else ""), [])
        else:
            if found := re.match(r"(#+) (.*)", line):
                out.headings.append((number, len(found[1]), found[2].strip()))
            out.prose.append((number, line))
    if block is not None:
        out.problem(block.line, "a block that never ends")
    return out


def _words(out: Handout, number: int, text: str) -> dict[str, str]:
    """`a=b c="d e" f` behind a fence."""
    words = {}
    for key, quoted, plain in re.findall(r"([\w-]+)(?:=(?:\"([^\"]*)\"|(\S*)))?", text):
        words[key] = quoted or plain
    return words


def _finish(out: Handout, block: Block) -> None:
    out.blocks.append(block)
    mark = PROMPT.get(block.tag)
    if mark is None:
        return
    last = None
    for number, line in enumerate(block.body, block.line + 1):
        if block.tag == "bochs" and line.startswith(PROMPT["console"]) and not last and "continue" not in block.words:
            last = block.opener = Command(number, line[len(PROMPT["console"]) :], output_line=number + 1)
        elif line.startswith(mark):
            last = Command(number, line[len(mark) :], output_line=number + 1)
            block.commands.append(last)
        elif last and last.text.endswith("\\") and not last.output:
            last.text = last.text[:-1] + line.strip()
            last.output_line = number + 1
        elif last:
            last.output.append(line)
        else:
            out.problem(number, f"a {block.tag} block begins with a command ({mark.strip()})")
            return
    if block.tag == "bochs" and not block.opener and "continue" not in block.words:
        out.problem(block.line, "a bochs block begins with the command that opens the session ($ make debug ...), or continues one")
    elif not block.commands and not block.opener:
        out.problem(block.line, f"a {block.tag} block without a command ({mark.strip()})")


# --------------------------------------------------------------------------------------------------- its structure


def structure(out: Handout) -> None:
    """Sections, links, messages."""
    _sections(out)
    for number, line in out.prose:
        for target in re.findall(r"\]\(([^)\s]+)\)", line):
            if problem := _link(out, target):
                out.problem(number, problem)
    _messages(out)
    for block in out.blocks:
        if not block.tag:
            out.problem(block.line, "a block without a tag: console, bochs, text, c")


def _sections(out: Handout) -> None:
    titles = [(line, text) for line, depth, text in out.headings if depth == 2]
    tops = [(line, text) for line, depth, text in out.headings if depth == 1]
    if len(tops) != 1 or tops[0][0] != 1:
        out.problem(tops[1][0] if len(tops) > 1 else 1, "one title, `# Lab N: ...`, on the first line")
    head = "\n".join(out.lines[: titles[0][0] if titles else 0])
    for word in ("Time:", "Worth:"):
        if word not in head:
            out.problem(1, f"no `{word}` between the title and the first section")
    names = [text for _, text in titles]
    for name in (*FIRST, *LAST):
        if names.count(name) != 1 and not (name in OPTIONAL and name not in names):
            out.problem(1, f"section `## {name}` is there {names.count(name)} times, not once")
    have = [n for n in names if n in FIRST + LAST]
    want = [n for n in (*FIRST, *LAST) if n in have]
    for (line, _), a, b in zip([t for t in titles if t[1] in FIRST + LAST], have, want):
        if a != b:
            out.problem(line, f"section `## {a}` stands where `## {b}` should")
            break
    middle = names[len(FIRST) : len(names) - len([n for n in LAST if n in names])]
    if any(n in FIRST + LAST for n in middle) and have == want:
        out.problem(1, "the units' sections stand between `## The idea` and `## When it goes wrong`")
    for file, text in todo_sections(out.path.parent):
        if text not in middle:
            out.problem(1, f"no section `## {text}`, which {file} names")


def todo_sections(lab: Path) -> list[tuple[str, str]]:
    """(file, section) of each stub of a lab."""
    found = []
    for path in sorted(lab.glob("*.c")):
        for text in dict.fromkeys(re.findall(r'lab_todo\(\d+, __func__, "([^"]*)"\)', path.read_text())):
            found.append((path.name, text))
    return found


def slug(heading: str) -> str:
    """The anchor that a heading gets."""
    text = re.sub(r"[`*]|\]\([^)]*\)", "", heading).lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def _link(out: Handout, target: str) -> str | None:
    if re.match(r"(https?|mailto):", target):
        return None
    name, _, anchor = target.partition("#")
    path = (out.path.parent / name) if name else out.path
    if not path.exists():
        return f"link to {name}, which is not there"
    if not anchor:
        return None
    text = path.read_text(errors="replace") if path.is_file() else ""
    if path.suffix == ".md":
        anchors = {slug(h) for h in re.findall(r"^#+ (.*)$", text, re.M)}
        return None if anchor in anchors else f"link to {target}: no such heading there"
    return None if re.search(rf"\b{re.escape(anchor)}\b", text) else f"link to {target}: {anchor} does not occur there"


# Messages are looked for in what is between quotes, with every value that is filled in made `…`.
_STRING = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
_PRINTF = re.compile(r"%[-+ #0]*(?:\*|\d+)?(?:\.\d+)?(?:hh|h|ll|l|z)?[diouxXcsp]|\{[^{}]*\}|\$\([^)]*\)")
_HAVE_WANT = re.compile(r": have …, want …$")


def _sources(lab: Path) -> list[Path]:
    root = host.ROOT
    found = [root / "Makefile", *lab.glob("*.[ch]"), *(root / "src" / "tools").glob("**/*.py"), *(root / "src").glob("*.mk")]
    for folder in ("check", "kern", "hat", "vm", "monitor", "x86", "amd64", "i386", "boot"):
        found += (root / "src" / folder).glob("*.[chS]")
    for unit in lab.glob("*.c"):
        found += (root / "solutions" / lab.name).glob(unit.name)
    return [p for p in found if p.is_file()]


def printed(lab: Path) -> str:
    """Everything that checks, kernel and tools can say, one text a line."""
    said = []
    for path in _sources(lab):
        text = re.sub(r'"\s*\n?\s*f?"', "", path.read_text(errors="replace")) if path.suffix != ".mk" else path.read_text()
        strings = _STRING.findall(text) if path.suffix in (".c", ".h", ".S", ".py") else text.splitlines()
        said += [_PRINTF.sub(ANY, s).replace("%%", "%").replace('\\"', '"').replace("\\n", " ") for s in strings]
    return "\n".join(said)


def is_printed(message: str, said: str) -> bool:
    """Does any text contain the message, `…` standing for a value? Or two texts: a subject, and what is said of `…: `?"""
    message = _HAVE_WANT.sub("", message)
    what, colon, rest = message.partition(": ")
    return _occurs(message, said) or bool(colon and _occurs(what, said) and _occurs(f"{ANY}: {rest}", said))


def _occurs(message: str, said: str) -> bool:
    parts = [re.escape(p) for p in message.split(ANY)]
    if message.startswith(ANY + ": "):
        parts = [ANY + parts[1], *parts[2:]]
    return bool(re.search("[^\n]*?".join(parts), said)) and any(re.search(r"\w{3}", p) for p in parts)


def _messages(out: Handout) -> None:
    """The first column of the table under "When it goes wrong", between backquotes."""
    inside, said = False, None
    for number, line in out.prose:
        if line.startswith("## "):
            inside = line[3:].strip() == LAST[0]
        cell = re.match(r"\|\s*`([^`]+)`", line) if inside else None
        if cell is None:
            continue
        said = printed(out.path.parent) if said is None else said
        if not is_printed(cell[1], said):
            out.problem(number, f"nothing ever says `{cell[1]}`")


# ------------------------------------------------------------------------------------------------------- matching


_HEX = re.compile(r"0x[0-9a-f]+")
_FRAME = 0x000F_FFFF_FFFF_F000


class Moves(dict):
    """Page frames that a handout names and that are others today: name -> today's, or None as long as it has not been seen."""

    def of(self, word: str) -> int | None:
        """The frame in a hexadecimal word, if it is one of these."""
        frame = (int(word, 16) & _FRAME) >> 12
        return frame if frame in self else None

    def bind(self, want: str, have: str) -> bool:
        """Can one word stand for the other? Bits beside the frame are equal, and a frame is the same one everywhere."""
        frame, today = self.of(want), (int(have, 16) & _FRAME) >> 12
        if (int(want, 16) ^ int(have, 16)) & ~_FRAME or self[frame] not in (None, today):
            return False
        self[frame] = today
        return True

    def today(self, text: str) -> str:
        """A command, with the frames as they are today."""
        def one(found: re.Match[str]) -> str:
            frame = self.of(found[0])
            if frame is None:
                return found[0]
            if self[frame] is None:
                raise HostError(f"frame 0x{frame:x} moves, and no output has shown it yet")
            return hex(int(found[0], 16) & ~_FRAME | self[frame] << 12)

        return _HEX.sub(one, text)


def matches(want: str, have: str, moves: Moves | None = None) -> bool:
    """One line against one line."""
    want, have = want.rstrip(), have.rstrip()
    moving = [w for w in _HEX.findall(want) if moves and moves.of(w) is not None]
    if ANY not in want and not moving:
        return want == have
    pattern = ".*".join(map(re.escape, want.split(ANY)))
    for word in dict.fromkeys(moving):
        pattern = re.sub(rf"{word}(?![0-9a-f])", "(0x[0-9a-f]+)", pattern)
    found = re.fullmatch(pattern, have)
    return found is not None and all(moves.bind(w, h) for w, h in zip(moving, found.groups()))


def _segments(want: list[str]) -> list[tuple[int, list[str]]]:
    """The stretches between `...` lines: (index of the first line, lines)."""
    out, start = [], 0
    for index in [*[i for i, line in enumerate(want) if line.strip() == SKIP], len(want)]:
        out.append((start, want[start:index]))
        start = index + 1
    return out


def mismatch(want: list[str], have: list[str], moves: Moves | None = None) -> tuple[int, str | None] | None:
    """None when they agree; else the index of the first line of `want` that is not there, and what stands nearest."""
    moves = Moves() if moves is None else moves
    segments = _segments(want)
    at = 0
    for number, (start, lines) in enumerate(segments):
        anchored, last = number == 0, number == len(segments) - 1
        if last and not anchored and lines:
            # behind `...` the end is the end
            places = [len(have) - len(lines)] if len(have) - len(lines) >= at else []
        else:
            places = [at] if anchored else range(at, len(have) + 1)
        best, best_at = -1, at
        for place in places:
            count, trial = 0, Moves(moves)
            while count < len(lines) and place + count < len(have) and matches(lines[count], have[place + count], trial):
                count += 1
            if count > best:
                best, best_at = count, place
            if count == len(lines):
                moves.update(trial)
                break
        if best < len(lines):
            missing = start + max(best, 0)
            rest = have[best_at + max(best, 0) :] if best > 0 or anchored else have[at:]
            near = rest[0] if rest and (anchored or best > 0) else _nearest(want[missing], rest)
            return missing, near
        at = best_at + len(lines)
        if anchored and last and at < len(have):
            return len(want), have[at]
    return None


def _nearest(want: str, have: list[str]) -> str | None:
    close = difflib.get_close_matches(want, have, 1, 0.3)
    return close[0] if close else None


def refreshed(want: list[str], have: list[str], moves: Moves | None = None) -> list[str]:
    """`want` brought up to date: lines that still match are kept with their wildcards, the others become what was printed."""
    if [line.strip() for line in want] == [ASK]:
        return list(have)
    if mismatch(want, have, moves) is None:
        return want
    out, at = [], 0
    segments = _segments(want)
    for number, (_, lines) in enumerate(segments):
        if number:
            out.append(SKIP)
        places = [at] if number == 0 else list(range(at, max(at, len(have) - len(lines)) + 1))
        if number and number == len(segments) - 1 and lines:
            places = [max(at, len(have) - len(lines))]
        place = max(places, key=lambda p: sum(_likeness(w, h) for w, h in zip(lines, have[p : p + len(lines)])))
        found = have[place:] if number == 0 and len(segments) == 1 else have[place : place + len(lines)]
        out += [w if w is not None and matches(w, h) else h for w, h in zip([*lines, *[None] * len(found)], found)]
        at = place + len(found)
    return out


def _likeness(a: str, b: str) -> float:
    return 2.0 if matches(a, b) else difflib.SequenceMatcher(None, a, b).ratio()


# --------------------------------------------------------------------------------------------------------- running


def scratch_copy(to: Path, images: bool = True) -> None:
    """The tree without its history, and what is built of it (times kept: nothing is built again for nothing)."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=host.ROOT, capture_output=True, text=True)
    if listed.returncode == 0:
        for name in listed.stdout.splitlines():
            source = host.ROOT / name
            if source.is_file():
                (to / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, to / name, follow_symlinks=False)
    else:
        shutil.copytree(host.ROOT, to, dirs_exist_ok=True, symlinks=True, ignore=shutil.ignore_patterns("build", ".git"))
    (to / "build").mkdir(exist_ok=True)
    for path in sorted(host.BUILD.glob("*")) if images else []:
        if path.is_dir() and re.fullmatch(r"(amd64|i386)(-tests|-lab\d|-graded)?", path.name):
            with host.held(host.BUILD / ".lock"), host.held(path / "lock"):  # nobody builds there meanwhile
                shutil.copytree(path, to / "build" / path.name, dirs_exist_ok=True)
    for name in (".setup-ok", "bochs-help.json"):
        if (host.BUILD / name).exists():
            shutil.copy2(host.BUILD / name, to / "build" / name)


def reader_environment() -> dict[str, str]:
    """Nothing that whoever checks handouts has set."""
    env = {k: v for k, v in lab.clean_environment().items() if k not in ("HATLAB_SEED", "DISPLAY")}
    env.update(LC_ALL="C.UTF-8", TERM="dumb")
    return env


def shell(command: str, cwd: Path, unseen: Path = Path("/dev/null")) -> tuple[int, str]:
    """Run a command as a reader types it; its exit code and what it printed. What it throws away goes to `unseen`."""
    env = dict(reader_environment(), COLUMNS="130", UNSEEN=str(unseen))
    process = subprocess.Popen(["bash", "-c", command.replace("2>/dev/null", '2>"$UNSEEN"')], cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True)
    try:
        text, _ = process.communicate(timeout=COMMAND_SECONDS)
        return process.returncode, text
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return 124, process.communicate()[0] + f"\n(not over after {COMMAND_SECONDS} s)"


class Session:
    """`make debug` in a terminal, as a reader types it."""

    def __init__(self, opener: Command, moves: str, tree: Path) -> None:
        self.moves = Moves({int(word, 16): None for word in moves.split(",") if word})
        self.screen = Screen(tree, environment=reader_environment())
        self.seen = 0  # lines that have been dealt with
        try:
            self._wait(SHELL, "the shell's prompt", STOP_SECONDS)
            self.opening = self._answer(opener.text, COMMAND_SECONDS)
        except BaseException:
            self.screen.close()
            raise

    def _wait(self, prompt: str, what: str, seconds: float) -> list[str]:
        """What has come up to a prompt; the session may have ended instead."""
        def there(lines: list[str]) -> bool:
            return len(lines) > self.seen and lines[-1] in (prompt, SHELL)

        lines = self.screen.until(there, what, seconds)
        new, self.seen = lines[self.seen : -1], len(lines)
        if lines[-1] != prompt:
            raise HostError(f"the session has ended: {' / '.join(line for line in new[-3:] if line)}")
        return new

    def _answer(self, line: str, seconds: float) -> list[str]:
        self.screen.type(line)
        new = self._wait(PROMPT["bochs"].strip(), f"an answer to {line}", seconds)
        while new and not new[0]:
            new = new[1:]
        return new

    def ask(self, command: str) -> list[str]:
        return self._answer(self.moves.today(command), STOP_SECONDS)

    def close(self) -> None:
        """By `q`, as a reader does."""
        try:
            self.screen.type("q")
            self._wait(SHELL, "the end", STOP_SECONDS)
        finally:
            self.screen.close()


class Player:
    """Runs the blocks of one handout, in order, and tells or mends what differs."""

    def __init__(self, out: Handout, update: bool = False, say=lambda text: None) -> None:
        self.out, self.update, self.say = out, update, say
        self.changes: list[tuple[Command, list[str]]] = []
        self.session: Session | None = None
        self.tree: Path | None = None

    def play(self) -> None:
        with tempfile.TemporaryDirectory(prefix="hatlab-handout-") as folder:
            try:
                for block in self.out.blocks:
                    self._block(block, Path(folder))
                self._end_session()
            except HostError as error:
                self.out.problem(len(self.out.lines), str(error))
            finally:
                if self.session:
                    self.session.screen.close()
        if self.update:
            self._write()

    def _end_session(self) -> None:
        session, self.session = self.session, None
        if session:
            session.close()

    def _scratch(self, folder: Path) -> Path:
        if self.tree is None:
            self.tree = folder / "hatlab"
            self.tree.mkdir()
            scratch_copy(self.tree)
        return self.tree

    def _block(self, block: Block, folder: Path) -> None:
        if block.tag == "console":
            self._console(block, self._scratch(folder))
        elif block.tag == "bochs":
            self._bochs(block, folder)
        elif block.words.get("file"):
            path = self._scratch(folder) / block.words["file"]
            if not path.exists():
                self.out.problem(block.line, f"there is no {block.words['file']} to write to")
            else:
                path.write_text("\n".join(block.body) + "\n")

    def _console(self, block: Block, tree: Path) -> None:
        for command in block.commands:
            self.say(f"{self.out.name}:{command.line}: $ {command.text}")
            unseen = tree.parent / "unseen"
            unseen.write_text("")
            code, text = shell(command.text, tree, unseen)
            have = text.rstrip("\n").split("\n") if text.strip() else []
            want_code = int(block.words.get("exit", 0))
            if code != want_code:
                last = "; ".join((have + unseen.read_text(errors="replace").splitlines()[-5:])[-8:])
                self.out.problem(command.line, f"`{command.text}` ends with {code}, not {want_code}: {last}")
            elif command.output:
                self._compare(command, have)

    def _bochs(self, block: Block, folder: Path) -> None:
        try:
            if "continue" not in block.words:
                self._end_session()
                self.say(f"{self.out.name}:{block.opener.line}: $ {block.opener.text}")
                self.session = Session(block.opener, block.words.get("moves", ""), self._scratch(folder))
                if block.opener.output:
                    self._compare(block.opener, self.session.opening, self.session.moves)
            if self.session is None:
                raise HostError("there is no session to continue")
            for command in block.commands:
                self.say(f"{self.out.name}:{command.line}: <bochs> {command.text}")
                have = self.session.ask(command.text)
                if command.output:
                    self._compare(command, have, self.session.moves)
        except HostError as error:
            self.out.problem(block.line, str(error))

    def _compare(self, command: Command, have: list[str], moves: Moves | None = None) -> None:
        have = [line.rstrip() for line in have]
        if self.update:
            self.changes.append((command, refreshed(command.output, have, moves)))
            return
        found = mismatch(command.output, have, moves)
        if found is None:
            return
        index, near = found
        want = command.output[index] if index < len(command.output) else "(no more lines)"
        shown = "(nothing)" if near is None else near
        self.out.problem(command.output_line + index, f"`{command.text}` prints something else\n  have {shown}\n  want {want}")

    def _write(self) -> None:
        lines = list(self.out.lines)
        for command, new in reversed(self.changes):
            lines[command.output_line - 1 : command.output_line - 1 + len(command.output)] = new
        self.out.path.write_text("\n".join(lines) + "\n")


def handouts() -> list[Path]:
    """All there are."""
    return sorted((host.ROOT / "labs").glob("*/handout.md"))
