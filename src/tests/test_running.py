# SPDX-License-Identifier: ISC
"""Running out of page tables, beyond what test_matrix.py runs: longer, and with pages failing (src/check/tests/running.c)."""

from common import FLAVORS, boot, checks
from testall import cases, limit

SYSTEMS = [(f, c, "") for f in FLAVORS for c in (1, 4)] + [("amd64", c, "kpm=0") for c in (1, 4)]
EACH = [f"{flavor} {cpus} {args}".strip() for flavor, cpus, args in SYSTEMS]


def run_checks(which, names, args=""):
    flavor, cpus, *more = which.split()
    words = " ".join(["tour=0 watchdog=60000", "checks=" + ",".join(names), args, *more])
    result = boot(flavor, words, cpus=int(cpus), timeout=150)
    assert result.ok, result.problem
    found = {name: outcome for (name, _, _), outcome in checks(result).items()}
    assert sorted(found) == sorted(names), found
    assert all(outcome == "ok" for outcome, _ in found.values()), found


@cases(*EACH)
@limit(240)
def test_long_random_run(which):
    """every third request for a frame fails, three threads map, unmap, destroy and reap; the reserve is small"""
    run_checks(which, ["force-steal"], "run_ops=3000 check_ticks=6000 htable_reserve_amount=4 seed=7")


@cases(*[f"{f} {c}" for f in FLAVORS for c in (1, 4)])
@limit(240)
def test_pages_fail(which):
    """every 50th request for a page fails, whoever asks"""
    run_checks(which, ["force-steal", "steal-load"], "run_ops=300 check_ticks=3000 page_fail_after=50 seed=3")
