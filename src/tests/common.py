# SPDX-License-Identifier: ISC
"""What the tests of whole kernels share: building images of their own, booting them, comparing them."""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "src/tools"))

from hatlab.host import held, runnable  # noqa: E402  (the path comes first)

FLAVORS = ("i386", "amd64")


def run(*command, check=True, env=None, timeout=110):
    """Run a command at the top of the project; its output as text, shown when it fails."""
    command = [sys.executable if c == "python3" else c for c in command]
    command = runnable(command)
    environment = dict(os.environ, **(env or {}))
    environment.pop("MAKEFLAGS", None)
    done = subprocess.run([str(c) for c in command], cwd=TOP, env=environment, timeout=timeout, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout[-3000:]}")
    return done


# Words of the command line that only an image made with TESTS=1 knows.
TEST_WORDS = re.compile(r"\b(checks|copy|damage|selftest|crash|costs|stress)=")


def image_for(flavor, args):
    """The plain image, or the one with tests in it when the command line asks for some."""
    return image(flavor, "tests" if TEST_WORDS.search(args) else "")


def image(flavor, name="", **variables):
    """Build an image (make variables of src/kernel.mk) and return the directory it is in. All but the plain one have tests."""
    if name:
        variables.setdefault("TESTS", 1)
    folder = TOP / "build" / (f"{flavor}-{name}" if name else flavor)
    folder.mkdir(parents=True, exist_ok=True)
    words = [f"{key}={value}" for key, value in variables.items()]
    shared = TOP / variables.get("O", folder)  # whoever compiles there takes turns
    with held(shared / "lock"):
        run("make", "-s", "-j2", "-f", "src/kernel.mk", f"FLAVOR={flavor}", f"IMAGE={name}", "WERROR=-Werror", *words, timeout=380)
    return folder


def boot(flavor, args="", folder=None, **options):
    """Boot an image built by image() (default: the plain one) and return hatlab.run's Result."""
    from hatlab import run as hatlab_run

    folder = folder or image_for(flavor, args)
    return hatlab_run.boot(flavor, args, image=folder / "hatlab.iso", kernel=folder / "kernel.elf", **options)


def compare(flavor, *options, args="", folder=None, check=True):
    """Run the comparison as `make compare` does; its exit code, text, and what --json says."""
    folder = folder or image_for(flavor, args)
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        done = run("python3", "src/tools/compare.py", "--flavor", flavor, "--image", folder / "hatlab.iso",
                   "--kernel", folder / "kernel.elf", "--args", args, "--json", out.name, *options, check=check)
        out.seek(0)
        text = out.read()
    return done.returncode, done.stdout, json.loads(text) if text else None


def checks(result):
    """{(check, unit, copy): (result, text)} of a run."""
    found, unit = {}, {}
    for record in result.records:
        if record.kind == "check-begin":
            unit[record["name"]] = (record.get("unit", "-"), record.get("copy", "-"))
        elif record.kind == "check-end":
            found[(record["name"], *unit[record["name"]])] = (record["result"], record.get("text", ""))
    return found
