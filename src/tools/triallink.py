#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Prepare several copies of lab units for one image (see src/trial.mk).

    triallink.py --units src/hat/units --flavor amd64 --dir build/amd64-x/trial COPY:UNIT=OBJECT ...

Each COPY:UNIT=OBJECT is a compiled copy of a unit's file; the copy called "ref" is the reference and every unit needs
one. Written into --dir:

    COPY.UNIT.o      the object with each function f of the unit called f__COPY (objcopy --redefine-syms COPY.UNIT.syms)
    jumps.S          each f: its number, and on to trial_dispatch
    table.c          the numbers: names, which argument says for whom f works, and the copies' addresses
"""
import argparse
import io
import os
import re
import subprocess
import sys

from hatlab.lab import wrong_globals

AT_ONCE = 8  # objcopies
KINDS = {"hat": "TRIAL_HAT", "ht": "TRIAL_TABLE", "-": "TRIAL_THREAD"}
JUMP = {
    "amd64": "\tmovl\t${index}, %r11d\n\tjmp\ttrial_dispatch\n",
    "i386": "\tpushl\t${index}\n\tjmp\ttrial_dispatch\n",
}


def fail(text):
    sys.exit("triallink: " + text)


def read_units(path):
    """[(lab, unit, function, kind, argument)] in the order of the table."""
    rows = []
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            words = line.split("#")[0].split()
            if not words:
                continue
            match = re.fullmatch(r"(?:(hat|ht)(\d+)|(-))", words[3]) if len(words) == 4 else None
            if match is None:
                fail(f"{path}:{number}: not LAB UNIT FUNCTION hatN|htN|-")
            kind, argument = match.group(1) or "-", int(match.group(2) or 0)
            rows.append((*words[:3], KINDS[kind], argument))
    return rows


def read_copies(words, units):
    """{unit: {copy: object}}, the reference first."""
    copies = {}
    for word in words:
        match = re.fullmatch(r"([A-Za-z0-9_-]+):([A-Za-z0-9_]+)=(.+)", word)
        if match is None:
            fail(f'"{word}" is not COPY:UNIT=OBJECT')
        copy, unit, obj = match.groups()
        if unit not in units:
            fail(f'there is no unit called "{unit}"')
        if copies.setdefault(unit, {}).setdefault(copy, obj) != obj:
            fail(f'two objects for copy "{copy}" of unit {unit}')
    for unit in copies:
        if "ref" not in copies[unit]:
            fail(f"unit {unit} has no reference")
        copies[unit] = {"ref": copies[unit]["ref"], **copies[unit]}
    return copies


def defined_globals(nm, obj):
    out = subprocess.run([nm, "-g", "--defined-only", obj], capture_output=True, text=True, check=False)
    if out.returncode != 0:
        fail(f"{obj}: {out.stderr.strip()}")
    return {line.split()[-1] for line in out.stdout.splitlines() if line.strip()}


def check_object(nm, obj, unit, functions):
    """A copy defines the unit's functions and nothing else that others could see."""
    wrong = wrong_globals(defined_globals(nm, obj), unit, functions)
    if wrong:
        fail(f"{obj}: {wrong}")


def symbol(function, copy):
    return f"{function}__{copy.replace('-', '_')}"


def write_if_new(path, text):
    """What has not changed keeps its date: nothing is made from it again."""
    try:
        with open(path, encoding="utf-8") as f:
            if f.read() == text:
                return
    except OSError:
        pass
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def rename(args, changed, rows):
    """One object for each (copy, unit, object), under its own names; several at a time."""
    waiting = []
    for copy, unit, obj in changed:
        functions = [row[2] for row in rows if row[1] == unit]
        check_object(args.nm, obj, unit, functions)
        out = os.path.join(args.dir, f"{copy}.{unit}")
        write_if_new(out + ".syms", "".join(f"{name} {symbol(name, copy)}\n" for name in functions))
        apart = args.apart.split() if copy != "ref" else []
        waiting.append(subprocess.Popen([args.objcopy, f"--redefine-syms={out}.syms", *apart, obj, out + ".o"]))
        if len(waiting) >= AT_ONCE:
            finish(waiting)
    finish(waiting)


def finish(waiting):
    while waiting:
        if waiting.pop().wait() != 0:
            fail("objcopy failed")


def write_table(path, rows, copies):
    f = io.StringIO()
    f.write("/* Written by src/tools/triallink.py */\n#include <check/trial.h>\n\n")
    for _, unit, function, _, _ in rows:
        for copy in copies[unit]:
            f.write(f"extern void {symbol(function, copy)}(void);\n")
    for i, (_, unit, function, _, _) in enumerate(rows):
        items = ", ".join(f'{{ "{c}", (void *){symbol(function, c)} }}' for c in copies[unit])
        f.write(f"static const struct trial_copy copies{i}[] = {{ {items} }};\n")
    f.write("\nconst struct trial_func trial_funcs[] = {\n")
    for i, (lab, unit, function, kind, argument) in enumerate(rows):
        f.write(f'\t{{ "{function}", "{unit}", "{lab}", {kind}, {argument}, {len(copies[unit])}, copies{i} }},\n')
    f.write(f"}};\nconst uint_t trial_nfuncs = {len(rows)};\n")
    write_if_new(path, f.getvalue())


def write_jumps(path, rows, flavor):
    f = io.StringIO()
    f.write("/* Written by src/tools/triallink.py */\n\t.text\n")
    for i, (_, _, function, _, _) in enumerate(rows):
        f.write(f"\t.globl\t{function}\n\t.type\t{function}, @function\n{function}:\n")
        f.write(JUMP[flavor].replace("{index}", str(i)))
        f.write(f"\t.size\t{function}, . - {function}\n")
    f.write('\t.section .note.GNU-stack, "", @progbits\n')
    write_if_new(path, f.getvalue())


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--units", required=True)
    p.add_argument("--flavor", required=True, choices=sorted(JUMP))
    p.add_argument("--dir", required=True)
    p.add_argument("--nm", default="nm")
    p.add_argument("--objcopy", default="objcopy")
    p.add_argument("--apart", default="", help="options of objcopy for all copies but the reference")
    p.add_argument("--changed", action="append", metavar="OBJECT", help="rename only copies made from these (default: all)")
    p.add_argument("copies", nargs="+", metavar="COPY:UNIT=OBJECT")
    args = p.parse_args()

    table = read_units(args.units)
    copies = read_copies(args.copies, {row[1] for row in table})
    rows = [row for row in table if row[1] in copies]
    if len(rows) > 128:
        fail("more than 128 functions")  # TRIAL_MAXFUNCS in check/trial.c
    os.makedirs(args.dir, exist_ok=True)
    everything = [(copy, unit, obj) for unit, objects in copies.items() for copy, obj in objects.items()]
    rename(args, [c for c in everything if not args.changed or c[2] in args.changed], rows)
    write_table(os.path.join(args.dir, "table.c"), rows, copies)
    write_jumps(os.path.join(args.dir, "jumps.S"), rows, args.flavor)


if __name__ == "__main__":
    main()
