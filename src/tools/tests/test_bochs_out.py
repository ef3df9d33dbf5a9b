# SPDX-License-Identifier: ISC
"""The parser of Bochs' output, on recordings of 2.7 and 3.x in all three paging modes."""

from pathlib import Path

from testall import cases

from hatlab import bochs_out
from hatlab.bochs_out import BochsOutputError, Range

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
VERSIONS = ("bochs-2.7", "bochs-3.0.devel")


def sample(version, name):
    return (SAMPLES / f"{version}.{name}.txt").read_text()


def raises(function, *args):
    try:
        function(*args)
    except BochsOutputError as error:
        return str(error)
    raise AssertionError(f"{function.__name__} accepted {args!r}")


def page_replies(text):
    """Cut a recording at the ends of its `page` replies."""
    replies, part = [], []
    for line in text.splitlines(keepends=True):
        part.append(line)
        if line.startswith(("linear page", "physical address not")):
            start = max((i for i, l in enumerate(part[:-1]) if not l.lstrip().startswith(("PML4", "PDPE", "PDE", "PTE"))), default=-1)
            replies.append(bochs_out.parse_page("".join(part[start + 1 :])))
            part = []
    return replies


@cases(*VERSIONS)
def test_info_tab_long(version):
    """Ranges of a long-mode space, with the misprinted one clipped and the blind stretches named."""
    tab = bochs_out.parse_info_tab(sample(version, "long"))
    assert tab.cr3 == 0x400000 and len(tab.ranges) == 12
    assert tab.ranges[0] == Range(0, 0x7FFFFF, 0)
    assert Range(0x7FFFFFFFE000, 0x7FFFFFFFEFFF, 0x4000) in tab.ranges
    assert tab.ranges[-1] == Range(0xFFFFFFFFFFFFF000, 0xFFFFFFFFFFFFFFFF, 0x13000)
    assert tab.blind == [(0x7FFFFFFFF000, 0x7FFFFFFFFFFF), (0xFFFF800000000000, 0xFFFFEFFFFFFFFFFF)]


def test_info_tab_only_the_last_low_page():
    """If the misprinted range starts at that very page, nothing of it can be used."""
    text = "cr3: 0x000000400000\n0x00007ffffffff000-0xffffefffffffffff -> 0x000000005000-0xffff700000005fff\n"
    tab = bochs_out.parse_info_tab(text)
    assert tab.ranges == [] and tab.blind[0][0] == 0x7FFFFFFFF000
    honest = "cr3: 0x000000400000\n0x00007fffffffe000-0x00007fffffffefff -> 0x000000004000-0x000000004fff\n"
    assert len(bochs_out.parse_info_tab(honest).blind) == 1


@cases(*VERSIONS)
def test_info_tab_32_bit(version):
    """PAE and two-level spaces; physical addresses above 4 GiB."""
    tab = bochs_out.parse_info_tab(sample(version, "pae").split("PDPTE[1]")[0], long_mode=False)
    assert len(tab.ranges) == 5 and tab.ranges[3].pa0 == 0x900000000 and tab.blind == []
    tab = bochs_out.parse_info_tab(sample(version, "nonpae"), long_mode=False)
    assert len(tab.ranges) == 16 and tab.ranges[3] == Range(0xC0800000, 0xC0BFFFFF, 0x100000000)


def test_info_tab_without_paging():
    """`paging off` is an answer; anything else is an error."""
    assert not bochs_out.parse_info_tab("paging off\n").paging
    assert "cr3" in raises(bochs_out.parse_info_tab, "info: syntax error\n")


@cases(*VERSIONS)
def test_page_long(version):
    """All forms of a `page` reply: 4K, 2M, 1G, not present, NX, reserved bits."""
    replies = page_replies(sample(version, "long"))
    assert len(replies) == 19
    assert [e.name for e in replies[0].entries] == ["PML4", "PDPE", "PDE", "PTE"]
    assert replies[0].phys == 0x300000 and replies[0].entries[3].entry == 0x300021
    assert replies[1].entries[3].entry == 0x8000000000301003
    assert replies[5].phys is None and replies[5].entries[-1].entry == 0
    assert [e.name for e in replies[7].entries] == ["PML4", "PDPE"] and replies[7].phys == 0x123000
    assert replies[11].phys is None and replies[11].entries[3].entry == 0x400000000B003
    where = replies[0].entries[3].where
    assert where == (None if version == "bochs-2.7" else 0x404800)


@cases(*VERSIONS)
def test_page_pae(version):
    """PAE shows no directory pointer; an absent one leaves only the result line."""
    replies = page_replies(sample(version, "pae").split("PDPTE[1]")[0])
    assert [e.name for e in replies[0].entries] == ["PDE", "PTE"]
    assert replies[3].entries == [] and replies[3].phys is None and replies[3].linear == 0x40000000
    assert replies[5].phys == 0x900000000
    assert "no result" in raises(bochs_out.parse_page, " PDE: 0x0000000000403007    ps\n")


@cases(*VERSIONS)
def test_creg(version):
    """Modes and roots from the control registers."""
    for name, mode in (("long", "long"), ("pae", "pae"), ("nonpae", "nonpae")):
        creg = bochs_out.parse_creg(sample(version, name))
        assert (creg.mode, creg.root, creg.cr0) == (mode, 0x400000, 0xE0010011)
    assert bochs_out.Creg(0x11, 0, 0, 0, 0).mode == "off"
    assert bochs_out.Creg(1 << 31, 0, 0x402020, 0x20, 0).root == 0x402020
    assert bochs_out.Creg(1 << 31, 0, 0x402FFF, 0x20, 1 << 10).root == 0x402000
    assert "EFER" in raises(bochs_out.parse_creg, "CR0=0x1\nCR2=page fault laddr=0x0\nCR3=0x0\nCR4=0x0\n")


@cases(*VERSIONS)
def test_registers_and_ptime(version):
    """The register dump, with and without a colon behind eflags; the tick count."""
    text = sample(version, "symbols")
    regs = bochs_out.parse_registers(text[text.index("CPU0:") :])
    assert regs["rip"] == 0x100638 and regs["rbx"] == 0xFFFFFD8000200000 and regs["r12"] == 0x400000
    assert regs["eflags"] == 0x46
    assert bochs_out.parse_ptime(text) == (22361875 if version == "bochs-2.7" else 22356399)
    raises(bochs_out.parse_ptime, "ptime?\n")
    raises(bochs_out.parse_registers, "CPU0:\n")


@cases(*VERSIONS)
def test_xp(version):
    """`xp` pads values to eight digits only, and shows the nearest symbol."""
    text = sample(version, "symbols")
    one = text[text.index("[bochs]:\n0x0000000000404800 ") :]
    one = one[: one.index("[bochs]:", 10)]
    assert bochs_out.parse_xp(one, 4) == (0x404800, [0x300021, 0x8000000000301003, 0x302003, 0x303003])
    assert "expected 5 values, got 4" in raises(bochs_out.parse_xp, one, 5)


@cases(*VERSIONS)
def test_stops(version):
    """Breakpoints, magic breakpoints, and what the guest printed before them."""
    text = sample(version, "symbols")
    hit = text[text.index("(0) Breakpoint 1") : text.index("Stack address size")]
    stop = bochs_out.parse_stop(hit)
    assert (stop.kind, stop.number, stop.cpu, stop.before) == ("breakpoint", 1, 0, "")
    assert bochs_out.linear_of(stop.where) == 0x10024D
    magic = text[text.index("mbmagic=") : text.index("[bochs]:")]
    stop = bochs_out.parse_stop(magic)
    assert stop.kind == "magic" and stop.t > 22000000 and stop.before.endswith("root=0x0000000000400000\n")


STOP = "(1) Caught time breakpoint\nNext at t=500\n(0) [0x000000001000] 0008:0000000000001000 (unk. ctxt): nop ; 90\n(1) [0x0] 0008:0 (unk. ctxt): hlt ; f4\n"


def test_stop_forms():
    """A time breakpoint, two CPUs, a guest line without its end, an interrupt without a reason."""
    stop = bochs_out.parse_stop(STOP)
    assert (stop.kind, stop.cpu, stop.t) == ("time", 1, 500)
    assert bochs_out.parse_stop("no newline" + STOP).before == "no newline"
    assert bochs_out.parse_stop(STOP.split("\n", 1)[1]).kind == "other"
    assert bochs_out.parse_stop("Next at t=oops\n(0) Magic\n" + STOP).before == "Next at t=oops\n(0) Magic\n"
    assert bochs_out.parse_stop(STOP.replace("time breakpoint", "write watch point at 0x1")).kind == "watch"
    assert "expected a stop" in raises(bochs_out.parse_stop, STOP[:-30])
    lines = STOP.splitlines(True)
    late = lines[1] + lines[2] + "(1) Magic breakpoint\n" + lines[3]
    stop = bochs_out.parse_stop("said\n" + late)
    assert (stop.kind, stop.cpu, stop.t, stop.before) == ("magic", 1, 500, "said\n")
    assert stop.where.startswith("0008:0 "), "the place is the other CPU's"


def test_replies_are_cut_at_prompts():
    """Numbered prompts; a guest or a value that looks like another prompt is no border."""
    text = "one\nx<bochs:9> y\n<bochs:3> two\n<bochs:4> "
    replies = bochs_out.split_replies(text, 2, 2)
    assert replies == ["one\nx<bochs:9> y\n", "two\n"]
    assert bochs_out.without_echo("creg\nCR0=1\n", "creg") == "CR0=1\n"
    assert bochs_out.without_echo("CR0=1\n", "creg") == "CR0=1\n"
    assert "no prompt" in raises(bochs_out.split_replies, "one\n", 2, 1)


def test_exit_texts():
    """A triple fault of 2.7 ends Bochs: message, vector, place and time are kept."""
    end = bochs_out.parse_exit(sample("bochs-2.7", "pae"))
    assert end.triple_fault == 13 and end.t == 22138738
    assert bochs_out.linear_of(end.where[0]) == 0x100556 and "3rd (13) exception" in end.message
    end = bochs_out.parse_exit("nothing of the kind\n")
    assert (end.message, end.triple_fault, end.where) == ("", None, {})
