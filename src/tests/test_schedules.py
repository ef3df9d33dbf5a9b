# SPDX-License-Identifier: ISC
"""Every interleaving of small scenarios (src/host/sched, docs/schedules.md): complete, repeatable, and it finds what it should."""

import functools
import re

from common import FLAVORS, TOP, held, run
from testall import cases, limit


@functools.cache
def build(flavor):
    """The folder of the program, built."""
    folder = TOP / "build" / f"host-{flavor}-sched"
    with held(folder / "lock"):
        run("make", "-s", "-j2", "-f", "src/host/sched/sched.mk", f"FLAVOR={flavor}", "WERROR=-Werror", timeout=280)
    return folder


def schedules(flavor, *words, check=True):
    """What the program says."""
    return run(build(flavor) / "sched", *words, check=check, timeout=200)


COMPLETE = r"^{} ([\w-]+): all (\d+) schedules of \d CPUs with at most 2 preemptions, (\d+) of them to the end, in (\d+) orders; at most (\d+) points"
WANTED = {"create-create", "create-release", "lookup-release", "steal-unmap", "steal-exit", "share-unshare", "set-inval", "update-write",
          "reap-alloc"}


@cases(*FLAVORS)
@limit(300)
def test_schedules_all(flavor):
    """every scenario, up to two preemptions, to the last schedule"""
    text = schedules(flavor).stdout
    found = {name: (int(n), int(ends), int(points)) for name, n, ends, _, points in re.findall(COMPLETE.format(flavor), text, re.M)}
    print("\n".join(f"{flavor} {name}: {n} schedules, {ends} to the end" for name, (n, ends, _) in found.items()))
    assert WANTED <= found.keys(), WANTED - found.keys()
    assert all(n >= ends > 1 and points > 1 for n, ends, points in found.values()), found
    assert re.search(rf"^{flavor}: {len(found)} scenarios well, 0 not", text, re.M), text


@cases("get-set", "set-inval", "lookup-release", "unload-join", "free-look")
def test_schedules_left_out(scene):
    """what is left out comes to states that have been met: nothing can be seen there that is not seen without leaving out"""
    counts = []
    for words in ((), ("--every", 1)):
        found = re.search(COMPLETE.format("amd64"), schedules("amd64", "--scenario", scene, *words).stdout, re.M)
        counts.append((int(found[2]), int(found[4])))
    (few, orders), (many, same) = counts
    assert orders == same > 1 and few < many, counts


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


def plants():
    """(mistake, scenario, preemptions, widths, only a data race) of src/host/sched/plants."""
    lines = (TOP / "src/host/sched/plants").read_text().splitlines()
    rows = [line.split() for line in lines if not line.startswith("#")]
    return [(path.split("/")[-1].rsplit(".", 1)[0], scene, int(least), widths, "race" in more) for path, scene, least, widths, *more in rows]


def planted(flavor, name, scene, least, _, only_race):
    """One mistake in one scenario: what is wrong with how it is found, or nothing."""
    done = schedules(flavor, "--plant", name, "--scenario", scene, "--bound", max(least, 0), check=False)
    if done.returncode != 1:
        return f"{name}: {scene}: exit {done.returncode}, not found\n{done.stdout[-1000:]}"
    found = re.search(rf"^{flavor} {scene}: schedule \d+, (\d+) preemptions?: .+$", done.stdout, re.M)
    if not found or int(found[1]) != least:
        return f"{name}: {scene}: not found with {least} preemptions:\n{done.stdout[-1000:]}"
    words = re.search(r"repeat it with:\n  \S+ (.*) --switches '(.*)'", done.stdout)
    again = schedules(flavor, *words[1].split(), "--switches", words[2], check=False)
    if again.returncode != 1 or found[0].split(": ", 2)[2] not in again.stdout:
        return f"{name}: {scene}: not there again:\n{again.stdout[-1000:]}"
    print(f"{flavor} {found[0][len(flavor) + 1:]} [{name}]")
    if "a data race" not in found[0]:
        return f"{name}: {scene}: no data race, but:\n{found[0]}" if only_race else ""
    if "is the other side of the race in" not in done.stdout:
        return f"{name}: {scene}: one side of the race is missing:\n{done.stdout[-1000:]}"
    harm = schedules(flavor, "--plant", name, "--scenario", scene, "--races", 0, check=False)
    if harm.returncode != (0 if only_race else 1):
        return f"{name}: {scene}: without races: exit {harm.returncode}\n{harm.stdout[-1000:]}"
    return ""


@cases(*FLAVORS)
@limit(400)
def test_schedules_find(flavor):
    """each planted mistake is found, with as few preemptions as there can be, and its schedule finds it again"""
    rows = [row for row in plants() if row[3] in ("both", flavor)]
    assert len(rows) > 10, rows
    listed = re.findall(r"^mistake (\S+)$", schedules(flavor, "--list").stdout, re.M)
    assert sorted(listed) == sorted(name for name, *_ in rows)
    wrong = [text for row in rows if (text := planted(flavor, *row))]
    assert not wrong, "\n".join(wrong)


@limit(300)
def test_schedules_threads():
    """the same scenarios on real threads: ThreadSanitizer has nothing to say"""
    done = run(build("amd64") / "threads", "--runs", 2, check=False, timeout=250)
    assert done.returncode == 0, done.stdout[-5000:]
    assert re.search(r"^amd64: [1-9]\d* scenarios well, 0 not", done.stdout, re.M), done.stdout[-2000:]


@limit(200)
def test_schedules_threads_see():
    """and where a lock is forgotten it has"""
    done = run(build("amd64") / "threads-racy", "--scenario", "create-create", "--runs", 30, check=False, timeout=150)
    # One side looks for a table, the other puts one on the chain; the library does not always remember where the earlier one was.
    assert done.returncode != 0 and "data race" in done.stdout, done.stdout[-3000:]
    assert re.search("htable_lookup|htable_chain_find|htable_chain_insert", done.stdout), done.stdout[-3000:]


def test_schedules_usage():
    """what is not there is told in one line"""
    for words in (("--scenario", "none"), ("--scenario", "create-create", "--plant", "none"),
                  ("--scenario", "create-create", "--switches", "0-5")):
        done = schedules("amd64", *words, check=False)
        assert done.returncode == 2 and len(done.stdout.splitlines()) == 1, (words, done.stdout)


def test_schedules_one_header():
    """atomic operations, and accesses to entries, are those of sys/atomic.h, and locks are made of them: what is explored is all there is"""
    kernel = [p for part in ("src/hat", "src/vm", "src/kern", "src/sys", "src/x86", "src/amd64", "src/i386", "src/check", "solutions", "labs")
              for p in (TOP / part).rglob("*.[ch]") if "coverage" not in p.parts]
    assert len(kernel) > 500
    found = [str(p.relative_to(TOP)) for p in kernel if re.search(r"__(atomic|sync)_\w+\(", p.read_text())]
    assert found == ["src/sys/atomic.h"], found
    units = [p for part in ("src/hat", "src/vm") for p in (TOP / part).glob("*.[ch]")] + list((TOP / "solutions").glob("lab*/*.c"))
    assert len(units) > 80
    found = [f"{p.relative_to(TOP)}: {line.strip()}" for p in units for line in p.read_text().splitlines()
             if re.search(r"\*\s*\((const )?volatile|volatile \w+ \*\w+ = x86pte_", line)]
    assert not found, found
