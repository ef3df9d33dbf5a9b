# SPDX-License-Identifier: ISC
"""May this file be linked into the kernel? A student's unit is judged before it is, because afterwards it is part of the judge.

Three looks, each at what the one before cannot see:

    the file          size, kind, no NUL; its directives, from the raw text: only the headers that src/hat/allowed names
    preprocessed      its own lines, macros expanded: no assembler, no attribute or pragma that places or runs code
    the object        defines the unit's functions and nothing else; names only what src/hat/allowed lists; ordinary sections;
                      calls nothing through a pointer

The file is preprocessed where it lies, with the very flags of src/kernel.mk, so that what is judged is what will be built; the
compiler's own list of what it read must name headers of src/ and nothing else. It is compiled from that text, in an empty
folder: there is nothing else left to read. What this cannot catch, and what stands behind it: docs/handin.md.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import re
import shutil
import stat
import subprocess
import tempfile
import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

from . import lab as labs

TOP = labs.TOP
SRC = TOP / "src"
ALLOWED = SRC / "hat/allowed"
CACHE = TOP / "build/units"
FLAVORS = ("i386", "amd64")
MAX_SIZE = 256 << 10
SECONDS = 10                # that a compiler may take for one file
MAX_DATA = 64 << 10         # bytes of variables and constants in an object

# As an image for grading is built; a file that asks (#if) is also judged as the other images see it.
VARIANTS = ("DEBUG=1 TESTS=1", "DEBUG=1 TESTS=0", "DEBUG=0 TESTS=0")

DIRECTIVES = {"include", "define", "undef", "if", "ifdef", "ifndef", "elif", "else", "endif", "error", "warning", "pragma", ""}
PRAGMAS = re.compile(r"(GCC|clang)\s+(diagnostic|unroll|ivdep)\b|once\s*$")
ASSEMBLER = {"asm", "__asm", "__asm__"}
# md_call_cold() and md_ask_cold(), without assertions: calls of a function by its name.
COLD_CALLS = {'"call %P1"', '"call %P2"', '"pushl %0; call %P1; addl $4, %%esp"', '"pushl %1; call %P2; addl $4, %%esp"'}
ATTRIBUTES = set("""unused maybe_unused used_result noreturn noinline always_inline cold hot flatten pure const aligned packed
    format nonnull returns_nonnull fallthrough warn_unused_result nodiscard may_alias malloc no_caller_saved_registers
    artificial assume_aligned alloc_size""".split())
BUILTINS = re.compile(r"__builtin_(?:ffs|clz|ctz|clrsb|popcount|parity)(?:l|ll)?$|__builtin_bswap(?:16|32|64)$|"
                      r"__builtin_(?:add|sub|mul)_overflow(?:_p)?$|__builtin_mem(?:cpy|set|move|cmp)$|"
                      r"__builtin_(?:expect|unreachable|trap|constant_p|choose_expr|types_compatible_p|offsetof|prefetch|"
                      r"object_size|assume_aligned|va_start|va_end|va_arg|va_copy|va_list|has_attribute)$")
SEGMENTS = {"__seg_fs", "__seg_gs", "__thread", "_Thread_local"}
SECTIONS = re.compile(r"\.(text|rodata|data|bss)(\..*)?$|\.(comment|note\.GNU-stack|note\.gnu\.property|eh_frame|llvm_addrsig)$")
INSTRUCTIONS = re.compile(r"^(in|out|ins|outs|rep outs|rep ins|hlt|rdmsr|wrmsr|l[gil]dt|ltr|lmsw|iret|lret|lcall|ljmp|"
                          r"int|int3|int1|into|sysenter|sysexit|syscall|sysret|swapgs|vmcall|vmmcall|wbinvd|invd|"
                          r"xchg +%bx,%bx)[bwlqd]?\b")


class Refused(Exception):
    """One line, without the unit's name."""


# ---------------------------------------------------------------------------- what is allowed

@lru_cache(maxsize=None)
def allowed_table() -> dict[str, list[str]]:
    """The lines of src/hat/allowed by their first word."""
    table: dict[str, list[str]] = {}
    for line in ALLOWED.read_text(encoding="utf-8").splitlines():
        words = line.split("#")[0].split()
        if words:
            table.setdefault(words[0], []).extend(words[1:])
    return table


def allowed_names(lab: labs.Lab, unit: str) -> set[str]:
    """What the object of this unit may leave undefined."""
    table = allowed_table()
    names = {name for where in ("all", lab.name, f"{lab.name}/{unit}") for name in table.get(where, ())}
    for folder, units in labs.unit_table().items():
        if int(re.match(r"lab(\d+)", folder)[1]) <= lab.number:
            names.update(function for functions in units.values() for function in functions)
    return names


# ---------------------------------------------------------------------------- the file

def read_unit(path: Path) -> str:
    try:
        info = os.lstat(path)
    except OSError:
        raise Refused("is missing: there is a stub of that name in labs/") from None
    if not stat.S_ISREG(info.st_mode):
        raise Refused("is not a plain file")
    if info.st_size > MAX_SIZE:
        raise Refused(f"is {info.st_size} bytes long: at most {MAX_SIZE} are taken")
    data = path.read_bytes()
    if b"\0" in data:
        raise Refused("is not text: there is a zero byte in it")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as e:
        raise Refused(f"is not text: byte {e.start} is not UTF-8") from None
    text = text.replace("\r\n", "\n")
    if re.search(r"[\x01-\x08\x0b\x0d-\x1f\x7f\x85\u2028\u2029\ufeff]", text):
        raise Refused("is not plain text: there is a control character in it")
    return text


LEXEME = re.compile(r"""
    (?P<comment> /\*.*?\*/ | //[^\n]* ) |
    (?P<open> /\* ) |
    (?P<raw> \b(?:u8|u|U|L)?R" ) |
    (?P<string> "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*' ) |
    (?P<quote> ["'] )
    """, re.S | re.X)


def unspliced(text: str) -> tuple[list[int], str]:
    """Lines that end in a backslash joined to the next one, and the number that each line of the result began with."""
    numbers, joined = [], []
    open_line = False
    for number, line in enumerate(text.split("\n"), 1):
        if open_line:
            joined[-1] += line
        else:
            joined.append(line)
            numbers.append(number)
        open_line = re.search(r"\\[ \t\f]*$", line) is not None
        if open_line:
            joined[-1] = re.sub(r"\\[ \t\f]*$", "", joined[-1])
    return numbers, "\n".join(joined)


def without_comments(numbers: list[int], text: str) -> str:
    def blank(match: re.Match[str]) -> str:
        kind = match.lastgroup
        if kind == "comment":
            return " " + "\n" * match.group().count("\n")
        if kind == "string":
            return match.group()
        why = {"open": "a comment that does not end", "raw": "raw strings are not taken",
               "quote": "a quote that does not end in its line"}[kind]
        raise Refused(f"line {numbers[text.count(chr(10), 0, match.start())]}: {why}")
    return LEXEME.sub(blank, text)


def directives(text: str) -> list[tuple[int, str, str]]:
    """[(line, name, rest)] of the directives in a source, found as a compiler finds them."""
    numbers, text = unspliced(text)
    found = []
    for number, line in zip(numbers, without_comments(numbers, text).split("\n")):
        match = re.match(r"[ \t\f]*(?:#|%:)[ \t\f]*(\w*)(.*)", line)
        if match:
            found.append((number, match[1], match[2].strip()))
        match = re.search(r"\b__has_(?:include|include_next|embed)\b|\b__INCLUDE_LEVEL__\b|%:", line)
        if match:
            raise Refused(f"line {number}: {match[0]} is not taken here")
    return found


def check_directives(text: str) -> bool:
    """Refuse what a unit has no use for. True: it compiles parts of itself conditionally."""
    conditional = False
    patterns = allowed_table()["include"]
    for line, name, rest in directives(text):
        if name == "include" or name == "include_next" or name == "import" or name == "embed":
            match = re.fullmatch(r"<([A-Za-z0-9_./-]+)>", rest)
            wanted = match[1] if match else rest[:60]
            if name != "include" or not match:
                raise Refused(f"line {line}: #{name} {wanted}: a header is included by #include <name> and in no other way")
            if wanted.startswith("/") or ".." in wanted.split("/") or not any(fnmatch.fnmatchcase(wanted, p) for p in patterns):
                raise Refused(f"line {line}: #include {rest[:60]}: not one of the headers for units (src/hat/allowed)")
        elif name not in DIRECTIVES:
            raise Refused(f"line {line}: #{name[:20]} is not taken here")
        elif name == "pragma" and not PRAGMAS.match(rest):
            raise Refused(f"line {line}: #pragma {rest[:40]} is not taken here")
        elif name in ("if", "ifdef", "ifndef", "elif"):
            conditional = True
    return conditional


# ---------------------------------------------------------------------------- preprocessed

@lru_cache(maxsize=None)
def flags(flavor: str, variant: str, cc: str | None) -> tuple[list[str], list[str], list[str]]:
    """(compiler, preprocessor's flags, compiler's flags) as src/kernel.mk has them."""
    makefile = SRC / "kernel.mk"
    key = hashlib.sha256(f"{makefile.read_text()}{flavor}{variant}{cc}".encode()).hexdigest()[:16]
    kept = CACHE / f"flags-{key}"
    if not kept.exists():
        command = ["make", "-s", "--no-print-directory", "-f", str(makefile), f"FLAVOR={flavor}", "IMAGE=units", *variant.split()]
        done = subprocess.run([*command, *([f"CC={cc}"] if cc else []), "unit-flags"], cwd=TOP, env=labs.clean_environment(),
                              capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode:
            raise labs.LabError(f"src/kernel.mk does not say how units are compiled: {first_line(done.stderr)}")
        write(kept, done.stdout)
    compiler, cpp, c = kept.read_text().splitlines()
    return compiler.split(), cpp.split(), c.split()


def bounded(command: list[str], cwd: Path, data: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a compiler on what a stranger wrote: little time, little memory, little output."""
    shell = f'ulimit -t {SECONDS}; ulimit -f 131072; ulimit -v 4194304; exec "$@"'
    env = dict(os.environ, LC_ALL="C")
    return subprocess.run(["sh", "-c", shell, "sh", *command], cwd=cwd, env=env, input=data if data is not None else "",
                          capture_output=True, text=True, errors="replace", timeout=60)


def first_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    wrong = [line for line in lines if "error:" in line] or lines
    return wrong[0][:200] if wrong else "no reason given"


def compile_error(path: Path, flavor: str, done: subprocess.CompletedProcess[str]) -> Refused:
    stopped = done.returncode < 0 or re.search(r"signal|emory exhausted|out of memory|size limit", done.stderr) or not done.stderr
    line = "the compiler was stopped: too much time or memory" if stopped else first_line(done.stderr)
    match = re.search(r":(\d+):(?:\d+:)? *(?:fatal )?error: (.*)", line)
    return Refused(f"does not compile for {flavor}: " + (f"line {match[1]}: {match[2]}" if match else line))


def preprocess(path: Path, flavor: str, variant: str, cc: str | None, work: Path) -> str:
    compiler, cpp, c = flags(flavor, variant, cc)
    out, deps = work / "unit.i", work / "unit.d"
    name = os.path.relpath(path, TOP)
    done = bounded([*compiler, *cpp, *c, "-w", "-E", "-MD", "-MF", str(deps), "-MT", "x", "-o", str(out), name], TOP)
    if done.returncode:
        raise compile_error(path, flavor, done)
    check_read(path, deps.read_text(errors="replace"))
    return out.read_text(encoding="utf-8", errors="replace")


def check_read(path: Path, deps: str) -> None:
    """Everything that the compiler has read is the unit itself or a header of src/."""
    for word in re.sub(r"\\\n", " ", deps).split()[1:]:
        real = (TOP / word).resolve()
        if real == path.resolve():
            continue
        inside = SRC in real.parents and real.suffix == ".h"
        if not inside or real.relative_to(SRC).parts[0] in ("check", "tools", "tests", "host", "user"):
            raise Refused(f"the compiler read {word[:80]} for it: only headers of src/ may be included")


MARKER = re.compile(r'# (\d+) "((?:\\.|[^"\\])*)"')


def own_lines(text: str, path: Path) -> list[tuple[int, str]]:
    """The lines of preprocessed text that come from the unit itself, with their numbers."""
    name, mine, number, lines = os.path.relpath(path, TOP), False, 0, []
    for line in text.split("\n"):
        match = MARKER.match(line)
        if match:
            number, mine = int(match[1]), match[2] == name
            continue
        if mine and line.strip():
            lines.append((number, line))
        number += 1
    return lines


TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|[A-Za-z_$][\w$]*|\d[\w.]*|<:|:>|\S')


def tokens(lines: list[tuple[int, str]]) -> list[tuple[int, str]]:
    return [(number, token) for number, line in lines if not line.lstrip().startswith("#") for token in TOKEN.findall(line)]


def attribute_names(words: list[str]) -> list[str]:
    """The names in ((a, b(1), c)) or [[a, gnu::b]]; the list begins at the first bracket."""
    names, depth, expect = [], 0, False
    for word in words:
        if word in ("(", "[", "<:"):
            depth += 1
            expect = depth == 2
        elif word in (")", "]", ":>"):
            depth -= 1
            if depth == 0:
                break
        elif depth == 2 and word in (",", ":"):
            expect = True
        elif depth == 2 and expect:
            names.append(word)
            expect = False
    return names


def check_lines(lines: list[tuple[int, str]]) -> None:
    keep_off = set(allowed_table()["keep-off"])
    for number, line in lines:
        match = re.match(r"\s*#\s*pragma\s+(.*)", line)
        if match and not PRAGMAS.match(match[1]):
            raise Refused(f"line {number}: #pragma {match[1][:40]} is not taken here")
    found = tokens(lines)
    for at, (number, word) in enumerate(found):
        if word not in ASSEMBLER and word not in ("goto", "[", "<:") and not (word[0] in "_" or word in keep_off):
            continue
        following = [w for _, w in found[at + 1:at + 200]]
        cold = following[:2] == ["volatile", "("] and len(following) > 3 and following[2] in COLD_CALLS and following[3] == ":"
        if word in ASSEMBLER and not cold:
            raise Refused(f"line {number}: assembler: what needs it is a function of the kernel's (src/x86/cpufunc.h)")
        if word in keep_off:
            raise Refused(f"line {number}: {word} is not for units")
        if word in SEGMENTS:
            raise Refused(f"line {number}: {word} is not taken here")
        if word.startswith("__builtin_") and not BUILTINS.match(word):
            raise Refused(f"line {number}: {word} is not taken here")
        if word == "goto" and following[:1] == ["*"]:
            raise Refused(f"line {number}: goto through a pointer is not taken here")
        listed = []
        if word in ("__attribute__", "__attribute", "__declspec"):
            listed = attribute_names(following) or ["?"]
        elif word in ("[", "<:") and following[:1] in (["["], ["<:"]):
            listed = attribute_names([word, *following]) or ["?"]
        for name in listed:
            plain = name[2:-2] if name.startswith("__") and name.endswith("__") and len(name) > 4 else name
            if plain not in ATTRIBUTES and plain != "gnu":
                raise Refused(f"line {number}: attribute {name}: not one that a unit needs")


# ---------------------------------------------------------------------------- the object

def compile_text(path: Path, text: str, flavor: str, cc: str | None, work: Path) -> Path:
    """Compile preprocessed text in an empty folder."""
    compiler, _, c = flags(flavor, VARIANTS[0], cc)
    out = work / "unit.o"
    done = bounded([*compiler, *c, "-w", "-x", "cpp-output", "-c", "-o", str(out), "-"], work, text)
    if done.returncode:
        raise compile_error(path, flavor, done)
    return out


SYMBOL = re.compile(r"^[0-9a-f]{8,16} (.{7}) (\S+)\t[0-9a-f]+ +(.*)$")
SECTION = re.compile(r"^ *\d+ (\S+) +([0-9a-f]+) .*$")


def check_object(objdump: str, unit: str, functions: tuple[str, ...], allowed: set[str]) -> None:
    """Judge an object by what `objdump -whtrd` says of it."""
    defined, in_code = set(), False
    for line in objdump.split("\n"):
        if (symbol := SYMBOL.match(line)):
            check_symbol(symbol[1], symbol[2], symbol[3].split()[-1] if symbol[3].split() else "", defined, allowed)
        elif not in_code and (section := SECTION.match(line)):
            check_section(section[1], int(section[2], 16), line)
        elif line.startswith("Disassembly of"):
            in_code = True
        elif in_code:
            check_code(line)
    wrong = labs.wrong_globals(defined, unit, functions)
    if wrong:
        raise Refused(wrong)


def check_symbol(what: str, section: str, name: str, defined: set[str], allowed: set[str]) -> None:
    if what[4] == "i" or what[1] == "w" or what[0] == "u":
        raise Refused(f"{name} is weak or chosen when the kernel starts: a plain function is wanted")
    if section == "*UND*":
        if name and name not in allowed:
            raise Refused(f"refers to {name}: not among what this unit may use (src/hat/allowed)")
        return
    if section == "*ABS*" and "f" not in what[6:]:
        raise Refused(f"{name} is a symbol with an address of its own choice")
    if what[0] in "g!" or section == "*COM*":
        defined.add(name)
        if "F" not in what[6:] or not section.startswith(".text"):
            raise Refused(f"{name} is not a function but an object that others can see: make it static")


def check_section(name: str, size: int, line: str) -> None:
    if not SECTIONS.match(name):
        raise Refused(f"puts something into a section of its own, {name}")
    if name.startswith(".note.GNU-stack") and "CODE" in line:
        raise Refused("needs a stack that can be executed (the address of a function inside a function)")
    most = MAX_SIZE if name.startswith(".text") else MAX_DATA
    if size > most:
        raise Refused(f"has {size} bytes in {name}: at most {most} are taken")


CODE = re.compile(r"^\s+[0-9a-f]+:\t(.*?)\s*$")
RELOCATION = re.compile(r"^\s+[0-9a-f]+: R_\S+\s+(\S+)")


def check_code(line: str) -> None:
    relocation = RELOCATION.match(line)
    if relocation:
        if relocation[1].startswith("*ABS*"):
            raise Refused("calls a fixed address")
        return
    code = CODE.match(line)
    if not code:
        return
    text = code[1].split("#")[0].strip()
    if re.match(r"call[lqw]? +\*", text):
        raise Refused("calls through a pointer: call the function by its name")
    if re.match(r"jmp[lqw]? +\*%", text):
        raise Refused("jumps through a pointer (a computed goto?)")
    if INSTRUCTIONS.match(text):
        raise Refused(f"has the instruction {text.split()[0]} in it: not one for units")


# ---------------------------------------------------------------------------- all together

def judge(path: Path, lab: labs.Lab, unit: str, flavor: str, cc: str | None = None) -> str | None:
    """Why this file cannot be this unit on this kernel, in one line; None: it can."""
    try:
        text = read_unit(path)
        variants = VARIANTS if check_directives(text) else VARIANTS[:1]
        seen: set[str] = set()
        with tempfile.TemporaryDirectory(dir=CACHE, prefix="work-") as name:
            work = Path(name)
            for variant in variants:
                whole = preprocess(path, flavor, variant, cc, work)
                if whole in seen:
                    continue
                seen.add(whole)
                check_lines(own_lines(whole, path))
                obj = compile_text(path, whole, flavor, cc, work)
                done = subprocess.run(["objdump", "-whtrd", "--no-show-raw-insn", str(obj)], capture_output=True, text=True,
                                      errors="replace", env=dict(os.environ, LC_ALL="C"))
                if done.returncode:
                    raise Refused(f"its object cannot be read: {first_line(done.stderr)}")
                check_object(done.stdout, unit, lab.functions(unit), allowed_names(lab, unit))
    except Refused as e:
        return str(e)
    except subprocess.TimeoutExpired:
        return f"does not compile for {flavor} in reasonable time"
    return None


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(text)
    os.replace(fresh, path)


@lru_cache(maxsize=None)
def rules(cc: str | None) -> str:
    """Changes when anything changes that a judgement depends on, but the unit itself."""
    digest = hashlib.sha256()
    for path in (Path(__file__), ALLOWED, labs.UNITS, SRC / "kernel.mk"):
        digest.update(path.read_bytes())
    for folder, folders, files in os.walk(SRC):
        folders[:] = sorted(f for f in folders if f not in ("tools", "tests", "host", "user"))
        for name in sorted(files):
            if name.endswith(".h"):
                info = os.stat(os.path.join(folder, name))
                digest.update(f"{folder}/{name} {info.st_mtime_ns} {info.st_size}\n".encode())
    compiler = shutil.which(cc or "cc") or "?"
    digest.update(f"{compiler} {os.stat(compiler).st_mtime_ns if compiler != '?' else 0}".encode())
    return digest.hexdigest()


_busy: dict[str, threading.Lock] = defaultdict(threading.Lock)     # one judgement at a time of the same thing


def judge_cached(path: Path, lab: labs.Lab, unit: str, flavor: str, cc: str | None) -> str | None:
    """judge(), remembered by what was judged, wherever it lies. A file that is a link or too big is never read for that."""
    try:
        info = os.lstat(path)
        if not stat.S_ISREG(info.st_mode) or info.st_size > MAX_SIZE:
            return judge(path, lab, unit, flavor, cc)
        content = path.read_bytes()
    except OSError:
        return judge(path, lab, unit, flavor, cc)
    key = hashlib.sha256(f"{rules(cc)} {lab.name} {unit} {flavor} {cc}\n".encode() + content).hexdigest()[:32]
    kept = CACHE / key[:2] / key
    with _busy[key]:
        try:
            return kept.read_text() or None
        except OSError:
            pass
        CACHE.mkdir(parents=True, exist_ok=True)
        reason = judge(path, lab, unit, flavor, cc)
        write(kept, reason or "")
    return reason


def refusals(lab: labs.Lab | int, folder: Path | str = "labs", flavors: tuple[str, ...] | list[str] = FLAVORS,
             cc: str | None = None) -> dict[str, str]:
    """{unit: reason} of those units of a lab that must not be linked. `folder`: a labs/ folder, or the lab's own."""
    lab = lab if isinstance(lab, labs.Lab) else labs.get(lab)
    cc = cc or os.environ.get("CC")
    where = lab.folder(folder)
    wanted = [(unit, flavor) for unit in lab.unit_names for flavor in flavors]
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        reasons = list(pool.map(lambda w: judge_cached(where / f"{w[0]}.c", lab, w[0], w[1], cc), wanted))
    found: dict[str, str] = {}
    for (unit, _), reason in zip(wanted, reasons):
        if reason is not None:
            found.setdefault(unit, f"{unit}.c: {reason}" if reason.startswith("line ") else f"{unit}.c {reason}")
    return found
