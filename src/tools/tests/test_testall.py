# SPDX-License-Identifier: ISC
"""The test runner counts right, whatever a test does."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

from testall import cases

HERE = os.path.dirname(os.path.abspath(__file__))
RUNNER = os.path.join(os.path.dirname(HERE), "testall.py")

PASSING = """
def test_good():
    "a title"
    print("not shown")
"""
FAILING = """
def test_bad():
    "what it is about"
    answer = 6 * 9
    print("printed by the test")
    assert answer == 42
"""
HANGING = """
import time
def test_hang():
    time.sleep(1000)
test_hang.limit = 0.5
"""
# Neither the request to end nor an exception reaches this one.
DEAF = """
import signal, time
def test_deaf():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(1000)
test_deaf.limit = 0.5
"""
CRASHING = """
import os, signal
def test_crash():
    os.kill(os.getpid(), signal.SIGSEGV)
"""
LEAVING = """
import os, sys
def test_exit_0():
    sys.exit(0)
def test_os_exit_0():
    os._exit(0)
"""
LEAKING = """
import subprocess
def test_leak():
    subprocess.Popen(["sleep", "987"], start_new_session=True)
"""
CASES = """
from testall import cases, limit, needs, seed
@cases("i386", "amd64")
def test_case(flavor):
    assert flavor == "i386"
@limit(5)
@needs("sh")
def test_seed():
    assert seed() == 7, seed()
"""


def folder_with(**files):
    """A directory (removed with the test's own) that holds test files."""
    folder = tempfile.mkdtemp()
    for name, text in files.items():
        with open(os.path.join(folder, "test_%s.py" % name), "w") as out:
            out.write(text)
    return folder


def runner(folder, *args):
    """(exit code, the lines it printed)."""
    done = subprocess.run([sys.executable, RUNNER, "--tests", folder] + list(args),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
                          universal_newlines=True)
    print(done.stdout)
    return done.returncode, done.stdout.splitlines()


def line_of(lines, word):
    hits = [line for line in lines if word in line]
    assert hits, "no line has %r" % word
    return hits[0]


def test_all_pass():
    """Only passing tests: exit 0 and the right last line."""
    code, lines = runner(folder_with(good=PASSING))
    assert code == 0 and lines[-1] == "1 passed, 0 failed"
    assert "not shown" not in "\n".join(lines)


def test_counts():
    """A failure, a hang, a crash and a leak cost one test each, and nothing else."""
    code, lines = runner(folder_with(good=PASSING, bad=FAILING, hang=HANGING, deaf=DEAF,
                                     crash=CRASHING, leave=LEAVING, leak=LEAKING))
    assert code == 1
    assert lines[-1] == "1 passed, 7 failed"
    assert "limit of 0.5 s" in line_of(lines, "FAIL  test_hang")
    assert "limit of 0.5 s" in line_of(lines, "FAIL  test_deaf")
    assert "SIGSEGV" in line_of(lines, "FAIL  test_crash")
    assert "ended early" in line_of(lines, "FAIL  test_leave.test_os_exit_0")
    line_of(lines, "FAIL  test_leave.test_exit_0")
    assert "sleep" in line_of(lines, "FAIL  test_leak")


def test_failure_is_explained():
    """A failure shows its output, its values and the command that repeats it."""
    folder = folder_with(bad=FAILING)
    _, lines = runner(folder, "--seed", "5")
    text = "\n".join(lines)
    assert "printed by the test" in text and "answer = 54" in text
    assert "assert answer == 42" in text and "what it is about" in text
    command = line_of(lines, "repeat:").split("repeat: ", 1)[1]
    assert command == "python3 src/tools/testall.py -v --seed 5 -k test_bad.test_bad"


def test_hang_says_where():
    """A test that is too slow is shown with the line it stood at."""
    _, lines = runner(folder_with(hang=HANGING))
    line_of(lines, "time.sleep(1000)")


def test_none_is_failure():
    """No test at all, or none that matches -k, is not a success."""
    assert runner(folder_with())[0] == 1
    code, lines = runner(folder_with(good=PASSING), "-k", "nothing-like-this")
    assert code == 1 and lines[-1] == "0 passed, 0 failed"


def test_broken_module():
    """A file that cannot be imported is one failure; the others still run."""
    code, lines = runner(folder_with(good=PASSING, broken="this is not Python\n"))
    assert code == 1 and lines[-1] == "1 passed, 1 failed"
    assert "cannot be imported" in line_of(lines, "FAIL  test_broken")


def test_cases_and_seed():
    """@cases makes a test of each value; --seed reaches the tests."""
    folder = folder_with(cases=CASES)
    code, lines = runner(folder, "--seed", "7")
    assert code == 1 and lines[-1] == "2 passed, 1 failed"
    line_of(lines, "FAIL  test_cases.test_case[amd64]")
    code, lines = runner(folder, "-k", "test_cases.test_case[i386]")
    assert code == 0 and lines[-1] == "1 passed, 0 failed"


def test_list_and_json():
    """--list runs nothing; --json writes what happened."""
    folder = folder_with(good=PASSING, bad=FAILING)
    code, lines = runner(folder, "--list")
    assert code == 0 and len(lines) == 2 and "a title" in lines[1]
    report = os.path.join(folder, "out.json")
    runner(folder, "--json", report)
    with open(report) as stream:
        facts = json.load(stream)
    assert (facts["passed"], facts["failed"]) == (1, 1)
    assert {t["name"]: t["result"] for t in facts["tests"]} == {
        "test_good.test_good": "passed", "test_bad.test_bad": "failed"}
    assert all(t["seconds"] > 0 for t in facts["tests"])


def test_side_by_side():
    """-j tests run at once, and not more."""
    text = "import time\n" + "".join(
        "def test_%d():\n    time.sleep(0.6)\n" % i for i in range(4))
    began = time.monotonic()
    code, _ = runner(folder_with(slow=text), "-j", "4")
    at_once = time.monotonic() - began
    began = time.monotonic()
    runner(folder_with(slow=text), "-j", "1")
    in_turn = time.monotonic() - began
    assert code == 0
    assert in_turn >= 2.4 and in_turn - at_once > 1.0


def test_alone():
    """a test that measures time runs after all others, with nothing beside it"""
    text = ("import sys, time\n"
            "sys.path.insert(0, %r)\n"
            "from testall import alone, cases\n"
            "def note(what):\n"
            "    with open(%r, 'a') as out:\n"
            "        out.write(what)\n"
            "@cases(1, 2, 3)\n"
            "def test_crowd(n):\n"
            "    note('('); time.sleep(0.3); note(')')\n"
            "@cases(1, 2)\n"
            "@alone\n"
            "def test_lonely(n):\n"
            "    note('['); time.sleep(0.1); note(']')\n" % (os.path.dirname(RUNNER), os.path.join(tempfile.mkdtemp(), "order")))
    path = re.search(r"open\('(.*?)', 'a'\)", text)[1]
    code, output = runner(folder_with(order=text), "-j", "3")
    with open(path) as stream:
        order = stream.read()
    assert code == 0 and order.startswith("((") and order.endswith("[][]") and order.count("(") == 3, (order, output)


def running(pid, word):
    """Whether a process lives, and is still the one that it was."""
    try:
        with open("/proc/%d/cmdline" % pid) as stream:
            return word in stream.read()
    except OSError:
        return False


def wait_until(condition, what):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def start_long_test():
    """(the runner, the process of a test in it that sleeps, the `sleep` it started)."""
    mark = os.path.join(tempfile.mkdtemp(), "pids")
    text = ("import os, subprocess, time\n"
            "def test_long():\n"
            "    p = subprocess.Popen(['sleep', '986'], start_new_session=True)\n"
            "    try:\n"
            "        with open(%r, 'w') as out:\n"
            "            out.write('%%d %%d ' %% (os.getpid(), p.pid))\n"
            "        time.sleep(900)\n"
            "    finally:\n"
            "        p.kill()\n" % mark)
    process = subprocess.Popen([sys.executable, RUNNER, "--tests", folder_with(long=text)],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               universal_newlines=True)
    wait_until(lambda: os.path.exists(mark) and os.path.getsize(mark), "it never started")
    with open(mark) as stream:
        test, sleeper = [int(word) for word in stream.read().split()]
    assert running(test, "testall") and running(sleeper, "sleep")
    return process, test, sleeper


@cases("SIGINT", "SIGTERM", "SIGHUP")
def test_interrupt(name):
    """Ctrl-C and the like end the tests and what they started, and the count is printed."""
    process, test, sleeper = start_long_test()
    process.send_signal(getattr(signal, name))
    output, _ = process.communicate(timeout=20)
    print(output)
    assert process.returncode == 130
    assert re.search(r"^0 passed, 0 failed$", output, re.M)
    assert not running(test, "testall") and not running(sleeper, "sleep")


def test_killed_runner():
    """A runner that is killed takes its tests with it (where the system can do that)."""
    if not sys.platform.startswith("linux"):
        return
    process, test, sleeper = start_long_test()
    process.kill()
    process.communicate(timeout=20)
    wait_until(lambda: not running(test, "testall"), "the test is still there")
    wait_until(lambda: not running(sleeper, "sleep"), "what the test started is still there")
