# SPDX-License-Identifier: ISC
"""Questions in the course's words at a stop of Bochs' debugger (hatlab/ask), beside what the kernel's dump, Bochs and nm say."""

import re
import time

from common import FLAVORS, TOP, image
from hatlab import ask, bochs, bochs_out, host
from hatlab import image as images
from hatlab.ask import lines, prototypes
from hatlab.protocol import Leaf, Reader
from hatlab.symbols import Symbols
from testall import cases, limit

MODES = ("i386", "i386 pae=0", "amd64")


class Run:
    """A kernel stopped at a checkpoint, with the dump that it has just printed."""

    def __init__(self, mode, cpus=1):
        flavor, _, args = mode.partition(" ")
        folder = image(flavor)
        self.kernel = folder / "kernel.elf"
        self.symbols = Symbols.read(self.kernel)
        self.machine = bochs.Bochs(images.with_args(images.load(folder / "hatlab.iso"), args), cpus)
        self.reader, self.asker, self.stop = Reader(), ask.Asker(self.kernel, 200), None

    def __enter__(self):
        self.machine.__enter__()
        return self

    def __exit__(self, *what):
        self.machine.close()

    def go(self):
        self.asker.leaves(self.machine)
        self.stop, late = self.machine.go(lambda: time.monotonic() + 60, self.reader.feed)
        assert not late, self.stop

    def until(self, name):
        while not self.reader.checkpoints or self.reader.checkpoints[-1].name != name or self.stop.kind != "magic":
            self.go()
            assert not self.reader.done, f"no checkpoint {name}"
        return self.reader.checkpoints[-1]

    def breakpoint(self, name):
        self.machine.ask([f"lb 0x{self.symbols.address(name):x}"])
        while True:
            self.go()
            if bochs_out.linear_of(self.stop.where) == self.symbols.address(name):
                return

    def ask(self, line):
        found = self.asker.answer(self.machine, line)
        print(f"> {line}", *(found or [found]), sep="\n")
        return found

    def raw(self, command):
        return self.machine.ask([command])[0]


def own(table):
    """The leaf lines of one table."""
    return [e for e in table.entries if isinstance(e, Leaf)]


def leaves(cp):
    """(hat, level, leaf) of a dump."""
    return [(hat, table.level, leaf) for hat in cp.hats for table in hat.tables for leaf in own(table)]


def current(cp):
    return next(h for h in cp.hats if h.addr == cp.hat)


@cases(*MODES)
@limit(400)
def test_walk(mode):
    """walk: the entries that Bochs' page prints, the dump's physical address, the rights; a page that is not mapped; a liar is caught"""
    with Run(mode) as run:
        cp = run.until("two-spaces")
        mine = [leaf for hat, _, leaf in leaves(cp) if hat is current(cp) or hat.name == "kernel"]
        assert len(mine) > 5
        for leaf in mine[:12]:
            va = leaf.va0 + (leaf.va1 - leaf.va0) // 2
            said = run.ask(f"walk 0x{va:x}")
            assert f"-> physical 0x{leaf.pa0 + va - leaf.va0:x}, r{'w' if leaf.w else '-'}{'x' if leaf.x else '-'}" in said[-2]
            page = bochs_out.parse_page(run.raw(f"page 0x{va:x}"))
            assert said[-1] == f"  Bochs' page: 0x{page.phys:x}: agrees", said
            entries = [int(m[1], 16) for line in said if (m := re.match(r"  level .*: 0x([0-9a-f]+) ", line))]
            assert entries[len(entries) - len(page.entries):] == [e.entry for e in page.entries]
            assert ("writable" in said[-3]) == leaf.w and ("user" in said[-3]) == leaf.u and ("dirty" in said[-3]) == leaf.d
        said = run.ask("walk 0x5000")
        assert said[-2].startswith("  page fault: the P") and said[-2].endswith("is not present"), said
        assert said[-1] == "  Bochs' page: not mapped: agrees"
        honest, va = run.machine.ask, run.symbols.address("kmain")
        run.machine.ask = lambda commands, *more: [r.replace("physical page 0x0", "physical page 0x1") for r in honest(commands, *more)]
        assert "DISAGREES" in run.ask(f"walk 0x{va:x}")[-1]


@cases(*MODES)
@limit(400)
def test_beliefs(mode):
    """hats, tree, htable, table: every hat and table of the dump, with its counts and runs"""
    with Run(mode) as run:
        cp = run.until("two-spaces")
        hats = run.ask("hats")
        assert len(hats) == len(cp.hats) > 2
        for hat, line in zip(cp.hats, hats):
            flags = f" ({','.join(sorted(hat.flags))})" if hat.flags else ""
            assert line.startswith(f"hat 0x{hat.addr:x} {hat.name}{flags}: root 0x{hat.root:x}, top level {hat.top}, {len(hat.tables)} tables")
            assert f"pages {','.join(map(str, hat.pages))}" in line and ("runs on CPU 0" in line) == (hat.addr == cp.hat)
            tree = run.ask(f"tree 0x{hat.addr:x}")
            counts = [t for line in tree if (t := re.search(r"level \d .* (busy \d+ valid \d+ lock \d+)", line))]
            folded = sum(int(m[1]) for line in tree if (m := re.search(r"\] (\d+) more tables like", line)))
            assert len(counts) + folded == len(hat.tables), tree
            told = {f"busy {t.busy} valid {t.valid} lock {t.lock}" for t in hat.tables}
            assert {c[1] for c in counts} <= told and (folded or {c[1] for c in counts} == told)
        assert run.ask("tree") == run.ask(f"tree 0x{cp.hat:x}")
        for hat in cp.hats:
            for table in hat.tables[:6] + hat.tables[-3:]:
                said = "\n".join(run.ask(f"htable 0x{table.addr:x}"))
                assert f"htable 0x{table.addr:x} of hat 0x{hat.addr:x}" in said
                assert f"ht_level {table.level}, ht_vaddr 0x{table.lo:x}: covers" in said
                assert f"ht_busy {table.busy} (" in said and f"ht_valid_cnt {table.valid}, ht_lock_cnt {table.lock}," in said
                assert ("ht_pfn none" if table.pfn is None else f"ht_pfn 0x{table.pfn:x} ") in said
                assert f"ht_parent 0x{table.parent or 0:x}" in said and "note: no link" not in said and "NOT" not in said
                if table.pfn is None or table.level == hat.top:
                    continue
                said = run.ask(f"table 0x{table.pfn << 12:x}")
                assert f"htable 0x{table.addr:x}: level {table.level} " in said[1]
                for leaf in own(table):
                    slots = f"[{leaf.first}]" if leaf.first == leaf.last else f"[{leaf.first}-{leaf.last}]"
                    assert any(line.startswith(f"  {slots} {leaf.va0:0{16 if mode == 'amd64' else 8}x}-") for line in said), (slots, said)
                # a virtual address leads to the same table
                if hat.addr == cp.hat and own(table):
                    assert run.ask(f"table 0x{own(table)[0].va0:x}")[1] == said[1]


@cases(*MODES)
@limit(400)
def test_who(mode):
    """who: for frames of all kinds, exactly the mappings that the dump has, and the links to tables"""
    with Run(mode) as run:
        cp = run.until("two-spaces")
        user = [leaf for hat, _, leaf in leaves(cp) if hat.name == "user"]
        tables = [t for hat in cp.hats for t in hat.tables if t.pfn is not None and t.level < hat.top]
        for pfn in {leaf.pa0 >> 12 for leaf in user[:8]} | {t.pfn for t in tables[-4:]} | {0x201, 0x405, 0x3001}:
            said = run.ask(f"who 0x{pfn:x}")
            wanted = {(hat.addr, leaf.va0 + (pfn << 12) - leaf.pa0, level) for hat, level, leaf in leaves(cp)
                      if leaf.pa0 <= pfn << 12 <= leaf.pa1}
            kernel = next(h.addr for h in cp.hats if h.name == "kernel")
            found = {(int(m[1], 16) if m[1] else kernel, int(m[2], 16), int(m[3])) for line in said if
                     (m := re.match(r"  (?:hat 0x([0-9a-f]+).*|the kernel's hat) maps it at 0x([0-9a-f]+) \(level (\d)", line))}
            assert found == wanted, (hex(pfn), found, wanted)
            links = [line for line in said if "links it as a table" in line]
            assert len(links) == sum(t.pfn == pfn for t in tables)
            assert wanted or links or said[-1].startswith("  nobody")
        assert run.ask(f"who 0x{tables[-1].pfn << 12:x}") == run.ask(f"who 0x{tables[-1].pfn:x}") == run.ask(f"who {tables[-1].pfn}")


@cases(*MODES)
@limit(400)
def test_changed(mode):
    """changed: nothing at first; one bit turned in memory; at the next checkpoint what the two dumps differ in"""
    with Run(mode) as run:
        before = run.until("user-space")
        assert "tables noted" in run.ask("changed")[0]
        assert run.ask("changed")[0].startswith("nothing has changed in ")
        table, leaf = next((t, x) for t in current(before).tables for x in own(t) if t.level == 0)
        width = 4 if "pae=0" in mode else 8
        at = (table.pfn << 12) + leaf.first * width
        old = int(re.search(r"\t0x([0-9a-f]+)", run.raw(f"xp /1wx 0x{at:x}"))[1], 16)
        run.raw(f"setpmem 0x{at:x} 4 0x{old ^ 0x40:x}")
        said = run.ask("changed")
        assert len(said) == 2 and f"table at 0x{table.pfn << 12:x}, level 0" in said[0], said
        assert f"~ [{leaf.first}] 0x{leaf.va0:0{16 if mode == 'amd64' else 8}x}: " in said[1] and "dirty)" in said[1], said
        run.raw(f"setpmem 0x{at:x} 4 0x{old:x}")
        assert run.ask("changed")[0].startswith("nothing")
        after = run.until("two-spaces")
        said = "\n".join(run.ask("changed"))
        for hat in {h.addr for h in after.hats} - {h.addr for h in before.hats}:
            assert f"+ hat 0x{hat:x}" in said
        had = {t.pfn for h in before.hats for t in h.tables}
        fresh = [t for h in after.hats for t in h.tables if t.pfn not in had and t.pfn is not None]
        assert fresh
        for table in fresh:
            assert f"+ table at 0x{table.pfn << 12:x}, level {table.level} " in said
        assert run.ask("changed off") == ["changed: off"]


@cases(*FLAVORS)
@limit(400)
def test_where(flavor):
    """where: the line at which the source defines the function, its arguments by Bochs, its callers by the stack"""
    with Run(flavor) as run:
        run.until("started")
        run.breakpoint("htable_lookup")
        path = "solutions/lab2-finding/htable_lookup.c"
        text = (TOP / path).read_text().splitlines()
        line = next(n for n, t in enumerate(text, 1) if t.startswith("htable_lookup("))
        regs = bochs_out.parse_registers(run.raw("r"))
        if flavor == "amd64":
            wanted, back = [regs["rdi"], regs["rsi"], regs["rdx"] & 0xFF], bochs_out.parse_xp(run.raw("x /1gx rsp"), 1)[1][0]
        else:
            back, *wanted = [int(w, 16) for w in re.findall(r"\t0x([0-9a-f]+)", run.raw("x /4wx esp"))]
        said = run.ask("where")
        match = re.fullmatch(r"#0 0x[0-9a-f]+ htable_lookup\(hat=(\S+), va=(\S+), level=(\S+)\) (\S+):(\d+)", said[0])
        assert match and [int(match[n], 0) for n in (1, 2, 3)] == wanted and match[4] == path and abs(int(match[5]) - line) <= 1, said
        assert said[1].startswith(f"#1 0x{back:0{16 if flavor == 'amd64' else 8}x} {run.symbols.name(back)}(")
        assert re.search(r"^#\d+ 0x\w+ kmain\+\w+\(.*\) src/kern/kmain.c:\d+", "\n".join(said), re.M)
        # one instruction further the caller is still the same
        run.raw("s")
        assert run.ask("where")[1].split("(")[0] == said[1].split("(")[0]
        run.raw("s")
        assert run.ask("where")[1].split("(")[0] == said[1].split("(")[0]


@cases(*FLAVORS)
@limit(300)
def test_mistakes(flavor):
    """before there are hats; no number, not canonical, no such htable, hat or level: one clear line, and it goes on"""
    with Run(flavor) as run:
        assert "paging is off" in run.ask("walk 0x1000")[0]
        assert "paging is off" in run.ask("who 1")[0] and run.ask("where")
        run.breakpoint("kmain")
        assert run.ask("hats") == ["hats: there are no hats yet: kas_hat is NULL until hat_kern_alloc()"]
        assert run.ask("tree")[0].startswith("hat 0x0 boot: ") and run.ask("walk kmain")[-1].endswith(": agrees")
        run.until("started")
        wide = "0x800000000000" if flavor == "amd64" else "0x100000000"
        for line, words in {
            "walk": "walk VA: see help walk", "walk nothing": "'nothing' is neither a number", "walk 0xfg": "neither a number",
            f"walk {wide}": "is not canonical" if flavor == "amd64" else "more than 32 bits", "walk 1 2": "see help walk",
            "walk 0x11112222333344445": "more than 64 bits", "htable 0x1234": "0x1234 is no htable", "htable kmain": "is no htable",
            "tree 0x1234": "there is no hat 0x1234", "tree x": "neither a number", "table 0x1000 9": "no level: 0 to",
            "table phys:0x5000": "say of which level", "table phys:0xfffff000 0": "is not memory", "table kmain 0": "ends at level",
            "who 0xfffffffffffff000": "neither a frame nor", "changed maybe": "say changed", "hats 1": "see help hats",
        }.items():
            said = run.ask(line)
            assert len(said) == 1 and said[0].startswith(line.split()[0] + ": ") and words in said[0], (line, said)
        assert run.ask("walk kmain")[-1].endswith(": agrees")
        # what is not ours is Bochs'
        assert run.ask("creg") is None and run.ask("help xp") is None and run.ask("") is None


def test_help():
    """help has a line for each question, and more with an example for each; documentation has them all"""
    said = ask.Asker(TOP / "none").answer(None, "help")
    text = (TOP / "docs/debug.md").read_text()
    for name, command in ask.COMMANDS.items():
        assert any(line.startswith(command.usage + " ") and command.short in line for line in said)
        more = ask.help_lines([name])
        assert more[0] == command.usage and any(line.startswith(f"    {name}") for line in more), more
        assert f"`{command.usage}`" in text.replace("\\|", "|"), f"docs/debug.md does not have {command.usage}"
        assert name in ask.HINT
    for path in (host.TOOLS / "hatlab/ask").glob("*.py"):
        assert len(path.read_text().splitlines()) <= 250, path


def test_parameters():
    """parameters are read from a definition, never from a call or a declaration; copies of a trial have the unit's name"""
    text = "int f(int a);\nint\nf(const struct x *p, uint64_t v /* , w */)\n{\n\tg(1);\n}\nstatic void g(void) {\n}\nint h(int (*f)(int)) {\n}"
    found = prototypes.parameters_of(text, "f")
    assert [(p.name, p.type) for p in found] == [("p", "x*"), ("v", "uint64_t")]
    assert [p.size({"uint64_t": 8}, 4) for p in found] == [4, 8] and found[1].size({}, 4) is None
    assert prototypes.parameters_of(text, "g") == [] and prototypes.parameters_of(text, "h") is None
    assert prototypes.parameters_of(text, "nobody") is None
    assert lines.plain("htable_scan__mine") == "htable_scan" and lines.plain("kmain") == "kmain"
