# SPDX-License-Identifier: ISC
"""Mutants of a unit: its text changed in one place at a time, and all of them as one C file of which one is chosen at run time.

Our own tokenizer knows just enough C for the solutions.  What a mutant is called does not depend on lines:
(unit, function, what was there with its statement, which of several equal ones, what stands there now).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

TOKEN = re.compile(r"""
    (?P<space>\s+|//[^\n]*|/\*.*?\*/|^[ \t]*\#(?:[^\n\\]|\\.|\\\n)*)
  | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
  | (?P<number>\d[\w.]*)
  | (?P<name>[A-Za-z_]\w*)
  | (?P<sign><<=|>>=|\.\.\.|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|.)
""", re.S | re.M | re.X)
TYPES = {"void", "char", "int", "long", "short", "unsigned", "signed", "bool", "const", "volatile", "static", "inline", "struct", "enum",
         "union", "COLD", "NOINLINE", "FLATTEN", "INLINE", "ALWAYS_INLINE", "NORETURN"}
WORDS = {"if", "else", "while", "for", "do", "switch", "case", "default", "return", "break", "continue", "goto", "sizeof"}
LEFT_ALONE = re.compile(r"ASSERT|HATSTAT_\w+|check_\w+|HAT_STAT\w*|__builtin_expect")
MESSAGES = {"panic", "HAT_MISUSE", "printf"}  # what they say, in which order, is for people
OTHERS = {
    "<": ("<=", ">="), ">": (">=", "<="), "<=": ("<", ">"), ">=": (">", "<"), "==": ("!=",), "!=": ("==",),
    "+": ("-",), "-": ("+",), "*": ("+",), "/": ("*",), "%": ("/",), "<<": (">>",), ">>": ("<<",),
    "&": ("|",), "|": ("&",), "^": ("|",), "&&": ("||",), "||": ("&&",),
    "+=": ("-=",), "-=": ("+=",), "|=": ("&=",), "&=": ("|=",), "++": ("--",), "--": ("++",),
}
TAKES, GIVES = {"mutex_enter", "x86_hm_enter", "kpreempt_disable"}, {"mutex_exit", "x86_hm_exit", "kpreempt_enable"}
KINDS = (("lock", r"\b(mutex_(enter|exit|tryenter)|kpreempt_\w+|x86_hm_\w+|cv_\w+)\b"), ("flush", r"\b(hat_tlb_inval|tlb_\w+|invlpg|write_cr[34])\b"),
         ("hold", r"\b(htable_acquire|htable_release|ht_busy)\b"), ("count", r"\b\w*(_cnt|_count|count)\b|\batomic_\w+|\+\+|--|[-+]="))


@dataclass(frozen=True)
class Token:
    kind: str
    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Mutant:
    """One change."""

    unit: str
    function: str
    start: int
    end: int
    new: str
    what: str     # operator, constant, statement, lock, flush, hold, count, arguments, condition, level, result
    key: str      # for the file of equivalents: stable when lines move

    def apply(self, text: str) -> str:
        return text[: self.start] + self.new + text[self.end :]


def tokens(text: str) -> list[Token]:
    return [Token(m.lastgroup, m[0], m.start(), m.end()) for m in TOKEN.finditer(text) if m.lastgroup != "space"]


class Unit:
    """The text of a unit, taken apart."""

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, path.stem
        self.text = path.read_text()
        self.tokens = tokens(self.text)
        self.partner = self._partners()
        self.functions = self._top()

    def _partners(self) -> dict[int, int]:
        """Of each bracket, the other one."""
        found, waiting = {}, []
        for i, t in enumerate(self.tokens):
            if t.text in "([{" and t.kind == "sign":
                waiting.append(i)
            elif t.text in ")]}" and t.kind == "sign":
                j = waiting.pop()
                found[i], found[j] = j, i
        return found

    def _top(self) -> list[tuple[str, int, int, int]]:
        """[(function, first token, its body's brackets)]"""
        functions, i, first = [], 0, 0
        while i < len(self.tokens):
            t = self.tokens[i].text
            if t == "(":
                i = self.partner[i]
            elif t == "{" and self.tokens[i - 1].text == ")":
                functions.append((self.tokens[self.partner[i - 1] - 1].text, first, i, self.partner[i]))
                i = self.partner[i]
                first = i + 1
            elif t == "{":
                i = self.partner[i]
            elif t == ";":
                first = i + 1
            i += 1
        return functions

    # the changes

    @cached_property
    def mutants(self) -> list[Mutant]:
        found: dict[tuple, Mutant] = {}
        seen: dict[tuple, int] = {}
        for function, _, opening, closing in self.functions:
            skipped = self._skipped(opening, closing)
            for a, b, new, what in self._changes(function, opening, closing, skipped):
                start, end = self.tokens[a].start, self.tokens[b].end
                if (start, end, new) in found:
                    continue
                context = " ".join(t.text for t in self.tokens[self._statement(a, opening) : self._end(b, closing) + 1])
                was = " ".join(t.text for t in self.tokens[a : b + 1])
                name = (function, context[:160], was[:100], re.sub(r"\s+", " ", new)[:100])
                seen[name] = seen.get(name, 0) + 1
                key = " | ".join((self.name, *name, str(seen[name])))
                found[start, end, new] = Mutant(self.name, function, start, end, new, what, key)
        return list(found.values())

    def _skipped(self, opening: int, closing: int) -> set[int]:
        """Assertions, statistics."""
        skipped = set()
        for i in range(opening, closing):
            if self.tokens[i].kind == "name" and LEFT_ALONE.fullmatch(self.tokens[i].text) and self.tokens[i + 1].text == "(":
                skipped.update(range(i, self.partner[i + 1] + 2))
        return skipped

    def _statement(self, i: int, opening: int) -> int:
        while i > opening + 1 and self.tokens[i - 1].text not in "{};":
            i -= 1
        return i

    def _end(self, i: int, closing: int) -> int:
        while i < closing and self.tokens[i].text not in "{};":
            i += 1
        return min(i, closing)

    def _changes(self, function, opening, closing, skipped):
        for i in range(opening + 1, closing):
            if i in skipped:
                continue
            t, before, after = self.tokens[i], self.tokens[i - 1], self.tokens[i + 1]
            if t.kind == "sign":
                yield from self._sign(i, t, before, after)
            elif t.kind == "number":
                yield from self._number(i, t)
            elif t.kind == "name":
                yield from self._name(i, t, before, after, function)
        yield from self._statements(opening, closing, skipped)
        yield from self._forgotten(opening, closing, skipped)

    def _is_type(self, i: int) -> bool:
        t = self.tokens[i]
        return t.kind == "name" and (t.text in TYPES or t.text.endswith("_t") or self.tokens[i - 1].text in ("struct", "enum", "union"))

    def _binary(self, i: int) -> bool:
        """Is the sign here between two values?"""
        before = self.tokens[i - 1]
        if before.kind == "number" or before.text == "]":
            return True
        if before.text == ")":
            return not self._is_type(self.partner[i - 1] + 1) and self.tokens[self.partner[i - 1] - 1].text not in ("if", "while", "for")
        return before.kind == "name" and before.text not in WORDS and not self._is_type(i - 1)

    def _sign(self, i, t, before, after):
        if t.text in ("++", "--"):
            yield i, i, OTHERS[t.text][0], "count"
        elif t.text in ("!", "~") and after.text != "(":
            yield i, i, "", "operator"
        elif t.text in ("!", "~"):
            yield i, i, " ", "operator"
        elif t.text in OTHERS and self._binary(i):
            for new in OTHERS[t.text]:
                yield i, i, new, "operator"

    def _number(self, i, t):
        match = re.fullmatch(r"(0x[0-9a-fA-F]+|\d+)([uUlL]*)", t.text)
        if match is None or (self.tokens[i - 1].text == "[" and self._is_type(i - 3)):
            return
        value = int(match[1], 0)
        yield i, i, f"{value + 1}{match[2]}", "constant"
        if value > 0:
            yield i, i, f"{value - 1}{match[2]}", "constant"

    def _name(self, i, t, before, after, function):
        if t.text in ("true", "false"):
            yield i, i, "false" if t.text == "true" else "true", "constant"
        elif t.text in ("if", "while") and after.text == "(":
            close = self.partner[i + 1]
            text = self.text[self.tokens[i + 2].start : self.tokens[close - 1].end]
            if not self._turned_elsewhere(i + 2, close):
                yield i + 2, close - 1, f"!({text})", "condition"
            if t.text == "if":
                yield i + 2, close - 1, f"({text}) || 1", "condition"
            yield i + 2, close - 1, f"({text}) && 0", "condition"
        elif t.text == "return" and after.text != ";":
            end = self._end(i, len(self.tokens) - 1)
            text = self.text[after.start : self.tokens[end - 1].end]
            if text.strip("()") in ("true", "false"):
                pass
            elif self._returns_bool(function):
                yield i + 1, end - 1, f"(!{text})", "result"
            elif text.strip("()") not in ("0", "NULL", "false"):
                yield i + 1, end - 1, "(0)", "result"
        elif re.search(r"(^l$|level$)", t.text) and after.text not in ("=", "++", "--", "+=", "-=", "(") and not self._is_type(i - 1) \
                and before.text not in ("++", "--", "*", "&", "struct") and after.text not in ("->", "."):
            first = i
            while self.tokens[first - 1].text in ("->", "."):
                first -= 2
            if self.tokens[first - 1].text not in ("&", "++", "--") and self.tokens[first].kind == "name":
                text = self.text[self.tokens[first].start : t.end]
                yield first, i, f"({text} + 1)", "level"
                yield first, i, f"({text} - 1)", "level"
        elif after.text == "(" and t.text not in WORDS and t.text not in MESSAGES and before.kind != "name":
            yield from self._arguments(i + 1)

    def _turned_elsewhere(self, first: int, close: int) -> bool:
        """A condition whose one sign is turned round anyway."""
        part = [t.text for t in self.tokens[first:close]]
        if part[0] == "!":
            return "&&" not in part and "||" not in part
        return ("==" in part or "!=" in part) and not any(s in part for s in ("&&", "||", "("))

    def _returns_bool(self, function: str) -> bool:
        first, opening = next((f[1], f[2]) for f in self.functions if f[0] == function)
        return any(t.text == "bool" for t in self.tokens[first : self.partner[opening - 1]])

    def _arguments(self, opening):
        parts, first, i = [], opening + 1, opening + 1
        while i < self.partner[opening]:
            if self.tokens[i].text in ("(", "[", "{"):
                i = self.partner[i]
            elif self.tokens[i].text == ",":
                parts.append((first, i - 1))
                first = i + 1
            i += 1
        parts.append((first, self.partner[opening] - 1))
        for (a, b), (c, d) in zip(parts, parts[1:]):
            left, right = (self.text[self.tokens[x].start : self.tokens[y].end] for x, y in ((a, b), (c, d)))
            if left != right and b >= a and d >= c:
                yield a, d, f"{right}, {left}", "arguments"

    def _statements(self, opening, closing, skipped):
        """Each expression that is a statement, left out."""
        i = opening + 1
        while i < closing:
            t = self.tokens[i]
            starts = self.tokens[i - 1].text in ("{", "}", ";", "else", "do", ":") or self._after_head(i)
            inside = self._in_brackets(i, opening)
            if starts and not inside and i not in skipped and t.text not in ("{", "}", ";", "if", "for", "while", "do", "switch", "else"):
                end = self._statement_end(i, closing)
                text = self.text[t.start : self.tokens[end].end]
                if not self._declares(i) and not text.startswith("(void)") and t.text not in ("case", "default") and (t.text != "return" or self.tokens[i + 1].text == ";"):
                    yield i, end, ";", self._kind(text)
                i = end
            i += 1

    def _forgotten(self, opening, closing, skipped):
        """Of each lock that a function takes and gives back, all those calls left out: with one of them there would be complaints at once."""
        calls: dict[str, list[tuple[int, int]]] = {}
        for a, b, _, what in self._statements(opening, closing, skipped):
            if what == "lock" and self.tokens[a].text in TAKES | GIVES:
                calls.setdefault("".join(t.text for t in self.tokens[a + 1 : b]), []).append((a, b))
        for places in calls.values():
            names = {self.tokens[a].text for a, _ in places}
            if names & TAKES and names & GIVES:
                spans = [(self.tokens[a].start, self.tokens[b].end) for a, b in places]
                kept = [self.text[end:start] for (_, end), (start, _) in zip(spans, spans[1:])]
                yield places[0][0], places[-1][1], ";" + "".join(part + ";" for part in kept), "lock"

    def _statement_end(self, i, closing):
        while i < closing and self.tokens[i].text != ";":
            i = self.partner[i] if self.tokens[i].text in ("(", "[", "{") else i
            i += 1
        return i

    def _after_head(self, i):
        """Behind `if (...)` and its like."""
        return self.tokens[i - 1].text == ")" and self.tokens[self.partner[i - 1] - 1].text in ("if", "while", "for", "switch")

    def _in_brackets(self, i, opening):
        """Between round ones: the parts of a `for`."""
        return any(self.tokens[a].text == "(" and a < i < b for a, b in self.partner.items() if opening < a < b)

    def _declares(self, i):
        return self._is_type(i) or (self.tokens[i].kind == "name" and self.tokens[i].text in TYPES)

    @staticmethod
    def _kind(text):
        return next((kind for kind, pattern in KINDS if re.search(pattern, text)), "statement")

    # one file for all

    def _callers(self, function: str) -> set[str]:
        """The function, and whatever in this file calls it, directly or not."""
        uses = {f: {t.text for t in self.tokens[opening:closing]} for f, _, opening, closing in self.functions}
        found, more = {function}, {function}
        while more:
            more = {f for f, words in uses.items() if f not in found and words & found}
            found |= more
        return found

    def together(self, public: list[str], chosen: list[Mutant]) -> tuple[str, list[int]]:
        """The C file with copy 0 and the chosen ones, and the line at which each copy starts.

        Of a mutant there are its function and those that call it; the rest is shared.
        """
        names = [f[0] for f in self.functions]
        out = [f"/* Written by src/tools/mutants.py from {self.path.name}. */"]
        out += re.findall(r"^[ \t]*#[ \t]*include[^\n]*", self.text, flags=re.M)
        out += ["#include <host/mutants.h>", "#undef FLATTEN", "#define FLATTEN"]
        out += [f"static __typeof__({name}) {name}__m0;" for name in public]
        starts, lines = [], sum(part.count("\n") + 1 for part in out)
        has = [set(names), *(self._callers(m.function) for m in chosen)]
        for k, mutant in enumerate([None, *chosen]):
            starts.append(lines + 1)
            mine = has[k]
            part = [f"static __typeof__({name}__m0) {name}__m{k};" for name in names if k and name in mine]
            part += [f"#define {name} {name}__m{k if name in mine else 0}" for name in names]
            part.append(self._copy(mutant, mine if k else None))
            part += [f"#undef {name}" for name in names]
            lines += sum(text.count("\n") + 1 for text in part)
            out += part
        starts.append(lines + 1)
        for name in public:
            table = ", ".join(f"(void *){name}__m{k if name in mine else 0}" for k, mine in enumerate(has))
            out.append(f"MUTANT_FUNCTION({name}, {table})")
        out.append(f'MUTANT_UNIT("{self.name}", {len(chosen)})')
        return "\n".join(out) + "\n", starts

    def _copy(self, mutant: Mutant | None, wanted: set[str] | None) -> str:
        """The functions wanted, or (None) the whole file without its includes; each function static."""
        edits = [(self.tokens[first].start, self.tokens[first].start, "static ") for _, first, opening, _ in self.functions
                 if not any(t.text == "static" for t in self.tokens[first:opening])]
        if mutant:
            edits.append((mutant.start, mutant.end, mutant.new))
        if wanted is None:
            text = self._edited(0, len(self.text), edits)
            return re.sub(r"^[ \t]*#[ \t]*include[^\n]*", "", text, flags=re.M)
        return "\n".join(self._edited(self.tokens[first].start, self.tokens[closing].end, edits)
                         for name, first, _, closing in self.functions if name in wanted)

    def _edited(self, start: int, end: int, edits: list[tuple[int, int, str]]) -> str:
        text = self.text[start:end]
        for a, b, new in sorted(edits, reverse=True):
            if start <= a and b <= end:
                text = text[: a - start] + new + text[b - start :]
        return text


def digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]
