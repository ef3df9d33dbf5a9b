#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Find and run every test there is (`make test`).

A test is a function test_* without arguments in a file src/tools/tests/test_*.py or
src/tests/test_*.py. It passes when it returns; it fails when it raises, which a plain
`assert` does. The first line of its docstring is its title. Each test runs in a process
of its own, several side by side, with a time limit. Tests are found by importing the
files, so a module must do nothing when it is imported.

A test may import these from here:

    from testall import alone, cases, limit, needs, seed

    @needs("bochs")              a tool that must be there
    @limit(300)                  seconds of wall time instead of 120
    @cases("i386", "amd64")      the function is called with each of these in turn, and
    def test_boot(flavor):       each call is a test of its own
        rng = random.Random(seed())

    @alone                       runs after all others, with nothing beside it: it measures time

What a failing test printed, the variables of the test function, the seed, and a command
that repeats it are shown. A test must end the processes that it starts: one that leaves
something running fails, and what it left is killed. TMPDIR is a directory of the test's
own, removed after it; the current directory is the top of the project.

The last line of the output is always `N passed, N failed`. Exit 0 when something passed
and nothing failed, 1 otherwise, 130 after Ctrl-C.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDERS = ("src/tools/tests", "src/tests")
TIMES = os.path.join(TOP, "build", "test-times.json")
LIMIT = 120.0       # seconds that a test may take when it does not say otherwise
GRACE = 3.0         # seconds between asking a test to end and ending it
IMPORT_LIMIT = 30.0
OUTPUT_SHOWN = 20000


# --------------------------------------------------------------- what tests import

def needs(*tools):
    """Decorator: the commands that a test cannot do without."""
    def mark(function):
        function.needs = getattr(function, "needs", ()) + tools
        return function
    return mark


def limit(seconds):
    """Decorator: the wall time that a test may take."""
    def mark(function):
        function.limit = seconds
        return function
    return mark


def alone(function):
    """Decorator: nothing else runs beside this test."""
    function.alone = True
    return function


def cases(*values):
    """Decorator: call the test once with each value. The names of the tests are made of
    the values (of a tuple's first element): they must differ."""
    def mark(function):
        function.cases = values
        return function
    return mark


def seed():
    """The number that all chance in a test is to come from."""
    return int(os.environ.get("HATLAB_SEED", "1"))


# ------------------------------------------------------------------- the child's side
#
# The child is this same file, called with --child. It reports by writing JSON to the
# file named there: that file, and not the exit code, says that the test came to its end.

class OutOfTime(BaseException):
    """Raised in a test by the signal that asks it to end, so that `finally` still runs."""


def on_terminate(signum, frame):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise OutOfTime("asked to end while here: the time limit, or Ctrl-C")


def load(path):
    """The module in a file; the name `testall` means this very module."""
    import importlib.util
    sys.modules["testall"] = sys.modules["__main__"]
    for folder in (os.path.dirname(path), os.path.join(TOP, "src", "tools")):
        if folder not in sys.path:
            sys.path.insert(0, folder)
    name = os.path.splitext(os.path.basename(path))[0]
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def title_of(function):
    lines = (function.__doc__ or "").strip().splitlines()
    return lines[0] if lines else ""


def case_name(value):
    """A case that is a tuple is known by its first element."""
    return str(value[0] if isinstance(value, tuple) and value else value)


def describe(module):
    """The tests of a module, in the order in which they are written."""
    found = []
    for name, value in vars(module).items():
        if not name.startswith("test_") or not callable(value):
            continue
        if getattr(value, "__module__", module.__name__) != module.__name__:
            continue                        # imported from another test file: runs there
        values = getattr(value, "cases", None)
        for index in range(len(values)) if values is not None else [None]:
            found.append({
                "function": name,
                "case": index,
                "suffix": "" if index is None else "[%s]" % case_name(values[index]),
                "title": title_of(value),
                "needs": list(getattr(value, "needs", ())),
                "limit": float(getattr(value, "limit", LIMIT)),
                "alone": bool(getattr(value, "alone", False)),
            })
    return found


def print_variables(error, path):
    """The variables of the test file's frames: the values that made the test fail."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename != path or frame.f_code.co_name == "<module>":
            continue
        values = [(k, v) for k, v in frame.f_locals.items() if not k.startswith("__")]
        if values:
            print("values in %s:" % frame.f_code.co_name)
        for key, value in values:
            try:
                text = repr(value)
            except Exception as trouble:    # a half-made object is no reason to stop here
                text = "(no repr: %s)" % trouble
            print("    %s = %s" % (key, text if len(text) <= 400 else text[:400] + "..."))


def run_function(path, function, case):
    target = getattr(load(path), function)
    if case is None:
        target()
    else:
        target(target.cases[case])


def end_with_parent():
    """Should the runner be killed, its time limit dies with it: so must the test (Linux)."""
    try:
        import ctypes
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)      # PR_SET_PDEATHSIG
    except (ImportError, OSError, AttributeError):
        pass


def child(args):
    """Import a file, run one of its tests or describe them all, and report."""
    path, function, case, report = args
    signal.signal(signal.SIGTERM, on_terminate)
    # A shell's background job ignores these, and so would all that a test starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    end_with_parent()
    try:
        if function == "-":
            result = describe(load(path))
        else:
            run_function(path, function, None if case == "-" else int(case))
            result = "passed"
    except BaseException as error:          # also sys.exit() and OutOfTime: none is a pass
        sys.stdout.flush()
        traceback.print_exception(type(error), error, hide_runner(error.__traceback__),
                                  file=sys.stdout)
        print_variables(error, path)
        sys.stdout.flush()
        return 1
    sys.stdout.flush()
    with open(report + ".new", "w") as out:
        json.dump(result, out)
    os.rename(report + ".new", report)
    return 0


def hide_runner(trace):
    """A traceback without this file's and the import machinery's frames at its start."""
    first = trace
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if name != __file__ and not name.startswith("<frozen"):
            return trace
        trace = trace.tb_next
    return first


# ------------------------------------------------------------ processes and their ends

def tagged(tag):
    """Processes, whoever their parent is now, that inherited a tag in HATLAB_TEST.

    A test that starts Bochs in a session of its own and then dies leaves it in no process
    group that we know; the environment is what it cannot lose. Where there is no /proc,
    only the test's own process group is ended.
    """
    mark = ("," + tag + ",").encode()
    found = []
    for entry in os.listdir("/proc") if os.path.isdir("/proc/self") else []:
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            with open("/proc/%s/environ" % entry, "rb") as stream:
                if mark not in stream.read():
                    continue
            with open("/proc/%s/stat" % entry) as stream:
                name, state = re.search(r"\((.*)\) (\S)", stream.read(), re.S).groups()
        except (OSError, AttributeError):
            continue                        # gone meanwhile, or another user's
        if state not in "ZX":
            found.append((int(entry), name))
    return found


def send(pid, signum):
    try:
        os.kill(pid, signum)
    except OSError:
        pass


def send_group(pid, signum):
    try:
        os.killpg(pid, signum)
    except OSError:
        pass


class Job:
    """One child process: a test that runs, or a file that is looked through."""

    count = 0

    def __init__(self, name, path, function, case, wall_limit, test=None):
        Job.count += 1
        self.name, self.path, self.wall_limit, self.test = name, path, wall_limit, test
        self.tag = "%d.%d" % (os.getpid(), Job.count)
        self.folder = tempfile.mkdtemp(prefix="hatlab-test-")
        self.report = os.path.join(self.folder, "report")
        self.log = open(os.path.join(self.folder, "output"), "w+b")
        self.asked_to_end = None
        self.late = False
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, os.path.abspath(__file__), "--child", path, function,
             "-" if case is None else str(case), self.report],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT,
            cwd=TOP, env=self.environment(), start_new_session=True)

    def environment(self):
        tmp = os.path.join(self.folder, "tmp")
        os.mkdir(tmp)
        env = dict(os.environ, TMPDIR=tmp, PYTHONUNBUFFERED="1")
        # Tests of this runner run it again: their tests carry both tags.
        env["HATLAB_TEST"] = "%s,%s," % (env.get("HATLAB_TEST", ""), self.tag)
        # A test that calls make must not take part in the job server of our own make, nor
        # inherit what was said on its command line.
        for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "FLAVOR", "CPUS", "ARGS"):
            env.pop(name, None)
        return env

    def seconds(self):
        return time.monotonic() - self.began

    def poll(self):
        """Keep the time limit; True when the process is gone."""
        if self.process.poll() is not None:
            return True
        now = time.monotonic()
        if self.asked_to_end is None:
            if self.seconds() > self.wall_limit:
                self.late = True
                self.ask_to_end()
        elif now - self.asked_to_end > GRACE:
            send_group(self.process.pid, signal.SIGKILL)
        return False

    def ask_to_end(self):
        """To the test itself, not its group: what it started, it can end in order."""
        self.asked_to_end = time.monotonic()
        send(self.process.pid, signal.SIGTERM)

    def sweep(self):
        """Kill what the test left behind; the names of it."""
        left = tagged(self.tag)
        if left:
            # A program that is just ending is not a leak.
            time.sleep(0.3)
            left = tagged(self.tag)
        send_group(self.process.pid, signal.SIGKILL)
        names = ["%s (process %d)" % (name, pid) for pid, name in left]
        while left:
            for pid, _ in left:
                send(pid, signal.SIGKILL)
            time.sleep(0.02)
            left = tagged(self.tag)
        return names

    def output(self):
        self.log.seek(0)
        text = self.log.read().decode("utf-8", "replace")
        if len(text) > OUTPUT_SHOWN:
            half = OUTPUT_SHOWN // 2
            text = "%s\n[... %d characters left out ...]\n%s" % (
                text[:half], len(text) - 2 * half, text[-half:])
        return text

    def reported(self):
        try:
            with open(self.report) as stream:
                return json.load(stream)
        except (OSError, ValueError):
            return None

    def why_not(self, left):
        """Why the test has not passed, in a few words; "" when it has."""
        code = self.process.returncode
        if self.late:
            return "still running after its limit of %g s" % self.wall_limit
        if code < 0:
            return "killed by %s" % signal_name(-code)
        if code != 0:
            return "failed"
        if self.reported() is None:
            return "ended early with exit code 0, before the test was over"
        if left:
            return "left running: " + ", ".join(left)
        return ""

    def close(self):
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def signal_name(number):
    try:
        return signal.Signals(number).name
    except ValueError:
        return "signal %d" % number


def run_side_by_side(starters, width, on_done, on_tick=lambda running: None):
    """Start jobs, at most `width` at once; on_done(job, why) for each as it ends."""
    waiting, running = list(starters), []
    try:
        while waiting or running:
            while waiting and len(running) < width:
                running.append(waiting.pop(0)())
            for job in [job for job in running if job.poll()]:
                left = job.sweep()
                running.remove(job)
                on_done(job, job.why_not(left))
                job.close()
            on_tick(running)
            time.sleep(0.01)
    finally:
        end_all(running)


def end_all(running):
    """After Ctrl-C, or a mistake in this file: nothing stays behind."""
    if running:
        signal.signal(signal.SIGINT, signal.SIG_IGN)    # a second one would come too early
    for job in running:
        job.ask_to_end()
    deadline = time.monotonic() + GRACE
    while time.monotonic() < deadline and any(j.process.poll() is None for j in running):
        time.sleep(0.02)
    for job in running:
        job.sweep()
        job.process.wait()
        job.close()


# ---------------------------------------------------------------- finding the tests

class Test:
    def __init__(self, path, facts):
        self.path = path
        self.function, self.case = facts["function"], facts["case"]
        self.title, self.needs, self.limit = facts["title"], facts["needs"], facts["limit"]
        self.alone = facts["alone"]
        self.name = "%s.%s%s" % (module_name(path), self.function, facts["suffix"])
        self.why, self.seconds = None, 0.0

    def start(self):
        return Job(self.name, self.path, self.function, self.case, self.limit, self)


def module_name(path):
    return os.path.splitext(os.path.basename(path))[0]


def test_files(folders):
    files = []
    for folder in folders:
        folder = os.path.join(TOP, folder)
        if os.path.isdir(folder):
            files += [os.path.join(folder, name) for name in sorted(os.listdir(folder))
                      if name.startswith("test_") and name.endswith(".py")]
    return files


def find_tests(files, width, screen):
    """(tests, files that could not be read)."""
    found, broken = {}, []

    def on_done(job, why):
        if why:
            broken.append(job.path)
            screen.failure(module_name(job.path), "cannot be imported: " + why, "",
                           job.output(), None)
        else:
            found[job.path] = [Test(job.path, facts) for facts in job.reported()]

    run_side_by_side([lambda path=path: Job(module_name(path), path, "-", None, IMPORT_LIMIT)
                      for path in files], width, on_done)
    return [test for path in files for test in found.get(path, [])], broken


def optional_tools():
    """The commands that setup.sh does not install by itself: the tools' own table says."""
    names = set()
    try:
        with open(os.path.join(TOP, "src", "tools", "packages")) as table:
            for row in table:
                if row.startswith("optional") and "|" in row:
                    names.update(row.split("|")[1].split())
    except OSError:
        pass
    return names


def without_tools(tests):
    """Take out the tests that cannot run: (to run, [(test, tool)]).

    Only for an optional tool. A needed one that is missing is for the test to fail on.
    """
    optional = optional_tools()
    run, skipped = [], []
    for test in tests:
        lacking = [t for t in test.needs if t in optional and not shutil.which(t)]
        if lacking:
            skipped.append((test, lacking[0]))
        else:
            run.append(test)
    return run, skipped


# --------------------------------------------------------------------- the screen

class Screen:
    """A line for each test, or one line that is written over, at a terminal."""

    def __init__(self, verbose, total=0):
        self.live = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self.verbose = verbose or not self.live
        self.total, self.done, self.failed = total, 0, 0
        self.last = ""
        self.seed = seed()

    def say(self, text=""):
        self.wipe()
        print(text, flush=True)

    def wipe(self):
        if self.last:
            sys.stdout.write("\r\033[K")
            self.last = ""

    def progress(self, running):
        if not self.live:
            return
        text = "[%d/%d]%s %s" % (
            self.done, self.total, " %d FAILED" % self.failed if self.failed else "",
            ", ".join("%s %ds" % (job.name, job.seconds()) for job in running))
        text = text[:shutil.get_terminal_size().columns - 1]
        if text != self.last:
            sys.stdout.write("\r\033[K" + text)
            sys.stdout.flush()
            self.last = text

    def passed(self, test):
        self.done += 1
        if self.verbose:
            self.say("ok    %-58s %6.2f s%s" % (
                test.name, test.seconds, "  " + test.title if test.title else ""))

    def failure(self, name, why, title, output, seconds):
        self.done += 1
        self.failed += 1
        took = "" if seconds is None else "  (%.2f s)" % seconds
        self.say("FAIL  %s: %s%s" % (name, why, took))
        if title:
            self.say("    | " + title)
        for row in output.rstrip().splitlines():
            self.say("    | " + row)
        self.say("    | seed %d" % self.seed)
        self.say("    repeat: " + repeat_command(name, self.seed))


def repeat_command(name, used_seed):
    given = "" if used_seed == 1 else " --seed %d" % used_seed
    return "python3 src/tools/testall.py -v%s -k %s" % (given, shlex.quote(name))


# ------------------------------------------------------------------------- running

def old_times():
    try:
        with open(TIMES) as stream:
            return {str(k): float(v) for k, v in json.load(stream).items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def write_json(path, value):
    """All of it or nothing: two runs at once may write the same file."""
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    fresh = "%s.%d" % (path, os.getpid())
    with open(fresh, "w") as out:
        json.dump(value, out, indent=1, sort_keys=True)
        out.write("\n")
    os.replace(fresh, path)


def keep_times(tests):
    times = old_times()
    times.update({test.name: round(test.seconds, 3) for test in tests})
    try:
        write_json(TIMES, times)
    except OSError:
        pass                                # only a help for the next run's order


def run_tests(tests, width, screen):
    screen.total = len(tests)

    def on_done(job, why):
        test = job.test
        test.seconds, test.why = job.seconds(), why
        if why:
            screen.failure(test.name, why, test.title, job.output(), test.seconds)
        else:
            screen.passed(test)

    # The longest first, or the end is spent waiting for it on one core.
    times = old_times()
    tests = sorted(tests, key=lambda test: -times.get(test.name, 1.0))
    for lonely in (False, True):
        run_side_by_side([test.start for test in tests if test.alone == lonely], 1 if lonely else width, on_done, screen.progress)
    screen.wipe()


def summary(tests, skipped, broken, wall, screen):
    slow = sorted(tests, key=lambda test: -test.seconds)[:10]
    if slow:
        screen.say("\nThe slowest of %d, %.1f s in all:" % (len(tests), wall))
    for test in slow:
        screen.say("    %7.2f s  %s" % (test.seconds, test.name))
    for test, tool in skipped:
        screen.say("not run: %s (needs %s, which is optional and not installed)"
                   % (test.name, tool))
    bad = [module_name(path) for path in broken] + [t.name for t in tests if t.why]
    if bad:
        screen.say("\nFailed; to repeat one:")
    for name in bad:
        screen.say("    " + repeat_command(name, screen.seed))


def json_report(tests, skipped, broken, wall):
    return {
        "passed": sum(1 for t in tests if not t.why),
        "failed": sum(1 for t in tests if t.why) + len(broken),
        "seconds": round(wall, 3),
        "tests": [{"name": t.name, "title": t.title, "seconds": round(t.seconds, 3),
                   "result": "failed" if t.why else "passed", "why": t.why or ""}
                  for t in tests],
        "not_run": [{"name": t.name, "needs": tool} for t, tool in skipped],
        "broken": [module_name(path) for path in broken],
    }


def selected(tests, words):
    """Those with any of the words in name or title; a whole name means that test only."""
    if not words:
        return tests
    return [t for t in tests if any(
        t.name == w or (w in t.name + " " + t.title and not any(o.name == w for o in tests))
        for w in words)]


def default_width():
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def arguments(argv):
    parser = argparse.ArgumentParser(
        description="Run hatlab's tests; see the start of this file for how to write one.")
    parser.add_argument("-k", metavar="WORD", action="append",
                        help="only tests with WORD in the name or title (may be repeated)")
    parser.add_argument("-j", metavar="N", type=int, default=default_width(),
                        help="so many at once (default: the number of processors, %(default)s)")
    parser.add_argument("-v", action="store_true", help="a line for each test, also at a terminal")
    parser.add_argument("--list", action="store_true", help="print the tests and run none")
    parser.add_argument("--json", metavar="FILE", help="write results and times to FILE")
    parser.add_argument("--seed", metavar="N", type=int,
                        help="what seed() gives to the tests (default: HATLAB_SEED or 1)")
    parser.add_argument("--tests", metavar="DIR", action="append",
                        help="look here instead of " + ", ".join(FOLDERS))
    args = parser.parse_args(argv)
    if args.j < 1:
        parser.error("-j must be at least 1")
    return args


def go(args):
    """Find and run; (tests, skipped, broken, seconds)."""
    screen = Screen(args.v)
    began = time.monotonic()
    tests, broken = find_tests(test_files(args.tests or FOLDERS), args.j, screen)
    tests = selected(tests, args.k)
    if args.k:
        broken = [path for path in broken if any(w in path for w in args.k)]
    if args.list:
        for test in tests:
            screen.say("%-60s %s" % (test.name, test.title))
        return None if not broken else ([], [], broken, 0.0)
    tests, skipped = without_tools(tests)
    try:
        run_tests(tests, args.j, screen)
    finally:
        # Also after Ctrl-C: what has been run is told.
        screen.wipe()
        tests = [test for test in tests if test.why is not None]
        wall = time.monotonic() - began
        if not args.tests:
            keep_times(tests)
        summary(tests, skipped, broken, wall, screen)
        if args.json:
            write_json(args.json, json_report(tests, skipped, broken, wall))
        if not tests and not broken:
            print("no test was run to its end%s" % (" (-k was given)" if args.k else ""))
        print("%d passed, %d failed" % (sum(1 for t in tests if not t.why),
                                        sum(1 for t in tests if t.why) + len(broken)),
              flush=True)
    return tests, skipped, broken, wall


def interrupted(signum, frame):
    raise KeyboardInterrupt


def main(argv):
    if argv[:1] == ["--child"]:
        return child(argv[1:])
    args = arguments(argv)
    if args.seed is not None:
        os.environ["HATLAB_SEED"] = str(args.seed)
    for number in (signal.SIGTERM, signal.SIGHUP):  # `timeout`, a CI or a terminal that goes
        if signal.getsignal(number) != signal.SIG_IGN:  # but not under nohup
            signal.signal(number, interrupted)
    try:
        result = go(args)
    except KeyboardInterrupt:
        sys.stderr.write("testall: interrupted; everything it had started is ended\n")
        return 130
    if result is None:
        return 0
    tests, _, broken, _ = result
    return 0 if tests and not broken and not any(t.why for t in tests) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
