# SPDX-License-Identifier: ISC
"""Every panic and every misuse assertion of the HAT is in docs/panics.md, is reached, and shows what it should."""

import re

from common import FLAVORS, TOP, boot, image, run
from hatlab.panics import host_cases, host_words, rows
from test_host import build
from testall import cases, limit

ROUTES = ("i386", "i386 pae=0", "amd64", "amd64 kpm=0")
SOURCES = ("src/hat/*.c", "solutions/lab*/*.c", "src/*/hat_md.c", "src/vm/seg.c", "src/vm/segkmem.c")
CALL = re.compile(r'^(\w+)\([^;\n]*$|\b(panic|HAT_MISUSE)\((?:\s*"((?:[^"\\]|\\.)*)")?', re.M)
CONVERSION = re.compile(r"%[-0-9.*]*(?:ll|l|z)?([a-z])")
VALUE = {"u": r"\d+", "d": r"-?\d+", "x": r"[0-9a-f]+", "p": r"0x[0-9a-f]+", "s": r".+"}
CHECK = re.compile(r'^CHECK\(\w+, "([\w-]+)"', re.M)

# Units that make the impossible happen: the case of test_panic.c, and what is planted where.
WRONG = (
    ("wrong-set-one", "lab1-entries/x86pte_set.c", "if (ptr != NULL)", "if (ht->ht_hat != kas_hat) return (LPAGE_ERROR);\n\tif (ptr != NULL)"),
    ("wrong-set-array", "lab1-entries/x86pte_set.c", "if (ptr != NULL)", "if (ht->ht_hat != kas_hat) return (LPAGE_ERROR);\n\tif (ptr != NULL)"),
    ("wrong-lookup", "lab2-finding/htable_lookup.c", "uintptr_t base = htable_base(hat, va, level);",
     "uintptr_t base = htable_base(hat, level == 0 && hat != kas_hat ? va - LEVEL_SIZE(1) : va, level);"),
)


def in_sources():
    """(function, file, kind, format) of every call."""
    found = []
    for path in sorted(p for pattern in SOURCES for p in TOP.glob(pattern)):
        function = "?"
        for name, kind, text in CALL.findall(path.read_text()):
            if name:
                function = name
                continue
            assert text, f"{path}: {kind}() in {function} has no literal message: this test cannot read it"
            found.append((function, path.name, kind, text))
    assert len(found) > 40, found
    return found


def pattern(message):
    """What a message looks like when it is printed."""
    out, at = "", 0
    for m in CONVERSION.finditer(message):
        out += re.escape(message[at:m.start()]) + VALUE[m[1]]
        at = m.end()
    return re.compile(out + re.escape(message[at:]))


def applies(negated, where, route):
    """Does a row with this in brackets apply to "amd64 kpm=0" and such?"""
    return not where or (where in route.split()) != bool(negated)


def says(message, text):
    """Is this the text of that message? An assertion has its place behind it, and long ones are cut at the end."""
    text = text.removeprefix("assertion failed: ")
    if pattern(message).match(text):
        return True
    return len(text) > 120 and pattern(message.rsplit(" ", 4)[0]).match(text) is not None


def test_page_is_complete():
    """each panic and misuse of the sources has its row in docs/panics.md, with the facts that its values are, and each row a source"""
    assert len(rows()) > 40, rows()
    sources = {(function, name, text) for function, name, _, text in in_sources()}
    page = {row[:3] for row in rows()}
    assert sources == page, f"without a row: {sources - page}; without a source: {page - sources}"
    names = set(CHECK.findall("".join((TOP / "src/check/tests" / f).read_text() for f in ("panics.c", "misuse.c"))))
    names |= set(re.findall(r'^\t\{ "([\w-]+)", \w+, (?:true|false) \},$', (TOP / "src/host/test_panic.c").read_text(), re.M))
    used = {name for row in rows() for name, _, _ in row[4]}
    assert all(row[3].strip() and row[4] for row in rows()), "a row without facts or without a test"
    assert used <= names, f"docs/panics.md names what does not exist: {used - names}"
    assert names - used <= {"misuse-purge"}, f"not in docs/panics.md: {names - used}"


def test_misuse_has_a_number():
    """each misuse assertion starts with an invariant that docs/invariants.md knows"""
    known = set(re.findall(r"^\| ([SLNFEP]\d+) \|", (TOP / "docs/invariants.md").read_text(), re.M))
    for function, _, kind, text in in_sources():
        number = text.split(":")[0]
        assert kind == "panic" or number in known, f"{function}: {text}"


def notes(flavor, args, file, folder=None, skip=()):
    """{check: [texts]} of all checks of a file, each of which must have passed."""
    names = [n for n in CHECK.findall((TOP / "src/check/tests" / file).read_text()) if n not in skip]
    result = boot(flavor, f"tour=0 check_ticks=2000 watchdog=30000 checks={','.join(names)} {args}", folder=folder)
    wrong = [f"{r['name']}: {r['text']}" for r in result.records if r.kind == "check-end" and r["result"] != "ok"]
    assert not wrong, wrong     # these first: what a check leaves behind when it fails may break more
    assert result.ok, result.problem
    texts = {name: [] for name in names}
    for record in result.records:
        if record.kind == "check-note":
            texts[record["name"]].append(record["text"])
    return texts


@cases(*ROUTES)
@limit(240)
def test_kernel_reaches(route):
    """what the page says that a check reaches, it reaches, on this kernel; and no check reaches anything that the page does not know"""
    flavor, *args = route.split()
    texts = notes(flavor, " ".join(args), "panics.c") | notes(flavor, " ".join(args), "misuse.c", skip=("misuse-purge",))
    where = " ".join(["pae" if "pae=0" not in args else "pae=0", flavor, *args])
    missing = [f"{name}: {row[2]}" for row in rows() for name, negated, on in row[4]
               if name in texts and applies(negated, on, where) and not any(says(row[2], t) for t in texts[name])
               and not (name == "panic-cpus" and "pae=0" in args)]
    assert not missing, missing
    unknown = [t for found in texts.values() for t in found if not any(says(row[2], t) for row in rows())]
    assert not unknown, unknown


@cases(*ROUTES)
@limit(240)
def test_no_damage(route):
    """without assertions nobody says anything about misuse, and nothing has changed; panics are the same"""
    flavor, *args = route.split()
    folder = image(flavor, "release", DEBUG=0)
    texts = notes(flavor, " ".join(args), "misuse.c", folder)
    assert not any(texts.values()), texts
    assert notes(flavor, " ".join(args), "panics.c", folder)["panic-link"]


@cases(*FLAVORS)
@limit(300)
def test_host_reaches(flavor):
    """what only a start can go wrong with, or what would leave a kernel in pieces"""
    program = build(flavor)
    names = host_cases(program)
    assert len(names) >= 15, names
    for name in names:
        host_case(program, name)


def host_case(program, name, args=""):
    """One case; the text that it reached must be a row's that names it."""
    text = run(program, *host_words(name, args)).stdout
    reached = re.search(rf"^reached {name}: (.*)$", text, re.M)
    assert reached, text
    assert any(says(row[2], reached[1]) for row in rows() if name in [n for n, _, _ in row[4]]), reached[0]


@cases(*[f"{flavor} {wrong[0]}" for flavor in FLAVORS for wrong in WRONG])
@limit(300)
def test_wrong_units(which):
    """what right units never do: a wrong one is linked, and what stands above it stops"""
    flavor, name = which.split()
    path, old, new = next(w[1:] for w in WRONG if w[0] == name)
    text = (TOP / "solutions" / path).read_text()
    assert old in text, "the mistake must be planted elsewhere now"
    unit = path.split("/")[-1]
    wrong = TOP / "build/host-mistakes" / name / unit
    wrong.parent.mkdir(parents=True, exist_ok=True)
    wrong.write_text(text.replace(old, new))
    host_case(build(flavor, program=name, UNITS=f"{unit[:-2]}={wrong.relative_to(TOP)}"), name)


@cases("pae=0", "pae=0 pse=0")
@limit(300)
def test_host_reaches_two_levels(args):
    """the same with two levels of tables"""
    program = build("i386")
    for name in ("attach-reserve", "attach-memory", "attach-page", "attach-link", "map-twice", "unmap-nothing", "no-table"):
        host_case(program, name, args)


def test_linear_map():
    """a fault in the linear map stops the kernel, with the address and who did it"""
    result = boot("amd64", "tour=0 crash=kpm")
    panic = [r["text"] for r in result.records if r.kind == "panic"]
    assert not result.ok and len(panic) == 1 and "0xfffff800ffff0000" in panic[0] and "crash_kpm" in panic[0], panic
