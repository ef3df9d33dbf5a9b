# SPDX-License-Identifier: ISC
"""The measured questions of each lab: what a student is asked, and what is true of the reference kernel (docs/answers.md).

A sheet belongs to a lab, a kernel and a student. It has named addresses drawn from the student's id, a scene for the kernel
(docs/scenes.md) that uses them, and questions whose truth is computed from what was seen at the scene's stops (facts.py).

Nothing may be asked that depends on a compiler or the size of the kernel: no frame numbers, no addresses of functions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from . import walk
from .facts import Facts

PAGE = 0x1000
MODES = {"i386": "pae", "amd64": "long"}
# The bits of an entry that are not its frame number.
BITS = ~0x000F_FFFF_FFFF_F000 & 0xFFFF_FFFF_FFFF_FFFF
LARGE_BITS = ~0x000F_FFFF_FFE0_0000 & 0xFFFF_FFFF_FFFF_FFFF
RIGHTS = ("r", "rw", "rx", "rwx")


class Draw:
    """Numbers that look random and are the same for the same text, on every machine and with every Python."""

    def __init__(self, text: str) -> None:
        self._text, self._count = text, 0

    def below(self, n: int) -> int:
        self._count += 1
        digest = hashlib.sha256(f"{self._text}\0{self._count}".encode()).digest()
        return int.from_bytes(digest[:8], "big") % n

    def pick(self, items: Sequence):
        return items[self.below(len(items))]

    def shuffled(self, items: Sequence) -> list:
        left, out = list(items), []
        while left:
            out.append(left.pop(self.below(len(left))))
        return out


@dataclass(frozen=True)
class Question:
    """One question. `kind` says how an answer is read (answers.py)."""

    key: str
    points: int
    kind: str  # number numbers bits letters words
    text: str  # {A} stands for the address called A, {x} for a word of the sheet
    truth: Callable[[Facts], object]
    # values that tell what kind of mistake was made: value -> what to say
    hints: Callable[[Facts], dict] = lambda facts: {}


@dataclass
class Sheet:
    """What one student is asked about one lab and kernel."""

    lab: int
    flavor: str
    id: str
    names: dict[str, int] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)  # what else in the questions is personal
    scene: list[str] = field(default_factory=list)
    cpus: int = 1
    notes: list[str] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)

    @property
    def geometry(self) -> walk.Geometry:
        return walk.GEOMETRY[MODES[self.flavor]]

    @property
    def args(self) -> str:
        return "scene=" + ",".join(self.scene) if self.scene else ""

    def step(self, word: str, *arguments: object) -> None:
        self.scene.append(":".join([word, *(hex(a) if isinstance(a, int) and a > 9 else str(a) for a in arguments)]))

    def ask(self, points: int, kind: str, text: str, truth, hints=lambda facts: {}) -> None:
        self.questions.append(Question(f"q{len(self.questions) + 1}", points, kind, " ".join(text.split()), truth, hints))


# ------------------------------------------------------------------------------------------------- drawing addresses


def _address(draw: Draw, flavor: str) -> int:
    """A user page somewhere in the lower half, in no table that the first 4 MiB or the stack use."""
    if flavor == "i386":
        slot, pde = draw.below(3), 2 + draw.below(500)
        return slot << 30 | pde << 21 | (1 + draw.below(510)) << 12
    return (1 + draw.below(200)) << 39 | (1 + draw.below(500)) << 30 | (1 + draw.below(500)) << 21 | (1 + draw.below(510)) << 12


def _replace(draw: Draw, va: int, flavor: str, level: int) -> int:
    """Another page that needs its own table at levels below `level`, and shares those from there on."""
    geometry = walk.GEOMETRY[MODES[flavor]]
    shape = geometry.levels[level]
    choices = 3 if (flavor, level) == ("i386", 2) else 200 if level == geometry.top else 500
    old = geometry.index(va, level)
    new = (old + 1 + draw.below(choices - 1)) % choices if level == geometry.top else 1 + (old + draw.below(497)) % 498
    if new == old:
        new += 1
    va = va & ~((shape.entries - 1) << shape.shift) | new << shape.shift
    for below in range(level):
        span = geometry.levels[below]
        va = va & ~((span.entries - 1) << span.shift) | (2 + draw.below(500)) << span.shift
    return va


def family(draw: Draw, flavor: str, count: int, lowest: int = 0) -> list[int]:
    """So many pages, in different relations to each other: in one table (unless `lowest` is 1), in neighbouring ones, far apart."""
    top = walk.GEOMETRY[MODES[flavor]].top
    found = [_address(draw, flavor)]
    levels = draw.shuffled([lowest + n % (top + 1 - lowest) for n in range(count - 1)])
    for level in levels:
        va = found[0]
        while any(abs(va - other) < 2 * PAGE for other in found):
            va = _replace(draw, draw.pick(found), flavor, level)
        found.append(va)
    return draw.shuffled(found)


def name(sheet: Sheet, addresses: Sequence[int], names: str = "ABCDEFGH") -> None:
    sheet.names.update(zip(names, addresses))


def large(draw: Draw, sheet: Sheet) -> int:
    """Where a large page can go: a table of level 1 that nothing else uses."""
    va = _replace(draw, sheet.names["A"], sheet.flavor, 2) & ~0x1F_FFFF
    while any(va >> 30 == other >> 30 for other in sheet.names.values()):
        va = _replace(draw, va, sheet.flavor, sheet.geometry.top) & ~0x1F_FFFF
        if sheet.flavor == "i386":
            va = (va & 0x3FE0_0000) | draw.below(3) << 30 | 0x20_0000
            break
    return va


# -------------------------------------------------------------------------------------------------- what many ask


def entry_at(stop: str, name: str, level: int = 0):
    """The entry that maps a named address, without its frame number."""
    return lambda facts: facts.entry(stop, name, level) & (BITS if level == 0 else LARGE_BITS)


def entry_hints(stop: str, name: str, level: int = 0):
    def hints(facts: Facts) -> dict:
        full = facts.entry(stop, name, level)
        out = {full: "the frame number is in it: put zeroes there"} if full else {}
        for where, index, entry in facts.path(stop, name):
            if where != level:
                out.setdefault(entry & BITS, f"that is the entry at level {where}")
        return out

    return hints


def rights_at(stop: str, name: str) -> Callable[[Facts], str]:
    def truth(facts: Facts) -> str:
        level = facts.path(stop, name)[-1][0]
        entry = facts.entry(stop, name, level)
        return "r" + ("w" if entry & walk.W else "-") + ("-" if entry & walk.NX else "x")

    return truth


def indices(geometry: walk.Geometry, va: int) -> list[int]:
    return [geometry.index(va, level) for level in range(geometry.top, -1, -1)]


def tables(facts: Facts, stop: str, space: int = 0) -> list[dict]:
    return facts.spaces(stop)[space]["tables"]


def table_keys(facts: Facts, stop: str, space: int = 0) -> set[tuple[int, int]]:
    return {(t["level"], t["lo"]) for t in tables(facts, stop, space)}


def table_over(facts: Facts, sheet: Sheet, stop: str, va: int, level: int, space: int = 0) -> dict:
    return next(t for t in tables(facts, stop, space) if t["level"] == level and t["lo"] <= va <= t["hi"])


def map_all(sheet: Sheet, rights: Sequence[str] | None = None, names: Sequence[str] | None = None) -> None:
    for at, letter in enumerate(names or sheet.names):
        sheet.step("map", sheet.names[letter], rights[at] if rights else "rw")


# --------------------------------------------------------------------------------------------------------- the labs


def lab0(s: Sheet, draw: Draw) -> None:
    """Bochs and the tables: 100 points."""
    name(s, family(draw, s.flavor, 3))
    s.names["L"] = large(draw, s)
    s.names["P"] = s.names["L"] + (1 + draw.below(510)) * PAGE + draw.below(PAGE // 16) * 16
    rights = draw.shuffled(RIGHTS)
    touch = draw.shuffled(["read", "write", None])
    s.step("skip", 1 + draw.below(9))
    for letter, right in zip("ABC", draw.shuffled(["rw", draw.pick(("rwx", "rw")), draw.pick(("rx", "r"))])):
        s.step("map", s.names[letter], right)
        how = touch.pop()
        if how and (how == "read" or "w" in right):
            s.step(how, s.names[letter])
    s.step("large", s.names["L"], rights[0])
    if draw.below(2):
        s.step("read", s.names["P"])
    s.step("stop", "mine")
    s.ask(8, "numbers", """creg, four bits, each 0 or 1, in this order: CR0.PG, CR4.PAE, EFER.LMA, EFER.NXE.""",
          lambda f: [f.creg("mine", "cr0") >> 31 & 1, f.creg("mine", "cr4") >> 5 & 1, f.creg("mine", "efer") >> 10 & 1,
                     f.creg("mine", "efer") >> 11 & 1])
    s.ask(8, "number", """The address of the top table must be a multiple of which power of two in this mode (the bits of CR3 below it are
          flags, or ignored)?""", lambda f: {"long": 4096, "pae": 32}[MODES[s.flavor]])
    s.ask(12, "numbers", """Take {A} apart: the index into each table, from the top one down to level 0: as many numbers as there are levels.""",
          lambda f: [i for _, i, _ in f.path("mine", "A")],
          lambda f: {tuple(reversed(indices(s.geometry, s.names["A"]))): "that is the order from the bottom up"})
    s.ask(12, "bits", """The entry that maps {A}, as it stands in the last table, with zeroes for the frame number (bits 12 to 51).""",
          entry_at("mine", "A"), entry_hints("mine", "A"))
    s.ask(10, "words", """What the processor has noted of {A}, {B}, {C}: for each page `ad`, `a-` or `--` (accessed, dirty), three words.""",
          lambda f: [_marks(f.entry("mine", n)) for n in "ABC"])
    s.ask(10, "letters", """From which of the pages A, B, C, L may a program fetch instructions? The letters, or none.""",
          lambda f: "".join(n for n in "ABCL" if "x" in rights_at("mine", n)(f)))
    s.ask(10, "bits", """The entry that maps {L}, one level above the others, with zeroes for the frame number (bits 21 to 51).""",
          entry_at("mine", "L", 1), entry_hints("mine", "L", 1))
    s.ask(10, "number", """{P} is inside the large page at {L}. If that page began at physical address 0x600000, which physical address would {P}
          be?""", lambda f: 0x600000 + s.names["P"] - s.names["L"],
          lambda f: {0x600000 + (s.names["P"] & 0xFFF): "that is the offset in a small page",
                     (0x600000 + s.names["P"] - s.names["L"]) & ~0xFFF: "that is where its 4 KiB frame begins: P is inside it"})
    s.ask(10, "number", """How many tables did this address space need, the top one included, the kernel's own not?""",
          lambda f: len(tables(f, "mine")), lambda f: {len(tables(f, "mine")) - 1: "one is missing: the top table counts"})
    s.ask(10, "numbers", """The first and the last address that the level-1 table over {A} translates: two numbers.""",
          lambda f: [table_over(f, s, "mine", s.names["A"], 1)[k] for k in ("lo", "hi")],
          lambda f: {tuple(table_over(f, s, "mine", s.names["A"], 0)[k] for k in ("lo", "hi")): "that is the level-0 table",
                     (table_over(f, s, "mine", s.names["A"], 1)["lo"], table_over(f, s, "mine", s.names["A"], 1)["hi"] + 1):
                     "the last address itself, not the one behind it"})


def _marks(entry: int) -> str:
    return ("a" if entry & walk.A else "-") + ("d" if entry & walk.D else "-")


def lab1(s: Sheet, draw: Draw) -> None:
    """Entries."""
    name(s, family(draw, s.flavor, 2))
    s.names["L"] = large(draw, s)
    rights = [draw.pick(RIGHTS), draw.pick(RIGHTS)]
    for letter, right in zip("AB", rights):
        s.step("map", s.names[letter], right)
        how = draw.pick(("read", "write" if "w" in right else "read", None))
        if how:
            s.step(how, s.names[letter])
    s.step("large", s.names["L"], draw.pick(RIGHTS))
    if draw.below(2):
        s.step("read", s.names["L"])
    s.step("stop", "mine")
    s.ask(4, "bits", "The entry that maps {A}, with zeroes for the frame number (bits 12 to 51).", entry_at("mine", "A"),
          entry_hints("mine", "A"))
    s.ask(3, "words", "What a program may do at {B}: three characters as in `rw-`, `r-x`.",
          lambda f: [rights_at("mine", "B")(f)])
    s.ask(3, "bits", "The entry that maps {L}, at level 1, with zeroes for the frame number (bits 21 to 51).",
          entry_at("mine", "L", 1), entry_hints("mine", "L", 1))


def lab2(s: Sheet, draw: Draw) -> None:
    """Finding tables."""
    name(s, family(draw, s.flavor, 5))
    map_all(s)
    s.step("stop", "mine")
    a = s.names["A"]
    s.ask(4, "numbers", """The entry's number at each level for {A}, from the top one down to level 0: as many numbers as there are
          levels.""", lambda f: [i for _, i, _ in f.path("mine", "A")],
          lambda f: {tuple(reversed(indices(s.geometry, a))): "that is the order from the bottom up"})
    s.ask(3, "numbers", "ht_vaddr of the level-0 table over {A}, and the last address that this table covers: two numbers.",
          lambda f: [table_over(f, s, "mine", a, 0)[k] for k in ("lo", "hi")],
          lambda f: {tuple(table_over(f, s, "mine", a, 1)[k] for k in ("lo", "hi")): "that is the level-1 table"})
    s.ask(3, "letters", "Which of B, C, D, E have the same level-1 table as {A}? The letters, or none.",
          lambda f: "".join(n for n in "BCDE" if table_over(f, s, "mine", s.names[n], 1) is table_over(f, s, "mine", a, 1)))


def lab3(s: Sheet, draw: Draw) -> None:
    """Building the tree."""
    name(s, family(draw, s.flavor, 5))
    s.step("stop", "s0")
    for number, letter in enumerate("ABCDE", 1):
        s.step("map", s.names[letter], "rw")
        s.step("stop", f"s{number}")
    a = s.names["A"]
    s.ask(4, "numbers", "The pages A, B, C, D, E are mapped in this order. How many new tables does each one need? Five numbers.",
          lambda f: [len(tables(f, f"s{n}")) - len(tables(f, f"s{n - 1}")) for n in range(1, 6)])
    s.ask(3, "number", "ht_valid_cnt of the level-1 table over {A} when all five are mapped.",
          lambda f: table_over(f, s, "s5", a, 1)["valid"])
    s.ask(3, "number", "How many tables has the space at the end, the top one included?", lambda f: len(tables(f, "s5")),
          lambda f: {len(tables(f, "s5")) - 1: "one is missing: the top table counts"})


def lab4(s: Sheet, draw: Draw) -> None:
    """Letting go."""
    name(s, family(draw, s.flavor, 4))
    map_all(s)
    s.step("stop", "all")
    for letter in "ABCD":
        s.step("unmap", s.names[letter])
        s.step("stop", letter)
        s.step("map", s.names[letter], "r")
    pair = draw.shuffled("ABCD")[:2]
    for letter in pair:
        s.step("unmap", s.names[letter])
    s.step("stop", "two")
    x = draw.pick("ABCD")
    s.words.update(x=x, y=min(pair), z=max(pair))
    s.ask(4, "numbers", """A, B, C, D are mapped. How many tables go when A alone is unmapped? And when B alone is, all four being mapped again
          before? C alone? D alone? Four numbers.""", lambda f: [len(tables(f, "all")) - len(tables(f, n)) for n in "ABCD"])
    s.ask(3, "words", """Of which levels are the tables that go when {x} alone is unmapped? Levels in ascending order, or none.""",
          lambda f: [str(level) for level, _ in sorted(table_keys(f, "all") - table_keys(f, x))] or ["none"])
    s.ask(3, "number", """All four are mapped, then {y} and {z} are unmapped. How many tables are left, the top one included?""",
          lambda f: len(tables(f, "two")), lambda f: {len(tables(f, "two")) - 1: "one is missing: the top table counts"})


def lab5(s: Sheet, draw: Draw) -> None:
    """Walking and dumping."""
    name(s, family(draw, s.flavor, 2), "AZ")
    counts = [2 + draw.below(4) for _ in range(3)]
    # the last pages of a table and the first ones of the next
    a = (s.names["A"] | 0x1F_F000) - PAGE * draw.below(counts[0] + counts[1])
    while not a + 0x40_0000 < s.names["Z"]:
        a = (_address(draw, s.flavor) | 0x1F_F000) - PAGE * draw.below(counts[0] + counts[1])
        s.names["Z"] = _replace(draw, a, s.flavor, 1 + draw.below(s.geometry.top))
    s.names["A"] = a
    s.names["B"] = a + counts[0] * PAGE
    rights = draw.shuffled(["rw", "r"])
    s.step("map", a, rights[0], counts[0])
    s.step("map", s.names["B"], rights[1], counts[1])
    s.step("map", s.names["Z"], "rw", counts[2])
    s.step("read", a)
    s.step("stop", "mine")
    s.notes.append(f"from A on {counts[0]} pages are mapped {rights[0]}, from B on {counts[1]} {rights[1]}, from Z on {counts[2]} rw; A is read")
    s.ask(4, "number", "How many `leaf` lines does hat_dump() print for this space (not the kernel's part)?",
          lambda f: sum(t["runs"] for t in tables(f, "mine")))
    s.ask(3, "number", """How many user ranges does `info tab` show at the stop `mine`? (It merges wherever virtual and physical both
          continue, whatever the rights.)""", lambda f: sum(r[0] < f.kernelbase for r in f.tab("mine")))
    s.ask(3, "number", """htable_walk() is called again and again from {A} up to {Z}, each time behind the entry it gave before. How many entries
          does it give before the one at Z?""", lambda f: counts[0] + counts[1])


def lab6(s: Sheet, draw: Draw) -> None:
    """Inheriting from boot."""
    offset = 0xFFFF_FFFF_8000_0000 if s.flavor == "amd64" else 0xC000_0000
    spots = [draw.below(0x200) * PAGE, offset + 0x20_0000 + draw.below(40) * PAGE, offset + 0x40_0000 + draw.below(10) * PAGE,
             0xFFFF_FFFF_FFC0_3000 if s.flavor == "amd64" else 0xFFC0_3000]
    if s.flavor == "amd64":
        spots += [0xFFFF_F800_0000_0000 + draw.below(0x9F) * PAGE, 0xFFFF_F800_0000_0000 + (2 + draw.below(25)) * 0x20_0000]
    name(s, draw.shuffled(spots)[:3])
    v = draw.pick("ABC")
    level = draw.pick((0, 1))
    s.words.update(level=str(level), v=v)
    s.scene = ["stop:mine"]
    s.ask(4, "words", "At the stop `adopted`: how large is the page that maps {A}, {B}, {C}? Three of 4K, 2M, 1G.",
          lambda f: [{0: "4K", 1: "2M", 2: "1G"}[f.path("adopted", n)[-1][0]] for n in "ABC"])
    s.ask(3, "number", "At `adopted`: how many tables of level {level} has the kernel's hat?",
          lambda f: sum(t["level"] == level for t in f.kernel("adopted")["tables"]))
    s.ask(3, "number", "At `adopted`: ht_valid_cnt of the level-1 table over {v}.",
          lambda f: next(t for t in f.kernel("adopted")["tables"] if t["level"] == 1 and t["lo"] <= s.names[v] <= t["hi"])["valid"])


def lab7(s: Sheet, draw: Draw) -> None:
    """Running out."""
    found: list[int] = []
    while len(set(found)) < 4:
        found = [va & ~0x1F_FFFF for va in family(draw, s.flavor, 4, 1)]
    name(s, found)
    order = draw.shuffled("ABCD")
    for rank, letter in enumerate(order):
        # so different that it is clear which table is the emptiest
        s.step("map", s.names[letter], "rw", 1 if rank == 0 else 70 * rank)
    counts = {letter: 1 if rank == 0 else 70 * rank for rank, letter in enumerate(order)}
    s.notes.append("pages mapped from each address on: " + ", ".join(f"{n} {counts[n]}" for n in "ABCD"))
    count = 1 + draw.below(3)
    s.step("stop", "before")
    s.step("steal", count)
    s.step("stop", "after")
    s.notes.append(f"then {count} tables are stolen")
    s.ask(4, "number", "How many tables has the space after that, the top one included?", lambda f: len(tables(f, "after")),
          lambda f: {len(tables(f, "before")): "that is what it had before"})
    s.ask(3, "letters", "At which of A, B, C, D is a page still mapped? The letters, or none.",
          lambda f: "".join(n for n in "ABCD" if f.path("after", n)[-1][2] & walk.P))
    s.ask(3, "number", "How many pages of the space have lost their translation?",
          lambda f: f.spaces("before")[0]["pages"][0] - f.spaces("after")[0]["pages"][0])


def lab8(s: Sheet, draw: Draw) -> None:
    """Sharing and large pages."""
    first = family(draw, s.flavor, 1)[0] & ~0x1F_FFFF
    count = 2 + draw.below(5)
    s.names["S"] = first
    inside = first + (count + 1 + draw.below(200)) * PAGE
    outside = first + 0x20_0000 + draw.below(200) * PAGE
    own = _replace(draw, first, s.flavor, draw.below(s.geometry.top) + 1)
    name(s, draw.shuffled([inside, outside, own]))
    s.step("offer", first, "rw", count)
    s.step("space")
    s.step("share", first)
    s.step("stop", "shared")
    s.step("map", own, "rw")
    s.step("space", 1)
    for va in draw.shuffled([inside, outside]):
        s.step("offer", va, "rw")
    s.step("space", 2)
    s.step("stop", "mine")
    where = {va: n for n, va in s.names.items()}
    s.notes.append(f"space 1 offers {count} pages from S on, space 2 shares the large page of S and maps {where[own]}; "
                   f"then space 1 offers {where[inside]} and {where[outside]} as well")
    s.ask(4, "letters", "Which of A, B, C can space 2 use now? The letters, or none.",
          lambda f: "".join(n for n in "ABC" if f.path("mine", n)[-1][2] & walk.P))
    s.ask(3, "number", "How many tables has space 2 of its own, the top one included, shared ones not?",
          lambda f: sum("shared" not in t["flags"] for t in _running(f, "mine")["tables"]),
          lambda f: {len(_running(f, "mine")["tables"]): "a shared one is counted"})
    s.ask(3, "number", "How many pages can space 2 use in all: small ones, whoever mapped them?",
          lambda f: sum((va1 + 1 - va0) // PAGE for va0, va1, _ in f.tab("mine") if va0 < f.kernelbase))


def _running(facts: Facts, stop: str) -> dict:
    """The space that the CPU runs."""
    return next(h for h in facts.spaces(stop) if h["cpus"])


def lab9(s: Sheet, draw: Draw) -> None:
    """Many processors: what must be flushed."""
    name(s, family(draw, s.flavor, 4))
    rights = [draw.pick(("rw", "r")) for _ in "ABCD"]
    map_all(s, rights)
    touched = draw.shuffled("ABCD")[: 1 + draw.below(3)]
    for letter in sorted(touched):
        s.step("read", s.names[letter])
    s.step("stop", "s0")
    steps = draw.shuffled(["unmap", "unmap", "map", "space"])
    letters = draw.shuffled("ABCD")
    told = []
    for number, what in enumerate(steps, 1):
        if what == "unmap":
            letter = letters.pop()
            s.step("unmap", s.names[letter])
            told.append(f"unmap {letter}")
        elif what == "map":
            s.names["E"] = _replace(draw, s.names["A"], s.flavor, 0)
            while s.names["E"] in [s.names[n] for n in "ABCD"]:
                s.names["E"] = _replace(draw, s.names["A"], s.flavor, 0)
            s.step("map", s.names["E"], "rw")
            told.append("map E")
        else:
            s.step("space", 2)
            s.step("space", 1)
            told.append("run another space, then this one again")
        s.step("stop", f"s{number}")
    s.notes.append(f"mapped: {', '.join(f'{n} {r}' for n, r in zip('ABCD', rights))}; read: {', '.join(sorted(touched))}; "
                   f"then {'; '.join(told)}")
    s.ask(4, "numbers", """How often does each of the four steps at the end ask hat_tlb_inval() for a flush of the space's
          translations? Four numbers.""", lambda f: [f.flushes(f"s{n}") - f.flushes(f"s{n - 1}") for n in range(1, 5)])
    s.ask(3, "letters", """Which of A, B, C, D can be in the processor's TLB at the stop `s0` (their accessed bit says so)? The letters, or
          none.""", lambda f: "".join(n for n in "ABCD" if f.entry("s0", n) & walk.A))
    s.ask(3, "number", "How many tables has the space at the end, the top one included?",
          lambda f: len(_running(f, "s4")["tables"]))


LABS: dict[int, Callable[[Sheet, Draw], None]] = {
    0: lab0, 1: lab1, 2: lab2, 3: lab3, 4: lab4, 5: lab5, 6: lab6, 7: lab7, 8: lab8, 9: lab9,
}


def sheet(lab: int, flavor: str, student: str) -> Sheet:
    """What a student is asked."""
    made = Sheet(lab, flavor, student)
    LABS[lab](made, Draw(f"hatlab questions\0lab{lab}\0{flavor}\0{student}"))
    return made


# What is asked in words, and what a good answer says.
WRITTEN: dict[int, list[tuple[str, str]]] = {
    0: [("Why does `info tab` say nothing about what may be written, and which two commands do?",
         "It prints translations only and merges neighbours whatever their rights. `page` shows the entries with their flags, and "
         "`xp` the raw entries, so rights must be read there, at every level."),
        ("Both kernels map 4 KiB pages with the same kind of entry. What do the two more levels of the 64-bit kernel cost, and what do "
         "they buy?",
         "Up to two more tables of 4 KiB for a lonely page, and up to two more memory reads for a translation that is in no TLB. They "
         "buy 48 bits of address instead of 32, of which most never need a table.")],
    1: [("A leaf is made read-only and nobody flushes. What can a program still do, and for how long?",
         "Write through a translation that the TLB still holds, until that is evicted or flushed: for as long as chance wants."),
        ("Why may a 32-bit kernel not read an 8-byte entry with two ordinary loads?",
         "Another CPU, or the MMU setting accessed and dirty, may change it between them: the halves would belong to two entries.")],
    2: [("Why does a lookup need the table's lock although it only reads the chain?",
         "The table that it finds may be on its way out. The hold must be counted before the lock is dropped, or the table is freed "
         "under the caller."),
        ("Why does the lock of a table not depend on how many chains there are?",
         "Chains grow while others look. If the lock changed with them, two CPUs could hold different locks for one table.")],
    3: [("Two threads create the same table at the same moment. What does each do, and which table lives?",
         "Both allocate without a lock; under the lock each looks again. The first one links its table, the second finds it, holds it "
         "and frees its own."),
        ("Why is a table zeroed before it is linked, and not behind that?",
         "From the moment of the link the MMU walks it: what an earlier owner left would be translations.")],
    4: [("Why is the link cleared before the frame is given back, and flushed in between?",
         "While a CPU may still walk the old link, or remembers it in a paging-structure cache, the frame is a page table. Given to "
         "somebody else, its contents would be translations."),
        ("Why does releasing climb, and where does it end?",
         "An unlinked table gives back the hold on its parent, which may have been the last one. It ends at the first table that is "
         "still held or has valid entries, at the top at the latest.")],
    5: [("What may a walk miss, and what must it never do, while others map and unmap?",
         "It may miss what appeared behind it or show what has just gone. It must not touch a table that it does not hold."),
        ("hat_dump() and `info tab` differ in one range. Name two reasons that are no fault of the kernel.",
         "Bochs walks only part of the upper half in long mode, and shows the hat in CR3 only; under PAE it uses the directory pointers "
         "loaded with CR3, which may be older than memory.")],
    6: [("Why are the boot tables adopted where they are, instead of being copied?",
         "The CPU runs on them. Copying needs memory before there is an allocator, and a moment when both are in use."),
        ("Where do the first tables' structures come from, before the allocator can make any?",
         "From the boot reserve, an array filled at start-up; the allocator itself maps pages, and would need tables for that.")],
    7: [("Why may ptable_alloc() not sleep?",
         "It is asked for memory by the one who frees memory: whoever waits for pages would wait for itself."),
        ("Why does a program whose table was stolen not notice?",
         "Translations are a cache: the page and its contents stay in the address space, the next touch faults and loads it again.")],
    8: [("Why may only whole tables be shared?",
         "A link names a table, and what the table maps is seen by everybody who links it, at the same offset."),
        ("What must happen when the source of a shared table goes away first?",
         "Its tables are held by those who show them: they stay until the last hold is given back.")],
    9: [("Why is it enough to flush those CPUs whose bit is set in hat_cpus?",
         "Only a CPU that has run the space since its last switch can have its translations. The bit is set before the first use and "
         "cleared behind the flush that a switch is."),
        ("What is the lost write, and why does one CPU never see it?",
         "Another CPU writes through its TLB and sets the dirty bit between our reading the entry and replacing it. On one CPU nothing "
         "runs in between, so the exchange cannot fail.")],
}
