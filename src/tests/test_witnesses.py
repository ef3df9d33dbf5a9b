# SPDX-License-Identifier: ISC
"""The comparison can fail: each witness is damaged once, and what it says must name exactly that."""

from common import FLAVORS, boot, compare
from testall import cases, limit

CHECKPOINT = "user-space"
VICTIM = 0x00401000  # a page of the tour's first user space that no other table shows
WRITABLE = 2


def shown(flavor, look=None):
    """The plain run's dump at the checkpoint; `look` is called with the stopped machine and the dump."""
    found = []

    def stop(machine, checkpoint, _reader):
        if checkpoint.name == CHECKPOINT:
            found.append(checkpoint)
            if look:
                look(machine, checkpoint)

    result = boot(flavor, at_checkpoint=stop)
    assert result.ok, result.problem
    return found[0]


def entry_of(checkpoint, va):
    """Physical address of the level-0 entry for va in the hat in CR3."""
    current = next(hat for hat in checkpoint.hats if hat.addr == checkpoint.hat)
    table = next(t for t in current.tables if t.level == 0 and t.lo <= va <= t.hi)
    return (table.pfn << 12) + 8 * ((va - table.lo) >> 12)


def entry_value(flavor, va):
    """(physical address, value) of that entry, read through Bochs' debugger."""
    from hatlab import bochs_out

    value = []

    def look(machine, checkpoint):
        reply = machine.ask([f"xp /1gx 0x{entry_of(checkpoint, va):x}"])[0]
        value.extend(bochs_out.parse_xp(reply, 1)[1])

    return entry_of(shown(flavor, look), va), value[0]


def current_hat(data):
    checkpoint = next(c for c in data["runs"][0]["checkpoints"] if c["name"] == CHECKPOINT)
    return next(hat for hat in checkpoint["hats"] if hat["current"])


@cases(*FLAVORS)
def test_flipped_bit(flavor):
    """a bit flipped in a live entry behind the kernel's back: its dump stands alone, at that very entry"""
    pa, value = entry_value(flavor, VICTIM)
    code, text, data = compare(flavor, "--at", CHECKPOINT, "--poke", f"{pa:#x}={value ^ WRITABLE:#x}", check=False)
    assert code != 0
    differences = current_hat(data)["differences"]
    assert len(differences) == 1, differences
    first = differences[0]
    assert int(str(first["va"]), 0) == VICTIM, first
    assert first["alone"] == "kernel", first
    assert first["level"] == 0, first
    assert f"{VICTIM:08x}" in text


@cases(*FLAVORS)
def test_remapped_entry(flavor):
    """an entry that names another frame than the dump says"""
    pa, value = entry_value(flavor, VICTIM)
    code, text, data = compare(flavor, "--at", CHECKPOINT, "--poke", f"{pa:#x}={value ^ 0x10000:#x}", check=False)
    assert code != 0
    assert [int(str(d["va"]), 0) for d in current_hat(data)["differences"]] == [VICTIM], text


@cases(*FLAVORS)
def test_vanished_entry(flavor):
    """an entry that is gone although the dump lists it"""
    pa, _ = entry_value(flavor, VICTIM)
    code, text, data = compare(flavor, "--at", CHECKPOINT, "--poke", f"{pa:#x}=0", check=False)
    assert code != 0
    assert [int(str(d["va"]), 0) for d in current_hat(data)["differences"]] == [VICTIM], text


@cases(*FLAVORS)
def test_dropped_line(flavor):
    """a dump that has lost a line: the count and the range that is missing are named"""
    dump = shown(flavor)
    number = next(i for i, line in enumerate(dump.lines, 1) if "leaf" in line and f"0x{VICTIM:016x}-" in line)
    code, text, data = compare(flavor, "--at", CHECKPOINT, "--drop-line", str(number), check=False)
    assert code != 0
    assert "lines" in text, text
    assert int(str(current_hat(data)["differences"][0]["va"]), 0) == VICTIM, text


@cases(*FLAVORS)
def test_accessed_may_grow(flavor):
    """accessed and dirty bits set after the dump are no difference, lost ones are"""
    pa, value = entry_value(flavor, VICTIM)
    code, text, _ = compare(flavor, "--at", CHECKPOINT, "--poke", f"{pa:#x}={value | 0x20:#x}")
    assert code == 0, text
    pa, value = entry_value(flavor, 0x00800000)  # the tour has written here
    assert value & 0x60 == 0x60, hex(value)
    code, text, _ = compare(flavor, "--at", CHECKPOINT, "--poke", f"{pa:#x}={value & ~0x40:#x}", check=False)
    assert code != 0, text


@cases("amd64")
def test_blind_places(flavor):
    """where Bochs cannot see, the comparison says so and asks the raw tables"""
    code, text, data = compare(flavor, "--checkpoint", "switched", "--all")
    assert code == 0
    checkpoint = next(c for c in data["runs"][0]["checkpoints"] if c["name"] == "switched")
    rows = {int(str(r["va0"]), 0): r for h in checkpoint["hats"] if h["current"] for r in h["rows"]}
    for va in (0x00007FFFFFFFF000, 0xFFFF800000000000):
        assert rows[va]["raw"] == "ok" and rows[va]["kernel"] == "ok", rows[va]
        assert rows[va]["bochs"] != "ok" or "page" in str(rows[va]), rows[va]


@cases(*FLAVORS)
@limit(180)
def test_runs_are_small(flavor):
    """every hat of every checkpoint has been compared, none skipped"""
    _, _, data = compare(flavor)
    for checkpoint in data["runs"][0]["checkpoints"]:
        assert checkpoint["hats"], checkpoint["name"]
        for hat in checkpoint["hats"]:
            assert hat["rows"] and hat["tables"] > 0, (checkpoint["name"], hat["hat"])
            assert all(r["kernel"] == "ok" and r["raw"] == "ok" for r in hat["rows"])
            if hat["current"]:
                assert any(r["bochs"] == "ok" for r in hat["rows"])


@cases("i386")
def test_stale_directory_pointer(flavor):
    """PAE directory pointers cleared in memory only: Bochs, like the CPU, still has the old one, and memory stands alone"""
    roots = {}

    def look(machine, checkpoint, _reader):
        roots[checkpoint.name] = checkpoint.cr3

    assert boot(flavor, at_checkpoint=look).ok
    code, text, _ = compare(flavor, "--at", "started", "--poke", f"{roots['started'] + 3 * 8:#x}=0", check=False)
    assert code != 0
    assert "Bochs' info tab says 0xc0200000-" in text and "the tables in memory say nothing" in text, text
    code, text, _ = compare(flavor, "--at", CHECKPOINT, "--poke", f"{roots[CHECKPOINT]:#x}=0", check=False)
    assert code != 0
    assert "the CPU's copy of the top entries" in text and "invariant P3 broken" in text, text
