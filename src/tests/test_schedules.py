# SPDX-License-Identifier: ISC
"""Every interleaving of small scenarios (src/host/sched, docs/schedules.md): complete, repeatable, and it finds what it should."""

import re

from common import FLAVORS, TOP, held, run
from testall import cases, limit


def build(flavor, goal="all"):
    """The folder of the program, built."""
    folder = TOP / "build" / f"host-{flavor}-sched"
    with held(folder / "lock"):
        run("make", "-s", "-j2", "-f", "src/host/sched/sched.mk", f"FLAVOR={flavor}", "WERROR=-Werror", goal, timeout=280)
    return folder


def schedules(flavor, *words, check=True):
    """What the program says."""
    return run(build(flavor) / "sched", *words, check=check, timeout=200)


COMPLETE = r"^{} ([\w-]+): all (\d+) schedules of \d CPUs with at most 2 preemptions, (\d+) of them to the end; at most (\d+) points"
WANTED = {"create-create", "create-release", "lookup-release", "steal-unmap", "steal-exit", "share-unshare", "set-inval", "update-write",
          "reap-alloc"}


@cases(*FLAVORS)
@limit(300)
def test_schedules_all(flavor):
    """every scenario, up to two preemptions, to the last schedule"""
    text = schedules(flavor).stdout
    found = {name: (int(n), int(ends), int(points)) for name, n, ends, points in re.findall(COMPLETE.format(flavor), text, re.M)}
    print("\n".join(f"{flavor} {name}: {n} schedules, {ends} to the end" for name, (n, ends, _) in found.items()))
    assert WANTED <= found.keys(), WANTED - found.keys()
    assert all(n >= ends > 1 and points > 1 for n, ends, points in found.values()), found
    assert re.search(rf"^{flavor}: {len(found)} scenarios well, 0 not", text, re.M), text


@cases(*FLAVORS)
@limit(300)
def test_schedules_replay(flavor):
    """a schedule has a number, and by it, or by its switches, it is the same again"""
    words = ("--scenario", "create-release")
    many = int(re.search(COMPLETE.format(flavor), schedules(flavor, *words).stdout, re.M).group(2))
    for number in (2, many // 2, many):
        text = schedules(flavor, *words, "--schedule", number).stdout
        assert text == schedules(flavor, *words, "--schedule", number).stdout
        trace = text.split("repeat it with:")[0].splitlines()[1:]
        switches = re.search(r"--switches '([^']*)'", text).group(1)
        again = schedules(flavor, *words, "--switches", switches).stdout.splitlines()[1:]
        assert again[:len(trace)] == trace or trace[:len(again)] == again, (text, again)
        assert "(preemption)" in text or number == 2, text
