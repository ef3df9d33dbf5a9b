# SPDX-License-Identifier: ISC
"""A sample of the mutants of the solutions is noticed (docs/mutants.md); and the mutator and its report are what they say."""

import re
import sys

from common import TOP, run
from testall import limit, seed

sys.path.insert(0, str(TOP / "src/tools"))

from hatlab import lab as labs, mutants, mutate  # noqa: E402  (the path comes first)

SAMPLE = 40
EXAMPLE = """#include <hat/x86pte.h>

/** A comment with a < b in it. */
static bool
small(int level, uint_t n)
{
	ASSERT(level < 3);
	HATSTAT_INC(hs_x + 1);
	return (n <= 2);
}

void
x86pte_release_pagetable(htable_t *ht)
{
	htable_t *up = (htable_t *)ht->ht_parent;

	(void)up;
	if (small(ht->ht_level, 1u))
		mutex_enter(&ht->ht_hat->hat_mutex);
}

void
x86pte_cpu_fini(struct cpu *cp)
{
	mutex_enter(&cp->cpu_hat_info->hci_mutex);
	if (cp == NULL)
		panic("no CPU");
	mutex_exit(&cp->cpu_hat_info->hci_mutex);
}
"""


def example(tmp=TOP / "build/mutants-example"):
    tmp.mkdir(parents=True, exist_ok=True)
    path = tmp / "x86pte_example.c"
    path.write_text(EXAMPLE)
    return mutate.Unit(path)


@limit(200)
def test_sample():
    """a few units, some mutants of each, drawn by this run's seed: each is noticed, or listed with a reason"""
    done = run("python3", "src/tools/mutants.py", "--sample", SAMPLE, "--seed", seed(), check=False, timeout=190)
    assert done.returncode == 0, done.stdout
    match = re.search(r"^(\d+) mutants \((\d+) more do not compile\): (\d+) noticed, (\d+) equivalent, (\d+) survive", done.stdout, re.M)
    assert match and int(match[1]) + int(match[2]) == SAMPLE and int(match[3]) > SAMPLE // 4, done.stdout


@limit(20)
def test_changes():
    """each kind of change is made where it should be, once; never in a comment, an assertion or a statistic"""
    unit = example()
    made = {(m.what, unit.text[m.start : m.end], m.new) for m in unit.mutants}
    for wanted in (("operator", "<=", "<"), ("operator", "<=", ">"), ("constant", "2", "3"), ("constant", "2", "1"),
                   ("constant", "1u", "0u"), ("level", "ht->ht_level", "(ht->ht_level + 1)"), ("result", "(n <= 2)", "(!(n <= 2))"),
                   ("arguments", "ht->ht_level, 1u", "1u, ht->ht_level"), ("lock", "mutex_enter(&ht->ht_hat->hat_mutex);", ";"),
                   ("condition", "small(ht->ht_level, 1u)", "!(small(ht->ht_level, 1u))")):
        assert wanted in made, (wanted, made)
    body = unit.text[unit.text.index("\n\tif (cp") : unit.text.rindex("mutex_exit")]
    assert ("lock", unit.text[unit.text.rindex("mutex_enter") : unit.text.rindex("\n}")], f";{body};") in made, made
    assert not any(m.start == unit.text.index(word) for m in unit.mutants for word in ("< b", "< 3", "+ 1", "*)ht", "*up", "(void)up"))
    for m in unit.mutants:
        text = m.apply(unit.text)
        assert text != unit.text and text.count("\n") == unit.text.count("\n"), m
    assert len({m.key for m in unit.mutants}) == len(unit.mutants)


@limit(20)
def test_names():
    """a mutant keeps its name when lines are put before it, so that the list of equivalents stays true"""
    unit = example()
    moved = mutate.Unit(unit.path)
    moved.text = EXAMPLE.replace("static bool", "/* more */\n\n\nstatic bool")
    moved.tokens = mutate.tokens(moved.text)
    moved.partner = moved._partners()
    moved.functions = moved._top()
    assert [m.key for m in moved.mutants] == [m.key for m in unit.mutants] and moved.mutants[0].start != unit.mutants[0].start


@limit(20)
def test_lists():
    """what is listed exists, once, with a reason; and the solutions have at least 1500 mutants"""
    there = [m.key for the_lab in labs.labs() for u in the_lab.unit_names for m in mutate.Unit(the_lab.solutions / f"{u}.c").mutants]
    assert len(there) >= 1500 and len(set(there)) == len(there)
    equivalent, surviving = mutants.listed(mutants.EQUIVALENTS), mutants.listed(mutants.SURVIVORS)
    assert not set(equivalent) & set(surviving)
    for key, reason in (*equivalent.items(), *surviving.items()):
        assert key in set(there), key
        assert len(reason) > 15, (key, reason)


@limit(20)
def test_asserting():
    """a unit that would go on where its assertion has stopped it is asked without assertions, too; others are not"""
    texts = {path.stem: path.read_text() for path in TOP.glob("solutions/*/*.c")}
    asked = {name for name, text in texts.items() if mutants.ASSERTS.search(text)}
    assert {"hat_share", "hat_unshare", "htable_purge_hat"} <= asked and "htable_scan" not in asked, asked
