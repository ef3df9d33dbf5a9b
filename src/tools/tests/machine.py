# SPDX-License-Identifier: ISC
"""Help for tests that boot something small: the tiny kernel, and commands of src/tools with a changed environment."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from hatlab import image

TOOLS = Path(__file__).resolve().parents[1]
TINY = TOOLS / "tests" / "tiny"


def tiny(multiboot2=True):
    """Build the tiny kernel; its ELF file and its image, in the test's own directory."""
    folder = Path(tempfile.mkdtemp())
    elf, iso = folder / "tiny.elf", folder / "tiny.iso"
    subprocess.run(["cc", "-m32", "-c", TINY / "tiny.S", "-o", folder / "tiny.o"], check=True)
    link = ["ld", "-m", "elf_i386", "-n", "--no-warn-rwx-segments", "-T", TINY / "tiny.ld", folder / "tiny.o", "-o", elf]
    subprocess.run(link, check=True)
    image.build(elf, iso, multiboot2=multiboot2)
    return elf, iso


def command(name, *args, timeout=60, **env):
    """Run a command of src/tools; the completed process."""
    return subprocess.run(
        [sys.executable, str(TOOLS / name), *map(str, args)], capture_output=True, text=True, timeout=timeout,
        stdin=subprocess.DEVNULL, env={**os.environ, **env},
    )


def fake_program(text):
    """An executable shell script; its path."""
    path = Path(tempfile.mkdtemp()) / "bochs"
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path


def run_directories():
    """The directories of runs under TMPDIR (each test has a TMPDIR of its own)."""
    return sorted(p.name for p in Path(tempfile.gettempdir()).glob("hatlab-*"))
