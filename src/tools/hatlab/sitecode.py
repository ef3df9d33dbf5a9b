# SPDX-License-Identifier: ISC
"""What the site says about code, read from code: functions with their contracts and calls, who names an invariant, constants.

Doxygen itself parses the sources: its XML is read here.
"""

from __future__ import annotations

import re
import subprocess
import xml.etree.ElementTree as xml
from dataclasses import dataclass, field
from pathlib import Path

from .host import ROOT, HostError
from .lab import unit_table

# For this pass only: what a contract says, in a form that can be told apart.
XML_SETTINGS = """
GENERATE_HTML=NO
GENERATE_TAGFILE=
GENERATE_XML=YES
XML_PROGRAMLISTING=NO
HAVE_DOT=NO
WARNINGS=NO
WARN_AS_ERROR=NO
ALIASES="lab{1}=@par Lab^^\\1^^" "inv{1}=@par Invariant^^\\1^^" "locks=@par Locks^^" "panics=@par Panics^^" "watch=@par Watch^^"
"""
ID = re.compile(r"\b([SLNFEPD]\d{1,2})\b")


@dataclass
class Function:
    """One function of a public header."""

    name: str
    file: str               # hat/htable.h
    brief: str
    said: dict[str, list[str]] = field(default_factory=dict)    # "Locks", "Invariant", "Lab", "Panics", "Returns": its paragraphs
    unit: str = ""          # "lab3-building/htable_create"
    type: str = "void"
    parameters: dict[str, str] = field(default_factory=dict)        # name: type
    described: set[str] = field(default_factory=set)                # those that @param names
    inline: bool = False

    @property
    def lab(self) -> int | None:
        return int(self.unit[3 : self.unit.index("-")]) if self.unit else None

    @property
    def invariants(self) -> list[str]:
        return self.said.get("Invariant", [])


def run_doxygen(settings: str) -> str:
    """Doxygen with docs/Doxyfile and what is said here; its complaints. At the top of the tree."""
    try:
        done = subprocess.run(["doxygen", "-"], cwd=ROOT, input=f"@INCLUDE=docs/Doxyfile\n{settings}\n", text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except FileNotFoundError:
        raise HostError("doxygen is not installed (make setup brings it)") from None
    # The name of the tree is of no interest to anybody.
    return done.stdout.replace(f"{ROOT}/", "") + ("" if done.returncode == 0 else f"doxygen: exit {done.returncode}\n")


def units_of_functions() -> dict[str, str]:
    """{function: lab's folder/unit}"""
    return {name: f"{lab}/{unit}" for lab, units in unit_table().items() for unit, names in units.items() for name in names}


def functions(settings: str, folder: Path) -> dict[str, Function]:
    """All functions that Doxygen finds documented or declared in headers, by name."""
    said = run_doxygen(settings + XML_SETTINGS)
    if not folder.exists():
        raise HostError(f"doxygen wrote no XML: {said.strip()}")
    where = units_of_functions()
    found: dict[str, Function] = {}
    for path in sorted(folder.glob("*.xml")):
        for member in xml.parse(path).getroot().iterfind(".//memberdef[@kind='function']"):
            one = _function(member)
            if one is not None and (one.name not in found or not found[one.name].brief):
                one.unit = where.get(one.name, "")
                found[one.name] = one
    return found


def _text(element: xml.Element | None) -> str:
    return " ".join("".join(element.itertext()).split()) if element is not None else ""


def _sentence(para: xml.Element | None) -> str:
    """What a paragraph says before it comes to parameters and the like."""
    said = [para.text or ""] if para is not None else []
    for child in para if para is not None else ():
        if child.tag in ("parameterlist", "simplesect"):
            break
        said += [_text(child), child.tail or ""]
    return " ".join("".join(said).split())


def _function(member: xml.Element) -> Function | None:
    location = member.find("location")
    file = location.get("declfile") or location.get("file")
    if not file.endswith(".h"):
        return None
    one = Function(member.findtext("name"), file.removeprefix(f"{ROOT}/").removeprefix("src/"), _text(member.find("briefdescription")),
                   type=_text(member.find("type")), inline=member.get("inline") == "yes")
    one.parameters = {param.findtext("declname"): _text(param.find("type")) for param in member.iterfind("param") if param.find("declname") is not None}
    one.described = {_text(name) for name in member.iterfind(".//parameterlist[@kind='param']//parametername")}
    detailed = member.find("detaileddescription")
    if not one.brief:
        one.brief = _sentence(detailed.find("para"))
    for section in member.iterfind(".//simplesect"):
        title = section.findtext("title") or {"return": "Returns"}.get(section.get("kind"), "")
        one.said.setdefault(title, []).append(_text(section.find("para")))
    return one


def locks_of_units() -> dict[str, str]:
    """{unit: what docs/units.md says of its locks}"""
    found = {}
    for line in (ROOT / "docs/units.md").read_text(encoding="utf-8").splitlines():
        row = re.match(r"\| `(\w+)\.c` \|.*\| ([^|]+) \|$", line)
        if row:
            found[row[1]] = row[2]
    return found


def calls_of(path: Path, names: set[str]) -> list[str]:
    """Which of these functions a file calls, its own helpers' calls included; in alphabetical order."""
    code = re.sub(r"/\*.*?\*/|\"[^\"\n]*\"", "", path.read_text(encoding="utf-8"), flags=re.S)
    defined = set(re.findall(r"^(\w+)\(", code, flags=re.M))
    return sorted((set(re.findall(r"\b(\w+)\(", code)) & names) - defined)


def who_names(ids: set[str]) -> dict[str, list[tuple[str, int]]]:
    """{invariant: [(file, line)]} for the HAT's own code, answers and what watches over them."""
    found: dict[str, list[tuple[str, int]]] = {}
    files = [*sorted((ROOT / "src/hat").glob("*.[ch]")), *sorted((ROOT / "solutions").glob("*/*.c")),
             *sorted((ROOT / "labs").glob("*/*.[ch]")), *sorted((ROOT / "src/check").glob("*.[ch]"))]
    for path in files:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            for name in set(ID.findall(_cites(line))) & ids:
                found.setdefault(name, []).append((str(path.relative_to(ROOT)), number))
    return found


def _cites(line: str) -> str:
    """The part of a line in which a number can be an invariant's: comments and texts, not what the tag @inv says."""
    line = re.sub(r"@inv\{\w+\}", "", line)
    comment = re.search(r"/\*.*|^\s*\*.*|//.*", line)
    return " ".join([comment[0] if comment else "", *re.findall(r'"[^"]*"', line)])


def constants(flavor: str, names: list[str]) -> dict[str, int]:
    """Values of macros of memmap.h and what it includes, as the compiler sees them."""
    lines = "\n".join(f'"{name}" {name}' for name in names)
    done = subprocess.run([*_compiler(), "-E", "-P", "-nostdinc", "-Isrc", f"-Isrc/{flavor}", "-"], cwd=ROOT, text=True,
                          input=f"#include <memmap.h>\n{lines}\n", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode != 0:
        raise HostError(f"memmap.h of {flavor}: {done.stderr.strip().splitlines()[0]}")
    found = {}
    for name, value in re.findall(r'^"(\w+)" (.*)$', done.stdout, flags=re.M):
        value = re.sub(r"(0x[0-9a-fA-F]+|\b\d+)[uUlL]+\b", r"\1", value)
        if not re.fullmatch(r"[0-9a-fA-Fx+*() -]+", value):
            raise HostError(f"memmap.h of {flavor} has no number for {name}: {value}")
        found[name] = eval(value)   # digits, parentheses, + - * only
    return found


def _compiler() -> list[str]:
    from shutil import which

    for name in ("gcc", "x86_64-elf-gcc", "cc"):
        if which(name):
            return [name]
    raise HostError("there is no C compiler (make setup brings one)")
