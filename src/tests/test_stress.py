# SPDX-License-Identifier: ISC
"""Short runs of the stress test (docs/stress.md), and that it notices what it should."""

import re

import stress
from common import TOP, boot, image
from test_weak import plant, solution
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
    ops, _ = stress.counted(one_run(flavor, int(cpus), " ".join(["stress_ops=20000 stress_steps=600 seed=2", FAULTS, *mode])))
    assert ops >= 20000, ops


@cases("i386 pae=0", "amd64")
@limit(240)
def test_tight(which):
    """hardly any page tables: they are stolen all the time, and everybody still gets on"""
    flavor, *mode = which.split()
    result = one_run(flavor, 4, " ".join(["stress_ops=12000 stress_steps=400 seed=3 stress_tight=40", *mode]))
    ops, _ = stress.counted(result)
    assert ops >= 12000, ops


@limit(240)
def test_same_seed():
    """the same seed and number of CPUs give the same run, to the instruction; another seed gives another one"""
    runs = [one_run("amd64", 4, f"stress_ops=10000 stress_steps=600 seed={seed}") for seed in (5, 5, 6)]
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

# Who notices first what has been destroyed, or counted wrongly, is another in each image: the model, the invariants, the HAT, or the processor.
NOTICED = (r"stress seed \d: worker|assertion failed: ht->ht_busy > 0|cannot become another: old entry 0x(deadbeef)+|a free object of cache .* "
           r"was written to|slot \d+ of table 0x\w+ was not empty|general protection|page fault")
# What is planted: the unit, how it is changed, CPUs, what is said. What each is found after: docs/stress.md.
PLANTED = {
    # A worker writes through a stale translation into what the page has become: a page table, a freed object, a live one.
    "local-flush": ("hat_tlb_inval", LOCAL_ONLY, 4, NOTICED),
    "no-flush": ("x86pte_set", (TOP / "solutions/lab1-entries/wrong/x86pte_set-no-flush.c").read_text(), 1, r"stress seed \d: worker"),
    "no-dirty": ("x86pte_set", [("(old & (PT_REF | PT_MOD)))", "(old & PT_REF))")], 4, "its dirty bit is lost"),
    "no-hold": ("htable_lookup", [("emptying it */\n\tif (ht != NULL)", "emptying it */\n\telse if (ht != NULL)")], 4,
                NOTICED),
    "leak": ("htable_create", [("\tif (new != NULL)\n\t\thtable_free(new);\n", "\t(void)new;\n")], 4, "broken invariants between two rounds"),
    "no-lock": ("htable_release", [("\tmutex_enter(lock);\n", "\tif (ht->ht_valid_cnt > 0 || ht->ht_busy > 1) {\n\t\tht->ht_busy--;\n\t\treturn;\n\t}\n\tmutex_enter(lock);\n")], 4, NOTICED),
}


def planted_copies():
    for name, (unit, change, *_) in PLANTED.items():
        to = f"build/stress/{unit}-{name}.c"
        if isinstance(change, str):
            (TOP / to).parent.mkdir(parents=True, exist_ok=True)
            (TOP / to).write_text(change)
        else:
            plant(solution(unit), change, to)
        yield f"{name}:{unit}={to}"


@limit(300)
def test_planted():
    """what should be noticed, each in a copy of a unit: by the model, the invariants, or the HAT itself"""
    folder = image("amd64", "stress-planted", TRIAL=" ".join(planted_copies()))
    for name, (unit, _, cpus, want) in PLANTED.items():
        for seed in (1, 2, 3):  # what only a race shows is in most of them, and in each image in others
            result = one_run("amd64", cpus, f"stress_ops=100000 seed={seed} force_steal=2 stress_page_fail=5 select={unit}:{name}", folder)
            print(f"{name}, seed {seed}: {result.exit}: {result.problem}")
            if result.exit != "ok":
                break
        assert result.exit == "panic" and re.search(want, result.problem), (name, result.exit, result.problem)


@limit(240)
def test_guests():
    """an address space that is freed while hat_pageunload() holds a table of it: hat_free_end() waits, or guests-wait says so"""
    source = plant("src/hat/hat_life.c", [("\twhile (hat->hat_guests != 0)\n\t\tthread_yield();\n", "")], "build/stress/hat_life-guests.c")
    result = boot("amd64", "tour=0 watchdog=60000 checks=guests-wait", folder=image("amd64", "stress-guests", UNITS=f"hat_life={source}"), cpus=4)
    assert result.exit == "panic" and "guests-wait: an address space was freed" in result.problem, (result.exit, result.problem)
