# SPDX-License-Identifier: ISC
"""A pretend machine for testing the comparison: memory, page tables in it, a dump of them, and the debugger's replies.

`Space` builds an address space in long or PAE mode and writes down what an honest kernel would say about it. `FakeBochs`
answers creg, info tab, page and xp from the same memory, by a walk of its own. Each of the three can be made to lie.
"""

import re

SHIFT = {"long": (12, 21, 30, 39), "pae": (12, 21, 30)}
NX = 1 << 63


class Memory:
    def __init__(self, mode):
        self.mode = mode
        self.words = {}  # physical address of a word -> value
        self.next = 0x100000

    @property
    def top(self):
        return len(SHIFT[self.mode]) - 1

    def frame(self):
        self.next += 0x1000
        return self.next - 0x1000

    def index(self, va, level):
        return va >> SHIFT[self.mode][level] & (3 if (self.mode, level) == ("pae", 2) else 511)

    def entries(self, pa, level):
        return 4 if (self.mode, level) == ("pae", 2) else 512

    def walk(self, root, va):
        """The entries passed: (level, entry)."""
        passed, level, table = [], self.top, root
        while True:
            entry = self.words.get(table + 8 * self.index(va, level), 0)
            passed.append((level, entry))
            if not entry & 1 or level == 0 or entry & 0x80:
                return passed
            table, level = entry & 0xFFFFFFF000, level - 1

    def pages(self, table, level, base=0):
        """All leaves below a table: (va, pa, size)."""
        shift = SHIFT[self.mode][level]
        for i in range(self.entries(table, level)):
            entry = self.words.get(table + 8 * i, 0)
            va = base + (i << shift)
            if level == 3 and i >= 256:
                va |= 0xFFFF << 48
            if entry & 1 and (level == 0 or entry & 0x80):
                yield va, entry & 0xFFFFFFF000 & -(1 << shift), 1 << shift
            elif entry & 1:
                yield from self.pages(entry & 0xFFFFFFF000, level - 1, va)

    def ranges(self, root):
        return merged(self.pages(root, self.top))


def merged(pages):
    """Pages as ranges in the shape of `info tab`."""
    out = []
    for va, pa, size in pages:
        if out and out[-1][1] == va and out[-1][2] + va - out[-1][0] == pa:
            out[-1][1] += size
        else:
            out.append([va, va + size, pa])
    return [f"0x{a:016x}-0x{b - 1:016x} -> 0x{p:012x}-0x{p + b - a - 1:012x}" for a, b, p in out]


class Space:
    """An address space; `kernel` is the Space whose top slots it copies."""

    def __init__(self, memory, addr, kernel=None, vlp=False):
        self.memory, self.addr, self.kernel, self.vlp = memory, addr, kernel, vlp
        self.top = 2 if vlp else memory.top
        self.tables = {}  # (level, base) -> frame
        self.copies = []
        self.root = memory.frame() + (0x800 if vlp else 0)
        self.tables[self.top, 0] = self.root
        if kernel and not (vlp and memory.mode == "long"):
            first = 256 if memory.mode == "long" else 3
            for i in range(first, 512 if memory.mode == "long" else 4):
                entry = memory.words.get(kernel.root + 8 * i, 0)
                if entry:
                    memory.words[self.root + 8 * i] = entry
                    self.copies.append(i)

    def map(self, va, pa, flags=0x63, level=0):
        table, at = self.root, self.top
        while at > level:
            slot = table + 8 * self.memory.index(va, at)
            if not self.memory.words.get(slot):
                frame = self.memory.frame()
                self.tables[at - 1, self.base(va, at - 1)] = frame
                pdpte = self.memory.mode == "pae" and at == 2
                self.memory.words[slot] = frame | (1 if pdpte else 0x27)
            table, at = self.memory.words[slot] & 0xFFFFFFF000, at - 1
        self.memory.words[table + 8 * self.memory.index(va, level)] = pa | flags | (0x80 if level else 0)

    def base(self, va, level):
        return va & -(1 << SHIFT[self.memory.mode][level] + 9)

    # the honest dump

    def dump(self):
        name = "user" if self.kernel else "kernel"
        pages = [0, 0, 0]
        body = []
        for (level, base), frame in sorted(self.tables.items(), key=lambda t: (-t[0][0], t[0][1])):
            body += self._table(level, base, frame, pages)
        flags = "vlp" if self.vlp else "-"
        head = (
            f"hat 0x{self.addr:x} {name} flags={flags} top={self.top} pages={pages[0]},{pages[1]},{pages[2]}"
            f" cpus=0x1 root=0x{self.root:012x}"
        )
        return [head, *body, f"cr3: 0x{self.root:012x}", *self.summary()]

    def summary(self):
        if self.vlp and self.memory.mode == "long":
            low = []
            for i in range(4):
                entry = self.memory.words.get(self.root + 8 * i, 0)
                if entry & 1:
                    low += self.memory.pages(entry & 0xFFFFFFF000, 1, i << 30)
            return merged(low) + self.memory.ranges(self.kernel.root)
        return self.memory.ranges(self.root)

    def _table(self, level, base, frame, pages):
        memory, shift = self.memory, SHIFT[self.memory.mode][level]
        inside = self.vlp and level == self.top
        count = 4 if inside else memory.entries(frame, level)
        top = level == self.top
        lines, valid = [], 0
        for i in range(count):
            entry = memory.words.get(frame + 8 * i, 0)
            if not entry:
                continue
            if top and i in self.copies:
                lines.append(f"    copy {i}")
                continue
            valid += 1
            va = base + (i << shift) | (0xFFFF << 48 if level == 3 and i >= 256 else 0)
            if level and not entry & 0x80:
                lines.append(f"    link {i} -> 0x{entry & 0xFFFFFFF000:012x} flags=0x{entry & 0xFFF:03x}")
                continue
            pages[level] += 1
            lines.append(self._leaf(i, va, entry, level, 1 << shift))
        last = base + (512 << shift) - 1
        if top:
            last = (1 << 64) - 1 if memory.mode == "long" and not inside else (1 << 32) - 1
        parent = "-" if top else f"0x{self._ht(level + 1, 0 if level + 1 == self.top else self.base(base, level + 1)):x}"
        pfn = "-" if inside else f"0x{frame >> 12:x}"
        head = (
            f"  ht 0x{self._ht(level, base):x} level={level} 0x{base:016x}-0x{last:016x} pfn={pfn} busy=1 valid={valid}"
            f" lock=0 flags={'vlp' if inside else '-'} parent={parent}"
        )
        return [head, *lines]

    def _ht(self, level, base):
        return self.addr + 0x100 + 16 * sorted(self.tables).index((level, base))

    def _leaf(self, i, va, entry, level, size):
        pa = entry & 0xFFFFFFF000 & -size
        w, u, x, g = entry & 2, entry & 4, not entry & NX, entry & 0x100
        pat = entry & (0x1000 if level else 0x80)
        cache = (4 if pat else 0) + (2 if entry & 0x10 else 0) + (1 if entry & 8 else 0)
        return (
            f"    leaf {i} 0x{va:016x}-0x{va + size - 1:016x} -> 0x{pa:012x}-0x{pa + size - 1:012x} "
            f"{('4K', '2M', '1G')[level]} r{'w' if w else '-'}{'x' if x else '-'}{'u' if u else 's'} {'g' if g else '-'} "
            f"{'a' if entry & 0x20 else '-'}{'d' if entry & 0x40 else '-'} c{cache} s{entry >> 9 & 7}"
        )


class FakeBochs:
    """Answers the debugger's commands. `lies` maps (command, level or address) to what is said instead."""

    def __init__(self, memory, cr3):
        self.memory, self.cr3 = memory, cr3
        self.xp_lies = {}  # physical address of a word -> value
        self.page_lies = {}  # (va, level) -> entry
        self.tab_edit = lambda lines: lines
        self.asked = []

    def ask(self, commands):
        self.asked += commands
        return [self._answer(c) for c in commands]

    def _answer(self, command):
        word, *rest = command.split()
        return getattr(self, "_" + {"info": "tab"}.get(word, word))(rest)

    def _creg(self, _):
        efer = 0xD01 if self.memory.mode == "long" else 0x800
        return (
            "CR0=0xe0010011: PG\nCR2=page fault laddr=0x0000000000000000\n"
            f"CR3=0x{self.cr3:012x}\n    PCD=page-level cache disable=0\nCR4=0x000000b0: PAE\nEFER=0x{efer:08x}: NXE\n"
        )

    def _tab(self, _):
        lines = []
        for line in self.memory.ranges(self.cr3):
            va = int(line[2:18], 16)
            if not 0xFFFF_8000_0000_0000 <= va <= 0xFFFF_EFFF_FFFF_FFFF:
                lines.append(line)
        return "\n".join([f"cr3: 0x{self.cr3:012x}", *self.tab_edit(lines)]) + "\n"

    def _xp(self, rest):
        count, pa = int(re.fullmatch(r"/(\d+)gx", rest[0])[1]), int(rest[1], 16)
        values = [self.xp_lies.get(pa + 8 * i, self.memory.words.get(pa + 8 * i, 0)) for i in range(count)]
        lines = ["[bochs]:"]
        for i in range(0, count, 2):
            cells = "".join(f"\t0x{v:08x}" for v in values[i : i + 2])
            lines.append(f"0x{pa + 8 * i:016x} <bogus+{8 * i:8}>:{cells}")
        return "\n".join(lines) + "\n"

    def _page(self, rest):
        va = int(rest[0], 16) & ~0xFFF
        lines, name = [], ("PTE", "PDE", "PDPE", "PML4")
        passed = self.memory.walk(self.cr3, va)
        for level, entry in passed:
            entry = self.page_lies.get((va, level), entry)
            if not (self.memory.mode == "pae" and level == 2):
                lines.append(f"{name[level]:>4}: 0x{entry:016x}{' XD' if entry & NX else '   '} g pat d a pcd pwt S W P")
        level, entry = passed[-1]
        entry = self.page_lies.get((va, level), entry)
        if entry & 1:
            size = 1 << SHIFT[self.memory.mode][level]
            pa = (entry & 0xFFFFFFF000 & -size) + (va & size - 1)
            lines.append(f"linear page 0x{va:016x} maps to physical page 0x{pa:012x}")
        else:
            lines.append(f"physical address not available for linear 0x{va:016x}")
        return "\n".join(lines) + "\n"


def checkpoint(spaces, current, cr3, edit=lambda lines: lines):
    """The guest's output for one checkpoint."""
    lines = edit([line for space in spaces for line in space.dump()])
    return "\n".join(
        [f"%cp-begin name=fake n=1 cpu=0 cr3=0x{cr3:012x} hat=0x{current.addr:x}", *lines,
         f"%cp-end name=fake lines={len(lines)}", ""]
    )


def scene(mode, user=True, vlp=False):
    """A small machine: memory, the kernel's space, a user's, and the Bochs that runs in the user's."""
    memory = Memory(mode)
    kernel = Space(memory, 0xC0001000 if mode == "pae" else 0xFFFFFE8000001000)
    kbase = 0xC0000000 if mode == "pae" else 0xFFFFF80000000000
    for i in range(4):
        kernel.map(kbase + i * 0x1000, 0x10000 + i * 0x1000, 0x563)
    kernel.map(kbase + 0x200000, 0x400000, 0x1E3, level=1)
    if not user:
        return memory, [kernel], kernel, FakeBochs(memory, kernel.root)
    space = Space(memory, kernel.addr + 0x1000, kernel, vlp)
    for i in range(3):
        space.map(0x400000 + i * 0x1000, 0x700000 + i * 0x1000, 0x67)
    space.map(0x40000000, 0x800000, NX | 0x25)
    return memory, [kernel, space], space, FakeBochs(memory, cpu_root(memory, kernel, space))


def cpu_root(memory, kernel, space):
    """What CR3 holds: the root, or for a vlp hat this CPU's copy of it."""
    if not space.vlp:
        return space.root
    low = memory.frame()
    for i in range(4):
        memory.words[low + 8 * i] = memory.words.get(space.root + 8 * i, 0)
    if memory.mode == "pae":
        return low
    top = memory.frame()
    for i in range(512):
        memory.words[top + 8 * i] = memory.words.get(kernel.root + 8 * i, 0)
    memory.words[top] = low | 0x27
    return top
