# SPDX-License-Identifier: ISC
"""Running out of page tables: stealing, reaping, waiting, and nothing lost (src/check/running.c)."""

from common import FLAVORS, boot, checks
from testall import cases, limit

SYSTEMS = [(f, c, "") for f in FLAVORS for c in (1, 4)] + [("amd64", c, "kpm=0") for c in (1, 4)]
EACH = [f"{flavor} {cpus} {args}".strip() for flavor, cpus, args in SYSTEMS]
NAMES = """steal-order steal-spread steal-flush reap-cached reap-empty reap-live page-fails free-sleeps alloc-waits recursion
    steal-load steal-two free-waits steal-destroy force-steal""".split()


def run_checks(which, names, args=""):
    flavor, cpus, *more = which.split()
    words = " ".join(["tour=0 watchdog=60000", "checks=" + ",".join(names), args, *more])
    result = boot(flavor, words, cpus=int(cpus), timeout=150)
    assert result.ok, result.problem
    found = {name: outcome for (name, _, _), outcome in checks(result).items()}
    assert sorted(found) == sorted(names), found
    assert all(outcome == "ok" for outcome, _ in found.values()), found


@cases(*EACH)
@limit(200)
def test_running_out(which):
    """each scenario, in order"""
    run_checks(which, NAMES)


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
