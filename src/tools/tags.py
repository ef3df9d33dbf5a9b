#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Write the file `tags`: where each name of the sources is defined, for editors (vi -t NAME, Emacs' M-.).

What a student writes (labs/) comes with what it stands for (solutions/); other answers and mistakes are left out.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from hatlab import host

ENDINGS = {".c", ".h", ".S", ".py"}
LEFT_OUT = {"right", "wrong", "cheats", "deaths", "weak"}


def program() -> str:
    """Universal Ctags; other programs of that name lack its options."""
    for name in ("ctags-universal", "ctags"):
        path = shutil.which(name)
        if path:
            said = subprocess.run([path, "--version"], stdin=subprocess.DEVNULL, capture_output=True, text=True).stdout
            if "Universal Ctags" in said:
                return path
    raise host.HostError("Universal Ctags is not installed (package universal-ctags)")


def sources() -> list[str]:
    """What is tagged, students' files first."""
    found = []
    for tree in ("labs", "src", "solutions"):
        for path in sorted((host.ROOT / tree).rglob("*")):
            inside = path.relative_to(host.ROOT)
            if path.suffix in ENDINGS and not LEFT_OUT & set(inside.parts):
                found.append(str(inside))
    return found


def main(argv: list[str]) -> int:
    """The only argument is the file to write."""
    out = Path(argv[0] if argv else "tags").absolute()
    # Words that stand before a name and would be taken for it.
    command = [program(), "-f", str(out), "--tag-relative=yes", "--languages=C,Python,Asm", "--langmap=C:+.h",
               "-I", "NORETURN,NOINLINE,PACKED,PRINTFLIKE+,BOOT_TEXT", "-L", "-"]
    done = subprocess.run(command, cwd=host.ROOT, input="\n".join(sources()), capture_output=True, text=True)
    if done.returncode:
        raise host.HostError(f"ctags failed: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
    names = sum(not line.startswith("!") for line in out.read_text(errors="replace").splitlines())
    print(f"{out.name}: {names} names")
    return 0


if __name__ == "__main__":
    host.main(main)
