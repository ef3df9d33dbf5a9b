# SPDX-License-Identifier: ISC
"""Images: the command line's place, the script for GRUB, and what can be missing."""

import tempfile
from pathlib import Path

import machine
from testall import cases, needs

from hatlab import host, image


def error_of(function, *args, **more):
    try:
        function(*args, **more)
    except host.HostError as error:
        return str(error)
    raise AssertionError("no error")


def test_env_block():
    """One sector, read by GRUB as a variable."""
    block = image.env_block("a=1 b=2")
    assert len(block) == image.SECTOR and b"\nargs=a=1 b=2\n#" in block
    assert len(image.env_block("x" * image.ARGS_MAX)) == image.SECTOR
    assert "too long" in error_of(image.env_block, "x" * (image.ARGS_MAX + 1))


@cases('"', "\\", "$", "\n", "\u00e9")
def test_characters_that_grub_would_change(letter):
    """A command line that would not arrive as given is refused."""
    assert "cannot hold" in error_of(image.env_block, f"a={letter}")


def test_with_args_replaces_one_sector():
    """Everything else of the image stays; an image without the place is refused."""
    before = bytes(image.SECTOR) + image.env_block("old=1") + bytes(range(256)) * 8
    after = image.with_args(before, "new=2")
    assert after[image.SECTOR : 2 * image.SECTOR] == image.env_block("new=2")
    assert after[: image.SECTOR] == before[: image.SECTOR] and after[2 * image.SECTOR :] == before[2 * image.SECTOR :]
    for wrong in (bytes(5000), b"x" + before, before + image.env_block("")):
        assert "mkimage.py" in error_of(image.with_args, wrong, "a")


def test_script():
    """Both protocols, with modules."""
    two = image.script(["init", "sh"], multiboot2=True)
    assert "multiboot2 /boot/kernel.elf $args\nmodule2 /boot/modules/init init\nmodule2 /boot/modules/sh sh\nboot\n" in two and two.endswith("boot\ninsmod read\nread\n")
    one = image.script([], multiboot2=False)
    assert "insmod multiboot\nmultiboot /boot/kernel.elf $args\nboot\n" in one


@needs("grub-mkimage", "xorriso")
def test_missing_files():
    """A missing kernel, module or image is one clear line."""
    here = Path(tempfile.mkdtemp())
    assert "no.elf is missing" in error_of(image.build, here / "no.elf", here / "x.iso")
    (here / "k").write_bytes(b"k")
    assert "no.mod is missing" in error_of(image.build, here / "k", here / "x.iso", modules=[("m", here / "no.mod")])
    assert "no.iso is missing" in error_of(image.load, here / "no.iso")
    assert "not a CD image" in error_of(image.load, here / "k")
    assert list(here.iterdir()) == [here / "k"], "nothing half-made is left"


@needs("grub-mkimage", "xorriso")
def test_mkimage_command():
    """The command makes an image with a command line and modules in it."""
    here = Path(tempfile.mkdtemp())
    (here / "kernel.elf").write_bytes(b"the kernel")
    (here / "one").write_bytes(b"first module")
    done = machine.command("mkimage.py", here / "kernel.elf", "--args", "seed=7", "--module", f"init={here / 'one'}")
    assert done.returncode == 0, done.stderr
    data = image.load(here / "hatlab.iso")
    assert b"args=seed=7\n" in data and b"first module" in data and b"the kernel" in data
    assert (here / "hatlab.iso").stat().st_size >= image.PADDED
    assert (here / "hatlab.iso").stat().st_blocks * 512 < 4 << 20, "the padding must be a hole"
    done = machine.command("mkimage.py", here / "nothing.elf")
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "is missing" in done.stderr
