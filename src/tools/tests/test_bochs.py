# SPDX-License-Identifier: ISC
"""The machine's description, and every way in which Bochs can be the wrong one."""

import re
import subprocess
import sys
from pathlib import Path

import machine
from testall import cases, needs

from hatlab import bochs, host, run

RC = (host.ROOT / "bochsrc").read_text()


def test_derive():
    """The run's machine differs from bochsrc in its files, CPUs and memory only."""
    text = bochs.derive(RC, "boot.iso", 2, 128)
    changed = [line for line in text.splitlines() if line not in RC.splitlines()]
    assert [line.split(":")[0] for line in changed] == ["ata0-master", "cpu", "memory", "com1", "log"]
    assert "path=boot.iso," in text and "count=2," in text and "memory: guest=128, host=128" in text
    assert "build/" not in "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    assert bochs.derive(RC, "x", 1).count("count=1,") == 1


@cases("ata0-master", "cpu", "log", "com1", "memory")
def test_derive_from_a_damaged_bochsrc(key):
    """A line that the tools need and cannot find is named."""
    text = re.sub(f"^{key}:.*\n", "", RC, flags=re.M)
    try:
        bochs.derive(text, "x", 1, 64)
    except host.HostError as error:
        assert key in str(error)
    else:
        raise AssertionError("not noticed")


def boot_with(bochs_text, *args, **env):
    """boot.py on an image that exists, with a script in place of Bochs."""
    script = machine.fake_program(bochs_text)
    elf, iso = machine.tiny()
    done = machine.command("boot.py", "--image", iso, "--kernel", elf, "-q", *args, HATLAB_BOCHS=str(script), **env)
    assert machine.run_directories() == [], "the run's directory is removed"
    return done


def one_line(done, expected):
    assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
    assert done.stderr.count("\n") == 1 and expected in done.stderr, done.stderr


HELP = 'case "$*" in *--help*) echo "  -rc filename"; exit 0;; esac\n'


@needs("cc", "ld", "grub-mkimage", "xorriso")
def test_no_bochs():
    """Bochs is not there."""
    elf, iso = machine.tiny()
    done = machine.command("boot.py", "--image", iso, "--kernel", elf, HATLAB_BOCHS="no-such-bochs")
    one_line(done, "no Bochs: no-such-bochs is not in PATH")
    done = machine.command("boot.py", "--image", iso, PATH="/nonexistent")
    one_line(done, "no Bochs: bochs is not in PATH")


@needs("cc", "ld", "grub-mkimage", "xorriso")
def test_bochs_without_debugger():
    """--help has no -rc."""
    one_line(boot_with('echo "  -f file"\n'), "built without the debugger")


@needs("cc", "ld", "grub-mkimage", "xorriso")
def test_bochs_too_old():
    """A version before all that was tried."""
    one_line(boot_with('echo " Bochs x86 Emulator 2.6.11"; echo "  -rc filename"\n'), "is version 2.6, 2.7 or later is needed")


@needs("cc", "ld", "grub-mkimage", "xorriso")
def test_bochs_without_the_display():
    """The message of a Bochs without the display library is passed on."""
    said = HELP + 'printf "%s\\n" "====" "Bochs is exiting with the following message:" "[     ] bochsrc: display library \'rfb\' not available" "======"; exit 1\n'
    one_line(boot_with(said), "display library 'rfb' not available")


@needs("cc", "ld", "grub-mkimage", "xorriso")
def test_bochs_without_smp():
    """Two CPUs on a Bochs for one."""
    said = HELP + 'printf "%s\\n" "====" "Bochs is exiting with the following message:" "[     ] cpu: count too large" "======"; exit 1\n'
    one_line(boot_with(said, "--cpus", 2), "built without SMP?")


@needs("cc", "ld", "grub-mkimage", "xorriso")
def test_bochs_that_dies_at_once():
    """No message at all: its last line is shown."""
    one_line(boot_with(HELP + "echo oh no; exit 3\n"), "Bochs does not start: oh no")


@needs("cc", "ld", "grub-mkimage", "xorriso")
def test_debugger_option_of_newer_bochs():
    """A Bochs whose --help offers -debugger gets that option, and no sound: line."""
    text = 'case "$*" in *--help*) printf "  -rc f\\n  -debugger  start it\\n"; exit 0;; esac\necho "args: $*; sound: $(grep -c ^sound bochsrc)"; exit 1\n'
    one_line(boot_with(text), "args: -f bochsrc -q -debugger; sound: 0")


def test_image_missing():
    """One line, exit code 2."""
    one_line(machine.command("boot.py", "--image", "/nonexistent/x.iso"), "x.iso is missing")
    one_line(machine.command("compare.py", "--flavor", "i386", "--image", "/nonexistent/x.iso"), "x.iso is missing")


@cases("boot.py", "compare.py", "mkimage.py")
def test_help(name):
    """Every command explains itself."""
    done = machine.command(name, "--help")
    assert done.returncode == 0 and "usage: " + name in done.stdout and done.stderr == ""


@needs("cc")
def test_loopback_is_built_and_used():
    """The last resort against an open screen server is a preloaded library."""
    import os

    os.environ["HATLAB_NET"] = "loopback"
    prefix, env = bochs.isolation()
    assert prefix == [] and Path(env["LD_PRELOAD"]).is_file()


def test_results_say_ok_only_when_nothing_failed():
    """The first failure counts, and any failure is one."""
    result = run.Result("amd64", "", 1, exit="ok")
    assert result.ok
    result.fail("hang", "hangs")
    result.fail("crash", "crashes")
    assert (result.ok, result.exit, result.problem) == (False, "hang", "hangs")


def test_python_too_old():
    """A Python older than doctor.sh wants says so before anything of ours that it does not understand."""
    for release, said in (((3, 8, 19), "python3 is version 3.8, 3.9 or later is needed"), ((3, 9, 0), "")):
        program = f"import sys; sys.path.insert(0, 'src/tools'); sys.version_info = {release}; import hatlab"
        done = subprocess.run([sys.executable, "-c", program], cwd=host.ROOT, capture_output=True, text=True)
        assert (done.returncode != 0) == bool(said) and said in done.stderr and "Traceback" not in done.stderr, done.stderr
