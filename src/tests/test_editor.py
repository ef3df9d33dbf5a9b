# SPDX-License-Identifier: ISC
"""Editor comfort (docs/editors.md): what is promised to editors is there and works."""

import json
import os
import random
import re
import subprocess
from pathlib import Path

from common import FLAVORS, TOP, run
from testall import cases, limit, needs, seed

SAMPLE = 24  # of more than a thousand commands
UNBUILT = {"src/boot/kernel.lds.S"}  # not compiled; what stands below weak/ is linked in place of something else


def commands():
    """The entries that make writes, somewhere else than at the top."""
    out = Path(os.environ["TMPDIR"]) / "commands.json"
    run("python3", "src/tools/compile_commands.py", out)
    return json.loads(out.read_text())


def test_every_source_has_a_command():
    """compile_commands.json has each source once per flavour that compiles it"""
    entries = commands()
    keys = [(e["file"], re.search("amd64|i386", e["output"])[0]) for e in entries]
    assert len(keys) == len(set(keys)), "a file twice for one flavour"
    for tree in ("src", "labs", "solutions"):
        for path in (TOP / tree).rglob("*.[cS]"):
            name = str(path.relative_to(TOP))
            if name in UNBUILT or name.startswith(("src/tests/", "src/tools/")) or "/weak/" in name:
                continue
            flavors = {flavor for file, flavor in keys if file == name}
            # The 64-bit kernel runs 32-bit programs too; one file of the counters is for 32 bits only.
            one = {"i386", "amd64"} & set(path.parts)
            expected = {"i386"} if path.name == "add64.c" else set(FLAVORS) if not one or "user" in path.parts else one
            assert flavors == expected or "user" in path.parts and one <= flavors, f"{name}: {flavors}"


def test_commands_compile():
    """a sample of the commands, run without output: no errors"""
    entries = commands()
    for entry in random.Random(seed()).sample(entries, SAMPLE):
        words = entry["arguments"]
        at = words.index("-o")
        words = [*words[:at], *words[at + 2:], "-fsyntax-only", "-o", os.devnull]
        done = subprocess.run(words, cwd=entry["directory"], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout[-1500:]}"


@needs("clangd")
@cases("src/hat/hment.c", "labs/lab3-building/htable_create.c")
def test_clangd(source):
    """clangd reads them and understands a kernel file and a student's"""
    commands()
    folder = Path(os.environ["TMPDIR"])
    (folder / "commands.json").rename(folder / "compile_commands.json")
    done = run("clangd", f"--compile-commands-dir={folder}", f"--check={source}")
    assert f"{source}" in done.stdout and re.search(r"All checks completed, 0 errors", done.stdout), done.stdout[-1500:]
    assert "Loaded compilation database" in done.stdout or "Compile command from CDB" in done.stdout, done.stdout[:1500]


@needs("ctags")
def test_tags():
    """make tags finds functions, types and macros, students' files first, and no mistakes"""
    out = Path(os.environ["TMPDIR"]) / "tags"
    run("python3", "src/tools/tags.py", out)
    found = [line.split("\t")[:2] for line in out.read_text().splitlines() if not line.startswith("!")]
    for name, place in (("kmain", "src/kern/kmain.c"), ("htable_create", "labs/lab3-building/htable_create.c"),
                        ("htable_create", "solutions/lab3-building/htable_create.c"), ("mb1_info", "src/boot/mbinfo.c"),
                        ("VGA_TEXT", "src/kern/kmain.c"), ("examine", "src/tools/hatlab/compare.py")):
        assert any(n == name and p.endswith(place) for n, p in found), (name, place)
    assert not [p for _, p in found if "/wrong/" in p]


def test_tags_without_ctags():
    """without Universal Ctags: one line that names the package"""
    done = run("/usr/bin/python3", "src/tools/tags.py", check=False, env={"PATH": "/nonexistent"})
    assert done.returncode == 2 and done.stdout.strip() == "tags: Universal Ctags is not installed (package universal-ctags)"


def targets():
    return set(re.findall(r"^([a-z][a-z_.-]*):", (TOP / "Makefile").read_text(), re.M))


def test_vscode_tasks():
    """.vscode/tasks.json has grade, debug, view, run and test; each calls a target that exists, with inputs that exist"""
    data = json.loads((TOP / ".vscode/tasks.json").read_text())
    inputs = {i["id"] for i in data["inputs"]}
    tasks = {t["label"]: t["command"] for t in data["tasks"]}
    assert set(tasks) == {"run", "test", "grade", "debug", "view"}
    for label, command in tasks.items():
        words = command.split()
        assert words[:2] == ["make", label] and label in targets(), command
        assert set(re.findall(r"\$\{input:(\w+)\}", command)) <= inputs, command
    labs = [p.name for p in (TOP / "labs").glob("lab[0-9]*")]
    options = next(i["options"] for i in data["inputs"] if i["id"] == "lab")
    assert sorted(f"lab{o}" for o in options) == sorted(name.split("-")[0] for name in labs)


def test_devcontainer():
    """.devcontainer: Debian 12, and the packages come from src/tools/packages alone"""
    folder = TOP / ".devcontainer"
    data = json.loads((folder / "devcontainer.json").read_text())
    assert (folder / data["build"]["context"]).resolve() == TOP
    text = (folder / data["build"]["dockerfile"]).read_text()
    assert re.search(r"^FROM debian:12$", text, re.M)
    for source in re.search(r"^COPY (.*) \S+$", text, re.M)[1].split():
        assert (TOP / source).is_file(), source
    named = set(re.search(r"apt-get install (.*)", text)[1].split()) - {"-y", "--no-install-recommends"}
    # What set-up cannot bring itself: it is asked by make, and apt wants certificates.
    assert named == {"ca-certificates", "git", "make"}, named
    assert set(data["postCreateCommand"].split()) - {"make"} <= targets()


def test_devcontainer_installs():
    """the container's set-up command, at the place where the Dockerfile puts it, plans to install the whole list"""
    place = Path(os.environ["TMPDIR"]) / "hatlab/src/tools"
    place.mkdir(parents=True)
    for name in ("packages", "setup.sh"):
        (place / name).write_bytes((TOP / "src/tools" / name).read_bytes())
    table = place / "packages"
    # As on an empty machine: nothing that is looked for is there.
    table.write_text(re.sub(r"^(need|tests|optional)(\s*\|)[^|]*", r"\1\2 hatlab-no-such-command ", table.read_text(), flags=re.M))
    done = run("sh", place / "setup.sh", "--all", "--dry-run", env={"HATLAB_SYSTEM": "debian"})
    for row in (TOP / "src/tools/packages").read_text().splitlines():
        if row.strip() and not row.startswith("#"):
            for package in row.rsplit("|", 5)[1].split():
                assert re.search(rf"\b{re.escape(package)}\b", done.stdout.splitlines()[-1]), package


def c_files():
    """Every C file of the tree, students' and answers included."""
    return sorted(str(path.relative_to(TOP)) for tree in ("src", "labs", "solutions") for path in (TOP / tree).rglob("*.[ch]"))


@needs("clang-format-14")
def test_format():
    """.clang-format: every C file satisfies it, and it notices what does not"""
    files = c_files()
    assert len(files) > 500
    done = run("clang-format-14", "--dry-run", "-Werror", *files, check=False)
    assert done.returncode == 0, done.stdout[-1500:]
    bad = Path(os.environ["TMPDIR"]) / "bad.c"
    bad.write_text((TOP / files[0]).read_text() + "\nstatic int bad(int a)\n{\n    return a;\n}\n")
    style = f"--style=file:{TOP}/.clang-format"
    assert run("clang-format-14", style, "--dry-run", "-Werror", bad, check=False).returncode != 0
