# SPDX-License-Identifier: ISC
"""Weak points of the original design (docs/weak-points.md): each is planted, and its test fails; and every row has its test."""

import os
import re
import subprocess

from common import FLAVORS, TOP, boot, checks, compare, image, run
from test_host import build
from testall import cases, limit

FOLDER = "src/check/tests/weak"
MODES = ("i386", "i386 pae=0", "amd64", "amd64 kpm=0")
ALL = ("i386", "i386 pae=0", "amd64")
PAE, LONG = ("i386",), ("amd64",)
OWN = """attach-reserve link-ref unlink-pointer range-final walk-hole busy-many release-nothing purge-shared steal-abort
    store-order flags-race stats-race cpu-fini window-xcall vlp-refresh""".split()


class Plant:
    """A weak copy of a file: `text` replaced, once, by `by`. `check` must notice, and say `words`."""

    def __init__(self, name, row, path, changes, check, words="", modes=ALL, cpus=1, how="select"):
        self.name, self.row, self.path, self.changes = name, row, path, changes
        self.check, self.words, self.modes, self.cpus, self.how = check, words, modes, cpus, how
        self.unit = path.split("/")[-1].removesuffix(".c")

    def write(self, folder="build/weak"):
        """The weak copy's path."""
        return plant(self.path, self.changes, f"{folder}/{self.unit}-{self.name}.c")


def plant(path, changes, to):
    """Write a copy of a file with changes to it."""
    text = (TOP / path).read_text()
    for old, new in changes:
        assert text.count(old) == 1, f"{path}: the weak point must be planted elsewhere now: {old!r}"
        text = text.replace(old, new)
    target = TOP / to
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists() or target.read_text() != text:
        new = target.with_name(f"{target.name}.{os.getpid()}")  # others may be compiling it
        new.write_text(text)
        new.replace(target)
    return to


def walk_with(weak, to):
    """A copy of the original's walk with one of its weak points."""
    return plant(f"{FOLDER}/htable_walk.c", [("weak = WEAK_NONE;", f"weak = WEAK_{weak};")], to)


def solution(unit):
    return next(TOP.glob(f"solutions/*/{unit}.c")).relative_to(TOP).as_posix()


def unit_plant(name, row, unit, changes, *args, **more):
    return Plant(name, row, solution(unit), changes, *args, **more)


# Units: all copies in one image for each width, one boot for each. how="select": the whole kernel uses the copy; "copy": the
# check alone does, because the copy would not get through start-up.
def unit_plants():
    attach, steal = "htable_attach", "htable_steal"
    p = unit_plant
    return [
        p("owner", "C-1", steal, [("\tht->ht_hat = NULL;\n", "")], "reap-cached", "tables reaped"),
        p("rotation", "C-3", steal, [("if (robbed)\n\t\t\tmove_to_end(hat);", "if (robbed && next != NULL)\n\t\t\tmove_to_end(next);")],
          "steal-spread", "as many steals as"),
        p("no-delay", "C-4", "htable_alloc_fallback", [("back_off(turn);", "(void)back_off;")], "alloc-waits", "attempts in"),
        p("spins", "C-5", "ptable_free", [("#include <vm/page.h>", "#include <vm/page.h>\n#include <sys/thread.h>"), (
            "(void)page_lock(pp, true, true);", "while (!page_trylock(pp, true))\n\t\t\tthread_yield();")], "free-sleeps", "state of"),
        p("no-reserve", "C-6", attach, [("if (ht == NULL)\n", "if (0)\n")], "attach-reserve", "htable_attach__no_reserve"),
        p("old-source", "C-6", attach, [("\tht->ht_shares = NULL;\n", "")], "attach-tree", "ht_shares", how="copy"),
        p("lone-ref", "C-7", "link_ptp", [("if (found == PT_REF)", "if (0)"), ("if (found != 0)", "if ((found & ~PT_REF) != 0)")],
          "link-ref", "the slot of a table that was linked"),
        p("no-reload", "C-8", "unlink_ptp", [("htable_is_directory(higher)", "(higher->ht_flags & HTABLE_VLP)")], "unlink-pointer",
          "and can afterwards", modes=PAE),
        p("no-end", "C-10", "htable_lookup", [("va > hat_vlp_last()", "false")], "vlp-ends", "a table of level 2", modes=LONG),
        p("adopted", "C-21", attach, [("\tatomic_inc_32(&active_ptables);\n", "")], "attach-counts", "active_ptables", how="copy"),
        p("level-0", "C-22", steal, [("ht->ht_parent == NULL)", "ht->ht_parent == NULL || ht->ht_level > 0)")], "reap-empty",
          "tables of the highest level", modes=("i386", "amd64")),
        p("no-assertion", "C-23", "htable_purge_hat", [('HAT_MISUSE("N3: table %p still shows table %p", (void *)ht, (void *)source);', "{ }")],
          "purge-shared", "purging a hat"),
        p("any-order", "C-27", steal, [("(int32_t)(p * mmu.ptes_per_table / (uint_t)passes)", "(int32_t)mmu.ptes_per_table")],
          "steal-order", "tables while"),
        p("live-first", "C-27", steal, [("\tvisit_hats(&hu);\n\thu.hu_cached = false;", "\thu.hu_cached = false;")], "reap-cached", "tables reaped"),
        p("running-base", "C-30", attach, [("HTABLE_LAST_PAGE(ht) < kernelbase", "va < kernelbase")], "attach-holds", "ht_busy",
          how="copy"),
        p("links", "C-31", "link_ptp", [("\tASSERT(!hat_is_final_slot", "\tif (0) ASSERT(!hat_is_final_slot")], "range-final", "linking"),
        p("unlinks", "C-31", "unlink_ptp", [("\tASSERT(!hat_is_final_slot", "\tif (0) ASSERT(!hat_is_final_slot")], "range-final", "unlinking"),
        p("freeing", "C-34", steal, [("HAT_VICTIM | HAT_SHARED | HAT_FREEING", "HAT_VICTIM | HAT_SHARED")], "steal-order", "FREEING"),
        p("once", "C-37", "hat_vlp_refresh", [("while (pte_cas(&slots[i], old, hat->hat_vlp_ptes[i]) != old)", "(void)pte_cas(&slots[i], old, hat->hat_vlp_ptes[i]);\n\t\tif (0)")],
          "vlp-refresh", "a directory pointer", modes=("i386", "amd64")),
        p("not-null", "C-38", "htable_release", [("\tif (ht == NULL)\n\t\treturn;\n", "")],
          "release-nothing", how="copy"),
        p("in-vlp", "C-40", "lpage", [("(hat->hat_flags & HAT_VLP) && l >= VLP_LEVEL", "0")], "vlp-gigabyte", "HTABLE_VLP", modes=LONG),
        p("any-table", "C-42", "hat_share", [("shared = ht->ht_shares == src;\n\tif (shared)", "shared = true;\n\tif (ht->ht_shares != NULL)")],
          "upper-share-private", "pages mapped one by one"),
    ]


# Other files, all of them at once in one image: none of these is in another one's way.
def source_plants():
    return [
        Plant("flags", "C-14", "src/hat/hat_load.c", [("atomic_or_32(&hat->hat_flags, HAT_SHARED);", """{
		volatile uint32_t *flags = &hat->hat_flags;
		uint32_t seen = *flags;

		*flags = seen | HAT_SHARED;
	}"""), ("\tswitch (order) {", "\tif (order & (HAT_UNORDERED_OK | HAT_STORECACHING_OK))\n\t\treturn (0);\n\tswitch (order) {")],
              "flags-race", "", cpus=2),
        Plant("order", "C-39", "src/hat/hat_load.c", [], "upper-order", "caching bits"),
        Plant("halves", "C-18", "src/hat/pte_store.c", [("\tatomic_store_32(p, 0);\n", "")], "store-order", "nobody has stored", modes=PAE, cpus=2),
        Plant("loop", "C-19", solution("pte_load"), [("#include <sys/atomic.h>\n", "#include <sys/atomic.h>\n#include <x86/cpufunc.h>\n"), ("\treturn (atomic_cas_64(p, 0, 0));", """\
	for (;;) {
		volatile uint32_t *half = p;
		uint32_t low = half[0], high;

		for (int i = 0; i < 8; i++)	/* an interrupt, say */
			pause();
		high = half[1];
		for (int i = 0; i < 8; i++)
			pause();
		if (low == half[0])
			return (low | (x86pte_t)high << 32);
	}""")], "untorn", "half of one", modes=PAE, cpus=2),
        Plant("mutex", "C-20", "src/hat/hat_kern.c", [("\tmutex_destroy(&hci->hci_mutex);\n", "")], "cpu-fini", "forgotten"),
        Plant("resv", "C-26", "src/vm/page.c", [("if (pp == NULL) {\n\t\tpage_unresv(1);", "if (pp == NULL) {")], "page-fails",
              "pages that may be reserved"),
        Plant("goes-on", "C-33", "src/hat/htable_cut.c", [("atomic_peek_int(&ht->ht_busy) == 1 && ", "")], "steal-abort", "pages left"),
        Plant("callback", "C-35", "src/hat/hat_unload.c", [("b->cb->hcb_end = b->r[i].start + b->r[i].bytes;",
              "b->cb->hcb_end = b->r[i].start + ((b->r[i].bytes >> LEVEL_SHIFT(b->r[i].level)) << (LEVEL_SIZE(b->r[i].level) & 31));"), (
                  "\tif (ht == NULL)\n\t\treturn (false);", "\tif (ht == NULL)\n\t\treturn (true);"), (
                      "\tif (b == NULL)\n\t\treturn (x86pte_inval", "\tif (true)\n\t\treturn (x86pte_inval"), (
                          "bool cut = cut_off(ht, b);", "bool cut = false && cut_off(ht, b);")], "upper-callback", "end of the first range"),
        Plant("one-page", "C-43", "src/hat/hat_unload.c", [], "upper-cut", "a large page was cut"),
        Plant("chains", "C-16", "src/hat/htable_chains.c", [("hc->hc_count > nchains(hc) && hat != kas_hat", "false")], "chains-grow", "chains for 200 tables"),
        Plant("each", "C-17", "src/hat/hat_unload.c", [], "unload-flush", "flushes for 36 pages"),
        Plant("pages", "C-17", "src/hat/hat_unload.c", [], "unload-whole", "flushes for 3 tables"),
        Plant("reuse", "C-17", "src/hat/hat_page.c", [("if (hat_unflushed != 0)", "if (false)")], "unload-reuse", "stale translation"),
        Plant("bytes", "C-36", "src/hat/hat_query.c", [("hat->hat_ism_pgcnt << PAGESHIFT", "hat->hat_ism_pgcnt")], "upper-share", "bytes seen"),
        Plant("nosync", "C-41", "src/hat/hat_attr.c", [("\tif ((wanted & PT_SOFTWARE) >= PT_NOSYNC)\n\t\twanted |= PT_REF | PT_MOD;", "")], "upper-attr",
              "bits of a NOSYNC entry"),
    ]


def trial_image(flavor, name="weak", **variables):
    """Every weak unit, the original's walk with each of its weak points, and a pte_cas() that others are in the way of."""
    copies = [f"{p.name}:{p.unit}={p.write()}" for p in unit_plants()]
    copies += [f"walk-{w.lower()}:htable_walk={walk_with(w, f'build/weak/htable_walk-{w.lower()}.c')}" for w in ("NONE", "HOLE", "4G")]
    dump = [("if (ht->ht_level == level)", "if (ht->ht_level == level && !(ht->ht_flags & HTABLE_VLP))")]
    copies.append("outside:hat_dump=" + plant(solution("hat_dump"), dump, "build/weak/hat_dump-outside.c"))
    copies.append(f"contended:pte_cas={FOLDER}/pte_cas-contended.c")
    return image(flavor, name, TRIAL=" ".join(copies), **variables)


def verdict(folder, mode, words, check, cpus=1, timeout=60):
    """What a check says: its result and text, or how the boot ended before it could."""
    flavor, *args = mode.split()
    result = boot(flavor, " ".join(["tour=0 watchdog=60000 check_ticks=3000", f"checks={check}", words, *args]), folder=folder, cpus=cpus,
                  timeout=timeout)
    said = [value for (name, _, _), value in checks(result).items() if name == check]
    return said[-1] if said else ("none", f"{result.exit}: {result.problem}")


def noticed(plants, folder, mode, how=lambda p: ""):
    """Texts about plants that their check did not notice."""
    wrong = []
    for p in plants:
        if mode in p.modes:
            result, text = verdict(folder, mode, how(p), p.check, p.cpus)
            print(f"{mode}: {p.row} {p.name}: {p.check}: {result}: {text}")
            if result == "ok" or (result == "none" and not p.words) or p.words not in text:
                wrong.append(f"{p.row}, {p.name} in {p.unit} ({mode}): {p.check} says {result}: {text}")
    return wrong


def chosen(p):
    return f"copy={p.name}" if p.how == "copy" else f"select={p.unit}:{p.name}"


@cases(*[f"{cpus} {mode}" for mode in MODES for cpus in (1, 2, 4)])
@limit(240)
def test_strong(which):
    """the checks of appendix C's weak points find none"""
    cpus, flavor, *args = which.split()
    result = boot(flavor, " ".join(["tour=0 watchdog=60000 check_ticks=3000", f"checks={','.join(OWN)}", *args]),
                  folder=trial_image(flavor), cpus=int(cpus), timeout=150)
    assert result.ok, result.problem
    assert {name for name, _, _ in checks(result)} == set(OWN), checks(result)


@cases(*ALL)
@limit(300)
def test_weak_units(mode):
    """each weak unit is noticed by the check that docs/weak-points.md names"""
    folder = trial_image(mode.split()[0])
    wrong = noticed(unit_plants(), folder, mode, chosen)
    assert not wrong, "\n".join(wrong)


def source_image(flavor):
    """All weak sources at once, and a mutex whose waiters answer nobody."""
    units = [f"{p.unit}={p.write()}" for p in source_plants() if p.changes]
    mutex = plant("src/kern/mutex.c", [("\t\txc_poll();\n", "")], "build/weak/mutex.c")
    return image(flavor, "weak-sources", UNITS=" ".join([*units, f"mutex={mutex}"]))


@cases(*ALL)
@limit(300)
def test_weak_sources(mode):
    """and so is each weak point outside of the units"""
    wrong = noticed(source_plants(), source_image(mode.split()[0]), mode)
    assert not wrong, "\n".join(wrong)


@cases(*FLAVORS)
@limit(240)
def test_weak_purge(flavor):
    """C-23 without assertions: holds on the source of a shared table are given back, and a copy that forgets them is noticed"""
    path = plant(solution("htable_purge_hat"), [("htable_release(source);", "(void)0;")], "build/weak/release/htable_purge_hat.c")
    folder = image(flavor, "weak-release", DEBUG=0, TRIAL=f"forgets:htable_purge_hat={path}")
    assert verdict(folder, flavor, "", "purge-shared")[0] == "ok"
    result, text = verdict(folder, flavor, "select=htable_purge_hat:forgets", "purge-shared")
    assert result == "wrong" and "once its client has gone" in text, (result, text)


@cases(*FLAVORS)
@limit(120)
def test_weak_waiter(flavor):
    """C-32: who waits for a window with interrupts off and answers nobody stops the machine"""
    assert verdict(trial_image(flavor), flavor, "", "window-xcall", cpus=2)[0] == "ok"
    result, text = verdict(source_image(flavor), flavor, "", "window-xcall", cpus=2, timeout=10)  # no clock ticks any more
    assert result == "none" and "panic" not in text, (result, text)


@limit(240)
def test_weak_walk():
    """C-9, C-10: the original's walk over the hole and beyond 4 GiB; without its weak points it is as good as ours"""
    folder = trial_image("amd64")
    weak = {"walk-hole": ("hole", "the next page"), "vlp-ends": ("4g", "assertion failed: weak != WEAK_4G")}
    for check, (bad, words) in weak.items():
        for name in ("none", "hole", "4g"):
            result, text = verdict(folder, "amd64", f"select=htable_walk:walk-{name}", check)
            assert (result != "ok" and words in text) if name == bad else result == "ok", (check, name, result, text)


@cases(*FLAVORS)
@limit(300)
def test_weak_host_walk(flavor):
    """C-9, C-12, C-13 in the host program, where a race is a function call"""
    for weak, words in (("NONE", None), ("HOLE", "walk" if flavor == "amd64" else None), ("RACE", "walk"), ("WRAP", "out of time")):
        path = walk_with(weak, f"build/weak/{weak.lower()}/htable_walk.c")
        program = build(flavor, program=f"weak-{weak.lower()}", UNITS=f"htable_walk={path}")
        try:
            done = run(program, "--test", "pure", "--cpus", 2, check=False, timeout=6)
        except subprocess.TimeoutExpired:
            assert words == "out of time", weak
            continue
        assert (done.returncode == 0) == (words is None), (weak, done.stdout[-1500:])
        assert words is None or words in done.stdout, (weak, done.stdout[-1500:])


@limit(240)
def test_weak_dump():
    """C-24: a dump that leaves out top tables kept inside a hat is not the whole truth, and the comparison says so"""
    for flavor in FLAVORS:
        code, text, _ = compare(flavor, args="select=hat_dump:outside", folder=trial_image(flavor), check=False)
        assert code != 0 and "FAIL, witnesses disagree" in text, text[-2000:]


LATER = {"C-2", "C-28"}  # with the hypervisor flavour
BY_HAND = {"C-15", "C-25"}  # planted in headers


def rows():
    """{row: its cells} of docs/weak-points.md."""
    found = {}
    for line in (TOP / "docs/weak-points.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if re.fullmatch(r"C-\d+", cells[0]):
            assert cells[0] not in found and len(cells) == 4 and all(cells), line
            found[cells[0]] = cells
    return found


def names_of_checks():
    files = [*TOP.glob("src/check/tests/*.c"), *TOP.glob("labs/*/checks.c")]
    return {name for path in files for name in re.findall(r'^CHECK\(\w+, "([^"]+)"', path.read_text(), re.M)}


def names_of_tests():
    return {f"{path.stem}.{name}" for path in TOP.glob("src/tests/test_*.py")
            for name in re.findall(r"^def (test_\w+)", path.read_text(), re.M)}


def test_table():
    """docs/weak-points.md has every row, what it names exists, and what is planted here is noticed by what it names"""
    table, known = rows(), names_of_checks() | names_of_tests()
    assert list(table) == [f"C-{n}" for n in range(1, 44)], list(table)
    shown = {row: set(re.findall(r"`([^`]+)`", cells[3])) for row, cells in table.items()}
    for row, names in shown.items():
        assert names <= known, f"{row}: {names - known} do not exist"
        assert names or row in LATER, f"{row}: nothing shows it"
    planted = {row: set() for row in table}
    for p in unit_plants() + source_plants():
        planted[p.row].add(p.check)
        assert p.check in shown[p.row], f"{p.row}: {p.check} notices it, and is not named"
    for row, names in shown.items():
        has_test = any(name.startswith(("test_weak.", "test_trial.")) for name in names)
        assert planted[row] or has_test or row in LATER | BY_HAND, f"{row}: never planted"
