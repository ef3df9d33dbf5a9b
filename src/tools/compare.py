#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Boot the kernels and compare, at every checkpoint, what three witnesses say about the page tables:
the kernel's dump, Bochs (info tab, page), and the raw bytes in memory walked by this program.
"""

from __future__ import annotations

import argparse
import os
import pickle
import signal
import sys
from pathlib import Path

from hatlab import host, poke, run, show
from hatlab.bochs import Bochs
from hatlab.compare import Report, examine
from hatlab.protocol import Checkpoint, Reader


def options_of(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="compare.py", description=__doc__,
        epilog="Exit code: 0 all witnesses agree at all checkpoints and every run ended with %%done result=ok; 1 not so;"
        " 2 no run was possible.",
    )
    parser.add_argument("--flavor", choices=[*host.FLAVORS, "both"], default="both")
    parser.add_argument("--args", default="", metavar="'k=v ...'", help="the kernel's command line")
    parser.add_argument("--emulator", choices=["bochs", "qemu"], default="bochs",
                        help="the hardware's witness; qemu is a second opinion")
    parser.add_argument("--cpus", type=int, default=1, metavar="N")
    parser.add_argument("--mem", type=int, metavar="MB", help="memory size (default: as in bochsrc)")
    parser.add_argument("--checkpoint", metavar="NAME", help="show only this checkpoint (all are compared)")
    parser.add_argument("--all", action="store_true", help="show every range, also those that are as before")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything to FILE ('-' for standard output)")
    parser.add_argument("--image", type=Path, metavar="FILE", help="boot this image; needs --flavor")
    parser.add_argument("--kernel", type=Path, metavar="ELF", help="where the symbols are; needs --flavor")
    parser.add_argument("--multiboot2", action="store_true", help="use Multiboot 2 instead of 1")
    parser.add_argument("--timeout", type=float, default=run.SECONDS, metavar="S", help="seconds at most, for each run")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the runs' files under DIR")
    parser.add_argument("-v", "--verbose", action="store_true", help="also show what the kernel says")
    hooks = parser.add_argument_group("to see that compare notices")
    hooks.add_argument("--at", metavar="NAME", help="the checkpoint for the options below (default: the first)")
    hooks.add_argument("--poke", type=poke.poke, action="append", default=[], metavar="PHYS=VALUE",
                       help="change eight bytes of memory between the dump and the comparison")
    hooks.add_argument("--drop-line", type=int, metavar="N", help="lose line N of the dump")
    options = parser.parse_args(argv)
    if (options.image or options.kernel) and options.flavor == "both":
        parser.error("--image and --kernel need --flavor")
    return options


class Comparison:
    """One boot, with a comparison at every checkpoint."""

    def __init__(self, flavor: str, options: argparse.Namespace) -> None:
        self.flavor, self.options = flavor, options
        self.reports: list[Report] = []
        self.lines: list[str] = []

    def chosen(self, cp: Checkpoint) -> bool:
        """Is this the checkpoint for the test hooks?"""
        return cp.name == self.options.at if self.options.at else cp.n == 1

    def alter(self, cp: Checkpoint) -> None:
        number = self.options.drop_line
        if number and self.chosen(cp) and number <= len(cp.lines):
            del cp.lines[number - 1]

    def at_checkpoint(self, machine: Bochs, cp: Checkpoint, reader: Reader) -> None:
        def before_reading() -> None:
            if self.chosen(cp):
                poke.apply(machine, self.options.poke)

        mode = reader.hello["mode"] if reader.hello else "long"
        self.reports.append(examine(cp, machine, mode, before_reading))

    @property
    def checks_only(self) -> bool:
        """`tour=0 checks=...`: there is nothing to compare, but what the checks say."""
        return "tour=0" in self.options.args and "checks=" in self.options.args

    def boot(self) -> dict:
        o = self.options
        result = run.boot(
            self.flavor, o.args, cpus=o.cpus, mem=o.mem, image=o.image, kernel=o.kernel, timeout=o.timeout,
            keep=o.keep, multiboot2=o.multiboot2, at_checkpoint=self.at_checkpoint, alter=self.alter, emulator=o.emulator,
        )
        if result.ok and not self.reports and not self.checks_only:
            result.fail("fail", "reached no checkpoint")
        return self._outcome(result)

    def _outcome(self, result: run.Result) -> dict:
        o = self.options
        printer = show.Printer(self.lines.append, o.all)
        if o.verbose:
            self.lines += [f"{self.flavor}| {line}" for line in result.reader.console]
        elif self.checks_only:
            self.lines += [f"{self.flavor} {line}" for line in result.reader.console if line.startswith("check ")]
        for report in self.reports:
            if not o.checkpoint or report.checkpoint.name == o.checkpoint:
                printer.report(self.flavor, report)
        if o.checkpoint and o.checkpoint not in [r.checkpoint.name for r in self.reports]:
            names = " ".join(r.checkpoint.name for r in self.reports)
            result.fail("fail", f"has no checkpoint {o.checkpoint}; it has: {names}")
        if result.kept:
            self.lines.append(f"{self.flavor} files kept in {result.kept}")
        self.lines += self._verdict(result)
        data = show.run_data(result, self.reports)
        data["text"] = self.lines
        return data

    def _verdict(self, result: run.Result) -> list[str]:
        """The last line of each kernel, and what a person needs if it is bad."""
        bad = [r.checkpoint.name for r in self.reports if not r.ok]
        lines = []
        if result.problem:
            lines += [f"{self.flavor} {result.problem}", *(f"  {line}" for line in result.details)]
        ranges = sum(len(h.rows) for r in self.reports for h in r.hats)
        spaces = sum(len(r.hats) for r in self.reports)
        if bad or not result.ok:
            why = [f"witnesses disagree at {', '.join(bad)}"] if bad else []
            why += ["the run failed"] if not result.ok else []
            lines.append(f"{self.flavor}: FAIL, {' and '.join(why)}")
        elif self.checks_only:
            lines.append(f"{self.flavor}: OK, all checks passed ({result.seconds:.1f} s)")
        else:
            lines.append(
                f"{self.flavor}: OK, kernel, {show.NAMES[self.options.emulator]} and raw memory agree: {len(self.reports)} checkpoints,"
                f" {spaces} address spaces, {ranges} ranges ({result.seconds:.1f} s)"
            )
        return lines


def in_parallel(comparisons: list[Comparison]) -> list[dict]:
    """Run each in a process of its own: the work on the text is as long as the boot."""
    children = []
    try:
        for c in comparisons:
            children.append(_fork(c))
        return [_collect(pid, fd) for pid, fd in children]
    finally:
        for pid, _ in children:
            _end(pid)


def _fork(comparison: Comparison) -> tuple[int, int]:
    sys.stdout.flush()
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    code = 0
    host.end_with_parent()
    try:
        os.close(reading)
        try:
            answer = comparison.boot()
        except host.HostError as error:
            answer = error
        with os.fdopen(writing, "wb") as pipe:
            pickle.dump(answer, pipe)
    except KeyboardInterrupt:
        code = 130
    except (SystemExit, BrokenPipeError):
        code = 143
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 1
    os._exit(code)


def _collect(pid: int, fd: int) -> dict:
    with os.fdopen(fd, "rb") as pipe:
        data = pipe.read()
    if not data:
        raise host.HostError("a comparison ended without an answer")
    answer = pickle.loads(data)
    if isinstance(answer, host.HostError):
        raise answer
    return answer


def _end(pid: int) -> None:
    """The child has answered, or we are leaving early: it stops Bochs and goes."""
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        pass
    os.waitpid(pid, 0)


def main(argv: list[str]) -> int:
    options = options_of(argv)
    flavors = host.FLAVORS if options.flavor == "both" else [options.flavor]
    comparisons = [Comparison(flavor, options) for flavor in flavors]
    outcomes = [comparisons[0].boot()] if len(comparisons) == 1 else in_parallel(comparisons)
    to_stdout = options.json is not None and str(options.json) == "-"
    if not to_stdout:
        for outcome in outcomes:
            print("\n".join(outcome["text"]))
    if options.json:
        import json

        for outcome in outcomes:
            del outcome["text"]
        text = json.dumps({"ok": all(o["ok"] for o in outcomes), "runs": outcomes}, indent=1)
        print(text) if to_stdout else options.json.write_text(text + "\n")
    return 0 if all(outcome["ok"] for outcome in outcomes) else 1


if __name__ == "__main__":
    host.main(main)
