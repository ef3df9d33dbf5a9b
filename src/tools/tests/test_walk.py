# SPDX-License-Identifier: ISC
"""The host's page-table walker, on tables made by hand."""

import struct

from testall import cases

from hatlab import walk
from hatlab.walk import GEOMETRY, NX, Features

LONG, PAE, NONPAE = GEOMETRY["long"], GEOMETRY["pae"], GEOMETRY["nonpae"]


class Tables:
    """Physical memory made of tables: {address: {index: entry}}."""

    def __init__(self, geometry, tables):
        self.geometry, self.tables, self.reads = geometry, tables, []

    def fetch(self, areas):
        self.reads += areas
        out = []
        for pa, size in areas:
            width = 4 if self.geometry is NONPAE else 8
            entries = self.tables.get(pa, {})
            values = [entries.get(i, 0) for i in range(size // width)]
            out.append(struct.pack(f"<{len(values)}{'I' if width == 4 else 'Q'}", *values))
        return out

    def walk(self, root=0x1000, **features):
        return walk.walk(root, self.geometry, self.fetch, Features(**features))


def long_tables():
    return {
        0x1000: {0: 0x2027, 256: 0x6003, 511: 0x2007},
        0x2000: {0: 0x3027, 1: 0x40000083},
        0x3000: {0: 0x4027, 1: 0x200183, 2: 0x401083},
        0x4000: {0: 0x10067, 1: 0x11067, 2: 0x12067, 5: NX | 0x15001, 7: 0x9083, 8: 0x1B01B},
        0x6000: {},
    }


def test_long_mode():
    """Pages of all three sizes, through two paths, with canonical addresses."""
    tree = Tables(LONG, long_tables()).walk()
    found = list(walk.mappings(tree))
    low = [(m.va0, m.va1, m.pa0, m.level) for m in found if m.va0 < 1 << 47]
    assert low == [
        (0, 0x2FFF, 0x10000, 0),
        (0x5000, 0x5FFF, 0x15000, 0),
        (0x7000, 0x7FFF, 0x9000, 0),
        (0x8000, 0x8FFF, 0x1B000, 0),
        (0x200000, 0x3FFFFF, 0x200000, 1),
        (0x400000, 0x5FFFFF, 0x400000, 1),
        (0x40000000, 0x7FFFFFFF, 0x40000000, 2),
    ]
    assert found[len(low)].va0 == 0xFFFFFF8000000000
    assert walk.translate(tree, 0xFFFFFF8000000123) == 0x10123
    assert walk.translate(tree, 0x40123456) == 0x40123456
    assert walk.translate(tree, 0x4000) is None
    assert walk.translate(tree, 0xFFFF800000000000) is None
    assert (3, 0) in tree.tables and (2, 0xFFFF800000000000) in tree.tables


def test_rights_are_the_product_of_all_levels():
    """One upper entry without W, without U, or with NX takes the right from everything below."""
    for change, want in ((0, (True, True, True)), (0x2, (True, False, True)), (0x4, (False, True, True)), (NX, (True, True, False))):
        for table, index in ((0x1000, 0), (0x2000, 0), (0x3000, 0)):
            tables = long_tables()
            tables[table][index] ^= change
            tables[0x1000].pop(511)
            m = next(walk.mappings(Tables(LONG, tables).walk()))
            assert (m.u, m.w, m.x) == want, (hex(change), hex(table))
            assert (m.leaf.u, m.leaf.w, m.leaf.x) == (True, True, True)


@cases(
    ("4K", 0, 0x9083, 4), ("4K-all", 0, 0x909B, 7), ("2M", 1, 0x401083, 4), ("2M-pcd", 1, 0x400093, 2), ("2M-pwt", 1, 0x40008B, 1),
    ("1G", 2, 0x40001083, 4),
)
def test_cache_bits(case):
    """PAT is bit 7 of a small page and bit 12 of a large one; it never becomes part of the address."""
    _, level, entry, cache = case
    found = walk.decode(LONG, level, entry)
    assert (found.kind, found.cache) == ("leaf", cache)
    assert found.pa == entry & (0xFFFFFFFFFFFFF000, 0xFFFFFFFFFFE00000, 0xFFFFFFFFC0000000)[level]


def test_bits_of_an_entry():
    """Every single bit of a leaf means what it should."""
    base = walk.decode(LONG, 0, 0x5001)
    assert (base.kind, base.w, base.u, base.g, base.a, base.d, base.x, base.cache, base.soft) == (
        "leaf", False, False, False, False, False, True, 0, 0)
    for bit, name, value in ((1, "w", True), (2, "u", True), (5, "a", True), (6, "d", True), (8, "g", True), (63, "x", False),
                             (3, "cache", 1), (4, "cache", 2), (7, "cache", 4), (9, "soft", 1), (10, "soft", 2), (11, "soft", 4)):
        found = walk.decode(LONG, 0, 0x5001 | 1 << bit)
        assert getattr(found, name) == value, name
        assert found._replace(**{name: getattr(base, name)}) == base, f"bit {bit} changed more than {name}"
    assert walk.decode(LONG, 0, 0x5000).kind == "none"


def test_one_flipped_bit_is_seen():
    """Flip each bit of a leaf in memory: the tree's meaning changes, except for ignored bits."""
    clean = list(walk.mappings(Tables(LONG, long_tables()).walk()))
    for bit in range(64):
        tables = long_tables()
        tables[0x4000][5] ^= 1 << bit
        same = list(walk.mappings(Tables(LONG, tables).walk())) == clean
        assert same == (52 <= bit <= 62), f"bit {bit}"


@cases(
    ("pml4-ps", LONG, 3, 0x20A7, 0x80), ("long-40", LONG, 0, 1 << 40 | 1, 1 << 40), ("long-51", LONG, 1, 1 << 51 | 1, 1 << 51),
    ("2M-low", LONG, 1, 0x402083, 0x2000), ("1G-low", LONG, 2, 0x40200083, 0x200000), ("pae-52", PAE, 0, 1 << 52 | 1, 1 << 52),
    ("pdpte-w", PAE, 2, 0x2003, 2), ("pdpte-a", PAE, 2, 0x2021, 0x20), ("pdpte-nx", PAE, 2, NX | 0x2001, NX),
    ("4M-21", NONPAE, 1, 0x200083, 0x200000),
)
def test_reserved_bits(case):
    """An entry with a reserved bit maps nothing, and the bit is named."""
    _, geometry, level, entry, bad = case
    found = walk.decode(geometry, level, entry)
    assert (found.kind, found.reserved) == ("bad", bad)
    assert walk.decode(geometry, level, entry & ~bad).kind in ("leaf", "table")


def test_bits_that_are_not_reserved():
    """Address bits up to 39, ignored bits 52-62 in long mode, NX only with NXE."""
    assert walk.decode(LONG, 0, 1 << 39 | 1).pa == 1 << 39
    assert walk.decode(LONG, 0, 0x7FF << 52 | 1).kind == "leaf"
    assert walk.decode(LONG, 0, NX | 1, Features(nxe=False)).kind == "bad"
    assert walk.decode(PAE, 2, 0x2019).cache == 3


def test_pae():
    """Four directory entries of 32 bytes, rights from two levels only."""
    machine = Tables(PAE, {
        0x1020: {0: 0x2001, 3: 0x3001},
        0x2000: {1: 0x4007, 2: 0x4000E7},
        0x3000: {511: 0x5003},
        0x4000: {0: NX | 0x900000007},
        0x5000: {511: 0x13003},
    })
    tree = machine.walk(0x1020)
    found = [(m.va0, m.va1, m.pa0, m.level, m.u, m.w, m.x) for m in walk.mappings(tree)]
    assert found == [
        (0x200000, 0x200FFF, 0x900000000, 0, True, True, False),
        (0x400000, 0x5FFFFF, 0x400000, 1, True, True, True),
        (0xFFFFF000, 0xFFFFFFFF, 0x13000, 0, False, True, True),
    ]
    assert machine.reads[0] == (0x1020, 32)


def test_nonpae():
    """Two levels of 1024 short entries; 4 MiB pages only with CR4.PSE; PSE-36 addresses."""
    tables = {0x1000: {0: 0x2007, 3: 0x2083, 1023: 0x4000C3}, 0x2000: {1023: 0x5067, 0: 0x9001}}
    tree = Tables(NONPAE, tables).walk()
    found = [(m.va0, m.pa0, m.level) for m in walk.mappings(tree)]
    assert found == [(0, 0x9000, 0), (0x3FF000, 0x5000, 0), (0xC00000, 0x100000000, 1), (0xFFC00000, 0x400000, 1)]
    tree = Tables(NONPAE, tables).walk(pse=False)
    assert walk.translate(tree, 0xC00000) == 0x9000


def test_runs():
    """Consecutive frames with equal bits are one run; a hole or any other bit ends it."""
    assert walk.runs((0, 0x1003, 0x2003, 0x3003, 0x5003, 0, 0x4002, 0x5002), 0x1000) == (
        (1, 3, 0x1003), (4, 4, 0x5003), (6, 6, 0x4002), (7, 7, 0x5002))


def test_merging_ignores_size_and_rights():
    """Translation only, as Bochs lists it."""
    tables = long_tables()
    tables[0x4000] = {511: 0x1FF007}
    tree = Tables(LONG, {**tables, 0x1000: {0: 0x2027}}).walk()
    assert walk.merged(walk.mappings(tree)) == [(0x1FF000, 0x5FFFFF, 0x1FF000), (0x40000000, 0x7FFFFFFF, 0x40000000)]


def test_each_level_is_one_conversation():
    """All tables of a level are fetched at once."""
    calls = []
    machine = Tables(LONG, long_tables())

    def fetch(areas):
        calls.append(len(areas))
        return machine.fetch(areas)

    walk.walk(0x1000, LONG, fetch)
    assert calls == [1, 3, 2, 2]


def test_self_reference_ends():
    """Tables that point to themselves are given up with a message, not followed for ever."""
    loop = {0x1000: {i: 0x1007 for i in range(512)}}
    tree = Tables(LONG, loop).walk()
    assert tree.problems and "more than" in tree.problems[0]


def test_path():
    """The entries passed on the way, down to the one that ends it."""
    tree = Tables(LONG, long_tables()).walk()
    assert walk.path(tree, 0x5000) == [(3, 0, 0x2027), (2, 0, 0x3027), (1, 0, 0x4027), (0, 5, NX | 0x15001)]
    assert walk.path(tree, 0x80000000)[-1] == (2, 2, 0)
