# SPDX-License-Identifier: ISC
"""The parser of what the kernel prints, on good, damaged and senseless input."""

import random

import fake
from testall import cases, seed

from hatlab import protocol

HELLO = "%hello version=1 flavor=amd64 mode=long cpus=1 seed=1 lab=- ram=65020 kernelbase=0xfffff80000000000\n"


def good():
    memory, spaces, user, bochs = fake.scene("long")
    return HELLO + "console\n" + fake.checkpoint(spaces, user, bochs.cr3) + "%done result=ok\n"


def test_good_output():
    """Records, console text and one dump."""
    reader = protocol.parse(good())
    assert reader.errors == []
    assert reader.hello.number("ram") == 65020 and reader.done["result"] == "ok"
    assert reader.console == ["console"]
    [cp] = reader.checkpoints
    assert [h.name for h in cp.hats] == ["kernel", "user"] and cp.kernel_hat() is cp.hats[0]
    assert cp.declared == len(cp.lines)
    leaf = cp.hats[1].tables[-1].entries[0]
    assert isinstance(leaf, protocol.Leaf)


def test_pieces_of_any_size():
    """The text may come byte by byte."""
    text = good()
    reader = protocol.Reader()
    for letter in text:
        reader.feed(letter)
    reader.finish()
    assert reader.errors == [] and len(reader.records) == len(protocol.parse(text).records)


def test_text_runs_to_the_end_of_the_line():
    """`text` may hold blanks and equal signs; other values end at a blank."""
    [r] = protocol.parse("%check-end name=a result=wrong at=x.c:7 text=want a=1 text=b, have  c\n").records
    assert r["text"] == "want a=1 text=b, have  c" and r["at"] == "x.c:7"
    [r] = protocol.parse("%panic cpu=0 text=\n").records
    assert r["text"] == ""


def test_panic_and_its_frames():
    """The backtrace belongs to the panic."""
    reader = protocol.parse("%panic cpu=1 text=boom now\n  #0 0x10 f+0x2\n  #1 0x20 g\nelse\n%done result=panic\n")
    assert reader.find_panic()["text"] == "boom now" and reader.frames == ["#0 0x10 f+0x2", "#1 0x20 g"]


@cases(
    ("unknown", "%bogus a=1", "unknown record '%bogus'"),
    ("missing", "%hello version=1 flavor=amd64", "expected mode="),
    ("version", HELLO.replace("version=1", "version=2").strip(), "expected version=1"),
    ("mode", HELLO.replace("mode=long", "mode=real").strip(), "expected mode=long|pae|nonpae"),
    ("number", HELLO.replace("ram=65020", "ram=lots").strip(), "expected a number, got ram=lots"),
    ("word", "%done ok", "expected key=value, got 'ok'"),
    ("result", "%done result=maybe", "expected result=ok|fail|panic"),
    ("end", "%cp-end name=a lines=0", "no open checkpoint"),
    ("count", "%cp-begin name=a n=1 cpu=0 cr3=0x0 hat=0x0\nhat\n%cp-end name=a lines=2", "lines=2 announced, 1 received"),
    ("order", "%cp-begin name=a n=2 cpu=0 cr3=0x0 hat=0x0\n%cp-end name=a lines=0", "expected n=1, got n=2"),
    ("other-end", "%cp-begin name=a n=1 cpu=0 cr3=0x0 hat=0x0\n%cp-end name=b lines=0", "expected one for %cp-begin name=a"),
    ("open", "%cp-begin name=a n=1 cpu=0 cr3=0x0 hat=0x0\nhat", "the output ends inside it"),
    ("panic-inside", "%cp-begin name=a n=1 cpu=0 cr3=0x0 hat=0x0\n%panic cpu=0 text=x", "'%panic' inside it"),
)
def test_bad_records(case):
    """Each fault gets a message that names the line and what was expected."""
    _, text, expected = case
    reader = protocol.parse("first\n" + text + "\n")
    assert any(expected in str(e) for e in reader.errors), reader.errors
    assert reader.errors[0].line >= 2


@cases(
    ("garbage", "hello there", "expected a dump line"),
    ("hat", "hat 0x1 kernel flags=-", "expected 'hat ADDR"),
    ("ht-first", "  ht 0x1 level=0 0x0-0x1fffff pfn=0x1 busy=0 valid=0 lock=0 flags=- parent=-", "expected a hat line before"),
    ("ht", "HAT  ht 0x1 level=x", "expected 'ht ADDR"),
    ("entry-first", "HAT    link 0 -> 0x1000 flags=0x027", "expected an ht line before"),
    ("link", "HT    link 0 -> 0x1000", "expected 'link INDEX"),
    ("order", "HT    link 5 -> 0x1000 flags=0x027\n    link 5 -> 0x2000 flags=0x027", "expected an index above 5"),
    ("backwards", "HT    copy 9-3", "expected ascending indexes"),
    ("leaf", "HT    leaf 0 0x0-0xfff -> 0x0-0xfff 4K wr-s - -- c0 s0", "expected 'leaf FIRST"),
    ("length", "HT    leaf 0 0x0-0xfff -> 0x0-0x1fff 4K rw-s - -- c0 s0", "equally long"),
    ("size", "HT    leaf 0 0x0-0xfff -> 0x0-0xfff 8K rw-s - -- c0 s0", "expected 'leaf FIRST"),
    ("odd", "HT    odd 3", "expected 'odd INDEX"),
    ("range-first", "HT0x0-0xfff -> 0x0-0xfff", "expected 'cr3: 0xPA' before"),
)
def test_bad_dump_lines(case):
    """Each damaged dump line is named with its number and the expected form."""
    _, text, expected = case
    hat = "hat 0x1 kernel flags=- top=3 pages=0,0,0 cpus=0x1 root=0x1000\n"
    ht = "  ht 0x2 level=0 0x0-0x1fffff pfn=0x1 busy=0 valid=0 lock=0 flags=- parent=-\n"
    text = text.replace("HAT", hat, 1).replace("HT", hat + ht, 1)
    lines = text.split("\n")
    parsed = protocol.parse_dump(lines, 10)
    assert len(parsed.errors) == 1 and expected in str(parsed.errors[0]), parsed.errors
    assert parsed.errors[0].line == 10 + len(lines) - 1


def test_garbage_is_console_text():
    """Bytes that claim nothing are console text, never an exception."""
    reader = protocol.parse("\ufffd\ufffd%%%\n% x\n100%\n%\n%9\n")
    assert reader.errors == [] and len(reader.console) == 5


def test_damaged_dumps_never_pass_unnoticed_as_exceptions():
    """Random damage to a good output: the parser reports or survives, and a lost or doubled line is always reported."""
    rng = random.Random(seed())
    text = good()
    lines = text.split("\n")
    inside = range(3, len(lines) - 4)
    for _ in range(200):
        at = rng.randrange(len(text))
        protocol.parse(text[:at] + chr(rng.randrange(32, 127)) + text[at + 1 :])
        victim = rng.choice(inside)
        less = protocol.parse("\n".join(lines[:victim] + lines[victim + 1 :]))
        more = protocol.parse("\n".join(lines[:victim] + [lines[victim]] + lines[victim:]))
        assert less.errors and more.errors, lines[victim]


def test_alter_hook():
    """The test hook of compare changes the dump before it is read."""

    def drop(cp):
        del cp.lines[1]

    reader = protocol.Reader(drop)
    reader.feed(good())
    assert any("received" in str(e) for e in reader.errors)
