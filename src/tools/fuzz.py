#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Look for input that breaks us (`make fuzz`): libFuzzer on the kernel's code in the pretend machine, damaged text on our parsers.

    fuzz.py --minutes 10                  all targets, so long together
    fuzz.py --minutes 1 --target boot     one of them: boot, cmdline, elf, history, parsers
    fuzz.py --smoke                       what is in the corpus, and a few thousand inputs more: make test

Inputs that reach something new are kept in build/fuzz/; what broke something stands there too, and one line says how to repeat it.
--keep puts the smallest set of them that reaches everything into src/host/fuzz/corpus/.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from hatlab import bochs_out, host, protocol, qemu_out
from hatlab.mangle import mangled

OUT = host.BUILD / "fuzz"
CORPUS = host.ROOT / "src/host/fuzz/corpus"
SAMPLES = host.ROOT / "src/tools/samples"
TARGETS = ("boot", "cmdline", "elf", "history")
LONGEST = {"boot": 4096, "cmdline": 1100, "elf": 16384, "history": 2000}  # bytes of an input
SMOKE_RUNS = {"boot": 20000, "cmdline": 20000, "elf": 20000, "history": 300}
SMOKE_PARSES = 1500
ONE_INPUT = 20  # seconds


def build(flavor: str) -> Path:
    """The folder with a program for each target."""
    if not shutil.which("clang"):
        raise host.HostError("clang is not installed: libFuzzer comes with it (packages clang and libclang-rt-14-dev)")
    folder = host.BUILD / f"host-{flavor}-fuzz"
    command = ["make", "-s", "-j2", "-f", "src/host/host.mk", f"FLAVOR={flavor}", "IMAGE=fuzz", "PROGRAM=fuzz", "FUZZ=1"]
    folder.mkdir(parents=True, exist_ok=True)
    with host.held(folder / "lock"):
        done = subprocess.run(command, cwd=host.ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            raise host.HostError(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}")
        for target in TARGETS:
            link = folder / f"fuzz-{target}"
            if not link.is_symlink():
                link.symlink_to("fuzz")
    return folder


def fuzz(target: str, flavor: str, options: list[str]) -> bool:
    """Run libFuzzer. @return whether nothing broke."""
    program, found = build(flavor) / f"fuzz-{target}", OUT / f"{flavor}-{target}"
    found.mkdir(parents=True, exist_ok=True)
    command = [str(program), "-close_fd_mask=1", f"-timeout={ONE_INPUT}", f"-max_len={LONGEST[target]}", f"-artifact_prefix={OUT}/{flavor}-{target}-",
               "-print_final_stats=1", *options, str(found), str(CORPUS / target)]
    done = subprocess.run(command, cwd=host.ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")
    lines = done.stderr.splitlines()
    ran = next((line.split()[1] for line in lines if line.startswith("stat::number_of_executed_units:")), "?")
    if done.returncode == 0:
        print(f"fuzz: {target} {flavor}: {ran} inputs, nothing broke", flush=True)
        return True
    said = [line for line in lines if line.startswith(("panic:", "SUMMARY:", "==")) or "runtime error" in line]
    written = [line.rsplit(" ", 1)[1] for line in lines if "Test unit written to" in line]
    print(f"fuzz: {target} {flavor}: BROKE: {said[0] if said else lines[-1] if lines else 'no word'}")
    print(f"    repeat: {program.relative_to(host.ROOT)} {written[0] if written else '?'}", flush=True)
    return False


def keep(target: str, flavor: str) -> None:
    """The smallest set of inputs that reaches everything, by libFuzzer's own merge, in place of the corpus."""
    program, fresh = build(flavor) / f"fuzz-{target}", OUT / f"{target}-kept"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    subprocess.run([program, "-merge=1", "-close_fd_mask=3", f"-max_len={LONGEST[target]}", fresh, CORPUS / target, OUT / f"{flavor}-{target}"],
                   cwd=host.ROOT, stdin=subprocess.DEVNULL, check=True)
    shutil.rmtree(CORPUS / target)
    shutil.copytree(fresh, CORPUS / target)
    print(f"fuzz: {target}: {len(list(fresh.iterdir()))} inputs kept")


# ------------------------------------------------------------------------------------------------------------- parsers


def _samples() -> list[str]:
    return [path.read_text() for path in sorted(SAMPLES.glob("*.txt"))]


def _page(text: str) -> object:
    return bochs_out.parse_page(text[-600:])


def _xp(text: str) -> object:
    return bochs_out.parse_xp(text[:400], 4)


KERNEL = ("%hello version=1 flavor=amd64 mode=long cpus=1 seed=1 lab=- ram=65020 kernelbase=0xfffff80000000000\nconsole\n"
          "%checkpoint-begin name=one n=1 cpu=0 cr3=0x1000 hat=0x0\n"
          "hat 0x0000000000000000 boot flags=- top=3 pages=1,0,0 cpus=0x1 root=0x000000001000\n"
          "  ht 0x0000000000000000 level=3 0x0000000000000000-0xffffffffffffffff pfn=0x1 busy=0 valid=1 lock=0 flags=- parent=-\n"
          "    link 0 -> 0x000000002000 flags=0x007\n%checkpoint-end name=one lines=3\n%done result=ok\n")
TLB = "0000000000400000: 000000000013a000 ----A--U-\n0000000000401000: 000000000013b000 X---A--UW\n"
MEM = "0000000000400000-0000000000402000 0000000000002000 urw\n"

# Name, parser, what it may raise, texts that it should read.
PARSERS: list[tuple[str, Callable[[str], object], tuple[type[Exception], ...], Callable[[], list[str]]]] = [
    ("info tab", bochs_out.parse_info_tab, (bochs_out.BochsOutputError,), _samples),
    ("page", _page, (bochs_out.BochsOutputError,), _samples),
    ("creg", bochs_out.parse_creg, (bochs_out.BochsOutputError,), _samples),
    ("registers", bochs_out.parse_registers, (bochs_out.BochsOutputError,), _samples),
    ("xp", _xp, (bochs_out.BochsOutputError,), _samples),
    ("stop", bochs_out.parse_stop, (bochs_out.BochsOutputError,), _samples),
    ("kernel", protocol.parse, (), lambda: [KERNEL]),
    ("info mem", qemu_out.parse_mem, (qemu_out.QemuOutputError,), lambda: [MEM]),
    ("info tlb", lambda text: qemu_out.parse_tlb(text, qemu_out.parse_mem(MEM)), (qemu_out.QemuOutputError,), lambda: [TLB]),
]


def parse_damaged(seed: int, enough: Callable[[int], bool]) -> bool:
    """Each parser reads it, or says in its own words why not. @return whether all did"""
    texts = {name: make() for name, _, _, make in PARSERS}
    ran = 0
    while not enough(ran):
        for name, parser, errors, _ in PARSERS:
            rng = random.Random(f"{seed} {ran} {name}")
            text = mangled(rng.choice(texts[name]), rng)
            try:
                parser(text)
            except errors:
                pass
            except Exception as error:
                path = OUT / f"parsers-{seed}-{ran}.txt"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
                print(f"fuzz: parser of {name}: BROKE: {type(error).__name__}: {error}\n    its input: {path}", flush=True)
                return False
        ran += 1
    print(f"fuzz: parsers: {ran * len(PARSERS)} texts, nothing broke", flush=True)
    return True


# ----------------------------------------------------------------------------------------------------------- the command


def options_of(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fuzz.py", description=__doc__.split("\n")[0], epilog="Exit code: 0 nothing broke; 1 something did.")
    parser.add_argument("--minutes", type=float, default=5.0, metavar="N", help="for all targets together (%(default)s)")
    parser.add_argument("--target", choices=(*TARGETS, "parsers"), help="this one only")
    parser.add_argument("--flavor", choices=host.FLAVORS, default="amd64")
    parser.add_argument("--smoke", action="store_true", help="the corpus and a fixed number of inputs more")
    parser.add_argument("--keep", action="store_true", help="when nothing broke: renew the corpus in the tree")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    options = parser.parse_args(argv)
    if options.minutes <= 0:
        parser.error("--minutes must be more than 0")
    return options


def main(argv: list[str]) -> int:
    options = options_of(argv)
    targets = (options.target,) if options.target else (*TARGETS, "parsers")
    seconds = options.minutes * 60 / len(targets)
    fine = True
    for target in targets:
        if target == "parsers":
            until = time.monotonic() + seconds
            fine &= parse_damaged(options.seed, (lambda n: n >= SMOKE_PARSES) if options.smoke else (lambda n: time.monotonic() > until))
            continue
        how = [f"-runs={SMOKE_RUNS[target]}"] if options.smoke else [f"-max_total_time={max(1, int(seconds))}"]
        fine &= fuzz(target, options.flavor, [f"-seed={options.seed}", *how])
        if fine and options.keep:
            keep(target, options.flavor)
    return 0 if fine else 1


if __name__ == "__main__":
    host.main(main)
