# SPDX-License-Identifier: ISC
"""Whole runs on Bochs, with a tiny kernel that can go wrong in every way (tests/tiny/tiny.S)."""

import json
import os
import signal
import subprocess
import sys
import time

import machine
from testall import cases, needs

from hatlab import run

TOOLS = ("bochs", "cc", "ld", "grub-mkimage", "xorriso")


def boot(args="", **more):
    elf, iso = machine.tiny(more.pop("multiboot2", True))
    result = run.boot("i386", args, image=iso, kernel=elf, **more)
    assert machine.run_directories() == [], "the run's directory is removed"
    return result


@needs(*TOOLS)
@cases("multiboot2", "multiboot1")
def test_good_run(protocol):
    """Records, console, the command line; the same number of instructions again, below 23.5 million to the entry."""
    results = [boot("x=1 y=2", multiboot2=protocol == "multiboot2") for _ in range(2)]
    for result in results:
        assert result.ok, (result.problem, result.details)
        assert result.console == 'cmdline: x=1 y=2"' and [r.kind for r in result.records] == ["hello", "cp-begin", "cp-end", "done"]
    assert results[0].instructions == results[1].instructions
    entry = boot("x=1 y=2", multiboot2=protocol == "multiboot2", until="_start")
    assert entry.ok and entry.exit == "stopped" and entry.instructions < 23_500_000


@needs(*TOOLS)
def test_no_arguments_and_two_cpus():
    """An empty command line; two CPUs."""
    result = boot("", cpus=2)
    assert result.ok and result.console == "cmdline: ", (result.problem, result.console)


@needs(*TOOLS)
@cases(
    ("crash", 1, "crash", "triple fault (exception 13, general protection) at rip 0x1", "(crash+0x"),
    ("hang", 1, "hang", "no %done after 60 million instructions", "(hang_here)"),
    ("hang", 2, "hang", "no %done in time", "(hang_here)"),
    ("no", 1, "hang", "no %done in time", "(stop+0x"),
    ("garbage", 1, "garbage", "prints no %hello; its first line is", "\ufffd\ufffd%%%"),
    ("fail", 1, "fail", "ends with %done result=fail", "cmdline: fail"),
)
def test_bad_runs(case):
    """Each kind of failure has its own line, with the place."""
    args, cpus, exit, problem, more = case
    result = boot(f"{args} x", cpus=cpus, deadline=60_000_000, timeout=6)
    assert not result.ok and result.exit == exit, (result.exit, result.problem)
    assert problem in result.problem and more in result.problem, result.problem


@needs(*TOOLS)
def test_mute_kernel():
    """No %hello: the screen shows how far GRUB came."""
    result = boot("mute", timeout=4)
    assert result.exit == "no-hello" and "never says %hello" in result.problem
    assert any("Welcome to GRUB" in line for line in result.details), result.details


@needs(*TOOLS)
def test_unbootable_kernel():
    """GRUB refuses the kernel: its message is on the screen that is shown."""
    elf, iso = machine.tiny()
    elf.write_bytes(b"not an ELF file" * 1000)
    machine.image.build(elf, iso)
    result = run.boot("i386", image=iso, kernel=elf, timeout=5)
    assert result.exit == "no-hello" and any("multiboot" in line for line in result.details), result.details


@needs(*TOOLS)
def test_symbol_that_is_not_there():
    """--instructions-to an unknown symbol is no run at all."""
    elf, iso = machine.tiny()
    done = machine.command("boot.py", "--image", iso, "--kernel", elf, "--instructions-to", "nowhere")
    assert done.returncode == 2 and "no symbol 'nowhere'" in done.stderr
    done = machine.command("boot.py", "--image", iso, "--kernel", elf, "--instructions-to", "crash")
    assert done.returncode == 1 and "without reaching crash" in done.stderr


@needs(*TOOLS)
def test_boot_command():
    """What the kernel says goes to standard output, the verdict to the exit code, counts on demand."""
    elf, iso = machine.tiny()
    where = ("--image", iso, "--kernel", elf)
    done = machine.command("boot.py", *where)
    assert done.returncode == 0 and done.stdout.startswith("%hello ") and done.stdout.endswith("%done result=ok\n")
    done = machine.command("boot.py", *where, "--args", "fail")
    assert done.returncode == 1 and "result=fail" in done.stderr
    entry = int(machine.command("boot.py", *where, "--instructions-to", "after_paging").stdout)
    total = int(machine.command("boot.py", *where, "--total").stdout)
    assert 20_000_000 < entry < total < entry + 10_000


@needs(*TOOLS)
def test_keep():
    """--keep leaves the image, the machine, and the guest's words."""
    import tempfile
    from pathlib import Path

    elf, iso = machine.tiny()
    keep = Path(tempfile.mkdtemp()) / "kept"
    done = machine.command("boot.py", "--image", iso, "--kernel", elf, "--keep", keep)
    [folder] = keep.iterdir()
    assert {"boot.iso", "bochsrc", "bochs.log", "e9.txt"} <= {p.name for p in folder.iterdir()}
    assert (folder / "e9.txt").read_text() == done.stdout and str(folder) in done.stderr


def compare(*args):
    elf, iso = machine.tiny()
    return machine.command("compare.py", "--flavor", "i386", "--image", iso, "--kernel", elf, *args)


@needs(*TOOLS)
def test_compare_agrees():
    """Three honest witnesses on real Bochs."""
    done = compare("--json", "-")
    assert done.returncode == 0, done.stdout + done.stderr
    data = json.loads(done.stdout)
    [hat] = data["runs"][0]["checkpoints"][0]["hats"]
    assert data["ok"] and [row["size"] for row in hat["rows"]] == ["2M", "4K", "4K"]
    assert all(row[w] == "ok" for row in hat["rows"] for w in ("kernel", "bochs", "raw"))


@needs(*TOOLS)
@cases(
    ("poke", ("--poke", "0x202008=0x203003"), "index 1", "differs in: address"),
    ("lie", ("--args", "lie"), "index 2", "differs in: writable"),
    ("line", ("--drop-line", "9"), "index 2", "lines=12 announced, 11 received"),
    ("no-done", ("--args", "no", "--timeout", "3"), "hangs: no %done", "the run failed"),
    ("fail", ("--args", "fail"), "result=fail", "the run failed"),
    ("mute", ("--args", "mute", "--timeout", "3"), "never says %hello", "the run failed"),
    ("unknown", ("--checkpoint", "nowhere"), "has no checkpoint nowhere; it has: tiny", "the run failed"),
    ("nothing", ("--args", "crash"), "crashes: triple fault", "the run failed"),
)
def test_compare_notices(case):
    """Each kind of damage fails the comparison and is named."""
    _, args, one, other = case
    done = compare(*args)
    assert done.returncode == 1, done.stdout + done.stderr
    assert one in done.stdout and other in done.stdout, done.stdout
    assert done.stdout.splitlines()[-1].startswith("i386: FAIL")


def children_of(pid):
    """The processes of a session leader's descendants, by /proc."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = open(f"/proc/{entry}/stat").read()
            except OSError:
                continue
            parents[int(entry)] = int(stat.rpartition(")")[2].split()[1])
    found, more = set(), {pid}
    while more:
        found |= more
        more = {p for p, parent in parents.items() if parent in found} - found
    return found - {pid}


def alive(pid):
    try:
        return open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@needs(*TOOLS)
@cases("SIGINT", "SIGTERM", "SIGKILL")
def test_nothing_stays_behind(name):
    """However the command ends, Bochs ends with it."""
    elf, iso = machine.tiny()
    process = subprocess.Popen(
        [sys.executable, str(machine.TOOLS / "boot.py"), "--image", str(iso), "--kernel", str(elf), "--args", "hang"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )
    process.stdout.readline()  # %hello: Bochs runs
    started = children_of(process.pid)
    assert any(alive(pid) for pid in started)
    process.send_signal(getattr(signal, name))
    process.communicate(timeout=10)
    end = time.monotonic() + 5
    while any(map(alive, started)) and time.monotonic() < end:
        time.sleep(0.02)
    assert not any(map(alive, started))
    if name != "SIGKILL":
        assert machine.run_directories() == []
        assert process.returncode == {"SIGINT": 130, "SIGTERM": 143}[name]


@needs(*TOOLS)
def test_runs_side_by_side():
    """Four runs of one image at once do not disturb each other."""
    elf, iso = machine.tiny()
    command = [sys.executable, str(machine.TOOLS / "boot.py"), "--image", str(iso), "--kernel", str(elf), "--total", "--args"]
    running = [subprocess.Popen([*command, f"run={n}"], stdout=subprocess.PIPE, text=True) for n in range(4)]
    totals = {process.communicate(timeout=60)[0] for process in running}
    assert all(process.returncode == 0 for process in running) and len(totals) == 1, totals
