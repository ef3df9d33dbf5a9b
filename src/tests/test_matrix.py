# SPDX-License-Identifier: ISC
"""The same checks, scenarios, self tests and programs in every configuration there is: each mode of both kernels, on 1 and on 4 CPUs.

What needs more than this, other arguments or other CPU counts, is in the tests of its subject; here is the whole set, once.
"""

import re

from common import TOP, boot, checks
from test_client import expect_answers, programs
from testall import cases, limit

MODES = {"i386": "", "nonpae": "pae=0", "amd64": "", "windows": "kpm=0"}
FLAVOR = {"i386": "i386", "nonpae": "i386", "amd64": "amd64", "windows": "amd64"}
EACH = [f"{mode} {cpus}" for mode in MODES for cpus in (1, 4)]
WORDS = "tour=0 check_ticks=20000 watchdog=120000"
SOURCES = ("src/check/tests/*.c", "labs/*/checks*.c")


def written():
    """Names of all checks in the sources."""
    found = set()
    for pattern in SOURCES:
        for path in TOP.glob(pattern):
            text = re.sub(r"^#ifndef DEBUG\n.*?^#endif", "", path.read_text(), flags=re.M | re.S)  # those are in test_upper
            found |= set(re.findall(r'^CHECK\(\w+, "([^"]+)"', text, re.M))
    assert len(found) > 50, found
    return found


def run(which, words, folder=None):
    mode, cpus = which.split()
    result = boot(FLAVOR[mode], f"{WORDS} {MODES[mode]} {words}", folder=folder, cpus=int(cpus), timeout=280,
                  deadline=20_000_000_000)
    assert result.ok, (result.problem, result.details)
    return result


@cases(*EACH)
@limit(300)
def test_checks(which):
    """every check of the kernel's and of the labs is ok, and has the route to its tables that the mode stands for"""
    result = run(which, "checks=all")  # those of programs have none here, and say so: see test_programs
    found = {name for name, _, _ in checks(result)}
    wrong = {name: text for (name, _, _), (how, text) in checks(result).items() if how != "ok"}
    assert not wrong and found == written(), (wrong, found ^ written())
    notes = [(r["name"], r["text"]) for r in result.reader.find("check-note")]
    route = "linear map" if which.startswith("amd64") else "page window"
    assert ("routes", f"route: {route}") in notes, notes
    alone = {name for name, text in notes if text == "needs more than one CPU"}
    assert bool(alone) == which.endswith(" 1"), notes


@cases(*EACH)
@limit(300)
def test_selftest(which):
    """printf, division, memory, locks, threads, cross-calls and preemption: what is below the HAT"""
    ends = run(which, "selftest=1").reader.find("check-end")
    assert len(ends) >= 8, [r["name"] for r in ends]


@cases(*EACH)
@limit(300)
def test_programs(which):
    """programs alone, six at once, and while tables and translations are taken away under them: their answers are right"""
    mode, _ = which.split()
    result = run(which, "checks=client-alone,client-six,client-pressure", folder=programs(FLAVOR[mode]))
    assert len(checks(result)) == 3
    expect_answers(result, FLAVOR[mode], 4)
