# SPDX-License-Identifier: ISC
"""The monitor: each command says what is known otherwise, nothing typed at it hurts, and it can be typed at."""

import os
import pty
import re
import select
import socket
import struct
import subprocess
import threading
import time
import tty

from common import FLAVORS, TOP, boot, image_for
from hatlab import bochs
from testall import cases, limit

EACH = [f"{flavor} {cpus}" for flavor in FLAVORS for cpus in (1, 4)]
COMMANDS = ("help cont halt reboot step-steal verify hats htables htable ptable pte vatopfn hment hatstat cpus reserve threads"
            " kmem page dump peek tunables bt").split()


def said(result):
    """[(command, lines)] of a run with a script; the kernel must have left the monitor again."""
    out = []
    assert "monitor: left" in result.console, result.console[-2000:]
    for line in result.console.split("monitor: left")[0].splitlines():
        if line.startswith("mon> "):
            out.append((line[5:], []))
        elif out:
            out[-1][1].append(line)
    return out


def script(flavor, commands, args="", cpus=1, place="user-space", **options):
    """Run commands at a place of the tour."""
    words = ";".join(commands).replace(" ", ",")
    result = boot(flavor, f"monitor={place} monitor_script={words} {args}", cpus=cpus, **options)
    return result, said(result)


def checkpoint(result, name="user-space"):
    return next(c for c in result.reader.checkpoints if c.name == name)


def leaf_at(hat, va):
    """Table and entry of a dump that map an address."""
    for table in hat.tables:
        for e in table.entries:
            if hasattr(e, "va0") and e.va0 <= va <= e.va1:
                return table, e
    return None, None


@cases(*EACH)
def test_hats(which):
    """::hats, ::htables, ::htable, ::cpus against the dump of the same moment"""
    flavor, cpus = which.split()
    result, out = script(flavor, ["hats", "htables", "htables kernel", "cpus", "threads", "verify"], cpus=int(cpus))
    assert result.ok, result.problem
    dump, out = checkpoint(result), dict(out)
    lines = [line for line in out["hats"] if "  hat " in line]
    assert len(lines) == len(dump.hats) and out["hats"][-1] == f"{len(dump.hats)} hats", out["hats"]
    for line, hat in zip(lines, dump.hats):
        assert f" 0x{hat.addr:x} {hat.name} " in line and f" pages={','.join(map(str, hat.pages))} " in line, (line, hat)
        assert f" tables={len(hat.tables)} " in line, (line, len(hat.tables))
    for command, hat in (("htables", dump.hats[1]), ("htables kernel", dump.hats[0])):
        lines = out[command]
        assert lines[-1].startswith(f"{len(hat.tables)} tables of the {hat.name} hat 0x{hat.addr:x}"), lines[-1]
        for t in hat.tables:
            pfn = "-" if t.pfn is None else f"0x{t.pfn:x}"
            assert any(l.startswith(f"  ht 0x{t.addr:x} level={t.level} base=0x{t.lo:x} pfn={pfn} busy={t.busy} valid={t.valid} ")
                       for l in lines), (t, lines)
    cpu = [line for line in out["cpus"] if line.startswith("  cpu")]
    assert len(cpu) == int(cpus), cpu
    assert f" hat=0x{dump.hat:x} (user) cr3=0x{dump.cr3:012x} " in cpu[0] and cpu[0].endswith(" boot"), (cpu[0], dump.cr3)
    assert all(f"hat=0x{dump.hats[0].addr:x} (kernel)" in line for line in cpu[1:]), cpu
    assert sum(" idle " in line for line in out["threads"]) == int(cpus) and any(" boot " in l for l in out["threads"])
    assert out["verify"] == ["0 invariants broken"], out["verify"]


@cases(*FLAVORS)
def test_tables(flavor):
    """::vatopfn, ::htable, ::ptable, ::page, ::peek of addresses that the dump shows too"""
    first, _ = script(flavor, ["hats"])
    user = checkpoint(first).hats[1]
    places = [0x400000, 0x404123, 0x10001000, 0x3FFFF000, 0x40000FFF]
    low, _ = leaf_at(user, 0x400000)
    result, out = script(flavor, [f"vatopfn {hex(va)}" for va in places] + [
        f"htable {hex(low.addr)}", f"ptable {hex(low.pfn)}", f"ptable {hex(low.pfn)} 0", f"page {hex(low.pfn)}",
        f"peek {hex(low.pfn * 4096)} 16",
        f"hment {hex(low.entries[0].pa0 >> 12)}", f"hment {hex(low.pfn)}", "vatopfn 0x700000", "vatopfn kmain", f"vatopfn 0x400000 {hex(user.addr)}"])
    assert result.ok, result.problem
    user, out = checkpoint(result).hats[1], dict(out)
    for va in places:
        _, leaf = leaf_at(user, va)
        pfn = leaf.pa0 + va - leaf.va0 >> 12
        lines = out[f"vatopfn {hex(va)}"]
        want = f"  walker: frame 0x{pfn:x}, HAT's tables: frame 0x{pfn:x}, hat_getpfnum(): frame 0x{pfn:x}"
        assert lines[-1] == want, (lines, want)
        depth = sum("table 0x" in line for line in lines) - 1
        assert depth == user.top - {"4K": -1, "2M": 0}[leaf.size], lines
    assert out[f"vatopfn 0x400000 {hex(user.addr)}"] == out["vatopfn 0x400000"]
    assert out["vatopfn 0x700000"][-1].count("not mapped") == 3
    assert out["vatopfn kmain"][-1].count("frame 0x204") + out["vatopfn kmain"][-1].count("frame 0x20") >= 3
    assert f"ht 0x{low.addr:x} level=0" in out[f"htable {hex(low.addr)}"][0]
    entries = [line for line in out[f"ptable {hex(low.pfn)}"] if " va 0x" in line]
    for line in entries:
        index, va, _, pfn = re.match(r"\s+(\d+)(?:-\d+)? va (0x\w+) (0x\w+) leaf -> frame (0x\w+) 4K ", line).groups()
        _, leaf = leaf_at(user, int(va, 16))
        assert leaf.pa0 + int(va, 16) - leaf.va0 == int(pfn, 16) << 12 and (int(va, 16) >> 12) % 512 == int(index)
    assert sum(int(m[2] or m[1]) - int(m[1]) + 1 for m in (re.match(r"\s+(\d+)(?:-(\d+))? va", e) for e in entries)) == low.valid
    mapped = out[f"hment {hex(low.entries[0].pa0 >> 12)}"]
    assert mapped == [f"  htable 0x{low.addr:x} level 0 base 0x{low.lo:x} [0] hat 0x{user.addr:x}", "1 mappings"], mapped
    assert out[f"hment {hex(low.pfn)}"] == ["0 mappings"], "a page table is mapped by nobody"
    assert " table lock=1 " in out[f"page {hex(low.pfn)}"][0]
    entry = re.search(r"\s0 va 0x\w+ 0x(\w+) ", entries[0])[0].split()[3]
    peeked = "".join(reversed(out[f"peek {hex(low.pfn * 4096)} 16"][0].split()[1:9]))
    assert int(entry, 16) == int(peeked, 16), (entry, peeked)


# value, level: what must be said. On both kernels unless one is named.
PTE = [
    ("0x0", "0", ["empty"]),
    ("0x8000000012345067", "0", ["leaf -> frame 0x12345 4K rw-u - ad c0 s0", ": 1  R/W, PT_WRITABLE: ", ": 1  XD, PT_NX: "]),
    ("0x12345001", "", ["leaf -> frame 0x12345 4K r-xs - -- c0 s0", ": 0  R/W, PT_WRITABLE: "]),
    ("0x1a3", "0", ["g a- c4 s0", ": 1  PAT, PT_PAT_4K: ", ": 1  G, PT_GLOBAL: "]),
    ("0x027", "1", ["link -> frame 0x0", ": 0  PS, PT_PAGESIZE: ", "other bits 0x0"]),
    ("0x6010e7", "1", ["leaf -> frame 0x600 2M rw", "c4 s0", ": 1  PAT, PT_PAT_LARGE: ", "frame 0x600, other bits 0x0"]),
    ("0x6020e7", "1", ["other bits 0x2000: reserved"]),
    ("0x423", "0", ["s2", ": 2  AVL, PT_SOFTWARE: "]),
    ("0x20", "0", ["not valid, but not 0"]),
]


@cases(*FLAVORS)
def test_pte(flavor):
    """::pte takes entries of every kind apart as the manuals do"""
    top = {"i386": ("0x601003", "2", ["link -> frame 0x601", "other bits 0x2: reserved"]),
           "amd64": ("0x40000083", "2", ["leaf -> frame 0x40000 1G rw"])}[flavor]
    table = PTE + [top]
    half = len(table) // 2
    for part in (table[:half], table[half:]):
        result, out = script(flavor, [f"pte {v} {l}".strip() for v, l, _ in part], "tour=0", place="1")
        assert result.ok, result.problem
        for (value, level, wants), (_, lines) in zip(part, out):
            text = "\n".join(lines)
            assert text.startswith(f"0x{int(value, 16):016x} at level {level or 0}: "), text
            for want in wants:
                assert want in text, (value, level, want, text)


BAD = ["foo", "::", "ptable", "ptable 1 2 3", "ptable zz", "ptable 0xfffffff 0", "ptable 0x700", "ptable 1 9", "htable 0",
       "htable 0xdeadbeef", "htable 0x400000", "htables 1", "vatopfn", "vatopfn 0x99999999999999999", "vatopfn -1", "pte 12g",
       "pte 1 4", "page 0xffffffffff", "page 0x7fffff", "peek 0xffffffff00000000 16", "peek 0 0", "peek 0 99999", "bt 5",
       "bt kmain", "hment 0x7fffff", "cont 1", "help nothing", "dump 3", "step-steal"]


@cases(*EACH)
def test_bad_arguments(which):
    """whatever is typed gets one line, and the kernel lives on"""
    flavor, cpus = which.split()
    bad = BAD + {"i386": ["vatopfn 0x100000000"], "amd64": ["vatopfn 0x800000000000", "vatopfn 0xffff7fffffffffff"]}[flavor]
    for part in (bad[0::2], bad[1::2]):
        result, out = script(flavor, part + ["hats"], "tour=0", cpus=int(cpus), place="1")
        assert result.ok, result.problem
        assert [command for command, _ in out] == part + ["hats"], out
        for command, lines in out[:-1]:
            assert len(lines) == 1 and re.match(r"(\S+: no such command|::\S+: )", lines[0]), (command, lines)
        assert out[-1][1][-1] == "1 hats", out[-1]


@cases(*EACH)
def test_every_command(which):
    """::help lists every command, and each says something"""
    flavor, cpus = which.split()
    result, out = script(flavor, ["help", "help pte", "kmem", "hatstat", "reserve", "tunables", "bt", "dump", "dump kernel",
                                  "cont", "hats"], cpus=int(cpus))
    assert result.ok, result.problem
    assert [c for c, _ in out][-1] == "cont", "::cont leaves the monitor"
    out, dump = dict(out), checkpoint(result)
    assert {line.split()[0] for line in out["help"]} == {f"::{c}" for c in COMMANDS}, out["help"]
    assert len(out["help pte"]) == 1 and "::pte VALUE [LEVEL]" in out["help pte"][0]
    assert any(line.startswith("htable_t ") for line in out["kmem"])
    assert re.search(r"hs_adopted +[1-9]", "\n".join(out["hatstat"]))
    assert any("htable_reserve_cnt 200 (200 in the pool), htable_reserve_amount 200" in line for line in out["reserve"])
    assert "  monitor=user-space" in out["tunables"] and "  watchdog=6000" in out["tunables"]
    assert [re.search(r" (\w+)\+", f)[1] for f in out["bt"]][-3:-1] == ["tour", "kmain"], out["bt"]
    again = [line for line in out["dump"] if not line.startswith("  ht ")]
    shown = [line for line in dump.lines if not line.startswith("  ht ")]
    window = re.compile(r"    leaf (1[6-9]|2\d)")  # a dump reads through windows, and the entries of these change with it
    assert [l for l in again if not window.match(l)] == [l for l in shown if not window.match(l)]
    assert len([l for l in out["dump kernel"] if l.startswith("hat ")]) == 1


@cases(*FLAVORS)
def test_disagreement(flavor):
    """::vatopfn says so when the tables and the HAT's idea of them part, ::verify says what is broken"""
    result, out = script(flavor, ["vatopfn 0x40003000 kernel", "hats", "htables", "verify"], "damage=link-lost tour=0", place="damage")
    user = re.search(r"hat (0x\w+) user", "\n".join(dict(out)["hats"]))[1]
    result, out = script(flavor, [f"vatopfn 0x40003000 {user}", "verify"], "damage=link-lost tour=0", place="damage")
    out = dict(out)
    assert out[f"vatopfn 0x40003000 {user}"][-1].endswith(": THEY DISAGREE"), out
    assert int(out["verify"][-1].split()[0]) > 0 and "L1" in "\n".join(out["verify"]), out


@cases(*EACH)
def test_after_panic(which):
    """a panic may end in the monitor: it reads, and the run still ends as a panic"""
    flavor, cpus = which.split()
    words = "cpus;threads;bt;verify;hats;htables;vatopfn,kmain;dump;kmem;peek,0x100000,16;step-steal;htable,7"
    result = boot(flavor, f"tour=0 hang=4 panic_monitor=1 monitor_script={words}", cpus=int(cpus))
    assert result.exit == "panic" and "stopped on request" in result.problem, result.problem
    assert "panic again" not in result.console, result.console[-2000:]
    out = dict(said(result))
    assert len(out) == words.count(";") + 1, out.keys()
    assert "stop_here" in "\n".join(out["bt"]) and "broken" in out["verify"][-1]
    for command in ("dump", "kmem", "step-steal"):
        assert out[command] == [f"::{command}: not after a panic"], out[command]
    others = [line for line in out["cpus"] if line.startswith("  cpu")][1:]
    assert len(others) == int(cpus) - 1 and all(" stopped " in line for line in others)
    quiet = boot(flavor, "tour=0 hang=4", cpus=int(cpus))
    assert "monitor" not in quiet.console, "a panic enters the monitor only when asked to"


@cases(*FLAVORS)
def test_nobody_there(flavor):
    """without script and without anybody at the keys the run goes on by itself"""
    result = boot(flavor, "tour=0 monitor=1 monitor_wait=1")
    assert result.ok, result.problem
    assert "monitor: nobody is there" in result.console


@cases(*FLAVORS)
def test_other_threads(flavor):
    """::bt of threads that sleep and of those that another CPU runs"""
    _, out = script(flavor, ["threads"], cpus=2, place="1", args="tour=0")
    threads = {m[2] + m[3]: m[1] for m in re.finditer(r"thread (0x\w+) id=\d+ (\S+) +(\w+)", "\n".join(dict(out)["threads"]))}
    idle = re.findall(r"thread (0x\w+) id=0 idle", "\n".join(dict(out)["threads"]))
    asleep = threads["kmem_reapsleeping"]
    result, out = script(flavor, [f"bt {asleep}"] + [f"bt {t}" for t in idle], cpus=2, place="1", args="tour=0")
    assert result.ok, result.problem
    assert "reap_wait" in "\n".join(out[0][1]) or "reaper" in "\n".join(out[0][1]), out
    assert any("sched_idle" in "\n".join(lines) or "idle" in "\n".join(lines) for _, lines in out[1:]), out


# ------------------------------------------------------------------------------------------------- at the keys


class Typist:
    """A kernel with its serial line on a pseudo-terminal, and somebody who types there."""

    def __init__(self, flavor, args, cpus=1):
        from hatlab import image as hatlab_image

        folder = image_for(flavor, args)
        data = hatlab_image.with_args(hatlab_image.load(folder / "hatlab.iso"), args)
        self.master, self.slave = pty.openpty()
        tty.setraw(self.slave)
        self.machine = bochs.Bochs(data, cpus)
        rc = self.machine.dir / "bochsrc"
        line = f"com1: enabled=1, mode=term, dev={os.ttyname(self.slave)}"
        rc.write_text(re.sub(r"^com1:.*", line, rc.read_text(), flags=re.M))
        self.e9, self.seen, self.failure, self.ends = "", "", None, time.monotonic() + 80

    def expect(self, pattern):
        """Wait until the serial line has said it; forget everything up to its end."""
        while not (found := re.search(pattern, self.seen, re.S)):
            left = self.ends - time.monotonic()
            if left <= 0 or not select.select([self.master], [], [], left)[0]:
                raise AssertionError(f"no {pattern!r} in {self.seen[-600:]!r}")
            self.seen += os.read(self.master, 4096).decode()
        self.seen = self.seen[found.end():]
        return found

    def type(self, text):
        os.write(self.master, text.encode())

    def line(self, text, pattern):
        """Type a line and wait for what it must bring, and for the next prompt."""
        self.type(text + "\r")
        found = self.expect(pattern)
        self.expect("\rmon> $")
        return found

    def play(self, typing):
        def guarded():
            try:
                typing(self)
            except BaseException as problem:
                self.failure = problem

        def hear(text):
            self.e9 += text

        thread = threading.Thread(target=guarded)
        with self.machine as machine:
            thread.start()
            while "%done" not in self.e9 and not self.failure:
                stretch = time.monotonic() + 2
                machine.go(lambda: stretch, hear)
            thread.join()
            self.screen = bochs.screen(machine)
            machine.quit()
        os.close(self.master), os.close(self.slave)
        if self.failure:
            raise self.failure
        assert "%done result=ok" in self.e9, self.e9[-500:]


@cases(*FLAVORS)
@limit(150)
def test_typing(flavor):
    """over the serial line: line editor, history, completion of commands and functions"""
    def typing(t):
        t.expect("\rmon> ")
        t.line("::hats", r"2 hats\r\n")
        t.line("\x1b[A", r"\rmon> ::hats\r\n.*2 hats\r\n")  # up
        t.line("pge 0x100\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D\x1b[Da", r"\rmon> page 0x100\s*\x08+\r\n  page 0x\w+ frame 0x100 ")
        t.line("\x10\x10", r"\rmon> ::hats\s*\x08*\r\n.*2 hats\r\n")  # ctrl-p twice
        t.line("x\x10\x10\x10\x0e\x0e\x0e", r"\rmon> \s*\x08*\r\n")  # down to the empty line again
        t.line("xhelp pte\x1b[H\x1b[3~", r"\rmon> help pte.*::pte VALUE")  # home, delete
        t.line("zzz\x15help ptex\x7f", r"::pte VALUE")  # ctrl-u, backspace
        t.line("help zzz \x17pte", r"::pte VALUE")  # ctrl-w
        t.line("help pteyy\x02\x02\x0b", r"::pte VALUE")  # left twice, ctrl-k
        t.line("lp pte\x01he\x05", r"::pte VALUE")  # ctrl-a, ctrl-e
        t.line("::res\t", r"\rmon> ::reserve .*htable_reserve_cnt")
        t.type("ht\t\t")
        t.expect(r"\r\nhtables htable\r\n|\r\nhtable htables\r\n")
        t.line("\x15vatopfn kmai\t", r"\rmon> vatopfn kmain .*walker: frame 0x20")
        t.line("x" * 200, r": no such command")
        t.line("\x1b[99~\x1bq\x1b[Z\x00\x7fhelp pte", r"::pte VALUE")  # keys that mean nothing
        t.type("::cont\r")
        t.expect("monitor: left")

    t = Typist(flavor, "monitor=user-space")
    t.play(typing)
    assert "mon> vatopfn kmain" in t.e9, "port E9 has each line once"


@cases(*EACH)
@limit(150)
def test_key(which):
    """Ctrl-] on the serial line stops a kernel that is busy; ::halt ends the run there"""
    flavor, cpus = which.split()

    def typing(t):
        t.expect("CPUs?\r\n")
        time.sleep(0.5)
        t.type("\x1d")
        t.expect("monitor: key, CPU 0, thread boot\r\n.*\rmon> ")
        assert "stop_here" in t.line("bt", r"trap.*stop_here.*kmain")[0]
        t.line("verify", r"0 invariants broken")
        assert len(re.findall(r"cpu\d apic=\d online .* cr3=0x0", t.line("cpus", rf".*cpu{int(cpus) - 1} .*owner 0x0\r\n")[0])) == int(cpus)
        t.type("::cont\r")
        t.expect("monitor: left")
        time.sleep(0.3)
        t.type("q\x1d")
        t.expect("monitor: key.*\rmon> ")
        t.type("::halt\r")

    Typist(flavor, "tour=0 hang=1 watchdog=0", int(cpus)).play(typing)


@cases(*FLAVORS)
@limit(150)
def test_reboot(flavor):
    """::reboot starts the machine again"""
    def typing(t):
        t.expect("CPUs?\r\n")
        t.type("\x1d")
        t.expect("\rmon> ")
        t.type("reboot\r")
        t.expect("CPUs?\r\n")
        assert t.e9.count("%hello ") == 2, t.e9
        t.type("\x1d")
        t.expect("\rmon> ")
        t.type("halt\r")

    Typist(flavor, "tour=0 hang=1 watchdog=0").play(typing)


def test_keyboard_codes():
    """scan codes become characters: shift, control, arrows, releases, made-up shifts"""
    main = 'int keyboard_decode(unsigned char); int scanf(const char *, ...); int printf(const char *, ...);\n' \
        'int main(void) { unsigned c; while (scanf("%x", &c) == 1) printf("%d ", keyboard_decode(c)); return 0; }\n'
    work = os.environ["TMPDIR"]
    with open(f"{work}/main.c", "w") as out:
        out.write(main)
    subprocess.run(["cc", "-std=gnu11", "-ffreestanding", "-nostdinc", "-Isrc", "-c", "-o", f"{work}/k.o", "src/x86/keyboard.c"],
                   cwd=TOP, check=True)
    subprocess.run(["cc", "-w", "-o", f"{work}/k", f"{work}/main.c", f"{work}/k.o"], cwd=TOP, check=True)

    def decode(codes):
        out = subprocess.run([f"{work}/k"], input=codes, text=True, stdout=subprocess.PIPE, check=True).stdout
        return [int(n) for n in out.split() if int(n) >= 0]

    text = "".join(map(chr, decode("1e 9e 02 82 2a 1e 9e 02 82 aa 1e 39 1c 0e 0f")))
    assert text == "a1A!a \r\b\t", text
    keys = "qwertyuiop[] asdfghjkl;'` \\zxcvbnm,./".split()
    assert "".join(map(chr, decode(" ".join(f"{c:x}" for c in range(0x10, 0x1c))))) == keys[0]
    assert "".join(map(chr, decode(" ".join(f"{c:x}" for c in range(0x1e, 0x2a))))) == keys[1]
    assert "".join(map(chr, decode(" ".join(f"{c:x}" for c in range(0x2b, 0x36))))) == keys[2]
    assert decode("1d 1b 9b 9d") == [0x1D] and decode("58 d8") == [0x1D]  # Ctrl-], F12
    assert decode("1d 16 96 9d 16") == [0x15, ord("u")]
    up = 0x100
    assert decode("e0 2a e0 48 e0 c8 e0 aa e0 50 e0 4b e0 4d e0 47 e0 4f e0 53 1e") == [*range(up, up + 7), ord("a")][0:1] + [
        up + 1, up + 2, up + 3, up + 4, up + 5, up + 6, ord("a")]
    assert decode("e0 1d 2e e0 9d 2e") == [3, ord("c")]  # the right control key
    assert decode("48 c8") == [up]  # keypad
    assert decode("7f ff 00 fe") == []


# Keys as a VNC viewer names them [RFC 6143 7.5.4].
KEYSYM = {"F12": 0xFFC9, "Enter": 0xFF0D, "Up": 0xFF52, "Left": 0xFF51, "Home": 0xFF50, "Backspace": 0xFF08, "Shift": 0xFFE1,
          "Control": 0xFFE3, "Tab": 0xFF09}


class Viewer(Typist):
    """Somebody at the screen and the keyboard, by way of Bochs' VNC server on 127.0.0.1."""

    def __init__(self, flavor, args):
        os.environ["HATLAB_NET"] = "loopback"
        super().__init__(flavor, args)

    def port(self):
        pid = self.machine._process.pid
        ours = {os.readlink(fd.path)[8:-1] for fd in os.scandir(f"/proc/{pid}/fd") if os.path.islink(fd.path)
                and os.readlink(fd.path).startswith("socket:")}
        with open("/proc/net/tcp") as table:
            for line in table.readlines()[1:]:
                field = line.split()
                if field[3] == "0A" and field[9] in ours:
                    return int(field[1].split(":")[1], 16)
        raise AssertionError("Bochs has no screen server")

    def connect(self):
        self.socket = socket.create_connection(("127.0.0.1", self.port()), timeout=20)
        self.socket.recv(12), self.socket.send(b"RFB 003.003\n")
        self.socket.recv(4), self.socket.send(b"\1")
        threading.Thread(target=self.drain, daemon=True).start()

    def drain(self):
        try:
            while self.socket.recv(1 << 16):
                pass
        except OSError:
            pass

    def event(self, key, down):
        self.socket.send(struct.pack(">BBHI", 4, down, 0, KEYSYM.get(key) or ord(key)))
        time.sleep(0.05)

    def press(self, *keys, hold=None):
        if hold:
            self.event(hold, 1)
        for key in keys:
            self.event(key, 1), self.event(key, 0)
        if hold:
            self.event(hold, 0)


@cases(*FLAVORS)
@limit(150)
def test_keyboard(flavor):
    """F12 on the keyboard, editing with its keys, and the same on the text screen"""
    def typing(t):
        t.expect("CPUs?\r\n")
        t.connect()
        t.press("F12")
        t.expect("monitor: key, CPU 0.*\rmon> ")
        t.press(*"elpp ptx", "Backspace", "e", "Home", "h", "Enter")
        t.expect("no such command")
        t.press("Up", "Left", "Left", "Left", "Left", "Backspace", "Enter")
        t.expect("::pte VALUE")
        t.press(":", ":", hold="Shift")
        t.press(*"he", "Tab", *"nothing")
        t.press("w", hold="Control")
        t.press(*"pte", "Enter")
        t.expect(r"::help pte\s*\x08*\r\n  ::pte VALUE.*\rmon> ")
        t.press(*"halt", "Enter")

    t = Viewer(flavor, "tour=0 hang=1 watchdog=0")
    t.play(typing)
    wanted = ["mon> ::help pte", "  ::pte VALUE [LEVEL]   an entry bit by bit, Intel's names and ours", "mon> halt"]
    assert [line for line in t.screen if line in wanted][-3:] == wanted, t.screen
