# SPDX-License-Identifier: ISC
"""Which files may be linked as units (hatlab/unit.py): all that are honest, none that are not."""

import os
import shutil
from pathlib import Path
from tempfile import mkdtemp

from hatlab import lab as labs
from hatlab import unit as units
from testall import cases, limit, needs

TOP = labs.TOP
HEAD = "#include <hat/x86pte.h>\n"
BODY = "x86pte_t\nx86pte_get(htable_t *ht, uint_t entry)\n{\n\t(void)ht, (void)entry;\n%s\treturn (0);\n}\n"


def judge_text(text, flavors=units.FLAVORS, unit="x86pte_get", number=1, folder=None):
    """The line about this text as a unit of a lab; None: taken."""
    lab = labs.get(number)
    folder = folder or Path(mkdtemp()) / lab.name
    folder.mkdir(exist_ok=True)
    path = folder / f"{unit}.c"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    units.CACHE.mkdir(parents=True, exist_ok=True)
    for flavor in flavors:
        reason = units.judge(path, lab, unit, flavor)
        if reason is not None:
            assert "\n" not in reason and len(reason) > 10, reason
            return reason
    return None


@cases(*[f"{tree} {lab.name}" for lab in labs.labs() if lab.units for tree in ("labs", "solutions")])
def test_ours_are_taken(which):
    """the stubs and the answers are taken, and asking again costs next to nothing"""
    tree, name = which.split()
    lab = labs.get(name[3:].split("-")[0])
    assert units.refusals(lab, tree) == {}
    began = sum(os.times()[:4])  # of processors, ours and our children's: others may be busy, too
    assert units.refusals(lab, tree) == {}
    assert sum(os.times()[:4]) - began < 0.15


def variations(pattern):
    for path in sorted(TOP.glob(pattern)):
        yield path, path.stem.split("-")[0], labs.get(path.parts[-3][3:].split("-")[0])


@cases(*[lab.name for lab in labs.labs() if lab.units])
@limit(300)
def test_mistakes_are_taken(name):
    """wrong and other right answers are a check's business: they are taken (each is read, every fifth is compiled)"""
    refused = {}
    for kind in ("wrong", "right"):
        for number, (path, unit, lab) in enumerate(variations(f"solutions/{name}/{kind}/*.c")):
            try:
                text = units.read_unit(path)
                units.check_directives(text)
                units.check_lines(list(enumerate(units.without_comments(range(1, 10000), text).split("\n"), 1)))
            except units.Refused as e:
                refused[path.name] = str(e)
            if number % 5 == 0:
                reason = units.judge_cached(path, lab, unit, units.FLAVORS[number // 5 % 2], None)
                if reason:
                    refused[path.name] = reason
    assert not refused, refused


@cases("i386", "amd64")
@needs("clang")
@limit(300)
def test_clang_too(flavor):
    """what another compiler makes of the answers is taken"""
    for number in (1, 7, 9):
        assert units.refusals(number, "solutions", (flavor,), "clang") == {}


@cases("i386", "amd64")
@limit(300)
def test_without_assertions_too(flavor):
    """without assertions the answers are taken, too"""
    normal, units.VARIANTS = units.VARIANTS, units.VARIANTS[2:]
    try:
        for number in (1, 2, 3):
            lab = labs.get(number)
            for unit in lab.unit_names:
                assert units.judge(lab.solutions / f"{unit}.c", lab, unit, flavor) is None, unit
    finally:
        units.VARIANTS = normal


@cases(*units.FLAVORS)
def test_cheats(flavor):
    """each cheat is refused with the words of its first line, or taken where only the grader can tell"""
    units.CACHE.mkdir(parents=True, exist_ok=True)
    for path in sorted((TOP / "src/tests/cheats").glob("*.c")):
        verdict = path.read_text().split("\n", 1)[0]
        reason = units.judge(path, labs.get(1), path.stem.split("-")[0], flavor)
        print(path.stem, flavor, reason)
        if verdict.startswith("/* refused: "):
            assert reason is not None and verdict[len("/* refused: "):-len(" */")] in reason
        else:
            assert verdict.startswith("/* worth 0: ") and reason is None


NASTY = {
    "the file": {
        "zero": (b"int x;\0", "zero byte"),
        "latin": (b"/* \xe4 */", "not UTF-8"),
        "big": ("/*" + "x" * (256 << 10) + "*/", "bytes long"),
        "return": ("int x;\rint y;\n", "control character"),
        "bom": ("\ufeff#include <solutions/lab1-entries/x86pte_get.c>\n", "control character"),
    },
    "what it includes": {
        "absolute": ("#include </etc/passwd>\n", "not one of the headers"),
        "quotes": ('#include "../../solutions/lab1-entries/x86pte_get.c"\n', "in no other way"),
        "climbs": ("#include <hat/../../solutions/lab1-entries/x86pte_get.c>\n", "not one of the headers"),
        "spliced": ("#inc\\\nlude <solutions/lab1-entries/x86pte_get.c>\n", "not one of the headers"),
        "spliced-blank": ("#inc\\ \nlude <solutions/lab1-entries/x86pte_get.c>\n", "not one of the headers"),
        "after-comment": ("/* a\n b */ # /* c */ include <solutions/lab1-entries/x86pte_get.c>\n", "line 2: #include"),
        "digraph": ("%:include <solutions/lab1-entries/x86pte_get.c>\n", "%:"),
        "string-hides": ('const char *a = "/*";\n#include <check/check.h>\nconst char *b = "*/";\n', "line 2: #include"),
        "char-hides": ("int a = '\"';\n#include <check/check.h>\nint b = '\"';\n", "line 2: #include"),
        "raw-string": ('const char *a = R"(";\n#include <check/check.h>\n)";\n', "raw strings"),
        "open-comment": ("int a; /* \n", "does not end"),
        "check.h": ("#include <check/check.h>\n", "not one of the headers"),
        "next": ("#include_next <hat/x86pte.h>\n", "#include_next"),
        "import": ("#import <hat/x86pte.h>\n", "#import"),
        "embed": ("const char a[] = {\n#embed </etc/passwd>\n};\n", "#embed"),
        "itself": ("#include <x86pte_get.c>\n", "not one of the headers"),
        "number-line": ('# 1 "src/x86/cpufunc.h"\n', "#1"),
        "level": ("#if __INCLUDE_LEVEL__ == 0\n#endif\n", "__INCLUDE_LEVEL__"),
        "pragma": ("#pragma weak x86pte_get\n", "#pragma weak"),
        "redefine": ("#pragma redefine_extname x86pte_get x86pte_set\n", "#pragma redefine"),
    },
    "its own lines": {
        "Pragma": (HEAD + '_Pragma("GCC optimize (\\"O0\\")")\n' + BODY % "", "#pragma GCC optimize"),
        "asm": (HEAD + BODY % '\tasm("hlt");\n', "assembler"),
        "asm-label": (HEAD + 'extern int x __asm__("check_current");\n' + BODY % "\tx = 1;\n", "assembler"),
        "asm-register": (HEAD + BODY % '\tregister long x __asm__("rax") = 1; (void)x;\n', "assembler"),
        "asm-in-if": (HEAD + BODY % '#ifndef LOCK_NOTES\n\tasm("hlt");\n#endif\n', "assembler"),
        "asm-in-release": (HEAD + BODY % '#ifndef DEBUG\n\tasm("hlt");\n#endif\n', "assembler"),
        "asm-like-a-header": (HEAD + BODY % '\t__asm__ volatile("call %P1" "; hlt" : : "i"(x86pte_mapout));\n', "assembler"),
        "section": (HEAD + '__attribute__((noinline, __section__(".init")))\n' + BODY % "", "attribute __section__"),
        "section-macro": (HEAD + '#define A(x) __attribute__((x))\nA(section(".init"))\n' + BODY % "", "attribute section"),
        "section-new": (HEAD + '[[gnu::section(".init")]]\n' + BODY % "", "attribute section"),
        "destructor": (HEAD + "__attribute((destructor))\n" + BODY % "", "attribute destructor"),
        "ifunc": (HEAD + 'static int f(void) __attribute__((ifunc("g")));\n', "attribute ifunc"),
        "naked": (HEAD + "__attribute__((naked))\n" + BODY % "", "attribute naked"),
        "target": (HEAD + '__attribute__((target("sse2")))\n' + BODY % "", "attribute target"),
        "optimize": (HEAD + '__attribute__((optimize("O0")))\n' + BODY % "", "attribute optimize"),
        "cleanup": (HEAD + BODY % "\t__attribute__((cleanup(htable_free))) int x;\n", "attribute cleanup"),
        "gs": (HEAD + BODY % "\t*(int __seg_gs *)8 = 1;\n", "__seg_gs"),
        "thread": (HEAD + "static __thread int x;\n" + BODY % "\tx = 1;\n", "__thread"),
        "longjmp": (HEAD + BODY % "\tvoid *b[5]; __builtin_longjmp(b, 1);\n", "__builtin_longjmp"),
        "return-address": (HEAD + BODY % "\t*(int *)__builtin_return_address(0) = 0;\n", "__builtin_return_address"),
        "goto": (HEAD + "static void *t[1] = { (void *)0x80200000ul };\n" +
                 BODY % "\tvoid *p = &&l; p = t[entry];\n\tgoto *p;\nl:\n", "goto"),
        "write_cr0": ("#include <x86/cpufunc.h>\n" + HEAD + BODY % "\twrite_cr0(0);\n", "write_cr0 is not for units"),
    },
    "its object": {
        "syntax": (HEAD + BODY % "\tnonsense;\n", "does not compile for i386: line 6:"),
        "no-function": (HEAD, "must define x86pte_get()"),
        "variable-for-function": (HEAD + "#define x86pte_get other\n" + HEAD + BODY % "", "must define x86pte_get()"),
        "variable": (HEAD + "int mine;\n" + BODY % "\tmine++;\n", "mine is not a function but an object"),
        "other": (HEAD + "void helper(void);\nvoid helper(void) { }\n" + BODY % "",
                  "helper is not a function of unit x86pte_get: make it static"),
        "pointer": (HEAD + BODY % "\t((void (*)(int))0x80201234ul)(1);\n", "through a pointer"),
        "pointer-kept": (HEAD + "static void (*volatile f)(void) = (void (*)(void))0x80201234ul;\n" +
                         BODY % "\tf();\n", "through a pointer"),
        "poke": (HEAD + "void poke_phys(paddr_t pa, uint64_t v);\n" + BODY % "\tpoke_phys(0, 0);\n", "refers to poke_phys"),
        "xc_call": ("#include <sys/xcall.h>\n" + HEAD + BODY % "\txc_call(1, (xc_func_t)0, 0, 0);\n", "refers to xc_call"),
        "later-lab": (HEAD + BODY % "\thtable_release(ht);\n", "refers to htable_release"),
        "trial": (HEAD + "extern int trial_nfuncs;\n" + BODY % "\ttrial_nfuncs = 0;\n", "refers to trial_nfuncs"),
        "big-data": (HEAD + "static volatile char a[100000];\n" + BODY % "\ta[entry] = 1;\n", "bytes in .bss"),
        "nested": (HEAD + "void lend(void (*f)(void));\n#define lend(f) (void)kmem(f)\nstatic void *volatile kept;\n" +
                   BODY % "\tvoid in(void) { entry++; }\n\tkept = in;\n", "executed"),
    },
    "what takes for ever": {
        "bomb": ("#define A(x) x x x x x x x x x x\n#define B(x) A(A(A(A(x))))\nint a[] = { B(B(B(0))) };\n",
                 "too much time or memory"),
    },
}


@cases(*NASTY)
def test_nasty(look):
    """refused, each with its own line"""
    units.SECONDS = 2
    for name, (text, said) in NASTY[look].items():
        reason = judge_text(text)
        assert reason is not None and said in reason, f"{name}: {reason}"


HONEST = {
    "helper": HEAD + "static uint_t twice(uint_t n) { return (2 * n); }\n" + BODY % "\tentry = twice(entry);\n",
    "words": HEAD + BODY % '\tpanic("asm __asm__ %s #include", "__attribute__((section))"); /* asm("x") */\n',
    "conditional": HEAD + BODY % "#ifdef DEBUG\n\tentry++;\n#else\n\tentry--;\n#endif\n",
    "print": "#include <sys/printf.h>\n" + HEAD + BODY % '\tprintf("%u\\n", entry);\n',
    "assertion": HEAD + BODY % "\tASSERT(ht != NULL);\n",
    "switch": HEAD + BODY % (
        "\tswitch (entry) {\n" + "".join(f"\tcase {i}: return ({i * i * 7 % 11});\n" for i in range(12)) + "\t}\n"),
    "divide": HEAD + BODY % "\tht->ht_lock_cnt = (uint32_t)((uint64_t)(uintptr_t)ht * entry / (entry + 7ull));\n",
    "attributes": HEAD + "static NOINLINE __attribute__((unused, aligned(16))) void f(void) { }\n" + BODY % "",
    "windows": (HEAD + BODY % "").replace("\n", "\r\n"),
    "builtin": HEAD + BODY % "\tif (__builtin_expect(entry > 3, 0)) entry = (uint_t)__builtin_ctz(entry);\n",
    "static-variable": HEAD + "static uint_t count;\n" + BODY % "\tcount++; if (count == 0) return (1);\n",
}


def test_honest():
    """what a student may well write is taken"""
    for name, text in HONEST.items():
        reason = judge_text(text)
        assert reason is None, f"{name}: {reason}"


def test_links_and_absence():
    """no file, a link, a folder"""
    folder = Path(mkdtemp()) / "lab1-entries"
    shutil.copytree(labs.get(1).folder(), folder)
    (folder / "pte_load.c").unlink()
    (folder / "pte_cas.c").unlink()
    (folder / "pte_cas.c").symlink_to(labs.get(1).solutions / "pte_cas.c")
    (folder / "x86pte_get.c").unlink()
    (folder / "x86pte_get.c").mkdir()
    os.mkfifo(folder / "fifo")
    (folder / "x86pte_zero.c").unlink()
    os.rename(folder / "fifo", folder / "x86pte_zero.c")
    said = units.refusals(1, folder, ("amd64",))
    assert set(said) == {"pte_load", "pte_cas", "x86pte_get", "x86pte_zero"}, said
    assert "missing" in said["pte_load"] and "plain file" in said["pte_cas"] and "plain file" in said["x86pte_zero"]


def test_header_beside_it():
    """a header of the student's own, with the kernel's name, is not found, and would be refused if it were"""
    folder = Path(mkdtemp()) / "lab1-entries"
    (folder / "hat").mkdir(parents=True)
    (folder / "hat/x86pte.h").write_text("#error found\n")
    assert judge_text("#include <hat/x86pte.h>\n" + BODY % "", folder=folder) is None
    assert "in no other way" in judge_text('#include "hat/x86pte.h"\n' + BODY % "", folder=folder)
    try:
        units.check_read(folder / "x.c", f"x: {folder}/x.c src/hat/hat_impl.h \\\n {folder}/hat/x86pte.h\n")
    except units.Refused as e:
        assert "only headers of src/" in str(e) and "x86pte.h" in str(e)
    else:
        raise AssertionError("taken")


def test_edit_is_seen():
    """a changed unit is judged afresh, and only that one"""
    folder = Path(mkdtemp()) / "lab5-walking"
    shutil.copytree(labs.get(5).folder(), folder)
    assert units.refusals(5, folder, ("amd64",)) == {}
    (folder / "htable_scan.c").write_text("int x;\n")
    said = units.refusals(5, folder, ("amd64",))
    assert list(said) == ["htable_scan"] and said["htable_scan"].startswith("htable_scan.c"), said


def test_table_names_exist():
    """each name of src/hat/allowed is declared somewhere in src/, and none is the check framework's"""
    text = "\n".join(p.read_text() for p in (TOP / "src").rglob("*.[hc]") if TOP / "src/check" not in p.parents)
    for where, names in units.allowed_table().items():
        if where == "include":
            for name in names:
                assert (TOP / "src" / name).exists() or (TOP / "src/amd64" / name).exists(), name
            continue
        assert where in ("all", "keep-off") or (TOP / "labs" / where.split("/")[0]).is_dir(), where
        for name in names:
            assert name in text or name == "memmove", f"{where}: {name} is not in src/"
            assert not name.startswith(("check_", "trial_", "poke", "peek")), name
