#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Many CPUs call the HAT at random, again and again (`make stress`; docs/stress.md).

Without --seed: a suite of runs over seeds, flavours, ways to reach tables and kinds of failure, until --ops calls have been counted
by the kernels themselves; every kind is run, each as much as the others. With --seed: one run of each kind; with the same --run-ops
it is exactly the one that the suite made with that seed.
Exit code: 0 all went well, 1 something did not (with the command that repeats it), 2 nothing could be run.
"""

import argparse
import math
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from hatlab import host, run

TOP = Path(__file__).resolve().parents[2]
# What is run: the flavour, words for the kernel, with assertions or without. The bulk is without.
MODES = {"amd64": ("", "kpm=0"), "i386": ("", "pae=0")}
FAULTS = {1: ("", "force_steal=2", "force_steal=2 stress_page_fail=5 kmem_fail_after=3", "stress_tight=40"),
          0: ("", "stress_page_fail=5", "stress_tight=40")}
SHARE_DEBUG = 0.25  # of all operations
WORKERS = 8
RUN_OPS = 250_000  # at most, in a suite


@dataclass(frozen=True)
class Job:
    flavor: str
    mode: str
    faults: str
    debug: int
    seed: int
    ops: int
    cpus: int

    @property
    def words(self) -> str:
        words = f"tour=0 watchdog={20000 + self.ops // 2} stress={WORKERS} stress_ops={self.ops} seed={self.seed}"
        return " ".join([words, self.mode, self.faults]).strip()

    @property
    def kind(self) -> str:
        return " ".join(w for w in (self.flavor, self.mode, self.faults, "" if self.debug else "DEBUG=0") if w)

    @property
    def folder(self) -> Path:
        return TOP / "build" / f"{self.flavor}-{'tests' if self.debug else 'stress'}"

    @property
    def again(self) -> str:
        """This run alone; and, to type, all kinds with this seed."""
        image = self.folder.relative_to(TOP)
        return (f"make stress SEED={self.seed} OPS={self.ops} CPUS={self.cpus} FLAVOR={self.flavor}\n  this run alone: make -s -f src/kernel.mk FLAVOR={self.flavor} IMAGE={self.folder.name.split('-')[1]} TESTS=1 DEBUG={self.debug} && "
                f"python3 src/tools/boot.py --flavor {self.flavor} --image {image}/hatlab.iso --kernel {image}/kernel.elf "
                f"--cpus {self.cpus} --timeout 1200 --args '{self.words}'")


def build(flavor: str, debug: int) -> None:
    command = ["make", "-s", "-f", "src/kernel.mk", f"FLAVOR={flavor}", f"IMAGE={'tests' if debug else 'stress'}", "TESTS=1", f"DEBUG={debug}"]
    done = subprocess.run(command, cwd=TOP, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise host.HostError(f"{' '.join(command)} failed: {(done.stderr or done.stdout).strip()[-300:]}")


def counted(result: run.Result) -> tuple[int, str]:
    """Operations and digest of a run, or ValueError: the sums do not agree."""
    end = next(iter(result.reader.find("stress-end")), None) if result.ok else None
    if end is None:
        raise ValueError(result.problem or "no %stress-end")
    kinds = sum(record.number("value") for record in result.reader.find("stress-count"))
    if not kinds == end.number("ops") == end.number("begun"):
        raise ValueError(f"{end['begun']} operations begun, {end['ops']} done, {kinds} by kind")
    return kinds, end["digest"]


def go(job: Job, timeout: float) -> run.Result:
    return run.boot(job.flavor, job.words, cpus=job.cpus, image=job.folder / "hatlab.iso", kernel=job.folder / "kernel.elf",
                    deadline=200_000_000_000, timeout=timeout)


def suite(o: argparse.Namespace) -> list[Job]:
    """One run of each kind with the seed asked for; or as many rounds of all kinds as it takes, each run with a seed of its own."""
    kinds = [(f, m, x, d) for d in (1, 0) for f in o.flavor for m in MODES[f] for x in FAULTS[d]]
    if o.seed is not None:
        return [Job(f, m, x, d, o.seed, o.run_ops, o.cpus) for f, m, x, d in kinds]
    rounds, size = {}, {}
    for debug, share in ((1, SHARE_DEBUG), (0, 1 - SHARE_DEBUG)):
        each = o.ops * share / sum(1 for kind in kinds if kind[3] == debug)
        rounds[debug] = math.ceil(each / o.run_ops)
        size[debug] = math.ceil(each / rounds[debug])
    plan = [(n, kind) for n in range(max(rounds.values())) for kind in kinds if n < rounds[kind[3]]]
    return [Job(f, m, x, d, seed, size[d], o.cpus) for seed, (_, (f, m, x, d)) in enumerate(plan, 1)]


def options_of(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="stress.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flavor", nargs="+", choices=host.FLAVORS, default=list(host.FLAVORS))
    parser.add_argument("--cpus", type=int, default=4, metavar="N")
    parser.add_argument("--seed", type=int, metavar="N")
    parser.add_argument("--ops", type=int, default=10_000_000, metavar="N", help="calls of the HAT, in all (default %(default)s)")
    parser.add_argument("--run-ops", type=int, default=RUN_OPS, metavar="N", help="of one run, in a suite at most (default %(default)s)")
    parser.add_argument("--timeout", type=float, default=1200, metavar="S", help="seconds for one run")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="runs at a time")
    return parser.parse_args(argv)


def left(began: float, done: int, wanted: int) -> str:
    """How far all runs have come, and how long it will still take."""
    minutes = (time.monotonic() - began) * max(0, wanted - done) / max(1, done) / 60
    return f"{done / 1e6:.2f} of {wanted / 1e6:.2f} million, {minutes:.0f} min left"


def show_table(totals: dict[str, list[int]]) -> None:
    print(f"{'kind of run':72} {'runs':>5} {'operations':>12} {'seconds':>8}")
    for kind, (runs, ops, seconds) in totals.items():
        print(f"{kind:72} {runs:5} {ops:12,} {seconds:8.0f}")


def main(argv: list[str]) -> int:
    o = options_of(argv)
    jobs, total, failures, totals = suite(o), 0, [], {}
    wanted, passed, began = sum(j.ops for j in jobs), 0, time.monotonic()
    for flavor, debug in sorted({(j.flavor, j.debug) for j in jobs}):
        build(flavor, debug)
    pool = ThreadPoolExecutor(o.jobs)
    try:
        running = {pool.submit(go, job, o.timeout): job for job in jobs}
        for n, future in enumerate(as_completed(running), 1):
            job, result = running[future], future.result()
            try:
                ops, digest = counted(result)
                said = f"{ops:,} operations, digest {digest}"
            except ValueError as error:
                ops = 0
                failures.append(f"{job.kind}, seed {job.seed}: {error}")
                said = f"FAILED, seed {job.seed}: {error}\n" + "\n".join(f"    {line}" for line in result.details)
                said += f"\n  again: {job.again}"
            total += ops
            passed += job.ops
            row = totals.setdefault(job.kind, [0, 0, 0])
            row[:] = [row[0] + 1, row[1] + ops, row[2] + result.seconds]
            print(f"[{n}/{len(jobs)}] {job.kind}, seed {job.seed}: {said} ({result.seconds:.0f} s; {left(began, passed, wanted)})", flush=True)
    except (KeyboardInterrupt, SystemExit):
        show_table(totals)
        print(f"stress: interrupted, {total:,} operations, {len(failures)} failed", flush=True)
        os._exit(130)  # the runs' threads do not hear of it; Bochs goes when we go
    show_table(totals)
    for failure in failures:
        print(f"FAILED: {failure}")
    print(f"stress: {len(jobs)} runs, {total:,} operations, {len(failures)} failed, {(time.monotonic() - began) / 60:.0f} min")
    return 1 if failures or total < (o.ops if o.seed is None else 1) else 0


if __name__ == "__main__":
    host.main(main)
