#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Make a bootable CD image from a kernel (GRUB)."""

import argparse
from pathlib import Path

from hatlab import host, image


def named_file(text: str) -> tuple[str, Path]:
    name, eq, path = text.partition("=")
    return (name, Path(path)) if eq else (Path(text).name, Path(text))


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="mkimage.py", description=__doc__,
        epilog="Without KERNEL, makes build/FLAVOR/hatlab.iso from build/FLAVOR/kernel.boot if it is out of date.",
    )
    parser.add_argument("kernel", nargs="?", type=Path, metavar="KERNEL", help="the kernel's ELF file")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="the image (default: hatlab.iso beside KERNEL)")
    parser.add_argument("--flavor", choices=host.FLAVORS, default="amd64", help="which kernel, without KERNEL")
    parser.add_argument("--args", default="", metavar="'k=v ...'", help="the kernel's command line")
    parser.add_argument("--module", action="append", default=[], type=named_file, metavar="[NAME=]FILE",
                        help="load FILE as a module; may be given several times")
    parser.add_argument("--multiboot2", action="store_true", help="use Multiboot 2 instead of 1")
    options = parser.parse_args(argv)
    if options.kernel:
        out = options.output or options.kernel.with_name("hatlab.iso")
        image.build(options.kernel, out, options.args, options.module, options.multiboot2)
    else:
        out = image.ensure(options.flavor, options.multiboot2)
    print(out)
    return 0


if __name__ == "__main__":
    host.main(main)
