# SPDX-License-Identifier: ISC
"""What goes wrong is said in one clear line, ends by itself, and leaves nothing running."""

import os
import subprocess
import time

from common import FLAVORS, TOP, boot, compare, image, run
from testall import cases, limit


def one_line(text, *words):
    """Some line of the output has all these words."""
    for line in text.splitlines():
        if all(word in line for word in words):
            return
    raise AssertionError(f"no line with {words} in:\n{text}")


@cases(*FLAVORS)
def test_triple_fault(flavor):
    """a kernel that triple-faults: the address with its symbol"""
    code, text, _ = compare(flavor, args="hang=3", check=False)
    assert code != 0
    one_line(text, "triple fault", "stop_here")


@cases(*[f"{f} {h}" for f in FLAVORS for h in (1, 2)])
def test_hang(which):
    """a kernel that hangs, interrupts on or off: bounded, and where it was"""
    flavor, how = which.split()
    started = time.monotonic()
    code, text, _ = compare(flavor, "--timeout", "20", args=f"hang={how} tour=0 watchdog=500", check=False)
    assert code != 0
    one_line(text, "stop_here" if how == "2" else "watchdog")
    assert time.monotonic() - started < 60


@cases(*FLAVORS)
def test_hang_two_cpus(flavor):
    """a hang with two CPUs, where Bochs' time breakpoints do not fire"""
    code, text, _ = compare(flavor, "--cpus", "2", "--timeout", "15", args="hang=2 tour=0 watchdog=100000", check=False)
    assert code != 0
    one_line(text, "hang", "stop_here")


@cases(*FLAVORS)
def test_unknown_tunable(flavor):
    """an unknown word on the command line is named"""
    code, text, _ = compare(flavor, args="htable_setal=1", check=False)
    assert code != 0
    one_line(text, "htable_setal", "unknown")


@cases(*FLAVORS)
def test_unknown_copy(flavor):
    """a copy of a unit that the image has not is named, and nothing runs as if it were there"""
    code, text, _ = compare(flavor, args="select=x86pte_set:nonsense", check=False)
    assert code != 0
    one_line(text, "select=", "nonsense", "x86pte_set")


@cases(*FLAVORS)
def test_too_little_memory(flavor):
    """too little memory"""
    code, text, _ = compare(flavor, "--mem", "8", check=False)
    assert code != 0
    one_line(text, "memory")


@cases(*FLAVORS)
def test_no_checkpoint(flavor):
    """a kernel that ends without showing anything is not called right"""
    code, text, _ = compare(flavor, args="tour=0", check=False)
    assert code != 0
    one_line(text, "checkpoint")


def test_unknown_flavor():
    """make names the flavour that does not exist"""
    done = run("make", "run", "FLAVOR=sparc", check=False)
    assert done.returncode != 0
    one_line(done.stdout, "sparc", "i386")


def test_nothing_left_behind():
    """two comparisons at once in one tree, one of them interrupted: no Bochs and no lock file stays"""
    image("i386"), image("amd64")
    commands = [["python3", "src/tools/compare.py", "--flavor", f] for f in FLAVORS]
    jobs = [subprocess.Popen(c, cwd=TOP, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                             start_new_session=True) for c in commands]
    time.sleep(0.8)
    jobs[1].terminate()
    out = [job.communicate(timeout=60)[0] for job in jobs]
    assert jobs[0].returncode == 0, out[0]
    assert jobs[1].returncode != 0
    for job in jobs:
        left = subprocess.run(["ps", "-o", "pid,args", "-s", str(job.pid), "--no-headers"], text=True,
                              stdout=subprocess.PIPE).stdout
        assert left.strip() == "", left
    assert not list(TOP.rglob("*.lock.bochs")) and not list((TOP / "build").rglob("*.iso.lock"))


def listening():
    """Sockets that this machine's other network users could reach."""
    found = set()
    for name in ("tcp", "tcp6"):
        with open(f"/proc/net/{name}") as table:
            for line in table.readlines()[1:]:
                field = line.split()
                if field[3] == "0A" and not field[1].startswith(("0100007F", "00000000000000000000000001000000")):
                    found.add(field[1])
    return found


def test_not_reachable():
    """while Bochs runs nobody outside the machine can reach it"""
    before = listening()
    job = subprocess.Popen(["python3", "src/tools/boot.py", "--flavor", "amd64", "-q", "--args", "hang=1", "--timeout", "4"],
                           cwd=TOP, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    seen = set()
    while job.poll() is None:
        seen |= listening() - before
        time.sleep(0.1)
    assert not seen, seen


def test_bochsrc_by_hand():
    """the machine description at the top is complete: plain bochs boots from it"""
    image("amd64")
    script = os.path.join(os.environ.get("TMPDIR", "/tmp"), "hand.rc")
    with open(script, "w") as rc:
        rc.write("c\nq\n")
    done = run("unshare", "-n", "timeout", "-k", "2", "60", "bochs", "-f", "bochsrc", "-q", "-rc", script, check=False)
    assert "%hello version=1 flavor=amd64" in done.stdout, done.stdout[-2000:]
    assert "Magic breakpoint" in done.stdout
