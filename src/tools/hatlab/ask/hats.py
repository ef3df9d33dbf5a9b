# SPDX-License-Identifier: ISC
"""`hats`, `tree` and `htable`: what the kernel believes, read from its structures."""

from __future__ import annotations

from collections.abc import Iterator

from . import picture, words
from .kernel import Hat, Kernel, views
from .machine import AskError, Command, Stopped

HATS = """
Every address space that the kernel knows, its own first: address, flags, root (what CR3 holds while it runs), how many tables and
pages by level, and which CPU runs it now.
  hats
"""
TREE = """
An address space as a tree, as `make tree` draws it: each table with the kernel's counts (busy, valid, lock), and its entries in runs.
Entries are those in memory; counts are those in the htables. Without an address: the one whose tables are in CR3.
  tree
  tree kernel
  tree 0xfffffe0000012340   (an address that hats has told)
"""
HTABLE = """
One struct htable, read from memory: which table of which hat it describes, its counts and flags, and whether they are plausible.
  htable 0xfffffe0000045678 (an address that a dump or htable of another one has told; arguments of your functions)
"""


def hats(stopped: Stopped) -> Iterator[str]:
    for hat in Kernel(stopped).hats():
        runs = f", runs on CPU {','.join(map(str, hat.cpus))}" if hat.cpus else ""
        cached = f", {hat.cached} cached" if hat.cached else ""
        pages = ",".join(map(str, hat.pages))
        yield f"{hat}: root 0x{hat.root:x}, top level {hat.top}, {len(hat.tables)} tables{cached}, pages {pages}{runs}"
        yield from (f"  {problem}" for problem in hat.problems)


def choose(stopped: Stopped, found: list, word: str | None):
    """One of views()."""
    if word is None:
        running = [v for v in found if v[0].cpus]
        same = [v for v in running if v[0].root == stopped.creg.root]
        # CR3 holds a copy that this CPU has of a VLP hat's entries
        return (same or [v for v in running if "vlp" in v[0].flags] or running)[0]
    for view in found:
        if view[0].name == word or (word != "kernel" and view[0].addr == stopped.number(word)):
            return view
    raise AskError(f"there is no hat {word}: hats lists them")


def tree(stopped: Stopped, word: str | None = None) -> Iterator[str]:
    found = views(stopped)
    hat, real = choose(stopped, found, word)
    kernel = found[0][1] if found[0][0].name == "kernel" and hat.name == "user" else None
    yield from picture.text(stopped, [picture.hat_data(hat, real, kernel)]).tree_lines()


def htable(stopped: Stopped, word: str) -> Iterator[str]:
    kernel = Kernel(stopped)
    table, hat = kernel.find(stopped.address(word))
    if table.where != "linked":
        yield f"htable 0x{table.addr:x}: not linked, it is {'cached by ' + str(hat) if hat else 'in the reserve'}"
        yield f"  frame {_frame(table.pfn)}; the other fields are left over from its last use"
        return
    last = stopped.geometry.last(table.base, table.level)
    yield f"htable 0x{table.addr:x} of {hat}"
    yield f"  ht_level {table.level}, ht_vaddr 0x{table.base:x}: covers {words.span(table.base, last, stopped.digits)}"
    yield f"  ht_pfn {_frame(table.pfn)}"
    yield f"  ht_busy {table.busy} ({table.permanent} for ever), ht_valid_cnt {table.valid}, ht_lock_cnt {table.lock}, ht_rank {table.rank}"
    yield f"  ht_flags {','.join(table.flags) or '-'}, ht_hat 0x{table.hat:x}, ht_parent {_parent(hat, table.parent)}, ht_shares 0x{table.shares:x}"
    yield from (f"  note: {doubt}" for doubt in _doubts(stopped, hat, table))


def _frame(pfn: int | None) -> str:
    return "none" if pfn is None else f"0x{pfn:x} (the table is at physical 0x{pfn << 12:x})"


def _parent(hat: Hat, parent: int) -> str:
    known = next((t for t in hat.tables if t.addr == parent), None)
    return f"0x{parent:x}" + (f" (level {known.level})" if known else "" if parent == 0 else " (NOT on the hat's chains)")


def _doubts(stopped: Stopped, hat: Hat, table) -> Iterator[str]:
    """The counts beside the table in memory."""
    real = next((r for h, r in views(stopped) if h.addr == hat.addr), None)
    found = real and real.tables.get((table.level, table.base))
    if table.hat != hat.addr:
        yield f"it is on the chains of 0x{hat.addr:x} but says that it belongs to 0x{table.hat:x}"
    if found is None:
        yield "no link leads to its place in memory: it is being made, cut off or taken away, or something is wrong"
        return
    if table.pfn is not None and found.pa != table.pfn << 12:
        yield f"the link at its place leads to 0x{found.pa:x}, not to its frame"
    valid = sum(e & 1 for e in found.entries)
    yield f"in memory {valid} entries are present" + (", as ht_valid_cnt says" if valid == table.valid else
                                                       "; ht_valid_cnt counts only this hat's own, and changes a moment later")


COMMANDS = {
    "htable": Command("htable ADDR", "one struct htable: level, range, frame, counts, flags, parent", HTABLE, htable, 1),
    "hats": Command("hats", "all address spaces", HATS, hats, 0, 0),
    "tree": Command("tree [HAT]", "an address space's tables, from the top (default: the one in CR3)", TREE, tree),
}
