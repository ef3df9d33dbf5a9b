# SPDX-License-Identifier: ISC
"""Every command that README.md or docs/ shows is typed, as it stands there or in a shorter form, here or by the test that is named.

The handouts' commands are run by test_handouts.py.
"""

import json
import re
import subprocess

from common import TOP, image
from testall import cases, limit

DOCUMENTS = sorted([TOP / "README.md", *(TOP / "docs").rglob("*.md")])

# Typed one after the other: (as it is shown; what is typed, if that is not the same; what must be said).
TYPED = {
    "run": [("make run", None, r"(?m)^amd64: OK, kernel, Bochs and raw memory agree: [5-9] checkpoints"),
            ('make run ARGS="scene=map:0x40000000:rw,write:0x40000000,stop:one"', None, r"checkpoint 3 one: cpu 0"),
            ('make run ARGS="tour=0 drill=40 drill_tell=1 seed=5"', None, r"(?m)^amd64: OK, kernel, Bochs and raw memory agree: 3 checkpoints"),
            ("make setup", None, "")],
    "qemu": [("make run EMU=qemu", "make run EMU=qemu FLAVOR=amd64", r"(?m)^amd64: OK"),
             ('make compare EMU=qemu FLAVOR=i386 CPUS=2 ARGS="pae=0"', None, r"(?m)^i386: OK")],
    "view": [("make view CP=two-spaces", None, r"two-spaces\.html: checkpoint two-spaces, \d\d tables; open it"),
             ("make view CP=two-spaces SINCE=user-space", None, r"two-spaces\.html: checkpoint two-spaces, \d\d tables; open it"),
             ("make view CP=user-space", None, r"user-space\.html"),
             ("make tree", None, r"checkpoint two-spaces: CPU 0"),
             ("make tree CP=user-space", None, r"checkpoint user-space: CPU 0")],
    "small": [("make", None, r"make run +set up, build, boot"), ("make help", None, r"make run +set up, build, boot"),
              ("make doctor", None, r"(?m)^ok +Bochs"), ("make tunables", None, r"(?m)^  kpm=1\t"),
              ("make compile_commands.json", None, r"commands"), ("make tags", None, r"tags: \d{4,} names"),
              ("python3 src/tools/boot.py --args \"monitor=user-space monitor_script=hats;vatopfn,0x400000;verify\"", None, r"(?s)> hats.*> verify")],
    "grade": [("make grade", "make grade LAB=0", r"(?m)^Score: \d+/\d+$"), ("make grade LAB=1", None, r"(?m)^Score: 20/\d+$|^Score: 0/\d+$"),
              ("make grade LAB=3", None, r"(?m)^Score: 0/\d+$"), ("make grade LAB=3 FLAVOR=amd64", None, r"(?m)^Score: 0/\d+$"),
              ("make grade LAB=3 SOLVED=1", None, r"(?m)^Score: (\d+)/\1$")],
    "handin": [("make handin LAB=1", "make handin LAB=1 ID=jane", r"build/handin/lab1-jane\.tar\.gz"),
               ("make handin LAB=3", "make handin LAB=3 ID=jane", r"build/handin/lab3-jane\.tar\.gz"),
               ("make grade SUBMISSION=build/handin/lab3-jane.tar.gz", None, r"(?m)^Score: 0/\d+$"),
               ("make grade SUBMISSION=file", "make grade SUBMISSION=build/handin/lab3-jane.tar.gz FLAVOR=i386", r"(?m)^Score: 0/\d+$"),
               ("make grade SUBMISSION=lab3-jane.tar.gz [LAB=3]", "make grade SUBMISSION=build/handin/lab3-jane.tar.gz LAB=3 FLAVOR=i386",
                r"(?m)^Score: 0/\d+$")],
    "answers": [("make questions LAB=3", "make questions LAB=3 ID=jane", r"The scene, which stops at s0"),
                ("python3 src/tools/answers.py --lab 3 --judge", "python3 src/tools/answers.py --lab 3 --judge --id jane", r"q1")],
    "site": [("make docs", None, r"build/docs/index\.html \(\d+ pages\)")],
    "quick": [("make quick LAB=3", None, r"This was the pretend machine, and it gives no points"),
              ("make quick LAB=3 SOLVED=1", None, r"(?m)^  ok +together$"), ("make quick LAB=3 FLAVOR=i386", None, r"it gives no points"),
              ("make grade CPUS=2", "make grade CPUS=2 LAB=0", r"(?m)^Score: \d+/\d+$")],
    "schedules": [("make schedules BOUND=2", None, r"(?m)^i386: \d+ scenarios well, 0 not")],
    "bench": [("make bench", "python3 src/tools/bench.py -k instructions-to-kmain", r"0 missed, 0 not measured")],
    "client": [("make -f src/kernel.mk FLAVOR=amd64 IMAGE=tests TESTS=1", None, ""),
               ("make -f src/user/user.mk FLAVOR=amd64 KERNEL_DIR=build/amd64-tests", None, ""),
               ("python3 src/tools/boot.py --flavor amd64 --image build/amd64-tests-user/hatlab.iso --kernel build/amd64-tests/kernel.elf "
                '--args "tour=0 checks=client-six check_ticks=8000"', None, r"client-six")],
    "fuzz": [("make fuzz", "make fuzz MINUTES=0.02 TARGET=parsers", r"fuzz: parsers: \d+ texts, nothing broke"),
             ("python3 src/tools/fuzz.py --smoke", "python3 src/tools/fuzz.py --smoke --target cmdline", r"nothing broke")],
    "handouts": [("python3 src/tools/handout.py --text labs/lab3-building/handout.md", None, ""),
                 ("python3 src/tools/figure.py", "python3 src/tools/figure.py --help", r"usage")],
}

# Typed by another test, which has these words: (as it is shown, the test's file, the words).
ELSEWHERE = [
    ("make test", "src/tools/tests/test_testall.py", "testall"),  # this run
    ("make debug LAB=0", "src/tests/test_debug.py", '"make", "-s", "debug"'),
    ("make debug LAB=1", "src/tests/test_debug.py", '"make", "-s", "debug"'),
    ("make debug LAB=3", "src/tests/test_debug.py", '"make", "-s", "debug"'),
    ("make debug LAB=n", "src/tests/test_debug.py", '"make", "-s", "debug"'),
    ("make debug LAB=3 CHECK=create-path", "src/tests/test_debug.py", "CHECK=alloc-kept"),
    ("make debug LAB=3 CP=two-spaces", "src/tests/test_debug.py", "CP=two-spaces"),
    ('make debug LAB=3 CP=one ARGS="scene=map:0x40000000:rw,stop:one"', "src/tests/test_debug.py", "CP=mine"),
    ("make bochs", "src/tests/test_debug.py", "bochs"),
    ("make schedules", "src/tests/test_schedules.py", "at most 2 preemptions"),  # with one more it takes minutes
    ("make replay", "src/tests/test_grade.py", "src/tools/replay.py"),
    ("make replay CHECK=name", "src/tests/test_grade.py", "src/tools/replay.py"),
    ("make replay CHECK=create-path", "src/tests/test_grade.py", '"--check", "create-path"'),
    ("make quick LAB=n", "src/tests/test_quick.py", "src/tools/quick.py"),
    ("make mutants", "src/tests/test_mutants.py", "mutants.py"),
    ("make mutants UNIT=htable_steal", "src/tests/test_mutants.py", "mutants.py"),
    ("make mutants SAMPLE=100 SEED=7", "src/tests/test_mutants.py", "mutants.py"),
    ("make unit", "src/tests/test_host.py", r"\d+ runs well, 0 not"),
    ("make handin LAB=n", "src/tools/tests/test_handin.py", "src/tools/handin.py"),
    ("make coverage", "src/tests/test_coverage.py", 'import_module("coverage")'),
    ("python3 src/tools/coverage.py --flavor amd64 | --judge | --again", "src/tests/test_coverage.py", 'import_module("coverage")'),
    ("make stress", "src/tests/test_stress.py", "stress"),
    ("make stress SEED=7", "src/tests/test_stress.py", "stress"),
    ("make stress OPS=500000 CPUS=2 FLAVOR=i386", "src/tests/test_stress.py", "stress"),
    ("python3 src/tools/answers.py --lab 3 --fill", "src/tests/test_answers.py", "tool.filled(lab)"),
    ("python3 src/tools/answers.py --lab 3 --template", "src/tests/test_answers.py", "answers.template(lab)"),
    ("python3 src/tools/handin.py --templates", "src/tools/tests/test_handin.py", "handin.templates_text()"),
    ("python3 src/tools/handout.py labs/lab3-building/handout.md", "src/tests/test_handouts.py", "handout"),
    ("python3 src/tools/handout.py --update labs/lab3-building/handout.md", "src/tests/test_handouts.py", "update"),
    ("python3 src/tools/testall.py -k client", "src/tests/test_client.py", "def test_"),  # that file is what it runs
    ("docker build -t hatlab -f .devcontainer/Dockerfile .", "src/tests/test_editor.py", "Dockerfile"),  # needs an image from the net
    ('docker run --rm -it -v "$PWD":/hatlab -w /hatlab hatlab make run', "src/tests/test_editor.py", "Dockerfile"),
]
BEGINS = re.compile(r"(make( |$)|(python3|sh|docker) )")


def commands(text):
    """What stands in code spans and indented lines and begins like a command, without the words that explain it."""
    text = re.sub(r"\\\n +", "", re.sub(r"```.*?```", "", text, flags=re.S))
    lines = [*re.findall(r"`([^`\n]+)`", text), *re.findall(r"(?m)^(?:    |\$ )(.*)$", text)]
    return {re.split(r"\t|  +|  *# ", line.strip())[0] for line in lines if BEGINS.match(line.strip())}


def test_all_are_tried():
    """each command of each document stands in one of the tables above, and nothing else does"""
    known = [shown for group in TYPED.values() for shown, _, _ in group] + [shown for shown, _, _ in ELSEWHERE]
    assert len(known) == len(set(known)), "twice"
    there = {command: path.name for path in DOCUMENTS for command in commands(path.read_text())}
    missing = {command: name for command, name in there.items() if command not in known}
    assert not missing, f"nobody types what these documents show: {json.dumps(missing, indent=1)}"
    assert set(known) <= set(there), f"shown nowhere any more: {set(known) - set(there)}"
    for shown, path, words in ELSEWHERE:
        assert words in (TOP / path).read_text(), f"{path} does not try {shown} any more"
    assert commands("`make run` x\n\n    make grade  all\n\n    python3 a \\\n        b\n\n`makes`\n") == {"make run", "make grade", "python3 a b"}


def test_variables():
    """a variable in a command is one that the Makefile uses"""
    text = (TOP / "Makefile").read_text()
    for path in DOCUMENTS:
        for command in commands(path.read_text()):
            if command.startswith("make ") and " -f " not in command:
                for name in re.findall(r"[ \[]([A-Z]+)=", command):
                    assert f"$({name})" in text or f"$(if $({name})" in text, f"{path.name}: {command}: the Makefile knows no {name}"


@cases(*TYPED)
@limit(500)
def test_typed(group):
    """a document's commands, typed"""
    for flavor in ("i386", "amd64"):
        image(flavor)
    for shown, typed, said in TYPED[group]:
        done = subprocess.run(["bash", "-c", typed or shown], cwd=TOP, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=240)
        assert done.returncode == 0, f"{typed or shown}: exit {done.returncode}\n{done.stdout[-2000:]}"
        assert re.search(said, done.stdout), f"{typed or shown}: does not say {said}\n{done.stdout[-2000:]}"
