# SPDX-License-Identifier: ISC
"""The comparison must agree with honest witnesses and notice each one that lies."""

import fake
from testall import cases

from hatlab import protocol, show
from hatlab.compare import cut, examine, range_difference

SCENES = (("long", False), ("long", True), ("pae", False), ("pae", True))
SCENES = tuple((f"{mode}{'-vlp' if vlp else ''}", mode, vlp) for mode, vlp in SCENES)


def report_of(memory, spaces, current, bochs, edit=lambda lines: lines):
    reader = protocol.parse(fake.checkpoint(spaces, current, bochs.cr3, edit))
    assert not reader.errors, reader.errors[0]
    return examine(reader.checkpoints[0], bochs, memory.mode)


def texts(report):
    printer_lines = []
    show.Printer(printer_lines.append).report("fake", report)
    return "\n".join(printer_lines)


def replace(old, new):
    def edit(lines):
        hits = [i for i, line in enumerate(lines) if old in line]
        assert hits, f"no dump line has {old!r}"
        lines[hits[0]] = lines[hits[0]].replace(old, new)
        return lines

    return edit


def differences(report):
    return [d for hat in report.hats for d in hat.differences]


@cases(*SCENES)
def test_honest_witnesses_agree(scene):
    """Three honest witnesses: no difference, no problem, every range covered."""
    memory, spaces, user, bochs = fake.scene(scene[1], vlp=scene[2])
    report = report_of(memory, spaces, user, bochs)
    assert report.ok, texts(report)
    assert report.mode == scene[1]
    kernel, mine = report.hats
    assert mine.current and not kernel.current
    assert [r.marks["bochs"] for r in kernel.rows] == ["blind"] * len(kernel.rows)
    assert [r.marks["bochs"] for r in mine.rows] == ["ok"] * len(mine.rows)
    first = mine.rows[0]
    assert (first.va0, first.va1, first.pa0, first.size, first.rights()) == (0x400000, 0x402FFF, 0x700000, "4K", "rwxu")
    assert len(kernel.rows) == 2 and kernel.rows[1].size == "2M" and kernel.rows[1].g
    assert len(mine.rows) == 4


@cases(*SCENES)
def test_lying_kernel(scene):
    """The dump says read-only where memory and Bochs say writable."""
    memory, spaces, user, bochs = fake.scene(scene[1], vlp=scene[2])
    report = report_of(memory, spaces, user, bochs, replace("-> 0x000000701000-0x000000701fff 4K rwxu", "-> 0x000000701000-0x000000701fff 4K r-xu"))
    [d] = differences(report)
    assert not report.ok
    assert (d.alone, d.va, d.level, d.index) == ("kernel", 0x401000, 0, 1), d
    assert "differs in: writable" in texts(report)
    assert "the kernel's dump stands alone" in texts(report)
    bad = [r for r in report.hats[1].rows if not r.agreed]
    assert [(r.va0, r.va1, r.marks) for r in bad] == [(0x401000, 0x401FFF, {"kernel": "DIFF", "bochs": "ok", "raw": "ok"})]


@cases(*SCENES)
def test_lying_memory(scene):
    """xp shows another frame than the dump and Bochs."""
    memory, spaces, user, bochs = fake.scene(scene[1], vlp=scene[2])
    table = user.tables[0, 0x400000]
    bochs.xp_lies[table + 16] = 0x703067
    report = report_of(memory, spaces, user, bochs)
    d = differences(report)[0]
    assert (d.alone, d.va, d.level, d.index) == ("raw", 0x402000, 0, 2)
    assert "differs in: address" in texts(report) and "the raw memory stands alone" in texts(report)


@cases(*SCENES)
def test_lying_bochs_entry(scene):
    """`page` shows another entry than the dump and memory."""
    memory, spaces, user, bochs = fake.scene(scene[1], vlp=scene[2])
    bochs.page_lies[0x40000000, 0] = 0x800027
    report = report_of(memory, spaces, user, bochs)
    [d] = differences(report)
    assert (d.alone, d.va, d.level) == ("bochs", 0x40000000, 0)
    assert "writable" in texts(report) and "no-execute" in texts(report) and "Bochs stands alone" in texts(report)


@cases(*SCENES)
def test_lying_bochs_ranges(scene):
    """`info tab` loses a range, or has one too many."""
    for edit in (lambda lines: lines[1:], lambda lines: lines + [lines[-1]]):
        memory, spaces, user, bochs = fake.scene(scene[1], vlp=scene[2])
        bochs.tab_edit = edit
        report = report_of(memory, spaces, user, bochs)
        assert not report.ok and "Bochs' info tab" in texts(report)


@cases(*SCENES)
def test_summary_is_checked(scene):
    """A wrong range in the kernel's own summary."""
    memory, spaces, user, bochs = fake.scene(scene[1], vlp=scene[2])

    def edit(lines):
        at = max(i for i, line in enumerate(lines) if line.startswith("0x0000000000400000-"))
        lines[at] = lines[at].replace("402fff ->", "401fff ->").replace("702fff", "701fff")
        return lines

    report = report_of(memory, spaces, user, bochs, edit)
    assert not report.ok and "the kernel's summary says 0x400000-0x401fff" in texts(report)


def test_accessed_and_dirty_may_grow_only():
    """A/D set since the dump is right; A/D lost since the dump is not."""
    for was, now, fine in ((0x03, 0x63, True), (0x23, 0x63, True), (0x63, 0x23, False), (0x63, 0x03, False)):
        memory, spaces, kernel, bochs = fake.scene("long", user=False)
        kernel.map(0xFFFFF80000010000, 0x20000, was)
        text = fake.checkpoint(spaces, kernel, bochs.cr3)
        kernel.map(0xFFFFF80000010000, 0x20000, now)
        report = examine(protocol.parse(text).checkpoints[0], bochs, "long")
        assert report.ok == fine, (hex(was), hex(now), texts(report))


def test_copied_slot_keeps_its_own_accessed_bit():
    """A slot copied from the kernel may lack the accessed bit that the kernel's slot has, but nothing else."""
    for flip, fine in ((0x20, True), (0x04, False), (0x1000, False)):
        memory, spaces, user, bochs = fake.scene("long")
        slot = user.root + 8 * user.copies[0]
        memory.words[slot] ^= flip
        report = report_of(memory, spaces, user, bochs)
        assert report.ok == fine, (hex(flip), texts(report))


@cases("pae", "long")
def test_vlp_copy_is_checked(mode):
    """CR3 leads to a stale copy of a vlp hat's four entries."""
    memory, spaces, user, bochs = fake.scene(mode, vlp=True)
    low = bochs.cr3 if mode == "pae" else memory.words[bochs.cr3] & 0xFFFFFFF000
    memory.words[low + 8] = 0
    report = report_of(memory, spaces, user, bochs)
    assert not report.ok and "copy of the top entries" in texts(report), texts(report)
    assert "entry 1 is 0x0000000000000000" in texts(report)


def test_wrong_root():
    """CR3 is not the root of the hat that the kernel calls current."""
    memory, spaces, user, bochs = fake.scene("long")
    bochs.cr3 = spaces[0].root
    report = report_of(memory, spaces, user, bochs)
    assert "but this hat's root is" in texts(report)


@cases(
    ("child", "    link 1 -> ", None, "nothing links to it"),
    ("lost-table", "  ht ", 3, "leads to a table that is not in the dump"),
    ("frame", "link 2 -> 0x", None, "has pfn="),
    ("parent", "parent=0xc0002", None, "its parent"),
    ("count", "valid=3", None, "valid=4, but 3 entries are listed"),
    ("pages", "pages=4,0,0", None, "pages=5,0,0, but 4,0,0 leaves are listed"),
    ("index", "leaf 0 0x0000000000400000", None, "not 0x400000-0x400fff"),
    ("size", "leaf 0 0x0000000000400000", "2M", "leaf of size 2M at level 0"),
    ("twice", "  ht ", 5, "a second table"),
)
def test_dump_must_be_a_tree(case):
    """A dump that contradicts itself is told so, whatever memory says."""
    name, mark, extra, expected = case
    memory, spaces, user, bochs = fake.scene("pae", vlp=True)

    def edit(lines):
        user_at = next(i for i, line in enumerate(lines) if " user " in line)
        hits = [i for i, line in enumerate(lines) if mark in line and i >= user_at]
        at = hits[0]
        if name == "child":
            del lines[at]
        elif name == "lost-table":
            del lines[hits[-1] : hits[-1] + 2]
        elif name == "frame":
            lines[at] = lines[at].replace("-> 0x0000001", "-> 0x0000002")
        elif name == "parent":
            lines[at] = lines[at].replace("parent=0x", "parent=0xa")
        elif name == "count":
            lines[at] = lines[at].replace("valid=3", "valid=4")
        elif name == "pages":
            lines[at] = lines[at].replace("pages=4", "pages=5")
        elif name == "index":
            lines[at] = lines[at].replace("leaf 0 ", "leaf 9 ")
            del lines[at + 1 : at + 3]
        elif name == "size":
            lines[at] = lines[at].replace("4K", "2M")
        elif name == "twice":
            lines[hits[-1] : hits[-1]] = lines[hits[-2] : hits[-2] + 2]
        return lines

    report = report_of(memory, spaces, user, bochs, edit)
    assert not report.ok and expected in texts(report), texts(report)


def test_link_to_another_table():
    """The kernel's link differs from memory: the fault is named at the link, not at every page below."""
    memory, spaces, user, bochs = fake.scene("long")
    other = memory.frame()
    slot = user.tables[1, 0] + 8 * 2
    text = fake.checkpoint(spaces, user, bochs.cr3)
    memory.words[slot] = other | 0x27
    report = examine(protocol.parse(text).checkpoints[0], bochs, "long")
    [d] = differences(report)
    assert (d.level, d.index, d.alone, d.va) == (1, 2, "kernel", 0x400000)


def test_blind_hat_has_no_lone_witness():
    """Without Bochs, two witnesses can only contradict each other."""
    memory, spaces, user, bochs = fake.scene("long")
    report = report_of(memory, spaces, user, bochs, replace("-> 0x000000010000-0x000000010fff", "-> 0x000000011000-0x000000011fff"))
    kernel, mine = report.hats
    assert kernel.differences[0].alone is None and "Bochs cannot see this" in kernel.differences[0].text[-1]
    # the same table is seen through the user's copied slot, where Bochs does look
    assert mine.differences[0].alone == "kernel"


def test_slots_that_info_tab_leaves_out():
    """Slots 256-479: only `page` can be asked, and the mark says so."""
    memory, spaces, kernel, bochs = fake.scene("long", user=False)
    kernel.map(0xFFFF800000000000, 0x30000)
    report = report_of(memory, spaces, kernel, bochs)
    assert report.ok, texts(report)
    assert report.hats[0].rows[0].marks["bochs"] == "page"
    bochs.page_lies[0xFFFF800000000000, 0] = 0x31063
    assert not report_of(memory, spaces, kernel, bochs).ok


def test_mode_is_checked():
    """The mode comes from the control registers; %hello must say the same."""
    memory, spaces, kernel, bochs = fake.scene("pae", user=False)
    reader = protocol.parse(fake.checkpoint(spaces, kernel, bochs.cr3))
    report = examine(reader.checkpoints[0], bochs, "long")
    assert report.mode == "pae" and "%hello says mode=long" in texts(report)


def test_each_table_is_read_once():
    """One xp for each frame of a stop, however many address spaces share it."""
    memory, spaces, user, bochs = fake.scene("long")
    report_of(memory, spaces, user, bochs)
    reads = [c for c in bochs.asked if c.startswith("xp")]
    assert len(reads) == len(set(reads))


@cases(*SCENES)
def test_output_fits(scene):
    """Every line that people read is at most 100 columns wide, or one that says what is wrong."""
    memory, spaces, user, bochs = fake.scene(scene[1], vlp=scene[2])
    for line in texts(report_of(memory, spaces, user, bochs)).splitlines():
        assert len(line) <= show.WIDTH, line


def test_unchanged_ranges_are_folded():
    """A second checkpoint shows only what changed."""
    memory, spaces, user, bochs = fake.scene("long")
    lines = []
    printer = show.Printer(lines.append)
    printer.report("fake", report_of(memory, spaces, user, bochs))
    del lines[:]
    user.map(0x500000, 0x900000)
    printer.report("fake", report_of(memory, spaces, user, bochs))
    ranges = [line for line in lines if " -> " not in line and "-0000" in line]
    assert len(ranges) == 1 and "0000000000500000" in ranges[0], lines
    assert "2 as before" in "\n".join(lines)


def test_json_has_everything():
    """The data for JSON is plain and complete."""
    import json

    memory, spaces, user, bochs = fake.scene("long")
    report = report_of(memory, spaces, user, bochs, replace("0x000000701fff 4K rwxu", "0x000000701fff 4K r-xu"))
    data = json.loads(json.dumps(show.report_data(report)))
    assert data["ok"] is False and data["hats"][0]["ok"] is True
    assert data["hats"][1]["differences"][0]["alone"] == "kernel"
    assert data["hats"][1]["rows"][0]["va0"] == "0x400000"


def test_cut_and_range_difference():
    """Holes are cut out exactly; the first difference is named."""
    assert cut([(0, 9, 100)], [(3, 5)]) == [(0, 2, 100), (6, 9, 106)]
    assert cut([(0, 9, 100)], [(0, 9)]) == []
    assert cut([(0, 9, 100)], [(10, 20)]) == [(0, 9, 100)]
    assert range_difference([(0, 1, 0)], [(0, 1, 0)], "a", "b") is None
    assert "nothing" in range_difference([(0, 1, 0)], [], "a", "b")
