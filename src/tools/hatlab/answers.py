# SPDX-License-Identifier: ISC
"""answers.txt: reading it, judging it, filling it in (docs/answers.md).

    for question, points, maximum, reason in grade(3, "amd64", Path("labs/lab3-building"), "jdoe"): ...

A reason tells what kind of mistake was made where that can be seen, never the right value.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

from . import facts, host, questions
from .questions import Question, Sheet

FILE = "answers.txt"
SIZE_MAX = 64 << 10
WIDTH = 100
INDENT = "    "
SOLVER = "solution"  # the id that the files in solutions/ are filled in for
_KEY = re.compile(r"([A-Za-z][A-Za-z0-9]{0,15}(?:\.(?:i386|amd64))?):(?:[ \t]+(.*))?$")
_SHOWN = 40  # characters of an answer that are repeated


@dataclass
class Answers:
    """A file, read. Problems are lines that cannot be understood; they cost nothing by themselves."""

    values: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def written(self) -> dict[str, str]:
        """The answers in words, for a person to read."""
        return {key: text for key, text in self.values.items() if re.fullmatch(r"w\d+", key)}


def parse(text: str, name: str = FILE) -> Answers:
    """`key: value` lines; indented lines go on with the value above; `#` begins a comment line."""
    out = Answers()
    key = None
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            if key:
                out.values[key] += "\n"
        elif line.startswith("#"):
            key = None
        elif line[0] in " \t":
            if key is None:
                out.problems.append(f"{name}:{number}: an indented line goes on with an answer, and there is none above it")
            else:
                out.values[key] += "\n" + line.strip()
        else:
            found = _KEY.match(line.rstrip())
            key = found[1] if found else None
            if found is None:
                out.problems.append(f"{name}:{number}: expected `key: value`")
            elif key in out.values:
                out.problems.append(f"{name}:{number}: {key} is answered twice; the first one counts")
                key = None
            else:
                out.values[key] = (found[2] or "").strip()
    out.values = {k: v.strip() for k, v in out.values.items()}
    return out


def read(folder: Path) -> Answers:
    """The answers of a lab's folder; none at all where the file is missing, too large or no text."""
    path = folder / FILE
    try:
        data = path.read_bytes()[: SIZE_MAX + 1]
    except OSError:
        return Answers(problems=[f"{FILE} is missing"])
    if len(data) > SIZE_MAX:
        return Answers(problems=[f"{FILE} is longer than {SIZE_MAX >> 10} KiB"])
    return parse(data.decode("utf-8", "replace"))


# --------------------------------------------------------------------------------------------- one answer


class Unreadable(Exception):
    """The answer has not the form that the question wants."""


def _number(word: str) -> int:
    if not re.fullmatch(r"0[xX][0-9a-fA-F_]{1,20}|\d{1,20}", word):
        raise Unreadable(f"`{word[:_SHOWN]}` is no number: write 31 or 0x1f")
    return int(word.replace("_", ""), 0 if word[:2] in ("0x", "0X") else 10)


def _split(text: str) -> list[str]:
    return [w for w in re.split(r"[\s,;]+", text) if w]


def value_of(kind: str, text: str) -> object:
    """What an answer says."""
    words = _split(text)
    if kind in ("number", "bits"):
        if len(words) != 1:
            raise Unreadable(f"one number is wanted, not {len(words)} words")
        return _number(words[0])
    if kind == "numbers":
        return [_number(w) for w in words]
    if kind == "letters":
        if text.strip().lower() in ("none", "-"):
            return ""
        letters = "".join(words).upper()
        if not re.fullmatch(r"[A-Z]+", letters) or len(letters) > 26:
            raise Unreadable("letters are wanted, as in `A C`, or `none`")
        return "".join(sorted(set(letters)))
    return [w.lower() for w in words]


def shown(kind: str, value: object) -> str:
    """The truth, as solutions/ has it."""
    if kind == "bits":
        return f"0x{value:x}"
    if kind == "number":
        return f"0x{value:x}" if value >= 0x10000 else str(value)
    if kind == "numbers":
        return " ".join(shown("number", v) for v in value)
    return (" ".join(value) if value else "none") if kind == "letters" else " ".join(value)


def judge(question: Question, text: str, seen: facts.Facts) -> str | None:
    """None: right. Else why not."""
    if not text:
        return "not answered"
    try:
        have = value_of(question.kind, text)
    except Unreadable as error:
        return str(error)
    want = question.truth(seen)
    if question.kind == "words":
        want = [w.lower() for w in want]
    if have == want:
        return None
    key = tuple(have) if isinstance(have, list) else have
    if hint := question.hints(seen).get(key):
        return hint
    return _difference(question.kind, have, want)


def _difference(kind: str, have, want) -> str:
    if kind in ("numbers", "words"):
        if len(have) != len(want):
            return f"{len(want)} {'numbers' if kind == 'numbers' else 'words'} are wanted, here are {len(have)}"
        wrong = [str(n) for n, (h, w) in enumerate(zip(have, want), 1) if h != w]
        return f"wrong at place {', '.join(wrong)}" if len(wrong) < len(want) else "wrong at each place"
    if kind == "letters":
        more, less = len(set(have) - set(want)), len(set(want) - set(have))
        return " and ".join(f"{n} {what}" for n, what in ((more, "too many"), (less, "missing")) if n)
    if kind == "bits":
        if have & ~questions.BITS and not want & ~questions.BITS:
            return "the frame number is in it: put zeroes there"
        if have >> 63 != want >> 63:
            return "wrong; look at the highest bit as well"
        return "wrong: take the entry apart bit by bit"
    if want > 4096 and want % 4096 == 0 and have % 4096:
        return "not a multiple of 4096"
    if want < 512 <= have:
        return "much too large: nothing is counted in such numbers here"
    return "wrong" if kind != "number" else "too large" if have > want else "too small"


# ------------------------------------------------------------------------------------------------- a sheet


def grade(lab: int, flavor: str, folder: Path, student: str, image: Path | None = None) -> list[tuple[str, int, int, str]]:
    """(question, points, maximum, reason) for each measured question of one kernel; reason is empty when it is right.

    `folder` is the lab's, or the one that it is in. What solutions/ has is the answers of one id, whoever asks.
    `image` is the folder of the reference kernel, the plain image if not given.
    """
    if not (folder / FILE).exists():
        folder = next(folder.glob(f"lab{lab}-*"), folder)
    if folder.resolve().is_relative_to(host.ROOT / "solutions"):
        student = SOLVER
    sheet = questions.sheet(lab, flavor, student)
    answers = read(folder)
    given = {q.key: answers.values.get(f"{q.key}.{flavor}", "") for q in sheet.questions}
    missing = answers.problems[0] if answers.problems and not answers.values else "not answered"
    seen = facts.collect(flavor, sheet.args, sheet.names, sheet.cpus, image) if any(given.values()) else None
    out = []
    for question in sheet.questions:
        text = given[question.key]
        reason = judge(question, text, seen) if text else missing
        out.append((f"{question.key}.{flavor}", 0 if reason else question.points, question.points, reason or ""))
    return out


def asked(sheet: Sheet, question: Question, personal: bool = True) -> str:
    """A question's text, with what is personal in it or with names alone."""
    addresses = {k: f"{k} = 0x{v:x}" if personal else k for k, v in sheet.names.items()}
    return question.text.format(**addresses, **{k: v if personal else f"<{k}>" for k, v in sheet.words.items()})


def truths(sheet: Sheet) -> dict[str, str]:
    """The right answers of a sheet, as one writes them."""
    seen = facts.collect(sheet.flavor, sheet.args, sheet.names, sheet.cpus)
    return {f"{q.key}.{sheet.flavor}": shown(q.kind, q.truth(seen)) for q in sheet.questions}


WRITTEN_HEAD = "In your own words; a person reads these. Indent the lines of an answer. No points are given by the grader."


def template(lab: int, values: dict[str, str] | None = None) -> str:
    """An answers.txt: each question as a comment, with empty answers or, given some values, as solutions/ has it."""
    some = questions.sheet(lab, "i386", "anybody")
    out = [f"# Lab {lab}: answers. Your own addresses, and what <x> stands for: make questions LAB={lab}",
           "# How to write them: docs/answers.md", ""]
    for question in some.questions:
        out += _comment(f"{question.key} ({question.points} points on each kernel). {asked(some, question, False)}")
        for flavor in questions.MODES:
            out.append(f"{question.key}.{flavor}: {(values or {}).get(f'{question.key}.{flavor}', '')}".rstrip())
        out.append("")
    out += [*_comment(WRITTEN_HEAD), ""]
    for number, (question, answer) in enumerate(questions.WRITTEN[lab], 1):
        out += _comment(f"w{number}. {question}")
        out += [f"w{number}:", *(textwrap.wrap(answer, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT) if values else []), ""]
    return "\n".join(out).rstrip("\n") + "\n"


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="# ", subsequent_indent="#   ", break_on_hyphens=False)


def told(sheet: Sheet) -> str:
    """The questions of one student and kernel, for the terminal."""
    out = [f"Lab {sheet.lab}, {sheet.flavor}, for {sheet.id}", ""]
    out += [f"  {name} = 0x{va:x}" for name, va in sheet.names.items()]
    out += ["", *[line for note in sheet.notes for line in textwrap.wrap(note, WIDTH, initial_indent="  ", subsequent_indent="  ")]]
    out += ["  The scene, which stops at " + ", ".join(s[5:] for s in sheet.scene if s.startswith("stop:")) + ":", ""]
    out += [f"    make debug LAB=0 FLAVOR={sheet.flavor} ARGS=\"{sheet.args}\"", ""]
    for question in sheet.questions:
        text = f"{question.key}.{sheet.flavor} ({question.points} points). {asked(sheet, question)}"
        out += [*textwrap.wrap(text, WIDTH, subsequent_indent="    ", break_on_hyphens=False), ""]
    return "\n".join(out)


def lab_folder(root: Path, lab: int) -> Path:
    """labs/labN-name, or the same in solutions/."""
    found = sorted(root.glob(f"lab{lab}-*"))
    if not found:
        raise host.HostError(f"there is no lab {lab} in {root.name}/")
    return found[0]
