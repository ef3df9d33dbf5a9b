# SPDX-License-Identifier: ISC
"""Short runs of the stress test (docs/stress.md), and that it notices what it should."""

import stress
from common import TOP, boot, image
from testall import cases, limit

FAULTS = "force_steal=2 stress_page_fail=5 kmem_fail_after=3"
MODES = [("amd64", ""), ("amd64", "kpm=0"), ("i386", ""), ("i386", "pae=0")]
EACH = [f"{flavor} {cpus} {mode}".strip() for flavor, mode in MODES for cpus in (1, 4) if cpus == 4 or not mode]


def one_run(flavor, cpus, words, folder=None):
    return boot(flavor, f"tour=0 watchdog=60000 stress=8 {words}", folder=folder, cpus=cpus, timeout=200, deadline=20_000_000_000)


@cases(*EACH)
@limit(240)
def test_short(which):
    """everything fails now and then, and nothing gets lost; memory is what it was"""
    flavor, cpus, *mode = which.split()
    ops, _ = stress.counted(one_run(flavor, int(cpus), " ".join(["stress_ops=20000 seed=2", FAULTS, *mode])))
    assert ops >= 20000, ops


@limit(240)
def test_same_seed():
    """the same seed and number of CPUs give the same run, to the instruction; another seed gives another one"""
    runs = [one_run("amd64", 4, f"stress_ops=10000 seed={seed}") for seed in (5, 5, 6)]
    first, again, other = [(stress.counted(r), r.instructions) for r in runs]
    assert first == again, (first, again)
    assert first[0][1] != other[0][1], (first, other)


LOCAL_ONLY = """#include <hat/htable_impl.h>
#include <sys/thread.h>
void
hat_tlb_inval(hat_t *hat, uintptr_t va)
{
	if (hat->hat_flags & HAT_FREEING)
		return;
	kpreempt_disable();
	tlb_demap_local(hat, va);
	kpreempt_enable();
}
"""
PLANTED = {
    "local-flush": ("hat_tlb_inval", LOCAL_ONLY, 4),
    "no-flush": ("x86pte_set", (TOP / "solutions/lab1-entries/wrong/x86pte_set-no-flush.c").read_text(), 1),
}


@cases(*PLANTED)
@limit(240)
def test_planted(name):
    """other CPUs are not told; an entry is replaced without a flush: noticed, by the model or by the HAT itself"""
    unit, text, cpus = PLANTED[name]
    source = TOP / f"build/stress-{name}.c"
    source.write_text(text)
    folder = image("amd64", f"stress-{name}", UNITS=f"{unit}={source.relative_to(TOP)}")
    result = one_run("amd64", cpus, "stress_ops=100000 seed=1", folder)
    want = "stress seed 1: worker" if cpus == 1 else "panics:"
    assert result.exit == "panic" and want in result.problem, (result.exit, result.problem)
