# SPDX-License-Identifier: ISC
"""Make a bootable CD from a kernel, and put a command line on it.

GRUB's core holds only a CD driver and a short script; everything else it loads from the CD.  (A core with all
modules inside takes twice as many emulated instructions to unpack.)

The command line lives in a GRUB environment file of one CD sector, `/boot/grub/grubenv`, which the script reads with
load_env.  So a run needs no new image: a copy with that one sector replaced will do.  Reading it costs about 0.2 million
instructions.  GRUB passes the whole line between double quotes, which the kernel takes for blanks.

GRUB is asked for Multiboot 1 unless told otherwise: its version 2 costs a million instructions more and tells this kernel
nothing that it needs.

The image is a hybrid: written to a USB stick or a disk as it is, a PC's BIOS boots it from there too.  GRUB's boot_hybrid.img in
the CD's first sectors, which a CD does not use, knows where the core is; and the core takes what it was booted from for its root.

The CD is padded (with a hole) far beyond its data: Bochs makes a CD seek last as long as its share of the whole CD, and on a
CD of 1 MB GRUB's many small reads would cost another million instructions, more or less with every change of layout.
"""

from __future__ import annotations

import os
import shutil
import struct
import tempfile
from pathlib import Path

from . import host
from .host import HostError

GRUB_DIR = Path("/usr/lib/grub/i386-pc")
# What loadenv and multiboot or multiboot2 need, directly or not (see moddep.lst in GRUB_DIR), and read.
GRUB_MODULES = (
    "acpi boot bufio crypto datetime disk extcmd gettext linux loadenv lsapm mmap net normal"
    " priority_queue read relocator terminal vbe verifiers video video_fb"
).split()

SECTOR = 2048
PADDED = 64 << 20
ENV_HEAD = b"# GRUB Environment Block\n# hatlab: the kernel's command line\n"
ARGS_MAX = SECTOR - len(ENV_HEAD) - len(b"args=\n")


def env_block(args: str) -> bytes:
    """One sector that sets GRUB's variable `args`."""
    bad = sorted({c for c in args if not " " <= c <= "~" or c in "\\\"$"})
    if bad:
        raise HostError(f"the kernel's command line cannot hold {', '.join(map(repr, bad))}")
    if len(args) > ARGS_MAX:
        raise HostError(f"the kernel's command line is too long: {len(args)} characters, {ARGS_MAX} fit")
    return (ENV_HEAD + b"args=" + args.encode() + b"\n").ljust(SECTOR, b"#")


def with_args(image: bytes, args: str, name: str = "image") -> bytes:
    """A copy of an image with another command line."""
    at = image.find(ENV_HEAD)
    if at < 0 or at % SECTOR or image.find(ENV_HEAD, at + 1) >= 0:
        raise HostError(f"{name} has no place for a command line: make it again with mkimage.py")
    return image[:at] + env_block(args) + image[at + SECTOR :]


def load(path: Path) -> bytes:
    """The data of an image, without the padding."""
    if not path.is_file():
        raise HostError(f"image {path} is missing")
    with path.open("rb") as file:
        file.seek(16 * SECTOR)
        descriptor = file.read(SECTOR)
        if descriptor[1:6] != b"CD001":
            raise HostError(f"{path} is not a CD image")
        file.seek(0)
        return file.read(int.from_bytes(descriptor[80:84], "little") * SECTOR)


def write_padded(path: Path, data: bytes) -> None:
    """Write an image with its padding, which takes no room on the disk."""
    path.write_bytes(data)
    os.truncate(path, max(PADDED, len(data)))


def script(modules: list[str], multiboot2: bool) -> str:
    """What GRUB's core does.

    `boot` does not return; should it, or multiboot before it, have failed, GRUB waits for a key, so that its message
    stays on the screen and the post-mortem can show it.
    """
    digit = "2" if multiboot2 else ""
    loads = "".join(f"module{digit} /boot/modules/{name} {name}\n" for name in modules)
    return (
        f"insmod loadenv\nload_env -f /boot/grub/grubenv\n"
        f"insmod multiboot{digit}\nmultiboot{digit} /boot/kernel.elf $args\n{loads}boot\ninsmod read\nread\n"
    )


def build(
    kernel: Path, out: Path, args: str = "", modules: list[tuple[str, Path]] = (), multiboot2: bool = False
) -> None:
    """Write the image `out`; it appears whole or not at all."""
    for path in (kernel, *(path for _, path in modules)):
        if not path.is_file():
            raise HostError(f"{path} is missing")
    if not (GRUB_DIR / "multiboot2.mod").exists():
        raise HostError(f"GRUB's PC modules are not in {GRUB_DIR} (package grub-pc-bin)")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="hatlab-image-") as scratch:
        tree = _tree(Path(scratch), kernel, args, modules, multiboot2)
        # The final rename must not cross file systems, so the image is written beside its place.
        part = out.with_name(f".{out.name}.{os.getpid()}")
        try:
            host.run_tool(
                ["xorriso", "-as", "mkisofs", "-quiet", "-o", str(part), "-b", "boot/eltorito.img",
                 "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table", "--grub2-boot-info",
                 "--grub2-mbr", str(GRUB_DIR / "boot_hybrid.img"), "--protective-msdos-label", str(tree)],
                "package xorriso",
            )
            write_padded(part, with_args(load(part), args, str(out)))
            os.replace(part, out)
        finally:
            part.unlink(missing_ok=True)


def _tree(
    scratch: Path, kernel: Path, args: str, modules: list[tuple[str, Path]], multiboot2: bool
) -> Path:
    """The files of the CD."""
    tree = scratch / "cd"
    grub = tree / "boot" / "grub" / "i386-pc"
    grub.mkdir(parents=True)
    for name in [*GRUB_MODULES, "multiboot2" if multiboot2 else "multiboot"]:
        shutil.copyfile(GRUB_DIR / f"{name}.mod", grub / f"{name}.mod")
    shutil.copyfile(kernel, tree / "boot" / "kernel.elf")
    if modules:
        (tree / "boot" / "modules").mkdir()
    for name, path in modules:
        shutil.copyfile(path, tree / "boot" / "modules" / name)
    (tree / "boot" / "grub" / "grubenv").write_bytes(env_block(args))
    config = scratch / "core.cfg"
    config.write_text(script([name for name, _ in modules], multiboot2))
    host.run_tool(
        ["grub-mkimage", "-O", "i386-pc-eltorito", "-p", "/boot/grub", "-c", str(config),
         "-o", str(tree / "boot" / "eltorito.img"), "biosdisk", "iso9660"],
        "package grub-common",
    )
    return tree


# ------------------------------------------------------------------------------------------- one image, many kernels

ROOM = 1 << 20  # for a kernel
MARK = b"hatlab: a kernel goes here, see src/tools/hatlab/image.py\n"


def build_frame(out: Path, modules: list[tuple[str, Path]] = ()) -> None:
    """An image with room for a kernel instead of one: with_kernel() puts it there without any other program's help."""
    with tempfile.TemporaryDirectory(prefix="hatlab-frame-") as scratch:
        empty = Path(scratch) / "kernel"
        empty.write_bytes(MARK.ljust(ROOM, b"\0"))
        build(empty, out, modules=modules)


def with_kernel(frame: bytes, kernel: bytes, name: str = "image") -> bytes:
    """A copy of a frame with a kernel in it: its bytes, and its length where the CD's directory says it, both ways round."""
    at = frame.find(MARK)
    if at < 0 or at % SECTOR:
        raise HostError(f"{name} has no room for a kernel")
    if len(kernel) > ROOM:
        raise HostError(f"a kernel of {len(kernel)} bytes is too large for {name}: {ROOM} fit")
    record = struct.pack("<I", at // SECTOR) + struct.pack(">I", at // SECTOR)
    where = frame.find(record)
    if where < 0:
        raise HostError(f"{name} does not list its kernel")
    size = struct.pack("<I", len(kernel)) + struct.pack(">I", len(kernel))
    frame = frame[: where + 8] + size + frame[where + 16 :]
    return frame[:at] + kernel.ljust(ROOM, b"\0") + frame[at + ROOM :]


def default_modules(flavor: str) -> list[tuple[str, Path]]:
    """Every file in build/<flavor>/modules goes on the CD, under its own name."""
    folder = host.kernel_path(flavor).with_name("modules")
    return [(p.name, p) for p in sorted(folder.iterdir()) if p.is_file()] if folder.is_dir() else []


def ensure(flavor: str, multiboot2: bool = False) -> Path:
    """The image of a flavour's kernel, made again if anything on it is newer."""
    kernel = host.kernel_path(flavor).with_suffix(".boot")  # no symbols: GRUB would load them
    if not kernel.is_file():
        raise HostError(f"{kernel.relative_to(host.ROOT)} is missing: run 'make kernel FLAVOR={flavor}'")
    out = kernel.with_name("hatlab-mb2.iso" if multiboot2 else "hatlab.iso")
    modules = default_modules(flavor)
    sources = [kernel, Path(__file__), *(path for _, path in modules)]
    if not out.exists() or out.stat().st_mtime < max(p.stat().st_mtime for p in sources):
        build(kernel, out, modules=modules, multiboot2=multiboot2)
    return out
