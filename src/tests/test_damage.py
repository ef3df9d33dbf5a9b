# SPDX-License-Identifier: ISC
"""The checker can fail: every kind of damage that the kernel can do to itself is named by exactly the invariants it breaks."""

import re

from common import FLAVORS, TOP, boot, checks, compare
from testall import cases, limit


def kinds(flavor):
    """{kind: set of invariants} as the kernel lists them."""
    result = boot(flavor, "tour=0 damage=list")
    found = re.findall(r"^damage ([^:\s]+): (\S+)", result.console, re.M)
    assert len(found) > 40, result.console
    return {kind: set() if ids == "-" else set(ids.split(",")) for kind, ids in found}


@cases(*[f"{f} {part}" for f in FLAVORS for part in (0, 1)])
@limit(300)
def test_invariants_notice(which):
    """each kind is reported, with its table and the two values, and nothing else is"""
    flavor, part = which.split()
    wrong = []
    for number, (kind, expected) in enumerate(sorted(kinds(flavor).items())):
        if kind.startswith("after") or number % 2 != int(part):
            continue
        result = boot(flavor, f"tour=0 damage={kind}")
        reports = result.reader.find("invariant")
        said = {r["id"] for r in reports}
        if said != expected:
            wrong.append(f"{kind}: expected {sorted(expected)}, got {sorted(said)} ({result.exit})")
        wrong += [f"{kind}: no two values that disagree: {r}" for r in reports if r["want"] == r["have"] or not r["text"]]
    assert not wrong, "\n".join(wrong)


@cases(*FLAVORS)
def test_after_a_check(flavor):
    """a check that is content and leaves something broken is wrong, and says what is broken"""
    result = boot(flavor, "tour=0 checks=damage-left damage=left")
    verdict, text = checks(result)["damage-left", "-", "ref"]
    assert verdict == "wrong" and text.startswith("after the check: 1 broken"), (verdict, text)
    assert [r["id"] for r in result.reader.find("invariant")] == ["N9"], result.console


@cases(*[f"{f} {c}" for f in FLAVORS for c in (1, 4)])
def test_on_panic(which):
    """a panic judges everything before the end: what was broken, and nothing else; without damage nothing"""
    flavor, cpus = which.split()
    for args, ids in (("damage=panic", ["N9"]), ("crash=panic", [])):
        result = boot(flavor, f"tour=0 {args}", cpus=int(cpus))
        assert result.exit == "panic" and f"invariants at the panic: {len(ids)} broken" in result.console, result.console
        assert [r["id"] for r in result.reader.find("invariant")] == ids, result.console


@cases("i386", "amd64")
def test_undamaged(flavor):
    """and without damage nothing is reported"""
    result = boot(flavor, "tour=0")
    assert result.ok and not result.reader.find("invariant"), result.problem


def test_every_invariant_has_its_damage():
    """docs/invariants.md names, for each invariant that is judged, a kind of damage that proves it"""
    table = (TOP / "docs/invariants.md").read_text()
    proved = set().union(*(ids for f in FLAVORS for ids in kinds(f).values()))
    judged = set(re.findall(r'^\s*\{ "([SLNFEP]\d+)"', (TOP / "src/check/invariants.c").read_text(), re.M))
    assert len(judged) > 35, judged
    for name in judged:
        assert re.search(rf"\b{name}\b", table), f"{name} is not in docs/invariants.md"
    assert judged - proved <= {"L9"}, judged - proved  # htable_e2va itself would have to be wrong


@cases(*[f"{f} {k}" for f in FLAVORS for k in ("after-write", "after-frame")])
def test_changed_after_the_dump(which):
    """an entry that changes after the dump: the comparison names it"""
    flavor, kind = which.split()
    code, text, data = compare(flavor, args=f"damage={kind} damage_at=user-space", check=False)
    assert code != 0, text
    checkpoint = next(c for c in data["runs"][0]["checkpoints"] if c["name"] == "user-space")
    assert not checkpoint["ok"] and any(h["differences"] for h in checkpoint["hats"]), text
    assert all(d["alone"] == "kernel" for h in checkpoint["hats"] if h["current"] for d in h["differences"]), text
