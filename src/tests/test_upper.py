# SPDX-License-Identifier: ISC
"""The interface above the tables, beyond what test_matrix.py runs: other histories, and a kernel without assertions."""

from common import FLAVORS, boot, checks, image
from testall import cases, limit


def run(flavor, args, folder=None):
    """Every scenario, each one ok; the run's result."""
    result = boot(flavor, f"tour=0 check_ticks=2000 watchdog=30000 {args}", folder=folder)
    assert result.ok, result.problem
    wrong = {name: text for (name, _, _), (how, text) in checks(result).items() if how != "ok"}
    assert not wrong, wrong
    return result


@cases(*[f"{seed} {flavor}" for flavor in FLAVORS for seed in (2, 3)])
@limit(120)
def test_histories(which):
    """2000 random calls over three address spaces agree with a list of what should be mapped"""
    seed, flavor = which.split()
    run(flavor, f"checks=upper-history seed={seed}")


@cases(*FLAVORS)
@limit(240)
def test_without_assertions(flavor):
    """misuse does no damage where assertions are compiled out"""
    run(flavor, "checks=lab0", folder=image(flavor, "release", DEBUG=0))
